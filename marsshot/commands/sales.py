"""What `sell-all` and `sell` have in common: selling here where no bot runs, and telling what came of it.

Holds no rule.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from math import ceil
from pathlib import Path

from marsshot.bot.bootstrap import RunningBot
from marsshot.bot.bot import Bot
from marsshot.bot.session import ORDER_RESOLUTION_SECONDS, resolve_unknown_orders, run_once
from marsshot.config.bot_files import BOOK, TRADES
from marsshot.config.settings import Settings
from marsshot.core.amounts import ZERO
from marsshot.core.catalog import Catalog
from marsshot.core.orders import Side
from marsshot.core.reasons import OrderReason, UnsoldReason
from marsshot.infra.atomic_files import Disk
from marsshot.portfolio.trades_file import Trade, readable_trades
from positions_store import load_state

MAX_QUIET_PERIODS = 3  # of at most two minutes each, where Binance asks for no requests in the middle of it
ASKED_FOR = {OrderReason.SELL_ALL, OrderReason.SELL_TOKEN}

Left = Mapping[str, tuple[UnsoldReason, str]]
"""Of what was to be sold the rest, by token, and why: the reason, and what was said."""


def sell_here(settings: Settings, config: Path, sell: Callable[[Bot], object]) -> Left:
    """Have a bot of this process sell; return what is left. sell: may be called several times.

    Raises OperatorNeededError where another process has the book.
    """
    left: dict[str, tuple[UnsoldReason, str]] = {}
    catalog = Catalog(settings.language)

    def sell_and_wait(run: RunningBot) -> int:
        bot, silences = run.bot, MAX_QUIET_PERIODS
        sell(bot)
        if bot.store.book.intents:
            resolve_unknown_orders(bot)
            sell(bot)
        while silences and any(reason is UnsoldReason.SILENCED for reason, _ in bot.unsold().values()):
            seconds, silences = bot.quiet_seconds_left(), silences - 1
            if seconds > ORDER_RESOLUTION_SECONDS:
                break
            with suppress(OSError):  # nobody may be there to read it; that ends no sale
                print(catalog.text("sell_all.silence", seconds=ceil(seconds)), flush=True)  # noqa: T201
            bot.clock.sleep(seconds)
            sell(bot)
        left.update(bot.unsold())
        return 0

    if run_once(settings, config, sell_and_wait, console=None):
        return dict.fromkeys(held_tokens(settings), (UnsoldReason.STOPPED, ""))
    return left


def held_tokens(settings: Settings) -> list[str]:
    """Return what the book holds now. Raises InputError."""
    book = load_state(settings.file(BOOK), settings.mode, Disk())
    return list(book.positions) if book else []


def order_ids(settings: Settings) -> set[str]:
    """Return the orders that trades.csv has now."""
    return {trade.client_order_id for trade in readable_trades(settings.file(TRADES))}


def sales_since(settings: Settings, before: Collection[str]) -> list[Trade]:
    """Return the sales that trades.csv has got since. before: as `order_ids` gave them."""
    trades = readable_trades(settings.file(TRADES))
    return [one for one in trades if one.client_order_id not in before and one.side == Side.SELL]


def sale_lines(sold: Sequence[Trade], left: Left, settings: Settings, catalog: Catalog) -> list[str]:
    """Return what was sold as the owner asked, and what is left and why."""
    lines = [
        catalog.text(
            "sell_all.sold",
            symbol=trade.symbol,
            qty=trade.qty,
            quote=trade.quote,
            price=trade.price,
            profit=trade.profit or ZERO,
            asset=settings.quote_asset,
        )
        for trade in sold
        if trade.reason in ASKED_FOR
    ]
    for symbol, (reason, said) in left.items():
        lines.append(catalog.text("sell_all.left", symbol=symbol, why=catalog.text(reason.text_key, said=said)))
    return lines


def sale_exit_code(left: Left) -> int:
    """Return 0 where everything that the exchange takes has been sold."""
    return 0 if all(reason is UnsoldReason.TOO_SMALL for reason, _ in left.values()) else 1

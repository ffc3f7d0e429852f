"""What `main.py recover` finds out: the book that there is, this bot's orders at the exchange, the book that follows.

Asks the exchange and the daily-bar source, and reads files. Writes nothing, sends no order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache, partial

from marsshot.bot.bootstrap import book_fault, trading_exchange
from marsshot.config.bot_files import BOOK, CASH_FLOWS, TRADES
from marsshot.config.settings import Settings
from marsshot.core.book import Book, Position, TradeRow
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import InputError, MarsShotError, StopRequested, TemporaryError
from marsshot.core.orders import OwnOrder
from marsshot.core.reasons import OrderReason
from marsshot.core.trading_rules import Account, TradingRules
from marsshot.exchange.base import Exchange
from marsshot.infra.atomic_files import BACKUP_ENDING, Disk
from marsshot.infra.clock import Clock
from marsshot.market_data.bar_cache import CLOSE, DailyBars
from marsshot.market_data.daily_bar_sources import open_source, source_kind
from marsshot.portfolio.cash_flows_file import read_cash_flows
from marsshot.portfolio.ledger import new_book
from marsshot.portfolio.performance import with_recorded_flows
from marsshot.portfolio.reconciliation import MARGIN_MS, since_ms
from marsshot.portfolio.recovery import Recovery, fitted_to_account, orders_unknown_to, replayed
from marsshot.portfolio.serialization import book_from_json
from marsshot.portfolio.trades_file import Trade, readable_trades
from risk_manager import with_price_seen

AskBars = Callable[[str, str, int], DailyBars]
"""Asks for a token's daily bars: by its name, the source's name of it, and how many days."""

DAY_MS = 86_400_000
DAILY_REASONS = {OrderReason.DAILY_BUY, OrderReason.DAILY_SELL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What was found.

    missing_rows: how many orders that the book knows are not in trades.csv. unread_tops: of which positions the highest
    close since the entry could not be had, and why.
    """

    base: Book | None  # the book that there was
    recovery: Recovery
    missing_rows: int
    unread_tops: Mapping[str, str]


def present_book(settings: Settings, disk: Disk) -> Book | None:
    """Return the book, or its backup where it is lost or torn; None without either. Raises InputError if foreign."""
    path = settings.file(BOOK)
    book = _readable(settings, path.name, disk) or _readable(settings, f"{path.name}{BACKUP_ENDING}", disk)
    if book is None:
        return None
    if book.mode != settings.mode:
        raise InputError(LocalizedText("fault.book.other_mode", path=path, written=book.mode, set=settings.mode))
    if fault := book_fault(book, settings):
        raise InputError(LocalizedText("fault.in_file", path=path, fault=fault))
    return book


def _readable(settings: Settings, name: str, disk: Disk) -> Book | None:
    with suppress(OSError, UnicodeDecodeError, InputError):
        return book_from_json(disk.read(settings.file(BOOK).with_name(name)).decode("utf-8"), name)
    return None


def survey(settings: Settings, clock: Clock, base: Book | None, notify: Callable[[str], None], days: int = 0) -> Survey:
    """Ask the exchange for all orders of this bot, and return the book that follows from them.

    notify: is told what is being asked. days: how far to look back; 0: as far as the exchange is usually asked.
    Raises TemporaryError or AccountTroubleError; InputError where several bots have sent orders.
    """
    exchange = trading_exchange(settings, clock, lambda: base or _begun(settings, clock))
    source = cache(partial(open_source, settings, clock, lambda _line: None))  # opened where there is a top to look for

    def daily_bars(symbol: str, coin: str, bars: int) -> DailyBars:
        return source().daily_bars(symbol, coin, bars)

    return survey_at(exchange, settings, clock, base, disk=Disk(), daily_bars=daily_bars, notify=notify, days=days)


def _begun(settings: Settings, clock: Clock) -> Book:
    capital = settings.strategy.capital_initial
    book = new_book(settings.mode, settings.quote_asset, capital, clock.now(), settings.exchange)
    return replace(book, operator_id=settings.bitvavo.operator_id)


def survey_at(
    exchange: Exchange,
    settings: Settings,
    clock: Clock,
    base: Book | None,
    *,
    disk: Disk,
    daily_bars: AskBars,
    notify: Callable[[str], None],
    days: int = 0,
) -> Survey:
    """Do what `survey` does, at an exchange that is connected, with the daily bars that come from somewhere."""
    flows = read_cash_flows(settings.file(CASH_FLOWS), disk)
    begun = with_recorded_flows(_begun(settings, clock), flows)
    if base is not None:
        base = with_recorded_flows(base, flows)
        exchange.keep_quiet_until(base.exchange_quiet_until_ms, base.exchange_quiet_reason)
    now_ms = exchange.server_ms()  # before the orders: what comes later is looked for by the next comparison
    account, trades = exchange.account(), readable_trades(settings.file(TRADES), disk)
    symbols = _symbols_to_ask(settings, base, account, [trade.symbol for trade in trades])
    rules = _rules(settings, exchange, symbols)
    notify(LocalizedText("recover.asking", count=len(rules)))
    since = now_ms - days * DAY_MS if days else 0
    orders = [order for known in rules.values() for order in exchange.own_orders(known.pair, since)]
    if base is None and (sender := _only_sender(orders)):
        begun = replace(begun, operator_id=sender)
    if under_way := next((order for order in orders if not order.is_final), None):
        raise TemporaryError(LocalizedText("recover.under_way", order=under_way.fill.client_order_id))
    unknown = orders_unknown_to(base or begun, orders, since_ms(base, now_ms) if base else 0)
    share = settings.strategy.partial_take_profit_ratio
    recovery = replayed(base or begun, unknown, rules, _reasons(trades), share)
    recovery = replace(recovery, book=_compared(recovery, base, now_ms))
    recovery = fitted_to_account(recovery, account, rules)
    book, unread = _with_tops(recovery.book, settings, clock.now().date(), exchange, daily_bars)
    everything = replayed(begun, orders_unknown_to(begun, orders, 0), rules, _reasons(trades), share).book
    rows = _rows_to_write(book, everything.unwritten_trades, {trade.client_order_id for trade in trades})
    recovery = replace(recovery, book=replace(book, unwritten_trades=rows))
    missing = len(rows) - len(recovery.orders)
    return Survey(base=base, recovery=recovery, missing_rows=missing, unread_tops=unread)


def _only_sender(orders: Sequence[OwnOrder]) -> int:
    """Return the operator id that these orders carry; 0 where they carry none. Raises InputError for several."""
    senders = sorted({order.sender for order in orders if order.sender})
    if len(senders) > 1:
        raise InputError(LocalizedText("recover.several_operators", operators=tuple(map(str, senders))))
    return senders[0] if senders else 0


def _rows_to_write(book: Book, rows: Sequence[TradeRow], written: Collection[str]) -> tuple[TradeRow, ...]:
    """Return the rows that trades.csv lacks, oldest first: those that the book owes it, and those of older orders."""
    owed = {row.client_order_id: row for row in (*rows, *book.unwritten_trades) if row.client_order_id not in written}
    return tuple(sorted(owed.values(), key=lambda row: row.time))


def _reasons(trades: Collection[Trade]) -> dict[str, OrderReason]:
    known = {reason.value: reason for reason in OrderReason}
    return {trade.client_order_id: known[trade.reason] for trade in trades if trade.reason in known}


def _symbols_to_ask(settings: Settings, base: Book | None, account: Account, traded: Collection[str]) -> list[str]:
    """Return every token of the settings, of the book, of trades.csv and of the account.

    Without a book those of the training too: what was bought and sold whole counts in the capital.
    """
    named = [*settings.tokens_daily, *settings.symbols, *traded]
    named += base.positions if base else settings.training_tokens
    token_of = {settings.exchange_asset(symbol): symbol for symbol in named}
    assets = [asset for asset in account.free if account.total(asset) > 0] + list(account.lent)
    symbols = dict.fromkeys((*named, *(token_of.get(asset, asset) for asset in assets)))
    return [symbol for symbol in symbols if settings.exchange_asset(symbol) != settings.quote_asset]


def _rules(settings: Settings, exchange: Exchange, symbols: Collection[str]) -> dict[str, TradingRules]:
    pairs = {settings.pair(symbol): symbol for symbol in reversed(list(symbols))}
    found = exchange.trading_rules(pairs)
    return {symbol: found[pair] for pair, symbol in pairs.items() if pair in found}


def _compared(recovery: Recovery, base: Book | None, now_ms: int) -> Book:
    """Note that the book knows every order up to now; the pass of a day whose orders it has is not made again."""
    book, orders = recovery.book, recovery.orders
    days = [_day(one.order) for one in orders if one.reason in DAILY_REASONS]
    if book.plan is None or book.plan.day not in days:
        days += [book.last_daily_update] if book.last_daily_update else []
        book = replace(book, last_daily_update=max(days, default=None))
    if base is None and orders:
        moment = datetime.fromtimestamp(orders[0].order.fill.time_ms / 1000, UTC)
        book = replace(book, started_at=f"{moment:%Y-%m-%dT%H:%M:%SZ}")
    kept = {name: moment for name, moment in book.booked_orders.items() if moment >= now_ms - 2 * MARGIN_MS}
    return replace(book, reconciled_ms=now_ms, booked_orders=kept, differences={})


def _day(order: OwnOrder) -> date:
    return datetime.fromtimestamp(order.fill.time_ms / 1000, UTC).date()


# --------------------------------------------------------------------------- tops


def _with_tops(
    book: Book, settings: Settings, today: date, exchange: Exchange, daily_bars: AskBars
) -> tuple[Book, dict[str, str]]:
    """Let every position have seen its highest close since the entry; return, too, of which it could not be had."""
    if not book.positions:
        return book, {}
    prices = exchange.prices([settings.pair(symbol) for symbol in book.positions])
    positions, unread = dict(book.positions), dict[str, str]()
    for symbol, held in book.positions.items():
        try:
            top = _highest_close(daily_bars, symbol, held, prices.get(settings.pair(symbol)), settings, today)
        except StopRequested:
            raise
        except MarsShotError as error:
            unread[symbol] = error.message
            continue
        if top is not None:
            positions[symbol] = with_price_seen(held, top, settings.exit_rules)
    return replace(book, positions=positions), unread


def _highest_close(
    daily_bars: AskBars, symbol: str, held: Position, price: Decimal | None, settings: Settings, today: date
) -> Decimal | None:
    """Return the highest close from the entry's day on; None while no day has closed. Raises MarsShotError."""
    opened = _opened_on(held)
    days = (today - opened).days if opened else 0
    if days < 1:
        return None
    bars = daily_bars(symbol, source_kind(settings).coin(settings, symbol), days)
    closes = [Decimal(str(close)) for close in _closes(bars)]
    allowed = settings.strategy.max_history_divergence
    if price is None or not closes or abs(closes[-1] / price - 1) > allowed:
        raise TemporaryError(LocalizedText("recover.other_history"))
    return max(closes)


def _opened_on(held: Position) -> date | None:
    with suppress(ValueError):
        return datetime.fromisoformat(held.opened_at).date()
    return None


def _closes(bars: DailyBars) -> list[float]:
    closes: list[float] = bars.values[bars.has_close(), CLOSE].tolist()
    return closes

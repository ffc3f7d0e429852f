"""`main.py sell TOKEN`, `exclude TOKEN`, `include TOKEN`: one token at the owner's word, by the running bot or here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from marsshot.bot.bootstrap import required_keys
from marsshot.bot.bot import Bot
from marsshot.bot.control_files import ControlFiles
from marsshot.bot.owner_requests import excludable_tokens, request_exclusion, request_inclusion, request_sale
from marsshot.bot.session import ORDER_RESOLUTION_SECONDS
from marsshot.commands.confirmation import is_confirmed
from marsshot.commands.controls import RETRYABLE_REASONS
from marsshot.commands.requests import answered, tell_answer
from marsshot.commands.sales import Left, held_tokens, order_ids, sale_exit_code, sale_lines, sales_since, sell_here
from marsshot.config.bot_files import BOOK
from marsshot.config.settings import Settings
from marsshot.core.catalog import Catalog, LocalizedText
from marsshot.core.errors import InputError
from marsshot.core.reasons import UnsoldReason
from marsshot.core.requests import OwnerRequest
from marsshot.infra.atomic_files import Disk
from marsshot.infra.clock import SystemClock
from positions_store import is_locked, load_state

# --------------------------------------------------------------------------- sell


def sell(settings: Settings, config: Path, given: str, *, assume_yes: bool) -> int:
    """Sell one position whole; print what came of it. Returns 1 where something of it is left to be sold.

    Raises InputError where nothing of it is held.
    """
    catalog, control, symbol = Catalog(settings.language), ControlFiles(settings), given.upper()
    refuse_unheld(settings, symbol)
    if not assume_yes and not is_confirmed(catalog.text("sell.sure", symbol=symbol), catalog):
        print(catalog.text("sell_all.nothing_done"))  # noqa: T201
        return 1
    if missing := settings.missing_keys(*required_keys(settings)):
        raise InputError(*missing)
    before, request = order_ids(settings), request_sale(control, symbol)
    left = _sell_and_wait(settings, config, control, request)
    sold = sales_since(settings, before)
    lines = sale_lines(sold, left, settings, catalog) or [catalog.text("request.sell.not_held", symbol=symbol)]
    for line in [*lines, *([catalog.text("sell.rest")] if left else [])]:
        print(line)  # noqa: T201
    return sale_exit_code(left)


def refuse_unheld(settings: Settings, symbol: str) -> None:
    """Raise InputError where nothing of a token is held."""
    if symbol not in held_tokens(settings):
        held = tuple(held_tokens(settings)) or (LocalizedText("log.nothing"),)
        raise InputError(LocalizedText("sell.not_held", symbol=symbol, held=held))


def _sell_and_wait(settings: Settings, config: Path, control: ControlFiles, request: OwnerRequest) -> Left:
    """See to it that the position is sold, by the bot that runs or here; return what is left of it, and why."""
    sold_here: dict[str, tuple[UnsoldReason, str]] | None = None

    def sell_it(bot: Bot) -> None:
        bot.carry_out_requests()
        bot.intraday_check()

    def carry_out_here() -> None:
        nonlocal sold_here
        sold_here = dict(sell_here(settings, config, sell_it))

    answered(settings, control, request, carry_out_here)
    clock, seconds_left = SystemClock(), ORDER_RESOLUTION_SECONDS
    while sold_here is None and seconds_left > 0:
        if request.symbol not in held_tokens(settings):
            return {}
        reply = control.read_reply()
        reason, said = (reply.left if reply else {}).get(request.symbol, (UnsoldReason.IN_DOUBT, ""))
        if reason not in RETRYABLE_REASONS:
            return {request.symbol: (reason, said)}
        if not is_locked(settings.file(BOOK)):
            carry_out_here()
            break
        clock.sleep(1.0)
        seconds_left -= 1.0
    is_held = request.symbol in held_tokens(settings)
    found = (sold_here or {}).get(request.symbol, (UnsoldReason.REFUSED, ""))
    return {request.symbol: found} if is_held else {}


# --------------------------------------------------------------------------- exclude, include


def exclude(settings: Settings, config: Path, given: str) -> int:
    """Let no more purchases of a token be made; print what came of it. Raises InputError for a token of no list."""
    refuse_unknown(settings, given.upper())
    return _ask(settings, config, given.upper(), request_exclusion)


def refuse_unknown(settings: Settings, symbol: str) -> None:
    """Raise InputError for a token that is in no list and not held: it was mistyped."""
    book = load_state(settings.file(BOOK), settings.mode, Disk())
    if symbol not in excludable_tokens(settings, book):
        raise InputError(LocalizedText("exclude.unknown", symbol=symbol))


def include(settings: Settings, config: Path, given: str) -> int:
    """Allow purchases of a token again; print what came of it."""
    return _ask(settings, config, given.upper(), request_inclusion)


def _ask(settings: Settings, config: Path, symbol: str, ask: Callable[[ControlFiles, str], OwnerRequest]) -> int:
    control = ControlFiles(settings)
    return tell_answer(settings, config, control, ask(control, symbol))

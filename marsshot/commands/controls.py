"""`main.py sell-all`, `pause`, `resume`: the owner's commands, carried out by the running bot or here, and its outcome.

Waits for the running bot, and takes over where that ends in the middle. Holds no rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from marsshot.bot.bootstrap import required_keys
from marsshot.bot.bot import Bot
from marsshot.bot.control_files import CommandReply, ControlFiles
from marsshot.bot.owner_requests import is_confirmation, request_pause, request_resume, request_sell_all
from marsshot.bot.session import ORDER_RESOLUTION_SECONDS
from marsshot.commands.sales import held_tokens, order_ids, sale_exit_code, sale_lines, sales_since, sell_here
from marsshot.config.bot_files import BOOK
from marsshot.config.settings import Settings
from marsshot.core.catalog import Catalog, LocalizedText
from marsshot.core.errors import InputError, OperatorNeededError, TemporaryError
from marsshot.core.reasons import UnsoldReason
from marsshot.infra.clock import SystemClock
from marsshot.portfolio.trades_file import Trade
from positions_store import is_locked

REPLY_TIMEOUT_SECONDS = 20.0  # a running bot reads a file within a second, unless it is in the middle of orders
RETRYABLE_REASONS = {UnsoldReason.IN_DOUBT, UnsoldReason.SILENCED}  # why something is unsold that may be otherwise soon


# --------------------------------------------------------------------------- sell-all


def sell_all(settings: Settings, config: Path, *, assume_yes: bool) -> int:
    """Sell every position and pause buying; print what came of it. Returns 1 where something is left to be sold."""
    catalog, control = Catalog(settings.language), ControlFiles(settings)
    if not assume_yes and not _confirm(catalog):
        print(catalog.text("sell_all.nothing_done"))  # noqa: T201
        return 1
    if missing := settings.missing_keys(*required_keys(settings)):
        raise InputError(*missing)
    before = order_ids(settings)
    request_sell_all(control)
    left = _sell_and_wait(settings, config, control)
    for line in outcome_lines(sales_since(settings, before), left, settings, catalog):
        print(line)  # noqa: T201
    return sale_exit_code(left)


def _confirm(catalog: Catalog) -> bool:
    try:
        return is_confirmation(input(f"{catalog.text('sell_all.sure')} "), "yes", catalog.text("sell_all.yes"))
    except EOFError:
        return False


def _sell_and_wait(settings: Settings, config: Path, control: ControlFiles) -> Mapping[str, tuple[UnsoldReason, str]]:
    """See to it that everything is sold, by the bot that runs or here; return what is left, by token, and why."""
    clock, seconds_left = SystemClock(), ORDER_RESOLUTION_SECONDS
    while seconds_left > 0:
        if not is_locked(settings.file(BOOK)):  # nobody runs, or the one who did has died in the middle of it
            try:
                return sell_here(settings, config, Bot.sell_all)
            except OperatorNeededError:
                continue  # it has begun to run this very moment
        if (left := reply_of_running_bot(settings, control)) is not None:
            return left
        clock.sleep(1.0)
        seconds_left -= 1.0
    if control.is_sell_all_requested():
        raise TemporaryError(LocalizedText("sell_all.not_heard"))
    reply = control.read_reply()
    return reply.left if reply else dict.fromkeys(held_tokens(settings), (UnsoldReason.REFUSED, ""))


def reply_of_running_bot(settings: Settings, control: ControlFiles) -> Mapping[str, tuple[UnsoldReason, str]] | None:
    """Return what the running bot has left unsold, or None while it is at it."""
    if control.is_sell_all_requested():
        return None
    reply = control.read_reply()
    if (
        reply is not None
        and reply.sold_all
        and not any(reason in RETRYABLE_REASONS for reason, _ in reply.left.values())
    ):
        return reply.left
    return None if held_tokens(settings) else {}


def outcome_lines(
    sold: Sequence[Trade], left: Mapping[str, tuple[UnsoldReason, str]], settings: Settings, catalog: Catalog
) -> list[str]:
    """Return what was sold, and what was not and why, in lines for the owner."""
    lines = sale_lines(sold, left, settings, catalog) or [catalog.text("sell_all.nothing_held")]
    return [*lines, catalog.text("sell_all.rest" if left else "sell_all.done")]


# --------------------------------------------------------------------------- pause, resume


def pause(settings: Settings) -> int:
    """Allow no new buys; say so when the running bot has confirmed it."""
    catalog, control = Catalog(settings.language), ControlFiles(settings)
    if not request_pause(control):
        print(catalog.text("pause.was_set"))  # noqa: T201
        return 0
    print(catalog.text("pause.set"))  # noqa: T201
    return _wait_for_confirmation(settings, control, lambda reply: reply.paused, catalog)


def resume(settings: Settings) -> int:
    """Allow new buys again; say so when the running bot has confirmed it. Raises TemporaryError where it cannot."""
    catalog, control = Catalog(settings.language), ControlFiles(settings)
    if not request_resume(control):
        print(catalog.text("resume.not_needed"))  # noqa: T201
        return 0
    print(catalog.text("resume.done"))  # noqa: T201
    return _wait_for_confirmation(settings, control, lambda reply: not reply.paused, catalog)


def _wait_for_confirmation(
    settings: Settings, control: ControlFiles, is_confirmed: Callable[[CommandReply], bool], catalog: Catalog
) -> int:
    """Wait for the running bot to confirm it, and print that."""
    clock, seconds_left = SystemClock(), REPLY_TIMEOUT_SECONDS
    while is_locked(settings.file(BOOK)):
        reply = control.read_reply()
        if reply is not None and is_confirmed(reply):
            print(catalog.text("control.confirmed"))  # noqa: T201
            return 0
        if seconds_left <= 0:
            print(catalog.text("control.not_confirmed"))  # noqa: T201
            return 0
        clock.sleep(1.0)
        seconds_left -= 1.0
    print(catalog.text("control.nobody_runs"))  # noqa: T201
    return 0

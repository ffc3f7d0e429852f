"""`main.py status`: what book, trades and last prices say, for people or programs. No network, changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from marsshot.bot.control_files import ControlFiles
from marsshot.bot.journal import (
    LastSeen,
    PerformancePoint,
    decisions_of,
    positions_worth,
    read_last_seen,
    read_performance,
)
from marsshot.commands.running import running_facts, waiting_requests
from marsshot.commands.status_view import DUE_NOW, daily_update_lines, status_lines
from marsshot.config.bot_files import BOOK, CASH_FLOWS, DECISIONS, EQUITY, HEARTBEAT, LAST_SEEN, TRADES, lock_path
from marsshot.config.changes import needs_restart, plain_settings
from marsshot.config.settings import Settings
from marsshot.core.book import Book, Position
from marsshot.core.catalog import Catalog, LocalizedText
from marsshot.core.errors import InputError, MarsShotError
from marsshot.core.exit_settings import ExitRules
from marsshot.core.moments import parse_moment, utc_text
from marsshot.core.reasons import OrderReason, QuietReason
from marsshot.infra.atomic_files import Disk
from marsshot.infra.clock import SystemClock
from marsshot.infra.console import terminal
from marsshot.infra.csv_rows import CsvLineError
from marsshot.monitoring.bot_state import BotState, read_state
from marsshot.portfolio.cash_flows_file import read_cash_flows
from marsshot.portfolio.difference_messages import difference_text
from marsshot.portfolio.performance import index_at, largest_fall, profit_at
from marsshot.portfolio.serialization import decimal_text
from marsshot.portfolio.trades_file import Trade, read_trades, realised_profit, with_trades_of_book
from marsshot.strategy.daily_plan import is_daily_update_done, is_daily_update_due
from marsshot.strategy.levers import LEVER_REASONS
from positions_store import is_locked, load_state
from risk_manager import exit_levels

PROFIT_DAYS = {"7_days": 7, "30_days": 30}


def show_status(settings: Settings, *, as_json: bool) -> int:
    """Print the state of the bot; return 0. Raises InputError where there is no book, or none that can be trusted."""
    if as_json:
        facts = current_facts(settings)
        scores = _score_facts(settings, datetime.fromisoformat(facts["time"]))
        print(json.dumps(facts | {"scores": scores}, indent=1))  # noqa: T201
    else:
        print_lines(current_lines(settings))
    return 0


def current_facts(settings: Settings) -> dict[str, Any]:
    """Return the state of the bot as `status --json` has it, without what became of the scores. Raises as above."""
    return _facts_at(settings, *book_and_moment(settings))


def current_lines(settings: Settings) -> list[str]:
    """Return what `status` says, in the owner's language. Raises as above."""
    book, seen, now = book_and_moment(settings)
    catalog = Catalog(settings.language, zone=settings.zone)
    facts = _facts_at(settings, book, seen, now) | {
        "differences": [difference_text(*one, book, catalog) for one in book.differences.items()],
        "open_doubts": [
            f"{catalog.text(f'summary.side.{one.side}')} {one.symbol} {one.client_order_id}"
            for one in book.intents.values()
        ],
    }
    facts |= _why_paused(ControlFiles(settings), book, catalog)
    return [*status_lines(facts, now, catalog), *score_section(settings, now, catalog)]


def _facts_at(settings: Settings, book: Book, seen: LastSeen, now: datetime) -> dict[str, Any]:
    state = state_of_running_bot(settings)
    facts = status_facts(book, settings, ControlFiles(settings).paused(), now, seen, state)
    if state is None and settings.mode != "demo":  # nobody has the book, however young the last sign of life is
        facts |= {"running": False, "running_since": None, "version": None, "next_check": None}
    return facts | {"bitcoin_since_start": _bitcoin_since_start(settings, book.started_at, now)}


def _bitcoin_since_start(settings: Settings, started_at: str, now: datetime) -> str | None:
    """Return how far BTC has come since the start, by the closes on this disk; None where they do not tell."""
    from marsshot.bot.daily_candles import bitcoin_change, bitcoin_closes  # noqa: PLC0415 - numpy, as below

    with suppress(ValueError):
        change = bitcoin_change(bitcoin_closes(settings), parse_moment(started_at), now)
        return None if change is None else _fraction(Decimal(change))
    return None


def _score_facts(settings: Settings, now: datetime) -> dict[str, Any] | None:
    from marsshot.reporting.score_report import score_facts  # noqa: PLC0415 - numpy, which the daemon does without

    return score_facts(settings, now.date())


def score_section(settings: Settings, now: datetime, catalog: Catalog) -> Iterable[str]:
    """Return the lines of what became of the scores, a blank one before them."""
    from marsshot.reporting.score_report import score_lines  # noqa: PLC0415 - numpy, which the daemon does without

    heading, *lines = score_lines(settings, now.date(), catalog)
    return ["", heading, *(f"  {line}" for line in lines)]


def show_daily_update(settings: Settings, day: date) -> int:
    """Print how the requested daily update of a day stands; return 0 if it is done, else 1. Raises InputError."""
    book, seen, now = book_and_moment(settings)
    control, catalog = ControlFiles(settings), Catalog(settings.language, zone=settings.zone)
    facts = status_facts(book, settings, control.paused(), now, seen)
    is_done = is_daily_update_done(day, book.last_daily_update)
    if not is_done and seen.put_off:
        print_lines([catalog.text("beside.daily_waits", why=seen.put_off)])
    print_lines(daily_update_lines(facts | _why_paused(control, book, catalog), catalog))
    return 0 if is_done else 1


def trouble_facts(state: BotState | None, settings: Settings) -> dict[str, Any]:
    """Return what a running bot tells of itself: its lasting troubles, where it does not go by these settings."""
    if state is None:
        return {"troubles": [], "settings_in_force": {}}
    in_force, in_file = state.settings, plain_settings(settings)
    differing = (key for key in (*in_force, *in_file) if in_force.get(key) != in_file.get(key))
    return {
        "troubles": [
            {"kind": one.kind.value, "subject": one.subject, "since": utc_text(since)}
            for one, since in state.troubles.items()
        ],
        "settings_in_force": {
            key: {"in_force": in_force.get(key), "in_file": in_file.get(key), "needs_restart": needs_restart(key)}
            for key in dict.fromkeys((*differing, *state.awaiting_restart))
        },
    }


def state_of_running_bot(settings: Settings) -> BotState | None:
    """Return what a bot tells that runs in this folder; the demo's goes by addresses of its own."""
    book = settings.file(BOOK)
    if settings.mode == "demo" or not lock_path(book).exists():
        return None
    with suppress(MarsShotError):
        return read_state(settings.file(HEARTBEAT)) if is_locked(book) else None
    return None


def book_and_moment(settings: Settings) -> tuple[Book, LastSeen, datetime]:
    """Return the book, what the last check saw, and the present moment; the demo has a time of its own."""
    book = load_state(settings.file(BOOK), settings.mode, Disk())
    if book is None:
        raise InputError(LocalizedText("fault.book.not_yet", path=settings.file(BOOK)))
    seen, now = read_last_seen(settings.file(LAST_SEEN), Disk()), SystemClock().now()
    return book, seen, (seen.time or now) if settings.mode == "demo" else now


def print_lines(lines: Iterable[str]) -> None:
    """Print the lines as they are, however long."""
    shown = terminal()
    for line in lines:
        shown.print(line, style=None, markup=False, highlight=False, soft_wrap=True)


def _why_paused(control: ControlFiles, book: Book, catalog: Catalog) -> dict[str, str]:
    return {"pause_reason": pause_reason(control, book, catalog)}


def pause_reason(control: ControlFiles, book: Book | None, catalog: Catalog) -> str:
    """Return why buying is paused; what differs stands in lines of its own, in the owner's language."""
    is_told = book is not None and bool(book.differences)
    return catalog.text("status.by_difference") if is_told and control.is_paused_by_difference() else control.reason()


def status_facts(
    book: Book,
    settings: Settings,
    paused: str,
    now: datetime,
    seen: LastSeen | None = None,
    running: BotState | None = None,
) -> dict[str, Any]:
    """Return the state as plain values; amounts are decimal texts in quote asset, moments UTC in ISO 8601."""
    seen = seen or LastSeen()
    trades = _trades(settings.file(TRADES), book)
    decisions = decisions_of(settings.file(DECISIONS), book.last_daily_update, Disk())
    return {
        "mode": book.mode,
        "time": utc_text(now),
        "quote_asset": book.quote_asset,
        **_worth_facts(book, settings, now, seen),
        "requests_waiting": waiting_requests(ControlFiles(settings), book),
        "excluded": sorted(book.excluded),
        "realised_profit": decimal_text(realised_profit(trades)),
        "last_daily_outcome": _outcome(book, trades),
        "held_back": {symbol: row["detail"] for symbol, row in decisions.items() if row["reason"] in LEVER_REASONS},
        **_daily_update_facts(book, settings, now, seen),
        "paused": paused,
        **quiet_facts(book, now),
        "open_doubts": [f"{one.side.lower()} {one.symbol} {one.client_order_id}" for one in book.intents.values()],
        "differences": list(book.differences.values()),
        **trouble_facts(running, settings),
        **running_facts(settings, seen, now, runs=running is not None),
        "positions": {
            symbol: _position_facts(symbol, held, settings.exit_rules, seen) | _score_of(decisions.get(symbol, {}))
            for symbol, held in sorted(book.positions.items())
        },
    }


def _worth_facts(book: Book, settings: Settings, now: datetime, seen: LastSeen) -> dict[str, Any]:
    worth = positions_worth(book, seen)
    equity = book.capital + worth
    history = read_performance(settings.file(EQUITY), Disk(), book.capital_started)
    return {
        "capital": decimal_text(book.capital),
        "capital_started": decimal_text(book.capital_started),
        "started_at": book.started_at,
        "positions_worth": decimal_text(worth),
        "equity": decimal_text(equity),
        "profit": _profits(book, equity, history, now),
        "gain": _fraction(index_at(equity, book) - 1),
        "largest_fall": _fraction(largest_fall(one.index for one in history)) if history else None,
        "cash_flows": _cash_flow_facts(book, settings),
    }


def _daily_update_facts(book: Book, settings: Settings, now: datetime, seen: LastSeen) -> dict[str, Any]:
    following = next_daily_update(book, settings, now)
    return {
        "last_daily_update": book.last_daily_update.isoformat() if book.last_daily_update else None,
        "worth_top": _worth_top(book, settings),
        "next_daily_update": f"{following:%Y-%m-%dT%H:%MZ}" if following else DUE_NOW,
        "put_off": seen.put_off,
        "put_off_until": utc_text(seen.put_off_until) if seen.put_off_until else None,
        "plan_under_way": book.plan is not None,
    }


def quiet_facts(book: Book, now: datetime) -> dict[str, str | None]:
    """Return until when the exchange wants no requests, and why."""
    until = _quiet_until(book, now)
    return {"exchange_quiet_until": until, "exchange_quiet_reason": book.exchange_quiet_reason.value if until else ""}


def _quiet_until(book: Book, now: datetime) -> str | None:
    """Return until when the exchange wants no requests, or None if it does not ask for that, or for a moment only."""
    if book.exchange_quiet_reason is QuietReason.TROUBLE:
        return None
    try:
        until = datetime.fromtimestamp(book.exchange_quiet_until_ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None  # no moment at all
    return utc_text(until) if now < until else None


def next_daily_update(book: Book | None, settings: Settings, now: datetime) -> datetime | None:
    """Return when the next daily update is; None where it is due now."""
    last = book.last_daily_update if book else None
    strategy = settings.strategy
    hour, minute = strategy.daily_update_hour_utc, strategy.daily_update_minute_utc
    if is_daily_update_due(now, last, hour, minute):
        return None
    following = datetime.combine(now.date(), time(hour, minute, tzinfo=UTC))
    return following + timedelta(days=1) if following <= now or last == now.date() else following


# --------------------------------------------------------------------------- money


def _trades(path: Path, book: Book) -> list[Trade]:
    """Return the trades of trades.csv and book, each once. Raises InputError."""
    try:
        return with_trades_of_book(read_trades(path), book)
    except CsvLineError:
        raise InputError(LocalizedText("fault.trades.unreadable", path=path)) from None


def _profits(book: Book, equity: Decimal, history: Sequence[PerformancePoint], now: datetime) -> dict[str, str | None]:
    """Return what has been gained since several moments, what the owner has brought or taken apart.

    None where it is not known what there was then: the last row of equity.csv before the moment, or the start where
    that is later.
    """
    midnight, profit = now.replace(hour=0, minute=0, second=0, microsecond=0), profit_at(equity, book)
    moments = {"today": midnight} | {name: now - timedelta(days=days) for name, days in PROFIT_DAYS.items()}
    started = None
    with suppress(ValueError):
        started = parse_moment(book.started_at)

    def gained_since(moment: datetime) -> str | None:
        if started is not None and started >= moment:
            return decimal_text(profit)
        before = [one for one in history if one.moment <= moment]
        return decimal_text(profit - before[-1].profit) if before else None

    gained = {name: gained_since(moment) for name, moment in moments.items()}
    return gained | {"since_start": decimal_text(profit)}


def _fraction(value: Decimal) -> str:
    return decimal_text(Decimal(f"{value:.6f}"))


def _cash_flow_facts(book: Book, settings: Settings) -> dict[str, Any]:
    """Return what the owner has brought and taken: the sum, and each."""
    flows = read_cash_flows(settings.file(CASH_FLOWS), Disk(), book.unwritten_cash_flows)
    rows = [{"time": one.time, "amount": decimal_text(one.amount)} for one in flows]
    return {"sum": decimal_text(book.performance_base.net_flows), "flows": rows}


def _outcome(book: Book, trades: Sequence[Trade]) -> dict[str, list[str]]:
    """Return what the last daily update sold and bought, by token."""

    def traded(reason: OrderReason) -> list[str]:
        done = (one for one in trades if one.time.date() == book.last_daily_update and one.reason == reason)
        return list(dict.fromkeys(one.symbol for one in done))

    return {"sold": traded(OrderReason.DAILY_SELL), "bought": traded(OrderReason.DAILY_BUY)}


def _worth_top(book: Book, settings: Settings) -> dict[str, str] | None:
    """Return the top of worth and the worth at which buying pauses; None where max_drawdown_pause is off."""
    fall = settings.lever_rules.max_drawdown_fall
    if book.worth_top is None or fall == 0:
        return None
    top = book.worth_top.amount
    return {"top": decimal_text(Decimal(f"{top:.8f}")), "limit": decimal_text(Decimal(f"{top * (1 - fall):.8f}"))}


def _score_of(decision: Mapping[str, str]) -> dict[str, str | None]:
    """Return the score at the last daily update, and the model's own where that is a rank; None where it had none."""
    return {"score": decision.get("probability") or None, "raw_score": decision.get("raw_score") or None}


def _position_facts(symbol: str, held: Position, rules: ExitRules, seen: LastSeen) -> dict[str, Any]:
    levels = exit_levels(held, rules)
    price, moment = seen.prices.get(symbol, (None, None))

    def level(value: Decimal | None) -> str | None:
        return None if value is None else decimal_text(Decimal(f"{value:.8g}"))

    return {
        "qty": decimal_text(held.qty),
        "entry_price": decimal_text(held.entry_price),
        "cost": decimal_text(held.cost),
        "opened_at": held.opened_at,
        "price": None if price is None else decimal_text(price),
        "price_time": None if moment is None else utc_text(moment),
        "worth": None if price is None else decimal_text(held.qty * price),
        "gain": None if price is None else decimal_text(Decimal(f"{price / held.entry_price - 1:.6f}")),
        "stop_loss_at": level(levels.stop_loss),
        "partial_sold": held.partial_sold,
        "partial_at": level(levels.partial_exit),
        "trailing_armed": held.trailing_armed,
        "trailing_armed_from": level(levels.trailing_start),
        "trailing_stop_at": level(levels.trailing_stop),
        "did_skip_sell_once": held.did_skip_sell_once,
        "exit_pending": held.exit_pending.value if held.exit_pending else "",
    }

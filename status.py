"""`main.py status`: what the book says, for people or programs. Needs no network and changes nothing."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from book_format import decimal_text
from clock import SystemClock
from control import Control
from daily_plan import is_daily_update_due
from disk import Disk
from domain import EXACT, Book, ExitRules, Position
from errors import InputError
from positions_store import load_state, read_trades
from settings import Settings


def show_status(settings: Settings, *, as_json: bool) -> int:
    """Print the state of the bot; return 0. Raises InputError where there is no book, or none that can be trusted."""
    book = load_state(settings.file("bot_state.json"), settings.mode, Disk())
    if book is None:
        raise InputError(f"{settings.file('bot_state.json')}: there is no book yet; start the bot with: python main.py")
    facts = status_facts(book, settings, Control(settings).paused(), SystemClock().now())
    if as_json:
        print(json.dumps(facts, indent=1))  # noqa: T201
    else:
        _print(facts, Console())
    return 0


def status_facts(book: Book, settings: Settings, paused: str, now: datetime) -> dict[str, Any]:
    """Return the state as plain values; amounts are decimal texts in quote asset."""
    profit = _realised_profit(settings.file("trades.csv"), book)
    strategy = settings.strategy
    due = is_daily_update_due(
        now, book.last_daily_update, strategy.daily_update_hour_utc, strategy.daily_update_minute_utc
    )
    at = time(strategy.daily_update_hour_utc, strategy.daily_update_minute_utc, tzinfo=UTC)
    following = datetime.combine(now.date(), at)
    if following <= now or book.last_daily_update == now.date():
        following += timedelta(days=1)
    return {
        "mode": book.mode,
        "quote_asset": book.quote_asset,
        "capital": decimal_text(book.capital),
        "capital_started": decimal_text(book.capital_started),
        "started_at": book.started_at,
        "realised_profit": decimal_text(profit),
        "last_daily_update": book.last_daily_update.isoformat() if book.last_daily_update else None,
        "next_daily_update": "due now" if due else following.strftime("%Y-%m-%dT%H:%MZ"),
        "paused": paused,
        "open_doubts": [f"{one.side.lower()} {one.symbol} {one.client_order_id}" for one in book.intents.values()],
        "differences": list(book.differences.values()),
        "plan_under_way": book.plan is not None,
        "positions": {
            symbol: _position_facts(held, settings.exit_rules) for symbol, held in sorted(book.positions.items())
        },
    }


def _realised_profit(path: Path, book: Book) -> Decimal:
    """Return the profit of all sales, those that trades.csv lacks yet included. Raises InputError."""
    known = {row.client_order_id: row.profit for row in book.unwritten_trades}
    try:
        known |= {row["client_order_id"]: row["profit"] for row in read_trades(path)}
        return sum((Decimal(profit) for profit in known.values() if profit), Decimal(0))
    except (KeyError, ArithmeticError, UnicodeDecodeError, TypeError, csv.Error):
        raise InputError(f"{path}: cannot be read; it must stay as the bot writes it (no spreadsheet's copy)") from None


def _position_facts(held: Position, rules: ExitRules) -> dict[str, Any]:
    entry = held.entry_price
    return {
        "qty": decimal_text(held.qty),
        "entry_price": decimal_text(entry),
        "cost": decimal_text(held.cost),
        "opened_at": held.opened_at,
        "stop_loss_at": f"{entry * (1 - rules.stop_loss_fall):.6g}",
        "partial_at": "done" if held.partial_sold else f"{entry * rules.partial_exit_multiple:.6g}",
        "trailing_armed": held.trailing_armed,
        "trailing_at": f"{EXACT.multiply(held.max_price, 1 - rules.trailing_fall):.6g}"
        if held.trailing_armed
        else f"armed from {entry * rules.trailing_start_multiple:.6g}",
        "did_skip_sell_once": held.did_skip_sell_once,
        "exit_pending": held.exit_pending.value if held.exit_pending else "",
    }


def _print(facts: dict[str, Any], console: Console) -> None:
    quote = facts["quote_asset"]
    lines = Table.grid(padding=(0, 2))
    for name, value in (
        ("Mode", facts["mode"]),
        (
            "Capital",
            f"{Decimal(facts['capital']):.2f} {quote}, of {Decimal(facts['capital_started']):.2f} at the start",
        ),
        ("Realised profit", f"{Decimal(facts['realised_profit']):+.2f} {quote} since {facts['started_at'][:10]}"),
        ("Last daily pass", facts["last_daily_update"] or "none yet"),
        ("Next daily pass", "when the demo goes on" if facts["mode"] == "demo" else facts["next_daily_update"]),
        ("Buying", f"paused: {facts['paused']}" if facts["paused"] else "allowed"),
        ("Orders in doubt", ", ".join(facts["open_doubts"]) or "none"),
        *(("Differs from Binance", sentence) for sentence in facts["differences"]),
    ):
        lines.add_row(name, value)
    console.print(lines)
    if not facts["positions"]:
        console.print("No positions.")
        return
    table = Table(
        "Token", "Quantity", "Entry", "Cost", "Stop-loss", "Partial", "Trailing stop", box=None, pad_edge=False
    )
    for symbol, held in facts["positions"].items():
        table.add_row(
            symbol,
            f"{Decimal(held['qty']):.8g}",
            f"{Decimal(held['entry_price']):.6g}",
            f"{Decimal(held['cost']):.2f}",
            held["stop_loss_at"],
            held["partial_at"],
            f"being sold: {held['exit_pending']}" if held["exit_pending"] else held["trailing_at"],
        )
    console.print(table)

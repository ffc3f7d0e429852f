"""The facts of `main.py status` as lines for people, narrow enough for a phone, in the owner's language. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from marsshot.core.catalog import Words


def status_lines(facts: Mapping[str, Any], now: datetime, words: Words) -> Iterator[str]:
    """Yield the lines. facts: as `status_facts` returns them."""
    yield from _money(facts, words)
    yield from pass_lines(facts, words)
    for sentence in facts["differences"]:
        yield words.say("status.differs", sentence=sentence)
    if not facts["positions"]:
        yield words.say("status.no_positions")
    for symbol, held in facts["positions"].items():
        yield ""
        yield from _position(symbol, held, facts["quote_asset"], now, words)


def _money(facts: Mapping[str, Any], words: Words) -> Iterator[str]:
    quote = facts["quote_asset"]
    yield words.say("status.mode", mode=facts["mode"])
    yield words.say(
        "status.equity",
        equity=Decimal(facts["equity"]),
        capital=Decimal(facts["capital"]),
        worth=Decimal(facts["positions_worth"]),
        quote=quote,
    )
    profit = facts["profit"]
    shown = [
        words.say(f"status.profit_{name}", amount=_gain(amount, quote, words))
        for name, amount in profit.items()
        if name != "since_start"
    ]
    yield words.say("status.profit", list=", ".join(shown))
    yield words.say(
        "status.since_start",
        amount=Decimal(profit["since_start"]),
        share=Decimal(profit["since_start"]) / Decimal(facts["capital_started"]),
        realised=Decimal(facts["realised_profit"]),
        started=Decimal(facts["capital_started"]),
        day=date.fromisoformat(facts["started_at"][:10]) if facts["started_at"] else "?",
        quote=quote,
    )


def _gain(amount: str | None, quote: str, words: Words) -> str:
    if amount is None:
        return words.say("status.not_known")
    return words.say("status.gain", amount=Decimal(amount), quote=quote)


def pass_lines(facts: Mapping[str, Any], words: Words) -> Iterator[str]:
    """Yield the lines about the daily pass, the last and the next, and about buying."""
    if facts["last_daily_update"] is None:
        yield words.say("status.no_pass")
    else:
        outcome = facts["last_daily_outcome"]
        parts = [words.say(f"status.{what}", symbols=", ".join(done)) for what, done in outcome.items() if done]
        did = "; ".join(parts) or words.say("status.traded_nothing")
        yield words.say("status.last_pass", day=date.fromisoformat(facts["last_daily_update"]), outcome=did)
    yield _next_pass(facts, words)
    if facts["paused"]:
        reason = facts["pause_reason"] or words.say("status.by_you")
        yield words.say("status.paused", reason=reason)
    else:
        yield words.say("status.not_paused")
    yield words.say("status.doubts", doubts=", ".join(facts["open_doubts"]) or words.say("status.none"))


def _next_pass(facts: Mapping[str, Any], words: Words) -> str:
    if facts["mode"] == "demo":
        return words.say("status.next_demo")
    if facts["plan_under_way"]:
        return words.say("status.under_way")
    if facts["next_daily_update"] != "due now":
        return words.say("status.next_pass", moment=datetime.fromisoformat(facts["next_daily_update"]))
    if facts["put_off"] and facts["put_off_until"]:
        until = datetime.fromisoformat(facts["put_off_until"])
        return words.say("status.put_off", until=until, why=facts["put_off"])
    return words.say("status.due")


def _position(symbol: str, held: Mapping[str, Any], quote: str, now: datetime, words: Words) -> Iterator[str]:
    entry, qty = Decimal(held["entry_price"]), Decimal(held["qty"])
    yield words.say("status.position", symbol=symbol, qty=qty, entry=entry, cost=Decimal(held["cost"]), quote=quote)
    if held["price"] is None:
        yield "  " + words.say("status.no_price")
    else:
        yield "  " + words.say(
            "status.price",
            price=Decimal(held["price"]),
            age=now - datetime.fromisoformat(held["price_time"]),
            gain=Decimal(held["gain"]),
            worth=Decimal(held["worth"]),
            quote=quote,
        )
    yield "  " + "; ".join(_rules(held, words))


def _rules(held: Mapping[str, Any], words: Words) -> Iterator[str]:
    if held["exit_pending"]:
        yield words.say("status.pending", reason=words.say(f"reason.{held['exit_pending']}"))
        return
    yield words.say("status.stop_loss", price=Decimal(held["stop_loss_at"]))
    if held["partial_sold"]:
        yield words.say("status.partial_done")
    else:
        yield words.say("status.partial", price=Decimal(held["partial_at"]))
    if held["trailing_armed"]:
        yield words.say("status.trailing_armed", price=Decimal(held["trailing_stop_at"]))
    else:
        yield words.say("status.trailing_from", price=Decimal(held["trailing_armed_from"]))
    if held["did_skip_sell_once"]:
        yield words.say("status.skipped")

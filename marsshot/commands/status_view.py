"""The facts of `main.py status` as lines for people, narrow enough for a phone, in the owner's language. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from marsshot.commands.running import running_lines
from marsshot.core.catalog import Catalog, LocalizedText
from marsshot.core.reasons import QuietReason

DUE_NOW = "due now"  # stands for a moment in the facts, which programs read as JSON


def status_lines(facts: Mapping[str, Any], now: datetime, catalog: Catalog) -> Iterator[str]:
    """Yield the lines. facts: as `status_facts` returns them."""
    yield from money_lines(facts, catalog)
    yield from running_lines(facts, catalog)
    yield from daily_update_lines(facts, catalog)
    yield from running_bot_lines(facts, catalog)
    for sentence in facts["differences"]:
        yield catalog.text("status.differs", sentence=sentence)
    if not facts["positions"]:
        yield catalog.text("status.no_positions")
    for symbol, held in facts["positions"].items():
        yield ""
        yield from position_lines(symbol, held, facts["quote_asset"], now, catalog)


def running_bot_lines(facts: Mapping[str, Any], catalog: Catalog) -> Iterator[str]:
    """Yield what keeps a running bot from seeing or selling, and the settings that it does not take from the file."""
    if facts["exchange_quiet_until"]:
        key = "banned" if facts["exchange_quiet_reason"] == QuietReason.BAN else "rate_limited"
        yield catalog.text(f"status.{key}", until=datetime.fromisoformat(facts["exchange_quiet_until"]))
    for trouble in facts["troubles"]:
        since = datetime.fromisoformat(trouble["since"])
        sentence = catalog.text(f"trouble.status.{trouble['kind']}", subject=trouble["subject"], since=since)
        yield catalog.text("status.trouble", sentence=sentence)
    for key, values in facts["settings_in_force"].items():
        if values["in_force"] == values["in_file"]:
            yield catalog.text("status.hidden_in_force", key=key)
            continue
        when = catalog.text(f"status.{'after_restart' if values['needs_restart'] else 'from_next_check'}")
        shown = {name: values[name] or LocalizedText("status.none") for name in ("in_force", "in_file")}
        yield catalog.text("status.in_force", key=key, when=when, **shown)


def money_lines(facts: Mapping[str, Any], catalog: Catalog) -> Iterator[str]:
    """Yield the lines about what everything is worth and has gained."""
    quote = facts["quote_asset"]
    yield catalog.text("status.mode", mode=catalog.text(f"mode_name.{facts['mode']}"))
    yield catalog.text(
        "status.equity",
        equity=Decimal(facts["equity"]),
        capital=Decimal(facts["capital"]),
        worth=Decimal(facts["positions_worth"]),
        quote=quote,
    )
    profit = facts["profit"]
    shown = [
        catalog.text(f"status.profit_{name}", amount=_gain(amount, quote, catalog))
        for name, amount in profit.items()
        if name != "since_start"
    ]
    yield catalog.text("status.profit", list=", ".join(shown))
    yield catalog.text(
        "status.since_start",
        amount=Decimal(profit["since_start"]),
        share=Decimal(facts["gain"]),
        realised=Decimal(facts["realised_profit"]),
        started=Decimal(facts["capital_started"]),
        day=date.fromisoformat(facts["started_at"][:10]) if facts["started_at"] else "?",
        quote=quote,
    )
    if facts.get("bitcoin_since_start") is not None:
        yield catalog.text("status.bitcoin", change=Decimal(facts["bitcoin_since_start"]))
    if facts["cash_flows"]["flows"]:
        count, moved = len(facts["cash_flows"]["flows"]), Decimal(facts["cash_flows"]["sum"])
        yield catalog.text("status.cash_flows", sum=moved, quote=quote, count=count)
    if facts["largest_fall"] is not None:
        yield catalog.text("status.largest_fall", fall=Decimal(facts["largest_fall"]))
    if top := facts["worth_top"]:
        yield catalog.text("status.worth_top", top=Decimal(top["top"]), limit=Decimal(top["limit"]), quote=quote)


def _gain(amount: str | None, quote: str, catalog: Catalog) -> str:
    if amount is None:
        return catalog.text("status.not_known")
    return catalog.text("status.gain", amount=Decimal(amount), quote=quote)


def daily_update_lines(facts: Mapping[str, Any], catalog: Catalog) -> Iterator[str]:
    """Yield the lines about the daily update, the last and the next, and about buying."""
    if facts["last_daily_update"] is None:
        yield catalog.text("status.no_pass")
    else:
        outcome = facts["last_daily_outcome"]
        parts = [catalog.text(f"status.{what}", symbols=", ".join(done)) for what, done in outcome.items() if done]
        did = catalog.show(tuple(parts)) or catalog.text("status.traded_nothing")
        yield catalog.text("status.last_pass", day=date.fromisoformat(facts["last_daily_update"]), outcome=did)
    for symbol, why in facts["held_back"].items():
        yield catalog.text("status.held_back", symbol=symbol, why=why)
    yield _next_update(facts, catalog)
    if facts["paused"]:
        reason = facts["pause_reason"] or catalog.text("status.by_you")
        yield catalog.text("status.paused", reason=reason)
    else:
        yield catalog.text("status.not_paused")
    if facts["excluded"]:
        yield catalog.text("status.excluded", symbols=tuple(facts["excluded"]))
    yield catalog.text("status.doubts", doubts=", ".join(facts["open_doubts"]) or catalog.text("status.none"))


def _next_update(facts: Mapping[str, Any], catalog: Catalog) -> str:
    if facts["mode"] == "demo":
        return catalog.text("status.next_demo")
    if facts["plan_under_way"]:
        return catalog.text("status.under_way")
    if facts["next_daily_update"] != DUE_NOW:
        return catalog.text("status.next_pass", moment=datetime.fromisoformat(facts["next_daily_update"]))
    if facts["put_off"] and facts["put_off_until"]:
        until = datetime.fromisoformat(facts["put_off_until"])
        return catalog.text("status.put_off", until=until, why=facts["put_off"])
    return catalog.text("status.due")


def position_lines(symbol: str, held: Mapping[str, Any], quote: str, now: datetime, catalog: Catalog) -> Iterator[str]:
    """Yield the lines of one position: what it is worth, and where the rules wait."""
    entry, qty = Decimal(held["entry_price"]), Decimal(held["qty"])
    yield catalog.text("status.position", symbol=symbol, qty=qty, entry=entry, cost=Decimal(held["cost"]), quote=quote)
    if held["price"] is None:
        yield "  " + catalog.text("status.no_price")
    else:
        yield "  " + catalog.text(
            "status.price",
            price=Decimal(held["price"]),
            age=now - datetime.fromisoformat(held["price_time"]),
            gain=Decimal(held["gain"]),
            worth=Decimal(held["worth"]),
            quote=quote,
        )
    yield f"  {catalog.show(tuple(_rules(held, catalog)))}"
    if held["score"] is not None:
        raw = held["raw_score"]
        shown = {"score": Decimal(held["score"]), "raw": None if raw is None else Decimal(raw)}
        yield "  " + catalog.text(f"status.score{'' if raw is None else '_and_raw'}", **shown)


def _rules(held: Mapping[str, Any], catalog: Catalog) -> Iterator[str]:
    if held["exit_pending"]:
        yield catalog.text("status.pending", reason=catalog.text(f"reason.{held['exit_pending']}"))
        return
    yield catalog.text("status.stop_loss", price=Decimal(held["stop_loss_at"]))
    if held["partial_sold"]:
        yield catalog.text("status.partial_done")
    else:
        yield catalog.text("status.partial", price=Decimal(held["partial_at"]))
    if held["trailing_armed"]:
        yield catalog.text("status.trailing_armed", price=Decimal(held["trailing_stop_at"]))
    else:
        yield catalog.text("status.trailing_from", price=Decimal(held["trailing_armed_from"]))
    if held["did_skip_sell_once"]:
        yield catalog.text("status.skipped")

"""The levers: what holds purchases back, one list for live, paper, demo, backtest and sweep. Pure: values in.

A further lever is a function, a line in LEVERS, its setting (core/lever_settings.py), its reason and its sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_DOWN, Decimal

from marsshot.core.amounts import EXACT, ONE, ZERO
from marsshot.core.book import WorthTop
from marsshot.core.catalog import LocalizedText
from marsshot.core.lever_settings import LeverRules
from marsshot.core.reasons import DecisionReason
from marsshot.strategy.daily_plan import Blocker


@dataclass(frozen=True, slots=True, kw_only=True)
class LeverFacts:
    """What the levers go by at one daily update; amounts in quote asset."""

    day: date
    worth: Decimal  # cash and positions
    worth_top: WorthTop | None = None
    btc_closes: Sequence[Decimal] = ()  # of the closed days before, the last one yesterday's, without a gap
    stop_losses: Mapping[str, date] = field(default_factory=dict)  # by token: the UTC date of its last one


def most_per_token(worth: Decimal, rules: LeverRules) -> Decimal | None:
    """Return the most, in quote asset, that a purchase may bring a token to; None where all may go into one."""
    if rules.max_share_per_token >= ONE:
        return None
    return max(worth * rules.max_share_per_token, ZERO)


def under_btc_trend(_symbol: str, facts: LeverFacts, rules: LeverRules) -> Blocker | None:
    """Hold all purchases back on a day whose last BTC close is under its mean, or whose mean is not known."""
    days = rules.btc_trend_days
    if days == 0:
        return None
    closes = facts.btc_closes[-days:]
    if len(closes) < days:
        return DecisionReason.BTC_TREND_UNKNOWN, LocalizedText("lever.btc_bars", there=len(closes), days=days)
    total = ZERO
    for close in closes:
        total = EXACT.add(total, close)
    if EXACT.multiply(closes[-1], Decimal(days)) >= total:
        return None
    return DecisionReason.BTC_UNDER_MEAN, LocalizedText(
        "lever.btc_mean", close=closes[-1], mean=total / days, days=days
    )


def in_cooldown(symbol: str, facts: LeverFacts, rules: LeverRules) -> Blocker | None:
    """Hold a token's purchases back on the date of its stop-loss and on so many dates after it."""
    sold = facts.stop_losses.get(symbol)
    if rules.cooldown_days == 0 or sold is None:
        return None
    last = sold + timedelta(days=rules.cooldown_days)
    return None if facts.day > last else (DecisionReason.COOLDOWN, LocalizedText("lever.cooldown", day=sold, last=last))


def in_drawdown_pause(_symbol: str, facts: LeverFacts, rules: LeverRules) -> Blocker | None:
    """Hold all purchases back once worth has fallen too far under its top, until the owner resumes."""
    top = facts.worth_top
    if rules.max_drawdown_fall == 0 or top is None or not top.is_paused:
        return None
    return DecisionReason.DRAWDOWN_PAUSE, LocalizedText("lever.drawdown", worth=facts.worth, top=top.amount)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lever:
    """One lever: its key under `strategy`, the reasons that it gives, and what it holds back.

    blocks: why a token is not bought. most: the most that a purchase may bring a token to, of what all is worth.
    """

    key: str
    reasons: frozenset[DecisionReason]
    blocks: Callable[[str, LeverFacts, LeverRules], Blocker | None] | None = None
    most: Callable[[Decimal, LeverRules], Decimal | None] | None = None


LEVERS = (
    Lever(
        key="max_share_per_token",
        reasons=frozenset({DecisionReason.CUT_TO_SHARE, DecisionReason.SHARE_TOO_SMALL}),
        most=most_per_token,
    ),
    Lever(
        key="btc_trend_days",
        reasons=frozenset({DecisionReason.BTC_UNDER_MEAN, DecisionReason.BTC_TREND_UNKNOWN}),
        blocks=under_btc_trend,
    ),
    Lever(key="cooldown_days", reasons=frozenset({DecisionReason.COOLDOWN}), blocks=in_cooldown),
    Lever(key="max_drawdown_pause", reasons=frozenset({DecisionReason.DRAWDOWN_PAUSE}), blocks=in_drawdown_pause),
)
LEVER_REASONS = frozenset(reason for lever in LEVERS for reason in lever.reasons)


def blocked_by_lever(symbol: str, facts: LeverFacts, rules: LeverRules) -> Blocker | None:
    """Return why a lever holds back this token's purchase, the first one that does; None where none does."""
    found = (lever.blocks(symbol, facts, rules) for lever in LEVERS if lever.blocks)
    return next((why for why in found if why is not None), None)


def most_for_one_token(worth: Decimal, rules: LeverRules, quote_precision: int = 8) -> Decimal | None:
    """Return the least of what the levers allow a purchase to come to, rounded down; None where they allow all."""
    found = (lever.most(worth, rules) for lever in LEVERS if lever.most)
    known = [amount for amount in found if amount is not None]
    return min(known).quantize(Decimal(1).scaleb(-quote_precision), rounding=ROUND_DOWN) if known else None

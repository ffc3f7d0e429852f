"""Why the daily update did what it did, token by token: in words, for the log, as rows of decisions.csv.

Values in, texts out. Decides nothing, writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from marsshot.core.catalog import Catalog, LocalizedText
from marsshot.core.decisions import Action, DailyRules, Decision, StepOutcome
from marsshot.core.reasons import DecisionReason
from marsshot.portfolio.serialization import decimal_text

COLUMNS = (
    "day",
    "time",
    "symbol",
    "held",
    "probability",
    "hit_rate",
    "hit_rows",
    "action",
    "quote",
    "reason",
    "detail",
    "raw_score",
)


def by_score(decisions: Iterable[Decision]) -> list[Decision]:
    """Return the decisions by score, the highest first; those without one at the end."""
    return sorted(decisions, key=lambda one: (one.probability is None, -(one.probability or 0)))


def reason_text(decision: Decision, rules: DailyRules) -> LocalizedText:
    """Return the reason as a sentence for people."""
    return LocalizedText(
        decision.reason.text_key,
        buy=rules.buy_threshold,
        sell=rules.sell_threshold,
        multiple=rules.big_gain_multiple,
        source=rules.bar_source,
        told=decision.told,
    )


def decision_text(decision: Decision, rules: DailyRules) -> LocalizedText:
    """Return the decision as one line: score, action, reason."""
    return LocalizedText(
        "decision.line",
        symbol=decision.symbol,
        score=score_text(decision),
        action=LocalizedText(f"action.{decision.action}"),
        why=reason_text(decision, rules),
    )


def score_text(decision: Decision) -> LocalizedText:
    """Return the score, and how often the model was right at such scores, in words."""
    if decision.probability is None:
        return LocalizedText("score.none")
    facts = {"score": decision.probability, "raw": decision.raw_score}
    is_rank = decision.raw_score is not None
    if decision.hit_rate is None or decision.hit_rows is None:
        return LocalizedText("rank.alone", **facts) if is_rank else LocalizedText("score.alone", **facts)
    facts |= {"rate": decision.hit_rate, "rows": Decimal(decision.hit_rows)}
    return LocalizedText("rank.with_rate", **facts) if is_rank else LocalizedText("score.with_rate", **facts)


def skip_text(outcome: StepOutcome) -> LocalizedText:
    """Return, of a step that was left undone, that it was and why, as words for people."""
    why = LocalizedText(outcome.skip_reason.text_key, told=outcome.told) if outcome.skip_reason else ""
    return LocalizedText("outcome.left", why=why)


def was_candidate(decision: Decision) -> bool:
    """Return whether a token scored high enough for a purchase and was left all the same."""
    has_score = decision.probability is not None
    return decision.action is Action.LEAVE and has_score and decision.reason is not DecisionReason.BELOW_BUY_THRESHOLD


def csv_row(day: str, time: str, decision: Decision, rules: DailyRules, catalog: Catalog) -> list[str]:
    """Return the decision as a row of decisions.csv: numbers as decimal texts, empty where there is none."""

    def text(value: Decimal | int | None) -> str:
        return "" if value is None else decimal_text(Decimal(value))

    return [
        day,
        time,
        decision.symbol,
        "true" if decision.held else "false",
        text(decision.probability),
        text(decision.hit_rate),
        text(decision.hit_rows),
        decision.action,
        text(decision.quote),
        decision.reason,
        catalog.render(reason_text(decision, rules)),
        text(decision.raw_score),
    ]

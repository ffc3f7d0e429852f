"""What the daily update reports: of its decisions, of what is left, of what was done, for log and terminal.

Decides nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from marsshot.core.catalog import LocalizedText
from marsshot.core.decisions import (
    BOUGHT,
    BOUGHT_IN_PART,
    SOLD,
    SOLD_IN_PART,
    Action,
    DailyPlan,
    DailyRules,
    Decision,
    PlannedBuy,
    PlannedSell,
    StepOutcome,
)
from marsshot.core.errors import MarsShotError
from marsshot.core.scores import Scoring
from marsshot.infra.event_log import is_logging, log_file_only, log_info, log_warning
from marsshot.strategy.decision_reasons import by_score, decision_text, skip_text, was_candidate

MAX_REASONS = 3  # are told of why no token has a score


def describe_outcome(plan: DailyPlan) -> tuple[LocalizedText, ...]:
    """Say in words what became of the plan."""
    steps, parts = plan_steps(plan), list[LocalizedText]()
    if names := _named(plan.sells, {SOLD, SOLD_IN_PART}):
        parts.append(LocalizedText("status.sold", symbols=names))
    if names := _named(plan.buys, {BOUGHT, BOUGHT_IN_PART}):
        parts.append(LocalizedText("status.bought", symbols=names))
    for outcome in dict.fromkeys(step.outcome for step in steps if step.outcome and step.outcome.skip_reason):
        parts.append(LocalizedText("log.step_left", symbols=_named(steps, {outcome}), outcome=skip_text(outcome)))
    return tuple(parts) or (LocalizedText("log.nothing_to_do"),)


def plan_steps(plan: DailyPlan) -> list[PlannedSell | PlannedBuy]:
    """Return the sales and the purchases."""
    return [*plan.sells, *plan.buys]


def _named(steps: Sequence[PlannedSell | PlannedBuy], outcomes: Collection[StepOutcome]) -> str:
    return ", ".join(step.symbol for step in steps if step.outcome in outcomes)


def log_unknown_outcome(key: str, symbol: str, error: MarsShotError) -> None:
    """Tell that the outcome of an order is not known yet. key: of the sentence for a sale, or a purchase."""
    log_warning("order.unknown", LocalizedText(key, symbol=symbol, why=error.message))


def no_probability_text(scoring: Scoring) -> LocalizedText:
    """Say in words why not one token has a probability."""
    reasons = tuple(dict.fromkeys(score.unavailable_reason for score in scoring.scores))
    key = "fault.scores.none_and_more" if len(reasons) > MAX_REASONS else "fault.scores.none"
    return LocalizedText(key, reasons=reasons[:MAX_REASONS])


def log_decisions(decisions: Sequence[Decision], rules: DailyRules) -> None:
    """Tell the log of every token, the highest score first, and people of what they may not expect."""
    for one in by_score(decisions) if is_logging() else ():
        log = log_info if one.action is Action.SKIP_SALE or was_candidate(one) else log_file_only
        log(
            "daily.decision",
            decision_text(one, rules),
            symbol=one.symbol,
            score="-" if one.probability is None else f"{one.probability:.3f}",
            action=one.action,
            reason=one.reason,
        )
    silent = [one for one in decisions if one.probability is None]
    if silent:
        listed = tuple(LocalizedText("log.no_score", symbol=one.symbol, told=one.told) for one in silent[:5])
        facts = {"count": len(silent), "total": len(decisions), "listed": listed}
        log_warning("daily.no_probability", LocalizedText("log.no_scores", **facts))

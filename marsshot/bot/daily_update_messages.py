"""What the daily pass tells: of its decisions, of what is left, of what was done, for log and terminal.

Decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from marsshot.core.catalog import Sentence
from marsshot.core.decisions import Action, Decision
from marsshot.core.domain import DailyPlan, DailyRules, PlannedBuy, PlannedSell, Scoring
from marsshot.core.errors import MarsShotError
from marsshot.infra.event_log import note, say, warn
from marsshot.strategy.decision_reasons import decision_sentence, in_order, was_wanted

MOST_REASONS = 3  # are told of why no token has a score


def what_was_done(plan: DailyPlan) -> tuple[Sentence, ...]:
    """Say in words what became of the plan."""
    steps, parts = steps_of(plan), list[Sentence]()
    if names := _named(plan.sells, "sold"):
        parts.append(Sentence("status.sold", symbols=names))
    if names := _named(plan.buys, "bought"):
        parts.append(Sentence("status.bought", symbols=names))
    for why in dict.fromkeys(step.outcome for step in steps if step.outcome.startswith("left")):
        parts.append(Sentence("log.step_left", symbols=_named(steps, why), outcome=why))
    return tuple(parts) or (Sentence("log.nothing_to_do"),)


def steps_of(plan: DailyPlan) -> list[PlannedSell | PlannedBuy]:
    """Return the sales and the purchases."""
    return [*plan.sells, *plan.buys]


def _named(steps: Sequence[PlannedSell | PlannedBuy], outcome: str) -> str:
    return ", ".join(step.symbol for step in steps if step.outcome.startswith(outcome))


def tell_unknown(key: str, symbol: str, error: MarsShotError) -> None:
    """Tell that the outcome of an order is not known yet. key: of the sentence for a sale, or a purchase."""
    warn("order.unknown", Sentence(key, symbol=symbol, why=error.said))


def no_probability(scoring: Scoring) -> Sentence:
    """Say in words why not one token has a probability."""
    reasons = tuple(dict.fromkeys(score.why_not for score in scoring.scores))
    key = "fault.scores.none_and_more" if len(reasons) > MOST_REASONS else "fault.scores.none"
    return Sentence(key, reasons=reasons[:MOST_REASONS])


def tell_decisions(decisions: Sequence[Decision], rules: DailyRules) -> None:
    """Tell the log of every token, the highest score first, and people of what they may not expect."""
    for one in in_order(decisions):
        tell = say if one.action is Action.SKIP_SALE or was_wanted(one) else note
        tell(
            "daily.decision",
            decision_sentence(one, rules),
            symbol=one.symbol,
            score="-" if one.probability is None else f"{one.probability:.3f}",
            action=one.action,
            reason=one.reason,
        )
    silent = [one for one in decisions if one.probability is None]
    if silent:
        listed = tuple(Sentence("log.no_score", symbol=one.symbol, told=one.told) for one in silent[:5])
        facts = {"count": len(silent), "total": len(decisions), "listed": listed}
        warn("daily.no_probability", Sentence("log.no_scores", **facts))

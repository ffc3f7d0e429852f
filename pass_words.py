"""What the daily pass tells: of its decisions, of what is left, of what was done. English, for log and terminal.

Decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from decisions import Action, Decision
from domain import DailyPlan, DailyRules, PlannedBuy, PlannedSell, Scoring
from events import note, say, warn
from why import in_order, was_wanted, why_line
from words import Words


def what_was_done(plan: DailyPlan) -> str:
    """Say in words what became of the plan."""
    steps = steps_of(plan)
    parts = [f"sold {names}" if (names := _named(plan.sells, "sold")) else ""]
    parts += [f"bought {names}" if (names := _named(plan.buys, "bought")) else ""]
    for why in dict.fromkeys(step.outcome for step in steps if step.outcome.startswith("left")):
        parts.append(f"{_named(steps, why)} {why}")
    return "; ".join(part for part in parts if part) or "nothing to sell, nothing to buy"


def steps_of(plan: DailyPlan) -> list[PlannedSell | PlannedBuy]:
    """Return the sales and the purchases."""
    return [*plan.sells, *plan.buys]


def _named(steps: Sequence[PlannedSell | PlannedBuy], outcome: str) -> str:
    return ", ".join(step.symbol for step in steps if step.outcome.startswith(outcome))


def tell_unknown(symbol: str, what: str, error: Exception) -> None:
    """Tell that the outcome of an order is not known yet."""
    warn("order.unknown", f"{symbol}: the outcome of the {what} is not known yet ({error}); it is being looked up")


def no_probability(scoring: Scoring) -> str:
    """Say in words why not one token has a probability."""
    reasons = list(dict.fromkeys(score.why_not for score in scoring.scores))
    return f"No token has a probability: {'; '.join(reasons[:3])}{' ...' if len(reasons) > 3 else ''}"  # noqa: PLR2004


def tell_decisions(decisions: Sequence[Decision], rules: DailyRules) -> None:
    """Tell the log of every token, the highest score first, and people of what they may not expect."""
    for one in in_order(decisions):
        tell = say if one.action is Action.SKIP_SALE or was_wanted(one) else note
        tell(
            "daily.decision",
            why_line(one, rules, Words("en")),
            symbol=one.symbol,
            score="-" if one.probability is None else f"{one.probability:.3f}",
            action=one.action,
            reason=one.reason,
        )
    silent = [one for one in decisions if one.probability is None]
    if silent:
        listed = "; ".join(f"{one.symbol} ({one.told})" for one in silent[:5])
        warn("daily.no_probability", f"{len(silent)} of {len(decisions)} tokens have no probability today: {listed}")

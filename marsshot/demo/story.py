"""What there is to tell of a demo's day: which rule a position comes near, which scores nearly made a trade. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from decimal import Decimal

from marsshot.core.book import Position
from marsshot.core.catalog import Catalog
from marsshot.core.decisions import Action, DailyRules, Decision
from marsshot.core.exit_settings import ExitRules
from risk_manager import ExitLevels, exit_levels


@dataclass(frozen=True, slots=True)
class RuleAhead:
    """A price level that a rule waits for. name: of the level, as ExitLevels has it. distance: from the price to it."""

    name: str
    level: Decimal
    distance: Decimal

    def text(self, catalog: Catalog) -> str:
        """Return it in words."""
        return catalog.text(f"demo.near.{self.name}", distance=self.distance)


def nearest_rule(position: Position, price: Decimal, rules: ExitRules) -> RuleAhead:
    """Return the rule whose level is the fewest percent away; the position has seen the price."""
    levels = exit_levels(position, rules)
    known = ((field.name, getattr(levels, field.name)) for field in fields(ExitLevels))
    ahead = [RuleAhead(name, level, level / price - 1) for name, level in known if level is not None]
    return min(ahead, key=lambda one: abs(one.distance))


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A score that nearly made a trade. gap: how far it lay from the threshold."""

    symbol: str
    score: Decimal
    gap: Decimal
    is_held: bool

    def text(self, catalog: Catalog) -> str:
        """Return it in words."""
        key = "demo.miss.sale" if self.is_held else "demo.miss.purchase"
        return catalog.text(key, symbol=self.symbol, gap=self.gap)


def near_misses(decisions: Iterable[Decision], rules: DailyRules) -> list[NearMiss]:
    """Return the tokens that were neither bought nor sold, by how little was lacking."""
    misses = []
    for one in decisions:
        if one.probability is None or one.action not in {Action.KEEP, Action.LEAVE}:
            continue
        gap = one.probability - rules.sell_threshold if one.held else rules.buy_threshold - one.probability
        if gap >= 0:
            misses.append(NearMiss(one.symbol, one.probability, gap, one.held))
    return sorted(misses, key=lambda one: one.gap)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One order that was filled. score: what a purchase went by; gain: of a sale's price on the entry price."""

    stamp: str
    is_purchase: bool
    symbol: str
    quote: Decimal
    price: Decimal
    reason: str
    gain: Decimal | None = None
    score: Decimal | None = None

    def text(self, catalog: Catalog) -> str:
        """Return it in words, with why."""
        facts = {"stamp": f"{self.stamp} ", "symbol": self.symbol, "quote": self.quote, "price": self.price}
        if not self.is_purchase:
            why = catalog.text(f"log.reason.{self.reason}")
            return catalog.text("demo.trade.sale", **facts, gain=self.gain or Decimal(0), why=why)
        if self.score is None:
            return catalog.text("demo.trade.purchase", **facts)
        return catalog.text("demo.trade.purchase_for_score", **facts, score=self.score)

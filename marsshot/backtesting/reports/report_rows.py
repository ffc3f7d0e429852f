"""The lines and rows of a run in the owner's language, for terminal and page alike."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from marsshot.backtesting.analysis.run_statistics import BOT, BTC
from marsshot.backtesting.result import BacktestResult
from marsshot.core.catalog import Catalog

EXPOSURE_BANDS = (0.0, 0.25, 0.5, 0.75, 1.0)  # upper ends, of the share in tokens
_ALMOST = 1e-9


@dataclass(frozen=True, slots=True)
class RuleRow:
    """What a rule earned or cost; sales and wins are None where they do not count."""

    name: str
    profit: float
    sales: int | None = None
    wins: int | None = None


def ratio_text(value: float, catalog: Catalog) -> str:
    """Return a ratio with two decimals, or a dash where there is none."""
    return "-" if not math.isfinite(value) else catalog.show(value, ".2f")


class ReportRows:
    """What is told of a result."""

    def __init__(self, result: BacktestResult, catalog: Catalog) -> None:
        self.result = result
        self.catalog = catalog

    def say(self, name: str, **values: object) -> str:
        """Return a text by the end of its key."""
        return self.catalog.text(f"backtest.{name}", **values)

    def show(self, value: object, form: str = "") -> str:
        """Return a value in the language's form."""
        return self.catalog.show(value, form)

    def ratio(self, value: float) -> str:
        """Return a ratio with two decimals, or a dash where there is none."""
        return ratio_text(value, self.catalog)

    def count(self, value: int | None) -> str:
        """Return a number of things, or nothing."""
        return "" if value is None else self.show(value)

    def span(self, key: str, **values: object) -> str:
        """Return a text that names the first and the last day."""
        return self.say(key, first=self.result.first, last=self.result.last, **values)

    def curve_name(self, name: str) -> str:
        """Return what a curve is called."""
        return self.say("curve.btc") if name == BTC else self.catalog.render(name)

    def caveat_lines(self) -> list[str]:
        """Return what to beware of, in lines."""
        result = self.result
        lines = [self.catalog.render(one) for one in result.caveats]
        has_one_draw = result.spread is None and result.trainings
        return [self.say("caveat.one_draw"), *lines] if has_one_draw else lines

    def spread_line(self) -> str:
        """Return in one line how far the draws of the models lie apart."""
        spread = self.result.spread
        if spread is None:
            return ""
        worth, change = spread.of(lambda one: one.worth), spread.of(lambda one: one.metrics.total_return)
        fall = spread.of(lambda one: one.metrics.max_drawdown)
        return self.say(
            "spread",
            count=len(spread.draws),
            start=float(self.result.statistics.equity[0]),
            quote=self.result.quote_asset,
            low=worth.low,
            high=worth.high,
            median=worth.median,
            change=change.median,
            least=fall.low,
            most=fall.high,
            fall=fall.median,
        )

    def middle_line(self) -> str:
        """Return which of the draws the rest of the report is of."""
        spread = self.result.spread
        return "" if spread is None else self.say("middle", seed=spread.middle.seed)

    def spread_rows(self) -> list[tuple[str, ...]]:
        """Return name, worth, change and worst fall: of the draws, each column by itself, and of doing nothing."""
        spread, statistics = self.result.spread, self.result.statistics
        if spread is None:
            return []
        change, fall = spread.of(lambda one: one.metrics.total_return), spread.of(lambda one: one.metrics.max_drawdown)
        start, count = float(statistics.equity[0]), len(spread.draws)
        rows = [
            (self.say("draw.worst", count=count), change.low, fall.high),
            (self.say("draw.median", count=count), change.median, fall.median),
            (self.say("draw.best", count=count), change.high, fall.low),
            (self.say("curve.cash"), 0.0, 0.0),
        ]
        others = {name: one for name, one in statistics.metrics.items() if name != BOT}
        rows += [(self.curve_name(name), one.total_return, one.max_drawdown) for name, one in others.items()]
        return [
            (name, self.show(start * (1 + gain), "money"), self.show(gain, "change"), self.show(worst, "percent"))
            for name, gain, worst in rows
        ]

    def lever_rows(self) -> list[tuple[str, ...]]:
        """Return name, purchases left out and cut, days, and what the lever brought or cost, of each that is on."""
        return [
            (
                f"{one.key} {self.show(one.value)}",
                *(self.show(count) for count in (one.left_out, one.cut, one.days)),
                self.show(one.gain, "gain"),
            )
            for one in self.result.lever_effects
        ]

    def exposure_rows(self) -> list[tuple[str, ...]]:
        """Return, of each band of the share in tokens, its name, the days in it and their share."""
        shares = self.result.statistics.exposure
        rows, before = list[tuple[str, ...]](), -1.0
        for upper in EXPOSURE_BANDS:
            inside = int(((shares > before + _ALMOST) & (shares <= upper + _ALMOST)).sum())
            rows.append((self._band(before, upper), self.show(inside), self.show(inside / len(shares), ".0%")))
            before = upper
        return rows

    def _band(self, lower: float, upper: float) -> str:
        if upper == 0:
            return self.say("band.nothing")
        return self.say("band.up_to", upper=upper) if lower <= 0 else self.say("band.between", lower=lower, upper=upper)

    def rule_rows(self) -> list[RuleRow]:
        """Return what each rule that did something came to, then what is still held."""
        analysis = self.result.statistics.trade_analysis
        rows = [
            RuleRow(self.catalog.text(f"log.reason.{reason}"), found.profit, found.sales, found.wins)
            for reason, found in analysis.by_rule.items()
            if found.sales
        ]
        if analysis.big_gain_effect is not None:
            rows.append(RuleRow(self.say("big_gain"), float(analysis.big_gain_effect)))
        held = sum(round_trip.is_open for round_trip in analysis.round_trips)
        return [*rows, RuleRow(self.say("still_held", count=held), analysis.unrealised)]

    def key_figures(self) -> Iterator[str]:
        """Yield what else there is to tell, in lines."""
        statistics, analysis = self.result.statistics, self.result.statistics.trade_analysis
        sharpe, total = statistics.confidence["sharpe"], statistics.confidence["total_return"]
        share, closed = analysis.hit_rate, len(analysis.closed)
        hit = self.say("no_hit") if math.isnan(share) else self.say("hit", share=share, count=closed)
        yield self.say(
            "sums",
            trades=len(analysis.trades),
            fees=analysis.fees,
            quote=self.result.quote_asset,
            hit=hit,
            turnover=statistics.turnover,
            exposure=float(statistics.exposure.mean()),
        )
        yield self.say(
            "confidence",
            low=total.low,
            high=total.high,
            sharpe_low=self.ratio(sharpe.low),
            sharpe_high=self.ratio(sharpe.high),
        )

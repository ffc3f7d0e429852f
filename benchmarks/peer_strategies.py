"""MarsShot's exit rules written for backtesting.py and for backtrader, the way their own examples are written.

Bought where the day's score is high, on the close of the bar; stop-loss, trailing stop, partial sale and daily sale on
closes. Both are given their scores as a column and begin with the bars in memory.
"""

from __future__ import annotations

from typing import Any

import backtesting
import backtrader
import numpy as np
import pandas as pd

BUY, SELL, STOP, PARTIAL, SHARE, ARM, TRAIL = 0.55, 0.40, 0.50, 2.0, 0.20, 3.0, 0.30


def bars_by_token(hourly: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the bars of each token as both want them, with a score for each day."""
    random = np.random.default_rng(0)
    frames = {}
    for symbol, bars in hourly.groupby("symbol", sort=True):
        days = bars["time"].to_numpy() // 86_400
        scores = random.beta(8, 9, size=int(days.max() - days.min()) + 1)[days - days.min()]
        frames[str(symbol)] = pd.DataFrame(
            {
                "Open": bars["open"].to_numpy(),
                "High": bars["high"].to_numpy(),
                "Low": bars["low"].to_numpy(),
                "Close": bars["close"].to_numpy(),
                "Volume": bars["volume"].to_numpy(),
                "Score": scores,
            },
            index=pd.to_datetime(bars["time"], unit="s"),
        )
    return frames


class BacktestingRules(backtesting.Strategy):  # type: ignore[misc]
    """The rules for one token."""

    def init(self) -> None:
        """Begin without a position."""
        self.entry = self.top = 0.0
        self.part_sold = False

    def next(self) -> None:
        """Look at one bar."""
        price, score = self.data.Close[-1], self.data.Score[-1]
        if not self.position:
            if score >= BUY:
                self.buy(size=0.95)
                self.entry, self.top, self.part_sold = price, 0.0, False
            return
        if self.top or price >= ARM * self.entry:
            self.top = max(self.top, price)
        if price <= self.entry * (1 - STOP) or (self.top and price <= self.top * (1 - TRAIL)) or score < SELL:
            self.position.close()
        elif not self.part_sold and price >= PARTIAL * self.entry:
            self.position.close(SHARE)
            self.part_sold = True


class _ScoredFeed(backtrader.feeds.PandasData):  # type: ignore[misc]
    lines = ("score",)
    params = (
        ("open", "Open"),
        ("high", "High"),
        ("low", "Low"),
        ("close", "Close"),
        ("volume", "Volume"),
        ("openinterest", -1),
        ("score", "Score"),
    )


class BacktraderRules(backtrader.Strategy):  # type: ignore[misc]
    """The rules for all tokens."""

    def __init__(self) -> None:
        self.entry: dict[Any, float] = {}
        self.top: dict[Any, float] = {}
        self.part_sold: set[Any] = set()

    def next(self) -> None:
        """Look at one bar of each token."""
        for data in self.datas:
            price, score, size = data.close[0], data.score[0], self.getposition(data).size
            if not size:
                if score >= BUY:
                    self.buy(data=data, size=600.0 / price)
                    self.entry[data] = price
                    self.top.pop(data, None)
                    self.part_sold.discard(data)
                continue
            if data in self.top or price >= ARM * self.entry[data]:
                self.top[data] = max(self.top.get(data, 0.0), price)
            top = self.top.get(data, 0.0)
            if price <= self.entry[data] * (1 - STOP) or price <= top * (1 - TRAIL) or score < SELL:
                self.close(data=data)
            elif data not in self.part_sold and price >= PARTIAL * self.entry[data]:
                self.sell(data=data, size=size * SHARE)
                self.part_sold.add(data)


def run_backtesting(frames: dict[str, pd.DataFrame]) -> None:
    """Run every token by itself: backtesting.py knows no portfolio."""
    for frame in frames.values():
        backtesting.Backtest(frame, BacktestingRules, cash=1_000_000, commission=0.001, finalize_trades=True).run()


def run_backtrader(frames: dict[str, pd.DataFrame]) -> None:
    """Run all tokens together, without the observers that only plots want."""
    cerebro = backtrader.Cerebro(stdstats=False)
    for frame in frames.values():
        cerebro.adddata(_ScoredFeed(dataname=frame))
    cerebro.addstrategy(BacktraderRules)
    cerebro.broker.setcash(100_000)
    cerebro.broker.setcommission(0.001)
    cerebro.run()

"""Looks over the bot's shoulder in a demo: what everything is worth, what is shown, which checks need no request.

A check that provably changes nothing is not made; what it would have noted down is worked out from the recorded prices.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from marsshot.backtesting.history.market_history import read_dataset
from marsshot.backtesting.simulation.check_skipping import CheckSkipper
from marsshot.backtesting.simulation.euro_prices import prices_in
from marsshot.backtesting.simulation.simulated_market import prices_to_go_by
from marsshot.bot.bootstrap import RunningBot
from marsshot.bot.daily_candles import BTC, bitcoin_change, bitcoin_closes, close_at
from marsshot.bot.journal import last_price
from marsshot.core.errors import MarsShotError
from marsshot.demo.frame import Scene
from marsshot.demo.view import DemoView
from marsshot.reporting.demo_summary import DayPoint

SLEEP_SECONDS = 0.05  # so soon Ctrl-C is noticed where the demo is slowed down
WRITE_SECONDS = 0.5  # so old what the files tell of prices may be: one at each check would take longer than the check


class DemoRecorder:
    """Looks at the bot after each cycle. days_per_second: how fast it may go at most; None: as fast as it can.

    alive: called whenever the demo shows that it goes on.
    """

    def __init__(
        self,
        run: RunningBot,
        view: DemoView,
        days: int,
        *,
        days_per_second: float | None = None,
        alive: Callable[[], None] = lambda: None,
        skip_unchanged_checks: bool = True,
    ) -> None:
        self._bot = run.bot
        self._journal = run.journal
        self._view = view
        self._days = days
        self._started = run.bot.clock.now()
        self._end = self._started + timedelta(days=days)
        self._board = prices_in(run.bot.settings.quote_asset, read_dataset(None, None, None, None))
        self._skipper = CheckSkipper(run.bot, self._board, self._end) if skip_unchanged_checks else None
        self._days_per_second = days_per_second
        self._began_at = self._written_at = time.monotonic()
        self._alive = alive
        self._tokens = tuple(dict.fromkeys((*run.bot.settings.tokens_daily, BTC)))
        self._btc_closes = bitcoin_closes(run.bot.settings)
        self.points: list[DayPoint] = []

    @property
    def is_over(self) -> bool:
        """True once the demo's last day has come."""
        return self._bot.clock.now() >= self._end

    def after_cycle(self) -> bool:
        """Look at the bot after a cycle; return False when the demo is over."""
        now = self._bot.clock.now()
        if self._bot.daily_is_done() and (not self.points or self.points[-1].day != now.date()):
            self.note_day()
            self._look(now)
            self._view.show_day(self._scene(now))
        self._look(now)
        for moment in self._skipper.skip() if self._skipper is not None else ():
            self._note_skipped_check(moment)
        return not self.is_over

    def _note_skipped_check(self, moment: datetime) -> None:
        """Note down what a check that was left out would have."""
        if not self._journal.is_equity_due(moment):
            return
        book, settings = self._bot.store.book, self._bot.settings
        self._journal.note_check(book, prices_to_go_by(self._board, settings, book.positions, moment), moment)
        self._look(moment)

    def _look(self, moment: datetime) -> None:
        self._alive()
        self._view.show(lambda: self._scene(moment))
        if time.monotonic() - self._written_at >= WRITE_SECONDS:
            self._written_at = time.monotonic()
            self._journal.write_last_seen()
        self._wait_for(moment)

    def _wait_for(self, moment: datetime) -> None:
        """Let the demo go no faster than it was asked to."""
        if self._days_per_second is None:
            return
        seconds = (moment - self._started) / timedelta(days=1) / self._days_per_second
        while (left := self._began_at + seconds - time.monotonic()) > 0 and not self._bot.clock.stopping:
            time.sleep(min(left, SLEEP_SECONDS))
            self._alive()

    def _scene(self, moment: datetime) -> Scene:
        settings, book, seen = self._bot.settings, self._bot.store.book, self._journal.seen
        return Scene(
            now=moment,
            day=min((moment - self._started).days, self._days),
            days=self._days,
            book=book,
            prices={symbol: last_price(symbol, book, seen) for symbol in book.positions},
            btc_change=bitcoin_change(self._btc_closes, self._started, moment),
            largest_fall=self._journal.drawdown.largest,
            trades=tuple(self._view.trades),
            decisions=self._journal.last_decisions,
            exit_rules=settings.exit_rules,
            daily_rules=settings.daily_rules,
        )

    def note_day(self) -> None:
        """Take down the tokens' prices, for what doing nothing would have brought."""
        wanted = dict.fromkeys((*self._tokens, *self._bot.store.book.positions))
        try:
            prices = self._bot.executor.last_prices(wanted)
        except MarsShotError:
            return
        now = self._bot.clock.now()
        if close := close_at(self._btc_closes, now):  # as the dashboard and the week's report have it
            prices = {**prices, BTC: Decimal(str(close))}
        self.points.append(DayPoint(now, prices))

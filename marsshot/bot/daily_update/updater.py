"""The daily update: scores, a plan on disk before its first order, then the plan worked off. Once per UTC date.

May stop at any line: what is planned is in the book, what is done is marked in the same step that booked it, and the
next call does what is left. The plan is plan_maker.py's, its orders are plan_executor.py's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta
from enum import Enum

from marsshot.bot.control_files import ControlFiles
from marsshot.bot.daily_update.messages import plan_steps
from marsshot.bot.daily_update.plan_executor import CLOSED_MARKET_RETRY_INTERVAL, PlanExecutor
from marsshot.bot.daily_update.plan_maker import PlanMaker
from marsshot.bot.journal import Journal
from marsshot.bot.price_check import PriceCheck
from marsshot.bot.reconciler import Reconciler
from marsshot.config.settings import Settings
from marsshot.core.catalog import LocalizedText
from marsshot.core.decisions import DailyPlan
from marsshot.core.errors import MarsShotError, NotTradableNowError, StopRequested, TemporaryError
from marsshot.core.scores import Scoring
from marsshot.infra.clock import Clock
from marsshot.infra.event_log import log_error, log_file_only, log_warning
from marsshot.strategy.daily_plan import may_plan_go_on
from positions_store import Store
from trade_executor import TradeExecutor

SCORES_RETRY_INTERVAL = timedelta(minutes=10)
ORDERS_RETRY_INTERVAL = timedelta(minutes=1)


class Progress(Enum):
    """Where today's daily update stands after a call."""

    DONE = "done"
    WAITING = "waiting"  # for scores under way, or for an order whose outcome is being looked up
    LATER = "later"  # not possible now; `not_before` says when to try again


class DailyUpdater:
    """The daily update of one bot. Call `daily_update` every cycle while it is due; it returns at once."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        scores: Callable[[Collection[str]], Scoring | None],
        price_check: PriceCheck,
        control: ControlFiles,
        reconciler: Reconciler,
        journal: Journal | None = None,
    ) -> None:
        self.plan_maker = PlanMaker(scores, store, clock, price_check, control, reconciler, journal)
        self.plan_executor = PlanExecutor(store, clock, price_check, control, reconciler, journal)
        self._store = store
        self._clock = clock
        self.not_before: datetime | None = None
        self.postponed_reason = ""

    def daily_update(self, settings: Settings, executor: TradeExecutor) -> Progress:
        """Begin today's daily update, or do what is left of it."""
        if self.not_before is not None and self._clock.now() < self.not_before:
            return Progress.LATER
        self.not_before = None
        try:
            is_done = self._ensure_plan(settings, executor) and self.plan_executor.work_off(settings, executor)
        except StopRequested:
            raise
        except NotTradableNowError as error:
            return self._postpone(CLOSED_MARKET_RETRY_INTERVAL, error.message, log_warning)
        except TemporaryError as error:
            return self._postpone(ORDERS_RETRY_INTERVAL, error.message, log_warning)
        except MarsShotError as error:
            return self._postpone(SCORES_RETRY_INTERVAL, error.message, log_error)
        if is_done:
            self.postponed_reason = ""
        return Progress.DONE if is_done else Progress.WAITING

    def draft(self, settings: Settings, executor: TradeExecutor) -> DailyPlan | None:
        """Return today's plan as far as it is to do, without sending an order; None while the scores are not there.

        Sales that are still to do count with what they are worth. Raises MarsShotError where there can be no plan now.
        """
        return self.plan_executor.draft(settings, executor) if self._ensure_plan(settings, executor) else None

    @property
    def is_scoring(self) -> bool:
        """True while the scores of a date are being made; its update goes on past midnight."""
        return self.plan_maker.is_scoring

    def _postpone(self, wait: timedelta, why: str, log: Callable[..., None]) -> Progress:
        self.not_before = self._clock.now() + wait
        self.plan_maker.give_up_scoring()
        # The same trouble comes back every few minutes: the owner is told once, the log each time.
        sentence = LocalizedText("log.put_off", until=f"{self.not_before:%H:%M}", why=why)
        (log_file_only if why == self.postponed_reason else log)("daily.later", sentence)
        self.postponed_reason = why
        return Progress.LATER

    def _ensure_plan(self, settings: Settings, executor: TradeExecutor) -> bool:
        """Return whether the book has a plan that is to be worked off; where it has none, one is made if it can be."""
        self._drop_old_plan(settings)
        return self._store.book.plan is not None or self.plan_maker.make(settings, executor)

    def _drop_old_plan(self, settings: Settings) -> None:
        plan, strategy = self._store.book.plan, settings.strategy
        hour, minute = strategy.daily_update_hour_utc, strategy.daily_update_minute_utc
        if plan is None or may_plan_go_on(plan.day, self._clock.now(), hour, minute):
            return
        left = tuple(step.symbol for step in plan_steps(plan) if not step.outcome) or (LocalizedText("log.nothing"),)
        self._store.change(lambda book: replace(book, plan=None))
        log_warning("daily.dropped", LocalizedText("log.plan_dropped", day=plan.day, symbols=left))

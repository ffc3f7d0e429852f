"""One seed, one run, one result. What a process of `chaos.py` does over and over."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field

from marsshot.chaos.fault_schedule import FaultSchedule
from marsshot.chaos.invariants import InvariantChecker
from marsshot.chaos.monitor import Monitor
from marsshot.chaos.simulation import Simulation
from marsshot.chaos.violations import Violations
from marsshot.config.exchanges import EXCHANGE_FACTS, ExchangeName
from marsshot.core.catalog import name_exchange
from marsshot.core.errors import MarsShotError
from marsshot.infra.event_log import log


@dataclass(slots=True)
class SeedResult:
    """What one run came to."""

    seed: int
    violations: Violations
    event_counts: Counter[str] = field(default_factory=Counter)
    orders: int = 0
    process_starts: int = 0
    timeline: list[str] = field(default_factory=list)


def run_seed(seed: int, *, exchange: ExchangeName = "binance", verbose: bool = False) -> SeedResult:
    """Run the simulation of one seed. verbose: keep the bot's log lines in the timeline, between the faults."""
    simulation = Simulation(seed, exchange)
    monitor = Monitor(simulation)
    ear = _LogCapture(simulation.fault_schedule if verbose else None)
    level, propagates = log.level, log.propagate
    log.setLevel(logging.INFO if verbose else logging.ERROR)
    log.propagate = False
    log.addHandler(ear)
    name_exchange(EXCHANGE_FACTS[exchange].name)
    try:
        simulation.run(monitor.on_restart)
    except MarsShotError as error:
        monitor.violations.losses.append(f"the bot cannot start any more: {error}")
    finally:
        name_exchange(EXCHANGE_FACTS["binance"].name)
        log.removeHandler(ear)
        log.setLevel(level)
        log.propagate = propagates
    monitor.violations.others += ear.unexpected_errors
    violations = InvariantChecker(simulation, monitor).check()
    return SeedResult(
        seed,
        violations,
        simulation.fault_schedule.event_counts,
        len(simulation.venue.orders()),
        simulation.process_starts,
        simulation.fault_schedule.timeline,
    )


class _LogCapture(logging.Handler):
    """Collects unexpected errors, and adds the bot's log lines to the timeline, if there is one."""

    def __init__(self, fault_schedule: FaultSchedule | None) -> None:
        super().__init__()
        self._faults = fault_schedule
        self.unexpected_errors: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        if getattr(record, "event", "") == "cycle.surprise" and record.exc_info:
            self.unexpected_errors.append(f"the loop was surprised by {record.exc_info[1]!r}")
        if self._faults is not None:
            self._faults.timeline.append(f"bot, {record.levelname}: {record.getMessage()}")

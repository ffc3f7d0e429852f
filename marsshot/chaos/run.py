"""One seed, one run, one result. What a process of `chaos.py` does over and over."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field

from marsshot.chaos.fault_schedule import Fate
from marsshot.chaos.invariants import Judge
from marsshot.chaos.monitor import Witness
from marsshot.chaos.simulation import World
from marsshot.chaos.violations import Verdict
from marsshot.core.errors import MarsShotError
from marsshot.infra.event_log import log


@dataclass(slots=True)
class Result:
    """What one run came to."""

    seed: int
    verdict: Verdict
    happened: Counter[str] = field(default_factory=Counter)
    orders: int = 0
    lives: int = 0
    story: list[str] = field(default_factory=list)


def run_seed(seed: int, *, listen: bool = False) -> Result:
    """Live through the disasters of one seed. listen: keep what the bot said, between what happened to it."""
    world = World(seed)
    witness = Witness(world)
    ear = _Ear(world.fate if listen else None)
    level, propagates = log.level, log.propagate
    log.setLevel(logging.INFO if listen else logging.ERROR)
    log.propagate = False
    log.addHandler(ear)
    try:
        world.live(witness.begin_again)
    except MarsShotError as error:
        witness.verdict.losses.append(f"the bot cannot start any more: {error}")
    finally:
        log.removeHandler(ear)
        log.setLevel(level)
        log.propagate = propagates
    witness.verdict.others += ear.surprises
    verdict = Judge(world, witness).judge()
    return Result(seed, verdict, world.fate.happened, len(world.exchange.orders), world.lives, world.fate.story)


class _Ear(logging.Handler):
    """Hears of errors that nobody foresaw, and writes what the bot says into the story, if there is one."""

    def __init__(self, fate: Fate | None) -> None:
        super().__init__()
        self._fate = fate
        self.surprises: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        if getattr(record, "event", "") == "cycle.surprise" and record.exc_info:
            self.surprises.append(f"the loop was surprised by {record.exc_info[1]!r}")
        if self._fate is not None:
            self._fate.story.append(f"bot, {record.levelname}: {record.getMessage()}")

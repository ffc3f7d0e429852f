"""One seed, one run, one result. What a process of `chaos.py` does over and over."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field

from disasters.fate import Fate
from disasters.judge import Judge
from disasters.verdict import Verdict
from disasters.witness import Witness
from disasters.world import World
from errors import MarsShotError
from events import log


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
    ear = _Ear(world.fate) if listen else None
    log.setLevel(logging.INFO if listen else logging.CRITICAL + 1)
    if ear is not None:
        log.addHandler(ear)
    try:
        world.live(witness.begin_again)
    except MarsShotError as error:
        witness.verdict.losses.append(f"the bot cannot start any more: {error}")
    finally:
        if ear is not None:
            log.removeHandler(ear)
    verdict = Judge(world, witness).judge()
    return Result(seed, verdict, world.fate.happened, len(world.exchange.orders), world.lives, world.fate.story)


class _Ear(logging.Handler):
    """Writes what the bot says into the story."""

    def __init__(self, fate: Fate) -> None:
        super().__init__()
        self._fate = fate

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self._fate.story.append(f"bot, {record.levelname}: {record.getMessage()}")

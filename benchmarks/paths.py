"""One of the paths that matter, again and again, for a profiler to look at.

    pip install -r requirements/benchmarks.txt py-spy
    py-spy record --rate 500 --format raw --output profile.txt -- python benchmarks/paths.py check --times 40
    python benchmarks/paths.py yesterday --times 20 --shares

Paths: `nothing`, `yesterday`, `today`: the daily pass of 150 tokens with that cache, network left out; `check`: the
five-minute check of 50 positions against the stand-in market. --shares: cProfile's own list, of the main thread.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import daily_pass, price_check
from benchmarks.stand_in import StandIn, settings_text, token_names
from marsshot.model.model_files import save_model

TOKENS, DAYS, POSITIONS = 150, 365, 50
AFTER = {"nothing": timedelta(), "yesterday": timedelta(days=1), "today": timedelta(hours=1)}
MOST_LINES = 15


def main() -> None:
    """Walk one path so many times."""
    parser = argparse.ArgumentParser(description="Walk one path again and again, for a profiler.")
    parser.add_argument("path", choices=[*AFTER, "check"])
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--shares", action="store_true", help="show where the main thread's time goes")
    arguments = parser.parse_args()
    with checks() if arguments.path == "check" else passes(arguments.path) as walk:
        profile = cProfile.Profile()
        for _ in range(arguments.times):
            walk(profile if arguments.shares else None)
    if arguments.shares:
        pstats.Stats(profile).sort_stats("tottime").print_stats(MOST_LINES)


Walk = Callable[[cProfile.Profile | None], None]


@contextmanager
def checks() -> Iterator[Walk]:
    """Yield what makes one check of all positions."""
    with StandIn(POSITIONS) as market, price_check.a_bot(market, POSITIONS) as bot:

        def walk(profile: cProfile.Profile | None) -> None:
            _profiled(bot.intraday_check, profile)

        yield walk


@contextmanager
def passes(cache: str) -> Iterator[Walk]:
    """Yield what makes one pass of all tokens with that cache."""
    with tempfile.TemporaryDirectory() as folder, StandIn(1, 30) as market:
        os.chdir(folder)
        Path("config.yaml").write_text(settings_text(market, token_names(TOKENS)))
        save_model(daily_pass.a_forest(300), {"trained": "on made-up rows"}, Path("model.pkl"))
        work = daily_pass.some_work(TOKENS, DAYS)

        def walk(profile: cProfile.Profile | None) -> None:
            with tempfile.TemporaryDirectory(dir=daily_pass.MEMORY) as kept:
                if cache != "nothing":
                    daily_pass.one_pass(work, daily_pass.NOW, kept)
                _profiled(lambda: daily_pass.one_pass(work, daily_pass.NOW + AFTER[cache], kept), profile)

        yield walk


def _profiled(work: Callable[[], object], profile: cProfile.Profile | None) -> None:
    if profile is None:
        work()
    else:
        profile.runcall(work)


if __name__ == "__main__":
    main()

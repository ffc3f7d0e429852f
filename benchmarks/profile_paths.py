"""One of the paths that matter, again and again, for a profiler to look at.

    pip install -r requirements/benchmarks.txt py-spy
    py-spy record --rate 500 --format raw --output profile.txt -- python benchmarks/profile_paths.py check --times 40
    python benchmarks/profile_paths.py yesterday --times 20 --shares

Paths: `nothing`, `yesterday`, `today`: the daily pass of 150 tokens with that cache, network left out; `check`: the
five-minute check of 50 positions against the stub market. --shares: cProfile's own list, of the main thread.
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

from benchmarks import daily_update, price_check
from benchmarks.stub_market import StubMarket, settings_text, token_names
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
    with StubMarket(POSITIONS) as market, price_check.a_bot(market, POSITIONS) as bot:

        def walk(profile: cProfile.Profile | None) -> None:
            _profiled(bot.intraday_check, profile)

        yield walk


@contextmanager
def passes(cache: str) -> Iterator[Walk]:
    """Yield what makes one pass of all tokens with that cache."""
    with tempfile.TemporaryDirectory() as folder, StubMarket(1, 30) as market:
        os.chdir(folder)
        Path("config.yaml").write_text(settings_text(market, token_names(TOKENS)))
        save_model(daily_update.a_forest(300), {"trained": "on synthetic rows"}, Path("model.pkl"))
        work = daily_update.some_work(TOKENS, DAYS)

        def walk(profile: cProfile.Profile | None) -> None:
            with tempfile.TemporaryDirectory(dir=daily_update.MEMORY) as kept:
                if cache != "nothing":
                    daily_update.one_pass(work, daily_update.NOW, kept)
                _profiled(lambda: daily_update.one_pass(work, daily_update.NOW + AFTER[cache], kept), profile)

        yield walk


def _profiled(work: Callable[[], object], profile: cProfile.Profile | None) -> None:
    if profile is None:
        work()
    else:
        profile.runcall(work)


if __name__ == "__main__":
    main()

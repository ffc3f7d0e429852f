"""Puts the bot through seeded disasters and counts what it lost or doubled: nothing, if all is well.

    python chaos.py [--exchange NAME] [--runs N] [--seed S] [--jobs N] [--only SEED]

Each run is some days of market, faults and deaths in one process, all drawn from its seed: the wire loses, delays,
refuses and garbles, prices come late or never, the disk fills up, the clock jumps, the process dies at any write, sync
or request, the power fails. The bot is the real one, with the exchange's real client; only wire, disk and clock are
handed in, and the inbox that prices arrive in. A run that ends badly is replayed alone, with everything the bot said,
by --only SEED. No network, no keys, no files.
"""

from __future__ import annotations

if __name__ == "__main__":  # Ctrl-C may come while the rest is still loading
    from marsshot.infra import interruption

    interruption.guard_loading()

import argparse
import multiprocessing
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from marsshot.chaos.run import SeedResult, run_seed
from marsshot.config.exchanges import EXCHANGE_FACTS, ExchangeName

MAX_SHOWN = 10  # bad runs that are named, at the most
SEEDS_PER_BATCH = 8  # runs that a worker takes at once


@dataclass(slots=True)
class Tally:
    """What all runs came to."""

    runs: int = 0
    process_starts: int = 0
    orders: int = 0
    event_counts: Counter[str] = field(default_factory=Counter)
    losses: int = 0
    duplicates: int = 0
    breaches: int = 0
    bad: list[SeedResult] = field(default_factory=list)

    def add(self, result: SeedResult) -> None:
        """Count one more run."""
        self.runs += 1
        self.process_starts += result.process_starts
        self.orders += result.orders
        self.event_counts += result.event_counts
        self.losses += len(result.violations.losses)
        self.duplicates += len(result.violations.duplicates)
        self.breaches += len(result.violations.others)
        if not result.violations.is_clean:
            self.bad.append(result)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script; return 0 if nothing was lost, doubled or done against a rule, 1 otherwise."""
    chosen = _parser().parse_args(arguments)
    if chosen.only is not None:
        return _replay(chosen.only, chosen.exchange)
    begun, tally = monotonic(), Tally()
    try:
        seeds = range(chosen.seed, chosen.seed + chosen.runs)
        for result in _all_runs(seeds, chosen.exchange, chosen.jobs):
            tally.add(result)
    except KeyboardInterrupt:
        sys.stderr.write("stopped before the end; what follows is of the runs so far\n")
    sys.stdout.write("".join(f"{line}\n" for line in summary(tally, chosen.exchange, monotonic() - begun)))
    return 1 if tally.bad or not tally.runs else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="chaos.py", description="Seeded disasters: is anything lost or doubled?")
    parser.add_argument("--exchange", choices=sorted(EXCHANGE_FACTS), default="binance", help="(default: binance)")
    parser.add_argument("--runs", type=_at_least_one, default=1000, help="how many (default: 1000)")
    parser.add_argument("--seed", type=int, default=0, help="of the first run; each further one adds 1 (default: 0)")
    parser.add_argument(
        "--jobs", type=_at_least_one, default=os.cpu_count() or 1, help="processes (default: all cores)"
    )
    parser.add_argument("--only", type=int, metavar="SEED", help="replay one run, and tell all that happens in it")
    return parser


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: a whole number from 1 on is needed")
    return int(text)


def _all_runs(seeds: range, exchange: ExchangeName, jobs: int) -> Iterator[SeedResult]:
    columns = (TextColumn("disasters"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        # Ctrl-C reaches every process of the terminal; this one ends the others.
        multiprocessing.Pool(min(jobs, len(seeds)), signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool,
        Progress(*columns, console=Console(stderr=True)) as bar,
    ):
        task = bar.add_task("", total=len(seeds))
        for result in pool.imap_unordered(partial(run_seed, exchange=exchange), seeds, chunksize=SEEDS_PER_BATCH):
            bar.advance(task)
            yield result


def summary(tally: Tally, exchange: ExchangeName, seconds: float) -> list[str]:
    """Return what there is to say of all runs, the bad ones first."""
    lines = []
    for result in sorted(tally.bad, key=lambda one: one.seed)[:MAX_SHOWN]:
        lines.append(f"seed {result.seed}: {'; '.join(result.violations.lines()[:3])}")
        lines.append(f"  replay it with: python chaos.py --exchange {exchange} --only {result.seed}")
    if len(tally.bad) > MAX_SHOWN:
        lines.append(f"... and {len(tally.bad) - MAX_SHOWN} more bad runs")
    deaths = tally.event_counts["kill"] + tally.event_counts["power cut"]
    faults = {kind: n for kind, n in tally.event_counts.most_common() if kind not in {"death", "kill", "power cut"}}
    return [
        *lines,
        f"{tally.runs} runs at {EXCHANGE_FACTS[exchange].name}, {tally.process_starts} lives of the bot, "
        f"{tally.orders} orders executed",
        f"{deaths} deaths ({tally.event_counts['kill']} kills, {tally.event_counts['power cut']} power cuts)",
        f"{sum(faults.values())} faults ({', '.join(f'{kind} {n}' for kind, n in faults.items())})",
        f"losses {tally.losses}, doubles {tally.duplicates}, other breaches {tally.breaches}; {seconds:.0f} seconds",
    ]


def _replay(seed: int, exchange: ExchangeName) -> int:
    result = run_seed(seed, exchange=exchange, verbose=True)
    ending = result.violations.lines() or ["nothing lost, nothing doubled, no rule broken"]
    sys.stdout.write("".join(f"{line}\n" for line in (*result.timeline, *ending)))
    return 0 if result.violations.is_clean else 1


if __name__ == "__main__":
    interruption.run(main)

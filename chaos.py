"""Puts the bot through seeded disasters and counts what it lost or doubled: nothing, if all is well.

    python chaos.py [--exchange NAME] [--runs N] [--seed S] [--jobs N] [--only SEED]

Each run is some days of market, faults and deaths in one process, all drawn from its seed: the wire loses, delays,
refuses and garbles, prices come late or never, markets close, the disk fills up, the clock jumps, the owner moves money
and asks for things, the process dies at any write, sync or request, the power fails. The bot is the real one, with the
exchange's real client; only wire, disk and clock are handed in, and the inbox that prices arrive in. A run that ends
badly is replayed alone, with everything the bot said, by --only SEED. No network, no keys, no files.
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
from pathlib import Path
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from marsshot.chaos.run import SeedResult, run_seed
from marsshot.commands.script import count_reader, read_arguments
from marsshot.config.bot_files import CONFIG
from marsshot.config.exchanges import EXCHANGE_FACTS, ExchangeName
from marsshot.config.loader import language_of
from marsshot.core.catalog import Catalog, CatalogText, catalog_of

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
    catalog = catalog_of(language_of(Path(CONFIG)))
    chosen = read_arguments(arguments, _parser)
    if chosen.only is not None:
        return _replay(chosen.only, chosen.exchange, catalog)
    begun, tally = monotonic(), Tally()
    try:
        seeds = range(chosen.seed, chosen.seed + chosen.runs)
        for result in _all_runs(seeds, chosen.exchange, chosen.jobs, catalog):
            tally.add(result)
    except KeyboardInterrupt:
        sys.stderr.write(f"{catalog.text('chaos.stopped')}\n")
    sys.stdout.write("".join(f"{line}\n" for line in summary(tally, chosen.exchange, monotonic() - begun, catalog)))
    return 1 if tally.bad or not tally.runs else 0


def _parser(catalog: Catalog) -> argparse.ArgumentParser:
    def text(option: str) -> str:
        return catalog.text(f"script.chaos.{option}")

    parser = argparse.ArgumentParser(prog="chaos.py", description=text("description"))
    add, count, number = parser.add_argument, count_reader(catalog), catalog.text("script.metavar.n")
    seed, jobs = catalog.text("script.metavar.seed"), os.cpu_count() or 1
    add("--exchange", choices=sorted(EXCHANGE_FACTS), default="binance", help=text("exchange"))
    add("--runs", metavar=number, type=count, default=1000, help=text("runs"))
    add("--seed", metavar=seed, type=int, default=0, help=text("seed"))
    add("--jobs", metavar=number, type=count, default=jobs, help=catalog.text("script.jobs"))
    add("--only", metavar=seed, type=int, help=text("only"))
    return parser


def _all_runs(seeds: range, exchange: ExchangeName, jobs: int, catalog: Catalog) -> Iterator[SeedResult]:
    columns = (TextColumn(catalog.text("chaos.disasters")), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        # Ctrl-C reaches every process of the terminal; this one ends the others.
        multiprocessing.Pool(min(jobs, len(seeds)), signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool,
        Progress(*columns, console=Console(stderr=True)) as bar,
    ):
        task = bar.add_task("", total=len(seeds))
        for result in pool.imap_unordered(partial(run_seed, exchange=exchange), seeds, chunksize=SEEDS_PER_BATCH):
            bar.advance(task)
            yield result


def summary(tally: Tally, exchange: ExchangeName, seconds: float, catalog: Catalog) -> list[str]:
    """Return what there is to say of all runs, the bad ones first."""
    text, lines = catalog.text, []
    for result in sorted(tally.bad, key=lambda one: one.seed)[:MAX_SHOWN]:
        told = CatalogText("; ".join(result.violations.lines()[:3]))
        lines.append(text("chaos.bad", seed=str(result.seed), told=told))
        lines.append(f"  {text('chaos.replay', venue=exchange, seed=str(result.seed))}")
    if len(tally.bad) > MAX_SHOWN:
        lines.append(text("chaos.more", count=len(tally.bad) - MAX_SHOWN))
    kills, cuts = tally.event_counts["kill"], tally.event_counts["power cut"]
    faults = {kind: n for kind, n in tally.event_counts.most_common() if kind not in {"death", "kill", "power cut"}}
    name, kinds = EXCHANGE_FACTS[exchange].name, tuple(f"{_named(kind, catalog)} {n}" for kind, n in faults.items())
    found = {"losses": tally.losses, "doubles": tally.duplicates, "breaches": tally.breaches}
    return [
        *lines,
        text("chaos.runs", runs=tally.runs, venue=name, lives=tally.process_starts, orders=tally.orders),
        text("chaos.deaths", deaths=kills + cuts, kills=kills, cuts=cuts),
        text("chaos.faults", count=sum(faults.values()), kinds=kinds),
        text("chaos.result", seconds=seconds, **found),
    ]


def _named(kind: str, catalog: Catalog) -> str:
    return catalog.text(f"chaos.kind.{kind.replace(' ', '_')}")


def _replay(seed: int, exchange: ExchangeName, catalog: Catalog) -> int:
    result = run_seed(seed, exchange=exchange, verbose=True)
    ending = result.violations.lines() or [catalog.text("chaos.nothing")]
    sys.stdout.write("".join(f"{line}\n" for line in (*result.timeline, *ending)))
    return 0 if result.violations.is_clean else 1


if __name__ == "__main__":
    interruption.run(main)

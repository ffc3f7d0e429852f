"""Writes training_data.csv: a year of daily history of every training token, with indicators and labels.

    python build_csv.py [--config PATH] [--output PATH] [--days N] [--tokens A,B]

Asks LunarCrush once per token (closed days come from the cache). The file is replaced only when complete.
"""

from __future__ import annotations

if __name__ == "__main__":  # Ctrl-C may come while the rest is still loading
    from marsshot.infra import interruption

    interruption.guard_loading()

import argparse
import math
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from marsshot.commands.script import run_script
from marsshot.config.bot_files import CONFIG, TRAINING_DATA
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import InputError, MarsShotError, TemporaryError
from marsshot.infra.atomic_files import replace_file
from marsshot.infra.csv_text import csv_text
from marsshot.market_data.bar_cache import cache_folder
from marsshot.market_data.lunarcrush import DailyBars, LunarCrush, NotTrackedError, QuotaSpentError
from marsshot.model.features import FEATURES, feature_table, has_features, labelled

if TYPE_CHECKING:
    from marsshot.config.settings import Settings

MARKET = ("BTC", "ETH")  # their daily changes are features of every token
DAYS_ALLOWED = (36, 5000)
CACHE_NOTE = "what was fetched is kept and not asked for again"
_MINUTE = "%Y-%m-%d %H:%M UTC"


class NothingToWriteError(MarsShotError):
    """The history that training needs could not be had. No file was touched."""


@dataclass(frozen=True, slots=True)
class Histories:
    """What could be fetched, and why the rest could not."""

    by_symbol: Mapping[str, DailyBars]
    left_out: Mapping[str, str] = field(default_factory=dict)  # LunarCrush has no history of them
    missing: Mapping[str, str] = field(default_factory=dict)  # not to be had now; asking again later may help


def fetch_histories(
    source: LunarCrush,
    coins: Mapping[str, str],
    days: int,
    progress: Callable[[str, int], None] = lambda symbol, done: None,
) -> Histories:
    """Fetch the history of each symbol, coins giving LunarCrush's name of it, BTC and ETH first.

    Raises NothingToWriteError if BTC's or ETH's cannot be had, QuotaSpentError, and what refuses every token.
    """
    fetched: dict[str, DailyBars] = {}
    left_out: dict[str, str] = {}
    missing: dict[str, str] = {}
    for done, symbol in enumerate(sorted(coins, key=lambda symbol: symbol not in MARKET)):
        progress(symbol, done)
        try:
            fetched[symbol] = source.daily_bars(symbol, coins[symbol], days)
        except QuotaSpentError:
            raise
        except (NotTrackedError, TemporaryError) as error:
            if symbol in MARKET:
                raise NothingToWriteError(f"{error}; without {symbol} no row can be made, try again later") from None
            (missing if isinstance(error, TemporaryError) else left_out)[symbol] = str(error)
    progress("", len(coins))
    return Histories(fetched, left_out, missing)


def training_rows(
    histories: Mapping[str, DailyBars], tokens: Sequence[str], shift_days: int, threshold: Decimal
) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows of the training file, and lines that say what was left out and what has gaps."""
    wanted = {symbol: histories[symbol] for symbol in tokens if symbol in histories}
    table = feature_table(wanted, *(histories[symbol] for symbol in MARKET))
    rows = labelled(table, shift_days, threshold)
    days = sum(len(bars.days) for bars in wanted.values())
    notes = []
    if days > len(table):
        notes.append(f"{days - len(table)} days left out: a price is missing or zero")
    if len(table) > len(rows):
        notes.append(f"{len(table) - len(rows)} days left out: the close {shift_days} days later is not known")
    gaps = (~has_features(rows)).sum()
    if empty := [f"{name} {gaps[name]}" for name in FEATURES if gaps[name]]:
        notes.append(f"rows with an empty cell, which training leaves out: {', '.join(empty)}")
    return rows, notes


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script; return its exit code."""
    return run_script("build_csv.py", _run, _arguments(argv), kept=", what was fetched is kept for the next run")


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Write training_data.csv from LunarCrush's daily history.")
    parser.add_argument("--config", type=Path, default=Path(CONFIG), help="settings (default: config.yaml)")
    parser.add_argument("--output", type=Path, help="file to write (default: training_data.csv, with the mode's name)")
    parser.add_argument("--days", type=int, help="days of history per token (default: training.days)")
    parser.add_argument("--tokens", help="tokens, such as FET,OP (default: training_tokens)")
    return parser.parse_args(argv)


def _run(arguments: argparse.Namespace) -> None:
    from marsshot.bot.environment import open_environment  # noqa: PLC0415
    from marsshot.config.loader import read_settings  # noqa: PLC0415 - --help needs none of it

    settings = read_settings(arguments.config)
    tokens = _tokens(arguments.tokens)
    days = _days(arguments.days) or settings.training.days
    output = arguments.output or settings.file(TRAINING_DATA)
    _check_output(output)
    if settings.mode != "demo" and (faults := settings.missing_keys("lunarcrush.api_key")):
        raise InputError(*faults)
    with open_environment(settings) as surroundings:
        dressed, console = surroundings.settings, Console(stderr=True)
        source = LunarCrush(
            api_key=dressed.lunarcrush.api_key.get_secret_value(),
            base_url=dressed.lunarcrush.base_url,
            requests_per_minute=dressed.lunarcrush.requests_per_minute,
            cache_dir=cache_folder(settings.mode),
            clock=surroundings.clock,
            notify=lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True),
        )
        build(source, dressed, tokens or dressed.training_tokens, days, output, console)
    if settings.mode == "demo":
        sys.stdout.write(f"{LocalizedText('demo.stand_ins')}\n")


def build(
    source: LunarCrush, settings: Settings, tokens: Sequence[str], days: int, output: Path, console: Console
) -> None:
    """Fetch, calculate, write the file, and tell what is in it. Raises MarsShotError; then no file was touched."""
    coins = {symbol: settings.lunarcrush_coin(symbol) for symbol in dict.fromkeys((*MARKET, *tokens))}
    histories = _all_histories(source, coins, days, output, console)
    training = settings.training
    rows, notes = training_rows(histories.by_symbol, tokens, training.shift_days, training.threshold)
    left_out = [f"  {line}" for line in histories.left_out.values()]
    if rows.empty:
        raise NothingToWriteError("\n".join([f"{output}: not written, no token has a labelled day", *left_out]))
    try:
        replace_file(output, csv_text(rows))
    except OSError as error:
        raise NothingToWriteError(f"{output}: cannot be written ({error.strerror})") from None
    sys.stdout.write(
        f"{output}: {len(rows)} rows of {rows['symbol'].nunique()} tokens, "
        f"{rows['date'].min():%Y-%m-%d} to {rows['date'].max():%Y-%m-%d}, "
        f"{rows['label'].mean():.1%} labelled 1; {source.requests_made} requests\n"
    )
    if left_out:
        sys.stdout.write("\n".join([f"{len(left_out)} tokens left out:", *left_out, ""]))
    sys.stdout.writelines(f"{note}\n" for note in notes)


def _all_histories(
    source: LunarCrush, coins: Mapping[str, str], days: int, output: Path, console: Console
) -> Histories:
    """Fetch under a bar. Raises NothingToWriteError if some cannot be had now: half a file must not replace a whole."""
    try:
        with _bar(source, len(coins), console) as advance:
            histories = fetch_histories(source, coins, days, advance)
    except QuotaSpentError as error:
        when = "later (LunarCrush does not say when)" if error.until is None else f"from {error.until:{_MINUTE}} on"
        raise NothingToWriteError(
            f"{output}: not written, LunarCrush's daily quota of requests is used up; run it again {when}: {CACHE_NOTE}"
        ) from None
    if histories.missing:
        first = next(iter(histories.missing.values()))
        raise NothingToWriteError(
            f"{output}: not written, {len(histories.missing)} of {len(coins)} tokens could not be had now ({first}); "
            f"run it again later: {CACHE_NOTE}"
        )
    return histories


@contextmanager
def _bar(source: LunarCrush, tokens: int, console: Console) -> Iterator[Callable[[str, int], None]]:
    """Show token, count and time left while the block runs; yields what tells it of each token."""
    columns = (TextColumn("{task.description:<8}"), BarColumn(), MofNCompleteColumn(), _TimeLeft())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=tokens, paced_until=0.0)

        def advance(symbol: str, done: int) -> None:
            requests_per_token = source.requests_made / done if done else 1.0  # what the cache holds costs none
            paced = source.seconds_for(math.ceil((tokens - done) * requests_per_token))
            bar.update(task, completed=done, description=symbol, paced_until=bar.get_time() + paced)

        yield advance


class _TimeLeft(ProgressColumn):
    """The longer of what the limit of requests takes for certain and what the tokens so far took."""

    def render(self, task: Task) -> Text:
        """Return the text of the column."""
        left = task.fields["paced_until"] - task.get_time()
        if task.completed and task.elapsed is not None:
            left = max(left, task.elapsed / task.completed * (task.remaining or 0))
        return Text(f"{timedelta(seconds=max(0, math.ceil(left)))} left")


def _tokens(text: str | None) -> tuple[str, ...] | None:
    """Return the tokens of --tokens. Raises InputError."""
    if text is None:
        return None
    tokens = tuple(dict.fromkeys(token.strip().upper() for token in text.split(",")))
    if wrong := [token for token in tokens if not re.fullmatch(r"[^\W_]{1,20}", token)]:
        raise InputError(f"--tokens: {wrong[0]!r} is no ticker; give a list such as FET,OP")
    return tokens


def _days(days: int | None) -> int | None:
    if days is not None and not DAYS_ALLOWED[0] <= days <= DAYS_ALLOWED[1]:
        raise InputError(f"--days: {days} is not allowed; it must be from {DAYS_ALLOWED[0]} to {DAYS_ALLOWED[1]}")
    return days


def _check_output(output: Path) -> None:
    """Refuse a path that cannot be written before a quarter of an hour is spent. Raises InputError."""
    if output.is_dir():
        raise InputError(f"--output: {output} is a directory; name a file")
    if not output.parent.is_dir():
        raise InputError(f"--output: there is no directory {output.parent}; make it first")
    if not os.access(output.parent, os.W_OK):
        raise InputError(f"--output: nothing may be written in {output.parent}")


if __name__ == "__main__":
    interruption.run(main)

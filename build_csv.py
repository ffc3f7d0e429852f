"""Writes training_data.csv: a year of daily history of every training token, with indicators and labels.

    python build_csv.py [--config PATH] [--output PATH] [--days N] [--tokens A,B]

Asks the source of daily bars once per token (closed days come from the cache). The file is replaced only when complete.
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
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
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
from marsshot.config.data_sources import SOURCE_FACTS
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import InputError, MarsShotError
from marsshot.core.wording import counted
from marsshot.infra.atomic_files import replace_file
from marsshot.infra.csv_text import csv_text
from marsshot.market_data.bar_cache import DailyBars
from marsshot.market_data.base import DailyBarSource, NotTrackedError, QuotaSpentError, ShutOutError, UnusableBarsError
from marsshot.market_data.daily_bar_sources import open_source, source_kind
from marsshot.model.features import FEATURES, INDICATORS, feature_table, features_in, has_features, labelled

if TYPE_CHECKING:
    from marsshot.config.settings import Settings

MARKET = ("BTC", "ETH")  # their daily changes are features of every token
MIN_TOKENS = 5  # with fewer left of those that were asked for nothing worth its name is learnt
DAYS_ALLOWED = (36, 5000)
CACHE_NOTE = "what was fetched is kept and not asked for again"
_MINUTE = "%Y-%m-%d %H:%M UTC"


class NothingToWriteError(MarsShotError):
    """The history that training needs could not be had. No file was touched."""


@dataclass(frozen=True, slots=True)
class Histories:
    """What could be fetched, and why the rest could not."""

    by_symbol: Mapping[str, DailyBars]
    left_out: Mapping[str, str] = field(default_factory=dict)  # the source has no history of them
    missing: Mapping[str, str] = field(default_factory=dict)  # not to be had now; asking again later may help


def fetch_histories(
    source: DailyBarSource,
    coins: Mapping[str, str],
    days: int,
    progress: Callable[[str, int], None] = lambda symbol, done: None,
) -> Histories:
    """Fetch the history of each symbol, coins giving the source's name of it, BTC and ETH first.

    Raises NothingToWriteError if BTC's or ETH's cannot be had, QuotaSpentError, and what refuses every token.
    """
    fetched: dict[str, DailyBars] = {}
    left_out: dict[str, str] = {}
    missing: dict[str, str] = {}
    ordered = sorted(coins, key=lambda symbol: symbol not in MARKET)
    progress(ordered[0], 0)
    for done, (symbol, answer) in enumerate(source.each_daily_bars({one: coins[one] for one in ordered}, days), 1):
        progress(ordered[done] if done < len(ordered) else "", done)
        if isinstance(answer, DailyBars):
            fetched[symbol] = answer
        elif isinstance(answer, QuotaSpentError):
            raise answer
        elif symbol in MARKET:
            raise NothingToWriteError(f"{answer}; without {symbol} no row can be made, try again later")
        else:
            (left_out if isinstance(answer, NotTrackedError | UnusableBarsError) else missing)[symbol] = str(answer)
    return Histories(fetched, left_out, missing)


def training_rows(
    histories: Mapping[str, DailyBars],
    tokens: Sequence[str],
    shift_days: int,
    threshold: Decimal,
    absent: Collection[str] = (),
) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows of the training file, and lines that say what was left out and what has gaps.

    absent: the columns that the source has none of.
    """
    wanted = {symbol: histories[symbol] for symbol in tokens if symbol in histories}
    table = feature_table(wanted, *(histories[symbol] for symbol in MARKET))
    rows = labelled(table, shift_days, threshold)
    days = sum(len(bars.days) for bars in wanted.values())
    notes = []
    if days > len(table):
        notes.append(f"{days - len(table)} days left out: a price is missing or zero")
    if holes := [f"{symbol} {missing}" for symbol, bars in wanted.items() if (missing := _missing_days(bars))]:
        notes.append(f"days that the source has not, between others that it has: {', '.join(holes)}")
    if len(table) > len(rows):
        notes.append(f"{len(table) - len(rows)} days left out: the close {shift_days} days later is not known")
    features = features_in(FEATURES, absent)
    gaps = (~has_features(rows, features)).sum()
    if empty := [f"{name} {gaps[name]}" for name in features if gaps[name]]:
        notes.append(f"rows with an empty cell, which training leaves out: {', '.join(empty)}")
    return rows, notes


def _missing_days(bars: DailyBars) -> int:
    return int((bars.days[-1] - bars.days[0]).astype(int)) + 1 - len(bars.days) if len(bars.days) else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script; return its exit code."""
    return run_script("build_csv.py", _run, _arguments(argv), has_kept=True)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Write training_data.csv from daily history.")
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
    if settings.mode != "demo" and (faults := settings.missing_keys(*SOURCE_FACTS[settings.data_source].keys)):
        raise InputError(*faults)
    with open_environment(settings) as surroundings:
        dressed, console = surroundings.settings, Console(stderr=True)
        source = open_source(
            dressed,
            surroundings.clock,
            lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True),
        )
        build(source, dressed, tokens or dressed.training_tokens, days, output, console)
    if settings.mode == "demo":
        sys.stdout.write(f"{LocalizedText('demo.stand_ins')}\n")


def build(
    source: DailyBarSource, settings: Settings, tokens: Sequence[str], days: int, output: Path, console: Console
) -> None:
    """Fetch, calculate, write the file, and tell what is in it. Raises MarsShotError; then no file was touched."""
    kind = source_kind(settings)
    coins = {symbol: kind.coin(settings, symbol) for symbol in dict.fromkeys((*MARKET, *tokens))}
    histories = _all_histories(source, coins, days, (output, settings.source_name), console)
    training, absent = settings.training, kind.missing_columns
    rows, notes = training_rows(histories.by_symbol, tokens, training.shift_days, training.threshold, absent)
    notes += [f"{settings.source_name} has no {', '.join(absent)}: training does without"] if absent else []
    rows, too_young = _without_young_tokens(rows)
    left_out = [f"  {line}" for line in (*histories.left_out.values(), *too_young)]
    left = rows["symbol"].nunique()
    if rows.empty or left < MIN_TOKENS <= len(tokens):
        reason = "no token has a labelled day" if rows.empty else f"only {left} of {len(tokens)} tokens are left"
        raise NothingToWriteError("\n".join([f"{output}: not written, {reason}", *left_out]))
    try:
        replace_file(output, csv_text(rows))
    except OSError as error:
        raise NothingToWriteError(f"{output}: cannot be written ({error.strerror})") from None
    sys.stdout.write(
        f"{output}: {len(rows)} rows of {counted(rows['symbol'].nunique(), 'token')}, "
        f"{rows['date'].min():%Y-%m-%d} to {rows['date'].max():%Y-%m-%d}, "
        f"{rows['label'].mean():.1%} labelled 1; {source.requests_made} requests\n"
    )
    if left_out:
        sys.stdout.write("\n".join([f"{counted(len(left_out), 'token')} left out:", *left_out, ""]))
    sys.stdout.writelines(f"{note}\n" for note in notes)


def _without_young_tokens(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Leave out the tokens that have not one row with all indicators; tell each by name."""
    complete = has_features(rows, INDICATORS).all(axis=1)
    young = sorted(set(rows["symbol"]) - set(rows.loc[complete, "symbol"]))
    days = rows.groupby("symbol", observed=True).size()
    lines = [f"{symbol}: {days[symbol]} days with a label are too few for the indicators" for symbol in young]
    return rows[~rows["symbol"].isin(young)], lines


def _all_histories(
    source: DailyBarSource, coins: Mapping[str, str], days: int, names: tuple[Path, str], console: Console
) -> Histories:
    """Fetch under a bar. Raises NothingToWriteError if some cannot be had now: half a file must not replace a whole."""
    output, source_name = names
    try:
        with _bar(source, len(coins), console) as advance:
            histories = fetch_histories(source, coins, days, advance)
    except QuotaSpentError as error:
        when = f"later ({source_name} does not say when)" if error.until is None else f"from {error.until:{_MINUTE}} on"
        is_banned = isinstance(error, ShutOutError)
        what = " answers nothing for now" if is_banned else "'s daily quota of requests is used up"
        raise NothingToWriteError(
            f"{output}: not written, {source_name}{what}; run it again {when}: {CACHE_NOTE}"
        ) from None
    if histories.missing:
        first = next(iter(histories.missing.values()))
        raise NothingToWriteError(
            f"{output}: not written, {len(histories.missing)} of {len(coins)} tokens could not be had now ({first}); "
            f"run it again later: {CACHE_NOTE}"
        )
    return histories


@contextmanager
def _bar(source: DailyBarSource, tokens: int, console: Console) -> Iterator[Callable[[str, int], None]]:
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

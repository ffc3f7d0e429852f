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

from marsshot.commands.script import read_arguments, run_script
from marsshot.config.bot_files import CONFIG, TRAINING_DATA
from marsshot.config.data_sources import SOURCE_FACTS
from marsshot.core.catalog import Catalog, LocalizedText, catalog_of
from marsshot.core.errors import InputError, MarsShotError
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


class NothingToWriteError(MarsShotError):
    """The history that training needs could not be had. No file was touched. left_out: the tokens without, and why."""

    def __init__(self, message: str, left_out: Sequence[str] = ()) -> None:
        super().__init__(message)
        self._left_out = left_out

    def __str__(self) -> str:
        """Return the lines."""
        return "\n".join(self.faults)

    @property
    def faults(self) -> tuple[str, ...]:
        """The message, and a line for each token that was left out."""
        return (self.message, *self._left_out)


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
            raise NothingToWriteError(LocalizedText("history.fault.market", why=answer.message, symbol=symbol))
        else:
            (left_out if isinstance(answer, NotTrackedError | UnusableBarsError) else missing)[symbol] = answer.message
    return Histories(fetched, left_out, missing)


def training_rows(
    histories: Mapping[str, DailyBars],
    tokens: Sequence[str],
    shift_days: int,
    threshold: Decimal,
    absent: Collection[str] = (),
) -> tuple[pd.DataFrame, list[LocalizedText]]:
    """Return the rows of the training file, and lines that say what was left out and what has gaps.

    absent: the columns that the source has none of.
    """
    wanted = {symbol: histories[symbol] for symbol in tokens if symbol in histories}
    table = feature_table(wanted, *(histories[symbol] for symbol in MARKET))
    rows = labelled(table, shift_days, threshold)
    days = sum(len(bars.days) for bars in wanted.values())
    notes = []
    if days > len(table):
        notes.append(LocalizedText("history.no_price", count=days - len(table)))
    if holes := {symbol: missing for symbol, bars in wanted.items() if (missing := _missing_days(bars))}:
        notes.append(LocalizedText("history.holes", tokens=_counted(holes)))
    if len(table) > len(rows):
        notes.append(LocalizedText("history.no_label", count=len(table) - len(rows), days=shift_days))
    features = features_in(FEATURES, absent)
    gaps = (~has_features(rows, features)).sum()
    if empty := {name: int(gaps[name]) for name in features if gaps[name]}:
        notes.append(LocalizedText("history.empty_cells", columns=_counted(empty)))
    return rows, notes


def _counted(counts: Mapping[str, int]) -> tuple[LocalizedText, ...]:
    return tuple(LocalizedText("history.counted", name=name, count=count) for name, count in counts.items())


def _missing_days(bars: DailyBars) -> int:
    return int((bars.days[-1] - bars.days[0]).astype(int)) + 1 - len(bars.days) if len(bars.days) else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script; return its exit code."""
    return run_script("build_csv.py", _run, read_arguments(argv, _parser), has_kept=True)


def _parser(catalog: Catalog) -> argparse.ArgumentParser:
    def text(option: str) -> str:
        return catalog.text(f"script.build_csv.{option}")

    parser = argparse.ArgumentParser(prog="build_csv.py", description=text("description"))
    path, number, tokens = (catalog.text(f"script.metavar.{name}") for name in ("path", "n", "tokens"))
    add = parser.add_argument
    add("--config", metavar=path, type=Path, default=Path(CONFIG), help=catalog.text("script.config"))
    add("--output", metavar=path, type=Path, help=text("output"))
    add("--days", metavar=number, type=int, help=text("days"))
    add("--tokens", metavar=tokens, help=text("tokens"))
    return parser


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
        dressed, console, catalog = surroundings.settings, Console(stderr=True), catalog_of(settings.language)
        source = open_source(
            dressed,
            surroundings.clock,
            lambda line: console.print(catalog.render(line), markup=False, highlight=False, soft_wrap=True),
        )
        build(source, dressed, tokens or dressed.training_tokens, days, output, console)
    if settings.mode == "demo":
        sys.stdout.write(f"{catalog.text('demo.stand_ins')}\n")


def build(
    source: DailyBarSource, settings: Settings, tokens: Sequence[str], days: int, output: Path, console: Console
) -> None:
    """Fetch, calculate, write the file, and tell what is in it. Raises MarsShotError; then no file was touched."""
    kind, catalog = source_kind(settings), catalog_of(settings.language)
    coins = {symbol: kind.coin(settings, symbol) for symbol in dict.fromkeys((*MARKET, *tokens))}
    histories = _all_histories(source, coins, days, (output, settings.source_name), console, catalog)
    training, absent = settings.training, kind.missing_columns
    rows, notes = training_rows(histories.by_symbol, tokens, training.shift_days, training.threshold, absent)
    notes += [LocalizedText("history.does_without", source=settings.source_name, columns=absent)] if absent else []
    rows, too_young = _without_young_tokens(rows)
    left_out = (*histories.left_out.values(), *too_young)
    left = rows["symbol"].nunique()
    if rows.empty:
        raise NothingToWriteError(LocalizedText("history.fault.no_rows", path=output), left_out)
    if left < MIN_TOKENS <= len(tokens):
        few = LocalizedText("history.fault.few_tokens", path=output, left=left, count=len(tokens))
        raise NothingToWriteError(few, left_out)
    try:
        replace_file(output, csv_text(rows))
    except OSError as error:
        told = LocalizedText("history.fault.not_written", path=output, why=str(error.strerror))
        raise NothingToWriteError(told) from None
    lines = [_summary(output, rows, source.requests_made, catalog)]
    if left_out:
        lines.append(catalog.text("history.left_out", count=len(left_out)))
        lines += [f"  {catalog.render(line)}" for line in left_out]
    sys.stdout.writelines(f"{line}\n" for line in (*lines, *map(catalog.render, notes)))


def _summary(output: Path, rows: pd.DataFrame, requests: int, catalog: Catalog) -> str:
    return catalog.text(
        "history.rows",
        path=output,
        rows=len(rows),
        tokens=int(rows["symbol"].nunique()),
        first=rows["date"].min().date(),
        last=rows["date"].max().date(),
        share=float(rows["label"].mean()),
        requests=requests,
    )


def _without_young_tokens(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[LocalizedText]]:
    """Leave out the tokens that have not one row with all indicators; tell each by name."""
    complete = has_features(rows, INDICATORS).all(axis=1)
    young = sorted(set(rows["symbol"]) - set(rows.loc[complete, "symbol"]))
    days = rows.groupby("symbol", observed=True).size()
    lines = [LocalizedText("history.too_young", symbol=symbol, count=int(days[symbol])) for symbol in young]
    return rows[~rows["symbol"].isin(young)], lines


def _all_histories(
    source: DailyBarSource,
    coins: Mapping[str, str],
    days: int,
    names: tuple[Path, str],
    console: Console,
    catalog: Catalog,
) -> Histories:
    """Fetch under a bar. Raises NothingToWriteError if some cannot be had now: half a file must not replace a whole."""
    output, source_name = names
    try:
        with _bar(source, len(coins), console, catalog) as advance:
            histories = fetch_histories(source, coins, days, advance)
    except QuotaSpentError as error:
        later = LocalizedText("history.fault.later", source=source_name)
        when = later if error.until is None else LocalizedText("history.fault.from", until=error.until)
        fault = "shut_out" if isinstance(error, ShutOutError) else "quota"
        told = LocalizedText(f"history.fault.{fault}", path=output, source=source_name, when=when)
        raise NothingToWriteError(told) from None
    if histories.missing:
        counts = {"missing": len(histories.missing), "count": len(coins)}
        why = next(iter(histories.missing.values()))
        raise NothingToWriteError(LocalizedText("history.fault.missing", path=output, why=why, **counts))
    return histories


@contextmanager
def _bar(
    source: DailyBarSource, tokens: int, console: Console, catalog: Catalog
) -> Iterator[Callable[[str, int], None]]:
    """Show token, count and time left on a terminal while the block runs; yields what tells it of each token."""
    columns = (TextColumn("{task.description:<8}"), BarColumn(), MofNCompleteColumn(), _TimeLeft(catalog))
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=tokens, paced_until=0.0)

        def advance(symbol: str, done: int) -> None:
            requests_per_token = source.requests_made / done if done else 1.0  # what the cache holds costs none
            paced = source.seconds_for(math.ceil((tokens - done) * requests_per_token))
            bar.update(task, completed=done, description=symbol, paced_until=bar.get_time() + paced)

        yield advance


class _TimeLeft(ProgressColumn):
    """The longer of what the limit of requests takes for certain and what the tokens so far took."""

    def __init__(self, catalog: Catalog) -> None:
        super().__init__()
        self._catalog = catalog

    def render(self, task: Task) -> Text:
        """Return the text of the column."""
        left = task.fields["paced_until"] - task.get_time()
        if task.completed and task.elapsed is not None:
            left = max(left, task.elapsed / task.completed * (task.remaining or 0))
        time = str(timedelta(seconds=max(0, math.ceil(left))))
        return Text(self._catalog.text("history.time_left", time=time))


def _tokens(text: str | None) -> tuple[str, ...] | None:
    """Return the tokens of --tokens. Raises InputError."""
    if text is None:
        return None
    tokens = tuple(dict.fromkeys(token.strip().upper() for token in text.split(",")))
    if wrong := [token for token in tokens if not re.fullmatch(r"[^\W_]{1,20}", token)]:
        raise InputError(LocalizedText("history.fault.ticker", given=repr(wrong[0])))
    return tokens


def _days(days: int | None) -> int | None:
    if days is not None and not DAYS_ALLOWED[0] <= days <= DAYS_ALLOWED[1]:
        first, last = map(str, DAYS_ALLOWED)
        raise InputError(
            LocalizedText("script.fault.out_of_range", option="--days", given=str(days), first=first, last=last)
        )
    return days


def _check_output(output: Path) -> None:
    """Refuse a path that cannot be written before a quarter of an hour is spent. Raises InputError."""
    if output.is_dir():
        raise InputError(LocalizedText("history.fault.output_is_folder", path=output))
    if not output.parent.is_dir():
        raise InputError(LocalizedText("history.fault.no_folder", folder=output.parent))
    if not os.access(output.parent, os.W_OK):
        raise InputError(LocalizedText("history.fault.read_only", folder=output.parent))


if __name__ == "__main__":
    interruption.run(main)

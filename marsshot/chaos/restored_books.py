"""What `recover` makes of a book of any earlier moment, or of none, once a run is over: what is really the bot's.

The command's own survey and writing, on the run's disk; its orders come from the exchange as they always come. Owner's
and bot's shares are the world's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

from marsshot.chaos.simulation import TOKENS, Simulation
from marsshot.commands.recovery.recover import write_book
from marsshot.commands.recovery.recovery_survey import present_book, survey_at
from marsshot.config.bot_files import BOOK, TRADES
from marsshot.core.book import Book
from marsshot.core.catalog import catalog_of
from marsshot.core.errors import MarsShotError, TemporaryError
from marsshot.infra.atomic_files import backup_path
from marsshot.market_data.bar_cache import DailyBars
from marsshot.portfolio.serialization import book_from_json

LONGEST_RUN_DAYS = 4
ZERO = Decimal(0)


def faults_of_recovery(simulation: Simulation, saved: Sequence[bytes]) -> Iterator[str]:
    """Restore one of the books, or lose it, and trades.csv with it or not; yield how what `recover` writes is wrong.

    saved: every book of the run, oldest first.
    """
    filesystem, faults = simulation.filesystem, simulation.fault_schedule
    filesystem.on_rename = lambda _path, _content: None  # it is no run any more
    number = faults.below(len(saved) + 1)
    if number < len(saved):
        filesystem.put(Path(BOOK), saved[number])
    else:
        filesystem.take(Path(BOOK))
        filesystem.take(backup_path(Path(BOOK)))
    if faults.choose((True, False)):
        filesystem.take(Path(TRADES))
    told = f"recovered from book {number + 1} of {len(saved)}"
    try:
        _recover(simulation)
        book = book_from_json(filesystem.read(Path(BOOK)).decode(), "the recovered book")
    except MarsShotError as error:
        yield f"{told}: {error}"
        return
    yield from _faults_of(told, book, simulation)


def _recover(simulation: Simulation) -> None:
    """Do what the command does after its yes."""
    settings, disk = simulation.settings, simulation.disk
    base = present_book(settings, disk)
    found = survey_at(
        simulation.new_exchange(),
        settings,
        simulation.clock,
        base,
        disk=disk,
        daily_bars=_no_bars,
        notify=lambda _line: None,
        days=LONGEST_RUN_DAYS,
    )
    write_book(settings, found, disk, catalog_of(settings.language))


def _no_bars(symbol: str, _coin: str, _days: int) -> DailyBars:
    """Have no closes: a top stays what the orders tell."""
    raise TemporaryError(f"no bars of {symbol}")


def _faults_of(told: str, book: Book, simulation: Simulation) -> Iterator[str]:
    there = simulation.owner.bots_share(simulation.venue.money)
    if book.capital != there:
        yield f"{told}: the capital is {book.capital}, of which {there} are there"
    for token in TOKENS:
        held = book.positions.get(token)
        counted = (held.qty if held is not None else ZERO) + book.dust.get(token, ZERO)
        if counted != simulation.owner.bots_share(token):
            yield f"{told}: {counted} {token}, of which {simulation.owner.bots_share(token)} are there"

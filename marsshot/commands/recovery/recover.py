"""`main.py recover`: the book rebuilt from the exchange's memory of this bot's orders, shown, and written after a yes.

May die at any line: buying is paused before the book is replaced, and rows that trades.csv lacks stay in the book until
the file has them. Sends no order.
"""

from __future__ import annotations

from contextlib import suppress

from marsshot.bot.control_files import ControlFiles
from marsshot.bot.environment import open_environment
from marsshot.commands.confirmation import is_confirmed
from marsshot.commands.recovery.recovery_survey import Survey, present_book, survey
from marsshot.commands.recovery.recovery_view import survey_lines
from marsshot.config.bot_files import BOOK, CASH_FLOWS, TRADES
from marsshot.config.settings import Settings
from marsshot.core.catalog import Catalog, LocalizedText
from marsshot.core.errors import InputError, TemporaryError
from marsshot.infra.atomic_files import Disk
from marsshot.portfolio.serialization import book_from_json
from positions_store import Store, check_folder, writer_lock

UNREADABLE_ENDING = ".unreadable"


def run_recover(settings: Settings, *, assume_yes: bool, days: int = 0) -> int:
    """Show the book that follows from the exchange, and write it after a yes. Returns 1 where nothing was written.

    Raises OperatorNeededError while a bot runs, InputError, TemporaryError or AccountTroubleError.
    """
    catalog, disk = Catalog(settings.language), Disk()
    if settings.mode == "paper":
        raise InputError(LocalizedText("recover.paper"))
    if settings.mode != "demo" and (missing := settings.missing_keys(*settings.exchange_facts.keys)):
        raise InputError(*missing)
    check_folder(settings.file(BOOK))
    with (
        writer_lock(settings.file(BOOK)),
        open_environment(settings, keep_account=True) as environment,
    ):
        base = present_book(settings, disk)
        found = survey(environment.settings, environment.clock, base, lambda line: print(catalog.render(line)), days)  # noqa: T201
        if not (found.recovery.orders or found.missing_rows or _is_lost(settings, disk)):
            print(catalog.text("recover.nothing_unknown"))  # noqa: T201
            return 0
        for line in survey_lines(found, catalog):
            print(line)  # noqa: T201
        if not assume_yes and not is_confirmed(catalog.text("recover.sure"), catalog):
            print(catalog.text("sell_all.nothing_done"))  # noqa: T201
            return 1
        write_book(settings, found, disk, catalog)
    print(catalog.text("recover.done"))  # noqa: T201
    return 0


def _is_lost(settings: Settings, disk: Disk) -> bool:
    """Return whether the book itself is missing or unreadable, whatever its backup says."""
    with suppress(OSError, UnicodeDecodeError, InputError):
        book_from_json(disk.read(settings.file(BOOK)).decode("utf-8"), BOOK)
        return False
    return True


def write_book(settings: Settings, found: Survey, disk: Disk, catalog: Catalog) -> None:
    """Pause buying, then replace the book; what cannot be read of it is kept aside. Raises TemporaryError."""
    path = settings.file(BOOK)
    ControlFiles(settings, disk).pause(LocalizedText("recover.paused"))
    try:
        if disk.exists(path) and _is_lost(settings, disk):
            disk.replace(path, path.with_name(path.name + UNREADABLE_ENDING))
    except OSError as error:
        raise TemporaryError(LocalizedText("fault.file.unwritable", path=path, why=error.strerror)) from None
    book = found.recovery.book
    trades, flows = settings.file(TRADES), settings.file(CASH_FLOWS)
    store = Store(book, path, trades, disk, lambda line: print(catalog.render(line)), cash_flows_path=flows)  # noqa: T201
    store.save(book)

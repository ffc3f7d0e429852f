"""`main.py restore FILE`: puts an archive's files in their places, then compares the book with the exchange.

Everything is checked before anything is written; what is replaced is archived first; the book comes last, so that a
death in between leaves the book that was there, or the restored one with all its files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import get_args

from marsshot.bot.bootstrap import required_keys
from marsshot.bot.environment import open_environment
from marsshot.commands.recovery.archive import Archive, unpack
from marsshot.commands.recovery.backup import collected, names_in, write_archive
from marsshot.commands.recovery.recovery_survey import survey
from marsshot.commands.recovery.recovery_view import finding_line
from marsshot.config.bot_files import BOOK, CONFIG, MODEL, MODEL_FACTS, USE_LIVES_MODEL, Mode, file_in_mode
from marsshot.config.loader import read_settings
from marsshot.config.settings import Settings
from marsshot.core.book import Book
from marsshot.core.catalog import Catalog, LocalizedText, catalog_of
from marsshot.core.errors import InputError, MarsShotError, StopRequested, TemporaryError
from marsshot.infra.atomic_files import Disk
from marsshot.infra.clock import SystemClock
from marsshot.portfolio.serialization import book_from_json
from positions_store import check_folder, load_state, writer_lock


def run_restore(source: Path, config: Path, *, force: bool) -> int:
    """Restore an archive, and tell what the exchange knows besides. force: an older book in place of a newer one, too.

    Without config.yaml the archive's is put there first. Raises OperatorNeededError while a bot runs, InputError for
    an archive or a book that cannot be trusted, TemporaryError for the disk.
    """
    disk = Disk()
    archive = _read(source, disk)
    book = _book_of(archive, source)
    if not disk.exists(config) and CONFIG in archive.files:
        _put({str(config): archive.files[CONFIG].content}, disk.write_secret, disk)
    settings = read_settings(config)
    if settings.mode != archive.mode and settings.set_mode == "live" and "test" in {settings.mode, archive.mode}:
        raise InputError(LocalizedText("restore.other_money", path=source))
    if settings.mode != archive.mode:
        raise InputError(LocalizedText("restore.other_mode", path=source, mode=archive.mode, set=settings.mode))
    catalog = catalog_of(settings.language)
    if settings.money_notice:
        print(catalog.render(settings.money_notice))  # noqa: T201
    check_folder(settings.file(BOOK))
    with writer_lock(settings.file(BOOK)):
        _refuse_older(book, archive, source, settings, disk, force=force)
        _keep_present(settings, config, disk, catalog)
        contents = _contents(archive)
        _put(contents, disk.write, disk)
        print(catalog.text("restore.done", count=len(contents), path=str(source)))  # noqa: T201
        if CONFIG in archive.files and disk.read(config) != archive.files[CONFIG].content:
            print(catalog.text("restore.config_kept", path=str(config)))  # noqa: T201
        _compare(settings, catalog, disk)
    return 0


def _contents(archive: Archive) -> dict[str, bytes]:
    """Return what to write, by place, the book last.

    The live bot's model, which some modes go with, becomes this mode's own: the live bot keeps what it has now.
    """
    places = {name: name for name in archive.files.keys() - {CONFIG}}
    if archive.mode in USE_LIVES_MODEL:
        for name in (MODEL, MODEL_FACTS):
            if places.pop(name, None):
                places.setdefault(file_in_mode(name, archive.mode).name, name)
    book = file_in_mode(BOOK, archive.mode).name
    return {place: archive.files[places[place]].content for place in sorted(places, key=lambda one: one == book)}


def _read(source: Path, disk: Disk) -> Archive:
    try:
        content = disk.read(source)
    except OSError as error:
        raise InputError(LocalizedText("fault.file.unreadable", path=source, why=error.strerror)) from None
    return unpack(content, str(source), {mode: names_in(mode) for mode in get_args(Mode)})


def _book_of(archive: Archive, source: Path) -> Book:
    name = file_in_mode(BOOK, archive.mode).name
    if name not in archive.files:
        raise InputError(LocalizedText("restore.no_book", path=source))
    try:
        book = book_from_json(archive.files[name].content.decode(), f"{source}: {name}")
    except UnicodeDecodeError:
        raise InputError(LocalizedText("fault.book.no_text", path=f"{source}: {name}")) from None
    if book.mode != archive.mode:
        raise InputError(LocalizedText("fault.book.other_mode", path=source, written=book.mode, set=archive.mode))
    return book


def _refuse_older(book: Book, archive: Archive, source: Path, settings: Settings, disk: Disk, *, force: bool) -> None:
    """Raise InputError where the present book has gone on since the archive was made; a torn one counts as none."""
    path = settings.file(BOOK)
    try:
        content = disk.read(path)
        present = book_from_json(content.decode(), str(path))
    except (OSError, UnicodeDecodeError, InputError):
        return
    saved = archive.files[path.name]
    is_older = _age(book) < _age(present)
    if _age(book) == _age(present) and content != saved.content:
        is_older = saved.changed_at < path.stat().st_mtime
    if is_older and not force:
        raise InputError(LocalizedText("restore.older", path=source, book=path))


def _age(book: Book) -> tuple[int, date, int]:
    """Return what only grows while a bot trades."""
    return book.order_serial, book.last_daily_update or date.min, book.reconciled_ms


def _keep_present(settings: Settings, config: Path, disk: Disk, catalog: Catalog) -> None:
    """Archive what is about to be replaced."""
    present, now = collected(settings, config, disk), SystemClock().now()
    if settings.file(BOOK).name in present.files:
        kept = Path(f"marsshot-{settings.mode}-{now:%Y%m%dT%H%M%SZ}.before-restore.tar")
        write_archive(present, kept, disk, now)
        print(catalog.text("restore.kept", path=str(kept)))  # noqa: T201


def _put(contents: Mapping[str, bytes], write: Callable[[Path, bytes], None], disk: Disk) -> None:
    """Write all files beside their places, then rename them, one after the other in this order."""
    scratches = {Path(f"{name}.tmp"): Path(name) for name in contents}
    try:
        for scratch, content in zip(scratches, contents.values(), strict=True):
            write(scratch, content)
        for scratch, path in scratches.items():
            disk.replace(scratch, path)
    except OSError as error:
        where = error.filename or next(iter(contents))
        raise TemporaryError(LocalizedText("fault.file.unwritable", path=where, why=error.strerror)) from None


def _compare(settings: Settings, catalog: Catalog, disk: Disk) -> None:
    """Tell what the exchange knows and the restored book does not. Trouble with it is told, too, and harms nothing."""
    if settings.mode == "paper":
        return
    book = load_state(settings.file(BOOK), settings.mode, disk)
    try:
        if missing := settings.missing_keys(*required_keys(settings)):
            raise InputError(*missing)
        with open_environment(settings, keep_account=True) as environment:
            recovery = survey(environment.settings, environment.clock, book, lambda _line: None).recovery
    except StopRequested:
        raise
    except MarsShotError as error:
        print(catalog.text("restore.not_compared", why=catalog.render(error.message)))  # noqa: T201
        return
    for finding in recovery.findings:
        print(finding_line(finding, recovery.book, catalog))  # noqa: T201
    key = "restore.lags" if recovery.orders else "restore.agrees"
    print(catalog.text(key, count=len(recovery.orders)))  # noqa: T201

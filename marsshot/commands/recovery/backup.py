"""`main.py backup [FILE]`: one archive of everything that could not be made again. Works beside a running bot.

The book is read before trades.csv: rows that it no longer holds are in the file by then, so no order is in neither.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from marsshot.commands.recovery.archive import Archive, SavedFile, pack
from marsshot.config.bot_files import (
    BOOK,
    BOT_FILES,
    CONFIG,
    CONTROL_FOLDER,
    MODEL,
    PAUSE,
    USE_LIVES_MODEL,
    Mode,
    facts_path,
    file_in_mode,
)
from marsshot.config.settings import Settings
from marsshot.core.catalog import Catalog, LocalizedText
from marsshot.core.errors import InputError, TemporaryError
from marsshot.infra.atomic_files import BACKUP_ENDING, Disk
from marsshot.infra.clock import SystemClock


def run_backup(settings: Settings, config: Path, given: Path | None) -> int:
    """Write the archive. Raises InputError where there is no book or the file is there, TemporaryError for the disk."""
    catalog, disk, now = Catalog(settings.language), Disk(), SystemClock().now()
    target = _target(settings, given, now)
    if disk.exists(target):
        raise InputError(LocalizedText("backup.there", path=target))
    archive = collected(settings, config, disk)
    if settings.file(BOOK).name not in archive.files:
        raise InputError(LocalizedText("backup.no_book", path=settings.file(BOOK)))
    write_archive(archive, target, disk, now)
    size = sum(len(saved.content) for saved in archive.files.values()) / 1e6
    print(catalog.text("backup.written", path=str(target), count=len(archive.files), megabytes=size))  # noqa: T201
    print(catalog.text("backup.keys" if CONFIG in archive.files else "backup.no_config"))  # noqa: T201
    return 0


def _target(settings: Settings, given: Path | None, now: datetime) -> Path:
    name = f"marsshot-{settings.mode}-{now:%Y%m%dT%H%M%SZ}.tar"
    if given is None:
        return Path(name)
    return given / name if given.is_dir() else given


def collected(settings: Settings, config: Path, disk: Disk) -> Archive:
    """Return what there is to save. Raises TemporaryError where a file is there and cannot be read."""
    files: dict[str, SavedFile] = {}
    for name, path in _places(settings.mode, config):
        with suppress(FileNotFoundError):
            try:
                files[name] = SavedFile(disk.read(path), path.stat().st_mtime)
            except FileNotFoundError:
                raise
            except OSError as error:
                raise TemporaryError(LocalizedText("fault.file.unreadable", path=path, why=error.strerror)) from None
    return Archive(settings.mode, files)


def write_archive(archive: Archive, target: Path, disk: Disk, now: datetime) -> None:
    """Write the archive, readable by its owner only, whole or not at all. Raises TemporaryError."""
    scratch = target.with_name(f"{target.name}.tmp")
    try:
        disk.write_secret(scratch, pack(archive, now))
        disk.replace(scratch, target)
    except OSError as error:
        raise TemporaryError(LocalizedText("fault.file.unwritable", path=target, why=error.strerror)) from None


def names_in(mode: Mode) -> frozenset[str]:
    """Return the names that an archive of this mode may hold."""
    return frozenset(name for name, _ in _places(mode, Path(CONFIG)))


def _places(mode: Mode, config: Path) -> Iterator[tuple[str, Path]]:
    """Yield each file's name in the archive and its place, in the order in which they are read.

    config.yaml has its name in the archive, whatever it is called here. Some modes may go with the live bot's model.
    """
    book = file_in_mode(BOOK, mode)
    yield f"{book.name}{BACKUP_ENDING}", book.with_name(f"{book.name}{BACKUP_ENDING}")
    for file in BOT_FILES:
        if file.is_backed_up and file.name != CONFIG:
            path = file_in_mode(file.name, mode)
            yield path.name, _requested(path) if file.name == PAUSE else path
    if mode in USE_LIVES_MODEL:
        yield MODEL, Path(MODEL)
        yield facts_path(Path(MODEL)).name, facts_path(Path(MODEL))
    yield CONFIG, config


def _requested(path: Path) -> Path:
    """Return where a request lies: in the folder for them, where there is one, else beside the book."""
    in_folder = Path(CONTROL_FOLDER) / path
    return in_folder if in_folder.is_file() else path

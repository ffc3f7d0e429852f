"""The book on disk: load, check, replace in one step, one writer at a time; and trades.csv, every order once.

A broken or foreign book stops the bot: it never means "start empty". Decides nothing.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path

from filelock import FileLock, Timeout

from marsshot.config.bot_files import lock_path
from marsshot.core.book import Book
from marsshot.core.catalog import LocalizedText, with_remedy
from marsshot.core.errors import DiskFullError, InputError, OperatorNeededError, TemporaryError
from marsshot.infra.atomic_files import Disk, backup_path, replace_atomically
from marsshot.infra.disk_reserve import DiskReserve, is_disk_full
from marsshot.portfolio.cash_flows_file import add_missing_rows
from marsshot.portfolio.serialization import book_from_json, book_to_json
from marsshot.portfolio.trades_file import client_order_ids, csv_rows, has_our_columns, ids_anywhere, is_whole_line

# A disk that is read-only, full or in trouble for a moment, a machine short of something: the supervisor starts anew.
_MAY_PASS = {errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN}


def load_state(path: Path, mode: str, disk: Disk) -> Book | None:
    """Return the book, or None where there is none yet. Raises InputError when it cannot be trusted."""
    try:
        content = disk.read(path)
    except FileNotFoundError:
        _refuse_lost_book(path, disk)
        return None
    except OSError as error:
        raise _kind_of(error)(LocalizedText("fault.file.unreadable", path=path, why=error.strerror)) from None
    try:
        book = book_from_json(content.decode("utf-8"), str(path))
    except UnicodeDecodeError:
        raise InputError(_with_remedy(LocalizedText("fault.book.no_text", path=path), path, disk)) from None
    except InputError as error:
        raise InputError(_with_remedy(error.message, path, disk)) from None
    if book.mode != mode:
        fault = LocalizedText("fault.book.other_mode", path=path, written=book.mode, set=mode)
        raise InputError(with_remedy(fault, LocalizedText("fault.book.remedy.other_mode")))
    return book


def _kind_of(error: OSError) -> type[InputError | TemporaryError]:
    """Return the error that a trouble of the disk is: one that may pass is tried again, the others are the owner's."""
    return TemporaryError if error.errno in _MAY_PASS else InputError


def _refuse_lost_book(path: Path, disk: Disk) -> None:
    """A backup without a book is a lost book, not a first start."""
    backup = backup_path(path)
    if disk.exists(backup):
        fault = LocalizedText("fault.book.lost_beside_backup", path=path, backup=backup)
        raise InputError(with_remedy(fault, LocalizedText("fault.book.remedy.lost_beside_backup", path=path)))


def _with_remedy(fault: str, path: Path, disk: Disk) -> LocalizedText:
    backup = backup_path(path)
    if disk.exists(backup):
        return with_remedy(fault, LocalizedText("fault.book.remedy.from_backup", path=path, backup=backup))
    return with_remedy(fault, LocalizedText("fault.book.remedy.without_backup"))


def save_state(book: Book, path: Path, disk: Disk) -> None:
    """Replace the book in one step; the previous one stays as .bak. Raises TemporaryError when the disk refuses,
    DiskFullError where it has no room, or where the next start could not load it.
    """
    text = book_to_json(book)
    try:
        book_from_json(text, str(path))  # what could not be loaded must not replace what can
    except InputError as error:
        raise TemporaryError(LocalizedText("fault.book.not_saved", why=error.message)) from None
    try:
        replace_atomically(disk, path, text.encode(), keep_backup=True)
    except OSError as error:
        kind = DiskFullError if is_disk_full(error) else TemporaryError
        raise kind(LocalizedText("fault.file.unwritable", path=path, why=error.strerror)) from None


@contextmanager
def writer_lock(path: Path, timeout_seconds: float = 0.5) -> Iterator[None]:
    """Hold the book's lock for the block; the lock ends with the process, however that ends.

    timeout_seconds: how long to wait for it; a command that looks whether a bot runs holds it for an instant.
    Raises OperatorNeededError when another process holds it.
    """
    lock = FileLock(lock_path(path), mode=0o600)
    try:
        lock.acquire(timeout=timeout_seconds)
    except Timeout:
        raise OperatorNeededError(LocalizedText("fault.book.in_use", path=path)) from None
    except OSError as error:
        raise _kind_of(error)(LocalizedText("fault.folder.of_book", path=path, why=error.strerror)) from None
    try:
        yield
    finally:
        lock.release()


def is_locked(path: Path) -> bool:
    """Return whether another process holds the book's lock. Raises InputError."""
    try:
        with writer_lock(path, timeout_seconds=0):
            return False
    except OperatorNeededError:
        return True


class Store:
    """The one holder of the book. `book` changes only after the disk has it, and only through `save`."""

    def __init__(
        self,
        book: Book,
        path: Path,
        trades_path: Path,
        disk: Disk,
        on_trouble: Callable[[str], None],
        reserve: DiskReserve | None = None,
        cash_flows_path: Path | None = None,
    ) -> None:
        self._book = book
        self._reserve = reserve
        self._path = path
        self._trades_path = trades_path
        self._cash_flows_path = cash_flows_path
        self._disk = disk
        self._on_trouble = on_trouble
        self._is_uncertain = False  # a save failed half-way: the file may be ahead of the book here
        self._ids_in_file: set[str] | None = None  # None: trades.csv has to be read before the next row

    @property
    def book(self) -> Book:
        """The book as it stands on disk."""
        return self._book

    def save(self, book: Book) -> None:
        """Replace the book on disk, then here; then write the rows that trades.csv and cash_flows.csv lack.

        Raises TemporaryError when the disk refuses: book and memory then still agree, nothing is lost.
        """
        self._is_uncertain = True
        self._write_book(book)
        self._is_uncertain = False
        self._book = book
        self.write_trades()
        self.write_cash_flows()

    def resave_if_uncertain(self) -> None:
        """Write the book anew if the disk refused it half-way and the file may say something else. Raises as `save`."""
        if self._is_uncertain:
            self.save(self._book)

    def _write_book(self, book: Book) -> None:
        try:
            save_state(book, self._path, self._disk)
        except DiskFullError:
            # Exits need the book: what was kept free for it is given up now.
            if self._reserve is None or not self._reserve.give_up():
                raise
            save_state(book, self._path, self._disk)

    def keep_reserve(self) -> None:
        """Lay the room that is kept free for the book, where it is missing and the disk has room again."""
        if self._reserve is not None:
            self._reserve.lay()

    @property
    def has_room(self) -> bool:
        """Whether there is room for exits whatever happens: without it nothing is bought."""
        return self._reserve is None or self._reserve.is_laid

    def change(self, step: Callable[[Book], Book]) -> None:
        """Save what a pure step makes of the book, if it makes a difference."""
        changed = step(self._book)
        if changed != self._book:
            self.save(changed)

    def write_trades(self) -> None:
        """Append the executed orders that trades.csv lacks; they stay in the book until it has them."""
        if not self._book.unwritten_trades:
            return
        try:
            if self._ids_in_file is None:
                self._ids_in_file = self._read_ids()
            missing = [row for row in self._book.unwritten_trades if row.client_order_id not in self._ids_in_file]
            if missing:
                self._disk.append(self._trades_path, csv_rows(missing, header=_HEADER_MARK not in self._ids_in_file))
        except OSError as error:
            self._ids_in_file = None
            self._on_trouble(LocalizedText("log.trades_not_written", path=self._trades_path, why=error.strerror))
            return
        self._ids_in_file |= {_HEADER_MARK, *(row.client_order_id for row in missing)}
        # In memory only: the file may go on holding rows that are written, their ids tell.
        self._book = replace(self._book, unwritten_trades=())

    def write_cash_flows(self) -> None:
        """Append the deposits and withdrawals that cash_flows.csv lacks; they stay in the book until it has them."""
        rows, path = self._book.unwritten_cash_flows, self._cash_flows_path
        if not rows or path is None:
            return
        try:
            aside = add_missing_rows(path, rows, self._disk)
        except OSError as error:
            self._on_trouble(LocalizedText("log.trades_not_written", path=path, why=error.strerror))
            return
        if aside is not None:
            self._on_trouble(LocalizedText("log.trades_put_aside", path=path, aside=aside))
        self._book = replace(self._book, unwritten_cash_flows=())  # in memory only, as with the trades

    def _read_ids(self) -> set[str]:
        """Return the ids in trades.csv. What cannot be added to is kept aside, and the file begun anew."""
        unfinished = {row.client_order_id for row in self._book.unwritten_trades}
        ids = _mend_and_read_ids(self._trades_path, self._disk, unfinished)
        if ids is not None:
            return ids
        aside = _name_aside(self._trades_path, self._disk)
        known = ids_anywhere(self._disk.read(self._trades_path))
        self._disk.replace(self._trades_path, aside)
        self._on_trouble(LocalizedText("log.trades_put_aside", path=self._trades_path, aside=aside))
        return {name for name in known if name in unfinished}  # these are told already, in the file aside


_HEADER_MARK = ""  # stands for the header line among the ids: a file that has it is not begun anew


def _name_aside(path: Path, disk: Disk) -> Path:
    """Return a name of its own for a trades.csv that somebody else has written over."""
    names = (path.with_name(f"{path.stem}.aside{number}{path.suffix}") for number in count(1))
    return next(name for name in names if not disk.exists(name))


def _mend_and_read_ids(path: Path, disk: Disk, unfinished: set[str]) -> set[str] | None:
    """Return the client order ids in trades.csv, its last line mended; None where it cannot be added to.

    A last line without an end is cut off if a death left it: it is too short, or of an order that the book still has.
    Any other is whole (an editor may save without the last line's end) and gets its end.
    """
    if not disk.exists(path):
        return set()
    disk.ensure_synced(path)  # rows that are found here are dropped from the book
    content = disk.read(path)
    if not has_our_columns(content):
        return None
    whole = content.rfind(b"\n") + 1
    rest = content[whole:]
    if rest and is_whole_line(rest, unfinished):
        disk.append(path, b"\n")
        content, whole = content + b"\n", len(content) + 1
    elif rest:
        disk.truncate(path, whole)
    if whole == 0:
        return set()
    return {_HEADER_MARK} | client_order_ids(content[:whole])


def check_folder(path: Path) -> None:
    """Raise InputError if files cannot be made beside this path, TemporaryError on a file system that is read-only."""
    folder = path.absolute().parent
    if not folder.is_dir():
        raise InputError(LocalizedText("fault.folder.none", folder=folder))
    if not os.access(folder, os.W_OK):
        fault = LocalizedText("fault.folder.unwritable", folder=folder)
        if os.statvfs(folder).f_flag & os.ST_RDONLY:  # as one becomes that is out of order: it may pass
            raise TemporaryError(with_remedy(fault, LocalizedText("fault.folder.read_only")))
        raise InputError(with_remedy(fault, LocalizedText("fault.folder.keeps_book")))

"""Room for the book on a full disk: given up once, laid anew where there is room for more than itself."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import pytest

from marsshot.core.errors import DiskFullError, TemporaryError
from marsshot.infra.atomic_files import Disk, SystemCalls
from marsshot.infra.disk_reserve import FREE_TO_LAY, RESERVE_BYTES, DiskReserve
from positions_store import Store
from tests.helpers.builders import D, a_book


class SmallDisk(SystemCalls):
    """A disk of so many bytes, all files of a folder together."""

    def __init__(self, folder: Path, capacity: int) -> None:
        self.folder, self.capacity = folder, capacity
        self.error = errno.ENOSPC

    def used(self) -> int:
        return sum(path.stat().st_size for path in self.folder.iterdir())

    def free_bytes(self, folder: Path) -> int:
        return max(0, self.capacity - self.used())

    def write(self, descriptor: int, content: memoryview) -> int:
        if len(content) > self.free_bytes(self.folder):
            raise OSError(self.error, "No space left on device")
        return super().write(descriptor, content)


@pytest.fixture
def small(tmp_path: Path) -> SmallDisk:
    return SmallDisk(tmp_path, FREE_TO_LAY)


def a_store(folder: Path, small: SmallDisk) -> Store:
    disk = Disk(small)
    reserve = DiskReserve(folder / "reserve.bin", disk)
    store = Store(a_book(), folder / "bot_state.json", folder / "trades.csv", disk, print, reserve)
    store.keep_reserve()
    store.save(store.book)
    return store


def fill(folder: Path, small: SmallDisk) -> None:
    (folder / "somebody_elses").write_bytes(bytes(small.free_bytes(folder)))


def test_on_a_full_disk_the_book_is_saved_in_the_room_that_was_kept(tmp_path: Path, small: SmallDisk) -> None:
    store = a_store(tmp_path, small)
    assert store.has_room
    fill(tmp_path, small)
    store.save(replace(store.book, capital=D(7)))
    assert store.book.capital == 7
    assert not store.has_room
    assert not (tmp_path / "reserve.bin").exists()


def test_it_is_laid_anew_where_there_is_room_for_more_than_itself(tmp_path: Path, small: SmallDisk) -> None:
    store = a_store(tmp_path, small)
    fill(tmp_path, small)
    store.save(replace(store.book, capital=D(7)))
    store.keep_reserve()
    assert not store.has_room, "what was given up is free now, and the disk is full all the same"
    (tmp_path / "somebody_elses").unlink()
    small.capacity = small.used() + FREE_TO_LAY - 1
    store.keep_reserve()
    assert not store.has_room
    small.capacity += 1
    store.keep_reserve()
    assert store.has_room
    assert (tmp_path / "reserve.bin").stat().st_size == RESERVE_BYTES


def test_a_disk_that_is_full_altogether_refuses_and_the_book_stays(tmp_path: Path, small: SmallDisk) -> None:
    store = a_store(tmp_path, small)
    fill(tmp_path, small)
    (tmp_path / "reserve.bin").unlink()
    (tmp_path / "more").write_bytes(bytes(RESERVE_BYTES))
    with pytest.raises(DiskFullError):
        store.save(replace(store.book, capital=D(7)))
    assert store.book.capital == 1000


def test_another_trouble_of_the_disk_takes_no_reserve(tmp_path: Path, small: SmallDisk) -> None:
    store = a_store(tmp_path, small)
    fill(tmp_path, small)
    small.error = errno.EIO
    with pytest.raises(TemporaryError) as caught:
        store.save(replace(store.book, capital=D(7)))
    assert not isinstance(caught.value, DiskFullError)
    assert (tmp_path / "reserve.bin").exists()


def test_it_is_readable_by_its_owner_only(tmp_path: Path, small: SmallDisk) -> None:
    a_store(tmp_path, small)
    assert (tmp_path / "reserve.bin").stat().st_mode & 0o777 == 0o600

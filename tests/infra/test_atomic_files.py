"""The disk as the bot uses it: what a call has written lasts when it returns, names too; a refusal is never hidden."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from marsshot.infra.atomic_files import Disk, SystemCalls


class Spy(SystemCalls):
    """The real calls, written down; the sync of a folder may fail."""

    def __init__(self, folder_fault: int = 0) -> None:
        self.calls: list[str] = []
        self._folders: set[int] = set()
        self._folder_fault = folder_fault

    def open(self, path: Path, flags: int) -> int:
        descriptor = super().open(path, flags)
        if path.is_dir():
            self._folders.add(descriptor)
        return descriptor

    def write(self, descriptor: int, content: memoryview) -> int:
        self.calls.append("write")
        return super().write(descriptor, content[:3])  # as a busy kernel may

    def sync(self, descriptor: int) -> None:
        is_folder = descriptor in self._folders
        self.calls.append("sync folder" if is_folder else "sync")
        if is_folder and self._folder_fault:
            raise OSError(self._folder_fault, os.strerror(self._folder_fault))
        super().sync(descriptor)

    def close(self, descriptor: int) -> None:
        self._folders.discard(descriptor)
        super().close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        self.calls.append("rename")
        super().rename(source, target)


def test_a_short_write_is_gone_on_with(tmp_path: Path) -> None:
    spy = Spy()
    Disk(spy).write(tmp_path / "a", b"12345678")
    assert (tmp_path / "a").read_bytes() == b"12345678"
    assert spy.calls == ["write", "write", "write", "sync"]


def test_a_line_and_the_name_of_its_file_last(tmp_path: Path) -> None:
    spy = Spy()
    Disk(spy).append(tmp_path / "a", b"12")
    assert spy.calls == ["write", "sync", "sync folder"]


def test_what_an_earlier_process_wrote_can_be_made_to_last(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12")
    spy = Spy()
    Disk(spy).ensure_synced(tmp_path / "a")
    assert spy.calls == ["sync", "sync folder"]
    assert (tmp_path / "a").read_bytes() == b"12"


@pytest.mark.parametrize("fault", [errno.EIO, errno.ENOSPC])
def test_a_name_that_may_not_last_is_a_refusal(tmp_path: Path, fault: int) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(OSError) as refused:
        Disk(Spy(fault)).replace(tmp_path / "a", tmp_path / "b")
    assert refused.value.errno == fault


@pytest.mark.parametrize("fault", [errno.EINVAL, errno.ENOTSUP, errno.EACCES])
def test_a_file_system_that_cannot_sync_folders_is_put_up_with(tmp_path: Path, fault: int) -> None:
    (tmp_path / "a").write_bytes(b"")
    Disk(Spy(fault)).replace(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").exists()


def test_taking_away_what_is_not_there_is_no_fault(tmp_path: Path) -> None:
    Disk().remove(tmp_path / "a")

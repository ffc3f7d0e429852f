"""What a bot is built of: its files last through a power cut wherever they are about more than a demo."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from marsshot.bot.bootstrap import disk_for


@pytest.mark.parametrize(("mode", "is_synced"), [("live", True), ("paper", True), ("demo", False)])
def test_only_a_demo_does_not_wait_for_the_disk(
    mode: str, is_synced: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    disk = disk_for(mode)
    disk.write(tmp_path / "new", b"a book")
    disk.replace(tmp_path / "new", tmp_path / "book")
    disk.append(tmp_path / "book", b" and a trade")
    assert (tmp_path / "book").read_bytes() == b"a book and a trade"
    assert bool(synced) is is_synced

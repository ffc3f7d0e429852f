"""`main.py daily --plan`: the orders of the pass before it is made; nothing is sent, nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import main
from marsshot.commands.plan_preview import OverlayDisk
from marsshot.infra.atomic_files import Disk
from positions_store import writer_lock
from tests.helpers.process_harness import ProcessHarness, open_process_harness


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProcessHarness]:
    monkeypatch.chdir(tmp_path)
    with open_process_harness(tmp_path) as harness:
        harness.write_model()
        yield harness


@pytest.fixture
def plan(harness: ProcessHarness, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(code: int = 0) -> str:
        capsys.readouterr()
        assert main.main(["daily", "--plan"]) == code
        return "".join(capsys.readouterr())

    return run


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and "cache" not in path.parts}


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_the_plan_shows_orders_and_reasons_and_leaves_no_trace(harness: ProcessHarness, plan: Any, mode: str) -> None:
    harness.config["mode"] = mode
    harness.write_config()
    (harness.folder / "model.json").touch()
    before = contents(harness.folder)
    shown = plan()
    assert "buy ADA for about 1,000.00 USDT" in shown
    assert "ADA: score 1.000, buy: 0.7 or more" in shown
    assert "DOT: score 0.000, leave: under 0.7" in shown
    assert "Nothing was sent" in shown
    assert harness.traded() == []
    assert contents(harness.folder) == before, "no book, no trades, no decisions, no log"


def test_what_was_shown_is_what_the_pass_does(harness: ProcessHarness, plan: Any) -> None:
    plan()
    assert main.main(["daily"]) == 0
    assert harness.traded() == ["BUY ADA"]


def test_a_sale_counts_with_what_it_is_worth(harness: ProcessHarness, plan: Any) -> None:
    harness.config["language"] = "fr"
    harness.config["tokens_daily"] = ["ADA", "DOT"]
    harness.write_config()
    main.main(["intraday"])
    harness.add_position("DOT", "10", entry="20")
    before = contents(harness.folder)
    shown = plan().replace("\u202f", " ")
    assert "vendre tout DOT, environ " in shown
    assert "acheter ADA pour environ 1 " in shown
    assert "acheter ADA pour environ 1 000,00" not in shown, "what the sale brings in is spent as well"
    assert contents(harness.folder) == before
    assert harness.traded() == []


def test_a_pause_is_told(harness: ProcessHarness, plan: Any) -> None:
    (harness.folder / "PAUSE").touch()
    shown = plan()
    assert "no order" in shown
    assert "buying is paused" in shown


def test_it_works_beside_a_bot_that_holds_the_book(harness: ProcessHarness, plan: Any) -> None:
    with writer_lock(harness.folder / "bot_state.json"):
        assert "buy ADA" in plan()


def test_after_the_pass_it_says_that_it_is_done(harness: ProcessHarness, plan: Any) -> None:
    assert main.main(["daily"]) == 0
    shown = plan()
    assert "is done. Were there another one now" in shown
    assert "ADA: score 1.000, keep: not under 0.3" in shown
    assert harness.traded() == ["BUY ADA"]


def test_without_scores_it_says_why(harness: ProcessHarness, plan: Any) -> None:
    harness.market.faults.add(service="lunarcrush", match="", kind="status", times=-1, status=401)
    assert "LunarCrush" in plan(code=1)


def test_a_look_at_the_demo_leaves_its_exchange_as_it_is(harness: ProcessHarness, plan: Any) -> None:
    harness.config["mode"] = "demo"
    harness.write_config()
    for name in ("model.pkl", "model.json"):
        (harness.folder / name).rename(harness.folder / name.replace("model.", "model.demo."))
    before = contents(harness.folder)
    plan()
    assert contents(harness.folder) == before


def test_a_sketch_reads_what_it_wrote_and_the_disk_has_nothing_of_it(tmp_path: Path) -> None:
    there, new = tmp_path / "there", tmp_path / "new"
    there.write_bytes(b"old")
    disk = OverlayDisk()
    disk.append(there, b" and new")
    disk.write(new, b"12345")
    disk.truncate(new, 3)
    assert (disk.read(there), disk.read(new), disk.exists(new)) == (b"old and new", b"123", True)
    disk.replace(new, there)
    disk.append_unsynced(there, b"4")
    assert (disk.read(there), disk.exists(new)) == (b"1234", False)
    disk.remove(there)
    with pytest.raises(FileNotFoundError):
        disk.read(there)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_a_sketch_has_a_way_of_its_own_for_everything_that_writes() -> None:
    reads = {"read", "read_tail", "exists", "names", "size", "modified_ns", "free_bytes"}
    public = {name for name in vars(Disk) if not name.startswith("_")}
    assert public - reads <= vars(OverlayDisk).keys()

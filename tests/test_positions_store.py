"""The book on disk: one writer, replaced in one step, never "start empty"; and trades.csv, every order once."""

from __future__ import annotations

import csv
import errno
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from marsshot.core.book import Book
from marsshot.core.errors import InputError, MarsShotError, OperatorNeededError, TemporaryError
from marsshot.infra.atomic_files import Disk, replace_atomically
from marsshot.portfolio.ledger import with_position
from marsshot.portfolio.serialization import book_to_json
from marsshot.portfolio.trades_file import TRADE_COLUMNS, read_trades
from positions_store import Store, check_folder, load_state, save_state, writer_lock
from tests.helpers.builders import ROOT, D, a_book, a_position, a_trade

OLD = a_book(capital=D(1000))
NEW = a_book(capital=D(900), positions={"FET": a_position()})


@pytest.fixture(autouse=True)
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files seen down to the disk, in order; the disk itself is not waited for."""
    names: list[str] = []
    opened: dict[int, str] = {}
    really_open = os.open

    def note_open(path: Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        descriptor = really_open(path, flags, mode, dir_fd=dir_fd)
        opened[descriptor] = Path(path).name
        return descriptor

    monkeypatch.setattr(os, "open", note_open)
    monkeypatch.setattr(os, "fsync", lambda descriptor: names.append(opened.get(descriptor, "")))
    return names


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bot_state.paper.json"


@pytest.fixture
def trades(tmp_path: Path) -> Path:
    return tmp_path / "trades.paper.csv"


def backup_of(path: Path) -> Path:
    return path.with_name(path.name + ".bak")


def load(path: Path) -> Book | None:
    return load_state(path, "paper", Disk())


def refusal(path: Path, mode: str = "paper") -> str:
    with pytest.raises(InputError) as caught:
        load_state(path, mode, Disk())
    (line,) = caught.value.faults
    assert "\n" not in line
    assert line.startswith(f"{path}: ")
    return line


class SimulatedCrash(BaseException):
    """The process ends here; nothing after it runs."""


class FailingDisk(Disk):
    """Counts the primitive steps, and fails at one of them: before it, after it, or half-way through a write."""

    def __init__(self, fail_at: int | None = None, when: str = "before", error: BaseException | None = None) -> None:
        super().__init__()
        self.steps: list[str] = []
        self._fail_at = fail_at
        self._when = when
        self._error = error or SimulatedCrash()

    @contextmanager
    def _step(self, name: str) -> Iterator[bool]:
        is_it = len(self.steps) == self._fail_at
        self.steps.append(name)
        if is_it and self._when == "before":
            raise self._error
        yield is_it and self._when == "half-way"
        if is_it:
            raise self._error

    def read(self, path: Path) -> bytes:
        with self._step(f"read {path.name}"):
            return super().read(path)

    def exists(self, path: Path) -> bool:
        with self._step(f"exists {path.name}"):
            return super().exists(path)

    def write(self, path: Path, content: bytes) -> None:
        with self._step(f"write {path.name}") as half:
            super().write(path, content[: len(content) // 2] if half else content)

    def append(self, path: Path, content: bytes) -> None:
        with self._step(f"append {path.name}") as half:
            super().append(path, content[: len(content) // 2] if half else content)

    def truncate(self, path: Path, length: int) -> None:
        with self._step(f"truncate {path.name}"):
            super().truncate(path, length)

    def replace(self, source: Path, target: Path) -> None:
        with self._step(f"replace {target.name}"):
            super().replace(source, target)


def no_space() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


# --------------------------------------------------------------------------- loading


def test_a_first_start_has_no_book(path: Path) -> None:
    assert load(path) is None


def test_what_is_saved_is_loaded(path: Path) -> None:
    save_state(NEW, path, Disk())
    assert load(path) == NEW


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"nonsense",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"version": 7}',
        b'{"version": 1, "mode": "paper"}',
        book_to_json(NEW).encode()[:200],
        book_to_json(NEW).encode().replace(b'"qty": "100"', b'"qty": "-100"'),
        book_to_json(NEW).encode().replace(b'"qty": "100"', b'"qty": "NaN"'),
        book_to_json(NEW).encode().replace(b'"version": 1', b'"version": 2'),
        book_to_json(NEW).encode().replace(b'"mode": "paper"', b'"moode": "paper"'),
        b"\x00" * 4096,  # what some file systems leave after a loss of power
    ],
)
@pytest.mark.parametrize("with_backup", [True, False])
def test_a_broken_book_is_refused_and_never_replaced(path: Path, content: bytes, with_backup: bool) -> None:
    assert content != book_to_json(NEW).encode()
    path.write_bytes(content)
    if with_backup:
        backup_of(path).write_bytes(book_to_json(OLD).encode())
    line = refusal(path)
    assert (f"{backup_of(path)}: look at it" in line) is with_backup
    assert path.read_bytes() == content


def test_a_book_of_another_mode_is_refused(path: Path) -> None:
    save_state(a_book(mode="live"), path, Disk())
    assert refusal(path) == (f"{path}: was written in mode live, the settings say paper; give each mode its own folder")
    save_state(OLD, path, Disk())
    assert "was written in mode paper, the settings say live" in refusal(path, mode="live")


def test_a_lost_book_with_a_backup_is_no_first_start(path: Path) -> None:
    save_state(OLD, path, Disk())
    save_state(NEW, path, Disk())
    path.unlink()
    line = refusal(path)
    assert "is missing" in line
    assert str(backup_of(path)) in line


def test_a_book_that_cannot_be_read_is_refused(path: Path) -> None:
    path.mkdir()
    assert "cannot be read: Is a directory" in refusal(path)


# --------------------------------------------------------------------------- saving


def test_book_and_backup_can_be_read_by_their_owner_only(path: Path, trades: Path) -> None:
    before = os.umask(0)
    try:
        store = Store(OLD, path, trades, Disk(), pytest.fail)
        store.save(OLD)
        store.save(replace(NEW, unwritten_trades=(a_trade(),)))
        with writer_lock(path):
            files = sorted(path.parent.iterdir())
            assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600] * len(files)
    finally:
        os.umask(before)
    assert {file.name for file in files} == {path.name, path.name + ".bak", path.name + ".lock", trades.name}


def test_a_file_that_others_could_read_is_closed_to_them(path: Path) -> None:
    path.write_text("{}")
    path.chmod(0o644)
    Disk().write(path, b"secret")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_each_file_is_down_on_the_disk_before_it_gets_its_name(path: Path, synced: list[str]) -> None:
    save_state(OLD, path, Disk())
    synced.clear()
    save_state(NEW, path, Disk())
    folder = path.parent.name
    assert synced == [f"{path.name}.bak.tmp", folder, f"{path.name}.tmp", folder]


def test_a_trade_is_down_on_the_disk_before_the_book_lets_go_of_it(path: Path, trades: Path, synced: list[str]) -> None:
    store = Store(OLD, path, trades, Disk(), pytest.fail)
    store.save(book_with_trades("ms-1"))
    assert synced[-2:] == [trades.name, trades.parent.name]
    assert store.book.unwritten_trades == ()


def test_the_backup_is_the_book_before(path: Path) -> None:
    for book in (OLD, NEW, a_book(capital=D(800))):
        save_state(book, path, Disk())
    assert backup_of(path).read_text() == book_to_json(NEW)


def test_the_backup_can_be_put_in_place(path: Path) -> None:
    save_state(OLD, path, Disk())
    save_state(NEW, path, Disk())
    backup_of(path).replace(path)
    assert load(path) == OLD


def steps_of_a_save(folder: Path) -> list[str]:
    path = folder / "count.json"
    save_state(OLD, path, Disk())
    counting = FailingDisk()
    save_state(NEW, path, counting)
    return counting.steps


def test_a_save_takes_these_steps(tmp_path: Path) -> None:
    assert steps_of_a_save(tmp_path) == [
        "exists count.json",
        "read count.json",
        "write count.json.bak.tmp",
        "replace count.json.bak",
        "write count.json.tmp",
        "replace count.json",
    ]


@pytest.mark.parametrize("when", ["before", "half-way", "after"])
@pytest.mark.parametrize("step", range(6))
def test_a_death_at_any_step_leaves_the_old_book_or_the_new_one(path: Path, step: int, when: str) -> None:
    first = a_book(capital=D(1))
    save_state(first, path, Disk())
    save_state(OLD, path, Disk())
    with pytest.raises(SimulatedCrash):
        save_state(NEW, path, FailingDisk(step, when))
    is_new = step == 5 and when != "before"
    assert load(path) == (NEW if is_new else OLD)
    assert load(backup_of(path)) in ([OLD] if step > 3 else [first, OLD])
    save_state(NEW, path, Disk())
    assert load(path) == NEW


@pytest.mark.parametrize("when", ["before", "half-way", "after"])
@pytest.mark.parametrize("step", range(3))
def test_a_death_during_the_very_first_save_is_still_a_first_start(path: Path, step: int, when: str) -> None:
    with pytest.raises(SimulatedCrash):
        save_state(NEW, path, FailingDisk(step, when))
    assert load(path) == (NEW if step == 2 and when != "before" else None)


@pytest.mark.parametrize(
    ("step", "when"), [*((step, "before") for step in range(1, 6)), (2, "half-way"), (4, "half-way")]
)
def test_a_full_disk_leaves_memory_and_disk_agreeing(path: Path, trades: Path, step: int, when: str) -> None:
    save_state(OLD, path, Disk())
    store = Store(OLD, path, trades, FailingDisk(step, when, no_space()), pytest.fail)
    with pytest.raises(TemporaryError, match="No space left on device"):
        store.save(NEW)
    assert store.book == OLD == load(path)
    store.save(NEW)
    assert store.book == NEW == load(path)


def test_the_next_save_works_after_a_full_disk_left_its_scratch_file(path: Path) -> None:
    save_state(OLD, path, Disk())
    with pytest.raises(TemporaryError):
        save_state(NEW, path, FailingDisk(4, "half-way", no_space()))
    save_state(NEW, path, Disk())
    assert load(path) == NEW


def test_a_change_that_changes_nothing_writes_nothing(path: Path, trades: Path) -> None:
    disk = FailingDisk()
    store = Store(OLD, path, trades, disk, pytest.fail)
    store.change(lambda book: replace(book, capital=D("1000.00")))
    assert disk.steps == []
    store.change(lambda book: with_position(book, "FET", a_position()))
    assert load(path) == store.book == replace(OLD, positions={"FET": a_position()})


def test_a_file_without_backup_is_replaced_in_one_step_too(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    replace_atomically(Disk(), path, b"old")
    for step in range(2):
        with pytest.raises(SimulatedCrash):
            replace_atomically(FailingDisk(step), path, b"new")
        assert path.read_bytes() == b"old"
    replace_atomically(Disk(), path, b"new")
    assert path.read_bytes() == b"new"
    assert not backup_of(path).exists()


# --------------------------------------------------------------------------- one writer

HOLDER = """
import sys
from pathlib import Path
from marsshot.portfolio.trades_file import TRADE_COLUMNS, read_trades
from positions_store import writer_lock
with writer_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_by_another_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], cwd=ROOT, stdin=-1, stdout=-1, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder
    finally:
        holder.kill()
        holder.communicate()


def test_a_second_bot_on_the_same_book_is_refused(path: Path) -> None:
    with (
        held_by_another_process(path),
        pytest.raises(OperatorNeededError, match="another MarsShot is running on this book"),
        writer_lock(path),
    ):
        pytest.fail("two writers")


def test_the_lock_of_a_killed_bot_holds_nobody_up(path: Path) -> None:
    with held_by_another_process(path) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with writer_lock(path):
            assert path.with_name(path.name + ".lock").exists()


def test_the_lock_ends_with_its_block(path: Path) -> None:
    for _ in range(2):
        with writer_lock(path):
            pass
    with pytest.raises(ZeroDivisionError), writer_lock(path):
        raise ZeroDivisionError
    with writer_lock(path):
        pass


def test_two_books_in_one_folder_do_not_hold_each_other_up(tmp_path: Path) -> None:
    with writer_lock(tmp_path / "bot_state.json"), writer_lock(tmp_path / "bot_state.paper.json"):
        pass


def test_a_folder_that_is_not_there_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such folder"):
        check_folder(tmp_path / "absent" / "bot_state.json")
    check_folder(tmp_path / "bot_state.json")


@pytest.mark.parametrize(("flags", "kind"), [(0, InputError), (os.ST_RDONLY, TemporaryError)])
def test_a_disk_that_went_read_only_may_pass_and_rights_are_the_owners_to_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: int, kind: type[MarsShotError]
) -> None:
    monkeypatch.setattr(os, "access", lambda _folder, _wish: False)
    monkeypatch.setattr(os, "statvfs", lambda _folder: SimpleNamespace(f_flag=flags))
    with pytest.raises(kind, match="cannot be written"):
        check_folder(tmp_path / "bot_state.json")


# --------------------------------------------------------------------------- trades.csv


def rows_of(trades: Path) -> list[str]:
    return [trade.client_order_id for trade in read_trades(trades)]


def book_with_trades(*ids: str) -> Book:
    return replace(NEW, unwritten_trades=tuple(a_trade(one) for one in ids))


def opened_again(path: Path, trades: Path) -> Store:
    """Return the store of the next start: the book from disk, and what it lacks in trades.csv written."""
    book = load(path)
    assert book is not None
    store = Store(book, path, trades, Disk(), pytest.fail)
    store.write_trades()
    return store


def test_the_columns_begin_with_the_contracts() -> None:
    wanted = "time,symbol,side,reason,qty,price,quote,fee,fee_asset,client_order_id"
    assert ",".join(TRADE_COLUMNS).startswith(wanted)


def test_the_first_row_comes_after_the_header_and_the_header_comes_once(path: Path, trades: Path) -> None:
    store = Store(OLD, path, trades, Disk(), pytest.fail)
    for one in ("ms-1", "ms-2", "ms-3"):
        store.save(replace(store.book, unwritten_trades=(a_trade(one),)))
    opened_again(path, trades).save(book_with_trades("ms-4"))
    lines = trades.read_text().splitlines()
    assert lines[0] == ",".join(TRADE_COLUMNS)
    assert [line.split(",")[9] for line in lines[1:]] == ["ms-1", "ms-2", "ms-3", "ms-4"]


def test_amounts_in_a_row_are_plain_decimals(path: Path, trades: Path) -> None:
    row = a_trade(qty=D("1E+3"), price=D("1E-8"), quote=D("10.50"), fee="0.1+0.2", fee_asset="BNB+USDT")
    Store(OLD, path, trades, Disk(), pytest.fail).save(replace(OLD, unwritten_trades=(row,)))
    with trades.open(newline="") as file:
        (written,) = csv.DictReader(file)
    assert (written["qty"], written["price"], written["quote"]) == ("1000", "0.00000001", "10.5")
    assert (written["fee"], written["fee_asset"]) == ("0.1+0.2", "BNB+USDT")
    (read,) = read_trades(trades)
    assert (read.qty, read.price, read.quote) == (D(1000), D("1E-8"), D("10.5"))
    assert read.fees == {"BNB": D("0.1"), "USDT": D("0.2")}


def test_a_row_that_is_written_leaves_the_book_in_memory(path: Path, trades: Path) -> None:
    store = Store(OLD, path, trades, Disk(), pytest.fail)
    store.save(book_with_trades("ms-1"))
    assert store.book == NEW


def test_no_trades_no_file(path: Path, trades: Path) -> None:
    Store(OLD, path, trades, Disk(), pytest.fail).save(NEW)
    assert not trades.exists()
    assert read_trades(trades) == []


@pytest.mark.parametrize("trades_before", [[], ["ms-1"]])
@pytest.mark.parametrize("when", ["before", "half-way", "after"])
def test_every_row_once_wherever_the_process_dies(
    path: Path, trades: Path, trades_before: list[str], when: str
) -> None:
    """Two orders are booked, and the process dies at each step in turn; the next start makes it good."""
    died_at = []
    for step in range(20):
        for file in path.parent.iterdir():
            file.unlink()
        Store(OLD, path, trades, Disk(), pytest.fail).save(book_with_trades(*trades_before))
        disk = FailingDisk(step, when)
        dying = Store(opened_again(path, trades).book, path, trades, disk, pytest.fail)
        booked, under_way = list(trades_before), ""
        try:
            for under_way in ("ms-8", "ms-9"):
                dying.save(replace(dying.book, unwritten_trades=(*dying.book.unwritten_trades, a_trade(under_way))))
                booked.append(under_way)
        except SimulatedCrash:
            died_at.append(disk.steps[-1])
            on_disk = load(path)
            assert on_disk is not None
            reached_the_book = any(row.client_order_id == under_way for row in on_disk.unwritten_trades)
            booked += [under_way] * reached_the_book
        opened_again(path, trades).save(book_with_trades("ms-10"))
        assert rows_of(trades) == [*booked, "ms-10"]
        assert trades.read_text().count("client_order_id") == 1
    assert died_at.count(f"append {trades.name}") == 2
    assert died_at.count(f"replace {path.name}") == 2


@pytest.mark.parametrize("kept", [1, 20, -1])
def test_a_torn_last_line_is_mended(path: Path, trades: Path, kept: int) -> None:
    store = Store(OLD, path, trades, Disk(), pytest.fail)
    store.save(book_with_trades("ms-1"))
    store.save(book_with_trades("ms-2"))
    lines = trades.read_bytes().splitlines(keepends=True)
    trades.write_bytes(b"".join(lines[:-1]) + lines[-1][:kept])
    opened_again(path, trades)
    assert rows_of(trades) == ["ms-1", "ms-2"]
    with trades.open(newline="") as file:
        assert {len(row) for row in csv.reader(file)} == {len(TRADE_COLUMNS)}


def test_a_last_line_that_only_lacks_its_end_is_kept(path: Path, trades: Path) -> None:
    """An editor may save a file without the end of its last line: the row is whole, and no order may vanish."""
    Store(OLD, path, trades, Disk(), pytest.fail).save(book_with_trades("ms-1"))
    Store(opened_again(path, trades).book, path, trades, Disk(), pytest.fail).save(book_with_trades("ms-2"))
    trades.write_bytes(trades.read_bytes().rstrip(b"\n"))
    Store(OLD, path, trades, Disk(), pytest.fail).save(book_with_trades("ms-3"))
    assert rows_of(trades) == ["ms-1", "ms-2", "ms-3"]


HEADER = ",".join(TRADE_COLUMNS)


@pytest.mark.parametrize("torn", [HEADER[:length] for length in (1, 8, len(HEADER) - 6, len(HEADER) - 1)])
def test_a_torn_header_is_begun_anew(path: Path, trades: Path, torn: str) -> None:
    """Also where it has all columns but for the last one's end: kept so, nobody could read the file or add to it."""
    trades.write_text(torn)
    Store(OLD, path, trades, Disk(), pytest.fail).save(book_with_trades("ms-1"))
    assert rows_of(trades) == ["ms-1"]
    assert trades.read_text().startswith(f"{HEADER}\n")


def test_a_header_that_only_lacks_its_end_is_kept(path: Path, trades: Path) -> None:
    trades.write_text(HEADER)
    Store(OLD, path, trades, Disk(), pytest.fail).save(book_with_trades("ms-1"))
    assert rows_of(trades) == ["ms-1"]
    assert trades.read_text().count("client_order_id") == 1


def test_a_header_alone_is_not_written_again(path: Path, trades: Path) -> None:
    trades.write_text(",".join(TRADE_COLUMNS) + "\n")
    Store(OLD, path, trades, Disk(), pytest.fail).save(book_with_trades("ms-1"))
    assert trades.read_text().count("client_order_id") == 1
    assert rows_of(trades) == ["ms-1"]


def test_rows_stay_in_the_book_while_trades_csv_cannot_be_written(path: Path, trades: Path) -> None:
    told: list[str] = []
    trades.mkdir()
    store = Store(OLD, path, trades, Disk(), told.append)
    store.save(book_with_trades("ms-1"))
    assert [row.client_order_id for row in store.book.unwritten_trades] == ["ms-1"]
    assert load(path) == store.book
    assert len(told) == 1
    assert str(trades) in told[0]
    trades.rmdir()
    store.save(replace(store.book, unwritten_trades=(*store.book.unwritten_trades, a_trade("ms-2"))))
    assert rows_of(trades) == ["ms-1", "ms-2"]
    assert store.book.unwritten_trades == ()


def test_a_disk_that_is_full_in_the_middle_of_a_row_leaves_every_row_once(path: Path, trades: Path) -> None:
    told: list[str] = []
    Store(OLD, path, trades, Disk(), pytest.fail).save(book_with_trades("ms-1"))
    steps_before_the_append = 6 + 2  # the book, then trades.csv is looked at and read
    disk = FailingDisk(steps_before_the_append, "half-way", no_space())
    store = Store(NEW, path, trades, disk, told.append)
    store.save(book_with_trades("ms-2"))
    assert disk.steps[-1] == f"append {trades.name}"
    assert len(told) == 1
    store.save(store.book)
    assert rows_of(trades) == ["ms-1", "ms-2"]


def test_a_broken_trades_csv_never_stops_the_book(path: Path, trades: Path) -> None:
    trades.write_bytes(b"\xff\xfe\x00 no csv\nat all\n")
    told: list[str] = []
    store = Store(OLD, path, trades, Disk(), told.append)
    store.save(book_with_trades("ms-1"))
    assert load(path) == book_with_trades("ms-1")
    assert rows_of(trades) == ["ms-1"]
    assert len(told) == 1


def test_a_book_that_the_disk_took_half_way_is_written_anew(path: Path, trades: Path) -> None:
    """The new name may stand though it was not synced: the file is ahead of the book in memory until it is mended."""

    class Unsynced(Disk):
        broken = False

        def _sync_folder(self, folder: Path) -> None:
            if self.broken:
                raise OSError(5, "Input/output error")

    disk = Unsynced()
    save_state(OLD, path, disk)
    store = Store(OLD, path, trades, disk, pytest.fail)
    path.with_name(path.name + ".bak").unlink(missing_ok=True)
    disk.broken = True
    with pytest.raises(TemporaryError):
        save_state(NEW, path, disk)
    with pytest.raises(TemporaryError):
        store.save(NEW)
    assert store.book == OLD
    disk.write(path, book_to_json(NEW).encode())
    disk.broken = False
    store.resave_if_uncertain()
    assert load(path) == OLD
    path.unlink()
    store.resave_if_uncertain()
    assert not path.exists(), "once is enough"


# --------------------------------------------------------------------------- what may pass, and what the owner mends


class RefusingDisk(Disk):
    """Reads nothing: the machine says why."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def read(self, path: Path) -> bytes:
        raise OSError(self.number, os.strerror(self.number), str(path))


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.EROFS, 1), (errno.ENOSPC, 1), (errno.EIO, 1), (errno.EMFILE, 1), (errno.EACCES, 2), (errno.EISDIR, 2)],
)
def test_a_trouble_that_may_pass_ends_with_1_and_the_owners_with_2(path: Path, number: int, code: int) -> None:
    with pytest.raises(MarsShotError) as caught:
        load_state(path, "paper", RefusingDisk(number))
    assert caught.value.exit_code == code

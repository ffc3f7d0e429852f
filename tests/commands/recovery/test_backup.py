"""`main.py backup` and `restore`: one archive of what could not be made again, and only such an archive back."""

from __future__ import annotations

import io
import json
import stat
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import main
from marsshot.commands.recovery.archive import Archive, SavedFile, pack, unpack
from marsshot.config.bot_files import Mode
from marsshot.core.errors import InputError
from marsshot.infra.atomic_files import GROUP_READS_VARIABLE, Disk
from positions_store import load_state, writer_lock
from tests.commands.recovery.test_recover import bought_and_sold
from tests.helpers.builders import NOW
from tests.helpers.french_text import plain
from tests.helpers.process_harness import D, ProcessHarness, open_process_harness

Command = Callable[..., tuple[int, str]]
NAMES: dict[Mode, set[str]] = {"live": {"bot_state.json", "trades.csv"}}


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProcessHarness]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("marsshot.infra.clock.SystemClock.LOOP_SECONDS", 0.1)
    with open_process_harness(tmp_path) as harness:
        harness.config["training_tokens"] = ["ADA", "DOT"]
        harness.write_config()
        harness.write_model()
        main.main(["intraday"])  # begins the book
        yield harness


@pytest.fixture
def command(harness: ProcessHarness, capsys: pytest.CaptureFixture[str]) -> Command:
    def run(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        code = main.main(arguments)
        shown = "".join(capsys.readouterr())
        assert "Traceback" not in shown
        assert not any(secret in shown for secret in harness.secrets)
        return code, shown

    return run


def members(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


# --------------------------------------------------------------------------- backup


def test_it_saves_everything_that_could_not_be_made_again(harness: ProcessHarness, command: Command) -> None:
    bought_and_sold(harness)
    command("recover", "--yes")
    for name in ("decisions.csv", "equity.csv", "seen.json"):
        (harness.folder / name).write_text(name)
    code, shown = command("backup", "saved.tar")
    assert code == 0
    assert "keep the archive as you keep the keys" in shown
    saved = members(harness.folder / "saved.tar")
    assert saved.pop("manifest.json")
    assert saved == {name: (harness.folder / name).read_bytes() for name in saved}
    assert saved.keys() == {
        *("bot_state.json", "bot_state.json.bak", "PAUSE", "trades.csv", "decisions.csv", "equity.csv"),
        *("seen.json", "model.pkl", "model.json", "config.yaml"),
    }
    assert (harness.folder / "saved.tar").stat().st_mode & 0o777 == 0o600


def test_it_works_beside_a_running_bot_and_names_itself_by_the_time(harness: ProcessHarness, command: Command) -> None:
    with writer_lock(harness.folder / "bot_state.json"):
        assert command("backup")[0] == 0
    (archive,) = harness.folder.glob("marsshot-live-*Z.tar")
    assert "bot_state.json" in members(archive)


def test_the_archive_is_its_owners_alone_even_where_the_group_reads_the_rest(
    harness: ProcessHarness, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(GROUP_READS_VARIABLE, "1")
    command("backup", "saved.tar")
    (harness.folder / "config.yaml").unlink()
    command("restore", "saved.tar")
    for name in ("saved.tar", "config.yaml"):
        assert stat.S_IMODE((harness.folder / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE((harness.folder / "bot_state.json").stat().st_mode) == 0o640


def test_a_pause_in_the_folder_for_requests_is_saved_too(harness: ProcessHarness, command: Command) -> None:
    (harness.folder / "control").mkdir()
    command("pause")
    command("backup", "saved.tar")
    assert "PAUSE" in members(harness.folder / "saved.tar")


def test_it_overwrites_nothing(harness: ProcessHarness, command: Command) -> None:
    (harness.folder / "saved.tar").write_text("precious")
    code, shown = command("backup", "saved.tar")
    assert (code, "is there already" in shown) == (2, True)
    assert (harness.folder / "saved.tar").read_text() == "precious"


def test_without_a_book_there_is_nothing_to_save(harness: ProcessHarness, command: Command) -> None:
    (harness.folder / "bot_state.json").unlink()
    assert command("backup", "saved.tar")[0] == 2
    assert not (harness.folder / "saved.tar").exists()


def test_rows_that_leave_the_book_while_it_saves_are_in_the_trades_that_it_saves(
    harness: ProcessHarness, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    read = Disk.read

    def noting(disk: Disk, path: Path) -> bytes:
        order.append(path.name)
        return read(disk, path)

    monkeypatch.setattr(Disk, "read", noting)
    command("backup", "saved.tar")
    assert order.index("bot_state.json") < order.index("trades.csv")


# --------------------------------------------------------------------------- restore


def a_backup(harness: ProcessHarness, command: Command) -> Path:
    bought_and_sold(harness)
    command("recover", "--yes")
    assert command("backup", "saved.tar")[0] == 0
    return harness.folder / "saved.tar"


def test_on_a_new_machine_it_brings_everything_back(harness: ProcessHarness, command: Command) -> None:
    archive = a_backup(harness, command)
    before = {path.name: path.read_bytes() for path in harness.folder.iterdir() if path.name in members(archive)}
    for name in before:
        (harness.folder / name).unlink()
    code, shown = command("restore", "saved.tar")
    assert code == 0, shown
    assert {name: (harness.folder / name).read_bytes() for name in before} == before
    assert all((harness.folder / name).stat().st_mode & 0o777 == 0o600 for name in before)
    assert "The book knows every order" in shown


def test_it_tells_what_the_exchange_knows_besides_and_offers_recover(harness: ProcessHarness, command: Command) -> None:
    assert command("backup", "saved.tar")[0] == 0
    bought_and_sold(harness)
    code, shown = command("restore", "saved.tar")
    assert code == 0
    assert "The exchange knows 4 orders of this bot that this book does not" in shown
    assert "python main.py recover" in shown
    assert command("recover", "--yes")[0] == 0
    book = load_state(harness.folder / "bot_state.json", "live", Disk())
    assert book is not None
    assert book.positions.keys() == {"ADA"}


def test_where_the_exchange_is_silent_the_files_are_back_all_the_same(
    harness: ProcessHarness, command: Command
) -> None:
    a_backup(harness, command)
    (harness.folder / "trades.csv").write_text("broken")
    harness.market.faults.add(service="binance", match="", kind="status", status=502, times=-1)
    code, shown = command("restore", "saved.tar")
    assert code == 0
    assert "could not be compared" in shown
    assert (harness.folder / "trades.csv").read_text() != "broken"


def test_an_older_book_needs_force_and_what_was_there_is_kept(harness: ProcessHarness, command: Command) -> None:
    assert command("backup", "old.tar")[0] == 0
    old = (harness.folder / "bot_state.json").read_bytes()
    bought_and_sold(harness)
    command("recover", "--yes")
    newer = (harness.folder / "bot_state.json").read_bytes()
    code, shown = command("restore", "old.tar")
    assert (code, "is older than" in shown) == (2, True)
    assert (harness.folder / "bot_state.json").read_bytes() == newer
    assert command("restore", "old.tar", "--force")[0] == 0
    assert (harness.folder / "bot_state.json").read_bytes() == old
    (kept,) = harness.folder.glob("*.before-restore.tar")
    assert members(kept)["bot_state.json"] == newer


def test_a_book_that_was_changed_since_is_newer_though_no_order_was_sent(
    harness: ProcessHarness, command: Command
) -> None:
    assert command("backup", "old.tar")[0] == 0
    path = harness.folder / "bot_state.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"capital_usdt": "1234"}))
    assert command("restore", "old.tar")[0] == 2
    path.write_text("torn")
    assert command("restore", "old.tar")[0] == 0, "a torn book is no newer one"


def test_it_does_not_work_beside_a_running_bot(harness: ProcessHarness, command: Command) -> None:
    a_backup(harness, command)
    (harness.folder / "trades.csv").write_text("newer")
    with writer_lock(harness.folder / "bot_state.json"):
        code, shown = command("restore", "saved.tar")
    assert (code, "another MarsShot is running" in shown) == (1, True)
    assert (harness.folder / "trades.csv").read_text() == "newer"


def test_settings_that_are_here_stay(harness: ProcessHarness, command: Command) -> None:
    a_backup(harness, command)
    harness.config["strategy"]["capital_initial"] = 777
    harness.write_config()
    code, shown = command("restore", "saved.tar")
    assert (code, "stays as it is" in shown) == (0, True)
    assert "777" in (harness.folder / "config.yaml").read_text()


def test_an_archive_of_another_mode_is_refused(harness: ProcessHarness, command: Command) -> None:
    a_backup(harness, command)
    harness.config["mode"] = "paper"
    harness.write_config()
    code, shown = command("restore", "saved.tar")
    assert (code, "was saved in mode live" in shown) == (2, True)


@pytest.mark.parametrize("dies_at", ["trades.csv", "model.pkl", "bot_state.json"])
def test_a_death_in_the_middle_leaves_a_book_that_can_be_gone_on_with(
    harness: ProcessHarness, command: Command, monkeypatch: pytest.MonkeyPatch, dies_at: str
) -> None:
    class DiedError(BaseException):
        pass

    a_backup(harness, command)
    before = load_state(harness.folder / "bot_state.json", "live", Disk())
    real = Disk.replace

    def dying(disk: Disk, source: Path, target: Path) -> None:
        if target.name == dies_at:
            raise DiedError
        real(disk, source, target)

    with monkeypatch.context() as patch, pytest.raises(DiedError):
        patch.setattr(Disk, "replace", dying)
        command("restore", "saved.tar")
    assert load_state(harness.folder / "bot_state.json", "live", Disk()) == before
    assert command("restore", "saved.tar")[0] == 0


def test_french(harness: ProcessHarness, command: Command) -> None:
    harness.config["language"] = "fr"
    harness.write_config()
    code, shown = command("backup", "saved.tar")
    assert (code, "lisible par vous seul" in shown) == (0, True)
    bought_and_sold(harness)
    code, shown = command("restore", "saved.tar")
    assert "La plateforme connaît 4 ordres de ce robot que ce registre ne connaît pas" in plain(shown)
    assert "fichiers remis en place" in shown


# --------------------------------------------------------------------------- what is no archive


def an_archive(**files: bytes) -> bytes:
    return pack(Archive("live", {name: SavedFile(content, 1.5) for name, content in files.items()}), NOW)


def a_tar(*rows: tuple[tarfile.TarInfo, bytes]) -> bytes:
    text = io.BytesIO()
    with tarfile.open(fileobj=text, mode="w") as tar:
        for member, content in rows:
            member.size = len(content) if member.isreg() else 0
            tar.addfile(member, io.BytesIO(content))
    return text.getvalue()


def manifest_of(archive: bytes) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return tar.extractfile("manifest.json").read()  # type: ignore[union-attr]


def a_link(name: str) -> tarfile.TarInfo:
    link = tarfile.TarInfo(name)
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return link


WHOLE = an_archive(**{"bot_state.json": b"book", "trades.csv": b"rows"})
MANIFEST = manifest_of(WHOLE)
BOOK = (tarfile.TarInfo("bot_state.json"), b"book")
TRADES = (tarfile.TarInfo("trades.csv"), b"rows")
FIRST = (tarfile.TarInfo("manifest.json"), MANIFEST)


def test_an_archive_gives_back_what_was_put_in() -> None:
    archive = unpack(WHOLE, "a.tar", NAMES)
    assert archive.mode == "live"
    assert archive.files["bot_state.json"] == SavedFile(b"book", 1.5)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is no archive"),
        (b"not a tar file at all" * 100, "is no archive"),
        (WHOLE[:1800], "is no archive|is missing"),
        (a_tar(BOOK, TRADES), "is no archive"),
        (a_tar(FIRST, BOOK), "trades.csv is missing"),
        (a_tar(FIRST, BOOK, (tarfile.TarInfo("trades.csv"), b"other")), "checksum is wrong"),
        (a_tar(FIRST, BOOK, TRADES, TRADES), "holds 'trades.csv'"),
        (a_tar(FIRST, BOOK, TRADES, (tarfile.TarInfo("../.ssh/authorized_keys"), b"")), "authorized_keys"),
        (a_tar(FIRST, BOOK, TRADES, (tarfile.TarInfo("/etc/passwd"), b"")), "/etc/passwd"),
        (a_tar(FIRST, BOOK, (a_link("trades.csv"), b"")), "holds 'trades.csv'"),
        (an_archive(**{"bot_state.json": b"book", "main.py": b"code"}), "main.py"),
        (
            a_tar((tarfile.TarInfo("manifest.json"), MANIFEST.replace(b'"format": 1', b'"format": 2'))),
            "another version",
        ),
        (a_tar((FIRST[0], b"[]")), "is no archive"),
    ],
)
def test_anything_else_is_refused_in_one_line(content: bytes, why: str) -> None:
    with pytest.raises(InputError, match=why) as refused:
        unpack(content, "a.tar", NAMES)
    assert "\n" not in str(refused.value)
    assert "nothing was changed" in str(refused.value)


def test_an_archive_whose_book_cannot_be_read_changes_nothing(harness: ProcessHarness, command: Command) -> None:
    before = (harness.folder / "bot_state.json").read_bytes()
    bad = {"bot_state.json": before.replace(b'"capital_usdt": "1000"', b'"capital_usdt": "Infinity"')}
    (harness.folder / "bad.tar").write_bytes(an_archive(**bad))
    code, shown = command("restore", "bad.tar")
    assert (code, "capital_usdt" in shown) == (2, True)
    assert (harness.folder / "bot_state.json").read_bytes() == before
    assert D(harness.book()["capital_usdt"]) == 1000

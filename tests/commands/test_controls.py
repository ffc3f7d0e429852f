"""The owner's word: pause, resume, sell all, whether or not a bot runs, and what it tells of the outcome."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import main
from marsshot.bot.control_files import CommandReply, ControlFiles
from marsshot.commands import controls
from marsshot.config.loader import read_settings
from marsshot.core.reasons import OrderReason, UnsoldReason
from marsshot.infra.atomic_files import Disk
from positions_store import load_state, writer_lock
from tests.helpers.french_text import plain
from tests.helpers.process_harness import ProcessHarness, open_process_harness


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProcessHarness]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("marsshot.infra.clock.SystemClock.LOOP_SECONDS", 0.1)
    with open_process_harness(tmp_path) as harness:
        harness.config["language"] = "fr"
        harness.write_config()
        main.main(["intraday"])  # begins the book
        yield harness


class CommandResult:
    def __init__(self, code: int, out: str, error: str) -> None:
        self.code, self.out, self.error = code, out, error


@pytest.fixture
def command(harness: ProcessHarness, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str) -> CommandResult:
        capsys.readouterr()
        code = main.main(arguments)
        out, error = capsys.readouterr()
        return CommandResult(code, plain(out), plain(error))

    return run


def pending(harness: ProcessHarness) -> dict[str, str]:
    book = load_state(harness.folder / "bot_state.json", "live", Disk())
    assert book is not None
    return {symbol: str(held.exit_pending) for symbol, held in book.positions.items()}


# --------------------------------------------------------------------------- nobody runs


def test_sell_all_sells_here_and_tells_what_was_got_for_it(harness: ProcessHarness, command: Any) -> None:
    harness.add_ada_position("0.5")
    answer = command("sell-all", "--yes")
    sold, ending = answer.out.splitlines()
    assert answer.code == 0
    assert sold.startswith("Vendu : 400 ADA pour ")
    assert "USDT" in sold
    assert "gain +" in sold
    assert ending.startswith("Le robot ne détient plus rien")
    assert harness.traded() == ["SELL ADA"]
    assert not (harness.folder / "SELL_ALL").exists()
    assert (harness.folder / "PAUSE").exists()


@pytest.mark.parametrize(
    "content", ["time;symbol;side\n2021;ADA;BUY\n", "time,symbol\n2021,\u00c9\n", "PK\x03\x04\x00"]
)
def test_sell_all_sells_whatever_a_spreadsheet_has_made_of_trades_csv(
    harness: ProcessHarness, command: Any, content: str
) -> None:
    harness.add_ada_position("0.5")
    (harness.folder / "trades.csv").write_bytes(content.encode("latin-1"))
    answer = command("sell-all", "--yes")
    assert (answer.code, harness.traded()) == (0, ["SELL ADA"])
    assert answer.out.splitlines()[-2].startswith("Vendu : 400 ADA pour ")
    assert (harness.folder / "trades.aside1.csv").read_bytes() == content.encode("latin-1")


def test_with_nothing_held_sell_all_says_so(command: Any) -> None:
    answer = command("sell-all", "--yes")
    assert (answer.code, answer.out.splitlines()[0]) == (0, "Il n'y avait rien à vendre")


def test_when_binance_is_down_the_sale_stays_marked_and_the_reason_is_told(
    harness: ProcessHarness, command: Any
) -> None:
    harness.add_ada_position("0.5")
    harness.market.faults.add(service="binance", match="", kind="status", times=-1, status=503)
    answer = command("sell-all", "--yes")
    assert answer.code == 1
    assert answer.out.startswith("ADA n'a pas été vendu : la vente n'a pas pu se faire pour l'instant (")
    assert "Le reste est marqué pour la vente" in answer.out
    assert pending(harness) == {"ADA": OrderReason.SELL_ALL}
    harness.market.faults.clear()
    assert command("sell-all", "--yes").code == 0
    assert harness.traded() == ["SELL ADA"]


def test_a_short_silence_that_binance_asks_for_is_sat_out(harness: ProcessHarness, command: Any) -> None:
    harness.add_ada_position("0.5")
    silence = {"Retry-After": "1"}
    harness.market.faults.add(service="binance", match="POST /api/v3/order", kind="status", status=429, headers=silence)
    answer = command("sell-all", "--yes")
    assert answer.code == 0
    assert answer.out.startswith("Binance demande d'attendre 1 s ; la vente reprendra ensuite\nVendu : 400 ADA")
    assert harness.traded() == ["SELL ADA"]


def test_a_silence_is_sat_out_for_a_token_that_binance_alone_prices(harness: ProcessHarness, command: Any) -> None:
    harness.add_ada_position("0.5")
    harness.market.coinbase.unlisted.add("ADA")
    silence = {"Retry-After": "1"}
    harness.market.faults.add(service="binance", match="ticker/price", kind="status", status=429, headers=silence)
    answer = command("sell-all", "--yes")
    assert answer.code == 0, answer.out
    assert harness.traded() == ["SELL ADA"]


def test_a_long_silence_is_told_and_the_sale_stays_marked(harness: ProcessHarness, command: Any) -> None:
    harness.add_ada_position("0.5")
    ban = {"Retry-After": "131"}
    harness.market.faults.add(service="binance", match="POST /api/v3/order", kind="status", status=418, headers=ban)
    answer = command("sell-all", "--yes")
    assert answer.code == 1
    assert answer.out.startswith("ADA n'a pas été vendu : Binance demande d'attendre")
    assert pending(harness) == {"ADA": OrderReason.SELL_ALL}


def test_dust_stays_and_is_no_failure(harness: ProcessHarness, command: Any) -> None:
    harness.add_ada_position("0.5")
    harness.market.set_price("ADA", "0.01")
    answer = command("sell-all", "--yes")
    assert answer.code == 0
    assert "c'est moins que le plus petit ordre de Binance" in answer.out


@pytest.mark.parametrize(("typed", "sells"), [("oui", True), ("yes", True), ("o", False), ("", False)])
def test_sell_all_asks_first(
    harness: ProcessHarness, command: Any, monkeypatch: pytest.MonkeyPatch, typed: str, sells: bool
) -> None:
    harness.add_ada_position("0.5")
    monkeypatch.setattr("builtins.input", lambda _: typed)
    assert command("sell-all").code == (0 if sells else 1)
    assert harness.traded() == (["SELL ADA"] if sells else [])


def test_pause_and_resume_without_a_bot_say_that_none_runs(harness: ProcessHarness, command: Any) -> None:
    assert command("pause").out.splitlines()[1].startswith("Aucun robot n'est en marche")
    assert command("pause").out.startswith("Les achats étaient déjà suspendus")
    assert command("resume").out.splitlines()[0] == "Les achats sont de nouveau permis"
    assert command("resume").out == "Les achats n'étaient pas suspendus\n"


def test_resume_while_a_sale_of_everything_waits_changes_nothing(harness: ProcessHarness, command: Any) -> None:
    command("pause")
    (harness.folder / "SELL_ALL").touch()
    answer = command("resume")
    assert answer.code == 1
    assert "une vente de tout attend encore (SELL_ALL)" in answer.error
    assert (harness.folder / "PAUSE").exists()


def test_a_pause_of_the_live_bot_cannot_be_lifted_from_paper(harness: ProcessHarness, command: Any) -> None:
    command("pause")
    harness.config["mode"] = "paper"
    harness.write_config()
    answer = command("resume")
    assert answer.code == 1
    assert "du mode live" in answer.error


# --------------------------------------------------------------------------- a bot runs


@pytest.fixture
def daemon(harness: ProcessHarness) -> Iterator[subprocess.Popen[str]]:
    harness.write_model()
    harness.add_ada_position("0.5")
    (harness.folder / "PAUSE").touch()  # nothing is bought: what is sold is the point here
    with harness.running_bot() as process:
        yield process


def test_a_running_bot_sells_everything_and_the_command_shows_it(
    harness: ProcessHarness, daemon: Any, command: Any
) -> None:
    answer = command("sell-all", "--yes")
    assert answer.code == 0
    assert answer.out.startswith("Vendu : 400 ADA pour ")
    assert harness.traded() == ["SELL ADA"]
    assert daemon.poll() is None


@pytest.mark.slow
def test_two_sell_alls_at_once_sell_once_and_both_tell(harness: ProcessHarness, daemon: Any) -> None:
    both = [harness.start("sell-all", "--yes") for _ in range(2)]
    outs = [process.communicate(timeout=60)[0] for process in both]
    assert all("Le robot ne détient plus rien" in out for out in outs)
    assert harness.traded() == ["SELL ADA"]


@pytest.mark.slow
def test_a_bot_that_dies_in_the_middle_is_stood_in_for(harness: ProcessHarness, daemon: Any, command: Any) -> None:
    harness.market.binance.account.on_order = daemon.kill  # after Binance has the order, before the bot has the answer
    answer = command("sell-all", "--yes")
    harness.market.binance.account.on_order = None
    assert answer.code == 0, answer.out + answer.error
    assert "Le robot ne détient plus rien" in answer.out
    assert harness.traded() == ["SELL ADA"], "what became of the order was looked up, not sent again"


@pytest.mark.slow
def test_what_the_running_bot_cannot_sell_is_told_with_its_reason(
    harness: ProcessHarness, daemon: Any, command: Any
) -> None:
    harness.market.exchange.pairs["ADAUSDT"].permitted = False
    answer = command("sell-all", "--yes")
    assert answer.code == 1
    assert answer.out.startswith("ADA n'a pas été vendu : la vente n'a pas pu se faire pour l'instant (")
    assert pending(harness) == {"ADA": OrderReason.SELL_ALL}


@pytest.mark.slow
def test_touching_pause_is_heard_within_seconds(harness: ProcessHarness, daemon: Any, command: Any) -> None:
    assert command("resume").out.splitlines()[1] == "Le robot en marche en a pris note"
    control = ControlFiles(_settings(harness))
    (harness.folder / "PAUSE").touch()
    asked = time.monotonic()
    while control.read_reply() != CommandReply(paused=True):
        assert time.monotonic() - asked < 20
        time.sleep(0.05)
    assert "control.heard" in (harness.folder / "bot.log").read_text()


@pytest.mark.slow
def test_a_bot_that_does_not_answer_is_told_of(
    harness: ProcessHarness, daemon: Any, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marsshot.commands.controls.REPLY_TIMEOUT_SECONDS", 1.0)
    monkeypatch.setattr("marsshot.commands.controls.ORDER_RESOLUTION_SECONDS", 1.0)
    daemon.send_signal(signal.SIGSTOP)
    try:
        assert "n'a pas encore confirmé" in command("resume").out
        answer = command("sell-all", "--yes")
        assert answer.code == 1
        assert "n'en a pas encore pris note" in answer.error
        assert (harness.folder / "SELL_ALL").exists(), "it will"
    finally:
        daemon.send_signal(signal.SIGCONT)


# --------------------------------------------------------------------------- answers


def _settings(harness: ProcessHarness) -> Any:
    return read_settings(harness.folder / "config.yaml")


def test_an_answer_is_its_owners_only_and_comes_back_as_it_was(harness: ProcessHarness) -> None:
    control = ControlFiles(_settings(harness))
    heard = CommandReply(paused=True, sold_all=True, left={"ADA": (UnsoldReason.REFUSED, "status HALT")})
    control.write_reply(heard)
    assert control.read_reply() == heard
    assert (harness.folder / "heard.json").stat().st_mode & 0o777 == 0o600
    control.clear_reply()
    assert control.read_reply() is None


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"paused": true, "sold_all": false, "left": {"A": "b"}}'])
def test_an_answer_that_cannot_be_read_is_none(harness: ProcessHarness, content: bytes) -> None:
    (harness.folder / "heard.json").write_bytes(content)
    assert ControlFiles(_settings(harness)).read_reply() is None


def test_while_another_holds_the_book_its_answer_is_waited_for(harness: ProcessHarness) -> None:
    settings, control = _settings(harness), ControlFiles(_settings(harness))
    harness.add_ada_position()
    with writer_lock(harness.folder / "bot_state.json"):
        control.write_reply(CommandReply(paused=True, sold_all=True, left={"ADA": (UnsoldReason.IN_DOUBT, "")}))
        assert controls.reply_of_running_bot(settings, control) is None, "it will be known better soon"
        control.write_reply(CommandReply(paused=True, sold_all=True, left={"ADA": (UnsoldReason.TOO_SMALL, "")}))
        assert controls.reply_of_running_bot(settings, control) == {"ADA": (UnsoldReason.TOO_SMALL, "")}
        control.request_sell_all()
        assert controls.reply_of_running_bot(settings, control) is None, "not taken note of yet"

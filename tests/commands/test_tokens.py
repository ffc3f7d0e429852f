"""sell, exclude, include: one token at the owner's word, whether or not a bot runs."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import main
from marsshot.core.reasons import OrderReason
from marsshot.infra.atomic_files import Disk
from marsshot.portfolio.trades_file import read_trades
from positions_store import load_state
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
        harness.add_ada_position("0.5")
        harness.add_position("DOT", "10", "20")
        yield harness


@pytest.fixture
def command(harness: ProcessHarness, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        code = main.main(arguments)
        out, error = capsys.readouterr()
        return code, plain(out + error)

    return run


def book(harness: ProcessHarness) -> Any:
    return load_state(harness.folder / "bot_state.json", "live", Disk())


def waiting(harness: ProcessHarness) -> list[str]:
    return [path.name for path in harness.folder.glob("REQUEST*")]


# --------------------------------------------------------------------------- nobody runs


def test_sell_sells_that_position_alone_and_pauses_nothing(harness: ProcessHarness, command: Any) -> None:
    code, out = command("sell", "ada", "--yes")
    assert (code, out[:20]) == (0, "Vendu : 400 ADA pour")
    assert len(out.splitlines()) == 1
    assert harness.traded() == ["SELL ADA"]
    assert list(book(harness).positions) == ["DOT"]
    assert not (harness.folder / "PAUSE").exists()
    assert waiting(harness) == []
    assert [trade.reason for trade in read_trades(harness.folder / "trades.csv")] == [OrderReason.SELL_TOKEN]


def test_what_is_not_held_is_named_with_what_is(harness: ProcessHarness, command: Any) -> None:
    code, out = command("sell", "LINK", "--yes")
    assert (code, out) == (2, "aucune position en LINK. Positions détenues : ADA, DOT\n")
    assert harness.traded() == waiting(harness) == []


@pytest.mark.parametrize(("typed", "sells"), [("oui", True), ("yes", True), ("o", False), ("", False)])
def test_sell_asks_first(
    harness: ProcessHarness, command: Any, monkeypatch: pytest.MonkeyPatch, typed: str, sells: bool
) -> None:
    questions: list[str] = []

    def answer(question: str) -> str:
        questions.append(plain(question))
        return typed

    monkeypatch.setattr("builtins.input", answer)
    assert command("sell", "ADA")[0] == (0 if sells else 1)
    assert questions == ["Vendre toute la position en ADA au prix du marché ? Tapez oui : "]
    assert harness.traded() == (["SELL ADA"] if sells else [])


def test_what_cannot_be_sold_now_stays_marked_and_the_reason_is_told(harness: ProcessHarness, command: Any) -> None:
    harness.market.faults.add(service="binance", match="", kind="status", times=-1, status=503)
    code, out = command("sell", "ADA", "--yes")
    assert code == 1
    assert out.startswith("ADA n'a pas été vendu : la vente n'a pas pu se faire pour l'instant (")
    assert "La vente reste demandée" in out
    assert book(harness).positions["ADA"].exit_pending is OrderReason.SELL_TOKEN
    assert book(harness).positions["DOT"].exit_pending is None
    harness.market.faults.clear()
    assert command("sell", "ADA", "--yes")[0] == 0
    assert harness.traded() == ["SELL ADA"]


def test_exclude_and_include_are_in_the_book_and_say_what_changed(harness: ProcessHarness, command: Any) -> None:
    code, out = command("exclude", "dot")
    assert code == 0
    assert out == (
        "Plus aucun achat de DOT ; ses ventes continuent. Pour les permettre de nouveau : python main.py include DOT\n"
    )
    assert book(harness).excluded == {"DOT"}
    assert command("exclude", "DOT") == (0, "DOT était déjà exclu des achats\n")
    assert command("include", "DOT") == (0, "Les achats de DOT sont de nouveau permis\n")
    assert book(harness).excluded == frozenset()
    assert command("include", "DOT") == (0, "Les achats de DOT n'étaient pas exclus\n")
    assert waiting(harness) == []


def test_a_token_of_no_list_is_taken_for_a_typing_mistake(harness: ProcessHarness, command: Any) -> None:
    assert command("exclude", "DOTT") == (2, "DOTT n'est ni dans tokens_daily ni détenu : faute de frappe ?\n")


# --------------------------------------------------------------------------- a bot runs


@pytest.fixture
def daemon(harness: ProcessHarness) -> Iterator[subprocess.Popen[str]]:
    harness.write_model()
    (harness.folder / "PAUSE").touch()  # nothing is bought: what is sold is the point here
    with harness.running_bot() as process:
        yield process


@pytest.mark.slow
def test_a_running_bot_sells_and_the_command_shows_it(harness: ProcessHarness, daemon: Any, command: Any) -> None:
    code, out = command("sell", "ADA", "--yes")
    assert (code, out[:20]) == (0, "Vendu : 400 ADA pour")
    assert harness.traded() == ["SELL ADA"]
    assert daemon.poll() is None
    assert command("exclude", "ADA")[0] == 0
    assert book(harness).excluded == {"ADA"}
    assert waiting(harness) == []


@pytest.mark.slow
def test_a_bot_that_dies_in_the_middle_is_stood_in_for(harness: ProcessHarness, daemon: Any, command: Any) -> None:
    harness.market.binance.account.on_order = daemon.kill  # after Binance has the order, before the bot has the answer
    code, out = command("sell", "ADA", "--yes")
    harness.market.binance.account.on_order = None
    assert code == 0, out
    assert harness.traded() == ["SELL ADA"], "what became of the order was looked up, not sent again"


@pytest.mark.slow
def test_what_the_running_bot_cannot_sell_is_told_each_time(harness: ProcessHarness, daemon: Any, command: Any) -> None:
    harness.market.exchange.pairs["ADAUSDT"].permitted = False
    for _ in range(2):
        code, out = command("sell", "ADA", "--yes")
        assert code == 1
        assert out.startswith("ADA n'a pas été vendu : la vente n'a pas pu se faire pour l'instant (")

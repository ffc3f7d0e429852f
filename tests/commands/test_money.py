"""deposit and withdraw: what the bot may use, whether or not it runs, in the owner's words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import main
from marsshot.core.requests import read_amount
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


@pytest.fixture
def command(harness: ProcessHarness, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        code = main.main(arguments)
        out, error = capsys.readouterr()
        return code, plain(out + error)

    return run


@pytest.mark.parametrize(
    ("given", "amount"), [("500", "500"), ("500.50", "500.50"), ("500,5", "500.5"), ("0.00000001", "0.00000001")]
)
def test_an_amount_is_read_with_a_point_or_a_comma(given: str, amount: str) -> None:
    assert read_amount(given) == Decimal(amount)


@pytest.mark.parametrize("given", ["", "0", "0,00", "-5", "1,000", "1 000", "1e3", "NaN", "0.000000001", "٥", "1" * 13])
def test_what_is_no_amount_or_may_be_another_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(given)}$"):
        read_amount(given)


def test_without_a_bot_the_book_changes_here(harness: ProcessHarness, command: Any) -> None:
    free = harness.market.exchange.free["USDT"]
    code, out = command("deposit", "200,50", "--yes")
    assert code == 0
    assert out == ("Le robot peut utiliser 200,50 USDT de plus : son capital libre est maintenant de 1 200,50 USDT\n")
    code, out = command("withdraw", "200.50", "--yes")
    assert (code, out.startswith("Le robot a 200,50 USDT de moins : son capital libre est maintenant de 1 000,00")) == (
        0,
        True,
    )
    assert [row.split(",")[1:] for row in Path("cash_flows.csv").read_text().splitlines()[1:]] == [
        ["200.5", "1200.5"],
        ["-200.5", "1000"],
    ]
    assert harness.market.exchange.free["USDT"] == free, "nothing moves on the exchange"


def test_more_than_there_is_changes_nothing_and_is_told_with_what_there_is(
    harness: ProcessHarness, command: Any
) -> None:
    harness.market.exchange.free["USDT"] = Decimal("1234.567")
    code, out = command("deposit", "235", "--yes")
    assert (code, out) == (
        1,
        "Rien n'a été changé : le compte a 234,56 USDT de libre en plus de ce que le robot compte déjà\n",
    )
    code, out = command("withdraw", "1000.01", "--yes")
    assert code == 1
    assert out.startswith("Rien n'a été changé : 1 000,00 USDT sont libres")
    assert not Path("cash_flows.csv").exists()


def test_what_cannot_be_done_now_is_taken_back(harness: ProcessHarness, command: Any) -> None:
    harness.market.faults.add(service="binance", match="account", kind="status", times=-1, status=503)
    code, out = command("deposit", "100", "--yes")
    assert (code, len(out.splitlines())) == (1, 1), out
    harness.market.faults.clear()
    assert list(harness.folder.glob("REQUEST*")) == []
    main.main(["intraday"])
    assert harness.book()["capital_usdt"] == "1000", "nothing is left to be carried out later"


@pytest.mark.parametrize(("typed", "capital"), [("oui", "1100"), ("", "1000")])
def test_it_asks_first(
    harness: ProcessHarness, command: Any, monkeypatch: pytest.MonkeyPatch, typed: str, capital: str
) -> None:
    monkeypatch.setattr("builtins.input", lambda _: typed)
    assert command("deposit", "100")[0] == (0 if typed else 1)
    assert harness.book()["capital_usdt"] == capital


def test_a_typing_mistake_is_told_in_one_line(command: Any) -> None:
    assert command("deposit", "1,000", "--yes") == (
        2,
        "1,000 : ce n'est pas un montant ; écrivez par exemple 500 ou 500,50\n",
    )


def test_a_running_bot_takes_it(harness: ProcessHarness, command: Any) -> None:
    harness.write_model()
    (harness.folder / "PAUSE").touch()
    with harness.running_bot() as daemon:
        assert command("deposit", "100", "--yes")[0] == 0
        assert command("withdraw", "1100.01", "--yes")[0] == 1
        assert daemon.poll() is None
    assert harness.book()["capital_usdt"] == "1100"
    assert len(Path("cash_flows.csv").read_text().splitlines()) == 2


def test_in_paper_the_book_is_the_account(harness: ProcessHarness, command: Any) -> None:
    harness.config["mode"] = "paper"
    harness.write_config()
    main.main(["intraday"])
    assert command("deposit", "1000000", "--yes")[0] == 0
    assert "1000000,1001000" in Path("cash_flows.paper.csv").read_text()

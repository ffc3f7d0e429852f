"""`main.py status`, and the owner's word to a running bot: pause, resume, sell all."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from builders import TODAY, D, a_book, a_plan, a_position, a_trade, bought_at, buy_intent, sell_intent, some_settings

from control import Control
from disk import Disk
from domain import Book, Reason, TradeRow
from errors import InputError
from positions_store import Store, save_state
from status import show_status, status_facts

MORNING = datetime(2021, 2, 15, 9, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def facts(book: Book, *, now: datetime = MORNING, paused: str = "", **settings: object) -> dict[str, Any]:
    return status_facts(book, some_settings(**settings), paused, now)


def saved(book: Book, *rows: TradeRow) -> None:
    store = Store(book, Path("bot_state.paper.json"), Path("trades.paper.csv"), Disk(), pytest.fail)
    store.save(replace(book, unwritten_trades=rows))


# --------------------------------------------------------------------------- status


def test_the_capital_is_told_as_decimals() -> None:
    told = facts(a_book(capital=D("900.50"), started_at="2021-02-01T00:00:00Z"))
    assert (told["mode"], told["quote_asset"]) == ("paper", "USDT")
    assert (told["capital"], told["capital_started"]) == ("900.5", "1000")
    assert told["started_at"] == "2021-02-01T00:00:00Z"


def test_the_levels_of_a_position_are_told() -> None:
    held = facts(a_book(positions={"FET": bought_at("0.10", opened_at="then")}))["positions"]["FET"]
    assert (held["qty"], held["entry_price"], held["cost"], held["opened_at"]) == ("100", "0.1", "10", "then")
    assert D(held["stop_loss_at"]) == D("0.05")
    assert D(held["partial_at"]) == D("0.2")
    assert held["trailing_armed"] is False
    assert held["trailing_at"].startswith("armed from 0.3")
    assert (held["did_skip_sell_once"], held["exit_pending"]) == (False, "")


def test_a_position_in_the_middle_of_its_life_is_told() -> None:
    position = bought_at(
        "0.10",
        trailing_armed=True,
        max_price=D("0.32"),
        partial_sold=True,
        did_skip_sell_once=True,
        exit_pending=Reason.TRAILING_STOP,
    )
    held = facts(a_book(positions={"FET": position}))["positions"]["FET"]
    assert held["partial_at"] == "done"
    assert held["trailing_armed"] is True
    assert D(held["trailing_at"]) == D("0.224")
    assert (held["did_skip_sell_once"], held["exit_pending"]) == (True, "trailing_stop")


def test_the_realised_profit_is_the_sum_of_the_journal() -> None:
    saved(a_book(), a_trade("ms-1", profit="-12.5"), a_trade("ms-2", profit=""), a_trade("ms-3", profit="20.25"))
    assert facts(a_book())["realised_profit"] == "7.75"


def test_without_trades_there_is_no_profit() -> None:
    assert facts(a_book())["realised_profit"] == "0"


def test_the_profit_has_the_trades_that_are_still_in_the_book() -> None:
    assert facts(a_book(unwritten_trades=(a_trade("ms-1", profit="5"),)))["realised_profit"] == "5"


def test_a_trade_that_is_in_book_and_journal_counts_once() -> None:
    saved(a_book(), a_trade("ms-1", profit="5"))
    told = facts(a_book(unwritten_trades=(a_trade("ms-1", profit="5"),)))
    assert told["realised_profit"] == "5"


@pytest.mark.parametrize(
    ("now", "last", "following"),
    [
        ("2021-02-15T00:10", "2021-02-14", "2021-02-15T00:30Z"),
        ("2021-02-15T09:00", "2021-02-15", "2021-02-16T00:30Z"),
        ("2021-02-15T09:00", "2021-02-14", "due now"),
        ("2021-02-15T00:30", None, "due now"),
        ("2021-02-15T00:29", None, "2021-02-15T00:30Z"),
    ],
)
def test_the_next_pass_is_told(now: str, last: str | None, following: str) -> None:
    book = a_book(last_daily_update=date.fromisoformat(last) if last else None)
    told = facts(book, now=datetime.fromisoformat(f"{now}Z"))
    assert (told["last_daily_update"], told["next_daily_update"]) == (last, following)


def test_doubts_and_an_open_plan_are_told() -> None:
    intents = {"ms-1": buy_intent(), "ms-2": sell_intent(client_order_id="ms-2", symbol="OP")}
    told = facts(a_book(intents=intents, plan=a_plan()), paused="for a reason")
    assert told["open_doubts"] == ["buy FET ms-1", "sell OP ms-2"]
    assert told["differences"] == []
    assert told["plan_under_way"] is True
    assert told["paused"] == "for a reason"
    assert facts(a_book())["plan_under_way"] is False


def test_what_differs_from_binance_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sentence = "ADA: the book has 300, Binance has 200"
    save_state(a_book(differences={"short.ADA.200": sentence}), Path("bot_state.paper.json"), Disk())
    assert show_status(some_settings(), as_json=False) == 0
    assert sentence in " ".join(capsys.readouterr().out.split())


def test_json_is_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    third = a_position(qty=D(3), entry_base=D(3), max_price=D(100) / 3)
    saved(a_book(positions={"FET": third}, last_daily_update=TODAY), a_trade(profit="1.5"))
    assert show_status(some_settings(), as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["positions"]["FET"]["qty"] == "3"
    assert told["realised_profit"] == "1.5"


def test_status_is_readable(capsys: pytest.CaptureFixture[str]) -> None:
    saved(a_book(positions={"FET": a_position()}))
    assert show_status(some_settings(), as_json=False) == 0
    shown = capsys.readouterr().out
    assert "FET" in shown
    assert "1000.00 USDT" in shown


def test_status_without_positions_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    saved(a_book())
    show_status(some_settings(), as_json=False)
    assert "No positions" in capsys.readouterr().out


def test_status_changes_nothing(folder: Path) -> None:
    saved(a_book(positions={"FET": a_position()}), a_trade())
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir()}
    show_status(some_settings(), as_json=True)
    assert {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir()} == before


def test_status_without_a_book_says_how_to_begin() -> None:
    with pytest.raises(InputError, match="there is no book yet"):
        show_status(some_settings(), as_json=False)


def test_status_of_a_book_of_another_mode_is_refused() -> None:
    save_state(a_book(mode="live"), Path("bot_state.paper.json"), Disk())
    with pytest.raises(InputError, match="was written in mode live"):
        show_status(some_settings(), as_json=False)


@pytest.mark.parametrize(
    "content",
    [
        b"time;symbol;profit\n1;FET;2\n",  # saved anew by a spreadsheet
        b"time,profit\n2021,-",  # a last line that a death left unfinished
        b"time,profit\n2021,\xff\n",
    ],
)
def test_status_copes_with_a_broken_journal(folder: Path, content: bytes) -> None:
    saved(a_book())
    (folder / "trades.paper.csv").write_bytes(content)
    try:
        show_status(some_settings(), as_json=True)
    except InputError as error:
        assert "trades.paper.csv" in str(error)


# --------------------------------------------------------------------------- pause and resume

FILES = {"live": "", "paper": ".paper", "demo": ".demo"}


@pytest.mark.parametrize(("mode", "ending"), FILES.items())
def test_pause_is_a_file_of_its_mode(folder: Path, mode: str, ending: str) -> None:
    control = Control(some_settings(mode=mode))
    assert control.paused() == ""
    control.pause()
    assert [file.name for file in folder.iterdir()] == [f"PAUSE{ending}"]
    assert stat.S_IMODE((folder / f"PAUSE{ending}").stat().st_mode) == 0o600
    assert f"PAUSE{ending}" in control.paused()
    assert "resume" in control.paused()


@pytest.mark.parametrize("mode", FILES)
def test_resume_says_whether_it_was_paused(folder: Path, mode: str) -> None:
    control = Control(some_settings(mode=mode))
    assert control.resume() is False
    control.pause()
    control.pause()
    assert control.resume() is True
    assert control.paused() == ""
    assert list(folder.iterdir()) == []


def test_a_pause_of_paper_leaves_live_alone() -> None:
    Control(some_settings(mode="paper")).pause()
    assert Control(some_settings(mode="live")).paused() == ""


@pytest.mark.parametrize("mode", ["paper", "demo"])
def test_a_resume_of_another_mode_leaves_live_paused(mode: str) -> None:
    Control(some_settings(mode="live")).pause()
    Control(some_settings(mode=mode)).resume()
    assert Control(some_settings(mode="live")).paused() != ""


@pytest.mark.parametrize(("mode", "ending"), FILES.items())
def test_sell_all_is_a_file_until_it_is_noted(folder: Path, mode: str, ending: str) -> None:
    control = Control(some_settings(mode=mode))
    assert not control.is_to_sell_all()
    control.ask_to_sell_all()
    assert [file.name for file in folder.iterdir()] == [f"SELL_ALL{ending}"]
    assert control.is_to_sell_all()
    control.sell_all_noted()
    control.sell_all_noted()
    assert not control.is_to_sell_all()


def test_sell_all_of_one_mode_is_not_the_others() -> None:
    Control(some_settings(mode="live")).ask_to_sell_all()
    assert not Control(some_settings(mode="paper")).is_to_sell_all()
    assert not Control(some_settings(mode="demo")).is_to_sell_all()

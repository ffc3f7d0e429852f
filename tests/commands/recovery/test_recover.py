"""`main.py recover`: a lost, torn or old book is rebuilt from the exchange's memory, shown, written after a yes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import main
from embedded_market.exchange.orders import MarketOrder, Moment
from marsshot.core.book import Book
from marsshot.core.orders import new_client_order_id
from marsshot.core.reasons import OrderReason
from marsshot.infra.atomic_files import Disk
from positions_store import load_state, writer_lock
from tests.helpers.french_text import plain
from tests.helpers.process_harness import D, ProcessHarness, open_process_harness

Command = Callable[..., tuple[int, str]]


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProcessHarness]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("marsshot.infra.clock.SystemClock.LOOP_SECONDS", 0.1)
    with open_process_harness(tmp_path) as harness:
        harness.config["training_tokens"] = ["ADA", "DOT", "LINK"]
        harness.write_config()
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


def place(harness: ProcessHarness, symbol: str, reason: OrderReason, amount: str, serial: int) -> None:
    """Let the exchange execute an order of this bot that the book here knows nothing of."""
    is_buy = reason is OrderReason.DAILY_BUY
    moment_ms = int(time.time() * 1000)
    price = harness.market.board.price(symbol, harness.market.clock())
    harness.market.exchange.place(
        MarketOrder(
            f"{symbol}USDT",
            is_buy,
            quantity=None if is_buy else D(amount),
            quote_quantity=D(amount) if is_buy else None,
            client_order_id=new_client_order_id(moment_ms, serial, reason),
        ),
        Moment(time_ms=moment_ms, price=price, average=price),
    )


def bought_and_sold(harness: ProcessHarness) -> None:
    """400 USDT of ADA, a part of it sold again; 200 USDT of DOT, all of it sold."""
    place(harness, "ADA", OrderReason.DAILY_BUY, "400", 1)
    place(harness, "DOT", OrderReason.DAILY_BUY, "200", 2)
    held = {symbol: harness.market.exchange.free[symbol] for symbol in ("ADA", "DOT")}
    place(harness, "ADA", OrderReason.PARTIAL_TAKE_PROFIT, str((held["ADA"] / 5).quantize(D(1))), 3)
    place(harness, "DOT", OrderReason.STOP_LOSS, str(held["DOT"].quantize(D("0.01"), "ROUND_DOWN")), 4)


def book_of(harness: ProcessHarness) -> Book:
    book = load_state(harness.folder / "bot_state.json", "live", Disk())
    assert book is not None
    return book


# --------------------------------------------------------------------------- no book


def test_without_a_book_it_is_rebuilt_from_the_first_order_on(harness: ProcessHarness, command: Command) -> None:
    bought_and_sold(harness)
    code, shown = command("recover", "--yes")
    assert code == 0, shown
    assert "There is no book. Orders of this bot that the exchange knows: 4" in shown
    assert "a part has been sold" in shown
    assert "no order" not in shown
    book, free = book_of(harness), harness.market.exchange.free
    assert list(book.positions) == ["ADA"]
    held = book.positions["ADA"]
    assert (held.qty, held.partial_sold) == (free["ADA"], True)
    assert book.capital == free["USDT"] - 500, "500 of the 1500 are the owner's"
    assert book.order_serial == 4
    assert (harness.folder / "PAUSE").read_text().startswith("the book was rebuilt")
    rows = (harness.folder / "trades.csv").read_text().splitlines()
    assert [row.split(",")[3] for row in rows[1:]] == ["daily_buy", "daily_buy", "partial_take_profit", "stop_loss"]
    assert harness.traded() == ["BUY ADA", "BUY DOT", "SELL ADA", "SELL DOT"], "nothing is sold or bought by it"


def test_the_next_start_finds_nothing_that_differs(harness: ProcessHarness, command: Command) -> None:
    bought_and_sold(harness)
    command("recover", "--yes")
    before = book_of(harness)
    code, shown = command("intraday")
    assert code == 0
    assert "does not know" not in shown
    assert book_of(harness).differences == {}
    assert book_of(harness).positions.keys() == before.positions.keys()
    assert command("recover") == (0, command("recover")[1])
    assert "The book knows every order" in command("recover")[1]


@pytest.mark.parametrize(("answer", "code"), [("yes", 0), ("no", 1), ("", 1)])
def test_it_asks_before_it_writes(
    harness: ProcessHarness, command: Command, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    bought_and_sold(harness)
    monkeypatch.setattr("builtins.input", lambda _question: answer)
    assert command("recover")[0] == code
    assert (harness.folder / "bot_state.json").exists() is (code == 0)
    assert (harness.folder / "PAUSE").exists() is (code == 0)


def test_orders_of_the_owners_own_are_his(harness: ProcessHarness, command: Command) -> None:
    bought_and_sold(harness)
    price = harness.market.board.price("ADA", harness.market.clock())
    moment = Moment(time_ms=int(time.time() * 1000), price=price, average=price)
    before = harness.market.exchange.free["ADA"]
    harness.market.exchange.place(MarketOrder("ADAUSDT", True, quote_quantity=D(50), client_order_id="web_1"), moment)
    code, shown = command("recover", "--yes")
    assert code == 0
    assert "web_1" not in shown
    assert book_of(harness).positions["ADA"].qty == before


def test_a_torn_book_is_kept_aside(harness: ProcessHarness, command: Command) -> None:
    bought_and_sold(harness)
    (harness.folder / "bot_state.json").write_text('{"version": 1, "mod')
    assert command("recover", "--yes")[0] == 0
    assert (harness.folder / "bot_state.json.unreadable").read_text() == '{"version": 1, "mod'
    assert book_of(harness).positions.keys() == {"ADA"}


def test_more_than_a_page_of_orders_is_read_whole(
    harness: ProcessHarness, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marsshot.exchange.binance.order_history.ROWS_PER_PAGE", 2)
    for serial in range(1, 6):
        place(harness, "ADA", OrderReason.DAILY_BUY, "50", serial)
    assert command("recover", "--yes")[0] == 0
    held = book_of(harness).positions["ADA"]
    assert held.qty == harness.market.exchange.free["ADA"]
    asked = [seen for seen in harness.market.request_log if seen.path == "/api/v3/allOrders" and "ADA" in seen.query]
    assert len(asked) == 3


# --------------------------------------------------------------------------- a book that lags


def test_an_old_book_put_back_catches_up(harness: ProcessHarness, command: Command) -> None:
    command("intraday")  # begins the book
    old = (harness.folder / "bot_state.json").read_bytes()
    bought_and_sold(harness)
    command("recover", "--yes")
    whole = book_of(harness)
    (harness.folder / "bot_state.json").write_bytes(old)
    (harness.folder / "PAUSE").unlink()
    code, shown = command("recover", "--yes")
    assert code == 0
    assert "Orders of this bot that the book does not know: 4" in shown
    caught_up = book_of(harness)
    assert (caught_up.positions, caught_up.capital) == (whole.positions, whole.capital)
    assert len((harness.folder / "trades.csv").read_text().splitlines()) == 5, "no row is written twice"


@pytest.mark.parametrize("has_old_book", [True, False])
def test_what_the_owner_has_brought_is_counted_once(
    harness: ProcessHarness, command: Command, *, has_old_book: bool
) -> None:
    command("intraday")  # begins the book, with 1000 of the 1500 USDT
    old = (harness.folder / "bot_state.json").read_bytes()
    assert command("deposit", "300", "--yes")[0] == 0
    assert command("withdraw", "20", "--yes")[0] == 0
    bought_and_sold(harness)
    if has_old_book:
        (harness.folder / "bot_state.json").write_bytes(old)
    else:
        (harness.folder / "bot_state.json").unlink()
    code, shown = command("recover", "--yes")
    assert code == 0, shown
    assert book_of(harness).capital == harness.market.exchange.free["USDT"] - 220, "220 of the 1500 are the owner's"
    assert command("recover", "--yes")[0] == 0
    assert book_of(harness).capital == harness.market.exchange.free["USDT"] - 220, "and not once more"
    rows = (harness.folder / "cash_flows.csv").read_text().splitlines()
    assert [row.split(",")[1] for row in rows] == ["amount", "300", "-20"]


def test_it_finds_orders_that_resume_has_left_behind(harness: ProcessHarness, command: Command) -> None:
    command("intraday")
    bought_and_sold(harness)
    command("intraday")
    command("resume")
    command("intraday")
    assert book_of(harness).positions == {}
    assert command("recover", "--yes")[0] == 0
    assert book_of(harness).positions.keys() == {"ADA"}


def test_rows_that_trades_csv_lacks_are_added(harness: ProcessHarness, command: Command) -> None:
    bought_and_sold(harness)
    command("recover", "--yes")
    trades = harness.folder / "trades.csv"
    rows = trades.read_text().splitlines(keepends=True)
    trades.write_text("".join(rows[:2]))
    code, shown = command("recover", "--yes")
    assert code == 0
    assert "trades.csv does not: 3" in shown
    assert sorted(trades.read_text().splitlines()) == sorted("".join(rows).splitlines())


# --------------------------------------------------------------------------- what does not fit


def test_coins_that_are_gone_are_told_and_left_out(harness: ProcessHarness, command: Command) -> None:
    bought_and_sold(harness)
    harness.market.exchange.free["ADA"] = D(10)
    _code, shown = command("recover", "--yes")
    assert "the account has 10: only that much is counted" in shown
    assert book_of(harness).positions["ADA"].qty == 10


def test_coins_in_simple_earn_stay_in_the_book(harness: ProcessHarness, command: Command) -> None:
    bought_and_sold(harness)
    bought = harness.market.exchange.free["ADA"]
    harness.market.exchange.move_to_earn("ADA", bought)
    _code, shown = command("recover", "--yes")
    assert "lie in Simple Earn" in shown
    assert book_of(harness).positions["ADA"].qty == bought


def test_money_that_is_gone_is_told_and_not_counted(harness: ProcessHarness, command: Command) -> None:
    bought_and_sold(harness)
    harness.market.exchange.free["USDT"] = D(123)
    _code, shown = command("recover", "--yes")
    assert "the account has 123.00 free: only that much is counted" in shown
    assert book_of(harness).capital == 123


def test_an_exchange_that_does_not_answer_changes_nothing(harness: ProcessHarness, command: Command) -> None:
    bought_and_sold(harness)
    harness.market.faults.add(service="binance", match="allOrders", kind="status", status=502, times=-1)
    assert command("recover", "--yes")[0] == 1
    assert not (harness.folder / "bot_state.json").exists()
    assert not (harness.folder / "PAUSE").exists()


# --------------------------------------------------------------------------- deaths


@pytest.mark.parametrize("dies_at", ["PAUSE", "bot_state.json.tmp", "trades.csv"])
def test_a_death_at_any_write_leaves_what_the_next_recover_finishes(
    harness: ProcessHarness, command: Command, monkeypatch: pytest.MonkeyPatch, dies_at: str
) -> None:
    class DiedError(BaseException):
        pass

    bought_and_sold(harness)
    with monkeypatch.context() as patch:
        for name, real in (("write", Disk.write), ("append", Disk.append)):

            def dying(disk: Disk, path: Path, content: bytes, real: Any = real) -> None:
                if path.name == dies_at:
                    raise DiedError
                real(disk, path, content)

            patch.setattr(Disk, name, dying)
        with pytest.raises(DiedError):
            command("recover", "--yes")
    if (harness.folder / "bot_state.json").exists():
        assert len(json.loads((harness.folder / "bot_state.json").read_text())["unwritten_trades"]) == 4
    command("recover", "--yes")
    assert book_of(harness).positions.keys() == {"ADA"}
    command("intraday")
    assert len((harness.folder / "trades.csv").read_text().splitlines()) == 5


# --------------------------------------------------------------------------- where it cannot work


def test_it_does_not_work_beside_a_running_bot(harness: ProcessHarness, command: Command) -> None:
    with writer_lock(harness.folder / "bot_state.json"):
        code, shown = command("recover", "--yes")
    assert code == 1
    assert "another MarsShot is running" in shown


def test_paper_has_no_orders_to_rebuild_from(harness: ProcessHarness, command: Command) -> None:
    harness.config["mode"] = "paper"
    harness.write_config()
    code, shown = command("recover")
    assert (code, len(shown.splitlines())) == (2, 1)
    assert "there are no orders at an exchange" in shown


def test_without_keys_it_names_them(harness: ProcessHarness, command: Command) -> None:
    harness.config["binance_api"] |= {"api_key": "", "api_secret": ""}
    harness.write_config()
    code, shown = command("recover")
    assert code == 2
    assert "binance_api.api_key" in shown


def test_french(harness: ProcessHarness, command: Command) -> None:
    harness.config["language"] = "fr"
    harness.write_config()
    bought_and_sold(harness)
    code, shown = command("recover", "--yes")
    shown = plain(shown)
    assert code == 0
    assert "Il n'y a pas de registre. Ordres de ce robot que la plateforme connaît : 4" in shown
    assert "stop-loss" in shown
    assert "C'est écrit. Les achats sont suspendus" in shown
    assert not [word for word in ("buy", "The ", "Orders", "known") if word in shown]

"""The bot takes requests from their files, once each, whatever the disk does and wherever it dies."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from marsshot.bot.control_files import ControlFiles
from marsshot.bot.owner_requests import (
    request_deposit,
    request_exclusion,
    request_inclusion,
    request_sale,
    request_withdrawal,
)
from marsshot.core.errors import StopRequested
from marsshot.core.requests import RequestKind, RequestOutcome
from marsshot.portfolio.performance import index_at
from marsshot.portfolio.request_outcomes import MoneyFacts
from marsshot.portfolio.serialization import decimal_text
from tests.helpers.crash_injection import SimulatedCrash
from tests.helpers.trading_harness import NEW_ORDER, StubScores, TradingHarness, open_trading_harness

D = Decimal
FIRST_HOUR = datetime(2021, 2, 15, 0, 0, tzinfo=UTC)


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TradingHarness]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    with open_trading_harness(tmp_path, now=FIRST_HOUR) as harness:
        yield harness


def control(harness: TradingHarness) -> ControlFiles:
    return ControlFiles(harness.settings)


def waiting() -> list[Path]:
    return list(Path().glob("REQUEST*"))


def test_a_sale_that_is_asked_for_waits_for_no_check(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.add_position("DOT", "30")
    bot = harness.bot()
    bot.cycle()
    request = request_sale(control(harness), "ADA")
    assert bot.has_pending_command()
    bot.cycle()
    assert harness.traded() == ["SELL ADA"]
    assert harness.book.answered_requests[request.request_id].outcome is RequestOutcome.DONE
    assert waiting() == []
    harness.settle()
    assert harness.traded() == ["SELL ADA"]
    harness.assert_consistent()


def test_a_request_whose_file_stays_is_carried_out_once(
    harness: TradingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.add_position("ADA", "300")
    bot = harness.bot()
    request_sale(control(harness), "ADA")
    monkeypatch.setattr("marsshot.infra.atomic_files.SystemCalls.remove", _refuse_requests)
    bot.cycle()
    harness.add_position("ADA", "100")
    for _ in range(3):
        harness.wait(3600)
        bot.cycle()
    request_exclusion(control(harness), "DOT")  # a later answer drops none whose file is there
    bot.cycle()
    bot.cycle()
    assert harness.traded() == ["SELL ADA"]
    assert len(waiting()) == 2
    assert len(harness.captured_log.of("control.request_waits")) >= 1


def _refuse_requests(_self: object, path: Path) -> None:
    if path.name.startswith("REQUEST") and path.suffix != ".tmp":
        raise OSError(13, "Permission denied")
    path.unlink()


def test_a_disk_that_refuses_the_book_leaves_the_request_for_later(harness: TradingHarness) -> None:
    bot = harness.bot()
    request = request_exclusion(control(harness), "ADA")
    harness.disk.failing_file = "bot_state.json"
    bot.cycle()
    assert len(waiting()) == 1
    assert harness.book.excluded == frozenset()
    harness.disk.failing_file = ""
    bot.cycle()
    assert harness.book.excluded == {"ADA"}
    assert request.request_id in harness.book.answered_requests


@pytest.mark.parametrize(
    "content", ["", "{}", '{"kind": "sell", "symbol": "../x"}', '{"kind": "rob", "symbol": "ADA"}', "[" * 5000]
)
def test_what_holds_no_request_is_told_once_and_stops_nothing(harness: TradingHarness, content: str) -> None:
    Path(f"REQUEST.{'a' * 32}").write_text(content)
    Path(f"REQUEST.{'b' * 32}").mkdir()
    Path(f"REQUEST.{'c' * 32}").symlink_to(f"REQUEST.{'c' * 32}")  # a link to itself
    Path(f"REQUEST.{'d' * 32}").symlink_to("/dev/zero")  # a file without an end
    Path("REQUEST.note").touch()
    request_exclusion(control(harness), "ADA")
    bot = harness.bot()
    bot.cycle()
    bot.cycle()
    assert harness.book.excluded == {"ADA"}
    assert len(waiting()) == 5


def test_another_modes_requests_are_not_this_bots(harness: TradingHarness) -> None:
    paper = ControlFiles(harness.settings.model_copy(update={"mode": "paper"}))
    request = request_exclusion(paper, "ADA")
    bot = harness.bot()
    bot.cycle()
    assert harness.book.excluded == frozenset()
    assert Path(f"REQUEST.paper.{request.request_id}").exists()


def test_a_request_dies_at_no_line(harness: TradingHarness) -> None:
    """At each write and each request to the exchange the process ends once; the sale is made once all the same."""
    for step in range(60):
        symbol = "ADA"
        harness.add_position(symbol, "300")
        request = request_sale(control(harness), symbol)
        before = len(harness.traded())
        harness.crash_injector.steps_left = step
        try:
            harness.bot().cycle()
        except SimulatedCrash:
            pass
        else:
            break
        finally:
            harness.crash_injector.steps_left = None
        harness.open()
        bot = harness.bot()
        bot.start()
        for _ in range(3):
            bot.cycle()
            harness.wait(130)
        assert harness.traded()[before:] == ["SELL ADA"], step
        assert harness.book.answered_requests[request.request_id].outcome is RequestOutcome.DONE
        assert waiting() == []
        harness.assert_consistent()
    else:
        pytest.fail("it never came to an end")
    assert step > 8


# --------------------------------------------------------------------------- exclusions


def test_an_excluded_token_is_not_bought_and_its_exit_goes_on(harness: TradingHarness) -> None:
    harness.add_position("DOT", "30", "100000")
    bot = harness.bot(StubScores(harness.clock, ADA="0.9", LINK="0.9", DOT="0.9"))
    request_exclusion(control(harness), "ADA")
    request_exclusion(control(harness), "DOT")
    bot.cycle()
    harness.wait(1800)
    bot.cycle()
    bot.cycle()
    assert sorted(harness.traded()) == ["BUY LINK", "SELL DOT"]
    request_inclusion(control(harness), "ADA")
    bot.cycle()
    harness.wait(86_400)
    bot.cycle()
    bot.cycle()
    assert any("ADA left: too little money" in line for line in harness.captured_log.of("daily.done"))


def test_what_is_excluded_before_its_turn_in_a_plan_is_left(harness: TradingHarness) -> None:
    scores = StubScores(harness.clock, ADA="0.9", LINK="0.8")
    harness.wait(1800)
    harness.market.binance.account.on_order = harness.clock.stop
    bot = harness.bot(scores)
    with pytest.raises(StopRequested):
        bot.daily_update()
    harness.market.binance.account.on_order = None
    harness.clock._stopping = False
    request_exclusion(control(harness), "LINK")
    harness.open()
    bot = harness.bot(scores)
    bot.cycle()
    assert harness.traded() == ["BUY ADA"]
    assert any("you have excluded it" in line for line in harness.captured_log.of("daily.done"))


# --------------------------------------------------------------------------- money


def flows(harness: TradingHarness) -> list[str]:
    path = harness.folder / "cash_flows.csv"
    return path.read_text().splitlines()[1:] if path.exists() else []


def test_a_deposit_is_booked_with_its_row_and_is_no_profit(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    bot = harness.bot()
    bot.cycle()
    price = bot.price_feed.last_quotes["ADA"].price
    assert price is not None
    worth = harness.book.capital + 300 * price
    before = index_at(worth, harness.book)
    request_deposit(control(harness), D("500.50"))
    bot.cycle()
    harness.owner_balances["USDT"] -= D("500.50")
    assert flows(harness) == [f"2021-02-15T00:00:00Z,500.5,{decimal_text(harness.book.capital)}"]
    assert index_at(worth + D("500.50"), harness.book) == before
    harness.assert_consistent()


@pytest.mark.parametrize(("amount", "is_done"), [("9000", True), ("9000.01", False)])
def test_a_deposit_is_at_most_what_the_account_has_beyond_the_book(
    harness: TradingHarness, amount: str, is_done: bool
) -> None:
    assert harness.market.exchange.free["USDT"] == D(10_000)
    request = request_deposit(control(harness), D(amount))
    harness.bot().cycle()
    assert harness.book.capital == (D(10_000) if is_done else D(1000))
    answer = harness.book.answered_requests[request.request_id]
    outcome = RequestOutcome.DONE if is_done else RequestOutcome.TOO_MUCH
    assert (answer.outcome, answer.amount) == (outcome, D(10_000) if is_done else D(9000))
    assert len(flows(harness)) == is_done


def test_no_exit_waits_for_what_a_deposit_asks_the_venues(
    harness: TradingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.add_position("ADA", "300", "100")
    bot = harness.bot()
    harness.market.set_price("ADA", "0.1")
    asked_after: list[list[str]] = []
    money_facts = bot._request_taker._money_facts

    def recording(kind: RequestKind) -> MoneyFacts:
        asked_after.append(harness.traded())
        return money_facts(kind)

    monkeypatch.setattr(bot._request_taker, "_money_facts", recording)
    request_deposit(control(harness), D(500))
    bot.cycle()
    assert asked_after == [["SELL ADA"]]
    assert waiting() == []


@pytest.mark.parametrize(("amount", "is_done"), [("1000", True), ("1000.01", False)])
def test_a_withdrawal_is_at_most_the_cash_and_asks_no_exchange(
    harness: TradingHarness, amount: str, is_done: bool
) -> None:
    bot = harness.bot()
    bot.cycle()
    harness.fault("account", "status", times=-1, status=503)
    request_withdrawal(control(harness), D(amount))
    bot.cycle()
    assert harness.book.capital == (0 if is_done else 1000)
    assert len(flows(harness)) == is_done


def test_while_an_order_is_in_doubt_or_the_account_away_a_deposit_waits(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300", "100")
    harness.fault(NEW_ORDER, "drop_after")
    harness.fault("GET /api/v3/order", "status", times=1, status=502)
    bot = harness.bot()
    request = request_deposit(control(harness), D(500))
    harness.fault("account", "status", times=-1, status=503)
    bot.cycle()
    assert len(waiting()) == 1
    assert bot.request_error(request.request_id) is not None
    harness.market.faults.clear()
    for _ in range(4):
        harness.wait((bot.next_due() - harness.clock.now()).total_seconds())
        bot.cycle()
    assert (waiting(), len(flows(harness))) == ([], 1)
    harness.owner_balances["USDT"] -= 500
    harness.assert_consistent()


def test_a_deposit_dies_at_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    for step in range(60):
        folder = tmp_path / str(step)
        folder.mkdir()
        monkeypatch.chdir(folder)
        with open_trading_harness(folder, now=FIRST_HOUR) as harness:
            bot = harness.bot()
            bot.cycle()
            request_deposit(control(harness), D(500))
            harness.crash_injector.steps_left = step
            try:
                bot.cycle()
            except SimulatedCrash:
                harness.open()
                harness.bot().cycle()
                is_over = False
            else:
                is_over = True
            assert harness.book.capital == 1500, step
            assert flows(harness) == ["2021-02-15T00:00:00Z,500,1500"], step
            harness.owner_balances["USDT"] -= 500
            harness.assert_consistent()
            if is_over:
                assert step > 5
                return
    pytest.fail("it never came to an end")


def test_a_cash_flows_file_that_cannot_be_written_keeps_its_rows_in_the_book(harness: TradingHarness) -> None:
    harness.disk.failing_file = "cash_flows"
    bot = harness.bot()
    request_deposit(control(harness), D(500))
    bot.cycle()
    assert harness.book.capital == 1500
    assert len(harness.book.unwritten_cash_flows) == 1
    harness.disk.failing_file = ""
    bot.cycle()
    assert len(flows(harness)) == 1

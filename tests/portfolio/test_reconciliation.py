"""The book against the exchange: what counts as a difference, what pauses buying, what the owner's word does then."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsshot.bot.bot import Bot
from marsshot.bot.control_files import ControlFiles
from marsshot.bot.daily_update.updater import Progress
from marsshot.core.book import Book, DifferenceTopic
from marsshot.core.errors import TemporaryError
from marsshot.core.orders import ExecutedOrder, is_our_order
from marsshot.core.reasons import DifferenceKind, OrderReason
from marsshot.core.trading_rules import Account
from marsshot.portfolio.ledger import new_book, with_absence, with_double_told, with_fill, with_intent
from marsshot.portfolio.reconciliation import (
    MARGIN_MS,
    NOTED_FOR_MS,
    Difference,
    balance_differences,
    reading_of,
    since_ms,
    symbols_to_check,
    unknown_orders,
    with_comparison,
    with_exchange_quantity,
    without_explained,
)
from risk_manager import ExitDecision
from tests.helpers.builders import NOW_MS, D, a_book, a_fill, a_position, buy_intent, trading_rules
from tests.helpers.crash_injection import SimulatedCrash
from tests.helpers.trading_harness import NOON, TRADES, StubScores, TradingHarness, open_trading_harness

RULES = {"FET": trading_rules()}  # lots of 0.1
HOLDING = a_book(capital=D(0), positions={"FET": a_position()})  # 100 FET


def an_account(fet: str = "100", usdt: str = "1000", locked: str = "0") -> Account:
    return Account({"FET": D(fet), "USDT": D(usdt)}, locked={"FET": D(locked)})


def topics(differences: list[Difference]) -> list[str]:
    return [str(one.topic) for one in differences]


# --------------------------------------------------------------------------- what is a difference


@pytest.mark.parametrize(
    ("there", "found"),
    [("100", []), ("99.91", []), ("99.9", ["short.FET.99.9"]), ("0", ["short.FET.0"]), ("250", [])],
    ids=["all there", "less than a lot missing", "a lot missing", "nothing there", "the owner has some of his own"],
)
def test_less_than_the_book_by_a_lot_step_is_a_difference(there: str, found: list[str]) -> None:
    differences = balance_differences(HOLDING, an_account(there), RULES)
    assert topics(differences) == found
    assert all(one.pauses for one in differences)


def test_coins_locked_in_an_order_of_the_owners_are_there() -> None:
    assert balance_differences(HOLDING, an_account("40", locked="60"), RULES) == []
    assert topics(balance_differences(HOLDING, an_account("40", locked="50"), RULES)) == ["short.FET.90"]


def test_a_token_with_an_order_on_its_way_is_not_compared_and_neither_is_the_capital() -> None:
    book = replace(HOLDING, capital=D(1000), intents={"ms-1": buy_intent()})
    assert balance_differences(book, an_account("0", usdt="0"), RULES) == []


@pytest.mark.parametrize(("usdt", "found"), [("1000", []), ("999.991", []), ("999.99", ["capital.999.99"])])
def test_less_money_than_the_book_counts_is_told_and_pauses_nothing(usdt: str, found: list[str]) -> None:
    differences = balance_differences(a_book(), an_account(usdt=usdt), {})
    assert topics(differences) == found
    assert not any(one.pauses for one in differences)


def test_a_pair_that_vanished_pauses_and_one_that_is_closed_does_not() -> None:
    (gone,) = balance_differences(HOLDING, an_account(), {"FET": None})
    assert (str(gone.topic), gone.pauses) == ("pair.FET", True)
    closed_rules = {"FET": trading_rules(tradable=False, unavailable_reason="Binance has FETUSDT on BREAK")}
    (closed,) = balance_differences(HOLDING, an_account(), closed_rules)
    assert (str(closed.topic), closed.pauses) == ("closed.FET", False)


@pytest.mark.parametrize(
    ("there", "dust", "looked"),
    [
        ("100", "0", []),
        ("100.09", "0", []),
        ("100.1", "0", ["FET"]),
        ("99.9", "0", ["FET"]),
        ("100.1", "0.05", []),
    ],
)
def test_orders_are_looked_for_where_the_balance_differs_either_way(there: str, dust: str, looked: list[str]) -> None:
    book = replace(HOLDING, dust={"FET": D(dust)})
    assert symbols_to_check(book, an_account(there), RULES, ["FET"]) == looked


def test_nobody_looks_into_an_unknown_pair_or_an_open_order() -> None:
    assert symbols_to_check(HOLDING, an_account("0"), {"FET": None}, ["FET"]) == []
    book = replace(HOLDING, intents={"ms-1": buy_intent()})
    assert symbols_to_check(book, an_account("0"), RULES, ["FET"]) == []


# --------------------------------------------------------------------------- orders that the book does not know


def an_order(name: str = "ms-1613349000000-9") -> ExecutedOrder:
    return ExecutedOrder(
        client_order_id=name,
        pair="FETUSDT",
        side="BUY",
        executed_base=D("12.50"),
        time_ms=NOW_MS,
        is_own=is_our_order(name),
    )


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("ms-1613349000000-9", True),
        ("ms-1-1", True),
        ("web_1613349000000", False),
        ("ms-1613349000000", False),
        ("ms-1613349000000-9x", False),
        ("xms-1613349000000-9", False),
        ("x-HNA2TXFJabcdef", False),
    ],
)
def test_our_orders_are_known_by_their_ids(name: str, ours: bool) -> None:
    assert is_our_order(name) is ours
    assert bool(unknown_orders(a_book(), {"FET": [an_order(name)]})) is ours


def test_an_order_that_was_booked_or_is_waited_for_is_known() -> None:
    intent = buy_intent(client_order_id="ms-1613349000000-9")
    assert unknown_orders(replace(a_book(), intents={intent.client_order_id: intent}), {"FET": [an_order()]}) == []
    assert unknown_orders(with_fill(a_book(), intent, a_fill()), {"FET": [an_order()]}) == []
    (one,) = unknown_orders(a_book(), {"FET": [an_order()]})
    assert one.pauses
    assert "BUY 12.5 FETUSDT, 2021-02-15T00:30:00Z, ms-1613349000000-9" in one.sentence


def test_orders_are_looked_for_from_a_minute_before_the_last_comparison() -> None:
    assert since_ms(a_book(reconciled_ms=NOW_MS), NOW_MS + 5) == NOW_MS - MARGIN_MS
    assert since_ms(a_book(), NOW_MS) == NOW_MS - MARGIN_MS, "a book of an older program begins now"
    assert new_book("live", "USDT", D(1), NOON).reconciled_ms == NOON.timestamp() * 1000


@pytest.mark.parametrize(("later_ms", "noted"), [(NOTED_FOR_MS - 1, False), (NOTED_FOR_MS, True), (-1, True)])
def test_the_comparison_is_noted_now_and_then_and_keeps_the_orders_that_are_still_looked_for(
    later_ms: int, noted: bool
) -> None:
    now_ms = NOW_MS + later_ms
    booked = {"ms-1-1": now_ms - 2 * MARGIN_MS, "ms-1-2": now_ms - 2 * MARGIN_MS - 1}
    book = with_comparison(a_book(reconciled_ms=NOW_MS, booked_orders=booked), now_ms, [])
    assert book.reconciled_ms == (now_ms if noted else NOW_MS)
    assert set(book.booked_orders) == ({"ms-1-1"} if noted else {"ms-1-1", "ms-1-2"})
    forgotten = booked.keys() - book.booked_orders.keys()
    assert all(booked[name] < since_ms(book, now_ms) for name in forgotten), "nobody looks for what is forgotten"


def test_what_was_told_keeps_its_words_while_it_lasts() -> None:
    first = Difference(topic=DifferenceTopic(DifferenceKind.CAPITAL), sentence="The book counts 10", pauses=False)
    again = replace(first, sentence="The book counts 11")
    book = with_comparison(a_book(), NOW_MS, [first])
    assert with_comparison(book, NOW_MS, [again]).differences == {first.topic: "The book counts 10"}
    assert with_comparison(book, NOW_MS, []).differences == {}


# --------------------------------------------------------------------------- taking it as it is


@pytest.mark.parametrize(("there", "left"), [("60", "60"), ("0.1", "0.1"), ("0.09", None), ("0", None)])
def test_a_position_comes_to_count_what_is_there(there: str, left: str | None) -> None:
    shortfall = balance_differences(HOLDING, an_account(there), RULES)[0]
    held = with_exchange_quantity(HOLDING, shortfall, D("0.1")).positions.get("FET")
    if left is None:
        assert held is None
    else:
        assert held is not None
        assert (held.qty, held.cost) == (D(left), 100 * D(left) / 100)
        assert held.entry_price == 1


@given(st.decimals("0", "200", places=3))
def test_taking_it_as_it_is_never_adds_coins(there: Decimal) -> None:
    topic = DifferenceTopic(DifferenceKind.SHORTFALL, "FET", str(there))
    shortfall = Difference(topic=topic, sentence="s", pauses=True, exchange_quantity=there)
    held = with_exchange_quantity(HOLDING, shortfall, D("0.1")).positions.get("FET")
    assert held is None or held.qty <= min(D(100), max(there, D(100) if there > 100 else there))


# --------------------------------------------------------------------------- in the trading harness


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TradingHarness]:
    monkeypatch.chdir(tmp_path)
    with open_trading_harness(tmp_path) as harness:
        yield harness


def wanting_dot(harness: TradingHarness) -> StubScores:
    return StubScores(harness.clock, ADA="0.5", DOT="0.9")


def compare(harness: TradingHarness, bot: Bot) -> None:
    """Start, and read the account a second time: one reading alone is not believed."""
    bot.start()
    harness.wait(60)
    bot.reconcile()


def take_away(harness: TradingHarness, symbol: str, amount: str) -> None:
    harness.market.exchange.free[symbol] -= D(amount)


def test_coins_that_were_moved_away_are_told_in_one_line_and_pause_buying(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    take_away(harness, "ADA", "100")
    bot = harness.bot(wanting_dot(harness))
    compare(harness, bot)
    (line,) = harness.captured_log.of("book.differs")
    assert line.startswith("ADA: the book has 300, Binance has 200")
    assert bot.control.paused().startswith("the file PAUSE is there (ADA: the book has 300")
    assert bot.daily_update() is Progress.DONE
    assert harness.traded() == []
    assert len(harness.captured_log.of("book.differs")) == 1, "told once"


def test_what_is_really_there_is_sold_by_the_rules(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300", entry_price="2.5")
    take_away(harness, "ADA", "100")
    bot = harness.bot()
    bot.start()
    bot.intraday_check()
    assert harness.traded() == ["SELL ADA"]
    assert harness.orders[0].executed_quantity == 200
    assert harness.book.positions["ADA"].qty == 100, "what is missing is not forgotten"


def test_a_stop_loss_that_finds_nothing_to_sell_says_so_once_and_not_every_five_minutes(
    harness: TradingHarness,
) -> None:
    harness.add_position("ADA", "300", entry_price="2.5")
    take_away(harness, "ADA", "300")
    bot = harness.bot()
    for _ in range(3):
        bot.intraday_check()
        harness.wait(300)
    alarms = [
        line for level, event, line in harness.captured_log.lines if event == "order.not_there" and level == "ERROR"
    ]
    assert len(alarms) == 1
    assert "Binance has 0 free" in alarms[0]
    assert harness.book.positions["ADA"].qty == 300


def test_once_the_owner_has_looked_the_book_counts_what_is_there(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    take_away(harness, "ADA", "100")
    bot = harness.bot(wanting_dot(harness))
    compare(harness, bot)
    assert bot.control.resume()
    bot.reconcile()
    assert harness.book.positions["ADA"].qty == 200
    assert harness.book.differences == {}
    assert harness.captured_log.of("book.adjusted")
    assert bot.daily_update() is Progress.DONE
    assert harness.traded() == ["BUY DOT"]


def test_the_plan_holds_for_held_what_its_own_comparison_has_left_in_the_book(harness: TradingHarness) -> None:
    """The resumed comparison may succeed for the first time right before the plan is made."""
    harness.add_position("ADA", "300")
    take_away(harness, "ADA", "300")
    bot = harness.bot(StubScores(harness.clock, ADA="0.9"))
    compare(harness, bot)
    assert bot.control.resume()
    assert bot.daily_update() is Progress.DONE
    assert harness.traded() == ["BUY ADA"]


def test_a_pause_of_the_owners_own_is_no_word_about_a_difference(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    take_away(harness, "ADA", "100")
    bot = harness.bot()
    bot.control.pause()
    compare(harness, bot)
    bot.reconcile()
    assert harness.book.positions["ADA"].qty == 300


def test_the_reason_of_a_pause_is_in_the_owners_language(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    take_away(harness, "ADA", "100")
    bot = harness.bot()
    bot.settings = bot.settings.model_copy(update={"language": "fr"})
    compare(harness, bot)
    assert "le registre du robot en a 300" in bot.control.reason()


def test_more_missing_than_was_told_is_told_anew(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    take_away(harness, "ADA", "100")
    bot = harness.bot()
    compare(harness, bot)
    bot.control.resume()
    take_away(harness, "ADA", "50")
    compare(harness, bot)
    assert len(harness.captured_log.of("book.differs")) == 2
    assert bot.control.paused()
    assert harness.book.positions["ADA"].qty == 300


def test_coins_that_came_back_are_no_difference_any_more(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    take_away(harness, "ADA", "100")
    bot = harness.bot()
    compare(harness, bot)
    take_away(harness, "ADA", "-100")
    bot.reconcile()
    assert harness.book.differences == {}
    assert harness.book.positions["ADA"].qty == 300


def test_a_death_between_pause_and_book_tells_it_twice_and_never_not_at_all(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    take_away(harness, "ADA", "100")
    bot = harness.bot()
    bot.start()
    harness.disk.failing_file = "bot_state.json"
    harness.wait(60)
    bot.reconcile()
    assert bot.control.paused()
    harness.disk.failing_file = ""
    harness.open()
    bot = harness.bot()
    bot.start()
    assert len(harness.captured_log.of("book.differs")) == 2
    assert harness.book.differences


def test_an_older_book_put_back_is_found_by_the_orders_it_does_not_know(harness: TradingHarness) -> None:
    before = harness.book_path.read_bytes()
    bot = harness.bot(wanting_dot(harness))
    assert bot.daily_update() is Progress.DONE
    assert harness.traded() == ["BUY DOT"]
    harness.book_path.write_bytes(before)
    harness.open()
    bot = harness.bot(wanting_dot(harness))
    compare(harness, bot)
    lines = harness.captured_log.of("book.differs")
    assert any("an order of this bot that the book does not know: BUY" in line for line in lines)
    assert bot.daily_update() is Progress.DONE
    assert harness.traded() == ["BUY DOT"], "nothing is bought twice"


def test_orders_of_the_owners_own_are_his(harness: TradingHarness) -> None:
    from embedded_market.exchange.orders import MarketOrder, Moment

    moment = Moment(time_ms=int(harness.clock.now().timestamp() * 1000), price=D(1), average=D(1))
    harness.market.exchange.place(MarketOrder("ADAUSDT", True, quote_quantity=D(50), client_order_id="web_1"), moment)
    bot = harness.bot(wanting_dot(harness))
    bot.start()
    assert harness.requests(TRADES) == 1
    assert harness.captured_log.of("book.differs") == []
    assert not bot.control.paused()


def test_no_trades_are_asked_for_while_everything_agrees(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.bot().start()
    assert harness.requests(TRADES) == 0
    assert harness.requests("GET /api/v3/account") == 1


def test_nothing_is_bought_before_book_and_exchange_were_compared_but_sales_go_on(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.fault("GET /api/v3/account", "status", status=502, times=-1)
    bot = harness.bot(StubScores(harness.clock, ADA="0.1", DOT="0.9"))
    assert bot.daily_update() is Progress.LATER
    assert harness.traded() == ["SELL ADA"]
    harness.market.faults.clear()
    harness.wait(60)
    assert bot.daily_update() is Progress.DONE
    assert harness.traded() == ["SELL ADA", "BUY DOT"]


def test_a_plan_that_is_carried_on_after_a_restart_waits_for_the_comparison_too(harness: TradingHarness) -> None:
    bot = harness.bot(wanting_dot(harness))
    harness.fault("POST /api/v3/order", "status", status=429, headers={"Retry-After": "5"})
    assert bot.daily_update() is Progress.LATER
    harness.open()
    harness.fault("GET /api/v3/account", "status", status=502, times=-1)
    bot = harness.bot(wanting_dot(harness))
    harness.wait(60)
    bot.start()
    assert bot.daily_update() is Progress.LATER
    assert harness.traded() == []
    harness.market.faults.clear()
    harness.wait(60)
    assert bot.daily_update() is Progress.DONE
    assert harness.traded() == ["BUY DOT"]


def test_a_pair_that_vanished_pauses_buying_and_its_position_stays(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.market.delist("ADAUSDT")
    bot = harness.bot(wanting_dot(harness))
    compare(harness, bot)
    assert "delisted or renamed" in harness.captured_log.of("book.differs")[0]
    bot.control.resume()
    bot.reconcile()
    assert harness.book.positions["ADA"].qty == 300
    assert bot.daily_update() is Progress.DONE
    assert harness.traded() == ["BUY DOT"]


def test_a_pause_that_cannot_be_written_counts_as_not_compared(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    take_away(harness, "ADA", "100")

    class FullDisk(ControlFiles):
        def pause(self, reason: str = "", *, by_difference: bool = False) -> None:
            raise TemporaryError("PAUSE: cannot be written (No space left on device)")

    bot = harness.bot(wanting_dot(harness))
    bot.reconciler.control = FullDisk(harness.settings)
    assert bot.daily_update() is Progress.WAITING
    harness.wait(60)
    assert bot.daily_update() is Progress.LATER
    assert harness.traded() == []


def test_a_sale_that_refuses_for_want_of_coins_tells_what_is_there(harness: TradingHarness) -> None:
    harness.add_position("ADA", "100")
    take_away(harness, "ADA", "40")
    harness.executor.exit("ADA", ExitDecision(OrderReason.STOP_LOSS, D(100)), D(1))
    assert "the book has 100, Binance has 60 free; that much is sold" in harness.captured_log.of("order.short")[0]


def test_paper_has_no_account_to_compare_with() -> None:
    from marsshot.bot.reconciler import Reconciler
    from marsshot.infra.clock import VirtualClock
    from tests.helpers.builders import some_settings

    settings = some_settings()
    reconciler = Reconciler(None, ControlFiles(settings), VirtualClock(NOON))  # type: ignore[arg-type]
    reconciler.reconcile(settings, None)  # type: ignore[arg-type]
    assert not reconciler.is_due


def test_a_book_of_the_program_before_is_read(tmp_path: Path) -> None:
    from marsshot.portfolio.serialization import book_from_json, book_to_json

    text = book_to_json(a_book())
    later = (
        "reconciled_ms",
        "booked_orders",
        "differences",
        "suspected",
        "left_out_purchases",
        "exchange_quiet_until_ms",
        "exchange_quiet_reason",
    )
    assert all(f'"{key}"' in text for key in later)
    content = json.loads(text)
    kept = {key: value for key, value in content.items() if key not in later}
    book: Book = book_from_json(json.dumps(kept), "bot_state.json")
    assert book == a_book()


# --------------------------------------------------------------------------- an older book that sold since


def test_what_an_unknown_sale_did_not_sell_is_left_of_the_position() -> None:
    order = replace(an_order(), side="SELL", executed_base=D(60))
    (one,) = without_explained(
        [*balance_differences(HOLDING, an_account("40"), RULES), *unknown_orders(HOLDING, {"FET": [order]})]
    )
    assert one.exchange_quantity == 40
    assert with_comparison(HOLDING, NOW_MS, [one]).is_disputed("FET")
    assert not with_comparison(HOLDING, NOW_MS, [one]).is_disputed("OP")


def test_coins_of_the_owners_are_not_sold_by_an_older_book(harness: TradingHarness) -> None:
    harness.market.exchange.free["ADA"] += D("33.3")  # the owner's
    harness.add_position("ADA", "300", entry_price="2.5")
    before = harness.book_path.read_bytes()
    harness.bot().intraday_check()
    assert harness.traded() == ["SELL ADA"]
    harness.book_path.write_bytes(before)
    harness.open()
    bot = harness.bot(StubScores(harness.clock, ADA="0.1", DOT="0.9"))
    bot.start()
    bot.intraday_check()
    bot.daily_update()
    harness.wait(60)
    bot.daily_update()
    assert harness.traded() == ["SELL ADA"], "what is there is the owner's"
    assert harness.market.exchange.free["ADA"] == D("33.3")
    assert bot.control.resume()
    bot.reconcile()
    assert "ADA" not in harness.book.positions
    assert harness.book.differences == {}
    bot.reconcile()
    assert not bot.control.paused(), "what the owner has looked at is not told again"


def test_an_unknown_purchase_is_told_until_the_owner_has_looked_and_not_again(harness: TradingHarness) -> None:
    before = harness.book_path.read_bytes()
    harness.bot(wanting_dot(harness)).daily_update()
    harness.book_path.write_bytes(before)
    harness.open()
    bot = harness.bot(wanting_dot(harness))
    compare(harness, bot)
    harness.wait(13 * 3600)
    bot.reconcile()
    kinds = {topic.kind for topic in harness.book.differences}
    assert kinds - {DifferenceKind.CAPITAL} == {DifferenceKind.UNKNOWN_PURCHASE}
    bot.control.resume()
    bot.reconcile()
    bot.reconcile()
    assert not bot.control.paused()
    assert len(harness.captured_log.of("control.paused")) == 1


def test_trades_without_a_book_are_no_first_start(harness: TradingHarness) -> None:
    from marsshot.bot.bootstrap import open_store
    from marsshot.core.errors import InputError

    for path in (harness.book_path, harness.book_path.with_name("bot_state.json.bak")):
        path.unlink(missing_ok=True)
    assert open_store(harness.settings, harness.clock, harness.book_path, harness.disk).book.capital == 1000
    harness.book_path.unlink()
    harness.trades_path.write_text("time,symbol\n")
    with pytest.raises(InputError, match=r"is missing though trades.csv is there; put the book back"):
        open_store(harness.settings, harness.clock, harness.book_path, harness.disk)
    assert not harness.book_path.exists()


# --------------------------------------------------------------------------- one reading may be old


def a_shortfall(there: str = "90") -> Difference:
    return balance_differences(HOLDING, an_account(there), RULES)[0]


@pytest.mark.parametrize(("later_ms", "is_confirmed"), [(59_999, False), (60_000, True)])
def test_a_difference_counts_when_a_second_reading_a_minute_later_shows_it(later_ms: int, is_confirmed: bool) -> None:
    first = reading_of(HOLDING, [a_shortfall()], NOW_MS)
    assert (first.confirmed, first.waits) == ([], True)
    noted = with_comparison(HOLDING, NOW_MS, [], suspected=first.suspected)
    second = reading_of(noted, [a_shortfall()], NOW_MS + later_ms)
    assert (bool(second.confirmed), second.waits) == (is_confirmed, not is_confirmed)


def test_another_shortfall_at_the_second_reading_is_another_first_one() -> None:
    noted = with_comparison(HOLDING, NOW_MS, [], suspected=reading_of(HOLDING, [a_shortfall("90")], NOW_MS).suspected)
    assert reading_of(noted, [a_shortfall("80")], NOW_MS + 60_000).confirmed == []


def test_a_reading_with_an_order_under_way_shows_nothing() -> None:
    noted = with_comparison(HOLDING, NOW_MS, [], suspected=reading_of(HOLDING, [a_shortfall()], NOW_MS).suspected)
    busy = replace(noted, intents={"ms-1": buy_intent(symbol="OP")})
    assert reading_of(busy, [a_shortfall()], NOW_MS + 60_000).confirmed == []
    begun = reading_of(replace(HOLDING, intents=busy.intents), [a_shortfall()], NOW_MS)
    assert (begun.suspected, begun.waits) == ({}, True)


def test_one_stale_reading_pauses_nothing(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    take_away(harness, "ADA", "100")
    bot = harness.bot(wanting_dot(harness))
    bot.start()
    take_away(harness, "ADA", "-100")
    harness.wait(60)
    bot.cycle()
    assert not bot.control.paused()
    assert harness.captured_log.of("book.differs") == []
    assert harness.traded() == ["BUY DOT"]


def test_nothing_is_bought_between_the_two_readings(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    take_away(harness, "ADA", "100")
    bot = harness.bot(wanting_dot(harness))
    assert bot.daily_update() is Progress.WAITING
    harness.wait(59)
    assert bot.daily_update() is Progress.WAITING
    assert harness.traded() == []
    harness.wait(1)
    assert bot.daily_update() is Progress.DONE
    assert harness.traded() == [], "now it is told, and buying is paused"
    assert bot.control.paused()


def test_two_short_runs_a_minute_apart_are_two_readings(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    take_away(harness, "ADA", "100")
    harness.bot().start()
    harness.open()
    harness.wait(61)
    bot = harness.bot()
    bot.start()
    assert bot.control.paused()


# --------------------------------------------------------------------------- money


def test_less_money_than_the_book_counts_is_told_with_both_amounts_and_resume_takes_what_is_there(
    harness: TradingHarness,
) -> None:
    harness.market.exchange.free["USDT"] = D("640.50")
    bot = harness.bot(wanting_dot(harness))
    bot.start()
    (line,) = harness.captured_log.of("book.differs")
    assert "The book counts 1000.00 USDT, Binance has 640.50 free" in line
    assert not bot.control.paused()
    assert harness.book.capital == 1000
    bot.reconcile()
    assert harness.book.capital == 1000, "only the owner's word changes what the book counts"
    bot.control.resume()
    bot.reconcile()
    assert harness.book.capital == D("640.50")
    assert harness.book.differences == {}
    assert not bot.control.is_resume_requested()


def test_a_word_given_before_a_difference_was_told_is_no_word_about_it(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    take_away(harness, "ADA", "100")
    harness.market.exchange.free["USDT"] = D("640.50")
    bot = harness.bot()
    bot.control.resume()
    compare(harness, bot)
    assert not bot.control.is_resume_requested()
    assert harness.book.capital == 1000
    assert harness.book.positions["ADA"].qty == 300
    assert bot.control.paused()


def test_purchases_use_the_smaller_of_the_two(harness: TradingHarness) -> None:
    harness.market.exchange.free["USDT"] = D("640.50")
    bot = harness.bot(wanting_dot(harness))
    assert bot.daily_update() is Progress.DONE
    assert harness.orders[0].request.quote_quantity == D("640.50")


def test_money_in_an_open_order_of_the_owners_is_not_free(harness: TradingHarness) -> None:
    exchange = harness.market.exchange
    exchange.free["USDT"], exchange.locked["USDT"] = D(400), D(9600)
    harness.bot().start()
    assert "Binance has 400.00 free" in harness.captured_log.of("book.differs")[0]


def test_what_is_told_after_resume_was_given_is_not_allowed_by_it(
    harness: TradingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies as it takes the request away; the next finds it still."""

    def die(_control: ControlFiles) -> None:
        raise SimulatedCrash

    harness.market.exchange.free["USDT"] = D("640.50")
    bot = harness.bot()
    bot.control.resume()
    with monkeypatch.context() as patch, pytest.raises(SimulatedCrash):
        patch.setattr(ControlFiles, "acknowledge_resume", die)
        bot.reconcile()
    harness.open()
    bot = harness.bot()
    bot.reconcile()
    assert harness.book.capital == 1000
    bot.reconcile()
    assert harness.book.capital == 1000


def test_resume_given_while_the_account_is_read_counts_at_the_next_comparison(
    harness: TradingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.add_position("ADA", "100")
    take_away(harness, "ADA", "40")
    harness.market.exchange.free["USDT"] = D("640.50")
    bot = harness.bot()
    bot.reconcile()
    orders_since = harness.exchange.orders_since

    def meanwhile(pair: str, moment_ms: int) -> Any:
        bot.control.resume()
        return orders_since(pair, moment_ms)

    harness.wait(61)
    with monkeypatch.context() as patch:
        patch.setattr(harness.exchange, "orders_since", meanwhile)
        bot.reconcile()
    assert harness.book.capital == 1000
    assert bot.control.is_resume_requested()
    bot.reconcile()
    assert harness.book.capital == D("640.50")


def test_nothing_is_bought_before_orders_proven_absent_were_asked_for_again(
    harness: TradingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that turned up has spent what the book counts still."""
    a_book_with_absent_orders(harness, monkeypatch)
    harness.fault("GET /api/v3/order", "status", status=502)
    bot = harness.bot(wanting_dot(harness))
    bot.reconcile()
    assert bot.reconciler.is_due
    harness.market.faults.clear()
    bot.reconcile()
    assert not bot.reconciler.is_due


def test_an_old_book_put_back_and_resumed_spends_nothing_of_the_owners(harness: TradingHarness) -> None:
    before = harness.book_path.read_bytes()
    bot = harness.bot(wanting_dot(harness))
    assert bot.daily_update() is Progress.DONE
    spent = harness.orders[0].executed_quote
    harness.book_path.write_bytes(before)
    harness.open()
    bot = harness.bot(StubScores(harness.clock, LINK="0.9"))
    compare(harness, bot)
    bot.control.resume()
    bot.reconcile()
    assert harness.book.capital == 1000 - spent
    (name,) = harness.book.left_out_purchases
    assert harness.orders[0].client_order_id == name
    harness.wait(24 * 3600)
    bot.daily_update()
    assert harness.traded() == ["BUY DOT"], "1 USDT is under the smallest order; the rest is the owner's"


def a_book_with_absent_orders(harness: TradingHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two, at an exchange that is asked for such orders for a day."""
    proof = replace(harness.exchange.absence_proof, watched_for_ms=86_400_000)
    monkeypatch.setattr(type(harness.exchange), "absence_proof", proof)
    book = harness.book
    for name in ("told", "untold"):
        intent = replace(buy_intent(), client_order_id=name)
        book = with_absence(with_intent(book, intent), intent)
    harness.store.save(book)


def test_resume_leaves_a_double_that_was_told_to_the_owner(
    harness: TradingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_book_with_absent_orders(harness, monkeypatch)
    harness.store.save(with_double_told(harness.book, "told"))
    bot = harness.bot()
    bot.reconcile()
    assert set(harness.book.absent_orders) == {"told", "untold"}
    bot.control.resume()
    bot.reconcile()
    assert set(harness.book.absent_orders) == {"untold"}


def test_an_old_book_that_sold_since_gets_the_money_of_its_own_coins(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300", entry_price="2.5")
    before = harness.book_path.read_bytes()
    harness.bot().intraday_check()
    capital = harness.book.capital
    harness.book_path.write_bytes(before)
    harness.open()
    bot = harness.bot()
    compare(harness, bot)
    assert bot.control.resume()
    bot.reconcile()
    assert harness.book.positions == {}
    assert harness.book.capital == capital


# --------------------------------------------------------------------------- Simple Earn, and the owner's own


@pytest.mark.parametrize(
    ("there", "lent", "found"),
    [
        ("100", "50", []),
        ("60", "40", ["lent.FET"]),
        ("0", "100", ["lent.FET"]),
        ("60", "39.91", ["lent.FET"]),
        ("60", "39.9", ["lent.FET", "short.FET.99.9"]),
        ("60", "0", ["short.FET.60"]),
    ],
)
def test_coins_in_simple_earn_are_named_as_that(there: str, lent: str, found: list[str]) -> None:
    account = replace(an_account(there), lent={"FET": D(lent)})
    assert topics(balance_differences(HOLDING, account, RULES)) == found


def test_a_position_in_simple_earn_outlives_resume_and_is_sold_when_it_is_back(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300", entry_price="2.5")
    harness.market.exchange.move_to_earn("ADA", D(300))
    bot = harness.bot()
    compare(harness, bot)
    assert "of the 300 that the book counts, 300 lie in Simple Earn" in harness.captured_log.of("book.differs")[0]
    assert bot.control.resume()
    compare(harness, bot)
    assert harness.book.positions["ADA"].qty == 300
    assert not bot.control.paused(), "told once"
    bot.intraday_check()
    assert harness.traded() == []
    harness.market.exchange.move_to_earn("ADA", D(-300))
    bot.intraday_check()
    assert harness.traded() == ["SELL ADA"]


def test_a_surplus_is_the_owners_and_is_told_once(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    take_away(harness, "ADA", "-50")
    bot = harness.bot()
    for _ in range(3):
        compare(harness, bot)
    (line,) = harness.captured_log.of("book.surplus")
    assert "the account has 350, the book counts 300" in line
    assert not bot.control.paused()
    assert harness.book.differences == {}


def test_a_sale_of_a_second_bot_is_named_and_exits_go_on_while_the_balance_covers_them(
    harness: TradingHarness,
) -> None:
    from embedded_market.exchange.orders import MarketOrder, Moment

    harness.add_position("ADA", "300", entry_price="2.5")
    take_away(harness, "ADA", "-500")  # the second bot's
    moment = Moment(time_ms=int(harness.clock.now().timestamp() * 1000), price=D(1), average=D(1))
    other = MarketOrder("ADAUSDT", False, quantity=D(100), client_order_id="ms-1613390400000-7-sl")
    harness.market.exchange.place(other, moment)
    bot = harness.bot()
    compare(harness, bot)
    assert "ms-1613390400000-7-sl" in harness.captured_log.of("book.differs")[0]
    assert bot.control.paused()
    bot.intraday_check()
    assert [order.executed_quantity for order in harness.orders] == [100, 300]
    assert bot.control.resume()
    bot.reconcile()
    assert harness.book.differences == {}

"""Orders of ours that the book does not know, several at a time: each is told, and each counts once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from embedded_market.exchange.orders import MarketOrder, Moment
from marsshot.bot.control_files import ControlFiles
from tests.helpers.builders import D
from tests.helpers.crash_injection import SimulatedCrash
from tests.helpers.trading_harness import NOON, TradingHarness, open_trading_harness
from tests.portfolio.test_reconciliation import a_book_with_absent_orders, compare, wanting_dot

FIRST, SECOND = "ms-1613349000000-901", "ms-1613349000000-902"


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TradingHarness]:
    monkeypatch.chdir(tmp_path)
    with open_trading_harness(tmp_path, now=NOON) as opened:
        yield opened


def send_unknown(harness: TradingHarness, symbol: str, name: str, **amount: Any) -> None:
    """Let Binance have executed an order of ours that the book does not know: a purchase for 50, if none is told."""
    moment = Moment(time_ms=int(harness.clock.now().timestamp() * 1000), price=D(1), average=D(1))
    order = MarketOrder(f"{symbol}USDT", not amount, client_order_id=name, **(amount or {"quote_quantity": D(50)}))
    harness.market.exchange.place(order, moment)


def is_told(harness: TradingHarness, name: str) -> bool:
    return any(topic.detail == name for topic in harness.book.differences)


def see_one_and_send_another(harness: TradingHarness, bot: Any) -> None:
    harness.wait(3600)
    send_unknown(harness, "DOT", FIRST)
    compare(harness, bot)
    assert is_told(harness, FIRST)
    harness.wait(300)
    send_unknown(harness, "ADA", SECOND)


def spent(harness: TradingHarness) -> Decimal:
    return sum((order.executed_quote for order in harness.orders), D(0))


def allow(harness: TradingHarness, bot: Any) -> None:
    bot.control.resume()
    bot.reconcile()


def test_one_that_is_confirmed_as_another_is_allowed_stays_told(harness: TradingHarness) -> None:
    bot = harness.bot()
    see_one_and_send_another(harness, bot)
    bot.reconcile()
    harness.wait(60)
    allow(harness, bot)
    harness.wait(60)
    bot.reconcile()
    assert is_told(harness, SECOND)
    allow(harness, bot)
    assert set(harness.book.left_out_purchases) == {FIRST, SECOND}
    assert harness.book.capital == 1000 - spent(harness)


def test_a_purchase_allowed_while_another_is_first_seen_counts_once(harness: TradingHarness) -> None:
    harness.market.exchange.free["USDT"] += 500  # the owner's own: missing money is not what tells
    bot = harness.bot()
    see_one_and_send_another(harness, bot)
    allow(harness, bot)
    assert harness.book.capital == 1000 - harness.orders[0].executed_quote
    for _ in range(3):
        harness.wait(61)
        bot.reconcile()
    assert not is_told(harness, FIRST)
    allow(harness, bot)
    assert harness.book.capital == 1000 - spent(harness)


def test_a_sale_allowed_while_another_is_first_seen_counts_once(harness: TradingHarness) -> None:
    harness.add_position("ADA", "300")
    harness.add_position("DOT", "300")
    bot = harness.bot()
    harness.wait(3600)
    send_unknown(harness, "ADA", FIRST, quantity=D(300))
    compare(harness, bot)
    harness.wait(300)
    send_unknown(harness, "DOT", SECOND, quantity=D(300))
    allow(harness, bot)
    for _ in range(3):
        harness.wait(61)
        bot.reconcile()
    allow(harness, bot)
    assert 1000 < harness.book.capital <= 1000 + spent(harness)


@pytest.mark.parametrize("where", ["pause", "acknowledge_resume"])
def test_a_death_before_one_is_told_lets_neither_be_forgotten_nor_count_twice(
    harness: TradingHarness, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise SimulatedCrash

    bot = harness.bot()
    see_one_and_send_another(harness, bot)
    bot.reconcile()
    harness.wait(60)
    bot.control.resume()
    with monkeypatch.context() as patch, pytest.raises(SimulatedCrash):
        patch.setattr(ControlFiles, where, die)
        bot.reconcile()
    harness.open()
    bot = harness.bot()
    compare(harness, bot)
    assert is_told(harness, SECOND)
    assert bot.control.paused()
    allow(harness, bot)
    assert set(harness.book.left_out_purchases) == {FIRST, SECOND}
    assert harness.book.capital == 1000 - spent(harness)


def test_nothing_is_bought_in_the_round_that_finds_a_double(
    harness: TradingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_book_with_absent_orders(harness, monkeypatch)
    harness.market.exchange.free["USDT"] += 500  # the owner's own
    absent = harness.book.absent_orders["untold"]
    intent = replace(absent.intent, symbol="ADA", pair="ADAUSDT", base_asset="ADA")
    doubled = replace(absent, replaced_by="ms-1-1", intent=intent)
    harness.store.save(replace(harness.book, absent_orders={"untold": doubled}))
    send_unknown(harness, "ADA", "untold")
    bot = harness.bot(wanting_dot(harness))
    bot.executor.orders._last_watched_ms = harness.exchange.now_ms()  # asked for a moment ago
    for _ in range(2):
        bot.cycle()
    assert "BUY DOT" not in harness.traded()
    assert bot.control.paused()


def test_an_absent_order_that_cannot_be_asked_for_holds_no_resume_up(
    harness: TradingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = harness.bot()
    harness.market.exchange.free["USDT"] = D("640.50")
    bot.reconcile()
    a_book_with_absent_orders(harness, monkeypatch)
    harness.fault("GET /api/v3/order", "status", status=200, body="{}", times=-1)
    allow(harness, bot)
    assert harness.book.capital == D("640.50")
    assert not bot.control.is_resume_requested()
    assert bot.reconciler.is_due, "nothing is bought before it could be asked for"

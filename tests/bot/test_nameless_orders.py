"""An order that shows no id may be the bot's, in doubt, or the owner's: he is told, and his `resume` decides.

Bitvavo alone has such orders; here its answer is put into the mouth of the exchange that the bot's other tests use.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import pytest

from marsshot.bot.bot import Bot
from marsshot.core.book import DifferenceTopic
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import NamelessOrderError
from marsshot.core.reasons import DifferenceKind
from marsshot.exchange.binance.exchange import BinanceExchange
from marsshot.portfolio.ledger import with_intent
from tests.helpers.builders import D, buy_intent
from tests.helpers.trading_harness import TradingHarness, open_trading_harness

ORDER = "ms-1-1"
TOLD = DifferenceTopic(DifferenceKind.NAMELESS_ORDER, "ADA", ORDER)


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TradingHarness]:
    monkeypatch.setattr(BinanceExchange, "find_in_lists", nameless)
    with open_trading_harness(tmp_path) as harness:
        harness.store.save(replace(harness.book, capital=D(1000)))
        purchase = buy_intent(
            client_order_id=ORDER, symbol="ADA", pair="ADAUSDT", base_asset="ADA", quote_amount=D(400)
        )
        harness.store.save(with_intent(harness.book, replace(purchase, created_ms=harness.exchange.now_ms() - 120_000)))
        yield harness


def nameless(*_: object) -> NoReturn:
    raise NamelessOrderError(LocalizedText("fault.exchange.hidden_id", market="ADAUSDT"))


def cycles(harness: TradingHarness, bot: Bot, count: int = 3) -> None:
    for _ in range(count):
        bot.cycle()
        harness.wait(300)


def test_the_owner_is_told_once_and_buying_pauses(harness: TradingHarness) -> None:
    bot = harness.bot()
    cycles(harness, bot)
    (told,) = harness.captured_log.of("book.differs")
    assert told.startswith("ADA: an order of ADAUSDT for 400 USDT shows no id at Binance")
    assert ORDER in told
    assert "main.py resume takes it, and what it traded, for yours" in told
    assert list(harness.book.intents) == [ORDER], "in doubt until he has looked"
    assert bot.control.paused()
    bot.cycle()
    assert bot.next_due() == harness.clock.now() + timedelta(seconds=300), "not every ten seconds"


def test_resume_takes_it_for_the_owners(harness: TradingHarness) -> None:
    bot = harness.bot()
    cycles(harness, bot)
    bot.control.resume()
    cycles(harness, bot)
    book = harness.book
    assert (book.intents, book.positions, book.capital) == ({}, {}, D(1000))
    assert TOLD not in book.differences
    assert not bot.control.paused()
    (decided,) = harness.captured_log.of("book.adjusted")
    assert decided.startswith("ADA: the order that shows no id is yours")


def test_a_bot_that_died_after_telling_takes_the_owners_answer_at_its_next_start(harness: TradingHarness) -> None:
    """Its lists are asked minutes after the start; that he was told stands in the book."""
    bot = harness.bot()
    cycles(harness, bot)
    harness.open()
    bot = harness.bot()
    bot.control.resume()
    bot.start()
    bot.cycle()
    assert not harness.book.intents
    assert not bot.control.paused()


def test_a_resume_before_he_was_told_decides_nothing(harness: TradingHarness) -> None:
    bot = harness.bot()
    bot.control.resume()
    cycles(harness, bot)
    assert list(harness.book.intents) == [ORDER]
    assert bot.control.paused()


def test_it_is_decided_without_him_once_the_lists_tell(
    harness: TradingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = harness.bot()
    cycles(harness, bot)
    monkeypatch.setattr(BinanceExchange, "find_in_lists", lambda *_: None)
    cycles(harness, bot)
    assert not harness.book.intents
    bot.reconcile()
    assert TOLD not in harness.book.differences
    assert bot.control.paused(), "what was told he has to look at all the same"

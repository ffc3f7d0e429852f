"""The paper exchange: simulated fills at the real price, with fee and slippage, under the pair's real rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from marsshot.config.exchanges import EXCHANGE_FACTS
from marsshot.core.errors import InsufficientBalanceError, RefusedOrderError, TemporaryError, UnknownOutcomeError
from marsshot.core.orders import Intent, Side
from marsshot.core.reasons import OrderReason, RefusalReason
from marsshot.exchange.paper import SLIPPAGE, PaperExchange
from marsshot.portfolio.trades_file import read_trades
from tests.helpers.trading_harness import NEW_ORDER, NOON, StubScores, TradingHarness, open_trading_harness
from trade_executor import TradeExecutor

D = Decimal
TAKER_FEE = EXCHANGE_FACTS["binance"].taker_fee


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TradingHarness]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    with open_trading_harness(tmp_path) as harness:
        yield harness


@pytest.fixture
def paper(harness: TradingHarness) -> PaperExchange:
    return PaperExchange(harness.exchange, lambda: harness.book, TAKER_FEE, takes_fee_in_quote=False)


@pytest.fixture
def executor(harness: TradingHarness, paper: PaperExchange) -> TradeExecutor:
    return TradeExecutor(paper, harness.store, harness.clock, lambda symbol: f"{symbol}USDT")


def an_intent(symbol: str = "ADA", **amount: str) -> Intent:
    return Intent(
        client_order_id="test-1",
        symbol=symbol,
        pair=f"{symbol}USDT",
        base_asset=symbol,
        lot_step=D("0.01"),
        side=Side.SELL if "quantity" in amount else Side.BUY,
        reason=OrderReason.DAILY_BUY,
        created_ms=0,
        quantity=D(amount["quantity"]) if "quantity" in amount else None,
        quote_amount=D(amount["quote_amount"]) if "quote_amount" in amount else None,
    )


def test_a_purchase_pays_the_price_and_the_slippage_and_the_fee_in_base(
    harness: TradingHarness, paper: PaperExchange
) -> None:
    harness.market.set_price("ADA", "2")
    report = paper.send_market_order(an_intent(quote_amount="100"))
    assert report.parts is not None
    [part] = report.parts
    assert part.price == 2 * (1 + SLIPPAGE) == D("2.001")
    assert part.quantity == D("49.97"), "100 / 2.001, floored to the lot step"
    assert part.quote == part.quantity * part.price <= 100
    assert (part.commission, part.commission_asset) == (part.quantity * TAKER_FEE, "ADA")
    assert (report.status, report.executed_base, report.executed_quote) == ("FILLED", part.quantity, part.quote)


def test_a_sale_gets_the_price_less_the_slippage_and_pays_the_fee_in_quote(
    harness: TradingHarness, paper: PaperExchange
) -> None:
    harness.market.set_price("ADA", "2")
    report = paper.send_market_order(an_intent(quantity="50"))
    assert report.parts is not None
    [part] = report.parts
    assert (part.price, part.quantity, part.quote) == (D("1.999"), D(50), D("99.95"))
    assert (part.commission, part.commission_asset) == (D("0.09995"), "USDT")


def test_nothing_is_ever_sent_and_nothing_needs_a_key(harness: TradingHarness, executor: TradeExecutor) -> None:
    executor.buy("ADA", D(200), D(1))
    executor.sell("ADA", harness.book.positions["ADA"].qty, OrderReason.SELL_ALL, D(1))
    executor.exchange.account()
    assert harness.requests(NEW_ORDER) == harness.requests("account") == 0
    assert not any("signature" in seen.query for seen in harness.market.request_log)


def test_book_and_trades_add_up(harness: TradingHarness, executor: TradeExecutor) -> None:
    executor.buy("ADA", D(200), D(1))
    bought = harness.book
    assert 1000 - bought.capital <= 200
    executor.sell("ADA", bought.positions["ADA"].qty, OrderReason.SELL_ALL, D(1))
    assert not harness.book.positions
    rows = read_trades(harness.trades_path)
    spent, got = (trade.quote for trade in rows)
    assert harness.book.capital == 1000 - spent + got - D(rows[1].fee)
    lost = (1000 - harness.book.capital) / spent
    assert D("0.002") < lost < D("0.0035"), "fee and slippage, both ways"


def test_the_free_balance_is_the_capital_of_the_book(harness: TradingHarness, paper: PaperExchange) -> None:
    account = paper.account()
    assert account.free == {"USDT": harness.book.capital}
    assert account.can_trade


def test_more_than_the_capital_cannot_be_spent(paper: PaperExchange) -> None:
    with pytest.raises(InsufficientBalanceError):
        paper.send_market_order(an_intent(quote_amount="1001"))


@pytest.mark.parametrize(
    ("intent", "text"),
    [
        (an_intent(quote_amount="4.9"), "under the smallest order"),
        (an_intent(symbol="LTC", quote_amount="9.9"), "under the smallest order"),
        (an_intent(quantity="4.9"), "under the smallest order"),
        (an_intent(quantity="50.001"), "under the smallest lot"),
        (an_intent(quote_amount="0.001"), "under the smallest lot"),
        (an_intent(quantity="100.01"), "over the largest market order"),
        (an_intent(quote_amount="101"), "over the largest market order"),
    ],
)
def test_the_pairs_real_filters_refuse_here_too(
    harness: TradingHarness, paper: PaperExchange, intent: Intent, text: str
) -> None:
    harness.set_rules("ADAUSDT", max_market_quantity=D(100))
    with pytest.raises(RefusedOrderError, match=text) as caught:
        paper.send_market_order(intent)
    is_small = text == "under the smallest order"
    assert caught.value.reason is (RefusalReason.BELOW_MINIMUM if is_small else RefusalReason.OTHER)


@pytest.mark.parametrize(("amount", "lot_step"), [("5", "0.01"), ("5.9", "1")])
def test_an_amount_from_the_smallest_order_on_is_taken(
    harness: TradingHarness, paper: PaperExchange, amount: str, lot_step: str
) -> None:
    """As Binance has it: quoteOrderQty itself is compared, the engine then fits the quantity to the step."""
    harness.set_rules("ADAUSDT", lot_step=D(lot_step))
    harness.market.set_price("ADA", "0.99")
    harness.exchange.send_market_order(an_intent(quote_amount=amount))
    assert paper.send_market_order(an_intent(quote_amount=amount)).status == "FILLED"


def test_a_pair_that_is_not_trading_or_unknown_is_refused(harness: TradingHarness, paper: PaperExchange) -> None:
    harness.market.set_status("ADAUSDT", "BREAK")
    with pytest.raises(RefusedOrderError, match="BREAK"):
        paper.send_market_order(an_intent(quote_amount="100"))
    with pytest.raises(RefusedOrderError, match="NOPE"):
        paper.send_market_order(an_intent(symbol="NOPE", quote_amount="100"))


def test_without_a_price_nothing_happens(harness: TradingHarness, executor: TradeExecutor) -> None:
    executor.rules_of("ADA")
    harness.fault("ticker/price", "status", times=-1, status=200, body="[]")
    with pytest.raises(TemporaryError):
        executor.buy("ADA", D(200), D(1))
    assert not harness.book.intents
    assert harness.book.capital == 1000


def test_a_price_that_cannot_be_asked_for_is_no_unknown_outcome(
    harness: TradingHarness, executor: TradeExecutor
) -> None:
    executor.rules_of("ADA")
    harness.fault("ticker/price", "drop_before", times=-1)
    with pytest.raises(TemporaryError) as caught:
        executor.buy("ADA", D(200), D(1))
    assert not isinstance(caught.value, UnknownOutcomeError)
    assert not harness.book.intents


def test_an_order_that_died_with_its_process_was_never_executed(
    harness: TradingHarness, executor: TradeExecutor
) -> None:
    executor.exchange.now_ms()
    intent = replace(an_intent(quote_amount="100"), created_ms=executor.exchange.now_ms())
    harness.store.save(replace(harness.book, intents={intent.client_order_id: intent}))
    executor.resolve_unknown()
    assert harness.book.intents, "not before a minute is over"
    harness.wait(60)
    executor.resolve_unknown()
    assert not harness.book.intents
    assert harness.book.capital == 1000


def test_a_daily_pass_on_paper(harness: TradingHarness, paper: PaperExchange) -> None:
    bot = harness.bot(StubScores(harness.clock, ADA="0.9", DOT="0.8"))
    bot.executor.orders.exchange = paper
    bot.cycle()
    assert sorted(harness.book.positions) == ["ADA", "DOT"]
    assert harness.book.capital < 1
    harness.market.set_price("ADA", "0.4")
    harness.clock.idle(NOON + timedelta(minutes=5))
    bot.cycle()
    assert list(harness.book.positions) == ["DOT"]
    assert harness.requests(NEW_ORDER) == 0

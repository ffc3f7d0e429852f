"""The stand-in exchange: nothing is made or lost, every filter bites, partial fills are told."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded_market.exchange.account_file import AccountFileError, load_account, save_account, saved_time
from embedded_market.exchange.matching import FEE_RATE, Exchange
from embedded_market.exchange.orders import MarketOrder, Moment, Order, OrderRejectedError
from embedded_market.exchange.pair_rules import filter_rows, rules_for
from embedded_market.market_data.history import load_bundled_history

COINS = load_bundled_history().coins
RULES = [rules_for(coin, quote) for coin in COINS.values() for quote in ("USDT", "USDC")]
NOW = Moment(time_ms=1_613_349_005_000, price=Decimal("0.85"), average=Decimal("0.85"), bnb_price=Decimal(130))


def an_exchange(**balances: str) -> Exchange:
    return Exchange(RULES, {asset: Decimal(amount) for asset, amount in (balances or {"USDT": "10000"}).items()})


def buy(quote: str | None = None, *, quantity: str | None = None, symbol: str = "ADAUSDT") -> MarketOrder:
    return an_order(True, quote, quantity, symbol)


def sell(quantity: str | None = None, *, quote: str | None = None, symbol: str = "ADAUSDT") -> MarketOrder:
    return an_order(False, quote, quantity, symbol)


def an_order(is_buy: bool, quote: str | None, quantity: str | None, symbol: str) -> MarketOrder:
    asked, spent = (None if amount is None else Decimal(amount) for amount in (quantity, quote))
    return MarketOrder(symbol, is_buy, asked, spent)


def refusal(exchange: Exchange, order: MarketOrder, moment: Moment = NOW) -> tuple[int, str]:
    before = dict(exchange.free)
    with pytest.raises(OrderRejectedError) as caught:
        exchange.place(order, moment)
    assert exchange.free == before
    assert not exchange.orders
    return caught.value.code, caught.value.message


def fees(order: Order, asset: str) -> Decimal:
    return sum((f.commission for f in order.fills if f.commission_asset == asset), Decimal(0))


@given(
    st.booleans(),
    st.booleans(),
    st.decimals(6, 900_000, places=2),
    st.integers(1, 10**12),
    st.decimals("0.3", "5", places=6),
    st.booleans(),
)
def test_what_leaves_one_balance_arrives_in_the_other_or_in_fees(
    is_buy: bool, by_quote: bool, amount: Decimal, time_ms: int, price: Decimal, in_bnb: bool
) -> None:
    exchange = an_exchange(USDT="5000000", ADA="5000000", BNB="0.05")
    exchange.pay_fees_in_bnb = in_bnb
    before = dict(exchange.free)
    quantity = None if by_quote else Decimal(int(amount) + 40)
    order = exchange.place(
        MarketOrder("ADAUSDT", is_buy, quantity, amount if by_quote else None),
        Moment(time_ms, price, price, Decimal(130)),
    )
    sign = 1 if is_buy else -1
    gained = {asset: exchange.free[asset] - before[asset] for asset in ("ADA", "USDT", "BNB")}
    assert gained["ADA"] == sign * order.executed_quantity - fees(order, "ADA")
    assert gained["USDT"] == -sign * order.executed_quote - fees(order, "USDT")
    assert gained["BNB"] == -fees(order, "BNB")
    assert all(free >= 0 for free in exchange.free.values())
    assert order.executed_quantity % exchange.pairs["ADAUSDT"].rules.lot_step == 0
    if by_quote:
        assert order.executed_quote <= amount
    assert all(f.commission_asset != ("USDT" if is_buy else "ADA") for f in order.fills)


def test_a_buyer_pays_above_a_seller_gets_below_the_last_price() -> None:
    exchange = an_exchange(USDT="10000", ADA="10000")
    bought, sold = exchange.place(buy("1000"), NOW), exchange.place(sell("1000"), NOW)
    assert all(NOW.price * Decimal("1.0002") < fill.price < NOW.price * Decimal("1.01") for fill in bought.fills)
    assert all(NOW.price * Decimal("0.9998") > fill.price > NOW.price * Decimal("0.99") for fill in sold.fills)


def test_a_larger_order_fills_at_several_worse_prices() -> None:
    order = an_exchange().place(buy("5000"), NOW)
    prices = [fill.price for fill in order.fills]
    assert len(prices) >= 3
    assert prices == sorted(set(prices))
    assert sum(fill.quantity for fill in order.fills) == order.executed_quantity


def test_the_same_order_at_the_same_time_gets_the_same_fills() -> None:
    one, two = (an_exchange().place(buy("5000"), NOW) for _ in range(2))
    other = an_exchange().place(buy("5000"), dataclasses.replace(NOW, time_ms=NOW.time_ms + 1))
    assert one.fills == two.fills
    assert one.fills != other.fills


def test_a_buy_pays_its_fee_in_base_so_the_filled_quantity_cannot_be_sold() -> None:
    exchange = an_exchange()
    order = exchange.place(buy("1000"), NOW)
    assert fees(order, "ADA") == order.executed_quantity * FEE_RATE
    with pytest.raises(OrderRejectedError, match="insufficient balance"):
        exchange.place(sell(str(order.executed_quantity)), NOW)


def test_bnb_pays_while_it_lasts_and_one_order_mixes_fee_assets() -> None:
    exchange = an_exchange(USDT="10000", BNB="0.004")
    exchange.pay_fees_in_bnb = True
    order = exchange.place(buy("5000"), NOW)
    assert {fill.commission_asset for fill in order.fills} == {"ADA", "BNB"}
    assert 0 <= exchange.free["BNB"] < Decimal("0.004")


def test_a_quote_order_leaves_less_than_a_step_over() -> None:
    exchange = an_exchange()
    order = exchange.place(buy("1000"), NOW)
    assert 0 < 1000 - order.executed_quote < order.fills[-1].price
    assert order.status == "FILLED"


@pytest.mark.parametrize("order", [buy(quantity="9000"), buy("9000"), sell("9000"), sell(quote="9000")])
def test_an_exhausted_book_expires_the_rest(order: MarketOrder) -> None:
    exchange = an_exchange(USDT="10000", ADA="20000")
    exchange.pairs["ADAUSDT"].depth = Decimal(2000)
    done = exchange.place(order, NOW)
    assert done.status == "EXPIRED"
    assert 1900 < done.executed_quote <= 2000


def test_an_empty_book_expires_a_quantity_and_refuses_a_quote_quantity() -> None:
    exchange = an_exchange()
    exchange.pairs["ADAUSDT"].depth = Decimal(0)
    text = "Order book liquidity is less than `LOT_SIZE` filter minimum quantity."
    assert refusal(exchange, buy("100")) == (-2010, text)
    order = exchange.place(buy(quantity="100"), NOW)
    assert order.status == "EXPIRED"
    assert order.executed_quantity == 0
    assert exchange.free["USDT"] == 10_000


@pytest.mark.parametrize(
    ("order", "code", "text"),
    [
        (buy(quantity="10.5"), -1013, "Filter failure: LOT_SIZE"),
        (buy(quantity="900000001"), -1013, "Filter failure: LOT_SIZE"),
        (buy(quantity="0"), -1013, "Invalid quantity."),
        (buy(quantity="5"), -1013, "Filter failure: NOTIONAL"),
        (buy("4.99"), -1013, "Filter failure: NOTIONAL"),
        (buy("9.99", symbol="LTCUSDT"), -1013, "Filter failure: MIN_NOTIONAL"),
        (buy("15000000"), -1013, "Filter failure: MARKET_LOT_SIZE"),
        (buy(quantity="20000000"), -1013, "Filter failure: MARKET_LOT_SIZE"),
        (buy("10000.01"), -2010, "Account has insufficient balance for requested action."),
        (buy(quantity="20000"), -2010, "Account has insufficient balance for requested action."),
        (sell("100"), -2010, "Account has insufficient balance for requested action."),
        (buy("100", symbol="ADAUSDC"), -2010, "Account has insufficient balance for requested action."),
    ],
)
def test_an_order_against_a_rule_is_refused(order: MarketOrder, code: int, text: str) -> None:
    assert refusal(an_exchange(), order) == (code, text)


def test_limits_themselves_pass() -> None:
    exchange = an_exchange(USDT="10000", USDC="5")
    assert exchange.place(buy("5", symbol="ADAUSDC"), NOW).status == "FILLED"
    assert exchange.place(buy(quantity="6"), NOW).status == "FILLED"


def test_notional_uses_the_mean_price_not_the_last() -> None:
    dear, cheap = (dataclasses.replace(NOW, average=Decimal(price)) for price in ("1", "0.5"))
    assert an_exchange().place(buy(quantity="5"), dear).status == "FILLED"
    assert refusal(an_exchange(), buy(quantity="6"), cheap) == (-1013, "Filter failure: NOTIONAL")


@pytest.mark.parametrize(
    ("status", "code"), [("BREAK", -1013), ("HALT", -2010), ("CANCEL_ONLY", -1013), ("END_OF_DAY", -1013)]
)
def test_only_a_trading_pair_trades(status: str, code: int) -> None:
    exchange = an_exchange()
    exchange.pairs["ADAUSDT"].status = status
    assert refusal(exchange, buy("100")) == (code, "Market is closed.")


def test_permission_and_account_switches() -> None:
    exchange = an_exchange()
    exchange.pairs["ADAUSDT"].permitted = False
    assert refusal(exchange, buy("100")) == (-2010, "This symbol is not permitted for this account.")
    exchange.can_trade = False
    assert refusal(exchange, buy("100")) == (-2010, "This account may not place or cancel orders.")


def test_a_client_order_id_is_refused_only_while_open() -> None:
    exchange = an_exchange()
    order = dataclasses.replace(buy("100"), client_order_id="ms-1")
    exchange.open_client_order_ids.add("ms-1")
    assert refusal(exchange, order) == (-2010, "Duplicate order sent.")
    exchange.open_client_order_ids.clear()
    first, second = exchange.place(order, NOW), exchange.place(order, NOW)
    assert first.order_id != second.order_id
    assert exchange.find("ADAUSDT", None, "ms-1") == second
    assert exchange.find("ADAUSDT", first.order_id, None) == first
    assert exchange.find("BTCUSDT", first.order_id, None) is None


def test_every_pair_can_write_its_amounts_in_eight_decimals() -> None:
    for rules in RULES:
        assert (rules.tick * rules.lot_step).normalize() >= Decimal("1e-8")
        assert rules.max_market_quantity % rules.lot_step == 0
        assert rules.min_quantity < rules.max_market_quantity
        rows = {str(row["filterType"]): row for row in filter_rows(rules)}
        assert ("NOTIONAL" in rows) != ("MIN_NOTIONAL" in rows)
        assert rows["MARKET_LOT_SIZE"]["stepSize"] == "0.00000000"


def test_an_account_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "account.json"
    assert saved_time(path) is None
    exchange, loaded = an_exchange(USDT="10000", BNB="0.004"), an_exchange(USDT="1", EUR="7")
    exchange.pay_fees_in_bnb = True
    exchange.place(dataclasses.replace(buy("5000"), client_order_id="ms-1"), NOW)
    exchange.place(sell("100"), NOW)
    save_account(exchange, 1234.5, path)
    load_account(loaded, path)
    assert loaded.orders == exchange.orders
    assert {a: f for a, f in loaded.free.items() if f} == {a: f for a, f in exchange.free.items() if f}
    assert loaded.next_trade_id == exchange.next_trade_id
    assert loaded.find("ADAUSDT", None, "ms-1") == exchange.orders[1]
    assert saved_time(path) == 1234.5
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "[]", '{"version": 2}', '{"version": 1, "free": {"A": "x"}}'])
def test_a_broken_account_file_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "account.json"
    path.write_text(text)
    with pytest.raises(AccountFileError):
        load_account(an_exchange(), path)

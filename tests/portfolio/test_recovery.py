"""The book from the exchange's memory: replayed, any history of this bot gives the book that the ledger had."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from marsshot.core.amounts import EXACT, floor_to_step
from marsshot.core.book import Book, Position
from marsshot.core.orders import (
    Fill,
    Intent,
    OwnOrder,
    Side,
    is_our_order,
    new_client_order_id,
    reason_in_id,
    serial_in_id,
)
from marsshot.core.reasons import OrderReason
from marsshot.core.trading_rules import Account
from marsshot.exchange.binance.responses import read_account
from marsshot.portfolio.ledger import new_book, with_absence, with_fill, with_intent, with_position
from marsshot.portfolio.recovery import (
    Finding,
    Misfit,
    Recovery,
    fitted_to_account,
    orders_unknown_to,
    replayed,
)
from tests.helpers.builders import NOW, NOW_MS, D, a_book, a_position, trading_rules

SHARE = D("0.20")
LARGEST = D(40)  # of one order: a sale of more takes several
SYMBOLS = ("ADA", "DOT")
RULES = {
    symbol: trading_rules(pair=f"{symbol}USDT", base_asset=symbol, lot_step=D("0.01"), max_market_quantity=LARGEST)
    for symbol in SYMBOLS
}
FULL_SALES = (OrderReason.DAILY_SELL, OrderReason.STOP_LOSS, OrderReason.TRAILING_STOP, OrderReason.SELL_ALL)


# --------------------------------------------------------------------------- any history


@dataclass
class History:
    """The ledger's book, moved by orders as the executor sends them, and the exchange's memory of the orders."""

    book: Book = field(default_factory=lambda: new_book("live", "USDT", D(1000), NOW))
    orders: list[OwnOrder] = field(default_factory=list)

    def order(self, symbol: str, reason: OrderReason, amount: Decimal, price: Decimal, done: Decimal, fee: str) -> Fill:
        """Execute a share of an order: 1 is FILLED, less is EXPIRED."""
        rules, is_buy = RULES[symbol], reason is OrderReason.DAILY_BUY
        time_ms = NOW_MS + 1000 * len(self.orders)
        intent = Intent(
            client_order_id=new_client_order_id(time_ms, self.book.order_serial + 1, reason),
            symbol=symbol,
            pair=rules.pair,
            base_asset=symbol,
            lot_step=rules.lot_step,
            side=Side.BUY if is_buy else Side.SELL,
            reason=reason,
            created_ms=time_ms,
            **{"quote_amount" if is_buy else "quantity": amount},
        )
        self.book = with_intent(self.book, intent)
        asked = amount / price if is_buy else amount
        base = max(floor_to_step(asked * done, rules.lot_step), rules.lot_step)
        fee_asset = {"received": symbol if is_buy else "USDT", "BNB": "BNB"}.get(fee)
        received = base if is_buy else base * price
        fees = {fee_asset: (received / 1000).quantize(D("0.00000001"))} if fee_asset else {}
        fill = Fill(
            client_order_id=intent.client_order_id,
            order_id=len(self.orders) + 1,
            status="FILLED" if done == 1 else "EXPIRED",
            base=base,
            quote=(base * price).quantize(D("0.00000001")),
            fees={asset: paid for asset, paid in fees.items() if paid > 0},
            time_ms=time_ms,
        )
        self.book = with_fill(self.book, intent, fill)
        self.orders.append(
            OwnOrder(
                pair=rules.pair,
                side=intent.side,
                fill=fill,
                quantity=intent.quantity,
                quote_amount=intent.quote_amount,
                reason=reason_in_id(intent.client_order_id),
                serial=serial_in_id(intent.client_order_id),
            )
        )
        return fill

    def sell(self, symbol: str, reason: OrderReason, price: Decimal, done: Decimal, fee: str) -> None:
        """Sell as the executor does: in as many orders as the largest asks, until one is not filled."""
        rules, held = RULES[symbol], self.book.positions.get(symbol)
        if held is None or (reason is OrderReason.PARTIAL_TAKE_PROFIT and held.partial_sold):
            return
        quantity = held.qty
        if reason is OrderReason.PARTIAL_TAKE_PROFIT:
            quantity = held.partial_left or EXACT.multiply(held.qty, SHARE)
        wanted = floor_to_step(quantity, rules.lot_step)
        if wanted > LARGEST and reason is OrderReason.PARTIAL_TAKE_PROFIT and held.partial_left is None:
            self.book = with_position(self.book, symbol, replace(held, partial_left=wanted))
        rest = wanted
        while rest > 0 and symbol in self.book.positions:
            lot = floor_to_step(rest / (rest / LARGEST).to_integral_value(ROUND_CEILING), rules.lot_step)
            fill = self.order(symbol, reason, lot, price, done, fee)
            rest -= fill.base
            if fill.status != "FILLED":
                break


@st.composite
def histories(draw: st.DrawFn, reasons: tuple[OrderReason, ...] = tuple(OrderReason)) -> History:
    history = History()
    for _ in range(draw(st.integers(1, 8))):
        symbol, reason = draw(st.sampled_from(SYMBOLS)), draw(st.sampled_from(reasons))
        price = draw(st.sampled_from([D("0.5"), D("1.07"), D(3)]))
        done = draw(st.sampled_from([D(1), D(1), D("0.4")]))
        fee = draw(st.sampled_from(["received", "BNB", "none"]))
        if reason is not OrderReason.DAILY_BUY:
            history.sell(symbol, reason, price, done, fee)
        elif symbol not in history.book.positions and history.book.capital > 20:
            amount = draw(st.sampled_from([D(10), D("33.33"), D(300)]))
            history.order(symbol, reason, min(amount, history.book.capital), price, done, fee)
    return history


def facts(position: Position) -> Position:
    """What orders tell of a position: all but its top and what it was told."""
    return replace(position, max_price=D(1), said=frozenset())


def same_book(recovered: Book, ledger: Book) -> None:
    assert {key: facts(held) for key, held in recovered.positions.items()} == {
        key: facts(held) for key, held in ledger.positions.items()
    }
    assert {symbol: held.entry_price for symbol, held in recovered.positions.items()} == {
        symbol: held.entry_price for symbol, held in ledger.positions.items()
    }
    assert (recovered.capital, recovered.dust) == (ledger.capital, ledger.dust)
    assert recovered.order_serial == ledger.order_serial


@given(histories())
def test_any_history_replayed_gives_the_book_that_the_ledger_had(history: History) -> None:
    begun = new_book("live", "USDT", D(1000), NOW)
    recovery = replayed(begun, orders_unknown_to(begun, history.orders, 0), RULES, {}, SHARE)
    same_book(recovery.book, history.book)
    assert recovery.book.unwritten_trades == history.book.unwritten_trades
    assert recovery.findings == ()
    assert not any(one.is_presumed for one in recovery.orders)


@given(histories(), st.integers(0, 20))
def test_a_book_that_lags_catches_up_with_the_orders_it_does_not_know(history: History, known: int) -> None:
    begun = new_book("live", "USDT", D(1000), NOW)
    lagging = replayed(begun, history.orders[:known], RULES, {}, SHARE).book
    unknown = orders_unknown_to(lagging, reversed(history.orders), 0)
    assert unknown == history.orders[known:]
    same_book(replayed(lagging, unknown, RULES, {}, SHARE).book, history.book)


def without_reason(order: OwnOrder) -> OwnOrder:
    """The order with an id of the older form, which does not say why it was sent."""
    name = order.fill.client_order_id.rsplit("-", 1)[0]
    return replace(order, fill=replace(order.fill, client_order_id=name), reason=None)


@given(histories())
def test_trades_csv_tells_the_reasons_that_an_older_id_does_not(history: History) -> None:
    begun = new_book("live", "USDT", D(1000), NOW)
    orders = [without_reason(order) for order in history.orders]
    reasons = {
        old.fill.client_order_id: OrderReason(row.reason)
        for old, row in zip(orders, history.book.unwritten_trades, strict=True)
    }
    same_book(replayed(begun, orders, RULES, reasons, SHARE).book, history.book)


@given(histories())
def test_without_any_reason_the_amounts_tell_which_sale_was_the_partial_one(history: History) -> None:
    assume(all(held.exit_pending is None for held in history.book.positions.values()))  # a rest may look like a share
    begun = new_book("live", "USDT", D(1000), NOW)
    orders = [without_reason(order) for order in history.orders]
    recovery = replayed(begun, orders, RULES, {}, SHARE)
    assert recovery.book.capital == history.book.capital
    for symbol, held in history.book.positions.items():
        found = recovery.book.positions[symbol]
        assert (found.qty, found.cost, found.entry_price) == (held.qty, held.cost, held.entry_price)
        assert found.partial_sold == held.partial_sold
        assert (found.exit_pending is None) == (held.exit_pending is None)


# --------------------------------------------------------------------------- ids


@pytest.mark.parametrize("reason", OrderReason)
def test_an_id_says_why_the_order_was_sent(reason: OrderReason) -> None:
    name = new_client_order_id(NOW_MS, 12, reason)
    assert is_our_order(name)
    assert (reason_in_id(name), serial_in_id(name)) == (reason, 12)
    assert len(name) <= 36, "Binance takes no more"


@pytest.mark.parametrize(
    ("name", "reason", "serial"),
    [("ms-1613349000000-9", None, 9), ("ms-1-9-xyz", None, 9), ("web_1613349000000", None, 0), ("ms-1-2-3", None, 0)],
)
def test_an_id_of_another_form_says_nothing(name: str, reason: OrderReason | None, serial: int) -> None:
    assert (reason_in_id(name), serial_in_id(name)) == (reason, serial)


# --------------------------------------------------------------------------- what a book does not know


def an_order(name: str = "ms-1613349000000-9-db", time_ms: int = NOW_MS, **changes: Any) -> OwnOrder:
    fill = Fill(client_order_id=name, order_id=1, status="FILLED", base=D(10), quote=D(10), fees={}, time_ms=time_ms)
    return replace(OwnOrder(pair="ADAUSDT", side=Side.BUY, fill=fill, quote_amount=D(10)), **changes)


def taken_for_absent(name: str) -> Book:
    intent = Intent(
        client_order_id=name,
        symbol="ADA",
        pair="ADAUSDT",
        base_asset="ADA",
        lot_step=D("0.01"),
        side=Side.BUY,
        reason=OrderReason.DAILY_BUY,
        created_ms=NOW_MS,
        quote_amount=D(10),
    )
    return with_absence(with_intent(a_book(), intent), intent)


@pytest.mark.parametrize(
    ("order", "book", "is_unknown"),
    [
        (an_order(), a_book(), True),
        (an_order(time_ms=NOW_MS - 1), a_book(), False),
        (an_order(time_ms=NOW_MS - 1), a_book(left_out_purchases={"ms-1613349000000-9-db": D(10)}), True),
        (an_order(time_ms=NOW_MS - 1), taken_for_absent("ms-1613349000000-9-db"), True),
        (an_order(), a_book(booked_orders={"ms-1613349000000-9-db": NOW_MS}), False),
    ],
    ids=["since the comparison", "compared before", "left out by resume", "taken for absent", "booked"],
)
def test_what_a_book_does_not_know(order: OwnOrder, book: Book, is_unknown: bool) -> None:
    assert bool(orders_unknown_to(book, [order], NOW_MS)) is is_unknown


def test_an_order_that_the_book_waits_for_is_booked_as_it_was_meant() -> None:
    history = History()
    history.order("ADA", OrderReason.DAILY_BUY, D(100), D(1), D(1), "none")
    order = without_reason(history.orders[0])
    intent = Intent(
        client_order_id=order.fill.client_order_id,
        symbol="ADA",
        pair="ADAUSDT",
        base_asset="ADA",
        lot_step=D("0.01"),
        side=Side.BUY,
        reason=OrderReason.DAILY_BUY,
        created_ms=NOW_MS,
        quote_amount=D(100),
    )
    waiting = with_intent(new_book("live", "USDT", D(1000), NOW), intent)
    unknown = orders_unknown_to(waiting, [order], NOW_MS + 10**9)
    book = replayed(waiting, unknown, RULES, {}, SHARE).book
    assert not book.intents
    assert book.positions["ADA"].qty == 100


# --------------------------------------------------------------------------- what does not fit


def fitted(account: Account, **changes: Any) -> Recovery:
    book = replace(a_book(positions={"FET": a_position()}), **changes)
    return fitted_to_account(Recovery(book=book), account, {"FET": trading_rules()})


@pytest.mark.parametrize(
    ("there", "lent", "misfit", "left"),
    [
        ("100", "0", None, "100"),
        ("99.91", "0", None, "100"),
        ("99.9", "0", Misfit.PART_MISSING, "99.9"),
        ("250", "0", None, "100"),
        ("0", "0", Misfit.ALL_MISSING, None),
        ("0.09", "0", Misfit.ALL_MISSING, None),
        ("0", "100", Misfit.LENT, "100"),
        ("30", "69.9", Misfit.PART_MISSING, "99.9"),
    ],
)
def test_coins_that_are_not_there_are_left_out(there: str, lent: str, misfit: Misfit | None, left: str | None) -> None:
    account = Account({"FET": D(there), "USDT": D(1000)}, lent={"FET": D(lent)})
    recovery = fitted(account)
    assert [one.misfit for one in recovery.findings] == ([misfit] if misfit else [])
    held = recovery.book.positions.get("FET")
    assert (held and held.qty) == (left and D(left))
    assert held is None or held.entry_price == 1


@pytest.mark.parametrize(
    ("capital", "free", "misfits", "left"),
    [
        ("1000", "1000", [], "1000"),
        ("1000", "999.991", [], "1000"),
        ("1000", "999.99", [Misfit.CAPITAL_NOT_THERE], "999.99"),
        ("1000", "5000", [], "1000"),
        ("-0.01", "5000", [Misfit.CAPITAL_SPENT], "0"),
    ],
)
def test_money_that_is_not_there_is_left_out(capital: str, free: str, misfits: list[Misfit], left: str) -> None:
    recovery = fitted(Account({"FET": D(100), "USDT": D(free)}), capital=D(capital))
    assert [one.misfit for one in recovery.findings] == misfits
    assert recovery.book.capital == D(left)


def test_a_sale_of_coins_that_nobody_bought_is_told() -> None:
    order = an_order("ms-1-1-sl", side=Side.SELL, quantity=D(10), quote_amount=None)
    recovery = replayed(a_book(), [order], RULES, {}, SHARE)
    assert recovery.findings == (Finding(misfit=Misfit.UNKNOWN_PURCHASE, symbol="ADA", counted=D(10)),)
    assert recovery.book.capital == 1010, "its money came in all the same"


def test_lent_coins_are_known_by_their_balance_and_ldo_is_a_coin_of_its_own() -> None:
    names = {"LDFET": "12", "LDO": "3", "LDLDO": "4", "LD": "5", "FET": "1", "LDADA": "0"}
    balances = [{"asset": name, "free": amount, "locked": "0"} for name, amount in names.items()]
    assert read_account({"balances": balances}).lent == {"FET": D(12), "LDO": D(4)}

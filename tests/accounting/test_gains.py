from __future__ import annotations

from decimal import ROUND_DOWN, Decimal

from hypothesis import given
from hypothesis import strategies as st

from marsshot.accounting.gains import Disposal, Holding, Lot, Method, Movement, after_purchase, after_sale, disposals

D = Decimal


def bought(quantity: str, amount: str, asset: str = "FET") -> Movement:
    return Movement(asset, D(quantity), D(amount))


def sold(quantity: str, amount: str = "0", asset: str = "FET") -> Movement:
    return Movement(asset, -D(quantity), D(amount))


def costs(method: Method, *movements: Movement) -> list[Decimal]:
    return [one.cost for one in disposals(movements, method)[0] if one]


TWO_PRICES = (bought("100", "100"), bought("100", "300"))


def test_first_in_first_out_sells_the_oldest_units() -> None:
    assert costs(Method.FIFO, *TWO_PRICES, sold("100"), sold("100")) == [D(100), D(300)]


def test_at_average_cost_every_unit_costs_the_same() -> None:
    assert costs(Method.AVERAGE, *TWO_PRICES, sold("100"), sold("100")) == [D(200), D(200)]


def test_a_sale_may_reach_into_the_next_lot() -> None:
    assert costs(Method.FIFO, *TWO_PRICES, sold("150")) == [D(100) + D(150)]


def test_a_purchase_after_a_sale_does_not_change_what_the_sale_had_cost() -> None:
    assert costs(Method.AVERAGE, bought("10", "10"), sold("5"), bought("5", "95"), sold("10")) == [D(5), D(100)]


def test_what_the_sale_leaves_keeps_its_cost() -> None:
    _, held = disposals([*TWO_PRICES, sold("150")], Method.FIFO)
    assert held == {"FET": (Lot(D(50), D(150)),)}


def test_dust_stays_with_its_cost_and_goes_with_the_next_sale() -> None:
    movements = [bought("10.004", "10.004"), sold("10"), bought("1", "5"), sold("1.004")]
    assert costs(Method.FIFO, *movements) == [D(10), D("5.004")]


def test_the_cost_of_a_share_is_rounded_and_the_rest_keeps_the_remainder() -> None:
    assert costs(Method.FIFO, bought("3", "1"), sold("1"), sold("1"), sold("1")) == [
        D("0.33333333"),
        D("0.33333334"),
        D("0.33333333"),
    ]


def test_units_that_were_never_bought_have_no_cost_and_are_told() -> None:
    assert after_sale((Lot(D(2), D(20)),), D(3)) == ((), Disposal(D(20), D(1)))
    assert after_sale((Lot(D(3), D(20)),), D(3)) == ((), Disposal(D(20), D(0)))


def test_a_purchase_that_the_fee_ate_up_costs_what_it_cost() -> None:
    assert costs(Method.FIFO, bought("0", "2"), bought("1", "5"), sold("1")) == [D(7)]


def test_tokens_do_not_mix() -> None:
    movements = [bought("1", "10", "ADA"), bought("1", "30", "FET"), sold("1", asset="FET"), sold("1", asset="ADA")]
    assert costs(Method.AVERAGE, *movements) == [D(30), D(10)]


amounts = st.decimals(min_value=0, max_value=10**9, places=8)
quantities = st.decimals(min_value="0.00000001", max_value=10**9, places=8)
purchases = st.lists(st.tuples(quantities, amounts), min_size=1, max_size=6)


@given(st.lists(st.tuples(quantities, amounts, st.integers(0, 100)), min_size=1, max_size=6))
def test_once_everything_is_sold_both_methods_have_cost_what_was_paid(lots: list[tuple[Decimal, Decimal, int]]) -> None:
    """However it was sold, piece by piece, after whichever purchase: so many percent of it each time."""
    movements, held = list[Movement](), D(0)
    for quantity, amount, percent in lots:
        movements.append(Movement("FET", quantity, amount))
        part = ((held + quantity) * percent / 100).quantize(D("0.00000001"), ROUND_DOWN)
        if part:
            movements.append(Movement("FET", -part, D(0)))
        held += quantity - part
    if held:
        movements.append(Movement("FET", -held, D(0)))
    for method in Method:
        found, left = disposals(movements, method)
        assert sum(one.cost for one in found if one) == sum(amount for _, amount, _ in lots)
        assert all(one.without_cost == 0 for one in found if one)
        assert left == {}


@given(purchases, quantities)
def test_cost_is_neither_made_nor_lost_by_a_sale(lots: list[tuple[Decimal, Decimal]], quantity: Decimal) -> None:
    for method in Method:
        held: Holding = ()
        for one in lots:
            held = after_purchase(held, Lot(*one), method)
        rest, disposal = after_sale(held, quantity)
        assert disposal.cost + sum(lot.cost for lot in rest) == sum(lot.cost for lot in held)
        assert sum(lot.quantity for lot in held) + disposal.without_cost == quantity + sum(x.quantity for x in rest)
        assert 0 <= disposal.without_cost <= quantity

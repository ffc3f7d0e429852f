"""bot_state.json: what stands in it, that nothing is lost on the way there and back, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from marsshot.core.book import Book, Position, TradeRow
from marsshot.core.decisions import DailyPlan, PlannedBuy, PlannedSell, StepOutcome, StepResult, left_undone
from marsshot.core.errors import InputError
from marsshot.core.orders import Intent, Side
from marsshot.core.reasons import OrderReason, SkipReason
from marsshot.portfolio.serialization import (
    book_from_json,
    book_to_json,
    decimal_text,
    refuse_dates_to_come,
    topic_from_text,
)
from tests.helpers.builders import D, a_book, a_position, a_trade, bought_at, buy_intent

# What the contract wants to find in the file, at least.
MINIMUM: dict[str, Any] = {
    "version": 1,
    "mode": "paper",
    "quote_asset": "USDT",
    "capital_usdt": "900",
    "last_daily_update": "2021-02-15",
    "positions": {
        "FET": {
            "qty": "99.9",
            "entry_price": "1.00",
            "partial_sold": False,
            "did_skip_sell_once": False,
            "max_price": "1.00",
        }
    },
}


def read(content: object) -> Book:
    return book_from_json(json.dumps(content), "bot_state.json")


def written(book: Book) -> Any:
    return json.loads(book_to_json(book))


def refusal(text: str) -> str:
    with pytest.raises(InputError) as caught:
        book_from_json(text, "bot_state.json")
    line = str(caught.value)
    assert line.startswith("bot_state.json: ")
    assert "\n" not in line
    return line


def with_position_changed(**changes: object) -> dict[str, Any]:
    """Return the smallest book with its position changed; None takes a key away."""
    position = MINIMUM["positions"]["FET"] | changes
    return MINIMUM | {"positions": {"FET": {key: value for key, value in position.items() if value is not None}}}


# --------------------------------------------------------------------------- what stands in it


def test_the_file_has_the_names_that_the_owner_knows() -> None:
    content = written(a_book(positions={"FET": a_position()}, last_daily_update=date(2021, 2, 15)))
    assert {"version", "mode", "capital_usdt", "last_daily_update", "positions"} <= content.keys()
    assert {"qty", "entry_price", "partial_sold", "did_skip_sell_once", "max_price"} <= content["positions"][
        "FET"
    ].keys()
    assert content["mode"] == "paper"
    assert content["last_daily_update"] == "2021-02-15"


def test_amounts_are_decimal_texts() -> None:
    book = a_book(
        capital=D("1E+3"),
        positions={"FET": bought_at("0.00000010", qty="1E+6")},
        intents={"ms-1": buy_intent(quote_amount=D("12.3400"))},
        unwritten_trades=(a_trade(),),
        dust={"FET": D("1E-8")},
    )
    content = written(book)
    assert content["capital_usdt"] == "1000"
    assert content["positions"]["FET"]["qty"] == "1000000"
    assert content["positions"]["FET"]["entry_price"] == "0.0000001"
    assert content["intents"]["ms-1"]["quote_amount"] == "12.34"
    assert content["dust"] == {"FET": "0.00000001"}
    numbers: list[object] = []
    json.loads(book_to_json(book), parse_float=numbers.append)
    assert numbers == []


@pytest.mark.parametrize(
    ("value", "text"),
    [("1E+3", "1000"), ("100", "100"), ("1.50", "1.5"), ("1.00", "1"), ("0E-8", "0"), ("1E-10", "0.0000000001")],
)
def test_a_decimal_text_has_no_exponent_and_no_zeros_at_its_end(value: str, text: str) -> None:
    assert decimal_text(D(value)) == text


# --------------------------------------------------------------------------- there and back

_AMOUNT = st.decimals(min_value="0.00000001", max_value="1000000000", places=8)
_SYMBOLS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1, max_size=8)
_TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
_DATES = st.dates()
_SELL_REASONS = st.sampled_from([reason for reason in OrderReason if reason is not OrderReason.DAILY_BUY])


def _with_top_at_entry(held: Position) -> Position:
    return replace(held, max_price=max(held.max_price, held.entry_price))


_POSITIONS = st.builds(
    Position,
    qty=_AMOUNT,
    entry_quote=_AMOUNT,
    entry_base=_AMOUNT,
    cost=_AMOUNT,
    max_price=_AMOUNT,
    trailing_armed=st.booleans(),
    partial_sold=st.booleans(),
    partial_left=st.none() | _AMOUNT,
    did_skip_sell_once=st.booleans(),
    exit_pending=st.none() | _SELL_REASONS,
    opened_at=_TEXTS,
    owners_share=st.none() | _AMOUNT,
    resumed_at=st.sampled_from(["", "2026-11-30T00:30:00Z"]),
    said=st.frozensets(_TEXTS, max_size=3),
).map(_with_top_at_entry)


def _intents(side: Side) -> st.SearchStrategy[Intent]:
    buying = side is Side.BUY
    return st.builds(
        Intent,
        client_order_id=_TEXTS,
        symbol=_SYMBOLS,
        pair=_SYMBOLS,
        base_asset=_SYMBOLS,
        lot_step=_AMOUNT,
        side=st.just(side),
        reason=st.just(OrderReason.DAILY_BUY) if buying else _SELL_REASONS,
        created_ms=st.integers(0, 2**53),
        quantity=st.none() if buying else _AMOUNT,
        quote_amount=_AMOUNT if buying else st.none(),
    )


_OUTCOMES = (
    st.none()
    | st.builds(StepOutcome, result=st.sampled_from([one for one in StepResult if one is not StepResult.LEFT]))
    | st.builds(left_undone, st.sampled_from(SkipReason), _TEXTS)
)
_PLANS = st.builds(
    DailyPlan,
    day=_DATES,
    sells=st.lists(st.builds(PlannedSell, symbol=_SYMBOLS, outcome=_OUTCOMES), max_size=3).map(tuple),
    buys=st.lists(
        st.builds(
            PlannedBuy,
            symbol=_SYMBOLS,
            probability=st.decimals(min_value=0, max_value=1, places=6).map(str),
            amount=st.none() | _AMOUNT,
            left=st.none() | _AMOUNT,
            outcome=_OUTCOMES,
        ),
        max_size=3,
    ).map(tuple),
    shared_out=st.booleans(),
)
_ROWS = st.builds(
    TradeRow,
    time=_TEXTS,
    symbol=_SYMBOLS,
    side=st.sampled_from(["BUY", "SELL"]),
    reason=_TEXTS,
    qty=_AMOUNT,
    price=_AMOUNT,
    quote=_AMOUNT,
    fee=_TEXTS,
    fee_asset=_TEXTS,
    client_order_id=_TEXTS,
    pair=_SYMBOLS,
    order_id=st.integers(0, 2**63),
    status=_TEXTS,
    profit=_TEXTS,
)
BOOKS = st.builds(
    Book,
    mode=st.sampled_from(["demo", "paper", "live"]),
    quote_asset=st.sampled_from(["USDT", "USDC"]),
    capital=_AMOUNT,
    capital_started=_AMOUNT,
    started_at=_TEXTS,
    last_daily_update=st.none() | _DATES,
    positions=st.dictionaries(_SYMBOLS, _POSITIONS, max_size=3),
    intents=st.dictionaries(_TEXTS, _intents(Side.BUY) | _intents(Side.SELL), max_size=3),
    plan=st.none() | _PLANS,
    unwritten_trades=st.lists(_ROWS, max_size=3).map(tuple),
    dust=st.dictionaries(_SYMBOLS, _AMOUNT, max_size=3),
    order_serial=st.integers(0, 2**53),
    differences=st.dictionaries(_TEXTS.map(topic_from_text), _TEXTS, max_size=3),
    suspected=st.dictionaries(_TEXTS.map(topic_from_text), st.integers(0, 2**53), max_size=3),
    left_out_purchases=st.dictionaries(_TEXTS, _AMOUNT, max_size=3),
)


@given(BOOKS)
def test_a_book_comes_back_as_it_was(book: Book) -> None:
    assert book_from_json(book_to_json(book), "bot_state.json") == book


def test_an_entry_price_without_end_comes_back_exactly() -> None:
    third = a_position(qty=D(3), entry_base=D(3), max_price=D(100) / 3)
    back = book_from_json(book_to_json(a_book(positions={"FET": third})), "bot_state.json").positions["FET"]
    assert (back.entry_quote, back.entry_base) == (D(100), D(3))


# --------------------------------------------------------------------------- what the owner may write by hand


def test_a_book_with_the_contracts_keys_is_read() -> None:
    book = read(MINIMUM)
    held = book.positions["FET"]
    assert (book.capital, book.last_daily_update, book.plan) == (D(900), date(2021, 2, 15), None)
    assert (held.qty, held.entry_price, held.cost, held.max_price) == (D("99.9"), D(1), D("99.9"), D(1))


@pytest.mark.parametrize("price", ["2", "2.00", "0.3333333333333333333333333333"])
def test_an_entry_price_that_the_owner_has_changed_counts(price: str) -> None:
    content = written(a_book(positions={"FET": a_position()}))
    content["positions"]["FET"] |= {"entry_price": price, "max_price": "2"}
    assert read(content).positions["FET"].entry_price == D(price)


def test_an_entry_price_that_nobody_changed_leaves_quote_and_base_alone() -> None:
    held = read(written(a_book(positions={"FET": a_position()}))).positions["FET"]
    assert (held.entry_quote, held.entry_base) == (D(100), D(100))


def test_numbers_without_quotes_are_read_as_the_decimals_of_their_text() -> None:
    text = json.dumps(MINIMUM).replace('"900"', "0.1000000000000000055511151231")
    assert book_from_json(text, "bot_state.json").capital == D("0.1000000000000000055511151231")


# --------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"max_price": "0.999"}, "positions.FET.max_price: 0.999 is under the entry price, 1"),
        ({"entry_price": "0"}, "positions.FET: entry_price must be above 0"),
        ({"entry_price": "-1"}, "positions.FET: entry_price must be above 0"),
        ({"qty": "0"}, "positions.FET: qty must be above 0"),
        ({"max_price": "0"}, "positions.FET: max_price must be above 0"),
        ({"resumed_at": "2026-11-30T00:00:00"}, "positions.FET: 2026-11-30T00:00:00: of what time zone?"),
        ({"resumed_at": "today"}, "positions.FET: Invalid isoformat string: 'today'"),
        ({"cost": "-0.01"}, "positions.FET.cost: is under 0"),
        ({"qty": "Infinity"}, "positions.FET.qty"),
        ({"max_price": "NaN"}, "positions.FET.max_price"),
    ],
)
def test_a_position_that_contradicts_itself_is_refused_by_the_fields_name(changes: dict[str, str], field: str) -> None:
    assert field in refusal(json.dumps(with_position_changed(**changes)))


@pytest.mark.parametrize("amount", ["-0.00000001", "-Infinity", "Infinity", "NaN"])
def test_a_capital_that_cannot_be_is_refused(amount: str) -> None:
    assert "capital_usdt" in refusal(json.dumps(MINIMUM | {"capital_usdt": amount}))
    assert read(MINIMUM | {"capital_usdt": "0"}).capital == 0


@pytest.mark.parametrize(("days", "is_refused"), [(0, False), (1, False), (2, True), (365, True)])
def test_a_day_after_tomorrow_is_refused(days: int, is_refused: bool) -> None:
    day = date(2021, 2, 15) + timedelta(days=days)
    for book, field in (
        (a_book(last_daily_update=day), "last_daily_update"),
        (a_book(plan=DailyPlan(day=day)), "plan.day"),
    ):
        if not is_refused:
            refuse_dates_to_come(book, date(2021, 2, 15), "bot_state.json")
            continue
        with pytest.raises(InputError, match=f"bot_state.json: {field}: .* is after tomorrow"):
            refuse_dates_to_come(book, date(2021, 2, 15), "bot_state.json")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "{",
        '{"version": 1',
        "\ufeff{}",
        "nonsense",
        "[]",
        "null",
        "1",
        '"text"',
        "{}",
        '{"version": 1}',
        "{}{}",
    ],
)
def test_what_is_no_book_is_refused(text: str) -> None:
    refusal(text)


@pytest.mark.parametrize("length", range(0, 400, 7))
def test_a_truncated_book_is_refused(length: int) -> None:
    whole = book_to_json(a_book(positions={"FET": a_position()}))
    refusal(whole[:length])


@pytest.mark.parametrize("version", [0, 2, "1", None, [1]])
def test_another_version_is_refused(version: object) -> None:
    assert "version" in refusal(json.dumps(MINIMUM | {"version": version}))


@pytest.mark.parametrize("key", ["mode", "quote_asset", "capital_usdt", "version"])
def test_a_book_without_this_key_is_refused(key: str) -> None:
    assert key.removesuffix("_usdt") in refusal(json.dumps({name: MINIMUM[name] for name in MINIMUM if name != key}))


@pytest.mark.parametrize("key", ["positions", "last_daily_update"])
def test_a_book_that_lacks_positions_or_the_last_pass_is_refused(key: str) -> None:
    assert key in refusal(json.dumps({name: MINIMUM[name] for name in MINIMUM if name != key}))


@pytest.mark.parametrize("key", ["qty", "entry_price"])
def test_a_position_without_this_key_is_refused(key: str) -> None:
    assert "positions.FET" in refusal(json.dumps(with_position_changed(**{key: None})))


@pytest.mark.parametrize("key", ["partial_sold", "did_skip_sell_once", "max_price"])
def test_a_position_that_lacks_what_it_must_remember_is_refused(key: str) -> None:
    assert key in refusal(json.dumps(with_position_changed(**{key: None})))


@pytest.mark.parametrize("amount", ["NaN", "sNaN", "Infinity", "-Infinity", "text", "", "1,5", [], {}, True])
@pytest.mark.parametrize("key", ["capital_usdt", "qty", "entry_price", "max_price"])
def test_an_amount_that_is_none_is_refused(key: str, amount: object) -> None:
    refusal(json.dumps(MINIMUM | {key: amount} if key == "capital_usdt" else with_position_changed(**{key: amount})))


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_json_does_not_have_is_refused(literal: str) -> None:
    refusal(json.dumps(MINIMUM).replace('"900"', literal))
    refusal(json.dumps(MINIMUM).replace('"99.9"', literal))


@pytest.mark.parametrize("amount", ["0", "-1", "-0.00000001"])
@pytest.mark.parametrize("key", ["qty", "entry_price", "max_price"])
def test_a_position_of_nothing_or_less_is_refused(key: str, amount: str) -> None:
    assert "positions.FET" in refusal(json.dumps(with_position_changed(**{key: amount})))


@pytest.mark.parametrize("place", [(), ("positions", "FET")])
def test_an_unknown_key_is_refused_by_name(place: tuple[str, ...]) -> None:
    content = json.loads(json.dumps(MINIMUM))
    within = content
    for key in place:
        within = within[key]
    within["partial_slod"] = True
    assert "partial_slod" in refusal(json.dumps(content))


@pytest.mark.parametrize("key", ["intents", "plan", "dust", "unwritten_trades", "positions"])
@pytest.mark.parametrize("value", ["text", 7, [7], {"FET": 7}])
def test_a_part_of_the_wrong_form_is_refused(key: str, value: object) -> None:
    if (key, value) != ("dust", {"FET": 7}):
        assert key in refusal(json.dumps(MINIMUM | {key: value}))


@pytest.mark.parametrize("changes", [{"quote_amount": None}, {"quantity": "1"}, {"quote_amount": "0"}, {"extra": 1}])
def test_an_intent_of_no_amount_or_two_is_refused(changes: dict[str, object]) -> None:
    content = written(a_book(intents={"ms-1": buy_intent()}))
    content["intents"]["ms-1"] |= changes
    assert "intents.ms-1" in refusal(json.dumps(content))


@pytest.mark.parametrize(
    "changes",
    [
        {"capital": "5"},  # beside capital_usdt, and silently dropped
        {"last_daily_update": 0},  # 1970
        {"version": True},
        {"dust": {"FET": "-1"}},
    ],
)
def test_nonsense_is_refused(changes: dict[str, object]) -> None:
    refusal(json.dumps(MINIMUM | changes))


def test_a_key_given_twice_is_refused() -> None:
    refusal(json.dumps(MINIMUM)[:-1] + ', "positions": {}}')


@pytest.mark.parametrize("text", ["[" * 200_000, '{"version": ' + "1" * 5000 + "}"])
def test_json_beyond_what_python_reads_is_refused(text: str) -> None:
    refusal(text)


@given(st.text(max_size=60))
@hypothesis_settings(deadline=None)
def test_any_text_is_a_book_or_refused_in_one_line(text: str) -> None:
    refusal(text)


@given(BOOKS, st.data())
def test_a_book_cut_anywhere_is_never_another_book(book: Book, data: st.DataObject) -> None:
    whole = book_to_json(book).rstrip()
    refusal(whole[: data.draw(st.integers(0, len(whole) - 1))])

"""trades.csv is read in one place: what a line must hold, what is left out, and what makes the file a faulty one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from marsshot.infra.csv_rows import CsvLineError
from marsshot.portfolio.trades_file import (
    client_order_ids,
    csv_rows,
    parse_trades,
    read_trades,
    readable_trades,
    realised_profit,
    with_trades_of_book,
)
from tests.helpers.builders import a_book, a_trade

D = Decimal
COLUMNS = "time,symbol,side,reason,qty,price,quote,profit,client_order_id\n"
ROW = "2021-02-01T00:00:00Z,FET,SELL,stop_loss,1,1,1,{profit},{id}\n"


def old_file(*profits: str) -> bytes:
    """A file of fewer columns than today's."""
    return (COLUMNS + "".join(ROW.format(profit=one, id=f"ms-{n}") for n, one in enumerate(profits))).encode()


def written(*ids: str) -> bytes:
    return csv_rows([a_trade(one) for one in ids], header=True)


def test_what_is_written_is_read_again_to_the_last_digit() -> None:
    row = replace(a_trade("ms-1"), qty=D("1E+3"), price=D("1E-8"), fee="0.1+0.2", fee_asset="BNB+USDT", profit="-0.5")
    (trade,) = parse_trades(csv_rows([row], header=True), strict=True)
    assert (trade.qty, trade.price, trade.quote, trade.profit) == (D(1000), D("0.00000001"), row.quote, D("-0.5"))
    assert (trade.symbol, trade.side, trade.reason, trade.pair) == (row.symbol, row.side, row.reason, row.pair)
    assert (trade.client_order_id, trade.order_id, trade.status) == ("ms-1", str(row.order_id), row.status)
    assert trade.fees == {"BNB": D("0.1"), "USDT": D("0.2")}
    assert trade.time == datetime.fromisoformat(row.time)


def test_a_fee_asset_that_would_be_a_formula_is_none_in_the_file_and_means_the_same_when_read() -> None:
    row = replace(a_trade("ms-1"), fee="0.1", fee_asset="=1_1", status="@SUM(A1)")
    content = csv_rows([row], header=True)
    assert b",'=1_1," in content
    assert b",'@SUM(A1)," in content
    (trade,) = parse_trades(content, strict=True)
    assert trade.fees == {"=1_1": D("0.1")}
    assert trade.status == "@SUM(A1)"
    assert [trade] == with_trades_of_book([], a_book(unwritten_trades=(row,)))


@pytest.mark.parametrize("strict", [False, True])
def test_an_empty_file_has_no_trades(strict: bool) -> None:
    assert list(parse_trades(b"", strict=strict)) == []


def test_half_a_line_of_columns_is_no_fault_while_it_is_being_written() -> None:
    assert list(parse_trades(b"time,capi")) == []
    with pytest.raises(CsvLineError, match="line 1"):
        list(parse_trades(b"time,capi\n"))


@pytest.mark.parametrize("amount", ["x", "NaN", "Infinity", "1,0"])
def test_an_amount_that_is_none_is_told_with_its_line(amount: str) -> None:
    with pytest.raises(CsvLineError, match="line 3"):
        list(parse_trades(old_file("1", f'"{amount}"')))


def test_further_columns_do_no_harm_and_missing_ones_are_empty() -> None:
    (plain,) = parse_trades(old_file("1"))
    (more,) = parse_trades(("more," + COLUMNS + "x," + ROW.format(profit="1", id="ms-0")).encode())
    assert plain == more
    assert (plain.fee, plain.fee_asset, plain.pair, plain.order_id, plain.status, plain.fees) == ("",) * 5 + ({},)


def test_the_accountant_wants_every_column() -> None:
    with pytest.raises(CsvLineError, match="line 2"):
        list(parse_trades(old_file("1"), strict=True))


def test_a_last_line_without_its_end_is_left_out_unless_every_line_counts() -> None:
    torn = written("ms-1", "ms-2")[:-1]
    assert [trade.client_order_id for trade in parse_trades(torn)] == ["ms-1"]
    assert [trade.client_order_id for trade in parse_trades(torn, strict=True)] == ["ms-1", "ms-2"]


def test_a_line_that_is_cut_short_is_left_out_or_told() -> None:
    content = written("ms-1") + b"2026-01-05T00:00:00Z,FET\n"
    assert [trade.client_order_id for trade in parse_trades(content)] == ["ms-1"]
    with pytest.raises(CsvLineError, match="line 3"):
        list(parse_trades(content, strict=True))


def test_a_time_without_a_zone_is_utc_but_not_for_the_accountant() -> None:
    content = csv_rows([replace(a_trade("ms-1"), time="2026-01-05T10:00:00")], header=True)
    assert next(iter(parse_trades(content))).time == datetime(2026, 1, 5, 10, tzinfo=UTC)
    with pytest.raises(CsvLineError, match="line 2"):
        list(parse_trades(content, strict=True))


def test_who_must_go_on_gets_what_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "trades.csv"
    assert readable_trades(path) == read_trades(path) == []
    path.write_bytes(written("ms-1") + b"rubbish,,\n" + csv_rows([a_trade("ms-2")], header=False))
    assert [trade.client_order_id for trade in readable_trades(path)] == ["ms-1", "ms-2"]
    path.write_bytes(b"\x00\xff\n" * 3)
    assert readable_trades(path) == []
    path.unlink()
    path.mkdir()
    assert readable_trades(path) == []


def test_a_trade_that_book_and_file_have_counts_once() -> None:
    book = a_book(unwritten_trades=(a_trade("ms-1"), a_trade("ms-2")))
    both = with_trades_of_book(list(parse_trades(written("ms-0", "ms-1"))), book)
    assert [trade.client_order_id for trade in both] == ["ms-0", "ms-1", "ms-2"]
    assert with_trades_of_book(both, None) == both


def test_the_profit_is_that_of_the_sales() -> None:
    assert realised_profit(parse_trades(old_file("", "-10.5", "30"))) == D("19.5")


def test_ids_are_found_in_any_line() -> None:
    assert client_order_ids(written("ms-1") + b"rubbish\n") == {"ms-1", ""}

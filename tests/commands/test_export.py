"""`main.py export`: what the accountant gets, to the last digit, and what is told when it does not add up."""

from __future__ import annotations

import csv
import stat
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from marsshot.accounting.euro_rates import read_euro_rates
from marsshot.commands import export
from marsshot.commands.export import run_export
from marsshot.core.book import Book, TradeRow
from marsshot.core.errors import InputError
from marsshot.infra.atomic_files import Disk
from marsshot.infra.clock import VirtualClock
from positions_store import Store
from tests.helpers.builders import D, a_book, a_trade, bought_at, some_settings

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(export, "SystemClock", lambda: VirtualClock(NOW))
    return tmp_path


def bought(number: int, day: str, qty: str, quote: str, **changes: object) -> TradeRow:
    row = a_trade(f"ms-{number}", time=f"{day}T00:30:00Z", side="BUY", reason="daily_buy", qty=D(qty), quote=D(quote))
    return replace(row, profit="", **changes)  # type: ignore[arg-type]


def sold(number: int, day: str, qty: str, quote: str, **changes: object) -> TradeRow:
    return replace(bought(number, day, qty, quote), side="SELL", reason="stop_loss", **changes)  # type: ignore[arg-type]


def saved(*rows: TradeRow, book: Book | None = None) -> None:
    store = Store(book or a_book(), Path("bot_state.paper.json"), Path("trades.paper.csv"), Disk(), pytest.fail)
    store.save(replace(store.book, unwritten_trades=rows))


def exported(year: int = 2026, rates: str = "") -> dict[str, list[dict[str, str]]]:
    if rates:
        Path("rates.csv").write_text(rates)
    assert run_export(some_settings(), year, Path("rates.csv") if rates else None) == 0
    return {
        name: list(csv.DictReader(Path(f"export/{year}_{name}.paper.csv").read_text().splitlines()))
        for name in ("fills", "gains", "holdings")
    }


def test_every_order_of_the_year_is_a_row_and_no_other() -> None:
    saved(bought(1, "2025-12-31", "1", "10"), bought(2, "2026-01-01", "2", "30"), sold(3, "2026-12-31", "1", "9"))
    rows = exported()["fills"]
    assert [(row["time"], row["side"], row["quantity"], row["value"], row["price"]) for row in rows] == [
        ("2026-01-01T00:30:00Z", "BUY", "2", "30", "15"),
        ("2026-12-31T00:30:00Z", "SELL", "1", "9", "9"),
    ]


@pytest.mark.parametrize(
    ("fee", "fee_asset", "value", "not_valued"),
    [
        ("0.03", "USDT", "0.03", ""),
        ("0.002", "FET", "0.03", ""),  # at the order's own price of 15
        ("0.0001", "BNB", "0", "0.0001 BNB"),
        ("0.0001+0.002+0.01", "BNB+FET+USDT", "0.04", "0.0001 BNB"),
        ("", "", "0", ""),
    ],
)
def test_a_fee_is_valued_where_the_order_itself_says_what_it_was_worth(
    fee: str, fee_asset: str, value: str, not_valued: str
) -> None:
    saved(bought(1, "2026-01-01", "2", "30", fee=fee, fee_asset=fee_asset))
    (row,) = exported()["fills"]
    assert (row["fee"], row["fee_asset"], row["fee_value"], row["fee_not_valued"]) == (
        fee,
        fee_asset,
        value,
        not_valued,
    )


def test_a_gain_is_proceeds_less_cost_by_both_methods_fees_taken_off() -> None:
    saved(
        bought(1, "2025-06-01", "10", "100", fee="0.1", fee_asset="USDT"),
        bought(2, "2026-01-01", "10.01", "300", fee="0.01", fee_asset="FET"),
        sold(3, "2026-03-01", "10", "250", fee="0.25", fee_asset="USDT"),
    )
    (row,) = exported()["gains"]
    assert (row["quantity"], row["proceeds"]) == ("10", "249.75")
    assert (row["cost_fifo"], row["gain_fifo"]) == ("100.1", "149.65")
    assert (row["cost_average"], row["gain_average"]) == ("200.05", "49.7")


def test_in_euros_each_order_counts_at_the_rate_of_its_day() -> None:
    saved(bought(1, "2026-01-05", "10", "100"), sold(2, "2026-03-02", "10", "100"))
    tables = exported(rates="date,eur_per_quote\n2026-01-05,0.90\n2026-03-02,0.80\n")
    (gain,) = tables["gains"]
    assert gain["gain_fifo"] == gain["gain_average"] == "0"
    assert (gain["proceeds_eur"], gain["cost_fifo_eur"], gain["gain_fifo_eur"]) == ("80", "90", "-10")
    assert [row["value_eur"] for row in tables["fills"]] == ["90", "80"]


def test_without_rates_there_are_no_euros() -> None:
    saved(bought(1, "2026-01-05", "10", "100"), sold(2, "2026-03-02", "10", "100"))
    assert not [column for rows in exported().values() for column in rows[0] if "eur" in column]


def test_on_a_day_without_a_rate_the_last_one_counts_for_a_week() -> None:
    Path("rates.csv").write_text("date,eur_per_quote\n2026-04-02,0.91\n")
    rates = read_euro_rates(Path("rates.csv"))
    for day in (2, 9):
        rate, published = rates.on(datetime(2026, 4, day, tzinfo=UTC).date())
        assert (rate, f"{published}") == (D("0.91"), "2026-04-02")
    for day in (1, 10):
        with pytest.raises(InputError, match=f"no rate for 2026-04-{day:02}"):
            rates.on(datetime(2026, 4, day, tzinfo=UTC).date())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("day,rate\n", r"lacks the column date; its first line must be: date,eur_per_quote"),
        ("date,eur_per_quote\n2026-01-05,1,02\n", "line 2: has too many commas"),
        ("date,eur_per_quote\n2026-01-05\n", "line 2: needs a day and a number"),
        ("date,eur_per_quote\n05/01/2026,0.92\n", "line 2: needs a day"),
        ("date,eur_per_quote\n2026-01-05,0\n", "line 2: 0 is not allowed"),
        ("date,eur_per_quote\n2026-01-05,nan\n", "line 2: NaN is not allowed"),
        ("date,eur_per_quote\n2026-01-05,1000\n", "line 2: 1000 is not allowed"),
    ],
)
def test_a_faulty_file_of_rates_is_told_by_line(text: str, told: str) -> None:
    Path("rates.csv").write_text(text)
    with pytest.raises(InputError, match=told):
        read_euro_rates(Path("rates.csv"))


def test_the_file_of_rates_must_be_there() -> None:
    saved(bought(1, "2026-01-05", "10", "100"))
    with pytest.raises(InputError, match=r"absent.csv: cannot be read"):
        run_export(some_settings(), 2026, Path("absent.csv"))


def test_holdings_are_those_of_each_years_end_and_of_today() -> None:
    saved(
        bought(1, "2025-12-31", "10", "100"),
        bought(2, "2026-01-01", "10", "300"),
        sold(3, "2026-03-01", "15", "400"),
        book=a_book(capital=D(1000), positions={"FET": bought_at("20", qty="5")}),
    )
    rows = exported()["holdings"]
    told = [(row["before"], row["asset"], row["quantity"], row["cost_fifo"], row["cost_average"]) for row in rows]
    assert told == [
        ("2026-01-01T00:00:00Z", "FET", "10", "100", "100"),
        ("2026-01-01T00:00:00Z", "USDT", "900", "", ""),
        ("2026-11-25T12:00:00Z", "FET", "5", "150", "100"),
        ("2026-11-25T12:00:00Z", "USDT", "1000", "", ""),
    ]


def test_a_book_that_agrees_raises_no_doubt(capsys: pytest.CaptureFixture[str]) -> None:
    saved(bought(1, "2026-01-05", "10", "100"), book=a_book(capital=D(900), positions={"FET": bought_at("10", "10")}))
    exported()
    assert "the orders leave" not in capsys.readouterr().out


def test_dust_counts_as_held(capsys: pytest.CaptureFixture[str]) -> None:
    saved(
        bought(1, "2026-01-05", "10.04", "100"),
        sold(2, "2026-01-06", "10", "100"),
        book=a_book(dust={"FET": D("0.04")}),
    )
    tables = exported()
    assert "the orders leave" not in capsys.readouterr().out
    assert [(row["asset"], row["quantity"]) for row in tables["holdings"]] == [("FET", "0.04"), ("USDT", "1000")]


def test_what_came_or_went_by_another_way_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    saved(bought(1, "2026-01-05", "10", "100"), book=a_book(capital=D(950), positions={"FET": bought_at("10", "8")}))
    exported()
    told = capsys.readouterr().out
    assert "FET: the orders leave 10, the book counts 8" in told
    assert "USDT: the orders leave 900, the book counts 950" in told


def test_a_sale_of_what_was_never_bought_is_told_and_marked(capsys: pytest.CaptureFixture[str]) -> None:
    saved(bought(1, "2026-01-05", "10", "100"), sold(2, "2026-01-06", "12", "120"))
    (row,) = exported()["gains"]
    assert (row["quantity_without_cost"], row["cost_fifo"]) == ("2", "100")
    assert "Sales of more than trades.csv has bought: 1." in capsys.readouterr().out


def test_an_order_that_the_file_lacks_yet_is_taken_from_the_book() -> None:
    rows = (bought(1, "2026-01-05", "10", "100"), sold(2, "2026-01-06", "10", "120"))
    saved(*rows)
    whole = Path("trades.paper.csv").read_text()
    Path("trades.paper.csv").write_text("".join(whole.splitlines(keepends=True)[:2]))
    assert [row["client_order_id"] for row in exported()["fills"]] == ["ms-1", "ms-2"]
    assert Path("trades.paper.csv").read_text() != whole, "the export changes nothing"


def test_the_files_are_the_owners_alone() -> None:
    saved(bought(1, "2026-01-05", "10", "100"))
    exported()
    assert {stat.S_IMODE(path.stat().st_mode) for path in Path("export").iterdir()} == {0o600}


@pytest.mark.parametrize("rates", ["", "date,eur_per_quote\n2025-01-05,0.9\n2026-01-05,0.9\n"])
def test_a_year_without_a_sale_has_the_same_columns(rates: str, capsys: pytest.CaptureFixture[str]) -> None:
    saved(bought(1, "2025-01-05", "10", "100"), sold(2, "2025-01-06", "5", "50"), bought(3, "2026-01-05", "10", "100"))
    exported(2025, rates)
    exported(2026, rates)
    headers = {Path(f"export/{year}_gains.paper.csv").read_text().splitlines()[0] for year in (2025, 2026)}
    assert len(headers) == 1
    assert "2026: nothing was sold" in capsys.readouterr().out


def test_nothing_to_export_is_told_in_one_line() -> None:
    with pytest.raises(InputError, match=r"trades.paper.csv: there are no trades to export yet"):
        run_export(some_settings(), 2026, None)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("qty", "0"),
        ("qty", "1,5"),
        ("quote", "-1"),
        ("pair", "FETUSDC"),
        ("side", "HOLD"),
        ("time", "2026-01-05"),
        ("fee", "1"),
    ],
)
def test_a_row_that_was_changed_is_told_by_its_line(column: str, value: str) -> None:
    saved(bought(1, "2026-01-05", "10", "100"), bought(2, "2026-01-05", "10", "100"))
    rows = list(csv.DictReader(Path("trades.paper.csv").read_text().splitlines()))
    rows[1][column] = value
    with Path("trades.paper.csv").open("w") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises(InputError, match=r"trades.paper.csv, line 3: cannot be read as a trade in USDT"):
        run_export(some_settings(), 2026, None)

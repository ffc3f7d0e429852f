"""`main.py report --week`: the seven days in a few lines, and what a file that is gone or broken costs."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

import main
from marsshot.bot.daily_candles import DailyClose
from marsshot.bot.journal import EQUITY_COLUMNS, LastSeen
from marsshot.commands.week import report
from marsshot.commands.week.lines import week_lines
from marsshot.commands.week.report import week_of
from marsshot.core.book import Book, TradeRow
from marsshot.core.catalog import Catalog, Language
from marsshot.infra.atomic_files import Disk
from marsshot.portfolio.performance import with_cash_flow
from marsshot.portfolio.trades_file import csv_rows
from positions_store import save_state
from tests.helpers.builders import D, a_book, a_trade, bought_at, seed_content, some_settings
from tests.helpers.french_text import plain

END = datetime(2021, 2, 15, 8, 0, tzinfo=UTC)
STARTED = "2021-01-01T00:00:00Z"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_equity(*rows: str) -> None:
    Path("equity.paper.csv").write_text("\n".join([",".join(EQUITY_COLUMNS), *rows, ""]))


def lines(book: Book, language: Language = "en", prices: dict[str, str] | None = None) -> list[str]:
    seen = LastSeen({symbol: (D(price), END) for symbol, price in (prices or {}).items()})
    return list(week_lines(week_of(book, some_settings(), seen, END, ()), Catalog(language)))


# --------------------------------------------------------------------------- gain


def test_the_gain_is_that_since_the_last_row_before_the_week() -> None:
    write_equity(
        "2021-02-07T00:00:00Z,0,0,0,-500,0.5",
        "2021-02-08T08:00:00Z,0,0,0,-200,0.8",
        "2021-02-08T09:00:00Z,0,0,0,-100,0.9",
    )
    told = lines(a_book(started_at=STARTED))
    assert told[0] == "The week from 2021-02-08 to 2021-02-15"
    assert told[1] == "Worth 1,000.00 USDT, of which 1,000.00 in cash"
    assert told[2] == "Gained since 2021-02-08: +25.0 % (+200.00 USDT); BTC not known here"


def test_what_the_owner_brings_is_no_gain() -> None:
    write_equity("2021-02-08T08:00:00Z,1000,0,1000,0,1")
    book = with_cash_flow(a_book(started_at=STARTED), D(500), D(1000), datetime(2021, 2, 10, tzinfo=UTC))
    told = lines(replace(book, capital=D(1350)))
    assert told[2].startswith("Gained since 2021-02-08: -10.0 % (-150.00 USDT)")
    assert told[-1] == "Brought and taken by you: +500.00 USDT in all (steps: 1); no part of the gain"


def test_what_was_brought_before_the_week_is_not_told() -> None:
    book = with_cash_flow(a_book(started_at=STARTED), D(500), D(1000), datetime(2021, 2, 8, 8, 0, tzinfo=UTC))
    assert not any("Brought" in line for line in lines(book))


def test_a_young_book_counts_from_its_start() -> None:
    told = lines(a_book(started_at="2021-02-12T00:00:00Z", capital=D(1010)))
    assert told[2].startswith("Gained since 2021-02-12: +1.0 % (+10.00 USDT)")


def test_where_the_curve_begins_within_the_week_it_counts_from_there() -> None:
    write_equity("2021-02-11T08:00:00Z,1000,0,1000,0,1", "2021-02-12T08:00:00Z,900,0,900,-100,0.9")
    assert lines(a_book(started_at=STARTED))[2].startswith("Gained since 2021-02-11: +0.0 %")


@pytest.mark.parametrize("content", [None, b"", b"\xff\x00,,\n", b"time\n2021-02-08T08:00:00Z,x,1,1,1,1\n"])
def test_a_curve_that_is_gone_or_broken_costs_its_line_only(content: bytes | None) -> None:
    if content is not None:
        Path("equity.paper.csv").write_bytes(content)
    told = lines(a_book(started_at=STARTED))
    assert told[2] == "Gained: not known yet, equity.csv tells nothing of these days"
    assert told[1].startswith("Worth 1,000.00")


# --------------------------------------------------------------------------- BTC


def test_btc_stands_beside_it_over_the_same_days(monkeypatch: pytest.MonkeyPatch) -> None:
    closes = [("2021-02-07", 40_000.0), ("2021-02-08", 50_000.0), ("2021-02-12", 90_000.0), ("2021-02-15", 47_500.0)]
    known = tuple(DailyClose(datetime.fromisoformat(f"{day}T00:00:00+00:00"), price) for day, price in closes)
    monkeypatch.setattr(report, "bitcoin_closes", lambda _: known)
    write_equity("2021-02-08T08:00:00Z,1000,0,1000,0,1")
    assert lines(a_book(started_at=STARTED))[2].endswith("; BTC -5.0 %")


# --------------------------------------------------------------------------- positions and trades


def write_trades(*rows: TradeRow) -> None:
    Path("trades.paper.csv").write_bytes(csv_rows(rows, header=True))


IN_WEEK = [
    a_trade("ms-1", symbol="ADA", side="BUY", reason="daily_buy", profit="", time="2021-02-08T08:00:01Z"),
    a_trade("ms-2", symbol="SOL", side="BUY", reason="daily_buy", profit="", fee="0.1", fee_asset="USDT"),
    a_trade("ms-3", symbol="FET", quote=D(150), profit="50", fee="0.15+0.001", fee_asset="USDT+BNB"),
    a_trade("ms-4", symbol="XRP", quote=D(75), profit="-25", reason="daily_sell"),
    a_trade("ms-5", symbol="XRP", quote=D(90), profit="-10"),
]


def test_what_was_traded_and_why_is_counted() -> None:
    write_trades(a_trade("ms-0", symbol="OLD", profit="900", time="2021-02-08T08:00:00Z"), *IN_WEEK)
    told = lines(a_book(started_at=STARTED))
    assert told[3:] == [
        "Best: FET +50.0 % (+50.00 USDT), sold",
        "Worst: XRP -25.0 % (-25.00 USDT), sold",
        "2 purchases (daily purchase 2): ADA, SOL",
        "3 sales (stop-loss 2, daily sale 1), realised +15.00 USDT: FET, XRP",
        "Fees: 0.25 USDT, 0.001 BNB",
    ]


def test_what_is_held_is_ranked_with_what_was_sold() -> None:
    write_trades(IN_WEEK[2])
    held = {"SOL": bought_at("1.00"), "ADA": bought_at("1.00"), "DOT": bought_at("1.00")}
    told = lines(a_book(started_at=STARTED, positions=held), prices={"SOL": "1.60", "ADA": "0.90"})
    assert told[3:5] == ["Best: SOL +60.0 % (+60.00 USDT), held", "Worst: ADA -10.0 % (-10.00 USDT), held"]


def test_a_single_one_is_the_best_alone() -> None:
    told = lines(a_book(started_at=STARTED, positions={"SOL": bought_at("1.00")}), prices={"SOL": "0.50"})
    assert told[3:] == ["Best: SOL -50.0 % (-50.00 USDT), held", "Nothing bought, nothing sold (why: decisions.csv)"]


def test_rows_that_the_file_lacks_still_are_the_books() -> None:
    told = lines(a_book(started_at=STARTED, unwritten_trades=(IN_WEEK[0],)))
    assert "1 purchase (daily purchase 1): ADA" in told


@pytest.mark.parametrize(
    "content", [csv_rows([a_trade()], header=True).replace(b",100,", b",x,"), b"time;symbol\nx;y\n"]
)
def test_trades_that_cannot_be_read_cost_their_lines_only(content: bytes) -> None:
    Path("trades.paper.csv").write_bytes(content)
    told = lines(a_book(started_at=STARTED))
    assert told[3:] == ["Purchases, sales and fees: not known, trades.csv cannot be read"]


def test_fees_that_cannot_be_read_cost_their_line_only() -> None:
    write_trades(a_trade("ms-1", fee="0.1+0.2", fee_asset="USDT", profit="1"))
    told = lines(a_book(started_at=STARTED))
    assert told[-2].startswith("1 sale (stop-loss 1)")
    assert told[-1] == "Fees: not known, a row of trades.csv tells none that can be read"


# --------------------------------------------------------------------------- the command


def test_the_week_is_french_where_french_is_wanted() -> None:
    write_equity("2021-02-08T08:00:00Z,1000,0,1000,0,1")
    write_trades(*IN_WEEK)
    told = [plain(line) for line in lines(a_book(started_at=STARTED), "fr")]
    assert told == [
        "La semaine du 08/02/2021 au 15/02/2021",
        "Valeur 1 000,00 USDT, dont 1 000,00 libres",
        "Gain depuis le 08/02/2021 : +0,0 % (+0,00 USDT) ; BTC : pas connu ici",
        "Le meilleur : FET +50,0 % (+50,00 USDT), vendu",
        "Le moins bon : XRP -25,0 % (-25,00 USDT), vendu",
        "2 achats (achat du jour 2) : ADA, SOL",
        "3 ventes (stop-loss 2, vente du jour 1), +15,00 USDT réalisés : FET, XRP",
        "Frais : 0,25 USDT, 0,001 BNB",
    ]


@pytest.fixture
def config(folder: Path) -> Path:
    path = folder / "config.yaml"
    path.write_text(json.dumps(seed_content(), default=float))
    return path


def test_the_command_tells_it_and_changes_nothing(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_state(a_book(started_at=STARTED), Path("bot_state.paper.json"), Disk())
    before = sorted(path.name for path in Path().iterdir())
    assert main.main(["report", "--week", "--config", str(config)]) == 0
    assert capsys.readouterr().out.startswith("The week from ")
    assert sorted(path.name for path in Path().iterdir()) == before


def test_without_a_book_it_says_so(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["report", "--week", "--config", str(config)]) == 2
    assert "bot_state.paper.json" in capsys.readouterr().err

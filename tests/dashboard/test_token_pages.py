"""Results by token, month and reason; one token's page with its candles, its position and what was decided about it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marsshot.bot.daily_candles import Candle, conversion_text, daily_candles
from marsshot.bot.journal import Journal, read_last_seen
from marsshot.config.bot_files import LAST_SEEN
from marsshot.core.catalog import catalog_of
from marsshot.dashboard.presentation.price_chart import MAX_DAYS, price_chart, shown_candles, shown_levels
from marsshot.dashboard.presentation.price_levels import build_price_scale
from marsshot.infra.atomic_files import Disk
from marsshot.infra.chart_style import THEMES
from marsshot.market_data.bar_cache import FIELDS, BarCache, CachedBars, DailyBars, cache_folder
from marsshot.portfolio.trades_file import csv_rows, parse_trades
from tests.helpers.builders import D, a_book, a_trade, bought_at, some_settings
from tests.helpers.dashboard_harness import open_dashboard, write_book, write_bot_files


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_bot_files()
    return tmp_path


def write_bars(symbol: str, closes: list[float], first: str = "2021-02-01") -> None:
    """Put daily bars into the bot's cache, from this day on: high 10 % over, low 10 % under the close."""
    days = np.datetime64(first) + np.arange(len(closes))
    values = np.full((len(closes), len(FIELDS)), 1.0)
    for name, factor in {"open": 0.95, "high": 1.1, "low": 0.9, "close": 1.0}.items():
        values[:, FIELDS.index(name)] = np.array(closes) * factor
    settings = some_settings()
    bars = CachedBars(DailyBars(symbol, days, values), days[0], days[-1] + 1)
    BarCache(cache_folder("paper"), settings.lunarcrush.base_url).save(symbol, bars)


def rows_of(page: str) -> list[list[str]]:
    """Return the first cells of each table of a page."""
    tables = re.findall(r"<tbody>(.*?)</tbody>", page, re.DOTALL)
    return [
        [re.sub(r"<[^>]+>|\s", "", cell) for cell in re.findall(r'<th scope="row"[^>]*>(.*?)</th>', table, re.DOTALL)]
        for table in tables
    ]


# --------------------------------------------------------------------------- results


def test_results_stand_by_token_month_and_reason() -> None:
    page = open_dashboard().text("/performance")
    assert rows_of(page) == [["ARB", "OP"], ["Feb2021"], ["trailingstop", "stop-loss"]]
    assert "50.0 %" in page
    assert "+69.75" in page


@pytest.mark.parametrize(
    ("sort", "tokens"), [("profit", ["OP", "ARB"]), ("-profit", ["ARB", "OP"]), ("name", ["ARB", "OP"])]
)
def test_results_are_sorted_as_asked_for(sort: str, tokens: list[str]) -> None:
    page = open_dashboard().text(f"/performance?sort={sort}")
    assert rows_of(page)[0] == tokens
    direction = "descending" if sort.startswith("-") else "ascending"
    assert page.count(f'aria-sort="{direction}"') == 3


def test_before_the_first_sale_the_results_say_so() -> None:
    write_book(a_book())
    Path("trades.paper.csv").unlink()
    assert "Nothing has been sold yet." in open_dashboard().text("/performance")


# --------------------------------------------------------------------------- sorting the other tables


@pytest.mark.parametrize(
    ("sort", "tokens"), [("", ["ARB", "OP", "FET"]), ("profit", ["OP", "ARB", "FET"]), ("-token", ["OP", "FET", "ARB"])]
)
def test_trades_are_sorted_as_asked_for(sort: str, tokens: list[str]) -> None:
    assert rows_of(open_dashboard().text(f"/trades?sort={sort}"))[0] == tokens


def test_a_filter_stays_when_the_trades_are_sorted() -> None:
    page = open_dashboard().text("/trades?side=SELL&sort=profit")
    assert "/trades?side=SELL&amp;sort=-amount" in page


@pytest.mark.parametrize(("sort", "first"), [("", "OPbuy"), ("score", "FETheld"), ("token", "FETheld")])
def test_decisions_are_sorted_as_asked_for(sort: str, first: str) -> None:
    found = rows_of(open_dashboard().text(f"/decisions?sort={sort}"))[0]
    assert found[0] == first.removesuffix("buy")


# --------------------------------------------------------------------------- one token


def test_a_tokens_page_shows_its_position_its_trades_and_its_decisions() -> None:
    write_bars("FET", [1.0, 1.2, 1.1])
    page = open_dashboard().text("/token?symbol=FET")
    assert "<h1>FET</h1>" in page
    assert "Stop-loss: sells all at or under" in page
    assert "0.612" in page
    assert rows_of(page)[1:] == [["FET"], ["2021-02-15", "2021-02-14"]]
    assert 'data-chart="/chart/price?symbol=FET"' in page


def test_a_token_that_is_sold_keeps_its_page() -> None:
    page = open_dashboard().text("/token?symbol=ARB")
    assert "Sales: 1; 100.0 % of them won" in page
    assert "Its daily prices are not on this disk" in page


@pytest.mark.parametrize("address", ["/token", "/token?symbol=XRP", "/chart/price", "/chart/price?symbol=FET"])
def test_what_there_is_nothing_to_show_of_has_no_page(address: str) -> None:
    assert open_dashboard().get(address).status_code == 404


def test_the_candles_the_trades_and_the_levels_are_in_the_picture() -> None:
    write_bars("FET", [1.0, 1.2, 1.1])
    answer = open_dashboard().get("/chart/price?symbol=FET&theme=dark")
    assert answer.status_code == 200
    text = json.dumps(answer.json)
    assert text.count('"Span"') == 3  # bought at, stop-loss, partial sale; x3 is too far away
    assert re.search(r"2021-02-02: open 1.1400*, high 1.3200*, low 1.0800*, close 1.200*", text)
    assert "bought FET for 100.00 at 1" in text
    again = open_dashboard().get(
        "/chart/price?symbol=FET&theme=dark", headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert again.status_code == 304


ROSE = Candle(datetime(2021, 2, 1, tzinfo=UTC), open=1.0, high=1.5, low=0.8, close=1.2)
FELL = Candle(datetime(2021, 2, 2, tzinfo=UTC), open=1.2, high=1.3, low=0.5, close=0.9)
LIGHT = THEMES["light"]


def drawn_price_chart(**prices: str) -> Any:
    """Return the description of a day that rose and one that fell, with a trade of each of these sides, at 1 or so."""
    rows = [a_trade(side, time="2021-02-01T12:00:00Z", side=side, price=D(price)) for side, price in prices.items()]
    trades = list(parse_trades(csv_rows(rows, header=True)))
    return json.loads(price_chart([ROSE, FELL], trades, [], catalog_of("en"), LIGHT))["doc"]["roots"][0]["attributes"]


def drawn_as(chart: Any, name: str) -> list[dict[str, Any]]:
    """Return each glyph of this name: its attributes' values, and the labels of what it draws."""
    sources: dict[str, Any] = {}
    found: list[dict[str, Any]] = []
    for renderer in (one["attributes"] for one in chart["renderers"]):
        source = sources.setdefault(renderer["data_source"]["id"], renderer["data_source"])
        if renderer["glyph"]["name"] == name:
            values = {key: told.get("value") for key, told in renderer["glyph"]["attributes"].items()}
            found.append(values | {"labels": dict(source["attributes"]["data"]["entries"])["label"]})
    return found


def test_a_day_that_rose_is_a_hollow_candle_and_one_that_fell_a_filled_one() -> None:
    rose, fell = drawn_as(drawn_price_chart(), "VBar")
    assert [label[:10] for label in rose["labels"] + fell["labels"]] == ["2021-02-01", "2021-02-02"]
    assert (rose["fill_color"], rose["line_color"]) == (LIGHT.card, LIGHT.good)
    assert (fell["fill_color"], fell["line_color"]) == (LIGHT.bad, LIGHT.bad)


def test_a_purchase_points_up_and_a_sale_down() -> None:
    marks = drawn_as(drawn_price_chart(BUY="1", SELL="1"), "Scatter")
    shapes = {mark["marker"]: mark["labels"] for mark in marks}
    assert shapes == {
        "triangle": ["2021-02-01 12:00 UTC: bought FET for 100.00 at 1"],
        "inverted_triangle": ["2021-02-01 12:00 UTC: sold FET for 100.00 at 1"],
    }


@pytest.mark.parametrize(
    ("prices", "lowest", "highest"), [({}, 0.5, 1.5), ({"BUY": "0.3"}, 0.3, 1.5), ({"SELL": "1.9"}, 0.5, 1.9)]
)
def test_the_lowest_and_the_highest_price_are_within_the_picture(
    prices: dict[str, str], lowest: float, highest: float
) -> None:
    shown = drawn_price_chart(**prices)["y_range"]["attributes"]
    assert lowest * 0.9 < shown["start"] < lowest
    assert highest < shown["end"] < highest * 1.1


def test_a_language_is_chosen_on_a_tokens_page_and_leads_back_to_it() -> None:
    dashboard = open_dashboard()
    answer = dashboard.get("/prefer?language=fr&back=token&symbol=FET")
    assert answer.headers["Location"] == "/token?symbol=FET"
    assert "Prix et ordres" in dashboard.text("/token?symbol=FET")


def test_candles_begin_a_month_before_the_first_trade_and_are_at_most_half_a_year() -> None:
    write_bars("FET", [1.0] * 400, first="2020-06-01")
    candles = daily_candles(some_settings(), "FET")
    assert len(candles) == 400
    assert len(shown_candles(candles, [])) == MAX_DAYS
    [trade] = parse_trades(csv_rows([a_trade(time="2021-06-20T00:00:00Z")], header=True))
    assert shown_candles(candles, [trade])[0].day == datetime(2021, 5, 21, tzinfo=UTC)


def test_a_day_that_lacks_a_price_is_no_candle() -> None:
    write_bars("FET", [1.0, float("nan"), 1.1])
    assert [candle.close for candle in daily_candles(some_settings(), "FET")] == [1.0, 1.1]


def test_bars_in_dollars_are_drawn_in_the_euros_of_the_book() -> None:
    write_bars("FET", [1.2, 2.4])
    in_euros = some_settings(exchange="bitvavo", quote_asset="EUR")
    assert daily_candles(in_euros, "FET") == (), "the rate is not known before the first daily pass"
    assert conversion_text(in_euros, catalog_of("en")) == ""
    Journal(in_euros, Disk()).note_bars_rate(D("1.2"))
    assert [candle.close for candle in daily_candles(in_euros, "FET")] == [1.0, 2.0]
    told = "Recorded in USD; drawn in EUR at the last daily pass's rate: 1 EUR = 1.2 USD."
    assert conversion_text(in_euros, catalog_of("en")) == told
    assert [candle.close for candle in daily_candles(some_settings(), "FET")] == [1.2, 2.4]
    assert conversion_text(some_settings(), catalog_of("en")) == ""


@pytest.mark.parametrize("told", ["0", "-1", "NaN", "x", None])
def test_a_rate_that_cannot_be_counts_as_unknown(told: str | None) -> None:
    Journal(some_settings(), Disk()).note_bars_rate(D("1.2"))
    path = some_settings().file(LAST_SEEN)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"bars_rate": told}))
    assert read_last_seen(path, Disk()).bars_rate is None


def test_levels_far_from_the_prices_are_left_to_the_table() -> None:
    candle = Candle(datetime(2021, 2, 1, tzinfo=UTC), 1.0, 1.0, 1.0, 1.0)
    scale = build_price_scale(bought_at("1"), D(1), some_settings().exit_rules)
    assert [mark.kind for mark in shown_levels(scale.marks, [candle])] == ["stop_loss", "entry", "partial"]

"""The recorded market in memory: the embedded market's fills, what trading costs, and coins whose record ends."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from embedded_market.exchange.pair_rules import PairRules
from embedded_market.market_data.history import date_of
from marsshot.backtesting.request import BacktestRequest
from marsshot.backtesting.result import run_backtest
from marsshot.backtesting.scoring.daily_scores import DailyScores
from marsshot.backtesting.simulation.engine import run
from marsshot.backtesting.simulation.simulated_market import (
    RecordedExchange,
    RecordedPairRules,
    RecordedPrices,
    new_matching_engine,
)
from marsshot.backtesting.simulation.trading_costs import (
    median_daily_volume,
    plausible_rules,
    read_exchange_info,
    recorded_rules,
    spread_width,
    with_fine_enough_tick,
)
from marsshot.core.errors import InputError, InsufficientBalanceError, NotTradableNowError, RefusedOrderError
from marsshot.core.orders import Intent
from marsshot.core.scores import Score
from marsshot.infra.clock import VirtualClock
from tests.helpers.backtest_builders import (
    SYNTHETIC_DAYS,
    SYNTHETIC_FIRST_DAY,
    random_scores,
    synthetic_request,
    write_synthetic_bars,
)
from tests.helpers.builders import D, buy_intent, sell_intent


def _exchange(backtest_request: BacktestRequest, moment: datetime) -> RecordedExchange:
    matching = new_matching_engine(
        backtest_request.dataset, "USDT", D(1000), backtest_request.first, RecordedPairRules()
    )
    return RecordedExchange(
        RecordedPrices(backtest_request.dataset), matching, VirtualClock(moment), backtest_request.dataset
    )


@pytest.fixture
def backtest_request(tmp_path: Path) -> BacktestRequest:
    """Six synthetic days of AAA and BBB."""
    return synthetic_request(write_synthetic_bars(tmp_path, 1, hourly=True))


def _moment(day: int = 0, hour: int = 12) -> datetime:
    return datetime(
        SYNTHETIC_FIRST_DAY.year, SYNTHETIC_FIRST_DAY.month, SYNTHETIC_FIRST_DAY.day + day, hour, tzinfo=UTC
    )


def _order(intent: Intent) -> Intent:
    return replace(intent, symbol="AAA", pair="AAAUSDT", base_asset="AAA")


def test_an_order_pays_half_the_spread_the_depth_and_the_fee(backtest_request: BacktestRequest) -> None:
    exchange = _exchange(backtest_request, _moment())
    price = exchange.prices(["AAAUSDT"])["AAAUSDT"]
    report = exchange.send_market_order(_order(buy_intent(quote_amount=D(100))))
    assert report.executed_quote is not None
    assert report.parts is not None
    paid = report.executed_quote / report.executed_base
    assert D("1.0005") < paid / price < D("1.01")  # 3 million a day: three times as wide as a liquid pair
    fee = sum(part.commission for part in report.parts)
    assert fee == pytest.approx(report.executed_base * D("0.001"), abs=D("1e-7"))
    assert {part.commission_asset for part in report.parts} == {"AAA"}
    free = exchange.account().free
    assert free["USDT"] == 1000 - report.executed_quote
    assert free["AAA"] == report.executed_base - fee
    assert exchange.find_order(_order(buy_intent())) == report
    assert exchange.fetch_part_fills(_order(buy_intent()), report.order_id) == report.parts
    (seen,) = exchange.orders_since("AAAUSDT", report.transact_ms)
    assert (seen.side, seen.executed_base) == ("BUY", report.executed_base)
    assert exchange.orders_since("AAAUSDT", report.transact_ms + 1) == []


@pytest.mark.parametrize(
    ("intent", "error"),
    [
        (buy_intent(quote_amount=D("4.99")), RefusedOrderError),  # under the smallest order
        (buy_intent(quote_amount=D(1001)), InsufficientBalanceError),
        (sell_intent(quantity=D(1)), InsufficientBalanceError),
        (sell_intent(quantity=D("0.00000001")), RefusedOrderError),  # no whole lot step
    ],
)
def test_what_binance_refuses_is_refused(
    backtest_request: BacktestRequest, intent: Intent, error: type[Exception]
) -> None:
    with pytest.raises(error):
        _exchange(backtest_request, _moment()).send_market_order(_order(intent))


@pytest.mark.parametrize(
    ("volume", "width"), [(10_000_000, 1), (9_999_999, 3), (1_000_000, 3), (999_999, 8), (0, 8), (float("nan"), 8)]
)
def test_the_less_a_pair_trades_the_wider_its_book(volume: float, width: int) -> None:
    assert spread_width(volume) == width


def test_the_usual_volume_is_of_the_days_before(backtest_request: BacktestRequest) -> None:
    bars = backtest_request.dataset.bars["AAA"]
    day = backtest_request.dataset.history.first_day + 5
    values = bars.values.copy()
    values[:, 4] = np.arange(len(values))
    known = replace(bars, values=values)
    assert median_daily_volume(known, day) == 2  # the median of 0 to 4
    assert np.isnan(median_daily_volume(known, backtest_request.dataset.history.first_day))


def test_rules_suit_the_price_before_the_span_and_no_later_one(backtest_request: BacktestRequest) -> None:
    coin = backtest_request.dataset.history.coins["AAA"]
    rules = plausible_rules(coin, "USDT", backtest_request.first, is_bundled=False)
    before = coin.bars[(backtest_request.first - date(1970, 1, 1)).days - 1].close
    assert rules.lot_step * before < 1
    later = replace(coin, bars={day: bar for day, bar in coin.bars.items() if date_of(day) < backtest_request.first})
    assert plausible_rules(later, "USDT", backtest_request.first, is_bundled=False) == rules


def test_the_tick_follows_a_price_that_falls() -> None:
    rules = recorded_rules(_row(), Path("rules.json"))
    assert with_fine_enough_tick(rules, D(50)).tick == D("0.001")
    assert with_fine_enough_tick(rules, D("0.0005")).tick == D("0.0000001")  # with the lot step eight decimals, no more


def _row(**changes: object) -> dict[str, object]:
    return {
        "symbol": "AAAUSDT",
        "status": "BREAK",
        "baseAsset": "AAA",
        "quoteAsset": "USDT",
        "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": "0.01000000"},
            {"filterType": "LOT_SIZE", "minQty": "0.1", "maxQty": "9000", "stepSize": "0.10000000"},
            {"filterType": "NOTIONAL", "minNotional": "7", "applyMinToMarket": True},
        ],
    } | changes


@pytest.mark.parametrize("name", ["rules.json", "rules.json.gz"])
def test_recorded_rules_of_binance_are_used(tmp_path: Path, backtest_request: BacktestRequest, name: str) -> None:
    content = json.dumps({"symbols": [_row()]}).encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    recorded = RecordedPairRules(rows=read_exchange_info(tmp_path / name), path=tmp_path / name)
    pairs = new_matching_engine(backtest_request.dataset, "USDT", D(1000), backtest_request.first, recorded).pairs
    assert pairs["AAAUSDT"].rules == PairRules(
        symbol="AAAUSDT",
        base="AAA",
        quote="USDT",
        tick=D("0.01"),
        lot_step=D("0.1"),
        max_quantity=D(9000),
        max_market_quantity=D(9000),
        min_notional=D(7),
        legacy_notional=False,
    )
    assert pairs["BBBUSDT"].rules.min_notional == 5


@pytest.mark.parametrize("content", [b"", b"[]", b'{"symbols": [1]}', b"\x1f\x8bx"])
def test_a_file_that_holds_no_rules_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "rules.json").write_bytes(content)
    with pytest.raises(InputError, match="is no recorded exchangeInfo"):
        read_exchange_info(tmp_path / "rules.json")


def test_rules_that_lack_a_filter_are_told() -> None:
    with pytest.raises(InputError, match=r"rules\.json: the rules of AAAUSDT cannot be read"):
        recorded_rules(_row(filters=[]), Path("rules.json"))


# --------------------------------------------------------------------------- the end of a record


@pytest.fixture
def dying(tmp_path: Path) -> BacktestRequest:
    """AAA's record ends after the third day; its last close is a tenth of what it was."""
    path = write_synthetic_bars(tmp_path, 1, hourly=False) / "daily.csv"
    end = date.fromordinal(SYNTHETIC_FIRST_DAY.toordinal() + 2)
    lines = [line for line in path.read_text().splitlines() if not (line.startswith("AAA") and line[4:14] > str(end))]
    last = next(number for number, line in enumerate(lines) if line.startswith(f"AAA,{end}"))
    fields = lines[last].split(",")
    fields[4] = fields[5] = f"{float(fields[2]) / 10:.4f}"
    lines[last] = ",".join(fields)
    path.write_text("\n".join(lines) + "\n")
    return synthetic_request(tmp_path, sell_threshold="0.1", stop_loss_pct="0.95")


def test_a_coin_whose_record_ends_falls_to_its_last_price_and_is_counted(dying: BacktestRequest) -> None:
    scores = {
        dying.first: {"AAA": Score("AAA", Decimal("0.9")), "BBB": Score("BBB", Decimal("0.2"))},
        date.fromordinal(dying.first.toordinal() + 5): {"AAA": Score("AAA", Decimal("0.05"))},
    }
    run_result = run(dying.settings, dying.dataset, DailyScores(scores), *dying.span)
    coin = dying.dataset.history.coins["AAA"]
    assert [trade.side for trade in run_result.trades] == ["BUY"]  # sold it cannot be any more
    assert run_result.held_past_record_end == {"AAA"}
    assert run_result.points[-1].prices["AAA"] == float(coin.bars[coin.last_day].close)
    assert run_result.points[-1].held == pytest.approx(
        float(run_result.book.positions["AAA"].qty * coin.bars[coin.last_day].close)
    )


def test_a_record_that_ends_is_told_and_not_taken_for_a_token_without_scores(dying: BacktestRequest) -> None:
    scores = {dying.first: {"BBB": Score("BBB", Decimal("0.2"))}}
    result = run_backtest(dying, DailyScores(scores), "none")
    told = "\n".join(result.caveats)
    assert "The record of 1 token ends before the span does" in told
    assert "AAA 2023-01-13" in told
    assert "never had a score" not in told
    assert "holding 2 tokens equally, 1 ended" in result.statistics.curves
    assert told.startswith("Nothing was bought from 2023-01-11 to 2023-01-16: the highest score was 0.200")


def test_a_pair_is_open_on_the_last_day_and_closed_on_the_next(dying: BacktestRequest) -> None:
    last = _exchange(dying, _moment(day=2, hour=23))
    assert last.trading_rules(["AAAUSDT"])["AAAUSDT"].tradable
    over = _exchange(dying, _moment(day=3, hour=0))
    assert over.trading_rules(["AAAUSDT"])["AAAUSDT"].unavailable_reason == "Binance has AAAUSDT on BREAK"
    with pytest.raises(NotTradableNowError, match="Market is closed"):
        over.send_market_order(_order(buy_intent()))


def test_a_coin_is_unknown_before_its_first_day(tmp_path: Path) -> None:
    path = write_synthetic_bars(tmp_path, 1, hourly=False) / "daily.csv"
    listed = date.fromordinal(SYNTHETIC_FIRST_DAY.toordinal() + 2)
    kept = (line for line in path.read_text().splitlines() if not line.startswith("BBB") or line[4:14] >= str(listed))
    path.write_text("\n".join(kept) + "\n")
    backtest_request = synthetic_request(tmp_path, buy_threshold="0.01", sell_threshold="0")
    assert _exchange(backtest_request, _moment(day=1, hour=23)).prices(["BBBUSDT", "NOUSDT"]) == {}
    assert set(_exchange(backtest_request, _moment(day=2, hour=0)).trading_rules(["BBBUSDT"])) == {"BBBUSDT"}
    trades = run(
        backtest_request.settings, backtest_request.dataset, random_scores(backtest_request, 1), *backtest_request.span
    ).trades
    assert all(trade.time.date() >= listed for trade in trades if trade.symbol == "BBB")
    assert len(backtest_request.dataset.bars["AAA"].days) == SYNTHETIC_DAYS + 10


def test_account_and_answer_agree_where_tick_and_lot_step_make_more_than_eight_decimals(
    backtest_request: BacktestRequest,
) -> None:
    """Such pairs there are; otherwise the account would be told a little more than it holds, and refuse to spend it."""
    fine = _row()
    fine["filters"][0]["tickSize"], fine["filters"][1]["stepSize"] = "0.00000001", "0.001"  # type: ignore[index]
    recorded = RecordedPairRules(rows={"AAAUSDT": fine})
    matching = new_matching_engine(backtest_request.dataset, "USDT", D(1000), backtest_request.first, recorded)
    board = RecordedPrices(backtest_request.dataset)
    exchange = RecordedExchange(board, matching, VirtualClock(_moment()), backtest_request.dataset)
    report = exchange.send_market_order(_order(buy_intent(quote_amount=D(333))))
    assert report.executed_quote is not None
    assert matching.free["USDT"] == exchange.account().free["USDT"] == 1000 - report.executed_quote

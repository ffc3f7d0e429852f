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
from marsshot.backtesting.request import Question
from marsshot.backtesting.scoring.daily_scores import ScoreBook
from marsshot.backtesting.simulation.engine import run
from marsshot.backtesting.simulation.simulated_market import (
    RecordedBoard,
    RecordedExchange,
    RecordedRules,
    new_matching,
)
from marsshot.backtesting.simulation.trading_costs import (
    at_price,
    plausible_rules,
    read_exchange_info,
    recorded_rules,
    usual_volume,
    width_of,
)
from marsshot.core.domain import Intent, Score
from marsshot.core.errors import InputError, InsufficientBalanceError, RefusedOrderError
from marsshot.infra.clock import VirtualClock
from tests.helpers.backtest_builders import MADE_UP_DAYS, MADE_UP_FIRST, ask_made_up, random_scores, write_made_up
from tests.helpers.builders import D, buy_intent, sell_intent


def _exchange(question: Question, moment: datetime) -> RecordedExchange:
    matching = new_matching(question.recording, "USDT", D(1000), question.first, RecordedRules())
    return RecordedExchange(RecordedBoard(question.recording), matching, VirtualClock(moment), question.recording)


@pytest.fixture
def question(tmp_path: Path) -> Question:
    """Six made-up days of AAA and BBB."""
    return ask_made_up(write_made_up(tmp_path, 1, hourly=True))


def _moment(day: int = 0, hour: int = 12) -> datetime:
    return datetime(MADE_UP_FIRST.year, MADE_UP_FIRST.month, MADE_UP_FIRST.day + day, hour, tzinfo=UTC)


def _order(intent: Intent) -> Intent:
    return replace(intent, symbol="AAA", pair="AAAUSDT", base_asset="AAA")


def test_an_order_pays_half_the_spread_the_depth_and_the_fee(question: Question) -> None:
    exchange = _exchange(question, _moment())
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
    assert exchange.parts_of(_order(buy_intent()), report.order_id) == report.parts
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
def test_what_binance_refuses_is_refused(question: Question, intent: Intent, error: type[Exception]) -> None:
    with pytest.raises(error):
        _exchange(question, _moment()).send_market_order(_order(intent))


@pytest.mark.parametrize(
    ("volume", "width"), [(10_000_000, 1), (9_999_999, 3), (1_000_000, 3), (999_999, 8), (0, 8), (float("nan"), 8)]
)
def test_the_less_a_pair_trades_the_wider_its_book(volume: float, width: int) -> None:
    assert width_of(volume) == width


def test_the_usual_volume_is_of_the_days_before(question: Question) -> None:
    bars = question.recording.bars["AAA"]
    day = question.recording.history.first_day + 5
    values = bars.values.copy()
    values[:, 4] = np.arange(len(values))
    known = replace(bars, values=values)
    assert usual_volume(known, day) == 2  # the median of 0 to 4
    assert np.isnan(usual_volume(known, question.recording.history.first_day))


def test_rules_suit_the_price_before_the_span_and_no_later_one(question: Question) -> None:
    coin = question.recording.history.coins["AAA"]
    rules = plausible_rules(coin, "USDT", question.first, is_bundled=False)
    before = coin.bars[(question.first - date(1970, 1, 1)).days - 1].close
    assert rules.lot_step * before < 1
    later = replace(coin, bars={day: bar for day, bar in coin.bars.items() if date_of(day) < question.first})
    assert plausible_rules(later, "USDT", question.first, is_bundled=False) == rules


def test_the_tick_follows_a_price_that_falls() -> None:
    rules = recorded_rules(_row(), Path("rules.json"))
    assert at_price(rules, D(50)).tick == D("0.001")
    assert at_price(rules, D("0.0005")).tick == D("0.0000001")  # with the lot step eight decimals, no more


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
def test_recorded_rules_of_binance_are_used(tmp_path: Path, question: Question, name: str) -> None:
    content = json.dumps({"symbols": [_row()]}).encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    recorded = RecordedRules(rows=read_exchange_info(tmp_path / name), path=tmp_path / name)
    pairs = new_matching(question.recording, "USDT", D(1000), question.first, recorded).pairs
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
def dying(tmp_path: Path) -> Question:
    """AAA's record ends after the third day; its last close is a tenth of what it was."""
    path = write_made_up(tmp_path, 1, hourly=False) / "daily.csv"
    end = date.fromordinal(MADE_UP_FIRST.toordinal() + 2)
    lines = [line for line in path.read_text().splitlines() if not (line.startswith("AAA") and line[4:14] > str(end))]
    last = next(number for number, line in enumerate(lines) if line.startswith(f"AAA,{end}"))
    fields = lines[last].split(",")
    fields[4] = fields[5] = f"{float(fields[2]) / 10:.4f}"
    lines[last] = ",".join(fields)
    path.write_text("\n".join(lines) + "\n")
    return ask_made_up(tmp_path, sell_threshold="0.1", stop_loss_pct="0.95")


def test_a_coin_whose_record_ends_falls_to_its_last_price_and_is_counted(dying: Question) -> None:
    scores = {
        dying.first: {"AAA": Score("AAA", Decimal("0.9")), "BBB": Score("BBB", Decimal("0.2"))},
        date.fromordinal(dying.first.toordinal() + 5): {"AAA": Score("AAA", Decimal("0.05"))},
    }
    outcome = run(dying.settings, dying.recording, ScoreBook(scores), *dying.span)
    coin = dying.recording.history.coins["AAA"]
    assert [row["side"] for row in outcome.trades] == ["BUY"]  # sold it cannot be any more
    assert outcome.ended == {"AAA"}
    assert outcome.points[-1].prices["AAA"] == float(coin.bars[coin.last_day].close)
    assert outcome.points[-1].held == pytest.approx(
        float(outcome.book.positions["AAA"].qty * coin.bars[coin.last_day].close)
    )


def test_a_pair_is_open_on_the_last_day_and_closed_on_the_next(dying: Question) -> None:
    last = _exchange(dying, _moment(day=2, hour=23))
    assert last.trading_rules(["AAAUSDT"])["AAAUSDT"].tradable
    over = _exchange(dying, _moment(day=3, hour=0))
    assert over.trading_rules(["AAAUSDT"])["AAAUSDT"].why_not == "Binance has AAAUSDT on BREAK"
    with pytest.raises(RefusedOrderError, match="Market is closed"):
        over.send_market_order(_order(buy_intent()))


def test_a_coin_is_unknown_before_its_first_day(tmp_path: Path) -> None:
    path = write_made_up(tmp_path, 1, hourly=False) / "daily.csv"
    listed = date.fromordinal(MADE_UP_FIRST.toordinal() + 2)
    kept = (line for line in path.read_text().splitlines() if not line.startswith("BBB") or line[4:14] >= str(listed))
    path.write_text("\n".join(kept) + "\n")
    question = ask_made_up(tmp_path, buy_threshold="0.01", sell_threshold="0")
    assert _exchange(question, _moment(day=1, hour=23)).prices(["BBBUSDT", "NOUSDT"]) == {}
    assert set(_exchange(question, _moment(day=2, hour=0)).trading_rules(["BBBUSDT"])) == {"BBBUSDT"}
    trades = run(question.settings, question.recording, random_scores(question, 1), *question.span).trades
    assert all(row["time"][:10] >= str(listed) for row in trades if row["symbol"] == "BBB")
    assert len(question.recording.bars["AAA"].days) == MADE_UP_DAYS + 10


def test_account_and_answer_agree_where_tick_and_lot_step_make_more_than_eight_decimals(question: Question) -> None:
    """Such pairs there are; otherwise the account would be told a little more than it holds, and refuse to spend it."""
    fine = _row()
    fine["filters"][0]["tickSize"], fine["filters"][1]["stepSize"] = "0.00000001", "0.001"  # type: ignore[index]
    recorded = RecordedRules(rows={"AAAUSDT": fine})
    matching = new_matching(question.recording, "USDT", D(1000), question.first, recorded)
    board = RecordedBoard(question.recording)
    exchange = RecordedExchange(board, matching, VirtualClock(_moment()), question.recording)
    report = exchange.send_market_order(_order(buy_intent(quote_amount=D(333))))
    assert report.executed_quote is not None
    assert matching.free["USDT"] == exchange.account().free["USDT"] == 1000 - report.executed_quote

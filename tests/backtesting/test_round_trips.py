"""What trades come to: positions, rules, fees, and the one sum that must hold: profits are the change of the equity."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from marsshot.backtesting.analysis.round_trips import TradeAnalysis, analyse_trades
from marsshot.backtesting.analysis.run_statistics import BOT, monthly_returns, run_statistics
from marsshot.backtesting.simulation.engine import EquityPoint, SkippedSale, run
from marsshot.portfolio.trades_file import Trade
from tests.helpers.backtest_builders import bundled_request, forest_scores
from tests.helpers.builders import a_book, bought_at


def _row(day: int, side: str, reason: str, *, symbol: str = "FET", profit: str = "", quote: str = "100") -> Trade:
    return Trade(
        time=datetime(2021, 2, day, 0, 30, tzinfo=UTC),
        symbol=symbol,
        side=side,
        reason=reason,
        qty=Decimal(10),
        price=Decimal(10),
        quote=Decimal(quote),
        fee="0.1",
        fee_asset="USDT",
        client_order_id=f"ms-{day}",
        pair=f"{symbol}USDT",
        order_id="1",
        status="FILLED",
        profit=Decimal(profit) if profit else None,
    )


def _ledger(*rows: Trade, held: tuple[str, ...] = (), skipped_sales: tuple[SkippedSale, ...] = ()) -> TradeAnalysis:
    book = a_book(positions={symbol: bought_at("10", "10", cost=Decimal(100)) for symbol in held})
    return analyse_trades(rows, skipped_sales, book, {"FET": 12.0, "OP": 9.0})


def test_sales_are_counted_by_rule() -> None:
    found = _ledger(
        _row(1, "BUY", "daily_buy"),
        _row(2, "SELL", "partial_take_profit", profit="30"),
        _row(3, "SELL", "stop_loss", profit="-20"),
        _row(4, "BUY", "daily_buy"),
        _row(5, "SELL", "stop_loss", profit="5"),
    )
    stop = found.by_rule["stop_loss"]
    assert (stop.sales, stop.wins, stop.profit) == (2, 1, -15)
    assert found.by_rule["partial_take_profit"].profit == 30
    assert found.by_rule["trailing_stop"].sales == 0
    assert found.fees == pytest.approx(0.5)
    assert found.traded_amount == 500


def test_a_position_reaches_from_its_first_purchase_to_its_last_sale() -> None:
    found = _ledger(
        _row(1, "BUY", "daily_buy"),
        _row(1, "BUY", "daily_buy"),  # a purchase in two orders
        _row(2, "SELL", "partial_take_profit", profit="30"),
        _row(4, "SELL", "trailing_stop", profit="-50"),
        _row(6, "BUY", "daily_buy"),
        held=("FET",),
    )
    first, second = found.round_trips
    assert (first.spent, first.profit, first.last_sale) == (200, -20, first.opened + timedelta(days=3))
    assert second.is_open
    assert found.hit_rate == 0
    opened = datetime(2021, 2, 1, 0, 30, tzinfo=UTC)
    assert found.opened == (opened,) * 4 + (datetime(2021, 2, 6, 0, 30, tzinfo=UTC),)


def test_what_is_held_counts_at_its_last_price() -> None:
    assert _ledger(held=("FET", "OP")).unrealised == pytest.approx(20 - 10)


def test_waiting_by_the_big_gain_exception_is_set_against_selling_at_once() -> None:
    skip = SkippedSale(moment=datetime(2021, 2, 2, 0, 30, tzinfo=UTC), symbol="FET", qty=10, price=8)
    rows = (_row(1, "BUY", "daily_buy"), _row(3, "SELL", "trailing_stop", quote="100"), _row(5, "BUY", "daily_buy"))
    assert _ledger(*rows).big_gain_effect is None
    assert _ledger(*rows, skipped_sales=(skip,)).big_gain_effect == pytest.approx(100 - 0.1 - 80)
    assert _ledger(rows[0], skipped_sales=(skip,), held=("FET",)).big_gain_effect == pytest.approx(120 - 80)


def test_profits_and_what_is_held_are_the_change_of_the_equity() -> None:
    backtest_request = bundled_request()
    run_result = run(
        backtest_request.settings, backtest_request.dataset, forest_scores(backtest_request), *backtest_request.span
    )
    found = run_statistics(run_result, backtest_request.settings.tokens_daily)
    earned = sum(rule.profit for rule in found.trade_analysis.by_rule.values()) + found.trade_analysis.unrealised
    assert earned == pytest.approx(found.equity[-1] - found.equity[0], abs=1e-6)
    assert len(found.trade_analysis.trades) > 50
    assert found.metrics[BOT].total_return == pytest.approx(found.equity[-1] / found.equity[0] - 1)
    growth = 1.0
    for change in found.months.values():
        growth *= 1 + change
    assert growth - 1 == pytest.approx(found.metrics[BOT].total_return)
    assert ((found.exposure >= 0) & (found.exposure <= 1)).all()


def test_a_month_reaches_to_the_first_value_of_the_next() -> None:
    values = {(1, 30): 100.0, (1, 31): 110.0, (2, 1): 121.0, (2, 2): 60.5}
    points = [
        EquityPoint(moment=datetime(2021, month, day, tzinfo=UTC), capital=value, held=0.0, prices={})
        for (month, day), value in values.items()
    ]
    assert monthly_returns(points) == {(2021, 1): pytest.approx(0.21), (2021, 2): pytest.approx(-0.5)}

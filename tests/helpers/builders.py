"""Values for the tests, with dull defaults: 100 FET bought at 1.00. A test names only what it is about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from marsshot.config.loader import check_settings
from marsshot.config.settings import Settings
from marsshot.core.book import Book, Position, TradeRow
from marsshot.core.decisions import DailyPlan, DailyRules, PlannedBuy
from marsshot.core.exit_settings import ExitRules
from marsshot.core.orders import Fill, Intent, Side
from marsshot.core.reasons import OrderReason
from marsshot.core.scores import Score
from marsshot.core.trading_rules import TradingRules
from marsshot.market_data.coinbase import SpotPrice

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = [*sorted(ROOT.glob("*.py")), *sorted((ROOT / "marsshot").rglob("*.py"))]  # what the owner runs
TODAY = date(2021, 2, 15)
NOW = datetime(2021, 2, 15, 0, 30, tzinfo=UTC)
NOW_MS = 1_613_349_000_000

D = Decimal


def spot(price: str) -> SpotPrice:
    """Return a price as Coinbase tells it."""
    return SpotPrice(D(price))


# The rules of the owner's example: -50 %, +100 % (20 % of it), x3, -30 % from the top; 0.70, 0.30, x4.
EXIT_RULES = ExitRules(
    stop_loss_fall=D("0.50"),
    partial_exit_multiple=D(2),
    partial_exit_share=D("0.20"),
    trailing_start_multiple=D(3),
    trailing_fall=D("0.30"),
)
DAILY_RULES = DailyRules(
    buy_threshold=D("0.70"), sell_threshold=D("0.30"), big_gain_multiple=D(4), max_history_divergence=D("0.50")
)


def seed_content() -> dict[str, Any]:
    """Return what config.yaml holds with the owner's keys and a mode, and nothing else."""
    return {
        "mode": "paper",
        "tokens_daily": ["FET", "AGIX", "ARB", "OP"],
        "strategy": {
            "capital_initial": D("1000.0"),
            "buy_threshold": D("0.70"),
            "sell_threshold": D("0.30"),
            "stop_loss_pct": D("0.50"),
            "partial_take_profit_pct": D("1.0"),
            "trailing_trigger_pct": D("3.0"),
            "trailing_pct": D("0.30"),
            "big_gain_exception_pct": D("4.0"),
            "check_interval_seconds": 300,
            "daily_update_hour_utc": 0,
        },
    }


def some_settings(**changes: Any) -> Settings:
    """Return the owner's settings, in paper mode."""
    return check_settings(seed_content() | changes, Path("config.yaml"), {})


def a_position(**changes: Any) -> Position:
    """100 FET bought at 1.00."""
    bought = Position(qty=D(100), entry_quote=D(100), entry_base=D(100), cost=D(100), max_price=D(1))
    return replace(bought, **changes)


def bought_at(price: str, qty: str = "100", **changes: Any) -> Position:
    """Return a position of this many tokens, bought at this price."""
    quote = D(price) * D(qty)
    return a_position(
        **{"qty": D(qty), "entry_quote": quote, "entry_base": D(qty), "cost": quote, "max_price": D(price)} | changes
    )


def trading_rules(**changes: Any) -> TradingRules:
    """FETUSDT: lots of 0.1, orders of 5 USDT or more."""
    rules = TradingRules(
        pair="FETUSDT",
        base_asset="FET",
        quote_asset="USDT",
        tradable=True,
        unavailable_reason="",
        lot_step=D("0.1"),
        min_quantity=D("0.1"),
        max_market_quantity=None,
        min_notional=D(5),
    )
    return replace(rules, **changes)


def buy_intent(**changes: Any) -> Intent:
    """An order to spend 100 USDT on FET, of the daily plan."""
    intent = Intent(
        client_order_id="ms-1",
        symbol="FET",
        pair="FETUSDT",
        base_asset="FET",
        lot_step=D("0.1"),
        side=Side.BUY,
        reason=OrderReason.DAILY_BUY,
        created_ms=NOW_MS,
        quote_amount=D(100),
    )
    return replace(intent, **changes)


def sell_intent(**changes: Any) -> Intent:
    """An order to sell 100 FET by the stop-loss."""
    return buy_intent(
        **{"side": Side.SELL, "reason": OrderReason.STOP_LOSS, "quote_amount": None, "quantity": D(100)} | changes
    )


def a_fill(**changes: Any) -> Fill:
    """100 FET for 100 USDT, without a fee."""
    fill = Fill(client_order_id="ms-1", order_id=7, status="FILLED", base=D(100), quote=D(100), fees={}, time_ms=NOW_MS)
    return replace(fill, **changes)


def a_book(**changes: Any) -> Book:
    """A paper book of 1000 USDT that holds nothing."""
    return replace(Book(mode="paper", quote_asset="USDT", capital=D(1000), capital_started=D(1000)), **changes)


def a_plan(*buys: PlannedBuy, **changes: Any) -> DailyPlan:
    """Return today's plan with these purchases."""
    return replace(DailyPlan(day=TODAY, buys=buys), **changes)


def planned_buys(*symbols: str) -> tuple[PlannedBuy, ...]:
    """Return purchases in this order of probability, their amounts still open."""
    return tuple(PlannedBuy(symbol=symbol, probability=f"0.{99 - n}") for n, symbol in enumerate(symbols))


def a_score(symbol: str, probability: str | None, **changes: Any) -> Score:
    """Return what the model says of a token."""
    return replace(Score(symbol, None if probability is None else D(probability)), **changes)


def a_trade(client_order_id: str = "ms-1", **changes: Any) -> TradeRow:
    """100 FET sold at 1.00 by the stop-loss, without profit."""
    row = TradeRow(
        time="2021-02-15T00:30:00Z",
        symbol="FET",
        side="SELL",
        reason="stop_loss",
        qty=D(100),
        price=D(1),
        quote=D(100),
        fee="",
        fee_asset="",
        client_order_id=client_order_id,
        pair="FETUSDT",
        order_id=7,
        status="FILLED",
        profit="0",
    )
    return replace(row, **changes)

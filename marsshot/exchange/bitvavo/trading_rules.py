"""One row of GET /v2/markets, read into TradingRules. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from marsshot.core.amounts import ZERO
from marsshot.core.catalog import LocalizedText
from marsshot.core.trading_rules import TradingRules
from marsshot.exchange.numbers import UNREADABLE, read_amount

TAKER_FEE = Decimal("0.0025")  # of the lowest volume; included in the amount of a purchase
_MAX_DECIMALS = 18
_TRADING = "trading"


class OddRuleError(ValueError):
    """One rule of a market is missing, or cannot be; args[0] names it."""


def trading_rules_of(row: Mapping[str, Any]) -> TradingRules:
    """Read one row of the markets. Raises OddRuleError, or another of UNREADABLE, on a half row."""
    lot_step = Decimal(1).scaleb(-_decimals(row, "quantityDecimals"))
    largest = _number(row, "maxOrderInBaseAsset") if row.get("maxOrderInBaseAsset") is not None else ZERO
    if 0 < largest < lot_step:
        raise OddRuleError("maxOrderInBaseAsset")
    unavailable_reason = _unavailable_reason(row)
    return TradingRules(
        pair=row["market"],
        base_asset=_asset(row, "base"),
        quote_asset=_asset(row, "quote"),
        tradable=not unavailable_reason,
        unavailable_reason=unavailable_reason,
        lot_step=lot_step,
        min_quantity=_number(row, "minOrderInBaseAsset"),
        max_market_quantity=largest or None,
        min_notional=_number(row, "minOrderInQuoteAsset"),
        quote_precision=_decimals(row, "notionalDecimals"),
        included_fee=TAKER_FEE,
    )


def unreadable_rules(row: Mapping[str, Any], rule: str) -> TradingRules:
    """Return what is left of a market one of whose rules cannot be read: its name, and that it cannot be traded."""
    market = row["market"]
    return TradingRules(
        pair=market,
        base_asset=str(row.get("base", "")),
        quote_asset=str(row.get("quote", "")),
        tradable=False,
        unavailable_reason=LocalizedText("pair.odd_rules", pair=market, rule=rule),
        lot_step=ZERO,
        min_quantity=ZERO,
        max_market_quantity=None,
        min_notional=ZERO,
    )


def _number(row: Mapping[str, Any], name: str) -> Decimal:
    try:
        return read_amount(row[name])
    except UNREADABLE:
        raise OddRuleError(name) from None


def _decimals(row: Mapping[str, Any], name: str) -> int:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise OddRuleError(name)
    try:
        decimals = int(value)
    except ValueError:
        raise OddRuleError(name) from None
    if not 0 <= decimals <= _MAX_DECIMALS:
        raise OddRuleError(name)
    return decimals


def _asset(row: Mapping[str, Any], name: str) -> str:
    asset = row.get(name)
    if not isinstance(asset, str) or not asset:
        raise OddRuleError(name)
    return asset


def _unavailable_reason(row: Mapping[str, Any]) -> str:
    """Return why MARKET orders of this market are not possible, or nothing."""
    if row["status"] != _TRADING:
        return LocalizedText("pair.status", pair=row["market"], status=str(row["status"]))
    order_types = row.get("orderTypes", ["market"])
    if not isinstance(order_types, list):
        raise OddRuleError("orderTypes")
    return "" if "market" in order_types else LocalizedText("pair.no_market", pair=row["market"])

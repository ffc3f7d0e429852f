"""exchangeInfo of one pair, read into TradingRules. Pure.

Binance's filters: LOT_SIZE and MARKET_LOT_SIZE (a step or minimum of 0 is switched off), NOTIONAL and the older
MIN_NOTIONAL. Filters of other names do not concern MARKET orders and are passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from marsshot.core.catalog import LocalizedText
from marsshot.core.domain import ZERO, TradingRules


def trading_rules_of(row: Mapping[str, Any]) -> TradingRules:
    """Read one entry of exchangeInfo's `symbols`. Raises KeyError, TypeError or ArithmeticError on a half row."""
    filters = {entry["filterType"]: entry for entry in row["filters"]}
    lots = [filters[name] for name in ("LOT_SIZE", "MARKET_LOT_SIZE") if name in filters]
    largest = [largest for lot in lots if (largest := Decimal(lot["maxQty"])) > 0]
    unavailable_reason = _unavailable_reason(row)
    return TradingRules(
        pair=row["symbol"],
        base_asset=row["baseAsset"],
        quote_asset=row["quoteAsset"],
        tradable=not unavailable_reason,
        unavailable_reason=unavailable_reason,
        lot_step=max((Decimal(lot["stepSize"]) for lot in lots), default=ZERO),
        min_quantity=max((Decimal(lot["minQty"]) for lot in lots), default=ZERO),
        max_market_quantity=min(largest, default=None),
        min_notional=max(
            _minimum(filters.get("NOTIONAL"), "applyMinToMarket"),
            _minimum(filters.get("MIN_NOTIONAL"), "applyToMarket"),
        ),
        quote_precision=int(row.get("quoteAssetPrecision", row.get("quotePrecision", 8))),
        permission_sets=tuple(frozenset(names) for names in row.get("permissionSets") or ()),
    )


def _minimum(entry: Mapping[str, Any] | None, applies: str) -> Decimal:
    if entry is None or not entry.get(applies, True):
        return ZERO
    return Decimal(entry["minNotional"])


def _unavailable_reason(row: Mapping[str, Any]) -> str:
    """Return why MARKET orders of this pair are not possible, or nothing."""
    if row["status"] != "TRADING":
        return LocalizedText("pair.status", pair=row["symbol"], status=row["status"])
    if not row.get("isSpotTradingAllowed", True):
        return LocalizedText("pair.no_spot", pair=row["symbol"])
    if "MARKET" not in row.get("orderTypes", ["MARKET"]):
        return LocalizedText("pair.no_market", pair=row["symbol"])
    if not row.get("quoteOrderQtyMarketAllowed", True):
        return LocalizedText("pair.no_amount", pair=row["symbol"])
    return ""

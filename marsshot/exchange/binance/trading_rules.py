"""exchangeInfo of one pair, read into TradingRules. Pure.

Binance's filters: LOT_SIZE and MARKET_LOT_SIZE (a step or minimum of 0 is switched off), NOTIONAL and the older
MIN_NOTIONAL. Filters of other names do not concern MARKET orders and are passed over, whatever they hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from marsshot.core.amounts import ZERO
from marsshot.core.catalog import LocalizedText
from marsshot.core.trading_rules import TradingRules
from marsshot.exchange.numbers import UNREADABLE, read_amount

_QUOTE_ASSETS = ("FDUSD", "USDT", "USDC", "USD1")
_MAX_DECIMALS = 18


class OddRuleError(ValueError):
    """One rule of a pair is missing, or cannot be; args[0] names it."""


def trading_rules_of(row: Mapping[str, Any]) -> TradingRules:
    """Read one entry of exchangeInfo's `symbols`. Raises OddRuleError, or another of UNREADABLE, on a half row."""
    filters = _filters_of(row)
    lots = {name: filters[name] for name in ("LOT_SIZE", "MARKET_LOT_SIZE") if name in filters}
    if "LOT_SIZE" not in lots:
        raise OddRuleError("LOT_SIZE")
    largest = [size for name, lot in lots.items() if (size := _number(lot, name, "maxQty")) > 0]
    lot_step = max(_number(lot, name, "stepSize") for name, lot in lots.items())
    if lot_step == 0:
        raise OddRuleError("LOT_SIZE.stepSize = 0")
    if largest and min(largest) < lot_step:
        raise OddRuleError("maxQty < stepSize")
    unavailable_reason = _unavailable_reason(row)
    return TradingRules(
        pair=row["symbol"],
        base_asset=_asset(row, "baseAsset"),
        quote_asset=_asset(row, "quoteAsset"),
        tradable=not unavailable_reason,
        unavailable_reason=unavailable_reason,
        lot_step=lot_step,
        min_quantity=max(_number(lot, name, "minQty") for name, lot in lots.items()),
        max_market_quantity=min(largest, default=None),
        min_notional=max(
            _minimum(filters, "NOTIONAL", "applyMinToMarket"), _minimum(filters, "MIN_NOTIONAL", "applyToMarket")
        ),
        quote_precision=_precision(row.get("quoteAssetPrecision", row.get("quotePrecision", 8))),
        permission_sets=_permission_sets(row),
    )


def unreadable_rules(row: Mapping[str, Any], rule: str) -> TradingRules:
    """Return what is left of a pair one of whose rules cannot be read: its name, and that it cannot be traded."""
    pair = row["symbol"]
    quote = next((asset for asset in _QUOTE_ASSETS if pair.endswith(asset)), "")
    return TradingRules(
        pair=pair,
        base_asset=pair.removesuffix(quote),
        quote_asset=quote,
        tradable=False,
        unavailable_reason=LocalizedText("pair.odd_rules", pair=pair, rule=rule),
        lot_step=ZERO,
        min_quantity=ZERO,
        max_market_quantity=None,
        min_notional=ZERO,
    )


def _filters_of(row: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    entries = row.get("filters")
    if not isinstance(entries, list):
        raise OddRuleError("filters")
    named = (entry for entry in entries if isinstance(entry, dict))
    return {name: entry for entry in named if isinstance(name := entry.get("filterType"), str)}


def _number(entry: Mapping[str, Any], filter_name: str, name: str) -> Decimal:
    try:
        return read_amount(entry[name])
    except UNREADABLE:
        raise OddRuleError(f"{filter_name}.{name}") from None


def _minimum(filters: Mapping[str, Mapping[str, Any]], name: str, applies: str) -> Decimal:
    entry = filters.get(name)
    if entry is None or not entry.get(applies, True):
        return ZERO
    return _number(entry, name, "minNotional")


def _asset(row: Mapping[str, Any], name: str) -> str:
    asset = row.get(name)
    if not isinstance(asset, str) or not asset:
        raise OddRuleError(name)
    return asset


def _precision(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str) or not 0 <= int(value) <= _MAX_DECIMALS:
        raise OddRuleError("quoteAssetPrecision")
    return int(value)


def _permission_sets(row: Mapping[str, Any]) -> tuple[frozenset[str], ...]:
    sets = row.get("permissionSets") or []
    if not isinstance(sets, list) or not all(isinstance(names, list) for names in sets):
        raise OddRuleError("permissionSets")
    return tuple(frozenset(map(str, names)) for names in sets)


def _unavailable_reason(row: Mapping[str, Any]) -> str:
    """Return why MARKET orders of this pair are not possible, or nothing."""
    if row["status"] != "TRADING":
        return LocalizedText("pair.status", pair=row["symbol"], status=str(row["status"]))
    if not row.get("isSpotTradingAllowed", True):
        return LocalizedText("pair.no_spot", pair=row["symbol"])
    order_types = row.get("orderTypes", ["MARKET"])
    if not isinstance(order_types, list):
        raise OddRuleError("orderTypes")
    if "MARKET" not in order_types:
        return LocalizedText("pair.no_market", pair=row["symbol"])
    if not row.get("quoteOrderQtyMarketAllowed", True):
        return LocalizedText("pair.no_amount", pair=row["symbol"])
    return ""

"""Trading rules of a pair and their row in exchangeInfo, in the shape of Binance's.

Tick, lot step and smallest order are plausible figures of our own, derived from the pair's price at one fixed date,
so that they stand still during a run. Knows no balance, no order and no clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

from embedded_market.market_data.history import MAX_DECIMALS, unix_day

if TYPE_CHECKING:
    from embedded_market.market_data.history import CoinHistory

REFERENCE_DATE = date(2021, 1, 1)
LEGACY_NOTIONAL_BASES = frozenset({"LTC", "XRP"})
"""Pairs of these carry the old MIN_NOTIONAL filter instead of NOTIONAL; the live exchange has known both."""

_STEP_VALUE = Decimal("0.35")
_MARKET_ORDER_VALUE = Decimal(3_000_000)
_PERMISSIONS = ["SPOT", "MARGIN", *(f"TRD_GRP_{number:03d}" for number in range(4, 209))]
_ORDER_TYPES = [
    "LIMIT",
    "LIMIT_MAKER",
    "MARKET",
    "STOP_LOSS",
    "STOP_LOSS_LIMIT",
    "TAKE_PROFIT",
    "TAKE_PROFIT_LIMIT",
]

Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class PairRules:
    """What an order on this pair must obey. Quantities in base asset, notional in quote asset."""

    symbol: str
    base: str
    quote: str
    tick: Decimal
    lot_step: Decimal
    max_quantity: Decimal
    max_market_quantity: Decimal
    min_notional: Decimal
    legacy_notional: bool

    @property
    def min_quantity(self) -> Decimal:
        """Return the smallest quantity: one lot step."""
        return self.lot_step

    @property
    def notional_filter(self) -> str:
        """Return the name of the filter that holds the smallest order value."""
        return "MIN_NOTIONAL" if self.legacy_notional else "NOTIONAL"


def rules_for(coin: CoinHistory, quote: str, reference: date = REFERENCE_DATE) -> PairRules:
    """Return the rules of a coin against a quote asset, as they suit its price at the reference date."""
    price = coin.bar_nearest(unix_day(reference)).close
    step_digits = min(max(-(_STEP_VALUE / price).adjusted(), 0), MAX_DECIMALS - coin.decimals)
    step = Decimal(1).scaleb(-step_digits)
    legacy = coin.symbol in LEGACY_NOTIONAL_BASES
    return PairRules(
        symbol=coin.symbol + quote,
        base=coin.symbol,
        quote=quote,
        tick=Decimal(1).scaleb(-coin.decimals),
        lot_step=step,
        max_quantity=step * 900_000_000,
        max_market_quantity=floor_to_step(_MARKET_ORDER_VALUE / price, step),
        min_notional=Decimal(10) if legacy else Decimal(5),
        legacy_notional=legacy,
    )


def floor_to_step(value: Decimal, step: Decimal) -> Decimal:
    """Return the largest multiple of step that is not above value."""
    return (value / step).to_integral_value(ROUND_FLOOR) * step


def symbol_row(rules: PairRules, status: str, *, permission_sets: bool) -> Row:
    """Return the pair's row of exchangeInfo."""
    row: Row = {"symbol": rules.symbol, "status": status}
    for side, asset in (("base", rules.base), ("quote", rules.quote)):
        row |= {f"{side}Asset": asset}
        row |= {"quotePrecision": MAX_DECIMALS} if side == "quote" else {}
        row |= {f"{side}AssetPrecision": MAX_DECIMALS}
    row |= {"baseCommissionPrecision": MAX_DECIMALS, "quoteCommissionPrecision": MAX_DECIMALS}
    allowed = ("iceberg", "oco", "oto", "opo", "quoteOrderQtyMarket")
    row |= {"orderTypes": _ORDER_TYPES} | {f"{name}Allowed": True for name in allowed}
    row |= {"allowTrailingStop": True, "cancelReplaceAllowed": True, "amendAllowed": True}
    row |= {"pegInstructionsAllowed": True, "isSpotTradingAllowed": True, "isMarginTradingAllowed": True}
    row |= {"filters": filter_rows(rules), "permissions": []}
    row |= {"permissionSets": [_PERMISSIONS] if permission_sets else []}
    modes = ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT"]
    return row | {"defaultSelfTradePreventionMode": "EXPIRE_MAKER", "allowedSelfTradePreventionModes": modes}


def filter_rows(rules: PairRules) -> list[Row]:
    """Return the pair's filters. MARKET_LOT_SIZE has no lower bound and no step: only its maximum binds."""
    nothing = _text(Decimal(0))
    lot: Row = {
        "minQty": _text(rules.min_quantity),
        "maxQty": _text(rules.max_quantity),
        "stepSize": _text(rules.lot_step),
    }
    market_lot: Row = {"minQty": nothing, "maxQty": _text(rules.max_market_quantity), "stepSize": nothing}
    tick: Row = {
        "minPrice": _text(rules.tick),
        "maxPrice": _text(rules.tick * 100_000_000),
        "tickSize": _text(rules.tick),
    }
    deltas: Row = {f"{end}Trailing{side}Delta": value for side in ("Above", "Below") for end, value in _DELTAS}
    by_side: Row = {f"{side}Multiplier{way}": value for side in ("bid", "ask") for way, value in _MULTIPLIERS}
    return [
        {"filterType": "PRICE_FILTER"} | tick,
        {"filterType": "LOT_SIZE"} | lot,
        {"filterType": "ICEBERG_PARTS", "limit": 10},
        {"filterType": "MARKET_LOT_SIZE"} | market_lot,
        {"filterType": "TRAILING_DELTA"} | deltas,
        {"filterType": "PERCENT_PRICE_BY_SIDE", **by_side, "avgPriceMins": 5},
        _notional_row(rules),
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        {"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": 20},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
        {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": 10},
    ]


_DELTAS = (("min", 10), ("max", 2000))
_MULTIPLIERS = (("Up", "5"), ("Down", "0.2"))


def _notional_row(rules: PairRules) -> Row:
    smallest: Row = {"filterType": rules.notional_filter, "minNotional": _text(rules.min_notional)}
    if rules.legacy_notional:
        return smallest | {"applyToMarket": True, "avgPriceMins": 5}
    largest: Row = {"maxNotional": "9000000.00000000", "applyMaxToMarket": False}
    return smallest | {"applyMinToMarket": True} | largest | {"avgPriceMins": 5}


def _text(value: Decimal) -> str:
    return f"{value:.{MAX_DECIMALS}f}"

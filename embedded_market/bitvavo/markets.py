"""Bitvavo's euro markets over the recorded dollars: prices, rules, and the rows of /markets. Knows no order.

The exchange rate is one fixed figure (SOURCES.md): what the coins did is recorded, what the euro did is not. Prices
have five significant digits, as on the real exchange.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal
from typing import TYPE_CHECKING

from embedded_market.coinbase.api import FIAT_USD
from embedded_market.exchange.order_book import DEFAULT_DEPTH
from embedded_market.exchange.pair_rules import REFERENCE_DATE, PairRules
from embedded_market.market_data.history import unix_day

if TYPE_CHECKING:
    from embedded_market.market_data.history import CoinHistory
    from embedded_market.market_data.price_board import PriceBoard

QUOTE = "EUR"
EUR_USD = Decimal(FIAT_USD["EUR"])
SIGNIFICANT_DIGITS = 5
STATUSES = ("trading", "halted", "cancelOnly", "auction", "auctionMatching")
_FIVE_DIGITS = Context(prec=SIGNIFICANT_DIGITS)
_QUANTITY_DECIMALS = 8
_NOTIONAL_DECIMALS = 2
_SMALLEST_WORTH = Decimal("5.00")
_SMALLEST_LOT_WORTH = Decimal("0.50")
_FINEST_TICK = Decimal("0.00000001")

Row = dict[str, object]


@dataclass(slots=True)
class Market:
    """One market and what may be turned: its status, and depth (euros) and width of its order book."""

    name: str
    base: str
    min_base: Decimal
    min_quote: Decimal = _SMALLEST_WORTH
    quantity_decimals: int = _QUANTITY_DECIMALS
    notional_decimals: int = _NOTIONAL_DECIMALS
    max_base: Decimal = Decimal(1_000_000_000)
    status: str = "trading"
    depth: Decimal = DEFAULT_DEPTH
    width: int = 1

    def book_rules(self, price: Decimal) -> PairRules:
        """Return what the synthetic order book wants to know, at this price."""
        return PairRules(
            symbol=self.name,
            base=self.base,
            quote=QUOTE,
            tick=tick_of(price),
            lot_step=Decimal(1).scaleb(-self.quantity_decimals),
            max_quantity=self.max_base,
            max_market_quantity=self.max_base,
            min_notional=self.min_quote,
            legacy_notional=False,
        )


def market_of(coin: CoinHistory) -> Market:
    """Return the coin's market; its smallest quantity is worth about half a euro at one fixed date."""
    price = in_euros(coin.bar_nearest(unix_day(REFERENCE_DATE)).close)
    smallest = _FIVE_DIGITS.divide(_SMALLEST_LOT_WORTH, price).quantize(_FINEST_TICK)
    return Market(f"{coin.symbol}-{QUOTE}", coin.symbol, smallest)


def in_euros(dollars: Decimal) -> Decimal:
    """Return a price in euros, with five significant digits."""
    return _FIVE_DIGITS.divide(dollars, EUR_USD)


def tick_of(price: Decimal) -> Decimal:
    """Return the step of a price of this size."""
    return max(Decimal(1).scaleb(price.adjusted() - SIGNIFICANT_DIGITS + 1), _FINEST_TICK)


def price_text(price: Decimal) -> str:
    """Return a price as it stands on the wire: plain digits, no zeros at the end."""
    text = f"{price:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def market_row(market: Market, status: str, board: PriceBoard, now: float) -> Row:
    """Return the market's row of /markets."""
    return {
        "market": market.name,
        "status": status,
        "base": market.base,
        "quote": QUOTE,
        "pricePrecision": None,
        "minOrderInBaseAsset": price_text(market.min_base),
        "minOrderInQuoteAsset": f"{market.min_quote:f}",
        "maxOrderInBaseAsset": f"{market.max_base:f}",
        "maxOrderInQuoteAsset": "1000000000.00",
        "quantityDecimals": market.quantity_decimals,
        "notionalDecimals": market.notional_decimals,
        "tickSize": price_text(tick_of(in_euros(board.price(market.base, now)))),
        "maxOpenOrders": 100,
        "feeCategory": "A",
        "orderTypes": ["market", "limit", "stopLoss", "stopLossLimit", "takeProfit", "takeProfitLimit"],
    }

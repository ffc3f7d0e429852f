"""Coinbase's GET /v2/prices/{BASE}-{QUOTE}/spot, in dollars or euros, without network: a request in, a response out.

Knows prices only. Some coins are not listed, and fiat codes answer with a fiat's price, as on the real service:
a coin whose ticker is also a fiat code gets a plausible wrong price instead of an error.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal
from typing import TYPE_CHECKING

from embedded_market.http_messages import Response, json_response

if TYPE_CHECKING:
    from embedded_market.http_messages import Request
    from embedded_market.market_data.price_board import PriceBoard

FIAT_USD = {
    "USD": "1.0",
    "EUR": "1.2",
    "GBP": "1.38",
    "RON": "0.22",
    "MNT": "0.00035",
    "BSD": "1",
    "ALL": "0.0097",
    "GEL": "0.31",
    "TOP": "0.44",
    "SOS": "0.00173",
}
"""Dollar prices of the fiat codes that collide with coins, and of the common ones. Constant, our own figures."""

UNLISTED_AT_COINBASE = frozenset({"BNB", "LUNA"})
_EUROS = "EUR"
_DOLLARS = frozenset({"USD", "USDC", "USDT"})
_TEN_DIGITS = Context(prec=10)
_PATH = re.compile(r"/v2/prices/([^/]+)/spot")
_PAIR = re.compile(r"([A-Za-z0-9]+)-([A-Za-z0-9]+)")
_HEADERS = {"Content-Type": "application/json; charset=utf-8", "Server": "cloudflare", "CF-Cache-Status": "DYNAMIC"}


class CoinbaseApi:
    """Spot prices by pair, case-insensitive."""

    def __init__(self, board: PriceBoard, unlisted: frozenset[str]) -> None:
        self._board = board
        self.unlisted = set(unlisted)

    def handle(self, request: Request, now: float) -> Response:
        """Return the answer at a moment of the wire."""
        found = _PATH.fullmatch(request.path)
        if request.method != "GET" or not found:
            return _error(404, "not_found", "Not found")
        pair = _PAIR.fullmatch(found[1])
        if not pair:
            return _error(400, "invalid_request", "Currency is invalid")
        base, quote = pair[1].upper(), pair[2].upper()
        if quote not in _DOLLARS and quote != _EUROS:
            return _error(400, "invalid_request", "Currency is invalid")
        amount = self._amount(base, now)
        if amount is not None and quote == _EUROS:
            amount = text_in_euros(amount)
        if amount is None:
            return _error(404, "not_found", "Invalid base currency")
        body = f'{{"data":{{"amount":"{amount}","base":"{base}","currency":"{quote}"}}}}'
        return Response(200, _HEADERS, body.encode())

    def _amount(self, base: str, now: float) -> str | None:
        if base in FIAT_USD:
            return FIAT_USD[base]
        if base in self.unlisted or not self._board.is_listed(base, now):
            return None
        return self._board.coinbase_text(base, now)


def text_in_euros(amount: str) -> str:
    """Return an amount of dollars in euros, at the one fixed rate."""
    text = f"{_TEN_DIGITS.divide(Decimal(amount), Decimal(FIAT_USD[_EUROS])):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _error(status: int, code: str, message: str) -> Response:
    return json_response(status, {"errors": [{"id": code, "message": message}]}, _HEADERS)

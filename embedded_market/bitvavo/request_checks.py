"""What Bitvavo checks of a request before it looks at its meaning: key, moment, signature, right, parameters."""

from __future__ import annotations

import hmac
import json
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl
from uuid import UUID

from embedded_market.bitvavo.engine import OrderRequest
from embedded_market.bitvavo.errors import BitvavoError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from embedded_market.http_messages import Request

DEFAULT_WINDOW_MS, MIN_WINDOW_MS, MAX_WINDOW_MS = 10_000, 100, 60_000
_KEY_LENGTH, _SIGNATURE_LENGTH = 64, 64
_MAX_OPERATOR_ID = 2**63
_ORDER_KEYS = frozenset(
    "market side orderType operatorId clientOrderId amount amountQuote disableMarketProtection responseRequired".split()
)


def check_signed(request: Request, keys: tuple[str, str], now_ms: int, rights: Collection[str], right: str) -> None:
    """Raise unless key, moment, signature and right are good. keys: API key and secret."""
    api_key, secret = keys
    headers = request.headers
    key, given = headers.get("bitvavo-access-key", ""), headers.get("bitvavo-access-signature", "")
    if not key or not given:
        raise BitvavoError(403, 300, "Authentication is required to call this endpoint.")
    if len(key) != _KEY_LENGTH:
        raise BitvavoError(403, 301, "Invalid length of API key.")
    _check_moment(headers, now_ms)
    if not hmac.compare_digest(key.encode(), api_key.encode()):
        raise BitvavoError(403, 305, "No active API key found.")
    if len(given) != _SIGNATURE_LENGTH:
        raise BitvavoError(403, 308, "The signature length is invalid.")
    if not hmac.compare_digest(sign(request, secret, headers["bitvavo-access-timestamp"]), given):
        raise BitvavoError(403, 309, "The signature is invalid.")
    if right not in rights:
        code = {"trade": 310, "view": 311}[right]
        raise BitvavoError(403, code, f"This key does not allow {right} actions.")


def _check_moment(headers: Mapping[str, str], now_ms: int) -> None:
    moment = headers.get("bitvavo-access-timestamp", "")
    if not moment.isdigit():
        raise BitvavoError(403, 302, "The timestamp must be in milliseconds.")
    window = headers.get("bitvavo-access-window", str(DEFAULT_WINDOW_MS))
    if not window.isdigit() or not MIN_WINDOW_MS <= int(window) <= MAX_WINDOW_MS:
        raise BitvavoError(403, 303, "The window must be between 100 and 60000 ms.")
    if abs(now_ms - int(moment)) > int(window):
        raise BitvavoError(403, 304, "Request was not received within acceptable window.")


def sign(request: Request, secret: str, moment: str) -> str:
    """Return the signature of the request's very bytes."""
    target = request.path + (f"?{request.query}" if request.query else "")
    signed = f"{moment}{request.method}{target}".encode("latin-1") + request.body
    return hmac.digest(secret.encode(), signed, "sha256").hex()


class Query:
    """The parameters of a question; an unknown one, one given twice, or one without a value is refused."""

    def __init__(self, request: Request, known: Collection[str]) -> None:
        pairs = parse_qsl(request.query, keep_blank_values=True)
        self._values = dict(pairs)
        if len(self._values) < len(pairs):
            raise BitvavoError(400, 205, "A parameter is given twice.")
        for name in self._values:
            if name not in known:
                raise invalid(name)

    def text(self, name: str) -> str | None:
        """Return a parameter or None."""
        value = self._values.get(name)
        if value == "":
            raise invalid(name)
        return value

    def required(self, name: str) -> str:
        """Return a parameter; 203 if it is missing."""
        if (value := self.text(name)) is None:
            raise missing(name)
        return value

    def integer(self, name: str, default: int) -> int:
        """Return a whole number."""
        if (value := self.text(name)) is None:
            return default
        if not value.isascii() or not value.isdigit():
            raise invalid(name)
        return int(value)


def missing(name: str) -> BitvavoError:
    """Return the refusal of a request that lacks a parameter."""
    return BitvavoError(400, 203, f"{name} parameter is required.")


def invalid(name: str) -> BitvavoError:
    """Return the refusal of a parameter of another form."""
    return BitvavoError(400, 205, f"{name} parameter is invalid.")


def read_order(body: bytes) -> OrderRequest:
    """Read what POST order is asked for. Raises BitvavoError."""
    asked = _checked_keys(body)
    if asked["side"] not in ("buy", "sell"):
        raise invalid("side")
    if asked["orderType"] != "market":
        raise invalid("orderType")
    if type(asked["operatorId"]) is not int or not 0 < asked["operatorId"] < _MAX_OPERATOR_ID:
        raise invalid("operatorId")
    if ("amount" in asked) == ("amountQuote" in asked):
        raise BitvavoError(400, 206, "Exactly one of amount and amountQuote is needed.")
    return OrderRequest(
        market=_text(asked, "market"),
        is_buy=asked["side"] == "buy",
        operator_id=asked["operatorId"],
        client_order_id=_client_order_id(asked),
        amount=_amount(asked, "amount"),
        amount_quote=_amount(asked, "amountQuote"),
        is_protected=asked.get("disableMarketProtection", False) is not True,
    )


def _checked_keys(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body)
    except ValueError:
        asked = None
    if not isinstance(asked, dict):
        raise BitvavoError(400, 102, "The JSON object you sent is invalid.")
    for name in asked:
        if name not in _ORDER_KEYS:
            raise invalid(name)
    for name in ("market", "side", "orderType", "operatorId"):
        if name not in asked:
            raise missing(name)
    return asked


def _text(asked: dict[str, Any], name: str) -> str:
    value = asked[name]
    if not isinstance(value, str) or not value:
        raise invalid(name)
    return value


def _client_order_id(asked: dict[str, Any]) -> str | None:
    if "clientOrderId" not in asked:
        return None
    value = _text(asked, "clientOrderId")
    try:
        uuid = UUID(value)
    except ValueError:
        raise invalid("clientOrderId") from None
    if str(uuid) != value.lower():
        raise invalid("clientOrderId")
    return value


def _amount(asked: dict[str, Any], name: str) -> Decimal | None:
    if name not in asked:
        return None
    text = _text(asked, name)
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise invalid(name) from None
    if not amount.is_finite() or "e" in text.lower():
        raise invalid(name)
    return amount

"""What Binance checks of a request before it looks at its meaning: parameters, API key, time, signature.

Knows no price, no balance and no order. Every refusal is a BinanceError with Binance's code and text.
"""

from __future__ import annotations

import hmac
import re
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from embedded_market.http_messages import Request

DEFAULT_RECV_WINDOW = 5000
MAX_RECV_WINDOW = 60_000
AHEAD_MS = 1000
MAX_DECIMALS = 8

AMOUNT = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
CLIENT_ORDER_ID = r"^[a-zA-Z0-9-_]{1,36}$"
SYMBOL = r"^[A-Z0-9-_.]{1,20}$"
SYMBOLS = r'^\[("[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}){0,1}\]$'
INTEGER = r"^[0-9]{1,20}$"
_SIGNATURE = r"^[A-Fa-f0-9]{64}$"
_API_KEY = re.compile(r"[A-Za-z0-9]{64}")
_SIGNATURE_PART = re.compile(r"(?:^|&)signature=[^&]*")


class BinanceError(Exception):
    """A refusal: HTTP status, code and text as Binance gives them."""

    def __init__(self, code: int, message: str, status: int = 400, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message
        self.status = status
        self.headers = headers or {}


def missing(name: str) -> BinanceError:
    """Return the error for a mandatory parameter that is missing, empty or malformed."""
    return BinanceError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def illegal(name: str, legal: str) -> BinanceError:
    """Return the error for a parameter with illegal characters."""
    return BinanceError(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


class Parameters:
    """The parameters of a request: query first, then body; the query wins. Names are case-sensitive."""

    def __init__(self, request: Request, *, known: frozenset[str]) -> None:
        pairs = parse_qsl(request.query, keep_blank_values=True)
        pairs += parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True) if request.body else []
        self._values: dict[str, str] = {}
        for name, value in pairs:
            self._values.setdefault(name, value)
        self._known = known

    def check_all_known(self) -> None:
        """Raise -1104 if there are parameters that the endpoint does not read, -1101 if it reads none at all."""
        if self._values and not self._known:
            raise BinanceError(-1101, f"Too many parameters; expected '0' and received '{len(self._values)}'.")
        read = len(self._values.keys() & self._known)
        if read < len(self._values):
            text = f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{len(self._values)}'."
            raise BinanceError(-1104, text)

    def text(self, name: str, legal: str | None = None) -> str | None:
        """Return a parameter or None; -1105 if it is there but empty, -1100 if it does not match."""
        value = self._values.get(name)
        if value is None:
            return None
        if not value:
            raise BinanceError(-1105, f"Parameter '{name}' was empty.")
        if legal is not None and not re.fullmatch(legal, value, re.ASCII):
            raise illegal(name, legal)
        return value

    def required(self, name: str, legal: str | None = None) -> str:
        """Return a parameter; -1102 if it is missing or empty, -1100 if it does not match."""
        if not self._values.get(name):
            raise missing(name)
        return self.text(name, legal) or ""

    def integer(self, name: str) -> int | None:
        """Return a whole number or None."""
        value = self.text(name, INTEGER)
        return None if value is None else int(value)

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a true/false parameter; any other text is malformed."""
        value = self.text(name)
        if value not in (None, "true", "false"):
            raise missing(name)
        return default if value is None else value == "true"

    def amount(self, name: str) -> Decimal | None:
        """Return a decimal amount or None; -1100 for other than plain digits, -1111 beyond eight decimals."""
        value = self.text(name, AMOUNT)
        if value is None:
            return None
        if len(value.partition(".")[2]) > MAX_DECIMALS:
            raise BinanceError(-1111, f"Parameter '{name}' has too much precision.")
        return Decimal(value)


def check_signed(request: Request, parameters: Parameters, keys: tuple[str, str], now_ms: int) -> None:
    """Raise unless key, time and signature are good. keys: API key and secret."""
    api_key, secret = keys
    timestamp = int(parameters.required("timestamp", INTEGER))
    signature = parameters.required("signature", _SIGNATURE)
    sent_key = request.headers.get("x-mbx-apikey", "")
    if not hmac.compare_digest(sent_key.encode(), api_key.encode()):
        if not _API_KEY.fullmatch(sent_key):
            raise BinanceError(-2014, "API-key format invalid.", 401)
        raise BinanceError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
    _check_time(timestamp, parameters.integer("recvWindow"), now_ms)
    expected = sign(signed_payload(request), secret)
    if not hmac.compare_digest(expected, signature.lower()):
        raise BinanceError(-1022, "Signature for this request is not valid.")


def signed_payload(request: Request) -> bytes:
    """Return what the signature covers: query and body exactly as they came, without the signature itself."""
    parts = (request.query, request.body.decode("latin-1"))
    return "".join(_SIGNATURE_PART.sub("", part) for part in parts).encode("latin-1")


def sign(payload: bytes, secret: str) -> str:
    """Return the HMAC-SHA256 of the payload in lower-case hex."""
    return hmac.digest(secret.encode(), payload, "sha256").hex()


def _check_time(timestamp: int, recv_window: int | None, now_ms: int) -> None:
    window = DEFAULT_RECV_WINDOW if recv_window is None else recv_window
    if window > MAX_RECV_WINDOW:
        raise BinanceError(-1131, f"recvWindow must be less than {MAX_RECV_WINDOW}.")
    if timestamp >= now_ms + AHEAD_MS:
        raise BinanceError(-1021, f"Timestamp for this request was {AHEAD_MS}ms ahead of the server's time.")
    if now_ms - timestamp > window:
        raise BinanceError(-1021, "Timestamp for this request is outside of the recvWindow.")

"""Binance's refusals, turned into what the bot does next. Pure: one answer in, one error out.

Codes and texts: Binance spot API, errors.md. An order is refused only where that is certain;
anything else has an unknown outcome and is looked up.
"""

from __future__ import annotations

from errors import (
    AccountTroubleError,
    ClockRefusedError,
    InsufficientBalanceError,
    MarsShotError,
    RefusedOrderError,
    TemporaryError,
    UnknownOutcomeError,
)

NO_SUCH_ORDER = -2013
INVALID_SYMBOL = -1121
BAD_TIMESTAMP = -1021

_UNKNOWN_CODES = {-1000, -1001, -1006, -1007, -1008}
_LATER_CODES = {-1003, -1015, -1034, -1099}
_ACCOUNT_CODES = {-1002, -1022, -2008, -2014, -2015}
_ACCOUNT_TEXTS = ("action is disabled", "action disabled", "may not place or cancel", "trading is not enabled")
_REMEDIES = {
    -1022: "the secret does not fit the key: mend binance_api.api_secret",
    -2008: "Binance does not know this key: mend binance_api.api_key",
    -2014: "this is not a Binance key: mend binance_api.api_key",
    -2015: "key, IP address or permission refused: allow the key spot trading, from this machine's IP address",
    -1002: "the key is not allowed to do this: allow spot trading for it at Binance",
}
PAUSE_SECONDS = {429: 60.0, 418: 120.0}  # where Binance does not say how long: a minute's limit, the shortest ban
HTTP_FORBIDDEN, HTTP_TEAPOT, HTTP_TOO_MANY, HTTP_LEGAL, HTTP_SERVER_ERROR = 403, 418, 429, 451, 500


def order_error(status: int, code: int, text: str, retry_after: float | None = None) -> MarsShotError:
    """Return what a refused or failed order placement means. `code` is 0 where the body had none."""
    if code in _UNKNOWN_CODES or status >= HTTP_SERVER_ERROR or "Duplicate order" in text:
        return UnknownOutcomeError(f"Binance answered {status}" + (f" ({code}): {text}" if code else ""))
    shared = _error_of_any_request(status, code, text, retry_after)
    if shared is not None:
        return shared
    if "insufficient balance" in text:
        return InsufficientBalanceError(f"Binance refused the order: {text} ({code})")
    if any(part in text.lower() for part in _ACCOUNT_TEXTS):
        return AccountTroubleError(
            f"Binance does not let this account trade: {text} ({code}); see your account at Binance"
        )
    if code < 0:
        return RefusedOrderError(f"Binance refused the order: {text} ({code})")
    return UnknownOutcomeError(f"Binance answered {status} without a code")


def read_error(status: int, code: int, text: str, retry_after: float | None = None) -> MarsShotError:
    """Return what a refused or failed request that changes nothing means."""
    shared = _error_of_any_request(status, code, text, retry_after)
    if shared is not None:
        return shared
    told = f" ({code}): {text}" if code else ""
    return TemporaryError(f"Binance answered {status}{told}", retry_after)


def _error_of_any_request(status: int, code: int, text: str, retry_after: float | None) -> MarsShotError | None:
    if status == HTTP_LEGAL:
        return AccountTroubleError(
            "Binance refuses this machine's location (451): run the bot where Binance may be used"
        )
    if status in {HTTP_TOO_MANY, HTTP_TEAPOT} or code in _LATER_CODES:
        pause = retry_after or PAUSE_SECONDS.get(status, 60.0)
        return TemporaryError(f"Binance asks to wait ({status}, {code}): {text}", pause)
    if code == BAD_TIMESTAMP:
        return ClockRefusedError(f"Binance refused this machine's time: {text}")
    if code in _ACCOUNT_CODES:
        return AccountTroubleError(f"Binance: {_REMEDIES[code]} ({code})")
    if status == HTTP_FORBIDDEN and code == 0:
        return TemporaryError("Binance's firewall refused the request (403)", retry_after or 300.0)
    return None

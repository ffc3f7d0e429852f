"""Binance's refusals, turned into what the bot does next. Pure: one answer in, one error out.

Codes and texts: Binance spot API, errors.md. An order is refused only where that is certain;
anything else has an unknown outcome and is looked up.
"""

from __future__ import annotations

import re

from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import (
    AccountTroubleError,
    ClockRefusedError,
    InsufficientBalanceError,
    MarsShotError,
    NotTradableNowError,
    RefusedOrderError,
    TemporaryError,
    UnknownOutcomeError,
)
from marsshot.core.reasons import QuietReason, RefusalReason
from marsshot.exchange.quiet_period import MAX_TROUBLE_SECONDS, RateLimitError

NO_SUCH_ORDER = -2013
ARCHIVED_ORDER = -2026  # canceled or expired more than 90 days ago, with nothing executed
INVALID_SYMBOL = -1121
BAD_TIMESTAMP = -1021

_UNKNOWN_CODES = {-1000, -1001, -1006, -1007, -1008}
_RETRY_LATER_CODES = {-1003, -1015, -1034, -1099}
_ACCOUNT_CODES = {-1002, -1022, -2008, -2014, -2015}  # what each means stands in the catalogue under fault.binance.key
_ACCOUNT_TEXTS = ("action is disabled", "action disabled", "may not place or cancel", "trading is not enabled")
_SMALLEST_ORDER_FILTER = "NOTIONAL"
_CLOSED_TEXT = "Market is closed"
PAUSE_SECONDS = {429: 60.0, 418: 120.0}  # where Binance does not say how long: a minute's limit, the shortest ban
HTTP_FORBIDDEN, HTTP_TEAPOT, HTTP_LEGAL, HTTP_SERVER_ERROR = 403, 418, 451, 500


def order_error(status: int, code: int, text: str, retry_after: float | None = None) -> MarsShotError:
    """Return what a refused or failed order placement means. `code` is 0 where the body had none."""
    if code in _UNKNOWN_CODES or status >= HTTP_SERVER_ERROR or "Duplicate order" in text:
        return UnknownOutcomeError(_response_text(status, code, text))
    shared = _error_of_any_request(status, code, text, retry_after)
    if shared is not None:
        return shared
    told = LocalizedText("fault.exchange.refused_order", text=text, code=code)
    if "insufficient balance" in text:
        return InsufficientBalanceError(told)
    if any(part in text.lower() for part in _ACCOUNT_TEXTS):
        return AccountTroubleError(LocalizedText("fault.exchange.no_trade", text=text, code=code))
    if code < 0:
        return NotTradableNowError(told) if _CLOSED_TEXT in text else RefusedOrderError(told, _refusal_reason(text))
    return UnknownOutcomeError(LocalizedText("fault.exchange.answered_bare", status=status))


def _refusal_reason(text: str) -> RefusalReason:
    """Return what the bot needs to know of a refusal: Binance names the filter, NOTIONAL or the older MIN_NOTIONAL."""
    return RefusalReason.BELOW_MINIMUM if _SMALLEST_ORDER_FILTER in text else RefusalReason.OTHER


def read_error(status: int, code: int, text: str, retry_after: float | None = None) -> MarsShotError:
    """Return what a refused or failed request that changes nothing means."""
    shared = _error_of_any_request(status, code, text, retry_after)
    if shared is not None:
        return shared
    wait = min(retry_after, MAX_TROUBLE_SECONDS) if retry_after else None
    return TemporaryError(_response_text(status, code, text), wait)


def banned_until_ms(text: str) -> int | None:
    """Return the end of a ban, in exchange time, that its text tells: "... IP banned until 1613349180000"."""
    found = re.search(r"banned until (\d{13})\b", text)
    return int(found[1]) if found else None


def _response_text(status: int, code: int, text: str) -> LocalizedText:
    if code:
        return LocalizedText("fault.exchange.answered_with", status=status, code=code, text=text)
    return LocalizedText("fault.exchange.answered", status=status)


def _request_to_wait(status: int, code: int, text: str, retry_after: float | None) -> TemporaryError:
    told = LocalizedText("fault.exchange.asks_to_wait", status=status, code=code, text=text)
    if status not in PAUSE_SECONDS:
        return TemporaryError(told, min(retry_after or MAX_TROUBLE_SECONDS, MAX_TROUBLE_SECONDS))
    reason = QuietReason.BAN if status == HTTP_TEAPOT else QuietReason.RATE_LIMIT
    return RateLimitError(told, retry_after or PAUSE_SECONDS[status], reason)


def _error_of_any_request(status: int, code: int, text: str, retry_after: float | None) -> MarsShotError | None:
    if status == HTTP_LEGAL:
        return AccountTroubleError(LocalizedText("fault.binance.location"))
    if status in PAUSE_SECONDS or code in _RETRY_LATER_CODES:
        return _request_to_wait(status, code, text, retry_after)
    if code == BAD_TIMESTAMP:
        return ClockRefusedError(LocalizedText("fault.exchange.refused_time", text=text))
    if code in _ACCOUNT_CODES:
        return AccountTroubleError(LocalizedText(f"fault.binance.key.{-code}", code=code))
    if status == HTTP_FORBIDDEN and code == 0:
        wait = min(retry_after or MAX_TROUBLE_SECONDS, MAX_TROUBLE_SECONDS)
        return TemporaryError(LocalizedText("fault.exchange.firewall"), wait)
    return None

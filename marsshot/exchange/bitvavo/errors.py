"""Bitvavo's refusals, turned into what the bot does next. Pure: one answer in, one error out.

Codes: docs.bitvavo.com, errors. An order is refused only where that is certain; anything else has an unknown outcome
and is looked up. One and the same number may be a status and a code: 429 is both, and they mean different things.
"""

from __future__ import annotations

from dataclasses import dataclass

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

NO_SUCH_ORDER = 240
UNKNOWN_MARKET = 205  # any parameter that is wrong: of a look-up that asks for nothing else, the market
BAD_TIMESTAMP = 304

_PARAMETER_CODES = frozenset({102, *range(200, 207)})
_RANGE_CODES = frozenset({210, 211, 213, 215, 422, 429})  # 429: too many decimals
_BELOW_MINIMUM_CODES = frozenset({212, 217})
_INSUFFICIENT_BALANCE = 216
_ENGINE_REFUSALS = frozenset({219, 230, 231, *range(234, 240)})
_CLOSED_MARKET_CODES = frozenset(range(423, 427))  # halted, cancel only, auction
_AUCTION_MATCHING = 431
_KEY_CODES = frozenset({*range(300, 304), *range(305, 313)})  # each has its words under fault.bitvavo.key
_ACCOUNT_CODES = frozenset(range(313, 323))
_RATE_CODES = frozenset({103, 104, 105, 110})
_OVERLOADED_CODES = frozenset({107, 111})
_CODES_WITH_WORDS = frozenset({300, 305, 306, 307, 308, 309, 310, 311})

HTTP_BAD_REQUEST, HTTP_FORBIDDEN, HTTP_CONFLICT = 400, 403, 409
HTTP_TOO_MANY, HTTP_UNAVAILABLE = 429, 503
_MINUTE_SECONDS = 60.0  # a limit's, where the answer does not say when it is over
_OVERLOAD_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An answer that is none to the question. code: 0 where its body had none of Bitvavo's form."""

    status: int
    code: int
    text: str
    seconds_to_reset: float | None = None  # of the rate limit, where the answer says


def order_error(refusal: Refusal) -> MarsShotError:
    """Return what the answer to an order means: refused, not now, the account's trouble, or not known."""
    status, code = refusal.status, refusal.code
    if shared := _error_of_any_request(refusal):
        return shared
    if status == HTTP_UNAVAILABLE and code in _OVERLOADED_CODES:
        return TemporaryError(answered(refusal), _OVERLOAD_SECONDS)
    told = LocalizedText("fault.exchange.refused_order", text=refusal.text, code=code)
    is_closed = (status == HTTP_BAD_REQUEST and code in _CLOSED_MARKET_CODES) or (
        status == HTTP_CONFLICT and code == _AUCTION_MATCHING
    )
    if is_closed:
        return NotTradableNowError(told)
    is_refusal = code in (_PARAMETER_CODES | _RANGE_CODES | _BELOW_MINIMUM_CODES | _ENGINE_REFUSALS)
    if status == HTTP_BAD_REQUEST and code == _INSUFFICIENT_BALANCE:
        return InsufficientBalanceError(told)
    if status == HTTP_BAD_REQUEST and is_refusal:
        is_small = code in _BELOW_MINIMUM_CODES
        return RefusedOrderError(told, RefusalReason.BELOW_MINIMUM if is_small else RefusalReason.OTHER)
    return UnknownOutcomeError(answered(refusal))


def read_error(refusal: Refusal) -> MarsShotError:
    """Return what the answer to a request that changes nothing means."""
    if shared := _error_of_any_request(refusal):
        return shared
    if refusal.status == HTTP_FORBIDDEN:
        return TemporaryError(LocalizedText("fault.exchange.firewall"), MAX_TROUBLE_SECONDS)
    return TemporaryError(answered(refusal))


def _error_of_any_request(refusal: Refusal) -> MarsShotError | None:
    """Return what is the same for orders and questions; none of it has executed anything."""
    status, code, text = refusal.status, refusal.code, refusal.text
    if status == HTTP_TOO_MANY or (code in _RATE_CODES and status in {HTTP_BAD_REQUEST, HTTP_FORBIDDEN}):
        told = LocalizedText("fault.exchange.asks_to_wait", status=status, code=code, text=text)
        return RateLimitError(told, refusal.seconds_to_reset or _MINUTE_SECONDS, QuietReason.RATE_LIMIT)
    if status != HTTP_FORBIDDEN:
        return None
    if code == BAD_TIMESTAMP:
        return ClockRefusedError(LocalizedText("fault.exchange.refused_time", text=text))
    if code in _KEY_CODES:
        known = code if code in _CODES_WITH_WORDS else 300
        return AccountTroubleError(LocalizedText(f"fault.bitvavo.key.{known}", code=code, text=text))
    if code in _ACCOUNT_CODES:
        return AccountTroubleError(LocalizedText("fault.exchange.no_trade", text=text, code=code))
    return None


def answered(refusal: Refusal) -> LocalizedText:
    """Return what was answered, in words."""
    if refusal.code:
        return LocalizedText(
            "fault.exchange.answered_with", status=refusal.status, code=refusal.code, text=refusal.text
        )
    return LocalizedText("fault.exchange.answered", status=refusal.status)

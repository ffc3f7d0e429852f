"""The connection to Bitvavo: signed with the exchange's time, quiet when asked, each request over in ten seconds.

Every failure comes out as an error named by what to do next. An order is sent once: nothing is resent here but a
question after a refused clock, and no redirect is followed. Knows no endpoint's meaning.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

import requests
from requests.adapters import BaseAdapter

from marsshot.config.addresses import is_loopback_origin
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import ClockRefusedError, MarsShotError, TemporaryError, UnknownOutcomeError
from marsshot.core.reasons import QuietReason
from marsshot.exchange.bitvavo.errors import NO_SUCH_ORDER, UNKNOWN_MARKET, Refusal, order_error, read_error
from marsshot.exchange.bitvavo.signing import signature
from marsshot.exchange.numbers import UNREADABLE, read_time_ms
from marsshot.exchange.quiet_period import MAX_BAN_SECONDS, QuietPeriod, RateLimitError
from marsshot.infra.bounded_http import BoundedAdapter
from marsshot.infra.clock import Clock

WINDOW_MS = 5000  # Bitvavo executes no order that arrives later than this after its timestamp
TIMEOUT_SECONDS = (5, 9)  # connect, read; how long both may take together: bounded_http.py
_LEAST_WEIGHT_LEFT = 25  # under this, questions wait for the next minute: orders and look-ups find room
_HTTP_OK, _HTTP_NOT_FOUND, _HTTP_BAD_REQUEST = 200, 404, 400
_MAX_TEXT = 200
_PREFIX = "/v2"

Query = Mapping[str, str | int]


class NoSuchOrderError(TemporaryError):
    """240: no order has this id, as far as this server knows now. By itself it proves nothing."""


class WrongParameterError(TemporaryError):
    """205 to a question: in one that asks for a market, there is none of that name."""


class BitvavoConnection:
    """One connection to one account. For one thread at a time."""

    def __init__(
        self,
        *,
        api_key: str,
        api_secret: str,
        base_url: str,
        clock: Clock,
        transport: BaseAdapter | None = None,
        quiet_period: QuietPeriod | None = None,
    ) -> None:
        self._keys = api_key, api_secret
        self._base_url = base_url
        self._session = requests.Session()
        # A proxy of the environment is for the world outside, not for a stand-in on this machine.
        self._session.trust_env = not is_loopback_origin(base_url)
        self._session.mount(base_url, transport or BoundedAdapter())
        self._clock = clock
        self._offset_ms = 0
        self._synced = False
        self.quiet_period = quiet_period or QuietPeriod()
        self.weight_left: int | None = None  # of this minute, as the last answer said

    # ------------------------------------------------------------------ time

    def now_ms(self) -> int:
        """Return the exchange's time by our clock and the last known offset; asks if it was never asked."""
        if not self._synced:
            self.server_ms()
        return self.local_ms() + self._offset_ms

    def server_ms(self) -> int:
        """Ask the exchange for its time and keep the offset. Raises TemporaryError."""
        before = self.local_ms()
        answer = self.read("time")
        try:
            server_ms = read_time_ms(answer["time"])
        except UNREADABLE:
            raise TemporaryError(LocalizedText("fault.exchange.no_time")) from None
        # The answer was true about half-way between request and response.
        self._offset_ms = server_ms - (before + self.local_ms()) // 2
        self._synced = True
        return server_ms

    def local_ms(self) -> int:
        """Return the time by our own clock."""
        return int(self._clock.now().timestamp() * 1000)

    # ------------------------------------------------------------------ requests that change nothing

    def signed(self, path: str, query: Query | None = None) -> Any:
        """Return the answer to a signed question. Raises TemporaryError, AccountTroubleError or StopRequested."""
        self.now_ms()
        try:
            return self.read(path, query, is_signed=True)
        except ClockRefusedError:
            self.server_ms()
            return self.read(path, query, is_signed=True)

    def read(self, path: str, query: Query | None = None, *, is_signed: bool = False) -> Any:
        """Return the answer to a question. Raises TemporaryError (also the two kinds above) or AccountTroubleError.

        Raises StopRequested when the bot is to stop, however long Bitvavo does not answer; nothing may be asked then.
        """
        self._refuse_while_quiet()
        target = f"{_PREFIX}/{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            response = self._clock.wait_for(partial(self._request, "GET", target, b"", is_signed=is_signed))
        except requests.exceptions.RequestException as error:
            raise TemporaryError(LocalizedText("fault.exchange.silent", why=type(error).__name__)) from None
        self._note_weight(response)
        if response.status_code == _HTTP_OK:
            return _content(response)
        refusal = self._refusal(response)
        raise self._noting_wait(_special_error(refusal) or read_error(refusal))

    # ------------------------------------------------------------------ the one request that trades

    def send_order(self, order: Mapping[str, str | int]) -> Any:
        """Send an order once and return the answer. Raises UnknownOutcomeError where it may have executed.

        Its answer is waited for, whoever wants the bot to stop.
        """
        self.now_ms()
        self._refuse_while_quiet()
        body = json.dumps(order, separators=(",", ":")).encode()
        try:
            response = self._request("POST", f"{_PREFIX}/order", body, is_signed=True)
        except requests.exceptions.RequestException as error:
            raise UnknownOutcomeError(LocalizedText("fault.exchange.no_answer", why=type(error).__name__)) from None
        if response.status_code == _HTTP_OK:
            try:
                return _content(response)
            except TemporaryError as error:
                raise UnknownOutcomeError(error.message) from None
        raise self._noting_wait(order_error(self._refusal(response)))

    def _request(self, method: str, target: str, body: bytes, *, is_signed: bool) -> requests.Response:
        headers = {"Accept": "application/json", "User-Agent": "marsshot"}
        if body:
            headers["Content-Type"] = "application/json"
        if is_signed:
            key, secret = self._keys
            moment_ms = self.local_ms() + self._offset_ms
            headers |= {
                "Bitvavo-Access-Key": key,
                "Bitvavo-Access-Timestamp": str(moment_ms),
                "Bitvavo-Access-Window": str(WINDOW_MS),
                "Bitvavo-Access-Signature": signature(secret, moment_ms, method, target, body),
            }
        return self._session.request(
            method,
            self._base_url + target,
            data=body or None,
            headers=headers,
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,  # the key goes to this host and to no other
        )

    # ------------------------------------------------------------------ limits

    def keep_quiet_until(self, moment_ms: int, reason: QuietReason) -> bool:
        """Send nothing before that moment of our clock, if it is not too far off for its reason."""
        return self.quiet_period.extend(moment_ms, reason, self.local_ms())

    def wait_for_weight(self) -> None:
        """Let the minute pass where its weight is nearly used up. For long surveys; raises StopRequested."""
        if self.weight_left is not None and self.weight_left < _LEAST_WEIGHT_LEFT:
            self._clock.sleep(61 - self.now_ms() / 1000 % 60)
            self.weight_left = None

    def refuse_without_weight(self) -> None:
        """Raise TemporaryError where the minute's weight is nearly used up: the rest is for orders and prices."""
        if self.weight_left is not None and self.weight_left < _LEAST_WEIGHT_LEFT:
            self.weight_left = None  # the next answer tells anew
            raise TemporaryError(LocalizedText("fault.exchange.weight_used_up"))

    def _refuse_while_quiet(self) -> None:
        left_ms = self.quiet_period.milliseconds_left(self.local_ms())
        if left_ms > 0:
            raise TemporaryError(LocalizedText("fault.exchange.quiet", seconds=left_ms / 1000), left_ms / 1000)

    def _note_weight(self, response: requests.Response) -> None:
        left = response.headers.get("bitvavo-ratelimit-remaining", "")
        self.weight_left = int(left) if left.isascii() and left.isdigit() else None

    def _seconds_to_reset(self, response: requests.Response) -> float | None:
        """Return how long a rate limit goes on, by the exchange's clock."""
        try:
            reset_ms = read_time_ms(response.headers.get("bitvavo-ratelimit-resetat", ""))
        except UNREADABLE:
            return None
        left = (reset_ms - self.local_ms() - self._offset_ms) / 1000
        return left if left > 0 else None

    def _noting_wait(self, error: MarsShotError) -> MarsShotError:
        """Keep what Bitvavo asked for, or what its trouble is worth, for every request that follows."""
        if isinstance(error, TemporaryError) and error.retry_after_seconds:
            moment_ms = self.local_ms() + int(min(error.retry_after_seconds, MAX_BAN_SECONDS) * 1000)
            reason = error.reason if isinstance(error, RateLimitError) else QuietReason.TROUBLE
            self.keep_quiet_until(moment_ms, reason)
        return error

    def _refusal(self, response: requests.Response) -> Refusal:
        code, text = 0, ""
        try:
            answer = json.loads(response.content)
            if isinstance(answer, dict) and type(found := answer.get("errorCode")) is int:
                code, text = found, str(answer.get("error", ""))[:_MAX_TEXT]
        except (ValueError, RecursionError):
            pass
        return Refusal(
            status=response.status_code, code=code, text=text, seconds_to_reset=self._seconds_to_reset(response)
        )


def _content(response: requests.Response) -> Any:
    """Return what an answer holds; amounts that are no texts keep their digits. Raises TemporaryError."""
    try:
        answer = json.loads(response.content, parse_float=str)
    except (ValueError, RecursionError):
        raise TemporaryError(LocalizedText("fault.exchange.odd_answer")) from None
    if isinstance(answer, dict) and "errorCode" in answer:
        raise TemporaryError(LocalizedText("fault.exchange.odd_answer"))
    return answer


def _special_error(refusal: Refusal) -> TemporaryError | None:
    if refusal.status == _HTTP_NOT_FOUND and refusal.code == NO_SUCH_ORDER:
        return NoSuchOrderError(LocalizedText("fault.exchange.no_order"))
    if refusal.status == _HTTP_BAD_REQUEST and refusal.code == UNKNOWN_MARKET:
        return WrongParameterError(
            LocalizedText("fault.exchange.answered_with", status=400, code=205, text=refusal.text)
        )
    return None

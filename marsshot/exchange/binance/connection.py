"""The connection to Binance: one python-binance client, signed with the exchange's time, quiet when Binance asks.

Every failure comes out as an error named by what to do next; nothing is resent here but a read after -1021.
Knows no endpoint's meaning.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import requests
from requests.adapters import BaseAdapter

from marsshot.config.addresses import is_loopback_origin
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import MarsShotError, TemporaryError, UnknownOutcomeError
from marsshot.core.moments import utc_text
from marsshot.core.reasons import QuietReason
from marsshot.exchange.binance.client import BinanceAPIException, BinanceRequestException, Client
from marsshot.exchange.binance.errors import (
    ARCHIVED_ORDER,
    BAD_TIMESTAMP,
    HTTP_TEAPOT,
    INVALID_SYMBOL,
    NO_SUCH_ORDER,
    banned_until_ms,
    order_error,
    read_error,
)
from marsshot.exchange.numbers import UNREADABLE, read_time_ms
from marsshot.exchange.quiet_period import MAX_BAN_SECONDS, QuietPeriod, RateLimitError
from marsshot.infra.bounded_http import BoundedAdapter
from marsshot.infra.clock import Clock
from marsshot.infra.event_log import log_error

RECV_WINDOW_MS = 5000
TIMEOUT_SECONDS = (5, 9)  # connect, read; how long both may take together: bounded_http.py

# What python-binance 1.0.37 lets through, besides its own, when an answer is not what it should be.
_BROKEN_ANSWER = (BinanceRequestException, *UNREADABLE)


class UnknownPairError(TemporaryError):
    """-1121: one pair of the request does not exist."""


class NoSuchOrderError(TemporaryError):
    """-2013: no order has this id, as far as this server knows now."""


class ArchivedOrderError(TemporaryError):
    """-2026: the order ended long ago with nothing executed."""


class _StaleClockError(TemporaryError):
    """-1021 on a request that changes nothing."""


class BinanceConnection:
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
        self.client = Client(
            api_key or None, api_secret or None, ping=False, requests_params={"timeout": TIMEOUT_SECONDS}
        )
        self.client.API_URL = f"{base_url}/api"
        self.client.MARGIN_API_URL = f"{base_url}/sapi"
        self.client.REQUEST_RECVWINDOW = RECV_WINDOW_MS
        # A proxy of the environment is for the world outside, not for a stand-in on this machine.
        self.client.session.trust_env = not is_loopback_origin(base_url)
        self.client.session.max_redirects = 0  # the key goes to this host and to no other
        self.client.session.mount(base_url, transport or BoundedAdapter())
        self._clock = clock
        self._offset_ms = 0
        self._synced = False
        self.quiet_period = quiet_period or QuietPeriod()

    # ------------------------------------------------------------------ time

    def now_ms(self) -> int:
        """Return the exchange's time by our clock and the last known offset; asks if it was never asked."""
        if not self._synced:
            self.server_ms()
        return self._local_ms() + self._offset_ms

    def server_ms(self) -> int:
        """Ask the exchange for its time and keep the offset. Raises TemporaryError."""
        before = self._local_ms()
        answer = self.read(self.client.get_server_time)
        try:
            server_ms = read_time_ms(answer["serverTime"])
        except UNREADABLE:
            raise TemporaryError(LocalizedText("fault.exchange.no_time")) from None
        # The answer was true about half-way between request and response.
        self._offset_ms = server_ms - (before + self._local_ms()) // 2
        self._synced = True
        return server_ms

    def _local_ms(self) -> int:
        return int(self._clock.now().timestamp() * 1000)

    def _sync_timestamps(self) -> None:
        """Let python-binance, which reads the machine's own clock, sign with the exchange's time."""
        self.client.timestamp_offset = self.now_ms() - int(time.time() * 1000)

    # ------------------------------------------------------------------ requests that change nothing

    def signed(self, call: Callable[..., Any], **parameters: Any) -> Any:
        """Return the answer to a signed read. Raises TemporaryError, AccountTroubleError or StopRequested."""
        self._sync_timestamps()
        try:
            return self.read(call, **parameters)
        except _StaleClockError:
            self.server_ms()
            self._sync_timestamps()
            return self.read(call, **parameters)

    def read(self, call: Callable[..., Any], *arguments: Any, **parameters: Any) -> Any:
        """Return the answer to a read. Raises TemporaryError (also the two kinds above) or AccountTroubleError.

        Raises StopRequested when the bot is to stop, however long Binance does not answer; nothing may be asked then.
        """
        self._refuse_while_quiet()
        try:
            answer = self._clock.wait_for(partial(call, *arguments, **parameters))
        except BinanceAPIException as error:
            status, code, text, wait = self._parsed(error)
            raise self._noting_retry_after(_special_error(code) or read_error(status, code, text, wait)) from None
        except requests.exceptions.RequestException as error:
            raise TemporaryError(LocalizedText("fault.exchange.silent", why=type(error).__name__)) from None
        except _BROKEN_ANSWER:
            raise TemporaryError(LocalizedText("fault.exchange.odd_answer")) from None
        if isinstance(answer, dict) and "msg" in answer and _code(answer) < 0:
            code = _code(answer)
            raise self._noting_retry_after(_special_error(code) or read_error(200, code, str(answer["msg"])))
        return answer

    # ------------------------------------------------------------------ the one request that trades

    def send_order(self, **parameters: str) -> Any:
        """Send an order once and return the answer. Raises UnknownOutcomeError where it may have executed.

        Its answer is waited for, whoever wants the bot to stop.
        """
        self._refuse_while_quiet()
        self._sync_timestamps()
        try:
            answer = self.client.create_order(**parameters)
        except BinanceAPIException as error:
            raise self._noting_retry_after(order_error(*self._parsed(error))) from None
        except requests.exceptions.RequestException as error:
            raise UnknownOutcomeError(LocalizedText("fault.exchange.no_answer", why=type(error).__name__)) from None
        except _BROKEN_ANSWER:
            raise UnknownOutcomeError(LocalizedText("fault.exchange.odd_answer")) from None
        if isinstance(answer, dict) and "code" in answer and "orderId" not in answer:
            raise self._noting_retry_after(order_error(400, _code(answer), str(answer.get("msg", ""))))
        return answer

    def _parsed(self, error: BinanceAPIException) -> tuple[int, int, str, float | None]:
        """Return status, code, text and how long to wait, of python-binance's exception."""
        status, code, text, wait = _parse_exception(error)
        if wait is None and status == HTTP_TEAPOT and (until_ms := banned_until_ms(text)) is not None:
            left_ms = until_ms - self._local_ms() - self._offset_ms
            wait = left_ms / 1000 if left_ms > 0 else None
        return status, code, text, wait

    # ------------------------------------------------------------------ quiet period

    def keep_quiet_until(self, moment_ms: int, reason: QuietReason) -> bool:
        """Send nothing before that moment of our clock, if it is not too far off for its reason."""
        return self.quiet_period.extend(moment_ms, reason, self._local_ms())

    def _refuse_while_quiet(self) -> None:
        left_ms = self.quiet_period.milliseconds_left(self._local_ms())
        if left_ms > 0:
            raise TemporaryError(LocalizedText("fault.exchange.quiet", seconds=left_ms / 1000), left_ms / 1000)

    def _noting_retry_after(self, error: MarsShotError) -> MarsShotError:
        """Keep a Retry-After for every request that follows; a ban is told at once, with its end."""
        if isinstance(error, TemporaryError) and error.retry_after_seconds:
            moment_ms = self._local_ms() + int(min(error.retry_after_seconds, MAX_BAN_SECONDS) * 1000)
            reason = error.reason if isinstance(error, RateLimitError) else QuietReason.TROUBLE
            is_new = self.keep_quiet_until(moment_ms, reason)
            if is_new and reason is QuietReason.BAN:
                until = datetime.fromtimestamp(moment_ms / 1000, UTC)
                log_error("exchange.banned", LocalizedText("log.banned", until=until), until=utc_text(until))
        return error


def _special_error(code: int) -> TemporaryError | None:
    if code == INVALID_SYMBOL:
        return UnknownPairError(LocalizedText("fault.exchange.no_pair"))
    if code == NO_SUCH_ORDER:
        return NoSuchOrderError(LocalizedText("fault.exchange.no_order"))
    if code == ARCHIVED_ORDER:
        return ArchivedOrderError(LocalizedText("fault.exchange.no_order"))
    if code == BAD_TIMESTAMP:
        return _StaleClockError(LocalizedText("fault.exchange.bad_time"))
    return None


def _parse_exception(error: BinanceAPIException) -> tuple[int, int, str, float | None]:
    """Return status, code, text and Retry-After of python-binance's exception."""
    text = "no text" if error.code == 0 else str(error.message)
    headers = getattr(error.response, "headers", None) or {}
    try:
        retry_after = float(headers.get("Retry-After", ""))
        wait = retry_after if 0 < retry_after < float("inf") else None
    except ValueError:
        wait = None
    try:
        code = int(error.code)
    except (TypeError, ValueError):
        code = 0
    return int(error.status_code), code, text, wait


def _code(answer: Mapping[str, Any]) -> int:
    code = answer.get("code")
    return code if isinstance(code, int) else 0

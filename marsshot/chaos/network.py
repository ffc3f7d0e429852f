"""The wire of one simulated machine: requests of the real python-binance client, answered in this process, or not.

Each request may be lost before it arrives, arrive late, be executed and its answer lost, be refused or be answered
with nonsense. The stand-in exchange behind it (`embedded_market`) executes what arrives.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from requests.adapters import BaseAdapter

from embedded_market.binance.api import BinanceApi
from embedded_market.exchange.matching import Exchange
from embedded_market.http_messages import Request
from marsshot.chaos.error_responses import DOUBTFUL, ORDER_REFUSALS, REFUSALS, SILENCES, Answer
from marsshot.chaos.fault_schedule import Fate
from marsshot.chaos.skewed_clock import StrayingClock

ORDER, LOOK_UP, TRADES = ("POST", "/api/v3/order"), ("GET", "/api/v3/order"), ("GET", "/api/v3/myTrades")
TICKER = ("GET", "/api/v3/ticker/price")
CLIENT_WAITS_SECONDS = 12.0
LATEST_EXECUTION_SECONDS = 14.0  # recvWindow and Binance's own limit, less the way there
LONGEST_LAG_SECONDS = 25.0  # until a look-up, or its trades, know of an order


class Wire(BaseAdapter):
    """A requests transport without a network. Keeps what arrived, for the verdict."""

    def __init__(self, binance: BinanceApi, exchange: Exchange, clock: StrayingClock, fate: Fate) -> None:
        super().__init__()
        self._binance = binance
        self._exchange = exchange
        self._clock = clock
        self._fate = fate
        self._late: list[tuple[datetime, datetime, Request]] = []  # executes at, arrived at
        self._known_from: dict[str, datetime] = {}  # by client order id: when look-ups begin to find it
        self._quiet_until: datetime | None = None
        self.sent_orders: Counter[str] = Counter()  # by client order id
        self.impatient = 0  # requests sent while Binance had asked for silence
        self.on_order: Callable[[str], None] = lambda _client_order_id: None

    def new_life(self) -> None:
        """Forget what the last process was told: it cannot have passed it on."""
        self._quiet_until = None

    def close(self) -> None:
        """Do nothing."""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Carry one request to the exchange and its answer back, or let either be lost."""
        arriving = _as_it_arrives(request)
        key = (arriving.method, arriving.path)
        self._fate.step(f"before {arriving.method} {arriving.path}", danger=5 if key == ORDER else 1)
        if key == ORDER:
            client_order_id = parse_qs(arriving.body.decode())["newClientOrderId"][0]
            self.sent_orders[client_order_id] += 1
            self.on_order(client_order_id)
        if self._quiet_until is not None and self._clock.true_now < self._quiet_until and not self._clock.strayed:
            self.impatient += 1
        self._clock.pass_time(0.05)
        if self._fate.chance(0.002):
            self._fate.note("signal", f"SIGTERM during {arriving.method} {arriving.path}")
            self._clock.stop()
        answer = self._answer(arriving, key)
        self._fate.step(f"after {arriving.method} {arriving.path}", danger=5 if key == ORDER else 1)
        if isinstance(answer, Exception):
            raise answer
        if "Retry-After" in answer.headers:
            self._be_quiet(float(answer.headers["Retry-After"]))
        return _response(request, answer)

    # ------------------------------------------------------------------ the exchange's side

    def execute_what_is_late(self, now: datetime) -> None:
        """Execute the orders that were under way for long."""
        due = [order for order in self._late if order[0] <= now]
        self._late = [order for order in self._late if order[0] > now]
        for at, arrived, request in due:
            self._handle(request, arrived)
            self._lag_from(request, at)

    def _handle(self, request: Request, at: datetime) -> Answer:
        self._fate_of_depth()
        response = self._binance.handle(request, at.timestamp())
        return Answer(response.status, response.body, response.headers)

    def _fate_of_depth(self) -> None:
        """Let the market be thin now and then: orders are filled in part and expire."""
        for pair in self._exchange.pairs.values():
            pair.depth = Decimal(150) if self._fate.chance(0.1) else Decimal(20_000_000)

    def _answer(self, request: Request, key: tuple[str, str]) -> Answer | Exception:
        if not self._fate.chance(self._fate.wire_trouble):
            return self._in_time(request, key)
        if key == ORDER:
            return self._order_trouble(request)
        trouble = self._fate.choose(("silence", "refusal", "doubtful", "nonsense"))
        self._fate.note("wire fault", f"{trouble} at {request.method} {request.path}")
        if trouble == "silence":
            return self._silence()
        if trouble == "refusal":
            return self._fate.choose(REFUSALS)
        if trouble == "doubtful":
            return self._fate.choose(DOUBTFUL)
        answer = self._in_time(request, key)
        return self._nonsense(answer) if isinstance(answer, Answer) and key == TICKER else answer

    def _in_time(self, request: Request, key: tuple[str, str]) -> Answer:
        answer = self._handle(request, self._clock.true_now)
        if key == ORDER:
            self._lag_from(request, self._clock.true_now)
            return self._less_said(answer)
        if key in (LOOK_UP, TRADES) and answer.status == 200:  # noqa: PLR2004
            return self._lagging(answer)
        return answer

    def _order_trouble(self, request: Request) -> Answer | Exception:
        kind = self._fate.choose(("refused", "filtered", "lost", "late", "executed", "executed", "doubtful"))
        self._fate.note("order fault", kind)
        if kind == "refused":
            return self._fate.choose(REFUSALS)
        if kind == "filtered":
            return self._fate.choose(ORDER_REFUSALS)
        if kind == "late":
            now = self._clock.true_now
            at = datetime.fromtimestamp(now.timestamp() + self._fate.between(0, LATEST_EXECUTION_SECONDS), now.tzinfo)
            self._late.append((at, now, request))
        elif kind == "executed":
            self._in_time(request, ORDER)
        elif kind == "doubtful" and self._fate.chance(0.5):
            return self._fate.choose(DOUBTFUL)  # not executed
        if self._fate.chance(0.5):
            return self._silence()
        return self._fate.choose(DOUBTFUL)

    def _silence(self) -> Exception:
        kind = self._fate.choose(SILENCES)
        if kind == "time-out":
            self._clock.pass_time(CLIENT_WAITS_SECONDS)
            return requests.exceptions.ReadTimeout("read timed out")
        if kind == "cut":
            return requests.exceptions.ConnectionError("connection aborted")
        return requests.exceptions.ChunkedEncodingError("connection broken")

    def _be_quiet(self, seconds: float) -> None:
        now = self._clock.true_now
        self._quiet_until = datetime.fromtimestamp(now.timestamp() + seconds - 1, now.tzinfo)

    # ------------------------------------------------------------------ answers that say less than the truth

    def _lag_from(self, request: Request, at: datetime) -> None:
        """Let look-ups know nothing of an order for a while."""
        lag = self._fate.between(0, LONGEST_LAG_SECONDS) if self._fate.chance(0.3) else 0.0
        name = parse_qs(request.body.decode())["newClientOrderId"][0]
        self._known_from[name] = datetime.fromtimestamp(at.timestamp() + lag, at.tzinfo)

    def _less_said(self, answer: Answer) -> Answer:
        """Leave the fills out of an order's answer, now and then."""
        if answer.status != 200 or not self._fate.chance(0.1):  # noqa: PLR2004
            return answer
        self._fate.note("order fault", "no fills in the answer")
        row = json.loads(answer.body)
        row.pop("fills", None)
        return Answer(answer.status, json.dumps(row).encode(), answer.headers)

    def _lagging(self, answer: Answer) -> Answer:
        """Let an order be unknown, unfinished, or its trades not all there, while the exchange lags."""
        content = json.loads(answer.body)
        if isinstance(content, list):
            if content and self._fate.chance(0.1):
                self._fate.note("wire fault", "trades lag")
                return Answer(200, json.dumps(content[:-1]).encode())
            return answer
        known_from = self._known_from.get(content["clientOrderId"])
        if known_from is None or self._clock.true_now >= known_from:
            return answer
        self._fate.note("wire fault", "look-up lags")
        if self._fate.chance(0.3):
            return Answer(200, json.dumps(content | {"status": "NEW", "executedQty": "0.00000000"}).encode())
        return Answer(400, b'{"code":-2013,"msg":"Order does not exist."}')

    def _nonsense(self, answer: Answer) -> Answer:
        rows = json.loads(answer.body)
        if not isinstance(rows, list):
            return answer
        for row in rows:
            if self._fate.chance(0.5):
                row["price"] = self._fate.choose(("0", "NaN", "-1", "", None, "Infinity", "1e-90"))
        return Answer(200, json.dumps(rows).encode())


def _as_it_arrives(request: requests.PreparedRequest) -> Request:
    parts = urlsplit(request.url or "")
    body = request.body or b""
    return Request(
        method=str(request.method),
        path=str(parts.path),
        query=str(parts.query),
        headers={name.lower(): str(value) for name, value in request.headers.items()},
        body=body.encode() if isinstance(body, str) else bytes(body),
    )


def _response(request: requests.PreparedRequest, answer: Answer) -> requests.Response:
    response = requests.Response()
    response.status_code = answer.status
    response.headers.update(answer.headers)
    response.encoding = "utf-8"
    response._content = answer.body
    response.request = request
    response.url = request.url or ""
    return response

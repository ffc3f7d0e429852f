"""The network of one simulated machine: requests of the real python-binance client, answered in this process, or not.

Each request may be lost before it arrives, arrive late, be executed and its answer lost, be refused or be answered
with nonsense. The stand-in exchange behind it (`embedded_market`) executes what arrives.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qs

import requests

from embedded_market.binance.api import BinanceApi
from embedded_market.exchange.matching import Exchange
from embedded_market.http_messages import Request
from marsshot.chaos.error_responses import (
    AMBIGUOUS_RESPONSES,
    CONNECTION_FAILURES,
    ORDER_REJECTIONS,
    REJECTIONS,
    HttpAnswer,
)
from marsshot.chaos.fault_schedule import FaultSchedule
from marsshot.chaos.price_lies import PriceLies
from marsshot.chaos.skewed_clock import SkewedClock

ORDER, QUERY_ORDER, TRADES = ("POST", "/api/v3/order"), ("GET", "/api/v3/order"), ("GET", "/api/v3/myTrades")
TICKER = ("GET", "/api/v3/ticker/price")
CLIENT_TIMEOUT_SECONDS = 12.0
LATEST_EXECUTION_SECONDS = 14.0  # recvWindow and Binance's own limit, less the way there
WICKS = (Decimal("0.05"), Decimal("0.3"), Decimal(4), Decimal(12))  # times the true price, on Binance alone
CALM_AFTER_A_WICK = timedelta(hours=1)
MAX_LAG_SECONDS = 25.0  # until a look-up, or its trades, know of an order


class SimulatedTransport:
    """A network that is none. Keeps what arrived, for the invariants."""

    def __init__(
        self,
        binance: BinanceApi,
        exchange: Exchange,
        clock: SkewedClock,
        fault_schedule: FaultSchedule,
        price_lies: PriceLies,
    ) -> None:
        self._binance = binance
        self._exchange = exchange
        self._clock = clock
        self._faults = fault_schedule
        self._price_lies = price_lies
        self._delayed_orders: list[tuple[datetime, datetime, Request]] = []  # executes at, arrived at
        self._visible_from: dict[str, datetime] = {}  # by client order id: when look-ups begin to find it
        self._backoff_until: datetime | None = None
        self._last_wick: dict[str, datetime] = {}  # by pair: when Binance last printed nonsense for one look
        self.sent_orders: Counter[str] = Counter()  # by client order id
        self.requests_during_backoff = 0  # requests sent while Binance had asked for silence
        self.on_wick: Callable[[str], None] = lambda _symbol: None
        self.is_looked_at_again: Callable[[], bool] = lambda: False  # by the bot, which then goes by what it sees
        self.on_order_sent: Callable[[str], None] = lambda _client_order_id: None

    def start_anew(self) -> None:
        """Forget what the last process was told: it cannot have passed it on."""
        self._backoff_until = None

    def send(self, arriving: Request) -> requests.Response:
        """Carry one request to the exchange and its answer back, or let either be lost."""
        key = (arriving.method, arriving.path)
        self._faults.crash_point(f"before {arriving.method} {arriving.path}", weight=5 if key == ORDER else 1)
        if key == ORDER:
            client_order_id = parse_qs(arriving.body.decode())["newClientOrderId"][0]
            self.sent_orders[client_order_id] += 1
            self.on_order_sent(client_order_id)
        if (
            self._backoff_until is not None
            and self._clock.true_now < self._backoff_until
            and not self._clock.was_ever_skewed
        ):
            self.requests_during_backoff += 1
        self._clock.advance(0.05)
        if self._faults.chance(0.002):
            self._faults.record_event("signal", f"SIGTERM during {arriving.method} {arriving.path}")
            self._clock.stop()
        answer = self._answer(arriving, key)
        self._faults.crash_point(f"after {arriving.method} {arriving.path}", weight=5 if key == ORDER else 1)
        if isinstance(answer, Exception):
            raise answer
        if "Retry-After" in answer.headers:
            self._start_backoff(float(answer.headers["Retry-After"]))
        return _response(answer)

    # ------------------------------------------------------------------ the exchange's side

    def execute_delayed_orders(self, now: datetime) -> None:
        """Execute the orders that were under way for long."""
        due = [order for order in self._delayed_orders if order[0] <= now]
        self._delayed_orders = [order for order in self._delayed_orders if order[0] > now]
        for at, arrived, request in due:
            self._handle(request, arrived)
            self._delay_visibility(request, at)

    def _handle(self, request: Request, at: datetime) -> HttpAnswer:
        self._vary_depth()
        response = self._binance.handle(request, at.timestamp())
        return HttpAnswer(response.status, response.body, response.headers)

    def _vary_depth(self) -> None:
        """Let the market be thin now and then: orders are filled in part and expire."""
        for pair in self._exchange.pairs.values():
            pair.depth = Decimal(150) if self._faults.chance(0.1) else Decimal(20_000_000)

    def _answer(self, request: Request, key: tuple[str, str]) -> HttpAnswer | Exception:
        if not self._faults.chance(self._faults.network_fault_rate):
            return self._answer_promptly(request, key)
        if key == ORDER:
            return self._order_fault(request)
        trouble = self._faults.choose(("silence", "refusal", "doubtful", "nonsense"))
        self._faults.record_event("wire fault", f"{trouble} at {request.method} {request.path}")
        if trouble == "silence":
            return self._connection_failure()
        if trouble == "refusal":
            return self._faults.choose(REJECTIONS)
        if trouble == "doubtful":
            return self._faults.choose(AMBIGUOUS_RESPONSES)
        answer = self._answer_promptly(request, key)
        return self._garbled_prices(answer) if isinstance(answer, HttpAnswer) and key == TICKER else answer

    def _answer_promptly(self, request: Request, key: tuple[str, str]) -> HttpAnswer:
        answer = self._handle(request, self._clock.true_now)
        if key == ORDER:
            self._delay_visibility(request, self._clock.true_now)
            return self._drop_fills_sometimes(answer)
        if key in (QUERY_ORDER, TRADES) and answer.status == 200:  # noqa: PLR2004
            return self._stale_answer(answer)
        return answer

    def _order_fault(self, request: Request) -> HttpAnswer | Exception:
        kind = self._faults.choose(("refused", "filtered", "lost", "late", "executed", "executed", "doubtful"))
        self._faults.record_event("order fault", kind)
        if kind == "refused":
            return self._faults.choose(REJECTIONS)
        if kind == "filtered":
            return self._faults.choose(ORDER_REJECTIONS)
        if kind == "late":
            now = self._clock.true_now
            at = datetime.fromtimestamp(now.timestamp() + self._faults.between(0, LATEST_EXECUTION_SECONDS), now.tzinfo)
            self._delayed_orders.append((at, now, request))
        elif kind == "executed":
            self._answer_promptly(request, ORDER)
        elif kind == "doubtful" and self._faults.chance(0.5):
            return self._faults.choose(AMBIGUOUS_RESPONSES)  # not executed
        if self._faults.chance(0.5):
            return self._connection_failure()
        return self._faults.choose(AMBIGUOUS_RESPONSES)

    def _connection_failure(self) -> Exception:
        kind = self._faults.choose(CONNECTION_FAILURES)
        if kind == "time-out":
            self._clock.advance(CLIENT_TIMEOUT_SECONDS)
            return requests.exceptions.ReadTimeout("read timed out")
        if kind == "cut":
            return requests.exceptions.ConnectionError("connection aborted")
        return requests.exceptions.ChunkedEncodingError("connection broken")

    def _start_backoff(self, seconds: float) -> None:
        now = self._clock.true_now
        self._backoff_until = datetime.fromtimestamp(now.timestamp() + seconds - 1, now.tzinfo)

    # ------------------------------------------------------------------ answers that say less than the truth

    def _delay_visibility(self, request: Request, at: datetime) -> None:
        """Let look-ups know nothing of an order for a while."""
        lag = self._faults.between(0, MAX_LAG_SECONDS) if self._faults.chance(0.3) else 0.0
        name = parse_qs(request.body.decode())["newClientOrderId"][0]
        self._visible_from[name] = datetime.fromtimestamp(at.timestamp() + lag, at.tzinfo)

    def _drop_fills_sometimes(self, answer: HttpAnswer) -> HttpAnswer:
        """Leave the fills out of an order's answer, now and then."""
        if answer.status != 200 or not self._faults.chance(0.1):  # noqa: PLR2004
            return answer
        self._faults.record_event("order fault", "no fills in the answer")
        row = json.loads(answer.body)
        row.pop("fills", None)
        return HttpAnswer(answer.status, json.dumps(row).encode(), answer.headers)

    def _stale_answer(self, answer: HttpAnswer) -> HttpAnswer:
        """Let an order be unknown, unfinished, or its trades not all there, while the exchange lags."""
        content = json.loads(answer.body)
        if isinstance(content, list):
            if content and self._faults.chance(0.1):
                self._faults.record_event("wire fault", "trades lag")
                return HttpAnswer(200, json.dumps(content[:-1]).encode())
            return answer
        known_from = self._visible_from.get(content["clientOrderId"])
        if known_from is None or self._clock.true_now >= known_from:
            return answer
        self._faults.record_event("wire fault", "look-up lags")
        if self._faults.chance(0.3):
            return HttpAnswer(200, json.dumps(content | {"status": "NEW", "executedQty": "0.00000000"}).encode())
        return HttpAnswer(400, b'{"code":-2013,"msg":"Order does not exist."}')

    def _garbled_prices(self, answer: HttpAnswer) -> HttpAnswer:
        rows = json.loads(answer.body)
        if not isinstance(rows, list):
            return answer
        for row in rows:
            if self._faults.chance(0.3) and self._may_wick(row["symbol"]):
                row["price"] = str(Decimal(row["price"]) * self._faults.choose(WICKS))
                self._faults.record_event("wick", f"{row['symbol']} at {row['price']}")
            elif self._faults.chance(0.5):
                row["price"] = self._faults.choose(("0", "NaN", "-1", "", None, "Infinity", "1e-90"))
        return HttpAnswer(200, json.dumps(rows).encode())

    def _may_wick(self, pair: str) -> bool:
        """Return whether a pair's price may be nonsense now: for one look, not for the second one that follows."""
        if self.is_looked_at_again():
            return False
        now, last = self._clock.true_now, self._last_wick.get(pair)
        if last is not None and now - last < CALM_AFTER_A_WICK:
            return False
        token = pair.removesuffix("USDT")
        if not self._price_lies.try_to_lie(token, "Binance", now):
            return False
        self._last_wick[pair] = now
        self.on_wick(token)
        return True


def _response(answer: HttpAnswer) -> requests.Response:
    response = requests.Response()
    response.status_code = answer.status
    response.headers.update(answer.headers)
    response.encoding = "utf-8"
    response._content = answer.body
    return response

"""The network of one simulated machine: requests of the bot's real client, answered in this process, or not.

Each request may be lost before it arrives, arrive late, be executed and its answer lost, be refused or be answered
with nonsense. The stand-in exchange behind it (`embedded_market`) executes what arrives.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import requests

from embedded_market.http_messages import Request
from marsshot.chaos.fault_schedule import FaultSchedule
from marsshot.chaos.price_lies import PriceLies
from marsshot.chaos.skewed_clock import SkewedClock
from marsshot.chaos.venues.base import HttpAnswer, Venue

CLIENT_TIMEOUT_SECONDS = 9.0  # from byte to byte
CONNECTION_FAILURES = ("time-out", "cut", "truncated", "trickle")
TRICKLED_BYTES = (5, 60, 900)  # of an answer that comes a byte a second
MOST_SECONDS = 10.0  # that a request may take altogether
WICKS = (Decimal("0.05"), Decimal("0.3"), Decimal(4), Decimal(12))  # times the true price, on the exchange alone
CALM_AFTER_A_WICK = timedelta(hours=1)


class SimulatedTransport:
    """A network that is none. Keeps what arrived, for the invariants."""

    def __init__(
        self,
        venue: Venue,
        clock: SkewedClock,
        fault_schedule: FaultSchedule,
        price_lies: PriceLies,
    ) -> None:
        self._venue = venue
        self._clock = clock
        self._faults = fault_schedule
        self._price_lies = price_lies
        self._delayed_orders: list[tuple[datetime, datetime, Request]] = []  # executes at, arrived at
        self._backoff_until: datetime | None = None
        self._last_wick: dict[str, datetime] = {}  # by pair: when the exchange last printed nonsense for one look
        self.sent_orders: Counter[str] = Counter()  # by client order id
        self.vanished_orders: dict[str, tuple[Request, datetime]] = {}  # by client order id; that may still turn up
        self.on_order_vanished: Callable[[], None] = lambda: None
        self.endless_requests = 0  # that took longer than any may
        self._limit_seconds: float | None = None  # of the request that is under way
        self.requests_during_backoff = 0  # requests sent while the exchange had asked for silence
        self.on_wick: Callable[[str, Decimal], None] = lambda _symbol, _price: None
        self.is_looked_at_again: Callable[[], bool] = lambda: False  # by the bot, which then goes by what it sees
        self.on_order_sent: Callable[[str], None] = lambda _client_order_id: None

    def start_anew(self) -> None:
        """Forget what the last process was told: it cannot have passed it on."""
        self._backoff_until = None

    def send(self, arriving: Request, limit_seconds: float | None) -> requests.Response:
        """Carry one request to the exchange and its answer back, or let either be lost."""
        self._limit_seconds = limit_seconds
        is_order = arriving.method == "POST"
        self._faults.crash_point(f"before {arriving.method} {arriving.path}", weight=5 if is_order else 1)
        if is_order:
            client_order_id = self._venue.order_id_in(arriving)
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
        answer = self._answer(arriving, is_order=is_order)
        self._faults.crash_point(f"after {arriving.method} {arriving.path}", weight=5 if is_order else 1)
        if isinstance(answer, Exception):
            raise answer
        silence = self._venue.seconds_of_silence(answer, self._clock.true_now)
        if silence is not None and not self._clock.stopping:  # else it ends, and has not heard of it
            self._start_backoff(silence)
        return _response(answer)

    # ------------------------------------------------------------------ the exchange's side

    def execute_delayed_orders(self, now: datetime) -> None:
        """Execute the orders that were under way for long."""
        if not self._delayed_orders:
            return
        due = [order for order in self._delayed_orders if order[0] <= now]
        self._delayed_orders = [order for order in self._delayed_orders if order[0] > now]
        for at, arrived, request in due:
            self._execute(request, arrived)
            self._venue.note_order(request, at)

    def let_turn_up(self, client_order_id: str) -> None:
        """Let the exchange have executed an order after all, when it was sent."""
        self._faults.record_event("order fault", f"{client_order_id} turns up")
        self._execute(*self.vanished_orders.pop(client_order_id))

    def _execute(self, order: Request, at: datetime) -> HttpAnswer:
        self._venue.vary_depth()
        return self._venue.handle(order, at)

    def _answer(self, request: Request, *, is_order: bool) -> HttpAnswer | Exception:
        if not self._faults.chance(self._faults.network_fault_rate):
            return self._answer_promptly(request, is_order=is_order)
        if is_order:
            return self._order_fault(request)
        trouble = self._faults.choose(("silence", "refusal", "doubtful", "nonsense"))
        self._faults.record_event("wire fault", f"{trouble} at {request.method} {request.path}")
        if trouble == "silence":
            return self._connection_failure()
        if trouble == "refusal":
            return self._rejection()
        if trouble == "doubtful":
            return self._faults.choose(self._venue.ambiguous_responses)
        answer = self._answer_promptly(request, is_order=False)
        return self._garbled_prices(answer) if request.path == self._venue.prices_path else answer

    def _answer_promptly(self, request: Request, *, is_order: bool) -> HttpAnswer:
        now = self._clock.true_now
        if is_order:
            answer = self._execute(request, now)
            self._venue.note_order(request, now)
        else:
            answer = self._venue.handle(request, now)
        return self._venue.with_less_than_the_truth(request, answer, now)

    def _rejection(self) -> HttpAnswer:
        return self._venue.dated(self._faults.choose(self._venue.rejections), self._clock.true_now)

    def _order_fault(self, request: Request) -> HttpAnswer | Exception:
        kind = self._faults.choose(("refused", "filtered", "lost", "late", "late", "executed", "executed", "doubtful"))
        self._faults.record_event("order fault", kind)
        if kind == "refused":
            return self._rejection()
        if kind == "filtered":
            return self._faults.choose(self._venue.order_rejections)
        if kind == "late":
            now = self._clock.true_now
            at = datetime.fromtimestamp(
                now.timestamp() + self._faults.between(0, self._venue.latest_execution_seconds), now.tzinfo
            )
            self._delayed_orders.append((at, now, request))
        elif kind == "lost" and self._venue.orders_may_turn_up and self._faults.chance(0.5):
            self.vanished_orders[self._venue.order_id_in(request)] = request, self._clock.true_now
            self.on_order_vanished()
        elif kind == "executed":
            self._answer_promptly(request, is_order=True)
        elif kind == "doubtful" and self._faults.chance(0.5):
            return self._faults.choose(self._venue.ambiguous_responses)  # not executed
        if self._faults.chance(0.5):
            return self._connection_failure()
        return self._faults.choose(self._venue.ambiguous_responses)

    def _connection_failure(self) -> Exception:
        kind = self._faults.choose(CONNECTION_FAILURES)
        if kind in ("time-out", "trickle"):
            lasts = CLIENT_TIMEOUT_SECONDS if kind == "time-out" else float(self._faults.choose(TRICKLED_BYTES))
            self._faults.record_event("wire fault", f"{kind}, {lasts:g} s")
            self._clock.advance(took := min(lasts, self._limit_seconds or lasts))
            self.endless_requests += took > MOST_SECONDS
            return requests.exceptions.ReadTimeout("read timed out")
        if kind == "cut":
            return requests.exceptions.ConnectionError("connection aborted")
        return requests.exceptions.ChunkedEncodingError("connection broken")

    def _start_backoff(self, seconds: float) -> None:
        now = self._clock.true_now
        self._backoff_until = datetime.fromtimestamp(now.timestamp() + seconds - 1, now.tzinfo)

    def _garbled_prices(self, answer: HttpAnswer) -> HttpAnswer:
        rows = json.loads(answer.body)
        if not isinstance(rows, list):
            return answer
        for row in rows:
            if self._faults.chance(0.3) and self._may_wick(row[self._venue.pair_key]):
                wick = Decimal(row["price"]) * self._faults.choose(WICKS)
                row["price"] = str(wick)
                self.on_wick(self._venue.token(row[self._venue.pair_key]), wick)
                self._faults.record_event("wick", f"{row[self._venue.pair_key]} at {row['price']}")
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
        token = self._venue.token(pair)
        if not self._price_lies.try_to_lie(token, self._venue.exchange, now):
            return False
        self._last_wick[pair] = now
        return True


def _response(answer: HttpAnswer) -> requests.Response:
    response = requests.Response()
    response.status_code = answer.status
    response.headers.update(answer.headers)
    response.encoding = "utf-8"
    response._content = answer.body
    return response

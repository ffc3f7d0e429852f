"""Bitvavo in a simulation: the stand-in of `embedded_market` behind the bot's real connection, euros and all."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from embedded_market.bitvavo.api import BitvavoApi
from embedded_market.bitvavo.engine import OrderFill, OrderRecord, OrderRequest
from embedded_market.bitvavo.markets import EUR_USD, STATUSES, Market
from embedded_market.http_messages import Request
from embedded_market.market_data.price_board import PriceBoard
from marsshot.chaos.delayed_responses import EXCHANGE, DelayedResponses
from marsshot.chaos.direct_session import DirectSession
from marsshot.chaos.fault_schedule import FaultSchedule
from marsshot.chaos.venues import bitvavo_answers
from marsshot.chaos.venues.base import DEEP_MARKET, KEY, SECRET, THIN_MARKET, URL, HttpAnswer, Venue, VenueOrder
from marsshot.core.reasons import OrderReason
from marsshot.exchange.base import Exchange, PricesCallback
from marsshot.exchange.bitvavo.exchange import BitvavoExchange
from marsshot.exchange.bitvavo.order_ids import new_order_id
from marsshot.infra.clock import Clock

OPERATOR_ID, OWNERS_OPERATOR_ID = 4_711, 815
USUAL_LAG_MS = 300  # until a look-up knows of an order
LONGEST_LOOK_UP_LAG_MS, LONGEST_LIST_LAG_MS, LONGEST_FILL_LAG_MS = 12_000.0, 25_000.0, 10_000.0
SILENCE_MS = 40_000
THIN_BOOK_WIDTH = 400  # so far apart, the levels are stopped at by the market protection
ZERO = Decimal(0)
_TOO_MANY = 429
_RESET = "bitvavo-ratelimit-resetat"


class SimulatedBitvavo(BitvavoExchange):
    """Bitvavo, asked for prices at once; the answer comes at once or delayed. Ids are drawn from the run's seed."""

    def __init__(self, session: DirectSession, delayed_responses: DelayedResponses, clock: Clock, seed: int) -> None:
        super().__init__(api_key=KEY, api_secret=SECRET, base_url=URL, clock=clock, operator_id=lambda: OPERATOR_ID)
        session.stand_for(self._connection._session)
        self._connection._session = session
        self.delayed_responses = delayed_responses
        self._draw = FaultSchedule(seed).below

    def new_order_id(self, serial: int, reason: OrderReason) -> str:
        """Return a UUID that was never used."""
        return new_order_id(OPERATOR_ID, serial, reason, lambda bits: self._draw(1 << bits))

    def request_prices(self, pairs: Collection[str], callback: PricesCallback) -> None:
        """Ask for the last prices; `callback` is told them, or why there are none, at once or later."""
        super().request_prices(pairs, lambda said: self.delayed_responses.schedule(EXCHANGE, partial(callback, said)))


class BitvavoVenue(Venue):
    """One account at Bitvavo."""

    exchange = "bitvavo"
    money = "EUR"
    prices_path, order_path, pair_key = "/v2/ticker/price", "/v2/order", "market"
    orders_may_turn_up = True
    shows_lent_coins, parts_lent = False, (1,)  # half of them gone, unseen, may look like an exchange of coins
    closed_statuses = tuple(status for status in STATUSES if status != "trading")
    latest_execution_seconds = 7.0  # the window, and what may pass behind it: after eight seconds it is looked up
    order_rejections = bitvavo_answers.ORDER_REJECTIONS
    rejections = bitvavo_answers.REJECTIONS
    ambiguous_responses = bitvavo_answers.AMBIGUOUS_RESPONSES

    def __init__(
        self, board: PriceBoard, fault_schedule: FaultSchedule, tokens: Iterable[str], capital: Decimal
    ) -> None:
        self._board = board
        self._faults = fault_schedule
        self._api = BitvavoApi(board, {self.money: capital}, (KEY, SECRET))
        self._engine = self._api.engine
        self._engine.markets = {self.pair(token): self._market(token) for token in tokens}
        self.free = self._engine.free

    def _market(self, token: str) -> Market:
        return Market(
            self.pair(token),
            token,
            min_base=self._faults.choose((Decimal("0.01"), Decimal(2))),
            quantity_decimals=self._faults.choose((0, 2, 8)),
            max_base=Decimal(self._faults.choose((150, 3_000_000, 3_000_000))),
        )

    # ------------------------------------------------------------------ the market

    def pair(self, token: str) -> str:
        """Return what Bitvavo calls a token's market."""
        return f"{token}-{self.money}"

    def token(self, pair: str) -> str:
        """Return the token of a market."""
        return pair.partition("-")[0]

    def price(self, token: str) -> Decimal:
        """Return the true price in euros."""
        return self._api.price_of(self._engine.markets[self.pair(token)], 0)

    def set_price(self, token: str, price: Decimal) -> None:
        """Let this be the true price from now on: the recorded market is one of dollars."""
        self._board.set_price(token, format(price * EUR_USD, "f"))

    def lot_step(self, token: str) -> Decimal:
        """Return the step of the quantities of a token."""
        return Decimal(1).scaleb(-self._engine.markets[self.pair(token)].quantity_decimals)

    def most_at_once(self, token: str) -> Decimal:
        """Return the largest quantity of one order."""
        return self._engine.markets[self.pair(token)].max_base

    def least_at_once(self, token: str) -> Decimal:
        """Return the smallest quantity of one order."""
        return self._engine.markets[self.pair(token)].min_base

    def close_market(self, token: str) -> None:
        """Let no order of a token be taken, until `open_market`."""
        self._engine.markets[self.pair(token)].status = self._faults.choose(self.closed_statuses)

    def open_market(self, token: str) -> None:
        """Let orders of a token be taken again."""
        self._engine.markets[self.pair(token)].status = "trading"

    def vary_depth(self) -> None:
        """Let the market be thin now and then: orders expire, or the market protection stops them half-way."""
        for market in self._engine.markets.values():
            market.depth = THIN_MARKET if self._faults.chance(0.1) else DEEP_MARKET
            market.width = THIN_BOOK_WIDTH if self._faults.chance(0.1) else 1

    # ------------------------------------------------------------------ the account

    def orders(self) -> list[VenueOrder]:
        """Return every order that was taken, oldest first."""
        return [_told(order) for order in self._engine.orders if order.request.operator_id == OPERATOR_ID]

    def find(self, pair: str, client_order_id: str) -> VenueOrder | None:
        """Return an order."""
        order = self._engine.find(pair, None, client_order_id)
        return None if order is None else _told(order)

    def pay_fees_in_coin(self) -> None:
        """Do nothing: fees are taken in euros, always."""

    def lent(self, token: str) -> Decimal:
        """Return how many coins are in fixed staking."""
        return self._engine.staked.get(token, ZERO)

    def lend(self, token: str, amount: Decimal) -> None:
        """Move coins to fixed staking, which no balance shows; under 0: take them back."""
        self.free[token] -= amount
        self._engine.staked[token] = self.lent(token) + amount

    def note_owners_order(self, token: str, amount: Decimal, cost: Decimal, now: datetime) -> None:
        """Let the lists tell of an order that the owner has placed, by hand or with another program of his."""
        faults, now_ms = self._faults, int(now.timestamp() * 1000)
        name = faults.choose((None, str(UUID(int=faults.below(1 << 128), version=4))))
        request = OrderRequest(
            market=self.pair(token),
            is_buy=amount > 0,
            operator_id=OWNERS_OPERATOR_ID,
            client_order_id=name,
            amount=abs(amount),
        )
        fill = OrderFill(str(UUID(int=faults.below(1 << 128), version=4)), cost / abs(amount), abs(amount), ZERO)
        order_id = str(UUID(int=faults.below(1 << 128), version=4))
        record = OrderRecord(request=request, order_id=order_id, created_ms=now_ms, status="filled", fills=(fill,))
        self._engine.orders.append(record)

    # ------------------------------------------------------------------ requests and answers

    def handle(self, request: Request, now: datetime) -> HttpAnswer:
        """Let a request reach Bitvavo at a moment, and return the true answer."""
        response = self._api.handle(request, now.timestamp())
        return HttpAnswer(response.status, response.body, response.headers)

    def order_id_in(self, order: Request) -> str:
        """Return the client order id of an order that is sent."""
        return str(json.loads(order.body)["clientOrderId"])

    def note_order(self, order: Request, at: datetime) -> None:
        """Let look-ups, lists and fills lag behind the orders of the last seconds, each by itself."""
        engine, faults = self._engine, self._faults
        engine.look_up_lag_ms = max(USUAL_LAG_MS, self._lag(LONGEST_LOOK_UP_LAG_MS))
        engine.list_lag_ms = self._lag(LONGEST_LIST_LAG_MS)
        engine.fill_lag_ms = self._lag(LONGEST_FILL_LAG_MS)
        engine.settling_ms = self._lag(LONGEST_FILL_LAG_MS)
        if any((engine.list_lag_ms, engine.fill_lag_ms, engine.settling_ms)):
            faults.record_event("wire fault", "Bitvavo lags")

    def _lag(self, longest_ms: float) -> int:
        return int(self._faults.between(0, longest_ms)) if self._faults.chance(0.15) else 0

    def with_less_than_the_truth(self, _request: Request, answer: HttpAnswer, _now: datetime) -> HttpAnswer:
        """Return the answer: what lags, the stand-in itself leaves out."""
        return answer

    def dated(self, answer: HttpAnswer, now: datetime) -> HttpAnswer:
        """Return a refusal with the moment at which the limit is over."""
        if answer.status != _TOO_MANY:
            return answer
        return HttpAnswer(answer.status, answer.body, {_RESET: str(round(now.timestamp() * 1000) + SILENCE_MS)})

    def seconds_of_silence(self, answer: HttpAnswer, now: datetime) -> float | None:
        """Return for how long an answer asks for no more requests."""
        return int(answer.headers[_RESET]) / 1000 - now.timestamp() if answer.status == _TOO_MANY else None

    # ------------------------------------------------------------------ the bot's side

    def settings(self) -> dict[str, Any]:
        """Return what stands in config.yaml of Bitvavo."""
        keys = {"api_key": KEY, "api_secret": SECRET, "base_url": URL, "operator_id": OPERATOR_ID}
        return {"exchange": self.exchange, "quote_asset": self.money, "bitvavo": keys}

    def connect(self, session: DirectSession, delayed_responses: DelayedResponses, clock: Clock) -> Exchange:
        """Return Bitvavo as one process of the bot sees it."""
        return SimulatedBitvavo(session, delayed_responses, clock, self._faults.below(1 << 32))


def _told(order: OrderRecord) -> VenueOrder:
    return VenueOrder(
        client_order_id=order.request.client_order_id or "",
        is_buy=order.request.is_buy,
        base=order.filled,
        quote=order.filled_quote,
        fees={BitvavoVenue.money: order.fee} if order.fee else {},
    )

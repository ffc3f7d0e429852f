"""Binance in a simulation: the stand-in of `embedded_market` behind the bot's real python-binance client."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from embedded_market.binance.api import BinanceApi
from embedded_market.exchange.matching import Exchange as Account
from embedded_market.exchange.orders import Order
from embedded_market.exchange.pair_rules import PairRules
from embedded_market.http_messages import Request
from embedded_market.market_data.price_board import PriceBoard
from marsshot.chaos.delayed_responses import EXCHANGE, DelayedResponses
from marsshot.chaos.direct_session import DirectSession
from marsshot.chaos.fault_schedule import FaultSchedule
from marsshot.chaos.venues import binance_answers
from marsshot.chaos.venues.base import DEEP_MARKET, KEY, SECRET, THIN_MARKET, URL, HttpAnswer, Venue, VenueOrder
from marsshot.exchange.base import Exchange, PricesCallback
from marsshot.exchange.binance.exchange import BinanceExchange
from marsshot.infra.clock import Clock

MAX_LAG_SECONDS = 25.0  # until a look-up, or its trades, know of an order
_OK = 200
_LOOK_UPS = ("/api/v3/order", "/api/v3/myTrades")


class SimulatedBinance(BinanceExchange):
    """Binance, asked for prices at once; the answer comes at once or delayed."""

    def __init__(self, session: DirectSession, delayed_responses: DelayedResponses, clock: Clock) -> None:
        super().__init__(api_key=KEY, api_secret=SECRET, base_url=URL, clock=clock)
        session.stand_for(self._client.session)
        self._client.session = session
        self.delayed_responses = delayed_responses

    def request_prices(self, pairs: Collection[str], callback: PricesCallback) -> None:
        """Ask for the last prices; `callback` is told them, or why there are none, at once or later."""
        super().request_prices(pairs, lambda said: self.delayed_responses.schedule(EXCHANGE, partial(callback, said)))


class BinanceVenue(Venue):
    """One account at Binance."""

    exchange = "binance"
    money = "USDT"
    prices_path, order_path, pair_key = "/api/v3/ticker/price", "/api/v3/order", "symbol"
    fee_coin = "BNB"
    orders_may_turn_up = False  # with a receive window of five seconds none executes later
    shows_lent_coins, parts_lent = True, (1, 2)
    closed_statuses = ("HALT", "BREAK")
    latest_execution_seconds = 14.0  # recvWindow and Binance's own limit, less the way there
    order_rejections = binance_answers.ORDER_REJECTIONS
    rejections = binance_answers.REJECTIONS
    ambiguous_responses = binance_answers.AMBIGUOUS_RESPONSES

    def __init__(
        self, board: PriceBoard, fault_schedule: FaultSchedule, tokens: Iterable[str], capital: Decimal
    ) -> None:
        self._board = board
        self._faults = fault_schedule
        self._account = Account([self._rules_of(coin) for coin in (*tokens, self.fee_coin)], {self.money: capital})
        self._api = BinanceApi(board, self._account, (KEY, SECRET))
        self._visible_from: dict[str, datetime] = {}  # by client order id: when look-ups begin to find it
        self.free = self._account.free

    def _rules_of(self, coin: str) -> PairRules:
        step = self._faults.choose((Decimal(1), Decimal("0.01"), Decimal("0.001")))
        return PairRules(
            symbol=self.pair(coin),
            base=coin,
            quote=self.money,
            tick=Decimal("0.0001"),
            lot_step=step,
            max_quantity=step * 900_000_000,
            max_market_quantity=Decimal(self._faults.choose((150, 3_000_000, 3_000_000))),
            min_notional=Decimal(self._faults.choose((5, 10))),
            legacy_notional=self._faults.choose((True, False)),
        )

    # ------------------------------------------------------------------ the market

    def pair(self, token: str) -> str:
        """Return what Binance calls a token's pair."""
        return f"{token}{self.money}"

    def token(self, pair: str) -> str:
        """Return the token of a pair."""
        return pair.removesuffix(self.money)

    def price(self, token: str) -> Decimal:
        """Return the true price."""
        return self._board.price(token, 0)

    def set_price(self, token: str, price: Decimal) -> None:
        """Let this be the true price from now on."""
        self._board.set_price(token, format(price, "f"))

    def lot_step(self, token: str) -> Decimal:
        """Return the step of the quantities of a token."""
        return self._account.pairs[self.pair(token)].rules.lot_step

    def most_at_once(self, token: str) -> Decimal:
        """Return the largest quantity of one order."""
        return self._account.pairs[self.pair(token)].rules.max_market_quantity

    def least_at_once(self, token: str) -> Decimal:
        """Return the smallest quantity of one order."""
        return self.lot_step(token)

    def close_market(self, token: str) -> None:
        """Let no order of a token be taken, until `open_market`."""
        self._account.pairs[self.pair(token)].status = self._faults.choose(self.closed_statuses)

    def open_market(self, token: str) -> None:
        """Let orders of a token be taken again."""
        self._account.pairs[self.pair(token)].status = "TRADING"

    def vary_depth(self) -> None:
        """Let the market be thin now and then: orders are filled in part and expire."""
        for pair in self._account.pairs.values():
            pair.depth = THIN_MARKET if self._faults.chance(0.1) else DEEP_MARKET

    # ------------------------------------------------------------------ the account

    def orders(self) -> list[VenueOrder]:
        """Return every order that was taken, oldest first."""
        return [_told(order) for order in self._account.orders.values()]

    def find(self, pair: str, client_order_id: str) -> VenueOrder | None:
        """Return an order."""
        order = self._account.find(pair, None, client_order_id)
        return None if order is None else _told(order)

    def pay_fees_in_coin(self) -> None:
        """Take fees in BNB where there is enough of it."""
        self._account.pay_fees_in_bnb = True

    def lent(self, token: str) -> Decimal:
        """Return how many coins lie in Simple Earn."""
        return self.free.get(f"LD{token}", Decimal(0))

    def lend(self, token: str, amount: Decimal) -> None:
        """Move coins to Simple Earn; under 0: take them back."""
        self._account.move_to_earn(token, amount)

    def note_owners_order(self, token: str, amount: Decimal, cost: Decimal, now: datetime) -> None:
        """Do nothing: his orders are told as little as possible here, by the balances alone."""

    # ------------------------------------------------------------------ requests and answers

    def handle(self, request: Request, now: datetime) -> HttpAnswer:
        """Let a request reach Binance at a moment, and return the true answer."""
        response = self._api.handle(request, now.timestamp())
        return HttpAnswer(response.status, response.body, response.headers)

    def order_id_in(self, order: Request) -> str:
        """Return the client order id of an order that is sent."""
        return parse_qs(order.body.decode())["newClientOrderId"][0]

    def note_order(self, order: Request, at: datetime) -> None:
        """Let look-ups know nothing of an order for a while."""
        lag = self._faults.between(0, MAX_LAG_SECONDS) if self._faults.chance(0.3) else 0.0
        self._visible_from[self.order_id_in(order)] = at + timedelta(seconds=lag)

    def with_less_than_the_truth(self, request: Request, answer: HttpAnswer, now: datetime) -> HttpAnswer:
        """Leave fills out of an order's answer; let look-ups lag."""
        if answer.status != _OK:
            return answer
        if request.method == "POST":
            return self._without_fills_sometimes(answer)
        return self._lagging(answer, now) if request.path in _LOOK_UPS else answer

    def _without_fills_sometimes(self, answer: HttpAnswer) -> HttpAnswer:
        if not self._faults.chance(0.1):
            return answer
        self._faults.record_event("order fault", "no fills in the answer")
        row = json.loads(answer.body)
        row.pop("fills", None)
        return HttpAnswer(answer.status, json.dumps(row).encode(), answer.headers)

    def _lagging(self, answer: HttpAnswer, now: datetime) -> HttpAnswer:
        """Let an order be unknown, unfinished, or its trades not all there, while the exchange lags."""
        content = json.loads(answer.body)
        if isinstance(content, list):
            if content and self._faults.chance(0.1):
                self._faults.record_event("wire fault", "trades lag")
                return HttpAnswer(200, json.dumps(content[:-1]).encode())
            return answer
        known_from = self._visible_from.get(content["clientOrderId"])
        if known_from is None or now >= known_from:
            return answer
        self._faults.record_event("wire fault", "look-up lags")
        if self._faults.chance(0.3):
            return HttpAnswer(200, json.dumps(content | {"status": "NEW", "executedQty": "0.00000000"}).encode())
        return HttpAnswer(400, b'{"code":-2013,"msg":"Order does not exist."}')

    def seconds_of_silence(self, answer: HttpAnswer, _now: datetime) -> float | None:
        """Return for how long an answer asks for no more requests."""
        return float(answer.headers["Retry-After"]) if "Retry-After" in answer.headers else None

    # ------------------------------------------------------------------ the bot's side

    def settings(self) -> dict[str, Any]:
        """Return what stands in config.yaml of Binance."""
        return {"binance_api": {"api_key": KEY, "api_secret": SECRET, "base_url": URL}}

    def connect(self, session: DirectSession, delayed_responses: DelayedResponses, clock: Clock) -> Exchange:
        """Return Binance as one process of the bot sees it."""
        return SimulatedBinance(session, delayed_responses, clock)


def _told(order: Order) -> VenueOrder:
    fees: dict[str, Decimal] = defaultdict(Decimal)
    for fill in order.fills:
        if fill.commission:
            fees[fill.commission_asset] += fill.commission
    return VenueOrder(
        client_order_id=order.client_order_id,
        is_buy=order.request.is_buy,
        base=order.executed_quantity,
        quote=order.executed_quote,
        fees=fees,
    )

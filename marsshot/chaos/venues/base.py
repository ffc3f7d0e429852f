"""What a run needs of an exchange: its stand-in, the truth about the account, and how its answers go wrong.

Everything else of a simulation is the same at each of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from embedded_market.http_messages import Request
from marsshot.chaos.delayed_responses import DelayedResponses
from marsshot.chaos.direct_session import DirectSession
from marsshot.config.exchanges import ExchangeName
from marsshot.exchange.base import Exchange
from marsshot.infra.clock import Clock

KEY, SECRET = "k" * 64, "s" * 64
URL = "http://127.0.0.1:9"
ABOVE_ANY_MINIMUM = Decimal(11)  # in quote asset, for any pair's smallest order by its worth
_MARGIN = Decimal("1.2")  # a purchase is shared out by a price that may be a little off
THIN_MARKET, DEEP_MARKET = Decimal(150), Decimal(20_000_000)  # in quote asset: what an order meets


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """One HTTP response, before `requests` has made an object of it."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueOrder:
    """An order as the exchange has it. quote: fees apart; fees: by asset."""

    client_order_id: str
    is_buy: bool
    base: Decimal
    quote: Decimal
    fees: Mapping[str, Decimal]

    def spent(self, money: str) -> Decimal:
        """Return what a purchase has taken of this asset, its fee too where it was taken in it."""
        return self.quote + self.fees.get(money, Decimal(0))


class Venue(ABC):
    """One account at one exchange."""

    exchange: ClassVar[ExchangeName]
    money: ClassVar[str]  # the quote asset
    prices_path: ClassVar[str]
    order_path: ClassVar[str]
    pair_key: ClassVar[str]  # what a row of prices calls its pair
    fee_coin: ClassVar[str] = ""  # in which fees can be paid besides
    closed_statuses: ClassVar[Sequence[str]]  # of a market that takes no orders
    latest_execution_seconds: ClassVar[float]  # after it was sent, of an order that is under way for long
    order_rejections: ClassVar[Sequence[HttpAnswer]]  # an order answered so was certainly not executed
    rejections: ClassVar[Sequence[HttpAnswer]]  # any request may be answered so; nothing was executed
    ambiguous_responses: ClassVar[Sequence[HttpAnswer]]  # an order answered so may or may not have been executed
    orders_may_turn_up: ClassVar[bool]  # hours after all look-ups and lists have shown that they were never taken
    shows_lent_coins: ClassVar[bool]  # its balances tell them, under a name of their own
    parts_lent: ClassVar[Sequence[int]]  # of the bot's coins the owner lends so manieth a part
    free: dict[str, Decimal]  # of the account, by asset

    # ------------------------------------------------------------------ the market

    @abstractmethod
    def pair(self, token: str) -> str:
        """Return what the exchange calls a token's pair."""

    @abstractmethod
    def token(self, pair: str) -> str:
        """Return the token of a pair."""

    @abstractmethod
    def price(self, token: str) -> Decimal:
        """Return the true price."""

    @abstractmethod
    def set_price(self, token: str, price: Decimal) -> None:
        """Let this be the true price from now on."""

    @abstractmethod
    def lot_step(self, token: str) -> Decimal:
        """Return the step of the quantities of a token."""

    @abstractmethod
    def most_at_once(self, token: str) -> Decimal:
        """Return the largest quantity of one order."""

    @abstractmethod
    def least_at_once(self, token: str) -> Decimal:
        """Return the smallest quantity of one order."""

    def above_any_minimum(self, token: str) -> Decimal:
        """Return what of a token is surely worth enough for an order now, in quote asset."""
        least = max(self.least_at_once(token), self.lot_step(token))
        return max(ABOVE_ANY_MINIMUM, least * self.price(token) * _MARGIN)

    @abstractmethod
    def close_market(self, token: str) -> None:
        """Let no order of a token be taken, until `open_market`."""

    @abstractmethod
    def open_market(self, token: str) -> None:
        """Let orders of a token be taken again."""

    @abstractmethod
    def vary_depth(self) -> None:
        """Let the market be thin now and then: orders are filled in part."""

    # ------------------------------------------------------------------ the account

    @abstractmethod
    def orders(self) -> list[VenueOrder]:
        """Return every order that was taken, oldest first."""

    @abstractmethod
    def find(self, pair: str, client_order_id: str) -> VenueOrder | None:
        """Return an order."""

    @abstractmethod
    def pay_fees_in_coin(self) -> None:
        """Take fees in `fee_coin` where there is enough of it."""

    @abstractmethod
    def lent(self, token: str) -> Decimal:
        """Return how many coins are lent, or staked."""

    @abstractmethod
    def lend(self, token: str, amount: Decimal) -> None:
        """Lend coins; under 0: take them back."""

    @abstractmethod
    def note_owners_order(self, token: str, amount: Decimal, cost: Decimal, now: datetime) -> None:
        """Let the exchange tell of a trade of the owner's; under 0: he has sold."""

    # ------------------------------------------------------------------ requests and answers

    @abstractmethod
    def handle(self, request: Request, now: datetime) -> HttpAnswer:
        """Let a request reach the exchange at a moment, and return the true answer."""

    @abstractmethod
    def order_id_in(self, order: Request) -> str:
        """Return the client order id of an order that is sent."""

    @abstractmethod
    def note_order(self, order: Request, at: datetime) -> None:
        """Let answers lag behind an order that was executed then, or not."""

    @abstractmethod
    def with_less_than_the_truth(self, request: Request, answer: HttpAnswer, now: datetime) -> HttpAnswer:
        """Return the answer as it comes where the exchange lags, or leaves something out."""

    def dated(self, answer: HttpAnswer, _now: datetime) -> HttpAnswer:
        """Return a refusal with what it says of the present moment."""
        return answer

    @abstractmethod
    def seconds_of_silence(self, answer: HttpAnswer, now: datetime) -> float | None:
        """Return for how long an answer asks for no more requests."""

    # ------------------------------------------------------------------ the bot's side

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Return what stands in config.yaml of this exchange."""

    @abstractmethod
    def connect(self, session: DirectSession, delayed_responses: DelayedResponses, clock: Clock) -> Exchange:
        """Return the exchange as one process of the bot sees it: the real client, its prices at once or delayed."""

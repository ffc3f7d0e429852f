"""Takes the owner's requests from their files, has the book carry them out, and takes the files away.

The book remembers what it has carried out: a request whose file stays is not carried out twice. Sends no order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from decimal import ROUND_DOWN, Decimal

from marsshot.bot.control_files import ControlFiles
from marsshot.core.amounts import ZERO
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import MarsShotError, StopRequested, TemporaryError
from marsshot.core.requests import OF_MONEY, OwnerRequest, RequestAnswer, RequestKind, RequestOutcome
from marsshot.infra.clock import Clock
from marsshot.infra.event_log import log_file_only, log_info, log_warning
from marsshot.portfolio.request_outcomes import NO_MONEY_FACTS, MoneyFacts, with_request_carried_out
from positions_store import Store

_CENT = Decimal("0.01")


class RequestTaker:
    """Of one bot. errors: of the requests that wait, what is in their way, by id."""

    def __init__(
        self, store: Store, control: ControlFiles, clock: Clock, money_facts: Callable[[RequestKind], MoneyFacts]
    ) -> None:
        self._store = store
        self._control = control
        self._clock = clock
        self._money_facts = money_facts
        self._told = set[str]()
        self.errors: dict[str, MarsShotError] = {}

    def carry_out(self, kinds: Collection[RequestKind] = frozenset(RequestKind)) -> bool:
        """Carry out what is asked for of these kinds; return whether a position is to be sold now.

        What cannot be carried out or remembered now is left for the next time, and the other requests go on.
        Raises StopRequested only.
        """
        try:
            requests, unreadable = self._control.owner_requests()
        except OSError as error:
            log_file_only("control.not_read", f"The requests cannot be read now ({error.strerror})")
            self.errors = {}
            return False
        for path in unreadable:
            self._tell_once(str(path), LocalizedText("request.unreadable", path=path))
        there = {request.request_id for request in requests}
        requests = [request for request in requests if request.kind in kinds]
        left = there - {request.request_id for request in requests}
        self.errors = {name: error for name, error in self.errors.items() if name in left}
        wants_sale = False
        for request in requests:
            try:
                wants_sale |= self._carry_out_one(request, there)
            except StopRequested:
                raise
            except MarsShotError as error:
                self.errors[request.request_id] = error
                self._tell_once(f"{request.request_id} {error.message}", error.message)
        return wants_sale

    def _carry_out_one(self, request: OwnerRequest, there: set[str]) -> bool:
        """Return whether it is a sale that was not asked for before. Raises MarsShotError."""
        name, is_new = request.request_id, request.request_id not in self._store.book.answered_requests
        if is_new:
            money = self._money_facts(request.kind) if request.kind in OF_MONEY else NO_MONEY_FACTS
            now = self._clock.now()
            self._store.change(lambda book: with_request_carried_out(book, request, now, there, money))
            self._log(request)
        try:
            self._control.remove_request(name)
        except TemporaryError as error:
            self._tell_once(name, error.message)
        is_done = self._store.book.answered_requests[name].outcome is RequestOutcome.DONE
        return is_new and is_done and request.kind is RequestKind.SELL

    def _log(self, request: OwnerRequest) -> None:
        answer = self._store.book.answered_requests[request.request_id]
        text = answer_text(request, answer, self._store.book.quote_asset)
        log_info("control.request", text, kind=request.kind, outcome=answer.outcome)

    def _tell_once(self, topic: str, sentence: str) -> None:
        log = log_file_only if topic in self._told else log_warning
        self._told.add(topic)
        log("control.request_waits", sentence)


def answer_text(request: OwnerRequest, answer: RequestAnswer, quote_asset: str) -> LocalizedText:
    """Return how a request ended, for people. What could be at most is rounded down: so much is there."""
    key = f"request.{request.kind}.{answer.outcome}"
    if request.amount is None:
        return LocalizedText(key, symbol=request.symbol)
    amount = (answer.amount or ZERO).quantize(_CENT, rounding=ROUND_DOWN)
    return LocalizedText(key, amount=request.amount, capital=amount, asset=quote_asset)

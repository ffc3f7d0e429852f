"""Takes the owner's requests from their files, has the book carry them out, and takes the files away.

The book remembers what it has carried out: a request whose file stays is not carried out twice. Sends no order.
"""

from __future__ import annotations

from marsshot.bot.control_files import ControlFiles
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import TemporaryError
from marsshot.core.requests import OwnerRequest, RequestAnswer, RequestKind, RequestOutcome
from marsshot.infra.clock import Clock
from marsshot.infra.event_log import log_file_only, log_info, log_warning
from marsshot.portfolio.request_outcomes import with_request_carried_out
from positions_store import Store


class RequestTaker:
    """Of one bot."""

    def __init__(self, store: Store, control: ControlFiles, clock: Clock) -> None:
        self._store = store
        self._control = control
        self._clock = clock
        self._told = set[str]()

    def carry_out(self) -> bool:
        """Carry out what is asked for; return whether a position is to be sold now. Never raises MarsShotError.

        What the disk does not let the book remember is left for the next time.
        """
        try:
            requests, unreadable = self._control.owner_requests()
        except OSError as error:
            log_file_only("control.not_read", f"The requests cannot be read now ({error.strerror})")
            return False
        for path in unreadable:
            self._tell_once(str(path), LocalizedText("request.unreadable", path=path))
        there = {request.request_id for request in requests}
        wants_sale = False
        for request in requests:
            try:
                wants_sale |= self._carry_out_one(request, there)
            except TemporaryError as error:
                log_warning("book.not_saved", error.message)
                return wants_sale
        return wants_sale

    def _carry_out_one(self, request: OwnerRequest, there: set[str]) -> bool:
        """Return whether it is a sale that was not asked for before. Raises TemporaryError."""
        name, is_new = request.request_id, request.request_id not in self._store.book.answered_requests
        if is_new:
            now_ms = int(self._clock.now().timestamp() * 1000)
            self._store.change(lambda book: with_request_carried_out(book, request, now_ms, there))
            self._log(request)
        try:
            self._control.remove_request(name)
        except TemporaryError as error:
            self._tell_once(name, error.message)
        is_done = self._store.book.answered_requests[name].outcome is RequestOutcome.DONE
        return is_new and is_done and request.kind is RequestKind.SELL

    def _log(self, request: OwnerRequest) -> None:
        answer = self._store.book.answered_requests[request.request_id]
        text = answer_text(request, answer)
        log_info("control.request", text, kind=request.kind, outcome=answer.outcome, symbol=request.symbol)

    def _tell_once(self, topic: str, sentence: str) -> None:
        log = log_file_only if topic in self._told else log_warning
        self._told.add(topic)
        log("control.request_stays", sentence)


def answer_text(request: OwnerRequest, answer: RequestAnswer) -> LocalizedText:
    """Return how a request ended, for people."""
    return LocalizedText(f"request.{request.kind}.{answer.outcome}", symbol=request.symbol)

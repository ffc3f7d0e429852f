"""What the owner has confirmed, asked of the running bot as the command line asks, and what came of it.

Writes control files through the same functions; never opens the book for writing, and has no key to trade with.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import TypeVar

from marsshot.bot.control_files import ControlFiles
from marsshot.bot.owner_requests import request_exclusion, request_inclusion, request_sale, request_sell_all
from marsshot.bot.request_taker import answer_text
from marsshot.commands.controls import RETRYABLE_REASONS, outcome_lines, pause, reply_of_running_bot, resume
from marsshot.commands.requests import answer_of
from marsshot.commands.sales import Left, held_tokens, order_ids, sale_lines, sales_since
from marsshot.commands.tokens import refuse_unheld, refuse_unknown
from marsshot.config.bot_files import BOOK
from marsshot.config.settings import Settings
from marsshot.core.catalog import Catalog
from marsshot.core.reasons import UnsoldReason
from marsshot.core.requests import OwnerRequest
from marsshot.infra.clock import SystemClock
from marsshot.telegram.page import Page
from positions_store import is_locked

REPLY_SECONDS = 120.0
_LOOK_SECONDS = 0.5

Found = TypeVar("Found")


class Actions:
    """The owner's requests of one mode. Each raises MarsShotError or OSError where it cannot be made."""

    def __init__(self, settings: Settings, catalog: Catalog) -> None:
        self._settings = settings
        self._catalog = catalog
        self._control = ControlFiles(settings)

    def pause(self, _: str) -> Page:
        """Ask for no new buys."""
        return Page((printed_by(lambda: pause(self._settings)),))

    def resume(self, _: str) -> Page:
        """Allow new buys again."""
        return Page((printed_by(lambda: resume(self._settings)),))

    def sell_all(self, _: str) -> Page:
        """Ask for the sale of everything, buys paused first; tell what was sold, what was not, and why."""
        before = order_ids(self._settings)
        request_sell_all(self._control)
        if not self._is_bot_running():
            return self._said("telegram.nobody_runs")
        left = self._waited_for(lambda: reply_of_running_bot(self._settings, self._control))
        if left is None:
            return self._said("sell_all.not_heard")
        sold = sales_since(self._settings, before)
        return Page(tuple(outcome_lines(sold, left, self._settings, self._catalog)))

    def sell(self, token: str) -> Page:
        """Ask for the sale of one position; tell what was sold, or why not."""
        refuse_unheld(self._settings, token)
        before, request = order_ids(self._settings), request_sale(self._control, token)
        if (page := self._unanswered(request)) is not None:
            return page
        left = self._waited_for(lambda: self._left_of(token))
        left = {token: (UnsoldReason.IN_DOUBT, "")} if left is None else left
        lines = sale_lines(sales_since(self._settings, before), left, self._settings, self._catalog)
        lines = lines or [self._catalog.text("request.sell.not_held", symbol=token)]
        return Page((*lines, *([self._catalog.text("sell.rest")] if left else [])))

    def exclude(self, token: str) -> Page:
        """Ask for no more purchases of a token."""
        refuse_unknown(self._settings, token)
        return self._answer(request_exclusion(self._control, token))

    def include(self, token: str) -> Page:
        """Allow purchases of a token again."""
        return self._answer(request_inclusion(self._control, token))

    def _answer(self, request: OwnerRequest) -> Page:
        if (page := self._unanswered(request)) is not None:
            return page
        if (answer := answer_of(self._settings, request)) is None:
            return self._said("request.not_heard")
        return Page((self._catalog.render(answer_text(request, answer, self._settings.quote_asset)),))

    def _unanswered(self, request: OwnerRequest) -> Page | None:
        """Return why there is no answer to a request, once it was waited for; None where there is one."""
        if not self._is_bot_running():
            return self._said("telegram.nobody_runs")
        answer = self._waited_for(lambda: answer_of(self._settings, request))
        return self._said("request.not_heard") if answer is None else None

    def _left_of(self, token: str) -> Left | None:
        """Return what is left of a position that is being sold; None while that may change."""
        if token not in held_tokens(self._settings):
            return {}
        reply = self._control.read_reply()
        reason, said = (reply.left if reply else {}).get(token, (UnsoldReason.IN_DOUBT, ""))
        return None if reason in RETRYABLE_REASONS else {token: (reason, said)}

    def _is_bot_running(self) -> bool:
        return is_locked(self._settings.file(BOOK))

    def _said(self, key: str) -> Page:
        return Page((self._catalog.text(key),))

    def _waited_for(self, look: Callable[[], Found | None]) -> Found | None:
        """Return what is found, looking again and again; None where it does not come in time."""
        clock, seconds_left = SystemClock(), REPLY_SECONDS
        while (found := look()) is None and seconds_left > 0:
            clock.sleep(_LOOK_SECONDS)
            seconds_left -= _LOOK_SECONDS
        return found


def printed_by(command: Callable[[], int]) -> str:
    """Return what a command of the command line says."""
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        command()
    return told.getvalue().strip()

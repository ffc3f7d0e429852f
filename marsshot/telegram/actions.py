"""What the owner has confirmed, asked of the running bot as the command line asks, and what came of it.

Writes control files through the same functions; never opens the book for writing, and has no key to trade with.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable

from marsshot.bot.control_files import ControlFiles
from marsshot.bot.owner_requests import request_sell_all
from marsshot.commands.controls import outcome_lines, pause, reply_of_running_bot, resume
from marsshot.config.bot_files import BOOK, TRADES
from marsshot.config.settings import Settings
from marsshot.core.catalog import Catalog
from marsshot.core.domain import Side
from marsshot.infra.clock import SystemClock
from marsshot.portfolio.trades_file import readable_trades
from marsshot.telegram.pages import Page
from positions_store import is_locked

REPLY_SECONDS = 120.0
_LOOK_SECONDS = 0.5


class Actions:
    """The owner's requests of one mode. Each raises MarsShotError or OSError where it cannot be made."""

    def __init__(self, settings: Settings, catalog: Catalog) -> None:
        self._settings = settings
        self._catalog = catalog

    def pause(self, _: str) -> Page:
        """Ask for no new buys."""
        return Page((printed_by(lambda: pause(self._settings)),))

    def resume(self, _: str) -> Page:
        """Allow new buys again."""
        return Page((printed_by(lambda: resume(self._settings)),))

    def sell_all(self, _: str) -> Page:
        """Ask for the sale of everything, buys paused first; tell what was sold, what was not, and why."""
        settings, control, clock = self._settings, ControlFiles(self._settings), SystemClock()
        trades_path = settings.file(TRADES)
        before = {trade.client_order_id for trade in readable_trades(trades_path)}
        request_sell_all(control)
        if not is_locked(settings.file(BOOK)):
            return Page((self._catalog.text("telegram.nobody_runs"),))
        left, seconds_left = reply_of_running_bot(settings, control), REPLY_SECONDS
        while left is None and seconds_left > 0:
            clock.sleep(_LOOK_SECONDS)
            seconds_left -= _LOOK_SECONDS
            left = reply_of_running_bot(settings, control)
        if left is None:
            return Page((self._catalog.text("sell_all.not_heard"),))
        new = [one for one in readable_trades(trades_path) if one.client_order_id not in before]
        sold = [one for one in new if one.side == Side.SELL]
        return Page(tuple(outcome_lines(sold, left, settings, self._catalog)))


def printed_by(command: Callable[[], int]) -> str:
    """Return what a command of the command line says."""
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        command()
    return told.getvalue().strip()

"""The owner's requests, wherever they come from: command line, dashboard and phone call these, and nothing else.

What a request needs and which files it writes stand here; asking, waiting and telling are the caller's.
"""

from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

from marsshot.bot.control_files import ControlFiles
from marsshot.config.settings import Settings
from marsshot.core.book import Book
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import TemporaryError
from marsshot.core.requests import OwnerRequest, RequestKind


def is_confirmation(given: str, *words: str) -> bool:
    """Return whether what was typed is one of the words that confirm, in capitals or not."""
    return given.strip().casefold() in {word.casefold() for word in words}


def request_pause(control: ControlFiles) -> bool:
    """Ask for no new buys; return whether they were allowed until now. Raises TemporaryError."""
    was_allowed = not control.paused()
    if was_allowed:
        control.clear_reply()
    control.pause()
    return was_allowed


def request_resume(control: ControlFiles) -> bool:
    """Allow new buys again; return whether they were not. Raises TemporaryError where something forbids them, OSError.

    A sale of everything that the bot has not taken note of yet comes first: bought now, it would be sold at once.
    """
    if control.is_sell_all_requested():
        raise TemporaryError(LocalizedText("resume.sell_all_waits", file=control.sell_all_path))
    control.clear_reply()
    was_paused = control.resume()
    if control.paused():
        raise TemporaryError(LocalizedText("resume.live_is_paused"))
    return was_paused


def request_sell_all(control: ControlFiles) -> None:
    """Ask for the sale of every position, and for no new buys. Raises TemporaryError."""
    control.clear_reply()
    control.pause()
    control.request_sell_all()


def request_sale(control: ControlFiles, symbol: str) -> OwnerRequest:
    """Ask for the sale of one position, whole. Raises TemporaryError."""
    control.clear_reply()
    return _requested(control, RequestKind.SELL, symbol)


def excludable_tokens(settings: Settings, book: Book | None) -> set[str]:
    """Return the tokens that an exclusion may be asked for of: those of the list, those held, those excluded."""
    return {*settings.tokens_daily, *(book.positions if book else ()), *(book.excluded if book else ())}


def request_exclusion(control: ControlFiles, symbol: str) -> OwnerRequest:
    """Ask for no more purchases of a token. Raises TemporaryError."""
    return _requested(control, RequestKind.EXCLUDE, symbol)


def request_inclusion(control: ControlFiles, symbol: str) -> OwnerRequest:
    """Allow purchases of a token again. Raises TemporaryError."""
    return _requested(control, RequestKind.INCLUDE, symbol)


def request_deposit(control: ControlFiles, amount: Decimal) -> OwnerRequest:
    """Ask for the capital that the bot may use to grow by this much, in quote asset. Raises TemporaryError."""
    return _requested(control, RequestKind.DEPOSIT, amount=amount)


def request_withdrawal(control: ControlFiles, amount: Decimal) -> OwnerRequest:
    """Ask for the capital that the bot may use to shrink by this much, in quote asset. Raises TemporaryError."""
    return _requested(control, RequestKind.WITHDRAW, amount=amount)


def _requested(
    control: ControlFiles, kind: RequestKind, symbol: str = "", amount: Decimal | None = None
) -> OwnerRequest:
    request = OwnerRequest(request_id=uuid4().hex, kind=kind, symbol=symbol, amount=amount)
    control.write_request(request)
    return request

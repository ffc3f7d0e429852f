"""`main.py deposit AMOUNT`, `withdraw AMOUNT`: how much money the bot may use, at the owner's word.

Nothing moves on the exchange. By the running bot or here; holds no rule.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from marsshot.bot.bootstrap import required_keys
from marsshot.bot.control_files import ControlFiles
from marsshot.bot.owner_requests import request_deposit, request_withdrawal
from marsshot.commands.confirmation import is_confirmed
from marsshot.commands.requests import tell_answer
from marsshot.config.settings import Settings
from marsshot.core.catalog import Catalog, LocalizedText
from marsshot.core.errors import InputError
from marsshot.core.requests import OwnerRequest, RequestKind, read_amount


def deposit(settings: Settings, config: Path, given: str, *, assume_yes: bool) -> int:
    """Let the capital grow; print what came of it. Returns 1 where the account has less free. Raises InputError."""
    return _move(settings, config, given, RequestKind.DEPOSIT, request_deposit, assume_yes=assume_yes)


def withdraw(settings: Settings, config: Path, given: str, *, assume_yes: bool) -> int:
    """Let the capital shrink; print what came of it. Returns 1 where less is free. Raises InputError."""
    return _move(settings, config, given, RequestKind.WITHDRAW, request_withdrawal, assume_yes=assume_yes)


def _move(
    settings: Settings,
    config: Path,
    given: str,
    kind: RequestKind,
    ask: Callable[[ControlFiles, Decimal], OwnerRequest],
    *,
    assume_yes: bool,
) -> int:
    catalog, control = Catalog(settings.language), ControlFiles(settings)
    try:
        amount = read_amount(given)
    except ValueError:
        raise InputError(LocalizedText("money.no_amount", given=given)) from None
    if missing := settings.missing_keys(*required_keys(settings)):
        raise InputError(*missing)
    question = catalog.text(f"money.sure.{kind}", amount=amount, asset=settings.quote_asset)
    if not assume_yes and not is_confirmed(question, catalog):
        print(catalog.text("sell_all.nothing_done"))  # noqa: T201
        return 1
    return tell_answer(settings, config, control, ask(control, amount))

"""How the book looks as JSON, and back. Amounts are decimal texts; an unknown key or version is refused.

Pure: text in, Book out, and the reverse. Never opens a file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from marsshot.core.book import Book, DifferenceTopic
from marsshot.core.catalog import LocalizedText, with_remedy
from marsshot.core.decisions import BOUGHT, BOUGHT_IN_PART, SOLD, SOLD_IN_PART, StepOutcome, left_undone
from marsshot.core.errors import InputError
from marsshot.core.reasons import DifferenceKind, SkipReason

VERSION = 1
_ROUNDING = 1 - Decimal("1E-12")  # a top may have been scaled with an entry price


def decimal_text(value: Decimal) -> str:
    """Return the plain decimal text: no exponent, no trailing zeros after the point."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def book_to_json(book: Book) -> str:
    """Return the book as the text of bot_state.json."""
    content = _plain(book)
    file = {"version": VERSION, "mode": content.pop("mode"), "capital_usdt": content.pop("capital"), **content}
    for symbol, position in book.positions.items():
        entry_price = decimal_text(position.entry_price)
        file["positions"][symbol] = {"qty": None, "entry_price": entry_price, **file["positions"][symbol]}
    return to_json(file, indent=1).decode() + "\n"


def _plain(value: Any) -> Any:
    """Return a value of the book as JSON has it: amounts as texts, dates in ISO form, sets in order."""
    # What most of a book is comes first; texts of an enumeration are texts, truth values whole numbers.
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple | frozenset):
        return [_plain(one) for one in (sorted(value) if isinstance(value, frozenset) else value)]
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    kind: Any = type(value)
    return {name: _plain(getattr(value, name)) for name in _field_names(kind)}


@cache
def _field_names(kind: Any) -> tuple[str, ...]:
    return tuple(one.name for one in fields(kind))


def book_from_json(text: str, name: str) -> Book:
    """Read a book. Raises InputError, in one line that begins with the file's name; never guesses what is missing."""
    try:
        content = json.loads(text, parse_float=Decimal, object_pairs_hook=_refuse_duplicate_keys)
    except json.JSONDecodeError as error:
        raise InputError(LocalizedText("fault.book.no_json", path=name, line=error.lineno, problem=error.msg)) from None
    except (ValueError, RecursionError) as error:
        if error.args and isinstance(error.args[0], LocalizedText):
            raise InputError(LocalizedText("fault.in_file", path=name, fault=error.args[0])) from None
        raise InputError(LocalizedText("fault.book.odd_json", path=name, problem=str(error)[:80])) from None
    if not isinstance(content, dict):
        raise InputError(LocalizedText("fault.book.none", path=name))
    version = content.pop("version", None)
    if type(version) is not int or version != VERSION:
        other = LocalizedText("fault.book.other_version", path=name, version=repr(version), known=VERSION)
        raise InputError(with_remedy(other, LocalizedText("fault.book.remedy.other_version")))
    _refuse_missing_keys(content, name)
    try:
        book = _adapter().validate_python(_domain_names(content))
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join("capital_usdt" if part == "capital" else str(part) for part in fault["loc"])
        problem = str(fault["ctx"]["error"]) if fault["type"] == "value_error" else fault["msg"]
        raise InputError(LocalizedText("fault.book.odd_value", path=name, place=place, problem=problem)) from None
    if contradiction := _contradiction(book):
        place, why = contradiction
        raise InputError(LocalizedText("fault.book.bad_value", path=name, place=place, why=why))
    return book


def _contradiction(book: Book) -> tuple[str, LocalizedText] | None:
    """Return which field says what cannot be true beside the others, and why."""
    if book.capital < 0:
        return "capital_usdt", LocalizedText("fault.book.overspent")
    for symbol, held in book.positions.items():
        if held.cost < 0:
            return f"positions.{symbol}.cost", LocalizedText("fault.book.under_zero")
        if held.max_price < held.entry_price * _ROUNDING:
            text = LocalizedText("fault.book.top_under_entry", top=held.max_price, entry=held.entry_price)
            return f"positions.{symbol}.max_price", text
    return None


def refuse_dates_to_come(book: Book, today: date, name: str) -> None:
    """Raise InputError for a book of days after tomorrow: no clock of this bot has written them, or a wrong one has.

    A day of grace: the clock may have been ahead at midnight.
    """
    days = {"last_daily_update": book.last_daily_update, "plan.day": book.plan.day if book.plan else None}
    days |= {f"stop_losses.{symbol}": day for symbol, day in book.stop_losses.items()}
    for place, day in days.items():
        if day is not None and day > today + timedelta(days=1):
            why = LocalizedText("fault.book.day_to_come", day=day, today=today)
            raise InputError(LocalizedText("fault.book.bad_value", path=name, place=place, why=why))


_REQUIRED_KEYS = ("mode", "capital_usdt", "last_daily_update", "positions")
_REQUIRED_POSITION_KEYS = ("qty", "entry_price", "partial_sold", "did_skip_sell_once", "max_price")


def _refuse_missing_keys(content: dict[str, Any], name: str) -> None:
    """Raise InputError where a key is missing that must not be guessed."""
    if missing := [key for key in _REQUIRED_KEYS if key not in content]:
        raise InputError(LocalizedText("fault.book.lacks", path=name, keys=", ".join(missing)))
    for symbol, position in content["positions"].items() if isinstance(content["positions"], dict) else ():
        if missing := [key for key in _REQUIRED_POSITION_KEYS if isinstance(position, dict) and key not in position]:
            keys = ", ".join(missing)
            raise InputError(LocalizedText("fault.book.position_lacks", path=name, symbol=symbol, keys=keys))


def _refuse_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(LocalizedText("fault.twice", key=next(key for key in keys if keys.count(key) > 1)[:60]))
    return content


@cache
def _adapter() -> TypeAdapter[Book]:
    return TypeAdapter(Book)


def _domain_names(content: dict[str, Any]) -> dict[str, Any]:
    """Give capital its own name, and each position its entry as a ratio."""
    content = dict(content)
    if "capital" in content:
        content["capital_given_twice"] = content.pop("capital")  # refused by name: the file's key is capital_usdt
    content["capital"] = content.pop("capital_usdt")
    content.setdefault("capital_started", content["capital"])
    if not isinstance(content["last_daily_update"], str | None):
        content["last_daily_update"] = "no date"  # a bare number would be taken for seconds since 1970
    positions = content.get("positions")
    if isinstance(positions, dict):
        content["positions"] = {symbol: _with_entry_ratio(position) for symbol, position in positions.items()}
    if isinstance(plan := content.get("plan"), dict):
        content["plan"] = plan | {key: _steps_with_outcomes(plan[key]) for key in ("sells", "buys") if key in plan}
    if isinstance(differences := content.get("differences"), dict):
        content["differences"] = {topic_from_text(text): sentence for text, sentence in differences.items()}
    if isinstance(suspected := content.get("suspected"), dict):
        content["suspected"] = {topic_from_text(text): moment for text, moment in suspected.items()}
    return content


def topic_from_text(text: str) -> DifferenceTopic:
    """Read a topic as the book has it, kind.token.detail; one that this version does not know is kept as it is."""
    kind, symbol, detail = (*text.split(".", 2), "", "")[:3]
    if kind == DifferenceKind.CAPITAL:
        symbol, detail = "", text.removeprefix(kind).removeprefix(".")
    known = text and kind in set(DifferenceKind)
    topic = DifferenceTopic(DifferenceKind(kind), symbol, detail) if known else None
    return topic if topic and _is_complete(topic) else DifferenceTopic(DifferenceKind.UNNAMED, detail=text)


def _is_complete(topic: DifferenceTopic) -> bool:
    match topic.kind:
        case DifferenceKind.SHORTFALL:
            return bool(topic.symbol) and _is_number(topic.detail)
        case (
            DifferenceKind.UNKNOWN_SALE
            | DifferenceKind.COVERED_SALE
            | DifferenceKind.UNKNOWN_PURCHASE
            | DifferenceKind.GONE_ORDER
            | DifferenceKind.NAMELESS_ORDER
        ):
            return bool(topic.symbol and topic.detail)
        case DifferenceKind.UNKNOWN_PAIR | DifferenceKind.CLOSED_PAIR | DifferenceKind.LENT:
            return bool(topic.symbol) and not topic.detail
        case DifferenceKind.CAPITAL if topic.detail:
            return not topic.symbol and _is_number(topic.detail)
        case _:
            return not topic.symbol and not topic.detail


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except ArithmeticError:
        return False


# --------------------------------------------------------------------------- books of earlier versions

# The book once kept how a step of the plan ended as an English sentence. This is the one place that reads those.
_SENTENCES = {
    "sold": SOLD,
    "sold in part": SOLD_IN_PART,
    "bought": BOUGHT,
    "bought in part": BOUGHT_IN_PART,
    "left: too little money for one more order": left_undone(SkipReason.TOO_LITTLE_MONEY),
    "left: buying is paused": left_undone(SkipReason.PAUSED),
    "left: under the smallest order": left_undone(SkipReason.TOO_SMALL),
    "left: not sold before you have looked at a sale that the book does not know": left_undone(SkipReason.DISPUTED),
}
_BEGINNINGS = {"left: buying is paused: ": SkipReason.PAUSED, "left: ": SkipReason.REFUSED}


def _steps_with_outcomes(steps: object) -> object:
    if not isinstance(steps, list):
        return steps
    return [
        step | {"outcome": outcome_from_sentence(step["outcome"])}
        if isinstance(step, dict) and isinstance(step.get("outcome"), str)
        else step
        for step in steps
    ]


def outcome_from_sentence(sentence: str) -> StepOutcome | None:
    """Return how a step of the daily plan ended, told by an earlier version; None while it is still to do.

    A sentence that no version wrote ends its step all the same: what is done is not done twice.
    """
    if not sentence or sentence in _SENTENCES:
        return _SENTENCES.get(sentence)
    for beginning, reason in _BEGINNINGS.items():
        if sentence.startswith(beginning):
            return left_undone(reason, sentence.removeprefix(beginning))
    return left_undone(SkipReason.REFUSED, sentence)


def _with_entry_ratio(position: object) -> object:
    """Keep quote and base of the entry where they agree with entry_price; where the owner changed that, it counts."""
    if not isinstance(position, dict) or "entry_price" not in position:
        return position
    position = dict(position)
    entry_price = position.pop("entry_price")
    try:
        agrees = Decimal(position["entry_quote"]) / Decimal(position["entry_base"]) == Decimal(entry_price)
    except (KeyError, TypeError, ArithmeticError, ValueError):
        agrees = False
    if not agrees:
        position |= {"entry_quote": entry_price, "entry_base": "1"}
    if "cost" not in position:
        try:
            position["cost"] = Decimal(entry_price) * Decimal(position["qty"])
        except (KeyError, TypeError, ArithmeticError, ValueError):
            position["cost"] = entry_price  # the fault itself is told by the check of qty or entry_price
    return position

"""What the owner reads, in the language that he has chosen: one catalogue (locales/), a file a subject.

A sentence is asked for by its key; numbers, days and moments in it get the language's form. What goes wrong deep in the
program is a LocalizedText: English by itself, as bot.log and the book want it, and told in another language at the
edge. Knows no rule, and of the world outside nothing but its own catalogue and the command that the owner types.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Literal, get_args

import yaml

from marsshot.core.foreign_text import one_line, printable
from marsshot.core.french_typography import NO_BREAK, SEMICOLON, with_firm_blanks

Language = Literal["en", "fr"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
FOLDER = Path(__file__).parent / "locales"
WITH_REMEDY = "fault.with_remedy"
COMMAND_VARIABLE = "MARSSHOT_COMMAND"  # of the environment: what the owner types to call the program
SERVER_COMMAND = "marsshot"  # deploy/marsshot
CONTAINER_COMMAND = "docker compose exec marsshot marsshot"

# Many times faster, where PyYAML has been built with it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NARROW_SPACE = "\u202f"
_names = {"exchange": "Binance"}  # what stands for itself in every sentence of this process
_FORMS = {"money": ",.2f", "gain": "+,.2f", "percent": ".1%", "change": "+.1%", "score": ".3f"}
# How a catalogue ends that is out of reach, broken, or another version's.
_CATALOG_ERRORS = (OSError, LookupError, TypeError, ValueError, ArithmeticError, yaml.YAMLError)
_SIGNIFICANT_DIGITS = 6  # digits of a price
_MAX_IN_SECONDS, _MAX_IN_MINUTES, _MAX_IN_HOURS = 90, 90, 48


@cache
def _parts(template: str) -> tuple[tuple[str, str | None, str], ...]:
    """Return a sentence's parts: what stands before a value, the value's name, its form; without one at the end."""
    return tuple((literal, name, form or "") for literal, name, form, _conversion in Formatter().parse(template))


class CatalogText(str):
    """A text that the catalogue has made: its own words, and values as one printable line each. Others are foreign."""

    __slots__ = ()


class Catalog:
    """The texts of one language. zone: whose time stands beside UTC; None for UTC alone."""

    def __init__(
        self, language: Language, texts: Mapping[str, str] | None = None, *, zone: tzinfo | None = None
    ) -> None:
        self.language = language
        self._zone = zone
        self._texts = load_texts(language) if texts is None else texts

    def text(self, key: str, /, **values: object) -> str:
        """Return the sentence of this key with the values in their places; a text from outside as one printable line.

        In the catalogue `{x}` stands for a text, a sentence, a number, a day, a moment (UTC), a span of time, or a
        tuple of texts; numbers may be given a form: `{x:money}` 1,234.50, `{x:gain}` +1,234.50, `{x:percent}` 12.5 %,
        `{x:change}` +12.5 %, `{x:price}` six significant digits, `{x:score}` 0.712, or one of Python's; `{x:row/rows}`
        is the word that goes with the number, without it. `{x:list}` puts commas between the texts, `{x:aside}` puts
        what there is to say in brackets, after a blank. `{exchange}` is the one that this process trades at; nobody has
        to give it.
        Raises KeyError for a key or a value that is missing: a mistake in the program, which the tests look for.
        """
        named = _names | values
        parts = (
            literal if name is None else literal + self.format_field(named[name], form)
            for literal, name, form in _parts(self._texts[key])
        )
        return CatalogText("".join(parts))

    def render(self, *texts: str) -> str:
        """Return the texts, a line each: sentences of the catalogue in this language, any other text on one line.

        But for what the operating system calls an error: that has words of ours.
        """
        return CatalogText("\n".join(map(self._rendered, texts)))

    def _foreign(self, text: str) -> str:
        key = "" if self.language == "en" else _system_errors().get(text, "")
        return self._texts.get(key, text)

    def _rendered(self, text: str) -> str:
        if not isinstance(text, LocalizedText):
            return text if isinstance(text, CatalogText) else one_line(self._foreign(text))
        try:
            return self.text(text.key, **text.values)
        except _CATALOG_ERRORS:
            return str(text)

    def has_key(self, key: str) -> bool:
        """Return whether there is such a key."""
        return key in self._texts

    def show(self, value: object, form: str = "") -> str:
        """Return a value by itself, as it would stand in a sentence: `{x:form}`."""
        return CatalogText(self.format_field(value, form))

    def format_field(self, value: object, form: str) -> str:
        """Return a value in the language's form."""
        if isinstance(value, str | tuple):
            return self._text(value, form)
        if isinstance(value, date):
            return self._day(value)
        if isinstance(value, timedelta):
            return self._duration(value)
        if isinstance(value, Decimal | float | int) and not isinstance(value, bool):
            return self._number(value, form)
        return one_line(format(value, form))

    def _text(self, value: str | tuple[str, ...], form: str) -> str:
        if isinstance(value, tuple):
            semicolon = SEMICOLON if self.language == "fr" else "; "
            return (", " if form == "list" else semicolon).join(map(self.render, value))
        text = self.render(value)
        if form == "aside":
            return f" ({printable(text)})" if text else ""
        return text if form == "list" else format(text, form)

    def _day(self, value: date) -> str:
        day = f"{value:%d/%m/%Y}" if self.language == "fr" else f"{value:%Y-%m-%d}"
        if not isinstance(value, datetime):
            return day
        moment = f"{day} {value:%H:%M} UTC"
        local = value.astimezone(self._zone) if self._zone is not None else value
        if local.utcoffset() == value.utcoffset():
            return moment
        other_day = "" if local.date() == value.date() else f"{self._day(local.date())} "
        return f"{moment} ({other_day}{local:%H:%M %Z})"

    def _plural(self, value: Decimal | float, one: str, many: str) -> str:
        """Return the word for so many: French has 0 and 1.5 with 1."""
        is_one = -2 < value < 2 if self.language == "fr" else value == 1  # noqa: PLR2004 - the language's rule
        return one if is_one else many

    def _number(self, value: Decimal | float, form: str) -> str:
        one, slash, many = form.partition("/")
        if slash:
            return self._plural(value, one, many)
        if form == "price":
            text = f"{_rounded(Decimal(value)):,f}"
        else:
            plain = ",f" if self.language == "fr" else "f"  # bot.log, in English, has no commas in a quantity
            text = format(value, _FORMS.get(form, form) or (plain if isinstance(value, Decimal) else ""))
        if not any(digit in text for digit in "123456789"):
            text = text.replace("-", "")  # a loss too small to be shown is none
        if self.language == "en":
            return text.replace("%", " %")
        return text.translate({ord(","): _NARROW_SPACE, ord("."): ",", ord("%"): f"{NO_BREAK}%"})

    def _duration(self, span: timedelta) -> str:
        seconds, blank = max(0, int(span.total_seconds())), NO_BREAK if self.language == "fr" else " "
        if seconds < _MAX_IN_SECONDS:
            return f"{seconds}{blank}s"
        if seconds < _MAX_IN_MINUTES * 60:
            return f"{seconds // 60}{blank}min"
        if seconds < _MAX_IN_HOURS * 3600:
            return f"{seconds // 3600}{blank}h"
        return f"{seconds // 86_400}{blank}{self._texts['unit.days']}"


class LocalizedText(CatalogText):
    """A sentence of the catalogue in English, which keeps its key and values for `Words.render`.

    It is a text like any other: compared, logged and written down in English. Joined to another text it is no longer a
    sentence; what belongs together is one sentence with the other as a value. Never raises: while a bot runs, its
    catalogue may be out of reach, or be the next version's already, and one trouble must not become another.
    """

    key: str
    values: Mapping[str, object]

    def __new__(cls, key: str, /, **values: object) -> LocalizedText:
        """Say it in English, and keep what it was made of."""
        try:
            text = _english().text(key, **values)
        except _CATALOG_ERRORS:
            text = " ".join((key, *(one_line(f"{name}={value}") for name, value in values.items())))
        sentence = super().__new__(cls, text)
        sentence.key, sentence.values = key, values
        return sentence

    def __reduce__(self) -> tuple[Callable[..., LocalizedText], tuple[str, Mapping[str, object]]]:
        """Be made anew from key and values: what the scoring process says reaches the owner in his language."""
        return _localized_text, (self.key, self.values)


def name_exchange(name: str) -> None:
    """Let every sentence of this process call the exchange so."""
    _names["exchange"] = name


def with_remedy(fault: str, remedy: str) -> LocalizedText:
    """Return what is wrong and what mends it as one sentence, which can be told apart again."""
    return LocalizedText(WITH_REMEDY, fault=fault, remedy=remedy)


def fault_and_remedy(text: str) -> tuple[str, str]:
    """Return what is wrong, and what mends it: empty where nothing is said of that."""
    if not isinstance(text, LocalizedText) or text.key != WITH_REMEDY:
        return text, ""
    fault, first = fault_and_remedy(_as_text(text.values["fault"]))
    remedy = _as_text(text.values["remedy"])
    return fault, with_remedy(first, remedy) if first else remedy


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else str(value)


def _localized_text(key: str, values: Mapping[str, object]) -> LocalizedText:
    return LocalizedText(key, **values)


@cache
def _system_errors() -> Mapping[str, str]:
    """Return the catalogue's keys of the system's errors by the words that the system has for them."""
    return {os.strerror(number): f"system.{name}" for number, name in errno.errorcode.items()}


@cache
def _english() -> Catalog:
    return Catalog("en")


def catalog_of(language: Language) -> Catalog:
    """Return the catalogue of a language; English, or none at all, where catalogues are out of reach. Never raises.

    For those who must not be stopped by it: `render` does without a catalogue, too. A bot asks once when it starts;
    what it says later needs no file then.
    """
    try:
        return Catalog(language)
    except _CATALOG_ERRORS:
        return catalog_of("en") if language != "en" else Catalog("en", {})


def _rounded(price: Decimal) -> Decimal:
    """Return a price with at most six significant digits, or all that stand before the point."""
    places = max(0, _SIGNIFICANT_DIGITS - 1 - price.adjusted()) if price else 0
    return round(price, places) if -price.as_tuple().exponent > places else price  # type: ignore[operator]


@cache
def load_texts(language: Language) -> Mapping[str, str]:
    """Return the catalogue of a language: `status.paused` is the key of `paused` under `status`."""
    command, texts = one_line(os.environ.get(COMMAND_VARIABLE, "")), dict[str, str]()
    for path in (FOLDER / f"{language}.yaml", *sorted((FOLDER / language).glob("*.yaml"))):
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506 - safe
        texts |= {key: with_command_name(text, command) for key, text in _flatten(content, "")}
    return {key: with_firm_blanks(text) for key, text in texts.items()} if language == "fr" else texts


def with_command_name(text: str, command: str) -> str:
    """Return a text with its commands as this owner types them: `marsshot status` in place of `python main.py status`.

    command: such as marsshot; empty where the program is called by its files' names.
    """
    if not command:
        return text
    # The bot itself is the service's: called by hand it would end with the terminal.
    start = "docker compose up -d" if command == CONTAINER_COMMAND else f"sudo systemctl start {command}"
    text = re.sub(r"python main\.py(?! [\w-])", lambda _: start, text)
    return re.sub(r"python (?=\w+\.py)", lambda _: f"{command} ", text.replace("python main.py", command))


def _flatten(content: object, place: str) -> list[tuple[str, str]]:
    if isinstance(content, dict):
        return [
            pair for name, inner in content.items() for pair in _flatten(inner, f"{place}.{name}" if place else name)
        ]
    if not isinstance(content, str):
        raise TypeError(f"{place}: a text is needed, put it in quotes")
    return [(place, content)]

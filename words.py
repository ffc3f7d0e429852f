"""What the owner reads, in the language that he has chosen: one catalogue, languages/en.yaml and languages/fr.yaml.

A sentence is asked for by its key; numbers, days and moments in it get the language's form. bot.log is not from here:
it stays English, for those who mend the bot. Knows no rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any, Literal, get_args

import yaml

Language = Literal["en", "fr"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
FOLDER = Path(__file__).parent / "languages"

_NARROW_SPACE, _FIRM_SPACE = "\u202f", "\u00a0"
_FORMS = {"money": ",.2f", "gain": "+,.2f", "percent": ".1%", "change": "+.1%", "score": ".3f"}
_SIGNIFICANT = 6  # digits of a price
_LONGEST_IN_SECONDS, _LONGEST_IN_MINUTES, _LONGEST_IN_HOURS = 90, 90, 48


class Words(Formatter):
    """The sentences of one language."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._sentences = sentences(language)

    def say(self, key: str, /, **values: object) -> str:
        """Return the sentence of this key with the values in their places.

        In the catalogue `{x}` stands for a text, a number, a day, a moment (UTC) or a span of time; numbers may be
        given a form: `{x:money}` 1,234.50, `{x:gain}` +1,234.50, `{x:percent}` 12.5 %, `{x:change}` +12.5 %,
        `{x:price}` six significant digits, `{x:score}` 0.712, or one of Python's. Raises KeyError for a key or a value
        that is missing: a mistake in the program, which the tests look for.
        """
        return self.vformat(self._sentences[key], (), values)

    def knows(self, key: str) -> bool:
        """Return whether there is such a key."""
        return key in self._sentences

    def format_field(self, value: Any, format_spec: str) -> str:
        """Return a value in the language's form."""
        if isinstance(value, datetime):
            return f"{self.format_field(value.date(), '')} {value:%H:%M} UTC"
        if isinstance(value, date):
            return f"{value:%d/%m/%Y}" if self.language == "fr" else f"{value:%Y-%m-%d}"
        if isinstance(value, timedelta):
            return self._span(value)
        if isinstance(value, Decimal | float | int) and not isinstance(value, bool):
            return self._number(value, format_spec)
        return str(format(value, format_spec))

    def _number(self, value: Decimal | float, form: str) -> str:
        if form == "price":
            text = f"{_rounded(Decimal(value)):,f}"
        else:
            text = format(value, _FORMS.get(form, form) or ("f" if isinstance(value, Decimal) else ""))
        if self.language == "en":
            return text.replace("%", " %")
        return text.translate({ord(","): _NARROW_SPACE, ord("."): ",", ord("%"): f"{_FIRM_SPACE}%"})

    def _span(self, span: timedelta) -> str:
        seconds = max(0, int(span.total_seconds()))
        if seconds < _LONGEST_IN_SECONDS:
            return f"{seconds} s"
        if seconds < _LONGEST_IN_MINUTES * 60:
            return f"{seconds // 60} min"
        if seconds < _LONGEST_IN_HOURS * 3600:
            return f"{seconds // 3600} h"
        return f"{seconds // 86_400} {self._sentences['unit.days']}"


def _rounded(price: Decimal) -> Decimal:
    """Return a price with at most six significant digits, or all that stand before the point."""
    places = max(0, _SIGNIFICANT - 1 - price.adjusted()) if price else 0
    return round(price, places) if -price.as_tuple().exponent > places else price  # type: ignore[operator]


@cache
def sentences(language: Language) -> Mapping[str, str]:
    """Return the catalogue of a language: `status.paused` is the key of `paused` under `status`."""
    content = yaml.safe_load((FOLDER / f"{language}.yaml").read_text(encoding="utf-8"))
    return dict(_flat(content, ""))


def _flat(content: object, place: str) -> list[tuple[str, str]]:
    if isinstance(content, dict):
        return [pair for name, inner in content.items() for pair in _flat(inner, f"{place}.{name}" if place else name)]
    if not isinstance(content, str):
        raise TypeError(f"{place}: a text is needed, put it in quotes")
    return [(place, content)]

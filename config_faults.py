"""Words for what is wrong in config.yaml: key, value, what is allowed; never the value of a secret.

Pure. What the keys may hold stands in settings.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from settings import SECRET_VARIABLES

SECRET_KEYS = {".".join(path) for path in SECRET_VARIABLES.values()}

_ALLOWED = {
    "greater_than": "it must be above {gt}",
    "greater_than_equal": "it must be {ge} or more",
    "less_than": "it must be under {lt}",
    "less_than_equal": "it must be {le} or less",
    "literal_error": "it must be one of {expected}",
    "int_type": "a whole number is needed",
    "string_type": "a text is needed (put it in quotes)",
    "tuple_type": 'a list is needed, such as ["FET", "OP"]',
    "dict_type": "a section is needed: keys below it, indented",
    "model_type": "a section is needed: keys below it, indented",
    "too_short": "at least one entry is needed",
    "string_too_short": "it must not be empty",
}
_MEANING = {
    "strategy.stop_loss_pct": "a fall from the entry price, as a fraction: above 0, under 1",
    "strategy.trailing_pct": "a fall from the top, as a fraction: above 0, under 1",
    "strategy.partial_take_profit_pct": "a gain on the entry price, as a fraction (1.0: +100 %); above 0, at most 1000",
    "strategy.partial_take_profit_ratio": "a share of the position: above 0, under 1",
    "strategy.trailing_trigger_pct": "a multiple of the entry price: 3.0 is x3; above 1, at most 1000",
    "strategy.big_gain_exception_pct": "a multiple of the entry price: 4.0 is x4; above 1, at most 1000",
    "strategy.buy_threshold": "a probability: above 0, at most 1",
    "strategy.sell_threshold": "a probability: from 0 to 1",
}


def fault_lines(error: ValidationError, content: Mapping[str, Any]) -> list[str]:
    """Turn pydantic's list into lines: key, value (never a secret's), what is allowed."""
    return [_line(fault, content) for fault in error.errors() if not _follows_from_another(fault, content)]


def told(key: object) -> str:
    """Return a key's name if it is like the names of this file; anything else may be a secret that slipped."""
    return str(key) if re.fullmatch(r"[a-z][a-z_]{0,30}", str(key)) else "a key (not shown)"


def _line(fault: Any, content: Mapping[str, Any]) -> str:
    key = ".".join(str(part) for part in fault["loc"] if part != "[key]")
    if fault["type"] == "missing":
        return f"{key}: is missing{_wanted(key)}"
    if fault["type"] == "extra_forbidden":
        *section, name = fault["loc"]
        place = ".".join(str(part) for part in (*section, told(name) if _holds_secrets(section) else name))
        return f"{place}: is not a key of this file; mind the spelling, or take it out"
    return f"{key}: {_shown(key, fault['loc'], content)} is not allowed; {_allowed(key, fault)}"


def _follows_from_another(fault: Any, content: Mapping[str, Any]) -> bool:
    """Return whether a list is called too short only because its entries are faulty, which is told already."""
    return fault["type"] == "too_short" and bool(_at(fault["loc"], content))


def _holds_secrets(section: Sequence[object]) -> bool:
    return not section or section[0] in {path[0] for path in SECRET_VARIABLES.values()}


def _wanted(key: str) -> str:
    if key == "mode":
        return "; it must be one of 'demo', 'paper' or 'live'"
    return f"; it must be {_MEANING[key]}" if key in _MEANING else ""


def _allowed(key: str, fault: Any) -> str:
    if key in _MEANING:
        return f"it must be {_MEANING[key]}"
    kind, context = fault["type"], fault.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_pattern_mismatch":
        return "a ticker is needed: capitals and digits only, such as FET or 1INCH"
    return _ALLOWED.get(kind, str(fault["msg"])).format(**context)


def _shown(key: str, location: tuple[int | str, ...], content: Mapping[str, Any]) -> str:
    if "[key]" in location:
        return repr(location[-2])
    value = _at(location, content)
    if key in SECRET_KEYS or location[0] == "notify" or (len(location) == 1 and _holds_secrets(location)):
        return "the value (not shown)"
    if isinstance(value, str) and "@" in value:
        return "the value (not shown: it may hold a password)"
    return "an empty value" if value is None else (str(value) if isinstance(value, Decimal) else repr(value))


def _at(location: Sequence[int | str], content: Any) -> Any:
    for part in location:
        try:
            content = content[part]
        except (KeyError, IndexError, TypeError):
            return "the value"
    return content

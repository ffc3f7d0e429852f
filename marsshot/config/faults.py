"""Texts for what is wrong in config.yaml: key, value, what is allowed; never the value of a secret.

Pure. What the keys may hold stands in settings.py and sections.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from marsshot.config.secret_values import SECRET_VARIABLES
from marsshot.core.catalog import LocalizedText
from marsshot.core.exit_settings import ExitSettings
from marsshot.core.lever_settings import LeverSettings

SECRET_KEYS = {".".join(path) for path in SECRET_VARIABLES.values()}

# pydantic's kinds of faults that have words of their own under fault.config.allowed.
_ALLOWED = {
    "greater_than",
    "greater_than_equal",
    "less_than",
    "less_than_equal",
    "int_type",
    "string_type",
    "tuple_type",
    "dict_type",
    "model_type",
    "too_short",
    "string_too_short",
    "invalid_key",
}
# The keys whose meaning is told with what they may hold, in words under fault.config.meaning.
_MEANING = {
    "mode",
    "language",
    "strategy.big_gain_exception_pct",
    "strategy.buy_threshold",
    "strategy.sell_threshold",
    *(f"strategy.{key}" for section in (ExitSettings, LeverSettings) for key in section.model_fields),
}


def fault_lines(error: ValidationError, content: Mapping[str, Any]) -> list[str]:
    """Turn pydantic's list into lines: key, value (never a secret's), what is allowed."""
    return [_line(fault, content) for fault in error.errors() if not _follows_from_another(fault, content)]


def displayed_key(key: object) -> str:
    """Return a key's name if it is like the names of this file; anything else may be a secret that slipped."""
    return str(key) if re.fullmatch(r"[a-z][a-z_]{0,30}", str(key)) else LocalizedText("fault.config.hidden_key")


def _line(fault: Any, content: Mapping[str, Any]) -> str:
    key = ".".join(str(part) for part in fault["loc"] if part != "[key]")
    if fault["type"] == "missing":
        if key in _MEANING:
            return LocalizedText("fault.config.missing_meaning", key=key, meaning=_meaning(key))
        return LocalizedText("fault.config.missing", key=key)
    if fault["type"] == "extra_forbidden":
        return LocalizedText("fault.config.unknown_key", key=_dotted_path(fault["loc"]))
    value = _shown(key, fault["loc"], content)
    return LocalizedText("fault.config.not_allowed", key=key, value=value, allowed=_allowed(key, fault))


def _dotted_path(location: Sequence[object]) -> str:
    *section, name = location
    known = displayed_key(name) if _holds_secrets(section) else str(name)
    return LocalizedText("fault.config.within", section=".".join(map(str, section)), key=known) if section else known


def _follows_from_another(fault: Any, content: Mapping[str, Any]) -> bool:
    """Return whether this is called a fault only because of another, which is told already."""
    if fault["type"] == "default_factory_not_called":  # a default that follows from a key that is faulty
        return True
    return fault["type"] == "too_short" and bool(_value_at(fault["loc"], content))


def _holds_secrets(section: Sequence[object]) -> bool:
    return not section or section[0] in {path[0] for path in SECRET_VARIABLES.values()}


def _meaning(key: str) -> LocalizedText:
    return LocalizedText(f"fault.config.meaning.{key.removeprefix('strategy.')}")


def _allowed(key: str, fault: Any) -> str:
    """Return what is allowed; in pydantic's own English where that is a kind of fault that no key of today can have."""
    kind, context = fault["type"], fault.get("ctx", {})
    if key in _MEANING:
        return LocalizedText("fault.config.must_be", meaning=_meaning(key))
    if kind == "value_error":
        message: str = context["error"].args[0]
        return message
    if kind == "string_pattern_mismatch":
        return LocalizedText("fault.config.allowed.ticker")
    if kind not in _ALLOWED:
        return str(fault["msg"])
    limit = next((str(context[name]) for name in ("gt", "ge", "lt", "le") if name in context), "")
    return LocalizedText(f"fault.config.allowed.{kind}", limit=limit)


def _shown(key: str, location: tuple[int | str, ...], content: Mapping[str, Any]) -> str:
    if "[key]" in location:
        return repr(location[-2])
    value = _value_at(location, content)
    if key in SECRET_KEYS or location[0] == "notify" or (len(location) == 1 and _holds_secrets(location)):
        return LocalizedText("fault.config.hidden_value")
    if isinstance(value, str) and "@" in value:
        return LocalizedText("fault.config.hidden_password")
    if value is None:
        return LocalizedText("fault.config.empty_value")
    return str(value) if isinstance(value, Decimal) else repr(value)


def _value_at(location: Sequence[int | str], content: Any) -> Any:
    for part in location:
        try:
            content = content[part]
        except (KeyError, IndexError, TypeError):
            return "the value"
    return content

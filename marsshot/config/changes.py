"""What differs between two readings of config.yaml, key by key, and which of it a running bot can take up.

Pure. Never shows a secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pydantic import SecretStr

from marsshot.config.settings import Settings
from marsshot.core.catalog import LocalizedText

# Everything else (mode, exchange, venues, keys, file names) needs a restart.
TAKEN_UP_UNDER_WAY = (
    "language",
    "tokens_daily",
    "training_tokens",
    "symbols",
    "strategy",
    "training",
    "heartbeat",
    "notify",
    "weekly_report",
)


@dataclass(frozen=True, slots=True)
class SettingChange:
    """One key with its value in one reading and in another, as texts."""

    key: str
    old: str
    new: str

    @property
    def needs_restart(self) -> bool:
        """Whether a running bot goes on with the old value."""
        return needs_restart(self.key)


def needs_restart(key: str) -> bool:
    """Return whether a running bot does not take up a change of this key."""
    return key.partition(".")[0] not in TAKEN_UP_UNDER_WAY


def setting_changes(old: Settings, new: Settings) -> list[SettingChange]:
    """Return what differs, in the order of the settings."""
    before, after = dict(_leaves(old.model_dump())), dict(_leaves(new.model_dump()))
    return [
        SettingChange(key, _text(before.get(key)), _text(after.get(key)))
        for key in dict.fromkeys((*before, *after))
        if before.get(key) != after.get(key)
    ]


def settings_in_force(running: Settings, changed: Settings) -> Settings:
    """Return the settings that a bot goes by which runs by the one and finds the other in its file."""
    return running.model_copy(update={name: getattr(changed, name) for name in TAKEN_UP_UNDER_WAY})


def plain_settings(settings: Settings) -> dict[str, str]:
    """Return all settings but the secrets as texts by key."""
    return {key: _text(value) for key, value in _leaves(settings.model_dump()) if not _is_secret(value)}


def _leaves(content: Mapping[str, Any], section: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{section}{name}.")
        elif value is not None:
            yield f"{section}{name}", value


def _is_secret(value: object) -> bool:
    parts = value if isinstance(value, tuple) and value else (value,)
    return all(isinstance(part, SecretStr) for part in parts)


def _text(value: object) -> str:
    if value is None or value == ():
        return LocalizedText("fault.config.empty_value")
    if _is_secret(value):
        return LocalizedText("fault.config.hidden_value")
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)

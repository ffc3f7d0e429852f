"""What the owner has answered so far: the text of config.yaml and the secrets as they would be written. A value.

Nothing of it is on the disk before the owner has said yes to all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from marsshot.commands.setup.config_text import with_values
from marsshot.config.loader import settings_of_text
from marsshot.config.settings import Settings
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import InputError


@dataclass(frozen=True, slots=True)
class Answer:
    """What one answer changes. settings: YAML by key: strategy.capital_initial. secrets: by variable."""

    settings: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Draft:
    """Settings that hold, and what they were made of.

    path: of config.yaml. environment: the secrets that are there already, by variable. secrets: those typed now.
    changed: the YAML of every key that was answered.
    """

    path: Path
    text: str
    settings: Settings
    environment: Mapping[str, str]
    secrets: Mapping[str, str] = field(default_factory=dict)
    changed: Mapping[str, str] = field(default_factory=dict)

    def answered(self, answer: Answer) -> Draft:
        """Return the draft with one more answer. Raises InputError where the settings would not hold with it."""
        try:
            text = with_values(self.text, answer.settings)
        except ValueError as error:
            raise InputError(LocalizedText("setup.flow", section=error.args[0])) from None
        secrets = {**self.secrets, **answer.secrets}
        settings = settings_of_text(text, self.path, {**self.environment, **secrets})
        return replace(self, text=text, settings=settings, secrets=secrets, changed={**self.changed, **answer.settings})


def first_draft(path: Path, text: str, environment: Mapping[str, str]) -> Draft:
    """Return the draft that changes nothing yet. Raises InputError where the settings do not hold as they are."""
    return Draft(path, text, settings_of_text(text, path, environment), environment)

"""`make docs`: the rows of exit rules and levers in both guides' tables of settings, from the catalogue.

Tests hold the guides to it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from marsshot.core.catalog import Language, load_texts  # noqa: E402
from marsshot.core.exit_settings import ExitSettings  # noqa: E402
from marsshot.core.french_typography import NO_BREAK  # noqa: E402
from marsshot.core.lever_settings import LeverSettings  # noqa: E402

GUIDES: dict[Language, Path] = {"en": ROOT / "docs" / "guide.md", "fr": ROOT / "docs" / "guide.fr.md"}


def with_settings(guide: str, language: Language) -> str:
    """Return the guide with a row for each key of exit rules and levers, in place of those that it had."""
    for section in (ExitSettings, LeverSettings):
        guide = _with_rows(guide, language, section.model_fields)
    return guide


def _with_rows(guide: str, language: Language, keys: Collection[str]) -> str:
    texts = load_texts(language)
    rows = "".join(f"| `strategy.{key}` | {texts[f'fault.config.meaning.{key}']} |\n" for key in keys)
    rows = rows.replace(NO_BREAK, " ")  # as the rest of the guide is written
    had = "|".join(keys)
    first, *others = re.findall(rf"^\| `strategy\.(?:{had})` \|.*\n", guide, re.MULTILINE)
    for row in others:
        guide = guide.replace(row, "", 1)
    return guide.replace(first, rows, 1)


if __name__ == "__main__":
    for language, path in GUIDES.items():
        path.write_text(with_settings(path.read_text(encoding="utf-8"), language), encoding="utf-8")

"""Asks the owner before something is done that cannot be taken back."""

from __future__ import annotations

from marsshot.core.catalog import Catalog


def is_confirmed(question: str, catalog: Catalog) -> bool:
    """Return whether the owner answers yes, in English or in his language; nobody there means no."""
    try:
        return input(f"{question} ").strip().lower() in {"yes", catalog.text("sell_all.yes")}
    except EOFError:
        return False

"""What the owner is told in one go."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """Texts, a picture with them (empty: none), and whether it asks for a yes."""

    texts: tuple[str, ...]
    picture: bytes = b""
    is_question: bool = False

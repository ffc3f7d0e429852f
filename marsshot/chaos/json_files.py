"""The bot's JSON files as those read them who judge it: the book, and what was last seen.

Each content is parsed once, however many ask for it. Knows no field.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=16)
def parsed(content: bytes) -> dict[str, Any]:
    """Return what a file tells, to be read and not to be changed. Raises ValueError."""
    return dict(json.loads(content))

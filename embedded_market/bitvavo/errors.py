"""A refusal of Bitvavo's: status, code and text."""

from __future__ import annotations


class BitvavoError(Exception):
    """What is answered in place of what was asked for."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(f"{status} {code} {message}")
        self.status = status
        self.code = code
        self.message = message

"""Binance's public data, and what its refusals mean. Knows neither bars nor tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import TemporaryError
from marsshot.market_data.base import SourceRefusedError
from marsshot.market_data.public_host import OK, TOO_MANY, PublicHost

BAN, NOT_IN_THIS_REGION = 418, 451


class BinancePublic(PublicHost):
    """Kept-alive connections to one host of Binance's."""

    def __init__(self, base_url: str) -> None:
        super().__init__("Binance", base_url)

    def content(self, path: str, asked: Mapping[str, str | int] | None = None) -> Any:
        """Return the JSON of a good answer. Raises SilentHostError, SourceRefusedError, TemporaryError."""
        status, _, content = self.get(path, asked)
        if status >= 500 or status in {408, BAN, TOO_MANY}:  # noqa: PLR2004 - HTTP
            raise TemporaryError(LocalizedText("fault.klines.not_now", status=status))
        if status != OK:
            raise SourceRefusedError(refusal_text(status))
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError:
            raise SourceRefusedError(refusal_text(status)) from None


def refusal_text(status: int) -> LocalizedText:
    """Return why this host answers nothing at all, in words."""
    return LocalizedText(f"fault.klines.{'region' if status == NOT_IN_THIS_REGION else 'refused'}", status=status)

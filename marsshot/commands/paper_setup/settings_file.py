"""The settings of `make paper`: the shipped ones with another mode, source and tokens, their comments kept.

Text in, text out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from textwrap import fill

_WIDTH = 116


def paper_config(shipped: str, tokens: Sequence[str], day: date, data_url: str) -> str:
    """Return config.paper.yaml. Prices come from the host of the bars: it serves regions that the exchange does not."""
    text = shipped
    for key, block in (
        ("mode", "mode: paper\n"),
        ("data_source", "data_source: binance\n"),
        ("tokens_daily", _token_block("tokens_daily", tokens, day)),
        ("training_tokens", _token_block("training_tokens", tokens, day)),
    ):
        text = _with_block(text, key, block)
    text = re.sub(r"(?m)^(binance_api:.*\n(?:[ \t]+.*\n)*?[ \t]+base_url: *)\S+", rf'\1"{data_url}"', text)
    return f"# Made by `make paper` on {day} from config.yaml; yours to edit, it is not made anew.\n\n{text}"


def _token_block(key: str, tokens: Sequence[str], day: date) -> str:
    listed = fill(", ".join(tokens), _WIDTH, initial_indent="  [", subsequent_indent="   ") + "]"
    return f"# Chosen on {day} by what was paid for them at Binance in the 30 days before.\n{key}:\n{listed}\n"


def _with_block(text: str, key: str, block: str) -> str:
    """Put a top-level key's new lines in place of its old ones, or at the end where it has none."""
    found = re.compile(rf"(?m)^{key}:.*\n?(?:(?:[ \t]+|-).*\n?)*")
    return found.sub(lambda _: block, text, count=1) if found.search(text) else f"{text.rstrip()}\n\n{block}"

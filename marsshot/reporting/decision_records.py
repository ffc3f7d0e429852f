"""The rows of decisions.csv as values. A last line that is still being written is left out.

Pure: bytes in, values out. Raises InputError where a file is not what the bot writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import InputError
from marsshot.infra.csv_rows import Cells, CsvLineError, number_or_none, read_rows

_NEEDED = ("day", "symbol", "held", "probability", "action", "reason", "detail")


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRow:
    """What a daily pass decided about one token. hit_rate: how often such a score was right, of hit_rows cases."""

    day: date
    symbol: str
    held: bool
    probability: Decimal | None
    hit_rate: Decimal | None
    hit_rows: int | None
    action: str
    quote: Decimal | None
    reason: str
    detail: str
    raw_score: Decimal | None = None  # where the probability is a rank


def parse_decisions(content: bytes, name: str) -> tuple[DecisionRow, ...]:
    """Return the rows of decisions.csv, oldest first."""
    try:
        return tuple(read_rows(content, _NEEDED, _decision))
    except CsvLineError as error:
        raise unreadable_line(name, error.line) from None


def unreadable_line(name: str, line: int) -> InputError:
    """Return the error of a file that is not what the bot writes."""
    return InputError(LocalizedText("fault.file.odd_line", name=name, line=line))


def _decision(row: Cells) -> DecisionRow:
    rows = row.get("hit_rows") or ""
    return DecisionRow(
        day=date.fromisoformat(row["day"]),
        symbol=row["symbol"],
        held=row["held"].lower() in {"true", "yes", "1"},
        probability=number_or_none(row["probability"]),
        hit_rate=number_or_none(row.get("hit_rate") or ""),
        hit_rows=int(rows) if rows else None,
        action=row["action"],
        quote=number_or_none(row.get("quote") or ""),
        reason=row["reason"],
        detail=row["detail"],
        raw_score=number_or_none(row.get("raw_score") or ""),
    )

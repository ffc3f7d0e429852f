"""What a number of config.yaml may be: exact decimals within bounds; and what a section is. Knows no setting."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from marsshot.core.catalog import LocalizedText


def _number(value: object) -> object:
    """Accept a YAML number only: text and yes/no are no numbers."""
    if isinstance(value, Decimal) or (isinstance(value, int) and not isinstance(value, bool)):
        return Decimal(value)
    raise ValueError(LocalizedText("fault.config.needed.number"))


Number = Annotated[Decimal, BeforeValidator(_number)]
Fall = Annotated[Number, Field(gt=0, lt=1)]
Share = Annotated[Number, Field(gt=0, lt=1)]
Multiple = Annotated[Number, Field(gt=1, le=1000)]
Probability = Annotated[Number, Field(ge=0, le=1)]
Whole = Annotated[int, Field(strict=True)]


class Section(BaseModel):
    """A section of config.yaml: frozen, unknown keys refused, values kept out of error texts."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

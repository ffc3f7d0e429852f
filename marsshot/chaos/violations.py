"""The invariants that a run has violated."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Violations:
    """What was found wrong: money lost, orders doubled, and whatever else must not be."""

    losses: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """True if nothing was found."""
        return not (self.losses or self.duplicates or self.others)

    def lines(self) -> list[str]:
        """Return the findings, one line each."""
        kinds = (("loss", self.losses), ("double", self.duplicates), ("rule", self.others))
        return [f"{kind}: {line}" for kind, lines in kinds for line in lines]

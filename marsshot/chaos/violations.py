"""What was found wrong in a run."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Verdict:
    """What was found wrong: money lost, orders doubled, and whatever else must not be."""

    losses: list[str] = field(default_factory=list)
    doubles: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """True if nothing was found."""
        return not (self.losses or self.doubles or self.others)

    def lines(self) -> list[str]:
        """Return the findings, one line each."""
        kinds = (("loss", self.losses), ("double", self.doubles), ("rule", self.others))
        return [f"{kind}: {line}" for kind, lines in kinds for line in lines]

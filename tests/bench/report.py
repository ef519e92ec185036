"""What a benchmark says: one measured figure beside what it is compared to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the report.

    Attributes:
        what: Was measured.
        value, unit: The measured figure.
        against: What it is compared to; empty where it stands alone.
        reference: That one's figure, in the same unit.
        limit: What the ratio of the two may be, such as ``at most 1.5``; empty where nothing is promised.
        holds: Whether it is so.
    """

    what: str
    value: float
    unit: str
    against: str = ""
    reference: float | None = None
    limit: str = ""
    holds: bool | None = None

    @property
    def ratio(self) -> float | None:
        """Measured figure over reference."""
        return None if not self.reference else self.value / self.reference

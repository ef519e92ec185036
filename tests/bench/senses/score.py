"""Counts of what was found, missed and made up, and what they say with 95 % of certainty."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Self

from scipy.stats import chi2

from tests.bench.hearing_variants import wilson

#: Recorded; put together of recordings and drawn changes; computed.
Material = Literal["real", "composed", "simulated"]
COLUMNS = ("type", "what", "material", "conditions", "recall", "precision", "false alarms an hour")


@dataclass(slots=True)
class Score:
    """One line of the report.

    Attributes:
        type: Short name of the event type.
        what: Which part of it, and what it was measured on.
        material: Of what kind that is.
        conditions: Light, weather, coding.
        found, truths: Events that were told, of all that there were.
        false: Events that were told and that nothing explains.
        hours: Watched or heard. None where there is no stretch of time, as with pictures.
        said: Confidence of each event that was told, and whether it was true, where they are known.
    """

    type: str
    what: str
    material: Material
    conditions: str = "as recorded"
    found: int = 0
    truths: int = 0
    false: int = 0
    hours: float | None = 0.0
    said: list[tuple[float, bool]] = field(default_factory=list)

    def add(self, told: Iterable[tuple[float, float]], truths_s: Sequence[tuple[float, float]], watched_s: float) -> None:
        """Counts one stretch.

        Args:
            told: When events were told to have begun, and how sure the unit was.
            truths_s: From when to when each truth may be told to have begun; the first start within is the one that found it, a second
                one of the same truth is false.
            watched_s: How long the stretch is.
        """
        free = list(truths_s)
        for start_s, confidence in sorted(told):
            hit = next((each for each in free if each[0] <= start_s <= each[1]), None)
            if hit is not None:
                free.remove(hit)
                self.found += 1
            else:
                self.false += 1
            self.said.append((confidence, hit is not None))
        self.truths += len(truths_s)
        self.hours = (self.hours or 0.0) + watched_s / 3600.0

    def join(self, other: Score) -> None:
        """Adds what was counted elsewhere under the same heading."""
        self.found += other.found
        self.truths += other.truths
        self.false += other.false
        self.hours = None if self.hours is None or other.hours is None else self.hours + other.hours
        self.said += other.said

    def cells(self) -> tuple[str, ...]:
        """The line as text, in the order of :data:`COLUMNS`."""
        told = self.found + self.false
        return (
            f"`{self.type}`",
            self.what,
            self.material,
            self.conditions,
            share(self.found, self.truths),
            share(self.found, told) if self.truths else "–",
            "–" if self.hours is None else rate(self.false, self.hours),
        )

    @classmethod
    def of_cells(cls, cells: Sequence[str]) -> Self:
        """The line whose text this is.

        Raises:
            ValueError: It is none.
        """
        name, what, material, conditions, recall, precision, hourly = cells
        if material not in ("real", "composed", "simulated"):
            raise ValueError(f"{material!r} is no kind of material")
        found, truths = _counts(recall, r"(\d+) of (\d+)") or ("0", "0")
        false, hours = _counts(hourly, r"([\d,]+) in ([\d,.]+) h") or (None, None)
        if false is None:
            told = (_counts(precision, r"\d+ of (\d+)") or (found,))[0]
            false = str(int(told) - int(found))
        return cls(
            name.strip("`"),
            what,
            material,
            conditions,
            int(found),
            int(truths),
            int(false.replace(",", "")),
            None if hours is None else float(hours.replace(",", "")),
        )


def _counts(cell: str, pattern: str) -> tuple[str, ...] | None:
    found = re.match(pattern, cell)
    return None if found is None else found.groups()


SAID_COLUMNS = ("type", "events", "confidence, mean", "true")


def said(scores: Iterable[Score]) -> list[tuple[str, ...]]:
    """Per type, how sure the unit was of what it told, and how much of it was true; in the order of :data:`SAID_COLUMNS`."""
    by: dict[str, list[tuple[float, bool]]] = {}
    for score in scores:
        by.setdefault(score.type, []).extend(score.said)
    return [
        (
            f"`{name}`",
            str(len(pairs)),
            f"{sum(sure for sure, _ in pairs) / len(pairs):.2f}",
            share(sum(true for _, true in pairs), len(pairs)),
        )
        for name, pairs in sorted(by.items())
        if pairs
    ]


def share(hits: int, of: int) -> str:
    """A share with Wilson's interval."""
    if of == 0:
        return "–"
    low, high = wilson(hits, of)
    return f"{hits} of {of}: {hits / of:.2f} ({low:.2f} to {high:.2f})"


def rate(events: int, hours: float) -> str:
    """Events an hour with the exact interval of a Poisson count (Garwood 1936); hours as they are printed, so that the page adds up."""
    shown = f"{hours:.3f}" if hours < 1 else f"{hours:.2f}" if hours < 100 else f"{hours:,.0f}"
    rounded = max(float(shown.replace(",", "")), 0.001)
    low = float(chi2.ppf(0.025, 2 * events)) / 2 if events else 0.0
    high = float(chi2.ppf(0.975, 2 * events + 2)) / 2
    per_hour, least, most = (_short(value / rounded) for value in (events, low, high))
    return f"{events:,} in {shown} h: {per_hour} ({least} to {most})"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2g}"

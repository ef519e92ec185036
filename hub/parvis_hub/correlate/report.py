"""One event of one unit: what all its messages say together, in whatever order they came."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from parvis_contract import Envelope, EventData, Phase

from .geometry import LocalMap
from .physics import PHYSICS, extent_of

Order = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was at a time: microseconds since 1970, metres east and north, 1-sigma radius."""

    time_us: int
    east_m: float
    north_m: float
    sigma_m: float


class Report:
    """One event of one unit.

    A message adds to it only by taking the earliest and the latest, so that order and repetition make no difference.

    Attributes:
        id: The event's.
        type, unit: Whose it is.
        identity: What must be equal in reports of one thing; empty if nothing must.
        data: What its latest message says.
        ended: It has: an instant, or an end has come.
        anchor: Where and when its first message says that it began.
        last: Where and when its latest message saw it.
        extent_m: How large its first message says that it is.
        sigma_us: Uncertainty of its first time, of the clock and of the onset.
    """

    __slots__ = (
        "_first",
        "_latest",
        "anchor",
        "cluster",
        "data",
        "ended",
        "extent_m",
        "id",
        "identity",
        "last",
        "sigma_us",
        "type",
        "unit",
    )

    def __init__(self, message: Envelope[Any]) -> None:
        self.id: uuid.UUID = message.event_id
        self.type = message.name
        self.unit = message.unit
        self.ended = False
        self.cluster: Any = None
        self._first: tuple[Any, ...] | None = None
        self._latest: tuple[Any, ...] | None = None

    def take(self, message: Envelope[Any], plane: LocalMap) -> None:
        """Adds a message of this event."""
        data: EventData[Any] = message.data
        time_us = round(message.time.timestamp() * 1e6)
        # An end stands last and a start first, even where two messages bear the same time.
        rank = (time_us, data.phase is Phase.END, data.sequence, str(message.id))
        self.ended = self.ended or data.phase in (Phase.END, Phase.INSTANT)
        if self._first is None or rank < self._first:
            self._first = rank
            self.anchor = _place(time_us, data, plane)
            self.extent_m = extent_of(self.type, data.measure)
            onset_ms = getattr(data.measure, "onset_uncertainty_ms", 0.0)
            self.sigma_us = 1e3 * (data.clock.uncertainty_ms**2 + onset_ms**2) ** 0.5
            field = PHYSICS[self.type].identity
            self.identity = self.unit if field == "unit" else str(getattr(data.measure, field)) if field else ""
        if self._latest is None or rank > self._latest:
            self._latest = rank
            self.last = _place(time_us, data, plane)
            self.data = data

    @property
    def order(self) -> Order:
        """Where it stands among all: by when it began."""
        return self.anchor.time_us, f"{self.id} {self.unit}"

    @property
    def until_us(self) -> int:
        """When it ended, or is taken to have if no more is heard of it."""
        return self.last.time_us if self.ended else self.last.time_us + int(PHYSICS[self.type].stale_s * 1e6)

    @property
    def joinable_us(self) -> int:
        """Until when another report may begin and be of the same thing."""
        return self.until_us + int(PHYSICS[self.type].quiet_s * 1e6)

    def bearing_on_others(self) -> tuple[Any, ...]:
        """All of it that the grouping of others depends on."""
        return self.anchor, self.last if PHYSICS[self.type].speed_m_s else None, self.until_us, self.extent_m, self.sigma_us, self.identity


def _place(time_us: int, data: EventData[Any], plane: LocalMap) -> Place:
    east_m, north_m = plane.to_m(data.position.lon, data.position.lat)
    return Place(time_us, east_m, north_m, data.position.uncertainty_m)

"""One event of one unit: what all its messages say together, in whatever order they came."""

from __future__ import annotations

import math
import uuid
from bisect import bisect_left
from typing import Any, NamedTuple

from parvis_contract import ClockSource, Envelope, EventData, LocalMap, Phase

from .physics import PHYSICS, extent_of

Order = tuple[int, str]
#: How a message stands among those of its event; its time first, microseconds since 1970.
Rank = tuple[int, bool, int, int]
#: What stays is known by so many looks as well as by more.
_REMEMBERED = 64
#: Phases after which an event is over.
_OVER = frozenset((Phase.END, Phase.INSTANT))


class Place(NamedTuple):
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
        worst: What the message says whose measure is the largest, by the field that counts for the type; the latest where none does.
        worst_rank: How that one stands among the messages of other reports.
        ended: It has: an instant, or an end has come.
        anchor: Where and when its first message says that it began.
        last: Where and when its latest message saw it.
        track: Where each of its messages saw it, in order of time; of what neither moves nor spreads, the first ones.
        started: Whether its first message is the start, and not a later one.
        lasted_s: How long its first message says that it has lasted.
        free: Whether the clock that its first time is of follows no other.
        extent_m: How large its first message says that it is.
        speed_m_s: How fast its first message says that it moves; None where it does not say.
        sigma_us: Uncertainty of its first time, of the clock and of the onset.
        order: Where it stands among all: by when it began.
        until_us: When it ended, or is taken to have if no more is heard of it.
        joinable_us: Until when another report may begin and be of the same thing.
    """

    __slots__ = (
        "_first",
        "_latest",
        "_ranks",
        "anchor",
        "cluster",
        "data",
        "ended",
        "extent_m",
        "free",
        "id",
        "identity",
        "joinable_us",
        "last",
        "lasted_s",
        "order",
        "sigma_us",
        "speed_m_s",
        "started",
        "track",
        "type",
        "unit",
        "until_us",
        "worst",
        "worst_rank",
    )

    def __init__(self, message: Envelope[Any]) -> None:
        self.id: uuid.UUID = message.event_id
        self.type = message.name
        self.unit = message.unit
        self.ended = False
        self.cluster: Any = None
        self._first: Rank | None = None
        self._latest: Rank | None = None
        self.worst_rank: tuple[float, Rank] | None = None
        self.track: list[Place] = []
        self._ranks: list[Rank] = []

    def begins_earlier(self, rank: Rank) -> bool:
        """Whether a message of this event, which ranks so, tells of an earlier beginning than all before it."""
        return self._first is not None and rank < self._first

    @property
    def looked_at(self) -> list[Place]:
        """What of its track decisions rest on.

        What goes on is looked at again when it has been seen twice as often, so that it costs little however long it goes on.
        """
        return self.track if self.ended else self.track[: 1 << (len(self.track).bit_length() - 1)]

    def take(self, message: Envelope[Any], rank: Rank, plane: LocalMap) -> None:
        """Adds a message of this event, which ranks so."""
        physics = PHYSICS[self.type]
        data: EventData[Any] = message.data
        time_us = rank[0]
        place = _place(time_us, data, plane)
        # Of a model, what it has not is found at once in this, and late by asking for it.
        measure = data.measure.__dict__
        self.ended = self.ended or data.phase in _OVER
        if self._first is None or rank < self._first:
            self._first = rank
            self.anchor = place
            self.started = data.phase in (Phase.START, Phase.INSTANT)
            self.lasted_s = float(measure.get("dwell_s") or measure.get("duration_s") or 0.0)
            self.extent_m = extent_of(self.type, data.measure)
            self.speed_m_s: float | None = measure.get("speed_m_s")
            onset_ms = measure.get("onset_uncertainty_ms", 0.0)
            self.sigma_us = 1e3 * (data.clock.uncertainty_ms**2 + onset_ms**2) ** 0.5
            self.free = data.clock.source is ClockSource.FREE
            field = physics.identity
            self.order = (time_us, f"{self.id} {self.unit}")
            self.identity = self.unit if field == "unit" else str(measure[field]) if field else ""
        if self._latest is None or rank > self._latest:
            self._latest = rank
            self.last = place
            self.data = data
        at = bisect_left(self._ranks, rank)
        if at == len(self._ranks) or self._ranks[at] != rank:
            self._ranks.insert(at, rank)
            self.track.insert(at, place)
            if len(self.track) > _REMEMBERED and not (physics.speed_m_s or physics.spreads):
                self._ranks.pop()
                self.track.pop()
        value: float | None = measure[physics.worst] if physics.worst else None
        worst_rank = (-math.inf if value is None else float(value), rank)
        if self.worst_rank is None or worst_rank > self.worst_rank:
            self.worst_rank, self.worst = worst_rank, data
        self.until_us = self.last.time_us if self.ended else self.last.time_us + int(physics.stale_s * 1e6)
        self.joinable_us = self.until_us + int(physics.quiet_s * 1e6)


def rank_of(message: Envelope[Any]) -> Rank:
    """Which message of an event comes first. An end stands last, even where another bears the same time."""
    data: EventData[Any] = message.data
    return round(message.time.timestamp() * 1e6), data.phase is Phase.END, data.sequence, message.id.int


def _place(time_us: int, data: EventData[Any], plane: LocalMap) -> Place:
    east_m, north_m = plane.to_m(data.position.lon, data.position.lat)
    return Place(time_us, east_m, north_m, data.position.uncertainty_m)

"""What the intake hands to the store: one batch, kept whole or not at all."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from parvis_contract import Envelope

from parvis_hub.consent.keyring import Sealed
from parvis_hub.correlate import Change


class Arrived(NamedTuple):
    """A message that passed the gate and is new.

    Attributes:
        message: It.
        text: As it came.
        received_us: When it reached the hub, microseconds since 1970.
        id, name, unit, time_us: Its own, read once.
        too_late: Older than the bounded lateness allows.
        consent: Of a sighting: the id of the consent under which it is kept.
        sealed: Of a sighting that is kept under one: what is kept in place of the message.
    """

    message: Envelope[Any]
    text: str
    received_us: int
    id: str
    name: str
    unit: str
    time_us: int
    too_late: bool = False
    consent: str | None = None
    sealed: Sealed | None = None

    @classmethod
    def of(cls, message: Envelope[Any], text: str, received_us: int) -> Arrived:
        """A message that is in time."""
        return cls(message, text, received_us, str(message.id), message.name, message.unit, round(message.time.timestamp() * 1e6))


@dataclass(slots=True)
class Seen:
    """What a batch tells of one unit; None is left as it was.

    Attributes:
        last_seen_us: When its last message reached the hub.
        newest_us: The latest time that an event of it has had.
        next_sequence: One more than the highest sequence number received.
        gaps: Every range of sequence numbers not received, both ends included.
        status, telemetry: The last of each, as it came.
        clock_off_s, clock_found_us: By how much its clock was found to be off, and when that was found.
    """

    last_seen_us: int | None = None
    newest_us: int | None = None
    next_sequence: int | None = None
    gaps: list[tuple[int, int]] | None = None
    status: str | None = None
    telemetry: str | None = None
    clock_off_s: float | None = None
    clock_found_us: int | None = None


@dataclass(slots=True)
class Batch:
    """Everything that one transaction keeps.

    Attributes:
        arrived: New messages, in order of arrival.
        incidents: What the correlator made of them.
        units: What they tell of each unit.
        counts: What to add to each counter.
        published: Incidents, and the revision of each that the broker has confirmed.
    """

    arrived: list[Arrived] = field(default_factory=list)
    incidents: list[Change] = field(default_factory=list)
    units: dict[str, Seen] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    published: list[tuple[str, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Restart:
    """What a hub needs to go on where it was stopped.

    Attributes:
        units: Of each unit: newest time, next sequence number, gaps.
        clock_us: The latest event time of all, or None.
        clock_received_us: When the message that bears it reached the hub.
    """

    units: dict[str, Seen]
    clock_us: int | None
    clock_received_us: int | None

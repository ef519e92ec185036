"""What a console is given: values, frozen, made of the contract's own models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from parvis_contract import (
    Envelope,
    EvidencePlate,
    Incident,
    Point,
    RefusalReason,
    SenseStatus,
    StatusReason,
    UnitState,
    UnitTelemetry,
    Verdict,
)

from parvis_hub.governance import DecisionReason

from .commands import Command
from .lineage import Move


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """An incident as it stands.

    Attributes:
        message: What is published of it.
        revision: From 1; one more with every change, a verdict included.
    """

    message: Envelope[Incident]
    revision: int


@dataclass(frozen=True, slots=True)
class Where:
    """Which incidents are asked for; there is no asking for a person.

    Attributes:
        types: Short names of event types; empty for all.
        unit: That has reported at least one of its events; None for any.
        since, until: Observed at some time in between, each with its zone; None for no bound.
        bbox: West, south, east and north bound of its position, degrees; None for anywhere.
    """

    types: tuple[str, ...] = ()
    unit: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    bbox: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What one person decided, once."""

    verdict: Verdict
    reason: DecisionReason
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class IncidentDetail:
    """An incident with what it rests on.

    Attributes:
        row: The incident.
        events: Every message of its events, in order of time; shorter than the incident's history once messages have expired.
        plates: The evidence plates of its events.
        decisions: What was decided, oldest first.
        moves: What came from other incidents and went to others, oldest first.
    """

    row: IncidentRow
    events: tuple[Envelope[Any], ...]
    plates: tuple[Envelope[EvidencePlate], ...]
    decisions: tuple[Decision, ...]
    moves: tuple[Move, ...] = ()


@dataclass(frozen=True, slots=True)
class WrongClock:
    """A clock that contradicts a well located sound by more than it says and by what no echo explains.

    Attributes:
        off_s: Ahead of the others' by so much; negative where it is behind.
        found: When a sound last showed it.
    """

    off_s: float
    found: datetime


@dataclass(frozen=True, slots=True)
class UnitView:
    """A unit of the site plan and the last that is known of it.

    Attributes:
        name, position, senses, range_m: From the site plan.
        state, reason, camera, microphone, software: From its last status; None if it has never sent one.
        telemetry: Its last, or None.
        last_seen: When its last message reached the hub; None if none has. A last will is no sign of life.
        silent: Nothing has come from it for longer than a living unit is quiet, whatever its last status says.
        missing: How many of its sequence numbers the hub has not received.
        allowlist: The last that was issued for it, if any.
        wrong_clock: What was found of its clock in the last day, if anything.
    """

    name: str
    position: Point
    senses: tuple[str, ...]
    range_m: float
    state: UnitState | None
    reason: StatusReason | None
    camera: SenseStatus | None
    microphone: SenseStatus | None
    software: str | None
    telemetry: UnitTelemetry | None
    last_seen: datetime | None
    silent: bool
    missing: int
    allowlist: Command | None = None
    wrong_clock: WrongClock | None = None


@dataclass(frozen=True, slots=True)
class Counters:
    """What has passed through the gate since the store was made.

    Attributes:
        received: Messages that reached the hub, the refused among them.
        refused: Of these, by reason.
        duplicates: Received before, and passed over.
        too_late: Events older than the bounded lateness allows: stored and listed, and part of no incident.
        stored: Messages that were new and were kept.
        not_announced: Refusals that were counted, but not published, because too many came at once.
        not_enrolled: Sightings of tags that nobody is enrolled with; nothing of them was kept.
    """

    received: int
    refused: Mapping[RefusalReason, int]
    duplicates: int
    too_late: int
    stored: int
    not_announced: int
    not_enrolled: int = 0

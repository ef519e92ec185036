"""The data of what the hub says: incidents, routes, what it refused, and commands to units."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationInfo, field_validator, model_validator

from .base import Bytes, Closed, Fraction, Metres, MetresPerSecond, Name, Sequence, Sha256, UtcTime, Uuid7
from .measures import (
    EVENT_TYPES,
    CrowdDensity,
    CrowdSurge,
    FurnitureChanged,
    LevelUnusual,
    LocatedImpulse,
    Measure,
    ObjectUnattended,
    PersonOnGround,
    SoundAlarm,
    SoundLevel,
    SurfaceMarked,
    TrafficWrongWay,
    UnitTampered,
    ZoneIntrusion,
)
from .unit_messages import ModelRef, Position, Tag, is_none

# --- incidents ----------------------------------------------------------------------------------------------------------------


class Ellipse(Closed):
    """A 1-sigma ellipse; the bearing of its long axis is clockwise from north."""

    semi_major_m: Metres
    semi_minor_m: Metres
    bearing_deg: Annotated[float, Field(ge=0.0, lt=180.0)]

    @model_validator(mode="after")
    def _ordered(self) -> Ellipse:
        if self.semi_minor_m > self.semi_major_m:
            raise ValueError("semi_minor_m is at most semi_major_m")
        return self


class IncidentPosition(Position):
    """Where an incident is; with an ellipse where more is known than a radius."""

    ellipse: Ellipse | None = None


class IncidentState(StrEnum):
    """Open until it has ended and been quiet for its time."""

    OPEN = "open"
    CLOSED = "closed"


class LocatedBy(StrEnum):
    """How its position is known."""

    UNIT = "unit"
    GROUND_PLANE = "ground_plane"
    MULTILATERATION = "multilateration"


class Verdict(StrEnum):
    """What a person said of it."""

    UNCONFIRMED = "unconfirmed"
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"


class Operator(Closed):
    """Who decided what, and when."""

    verdict: Verdict
    by: Name | None = None
    at: UtcTime | None = None

    @model_validator(mode="after")
    def _signed(self) -> Operator:
        decided = self.verdict is not Verdict.UNCONFIRMED
        if decided is not (self.by is not None) or decided is not (self.at is not None):
            raise ValueError("a verdict says who gave it and when; without a verdict both are null")
        return self


class CoursePoint(Closed):
    """Where something that spreads or moves was at a time, and how fast it was; never a person."""

    time: UtcTime
    position: IncidentPosition
    # Left out where it is not known: messages of before there was a speed are written as they were.
    speed_m_s: MetresPerSecond | None = Field(default=None, exclude_if=is_none)
    speed_uncertainty_m_s: MetresPerSecond | None = Field(default=None, exclude_if=is_none, description="1-sigma, along each axis.")


IncidentMeasure = (
    ObjectUnattended
    | FurnitureChanged
    | SurfaceMarked
    | CrowdDensity
    | CrowdSurge
    | PersonOnGround
    | ZoneIntrusion
    | TrafficWrongWay
    | LevelUnusual
    | LocatedImpulse
    | SoundAlarm
    | SoundLevel
    | UnitTampered
)


class Incident(Closed):
    """What the hub makes of the events of one cause."""

    incident: Uuid7
    type: Literal[
        "object.unattended",
        "furniture.changed",
        "surface.marked",
        "crowd.density",
        "crowd.surge",
        "person.on_ground",
        "zone.intrusion",
        "traffic.wrong_way",
        "level.unusual",
        "sound.impulse",
        "sound.alarm",
        "sound.level",
        "unit.tampered",
    ]
    state: IncidentState
    first_observed: UtcTime
    last_observed: UtcTime
    position: IncidentPosition
    located_by: LocatedBy
    # The longest lists that fit in a message, each alone.
    units: Annotated[tuple[Name, ...], Field(min_length=1, max_length=1_000)]
    events: Annotated[tuple[Uuid7, ...], Field(min_length=1, max_length=3_000)]
    confidence: Fraction
    measure: IncidentMeasure
    course: Annotated[tuple[CoursePoint, ...], Field(max_length=500)] | None = None
    operator: Operator

    @field_validator("measure", mode="before")
    @classmethod
    def _measure_of_type(cls, value: object, info: ValidationInfo) -> object:
        kind = info.data.get("type")
        if isinstance(value, Measure) or kind is None:
            return value
        # As JSON, strictly: the union would say what is wrong for every type, and Python's leniency would take "1" for 1.
        return EVENT_TYPES[kind].incident_measure.model_validate_json(json.dumps(value))

    @model_validator(mode="after")
    def _consistent(self) -> Incident:
        if not isinstance(self.measure, EVENT_TYPES[self.type].incident_measure):
            raise ValueError(f"measure is not that of {self.type}")
        if self.last_observed < self.first_observed:
            raise ValueError("last_observed is before first_observed")
        return self


# --- routes -------------------------------------------------------------------------------------------------------------------


class SightingRefusal(StrEnum):
    """Why a sighting is not part of a route."""

    TOO_FAR = "too far from the previous sighting to be walked"
    OFF_NETWORK = "not on a walkway"
    DOUBLED_TAG = "the same tag was seen elsewhere at that time"
    NOT_CONNECTED = "no walkway leads there from the previous sighting"
    OUTSIDE_ENROLMENT = "outside the time of the enrolment"


class RouteSegment(Closed):
    """A walkway that was taken. ``observed: false``: it must have been, and no unit saw it."""

    walkway: Name
    entered: UtcTime
    left: UtcTime
    observed: bool

    @model_validator(mode="after")
    def _forward(self) -> RouteSegment:
        if self.left < self.entered:
            raise ValueError("left is before entered")
        return self


class RefusedSighting(Closed):
    """A sighting that is not part of the route, and why."""

    id: Uuid7
    reason: SightingRefusal


class Route(Closed):
    """The route of one enrolled tag, in order of travel."""

    tag: Tag
    coverage: Fraction
    segments: Annotated[tuple[RouteSegment, ...], Field(max_length=800)]
    refused: Annotated[tuple[RefusedSighting, ...], Field(max_length=1_000)] = ()


# --- refusals -----------------------------------------------------------------------------------------------------------------


class RefusalReason(StrEnum):
    """Why a message was refused."""

    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    DUPLICATE_KEY = "duplicate_key"
    NOT_FINITE = "not_finite"
    NOT_AN_ENVELOPE = "not_an_envelope"
    UNKNOWN_TYPE = "unknown_type"
    UNKNOWN_FIELD = "unknown_field"
    MISSING_FIELD = "missing_field"
    BAD_ID = "bad_id"
    BAD_TIME = "bad_time"
    INVALID_VALUE = "invalid_value"
    WRONG_TOPIC = "wrong_topic"
    UNKNOWN_UNIT = "unknown_unit"
    IMPLAUSIBLE_TIME = "implausible_time"


class Rejected(Closed):
    """What the hub refused. Nothing of its content is repeated: whoever sent it has it, and it may be anything."""

    reason: RefusalReason
    unit: Name | None
    field: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+){0,7}$", max_length=100, strict=True)] | None = Field(
        description="The contract's field that was wrong; null where the contract has none of that name."
    )
    size_bytes: Bytes
    sha256: Sha256


# --- commands -----------------------------------------------------------------------------------------------------------------


class Signature(Closed):
    """Ed25519 over the canonical JSON (RFC 8785) of the whole message, as it was sent, without this field."""

    key: Sha256 = Field(description="SHA-256 of the public key.")
    value: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{128}$", strict=True)]


class _Command(Closed):
    unit: Name = Field(description="Whom it is for: what was signed for one unit is nothing to another.")
    counter: Sequence = Field(description="Higher than that of every command of its type before it: a replayed one is refused.")
    expires: UtcTime
    signature: Signature


class ConfigCommand(_Command):
    """Take the site plan with this digest from the hub."""

    site_plan_sha256: Sha256


class TagRange(Closed):
    """Tags from ``first`` to ``last``, both included."""

    first: Tag
    last: Tag

    @model_validator(mode="after")
    def _rising(self) -> TagRange:
        if self.last < self.first:
            raise ValueError("last is before first")
        return self


class AllowlistCommand(_Command):
    """The tags whose wearers asked for a route; every other tag is dropped in memory."""

    family: Literal["tag36h11"] = "tag36h11"
    allow: Annotated[tuple[TagRange, ...], Field(max_length=16)]


class ReleaseCommand(_Command):
    """Take this version of a model from the hub's repository."""

    model: ModelRef
    sha256: Sha256

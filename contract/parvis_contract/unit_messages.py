"""The data of what a unit says: events, counts, tag sightings, status, telemetry and plates."""

from __future__ import annotations

import base64
import binascii
from enum import StrEnum
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import AfterValidator, Field, StringConstraints

from .base import (
    Bytes,
    Celsius,
    Closed,
    Count,
    Fraction,
    Latitude,
    Longitude,
    Metres,
    Milliseconds,
    Name,
    Rate,
    Seconds,
    Sequence,
    Total,
    UtcTime,
    Uuid7,
    Version,
)
from .measures import (
    Measure,
    ObjectClass,
)
from .webp import MAX_WIDTH_PX, webp_size

M = TypeVar("M", bound=Measure)

# --- what events share --------------------------------------------------------------------------------------------------------


class Phase(StrEnum):
    """Where in its life an event is."""

    START = "start"
    UPDATE = "update"
    END = "end"
    INSTANT = "instant"


class ClockSource(StrEnum):
    """What keeps the unit's clock."""

    GNSS = "gnss"
    PTP = "ptp"
    NTP = "ntp"
    FREE = "free"


class Clock(Closed):
    """How far a time may be trusted: its keeper and the 1-sigma uncertainty."""

    source: ClockSource
    uncertainty_ms: Milliseconds


class Position(Closed):
    """WGS 84, with the 1-sigma radius. For a unit without calibration: its own position and its range."""

    lon: Longitude
    lat: Latitude
    uncertainty_m: Metres


class ModelRef(Closed):
    """The model that said so; for what needs no model, the unit's program and its version."""

    name: Name
    version: Version


def is_none(value: object) -> bool:
    """Whether a field is left out of what is written."""
    return value is None


class EventData(Closed, Generic[M]):
    """The data of an event of one type."""

    phase: Phase
    event: Uuid7 | None = Field(
        default=None,
        exclude_if=is_none,
        description="Of an event that lasts: the id of its start, in all three phases. A reader also takes a start without it.",
    )
    sequence: Sequence
    confidence: Fraction
    position: Position
    clock: Clock
    model: ModelRef
    measure: M


# --- what else a unit says ----------------------------------------------------------------------------------------------------

#: A count, or ``<n`` where it is below the site's floor ``n``: small numbers single people out.
FlooredCount = Count | Annotated[str, StringConstraints(pattern=r"^<[1-9][0-9]{0,3}$", strict=True)]


class FlowCount(Closed):
    """How many of one class went into and out of a zone in a period."""

    sequence: Sequence
    zone: Name
    object_class: ObjectClass
    period_s: Seconds
    entered: FlooredCount = Field(alias="in")
    left: FlooredCount = Field(alias="out")


#: The 587 tags of the AprilTag family 36h11.
Tag = Annotated[int, Field(ge=0, le=586, description="Number of an AprilTag 36h11.")]


class TagSighting(Closed):
    """A tag of the allowlist was seen. Own store, own retention. The time is the envelope's."""

    sequence: Sequence | None = Field(default=None, exclude_if=is_none)
    tag: Tag
    position: Position
    time: UtcTime | None = Field(default=None, exclude_if=is_none, description="If given, the envelope's time.")
    clock: Clock


class StreamState(StrEnum):
    """How a stream of frames or sound is."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    STALLED = "stalled"
    RECOVERING = "recovering"
    FAILED = "failed"


class UnitState(StrEnum):
    """How a unit is. ``lost`` is its last will: the broker says it, not the unit."""

    STARTING = "starting"
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    FAILED = "failed"
    STOPPED = "stopped"
    LOST = "lost"


class StatusReason(StrEnum):
    """Why a unit or a stream is not healthy: a closed list, so that every reason can be explained and translated."""

    CONNECTION_LOST = "connection_lost"
    SOURCE_MISSING = "source_missing"
    SOURCE_ENDED = "source_ended"
    SOURCE_UNREADABLE = "source_unreadable"
    NO_DATA = "no_data"
    LOW_RATE = "low_rate"
    RECONNECTING = "reconnecting"
    FORMAT_CHANGED = "format_changed"
    CANNOT_KEEP_UP = "cannot_keep_up"
    TAMPERED = "tampered"
    PROFILE_FORBIDS = "profile_forbids"
    MODEL_FAILED = "model_failed"
    OUTBOX_FULL = "outbox_full"
    DISK_FULL = "disk_full"
    CLOCK_UNSYNCHRONISED = "clock_unsynchronised"
    CLOCK_JUMPED = "clock_jumped"
    OVERHEATED = "overheated"
    BROKER_REFUSES = "broker_refuses"
    NOT_DARK = "not_dark"


class SenseStatus(Closed):
    """How one sense of a unit is, and why."""

    state: StreamState
    reason: StatusReason | None = None


class CommandRefusal(StrEnum):
    """Why a unit did not take a command."""

    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    NOT_FOR_THIS_UNIT = "not_for_this_unit"
    UNKNOWN_KEY = "unknown_key"
    BAD_SIGNATURE = "bad_signature"
    EXPIRED = "expired"
    CLOCK_BEHIND = "clock_behind"
    REPLAYED = "replayed"
    NOT_PERMITTED = "not_permitted"
    NOT_SUPPORTED = "not_supported"
    DISK_FULL = "disk_full"


class CommandStatus(Closed):
    """What a unit has taken of the hub's commands: the counter of the last of each type, which acknowledges it."""

    config: Sequence | None = Field(default=None, exclude_if=is_none)
    allowlist: Sequence | None = Field(default=None, exclude_if=is_none)
    release: Sequence | None = Field(default=None, exclude_if=is_none)
    refused: CommandRefusal | None = Field(
        default=None, exclude_if=is_none, description="Why the last command was not taken; absent if it was."
    )


class UnitStatus(Closed):
    """How a unit is, and why; retained, and the unit's last will."""

    state: UnitState
    reason: StatusReason | None = None
    camera: SenseStatus | None = None
    microphone: SenseStatus | None = None
    software: Version
    models: Annotated[tuple[ModelRef, ...], Field(max_length=4)] = ()
    commands: CommandStatus | None = Field(default=None, exclude_if=is_none, description="Absent before the first command.")


class UnitTelemetry(Closed):
    """What a maintainer looks at when a unit is slow. A quantity that the unit cannot tell is null."""

    uptime_s: Annotated[float, Field(ge=0.0, le=1.0e10, description="Seconds since the program started.")]
    captured_fps: Rate | None
    analysed_fps: Rate | None
    vision_inference_ms: Milliseconds | None
    hearing_inference_ms: Milliseconds | None
    queue_frames: Count = Field(description="Waiting for the detector now.")
    dropped_frames: Total = Field(description="Passed over since the start, the oldest first, rather than fall behind.")
    outbox_messages: Total = Field(description="Waiting for the broker now.")
    outbox_oldest_s: Seconds = Field(description="How long the oldest of them has waited.")
    outbox_shed: Total = Field(description="Given up since the outbox was made, because it was full.")
    memory_bytes: Bytes | None
    temperature_c: Celsius | None
    clock: Clock


#: Base64 of at most 90 kB: a WebP 640 px wide needs a third of it.
_PLATE_CHARACTERS = 120_000


def _is_webp(value: str) -> str:
    try:
        width_px, _ = webp_size(base64.b64decode(value, validate=True))
    except binascii.Error:
        raise ValueError("a plate is base64") from None
    if width_px > MAX_WIDTH_PX:
        raise ValueError(f"a plate is at most {MAX_WIDTH_PX} px wide, this one is {width_px}")
    return value


class EvidencePlate(Closed):
    """The static background of the scene with the changed region marked, for the three types that concern things."""

    sequence: Sequence
    event: Uuid7
    about: Literal["object.unattended", "furniture.changed", "surface.marked"]
    webp_base64: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z0-9+/]+={0,2}$", max_length=_PLATE_CHARACTERS, strict=True),
        AfterValidator(_is_webp),
    ]

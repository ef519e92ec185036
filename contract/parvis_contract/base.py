"""What every model of the contract is made of: closed, bounded, typed; no free text and no bytes."""

from __future__ import annotations

import hashlib
import re
import uuid
from datetime import UTC, datetime
from typing import Annotated, Any

import uuid6
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, StringConstraints

#: A name that people choose: of a site, unit, zone, lane, asset or walkway. No spaces, no capitals, nothing that could be prose.
NAME_PATTERN = r"^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, strict=True)]
Version = Annotated[str, StringConstraints(pattern=r"^(?:0|[1-9]\d{0,4})\.(?:0|[1-9]\d{0,4})\.(?:0|[1-9]\d{0,4})$", strict=True)]


class Closed(BaseModel):
    """A value object of the contract: frozen, and nothing in it that the contract does not name."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


# --- time ---------------------------------------------------------------------------------------------------------------------

#: RFC 3339 with a zone. Anything looser (a date alone, a space for the T, a number) is refused.
_TIME = re.compile(r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?:Z|[+-]\d{2}:\d{2})$")


def _read_time(value: Any) -> Any:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a time needs a zone; write it in UTC, ending in Z")
        return value.astimezone(UTC)
    if isinstance(value, str):
        if not _TIME.match(value):
            raise ValueError("a time is written 2026-06-21T18:04:05.123456Z, with its zone and at most microseconds")
        return datetime.fromisoformat(value).astimezone(UTC)
    raise ValueError("a time is a string such as 2026-06-21T18:04:05.123456Z")


def format_time(time: datetime) -> str:
    """Writes a time as the contract does: UTC, microseconds, ``Z``."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


UtcTime = Annotated[
    datetime,
    BeforeValidator(_read_time, json_schema_input_type=str),
    PlainSerializer(format_time, return_type=str),
    Field(json_schema_extra={"type": "string", "format": "date-time"}),
]


def to_datetime(time_s: float) -> datetime:
    """POSIX seconds to an aware UTC time, rounded to the microsecond."""
    whole, micro = divmod(round(time_s * 1_000_000), 1_000_000)
    return datetime.fromtimestamp(whole, UTC).replace(microsecond=micro)


def to_posix_s(time: datetime) -> float:
    """An aware time to POSIX seconds."""
    if time.tzinfo is None:
        raise ValueError("a time needs a zone")
    return time.timestamp()


# --- identity -----------------------------------------------------------------------------------------------------------------


def _read_uuid7(value: Any) -> Any:
    if isinstance(value, str):
        if not re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", value):
            raise ValueError("an id is a UUIDv7 in lower case, such as 01937a5c-8f3e-7c2a-9d41-5b0c2e6f1a77")
        return uuid.UUID(value)
    if isinstance(value, uuid.UUID) and value.version == 7:
        return value
    raise ValueError("an id is a UUIDv7")


Uuid7 = Annotated[
    uuid.UUID,
    BeforeValidator(_read_uuid7, json_schema_input_type=str),
    PlainSerializer(str, return_type=str),
    Field(json_schema_extra={"type": "string", "format": "uuid"}),
]


def new_id() -> uuid.UUID:
    """A fresh UUIDv7 of this moment."""
    return uuid.UUID(int=uuid6.uuid7().int)


def derived_id(time_s: float, *parts: str) -> uuid.UUID:
    """A UUIDv7 of a given moment whose other bits are a hash of ``parts``.

    The same arguments give the same id, on every machine: for whatever is computed again from the same messages (an incident
    of a replayed log), and for files that are judged again.

    Args:
        time_s: POSIX seconds, not before 1970; becomes the 48 leading bits, in milliseconds (RFC 9562, 5.7).
        parts: What tells this id from others of the same millisecond.
    """
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    random = int.from_bytes(digest[:10], "big")
    value = (int(time_s * 1000) & 0xFFFF_FFFF_FFFF) << 80 | random
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return uuid.UUID(int=value)


# --- quantities, bounded by physics -------------------------------------------------------------------------------------------


def _no_negative_zero(value: float) -> float:
    return value + 0.0


def _quantity(low: float, high: float, description: str) -> Any:
    return Annotated[float, AfterValidator(_no_negative_zero), Field(ge=low, le=high, description=description)]


Fraction = _quantity(0.0, 1.0, "A share of the whole, 0 to 1.")
Longitude = _quantity(-180.0, 180.0, "WGS 84 longitude in degrees, east positive.")
Latitude = _quantity(-90.0, 90.0, "WGS 84 latitude in degrees, north positive.")
#: Half of the Earth's circumference: nothing on it is farther away.
Metres = _quantity(0.0, 20_037_508.0, "Metres.")
#: No camera on a mast sees more than ten square kilometres.
SquareMetres = _quantity(0.0, 1.0e7, "Square metres.")
#: A year: nothing in the street is watched longer under one message.
Seconds = _quantity(0.0, 366 * 86_400.0, "Seconds.")
Milliseconds = _quantity(0.0, 86_400_000.0, "Milliseconds; a day at most.")
#: 1,000 km/h: faster than any vehicle in a street.
MetresPerSecond = _quantity(0.0, 280.0, "Metres per second.")
#: 194 dB re 20 µPa is a full-scale pressure swing of one atmosphere; a shock wave beside the microphone may exceed it a little.
Decibels = _quantity(-20.0, 200.0, "Decibels re 20 µPa.")
#: More than a dozen people to the square metre has never been measured.
PeoplePerSquareMetre = _quantity(0.0, 15.0, "People per square metre.")
Degrees = Annotated[float, AfterValidator(_no_negative_zero), Field(ge=0.0, lt=360.0, description="Degrees clockwise from north.")]
Count = Annotated[int, Field(ge=0, le=1_000_000, description="A count.")]
#: JSON numbers are exact up to 2^53.
Sequence = Annotated[int, Field(ge=0, le=2**53 - 1, description="Per unit, gap-free, survives restarts.")]

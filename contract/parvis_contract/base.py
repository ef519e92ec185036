"""What every model of the contract is made of: closed, bounded, typed; no free text and no bytes."""

from __future__ import annotations

import hashlib
import re
import uuid
from datetime import UTC, datetime
from typing import Annotated, Any

import uuid6
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError, core_schema

# Patterns write digits as [0-9]: \d would also take the digits of other scripts, here and not in every reader of the schema.

#: A name that people choose: of a site, unit, zone, lane, asset or walkway. No spaces, no capitals, nothing that could be prose.
NAME_PATTERN = r"^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$"
VERSION_PATTERN = r"^(?:0|[1-9][0-9]{0,4})\.(?:0|[1-9][0-9]{0,4})\.(?:0|[1-9][0-9]{0,4})$"
SHA256_PATTERN = r"^[0-9a-f]{64}$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, strict=True)]
Version = Annotated[str, StringConstraints(pattern=VERSION_PATTERN, strict=True)]
Sha256 = Annotated[str, StringConstraints(pattern=SHA256_PATTERN, strict=True)]

#: The name that the hub bears in a source: ``urn:parvis:{site}:hub``.
HUB = "hub"
#: Names that would read as one of the hub's own branches of topics, or as the hub. No unit may have one.
RESERVED_UNIT_NAMES = frozenset({HUB, "incident", "route", "rejected"})


class Closed(BaseModel):
    """A value object of the contract: frozen, and nothing in it that the contract does not name."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


# --- time ---------------------------------------------------------------------------------------------------------------------

#: RFC 3339 with a zone, from 1970 on. Anything looser (a date alone, a space for the T, a number) is refused.
TIME_PATTERN = (
    r"^(?:19[7-9][0-9]|[2-9][0-9]{3})-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])$"
)
_TIME = re.compile(TIME_PATTERN)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _read_time(value: Any) -> Any:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise PydanticCustomError("bad_time", "a time needs a zone; write it in UTC, ending in Z")
        time = value
    elif isinstance(value, str) and _TIME.fullmatch(value):
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            raise PydanticCustomError("bad_time", "no such day in the calendar") from None
    else:
        raise PydanticCustomError(
            "bad_time", "a time is a string such as 2026-06-21T18:04:05.123456Z, with its zone, at most microseconds, from 1970 on"
        )
    try:
        time = time.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("bad_time", "a time is before the year 10000 in UTC") from None
    if time < _EPOCH:
        raise PydanticCustomError("bad_time", "a time is not before 1970 in UTC")
    return time


def format_time(time: datetime) -> str:
    """Writes a time as the contract does: UTC, microseconds, ``Z``."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")[: -len("+00:00")] + "Z"


UtcTime = Annotated[
    datetime,
    BeforeValidator(_read_time),
    PlainSerializer(format_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": TIME_PATTERN}),
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


def to_posix_us(time: datetime) -> int:
    """An aware time to microseconds since 1970."""
    return round(to_posix_s(time) * 1e6)


# --- identity -----------------------------------------------------------------------------------------------------------------


UUID7_PATTERN = r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
_UUID7 = re.compile(UUID7_PATTERN)


def _read_uuid7(value: Any) -> Any:
    if isinstance(value, str) and _UUID7.fullmatch(value):
        return uuid.UUID(value)
    if isinstance(value, uuid.UUID) and value.version == 7:
        return value
    raise PydanticCustomError("bad_id", _BAD_ID)


class _FromJson:
    """Ids in JSON are read by pydantic's own code, which takes a fifth of the time; the pattern is the same."""

    @staticmethod
    def __get_pydantic_core_schema__(source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        text = core_schema.str_schema(pattern=UUID7_PATTERN, strict=True)
        read = core_schema.chain_schema([text, core_schema.uuid_schema()])
        in_json = core_schema.custom_error_schema(read, custom_error_type="bad_id", custom_error_message=_BAD_ID)
        return core_schema.json_or_python_schema(json_schema=in_json, python_schema=handler(source))


_BAD_ID = "an id is a UUIDv7 in lower case, such as 01937a5c-8f3e-7c2a-9d41-5b0c2e6f1a77"
Uuid7 = Annotated[
    uuid.UUID,
    BeforeValidator(_read_uuid7),
    _FromJson,
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "format": "uuid", "pattern": UUID7_PATTERN}),
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


#: So that equal quantities are written alike.
_ZERO = AfterValidator(_no_negative_zero)

Fraction = Annotated[float, Field(strict=True, ge=0.0, le=1.0, description="A share of the whole, 0 to 1."), _ZERO]
Longitude = Annotated[float, Field(strict=True, ge=-180.0, le=180.0, description="WGS 84 longitude in degrees, east positive."), _ZERO]
Latitude = Annotated[float, Field(strict=True, ge=-90.0, le=90.0, description="WGS 84 latitude in degrees, north positive."), _ZERO]
#: Half of the Earth's circumference: nothing on it is farther away.
Metres = Annotated[float, Field(strict=True, ge=0.0, le=20_037_508.0, description="Metres."), _ZERO]
#: No camera on a mast sees more than ten square kilometres.
SquareMetres = Annotated[float, Field(strict=True, ge=0.0, le=1.0e7, description="Square metres."), _ZERO]
#: A year: nothing in the street is watched longer under one message.
Seconds = Annotated[float, Field(strict=True, ge=0.0, le=366 * 86_400.0, description="Seconds."), _ZERO]
Milliseconds = Annotated[float, Field(strict=True, ge=0.0, le=86_400_000.0, description="Milliseconds; a day at most."), _ZERO]
#: 1,000 km/h: faster than any vehicle in a street.
MetresPerSecond = Annotated[float, Field(strict=True, ge=0.0, le=280.0, description="Metres per second."), _ZERO]
#: 194 dB re 20 µPa is a full-scale pressure swing of one atmosphere; a shock wave beside the microphone may exceed it a little.
Decibels = Annotated[float, Field(strict=True, ge=-20.0, le=200.0, description="Decibels re 20 µPa."), _ZERO]
#: More than a dozen people to the square metre has never been measured.
PeoplePerSquareMetre = Annotated[float, Field(strict=True, ge=0.0, le=15.0, description="People per square metre."), _ZERO]
Degrees = Annotated[float, Field(strict=True, ge=0.0, lt=360.0, description="Degrees clockwise from north."), _ZERO]
Celsius = Annotated[float, Field(strict=True, ge=-60.0, le=150.0, description="Degrees Celsius."), _ZERO]
Rate = Annotated[float, Field(strict=True, ge=0.0, le=1000.0, description="Per second."), _ZERO]
Count = Annotated[int, Field(strict=True, ge=0, le=1_000_000, description="A count.")]
#: JSON numbers are exact up to 2^53.
_EXACT = 2**53 - 1
Total = Annotated[int, Field(strict=True, ge=0, le=_EXACT, description="A count.")]
Bytes = Annotated[int, Field(strict=True, ge=0, le=2**50, description="Bytes.")]
Sequence = Annotated[int, Field(strict=True, ge=0, le=_EXACT, description="Per unit, gap-free, survives restarts.")]

"""The CloudEvents 1.0 envelope, reading and writing it, and every reason to refuse a message.

A message is read strictly: what the contract does not name is refused, so that nothing can travel in it that nobody expects.
"""

from __future__ import annotations

import functools
import json
import re
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar, Union, get_args

from pydantic import BaseModel, Field, StringConstraints, TypeAdapter, ValidationError, create_model, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from .base import HUB, NAME_PATTERN, RESERVED_UNIT_NAMES, Closed, UtcTime, Uuid7, new_id
from .hub_messages import AllowlistCommand, ConfigCommand, Incident, RefusalReason, Rejected, ReleaseCommand, Route
from .measures import EVENT_TYPES
from .unit_messages import EventData, EvidencePlate, FlowCount, Phase, TagSighting, UnitStatus, UnitTelemetry

#: Every message but a plate and what the hub says fits in this.
MAX_BYTES = 1024
#: A plate, and an incident or route with a long history.
MAX_LARGE_BYTES = 131_072

UNIT_SOURCE_PATTERN = f"^urn:parvis:{NAME_PATTERN[1:-1]}:{NAME_PATTERN[1:-1]}$"
HUB_SOURCE_PATTERN = f"^urn:parvis:{NAME_PATTERN[1:-1]}:{HUB}$"

D = TypeVar("D", bound=Closed)


class Refused(ValueError):
    """A message that is not of the contract.

    Attributes:
        reason: Which rule it breaks.
        field: The contract's field that is wrong, dotted; None where the contract has none of that name.
        detail: For the log of whoever refused it: what was expected. Never sent on.
    """

    def __init__(self, reason: RefusalReason, detail: str, field: str | None = None) -> None:
        super().__init__(f"{reason}: {field + ': ' if field else ''}{detail}")
        self.reason = reason
        self.field = field
        self.detail = detail


class Envelope(Closed, Generic[D]):
    """A CloudEvent, JSON structured mode."""

    specversion: Literal["1.0"] = "1.0"
    id: Uuid7 = Field(description="The key for idempotence.")
    source: str = Field(description="urn:parvis:{site}:{unit}; the hub's unit is `hub`.")
    type: str
    time: UtcTime = Field(
        description="When it began in the world, not when it was sent; of an update or end: the moment that it speaks of."
    )
    datacontenttype: Literal["application/json"] = "application/json"
    data: D

    @property
    def site(self) -> str:
        """The site that its source names."""
        return self.source.split(":")[2]

    @property
    def unit(self) -> str:
        """The unit that its source names; ``hub`` for the hub."""
        return self.source.split(":")[3]

    @property
    def name(self) -> str:
        """The short name of its type: ``object.unattended``, ``flow.count``."""
        return short_name(self.type)

    @property
    def event_id(self) -> Any:
        """Of an event: the id of its start, or its own id where it is a start or an instant."""
        return getattr(self.data, "event", None) or self.id

    @model_validator(mode="after")
    def _agrees(self) -> Envelope[D]:
        data: Any = self.data
        name = self.name
        if name not in FROM_HUB and self.unit in RESERVED_UNIT_NAMES:
            raise _wrong("invalid_value", "source", f"no unit is called {self.unit}")
        if name in EVENT_TYPES:
            phase = data.phase
            if (phase is Phase.INSTANT) is EVENT_TYPES[name].lasts:
                raise _wrong("invalid_value", "data.phase", f"{phase} is not a phase of {name}")
            if phase is Phase.INSTANT and data.event is not None:
                raise _wrong("bad_id", "data.event", "an instant has no event to belong to")
            if phase is Phase.START and data.event not in (None, self.id):
                raise _wrong("bad_id", "data.event", "the event of a start is its own id")
            if phase in (Phase.UPDATE, Phase.END) and data.event in (None, self.id):
                raise _wrong("bad_id", "data.event", "an update or end names the id of its start as its event")
        elif name == "rejected" and data.field is not None and not is_field(data.field):
            raise _wrong("invalid_value", "data.field", "not a field of the contract")
        elif name == "tag.sighting" and data.time not in (None, self.time):
            raise _wrong("bad_time", "data.time", "the time of a sighting is the envelope's")
        return self


def _wrong(kind: Literal["bad_id", "bad_time", "invalid_value"], field: str, message: str) -> PydanticCustomError:
    """What is wrong in one field for what stands in another; `field` is carried to the refusal."""
    return PydanticCustomError(kind, "{message}", {"message": message, "field": field})


@functools.lru_cache(maxsize=64)
def short_name(full_name: str) -> str:
    """``org.parvis.object.unattended.v1`` → ``object.unattended``."""
    return full_name.removeprefix("org.parvis.").removesuffix(".v1")


def full_name(name: str) -> str:
    """``object.unattended`` → ``org.parvis.object.unattended.v1``."""
    return f"org.parvis.{name}.v1"


#: The data model of every message, by the short name of its type.
MESSAGES: dict[str, type[Closed]] = {name: EventData[entry.measure] for name, entry in EVENT_TYPES.items()} | {  # type: ignore[name-defined]
    "flow.count": FlowCount,
    "tag.sighting": TagSighting,
    "unit.status": UnitStatus,
    "unit.telemetry": UnitTelemetry,
    "evidence.plate": EvidencePlate,
    "incident": Incident,
    "route": Route,
    "rejected": Rejected,
    "command.config": ConfigCommand,
    "command.allowlist": AllowlistCommand,
    "command.release": ReleaseCommand,
}


def what_it_says(name: str) -> str:
    """One sentence on a type of message, by its short name."""
    said = EVENT_TYPES[name].measure if name in EVENT_TYPES else MESSAGES[name]
    return (said.__doc__ or "").splitlines()[0]


#: What the hub alone may say. Everything else is said by a unit.
FROM_HUB = frozenset({"incident", "route", "rejected", "command.config", "command.allowlist", "command.release"})


def _envelope_model(name: str, data: type[Closed]) -> type[Envelope[Any]]:
    source = HUB_SOURCE_PATTERN if name in FROM_HUB else UNIT_SOURCE_PATTERN
    fields: dict[str, Any] = {
        "source": (Annotated[str, StringConstraints(pattern=source, strict=True)], Envelope.model_fields["source"]),
        "type": (Literal[full_name(name)], full_name(name)),
    }
    return create_model(
        "".join(part.capitalize() for part in re.split(r"[._]", name)) + "Message",
        __base__=Envelope[data],  # type: ignore[valid-type]
        __doc__=what_it_says(name),
        **fields,
    )


#: The envelope model of every message, by short name.
ENVELOPES: dict[str, type[Envelope[Any]]] = {name: _envelope_model(name, data) for name, data in MESSAGES.items()}
_ADAPTERS = {full_name(name): TypeAdapter(model) for name, model in ENVELOPES.items()}
#: Any message, told apart by its type.
_ANY_ENVELOPE: Any = Annotated[Union[tuple(ENVELOPES.values())], Field(discriminator="type")]  # noqa: UP007
_ANY: TypeAdapter[Envelope[Any]] = TypeAdapter(_ANY_ENVELOPE)
_LARGE_TYPES = frozenset(full_name(name) for name in ("evidence.plate", "incident", "route"))


def make_message(name: str, *, source: str, time: datetime, data: Closed, id: uuid.UUID | None = None) -> Envelope[Any]:
    """Puts data of the type ``name`` (short) into its envelope; a fresh id unless one is given.

    A start without its `event` is given it: all three phases carry the id of the start, so that nobody guesses.

    Raises:
        pydantic.ValidationError: The data are not of that type, or contradict the envelope.
    """
    own = id or new_id()
    if isinstance(data, EventData) and data.phase is Phase.START and data.event is None:
        data = data.model_copy(update={"event": own})
    return ENVELOPES[name](id=own, source=source, type=full_name(name), time=time, data=data)


def _field_names(annotation: Any) -> Iterator[str]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            yield field.alias or name
            yield from _field_names(field.annotation)
    for part in get_args(annotation):
        yield from _field_names(part)


#: Every name of a field that there is.
FIELD_NAMES = frozenset(name for model in ENVELOPES.values() for name in _field_names(model))


def is_field(path: str) -> bool:
    """True if a dotted path has nothing in it but names of the contract's fields and places in a list."""
    return all(part in FIELD_NAMES or (part.isascii() and part.isdigit()) for part in path.split("."))


# --- reading ------------------------------------------------------------------------------------------------------------------


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise Refused(RefusalReason.DUPLICATE_KEY, "a key stands twice in one object")
    return value


def _no_constant(name: str) -> float:
    raise Refused(RefusalReason.NOT_FINITE, f"{name} is not a number of JSON")


def _load(raw: bytes) -> Any:
    try:
        # Decoded here, strictly: json.loads would also guess UTF-16 and UTF-32.
        return json.loads(raw.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except Refused:
        raise
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        raise Refused(RefusalReason.NOT_JSON, f"not JSON in UTF-8 ({type(error).__name__})") from None


def parse_message(raw: bytes | str) -> Envelope[Any]:
    """Reads one message.

    Args:
        raw: JSON in UTF-8.

    Raises:
        Refused: With the reason. Any input whatever gives either a message or this.
    """
    if isinstance(raw, str):
        raw = raw.encode("utf-8", errors="surrogatepass")
    message = _read_at_once(raw)
    return message if message is not None else _read_closely(raw)


def _read_at_once(raw: bytes) -> Envelope[Any] | None:
    """A message of which there is nothing to say, in one go; None where a closer look must say what is wrong, if anything is.

    Pydantic does not see that a key stands twice. Counting colons shows it: after each key is one, and of the contract's strings, a
    source has three, a time two or, with an offset, more, and no other has any. Where there are more than the keys that were read
    account for, something may stand twice. A backslash may hide a colon, and no message needs one.
    """
    if len(raw) > MAX_LARGE_BYTES or b"\\" in raw:
        return None
    try:
        message = _ANY.validate_json(raw)
    except ValidationError:
        return None
    fits = len(raw) <= MAX_BYTES or message.type in _LARGE_TYPES
    # Whoever writes an envelope may leave the version to us; in a message it stands.
    whole = "specversion" in message.model_fields_set and raw.count(b":") == _SOURCE_COLONS + _colons(message)
    return message if fits and whole else None


_SOURCE_COLONS = 3
_TIME_COLONS = 2


@functools.cache
def _layout(model: type[BaseModel]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A model's fields that are or have models, and those that are times."""
    annotations = {name: field.annotation for name, field in model.model_fields.items()}
    deep = tuple(name for name, annotation in annotations.items() if any(_field_names(annotation)))
    return deep, tuple(name for name, annotation in annotations.items() if name not in deep and _is_time(annotation))


def _is_time(annotation: Any) -> bool:
    return annotation is datetime or any(map(_is_time, get_args(annotation)))


def _colons(value: BaseModel | tuple[BaseModel, ...] | None) -> int:
    """How many colons the JSON that a value was read from has at least: after its keys, and in its times."""
    if value is None:
        return 0
    if isinstance(value, tuple):
        return sum(map(_colons, value))
    deep, times = _layout(type(value))
    count = len(value.__pydantic_fields_set__)
    for name in times:
        if getattr(value, name) is not None:
            count += _TIME_COLONS
    for name in deep:
        count += _colons(getattr(value, name))
    return count


def _read_closely(raw: bytes) -> Envelope[Any]:
    """A message, or the first rule that it breaks."""
    if len(raw) > MAX_LARGE_BYTES:
        raise Refused(RefusalReason.TOO_LARGE, f"{len(raw)} bytes; the largest message has {MAX_LARGE_BYTES}")
    value = _load(raw)
    if not isinstance(value, dict):
        raise Refused(RefusalReason.NOT_AN_ENVELOPE, "a message is a JSON object")
    if value.get("specversion") != "1.0":
        raise Refused(RefusalReason.NOT_AN_ENVELOPE, "not a CloudEvent: specversion is 1.0", "specversion")
    name = value.get("type")
    adapter = _ADAPTERS.get(name) if isinstance(name, str) else None
    if adapter is None:
        raise Refused(RefusalReason.UNKNOWN_TYPE, "the type is none of the contract's; `parvis-contract schema` lists them", "type")
    if len(raw) > MAX_BYTES and name not in _LARGE_TYPES:
        raise Refused(RefusalReason.TOO_LARGE, f"{len(raw)} bytes; a message of this type has at most {MAX_BYTES}")
    try:
        return adapter.validate_json(raw)
    except ValidationError as error:
        raise _refusal(error) from None


#: Which rule is broken, by pydantic's type of error and the contract's own.
_REASONS = {
    "extra_forbidden": RefusalReason.UNKNOWN_FIELD,
    "missing": RefusalReason.MISSING_FIELD,
    "finite_number": RefusalReason.NOT_FINITE,
    "json_invalid": RefusalReason.NOT_JSON,
    "bad_id": RefusalReason.BAD_ID,
    "bad_time": RefusalReason.BAD_TIME,
}


def _refusal(error: ValidationError) -> Refused:
    """The first of a validation's errors, unknown fields before the rest: they are what must never pass."""
    errors: Sequence[ErrorDetails] = error.errors(include_url=False, include_input=False)
    first = next((each for each in errors if each["type"] == "extra_forbidden"), errors[0])
    reason = _REASONS.get(first["type"], RefusalReason.INVALID_VALUE)
    # Where a value may be of two kinds, a location also has the kinds' names, which are no fields.
    path = [str(part) for part in first["loc"] if is_field(str(part))]
    if reason is RefusalReason.UNKNOWN_FIELD:
        # The name of an unknown field is the sender's text, even where it is one of ours; only where it stands is told.
        depth = len(path) - (str(first["loc"][-1]) in path[-1:])
        return Refused(reason, "a field that the contract does not name", ".".join(path[:depth]) or None)
    field = first.get("ctx", {}).get("field") or ".".join(path) or None
    return Refused(reason, "required" if first["type"] == "missing" else first["msg"].removeprefix("Value error, "), field)


# --- writing ------------------------------------------------------------------------------------------------------------------


def dump_message(message: Envelope[Any]) -> bytes:
    """Writes one message: compact JSON in UTF-8, fields in the contract's order.

    It is read back before it is let go, so that a unit never sends what a hub would refuse.

    Raises:
        Refused: It is not of the contract, or too large.
    """
    raw = dump_unchecked(message)
    parse_message(raw)
    return raw


def dump_unchecked(message: BaseModel) -> bytes:
    """Writes a message or its data as :func:`dump_message` does, without reading it back."""
    return message.model_dump_json(by_alias=True).encode()

"""Reading and writing messages: what is taken, what is refused and why, and that nothing changes on the way."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from parvis_contract import (
    ENVELOPES,
    EVENT_TYPES,
    Clock,
    ClockSource,
    EventData,
    ModelRef,
    ObjectUnattended,
    Phase,
    Position,
    Refused,
    dump_message,
    make_message,
    parse_message,
)
from parvis_contract.schema import message_schema
from pydantic import ValidationError

from tests.contract.examples import HEX_64, HEX_128, ID, NAMES, OTHER_ID, TIME, WEBP_BASE64, example, messages

#: As the contract's text has it.
WRITTEN_OUT = """{"specversion": "1.0",
 "id": "01937a5c-8f3e-7c2a-9d41-5b0c2e6f1a77",
 "source": "urn:parvis:vieux-port:u017",
 "type": "org.parvis.object.unattended.v1",
 "time": "2026-06-21T18:04:05.123456Z",
 "datacontenttype": "application/json",
 "data": {
   "phase": "start",
   "sequence": 4211,
   "confidence": 0.87,
   "position": {"lon": 5.369780, "lat": 43.296482, "uncertainty_m": 1.4},
   "clock": {"source": "ntp", "uncertainty_ms": 3.2},
   "model": {"name": "nanodet-g-416", "version": "1.0.0"},
   "measure": {"dwell_s": 61.0, "area_m2": 0.21, "nearest_person_m": 9.5}
 }}"""


def test_the_message_of_the_contract_s_text_is_one() -> None:
    message = parse_message(WRITTEN_OUT)
    assert (message.name, message.site, message.unit) == ("object.unattended", "vieux-port", "u017")
    assert message.time == datetime(2026, 6, 21, 18, 4, 5, 123456, UTC)
    assert message.event_id == message.id == uuid.UUID(ID)
    assert json.loads(dump_message(message)) == json.loads(WRITTEN_OUT)


@pytest.mark.parametrize("name", NAMES)
def test_every_type_has_an_example_that_survives_the_way(name: str) -> None:
    raw = json.dumps(example(name), separators=(",", ":")).encode()
    message = parse_message(raw)
    assert message.name == name
    assert json.loads(dump_message(message)) == json.loads(raw)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(messages())
def test_writing_and_reading_are_each_other_s_inverse(value: dict[str, Any]) -> None:
    message = parse_message(json.dumps(value))
    raw = dump_message(message)
    assert parse_message(raw) == message
    assert dump_message(parse_message(raw)) == raw


def test_what_an_instant_or_a_start_lacks_is_left_out_and_not_null() -> None:
    instant, start = example("sound.impulse"), json.loads(WRITTEN_OUT)
    for value in (instant, start):
        value["data"]["event"] = None
        assert b'"event"' not in dump_message(parse_message(json.dumps(value)))
    sighting = example("tag.sighting")
    sighting["data"] |= {"time": None, "sequence": None}
    assert json.loads(dump_message(parse_message(json.dumps(sighting))))["data"].keys() == {"tag", "position", "clock"}


def test_an_unknown_quantity_stays_null() -> None:
    value = example("object.unattended")
    value["data"]["measure"]["area_m2"] = None
    assert b'"area_m2":null' in dump_message(parse_message(json.dumps(value)))


def _unattended(phase: Phase, event: uuid.UUID | None = None) -> EventData[ObjectUnattended]:
    return EventData[ObjectUnattended](
        phase=phase,
        event=event,
        sequence=1,
        confidence=0.5,
        position=Position(lon=5.0, lat=43.0, uncertainty_m=1.0),
        clock=Clock(source=ClockSource.GNSS, uncertainty_ms=0.1),
        model=ModelRef(name="nanodet-g-416", version="1.0.0"),
        measure=ObjectUnattended(dwell_s=61.0, area_m2=None, nearest_person_m=None),
    )


def test_all_three_phases_of_an_event_carry_the_id_of_its_start() -> None:
    made = {"source": "urn:parvis:a:u1", "time": datetime(2026, 1, 1, tzinfo=UTC)}
    start = make_message("object.unattended", data=_unattended(Phase.START), **made)
    end = make_message("object.unattended", data=_unattended(Phase.END, start.id), **made)
    assert json.loads(dump_message(start))["data"]["event"] == str(start.id) == json.loads(dump_message(end))["data"]["event"]
    with pytest.raises(ValidationError, match="names the id of its start"):
        make_message("object.unattended", data=_unattended(Phase.UPDATE), **made)


def test_a_time_in_another_zone_is_the_same_time() -> None:
    value = example("unit.status") | {"time": "2026-06-21T20:04:05.123456+02:00"}
    assert dump_message(parse_message(json.dumps(value))) == dump_message(parse_message(json.dumps(example("unit.status"))))


def _changed(name: str, path: str, new: Any) -> bytes:
    value = example(name)
    *owners, last = path.split(".")
    owner = value
    for key in owners:
        owner = owner[int(key) if key.isdigit() else key]
    owner[last] = new
    return json.dumps(value).encode()


REFUSALS = [
    ("unknown_field", None, _changed("object.unattended", "subject", "bag")),
    ("unknown_field", "data", _changed("object.unattended", "data.track_id", 17)),
    ("unknown_field", "data.measure", _changed("object.unattended", "data.measure.note", "a red bag")),
    ("unknown_field", "data.measure", _changed("object.unattended", "data.measure.measure", 1)),
    ("unknown_field", "data.measure", _changed("incident", "data.measure.onset_uncertainty_ms", 1.5)),
    ("duplicate_key", None, WRITTEN_OUT.replace('"phase"', '"sequence": 1, "phase"').encode()),
    ("duplicate_key", None, WRITTEN_OUT.replace('"phase"', '"\\u0073equence": 1, "phase"').encode()),
    ("not_finite", None, WRITTEN_OUT.replace("0.87", "NaN").encode()),
    ("not_finite", None, WRITTEN_OUT.replace("0.87", "-Infinity").encode()),
    ("not_finite", "data.confidence", WRITTEN_OUT.replace("0.87", "1e400").encode()),
    ("not_finite", "data.confidence", WRITTEN_OUT.replace("0.87", "1" * 400).encode()),
    ("invalid_value", "data.confidence", _changed("object.unattended", "data.confidence", 1.01)),
    ("invalid_value", "data.confidence", _changed("object.unattended", "data.confidence", True)),
    ("invalid_value", "data.confidence", _changed("object.unattended", "data.confidence", "0.5")),
    ("invalid_value", "data.sequence", _changed("object.unattended", "data.sequence", 2**53)),
    ("invalid_value", "data.sequence", _changed("object.unattended", "data.sequence", 1.0)),
    ("invalid_value", "data.measure.sound_class", _changed("sound.impulse", "data.measure.sound_class", "scream")),
    ("invalid_value", "data.measure.lcpeak_db", _changed("sound.impulse", "data.measure.lcpeak_db", 201.0)),
    ("invalid_value", "data.measure.lcpeak_db", _changed("incident", "data.measure.lcpeak_db", "131")),
    ("invalid_value", "data.measure.count", _changed("crowd.density", "data.measure.count", -1)),
    ("invalid_value", "data.position.lat", _changed("object.unattended", "data.position.lat", 90.1)),
    ("invalid_value", "data.phase", _changed("object.unattended", "data.phase", "instant")),
    ("invalid_value", "data.phase", _changed("sound.impulse", "data.phase", "start")),
    ("invalid_value", "data.in", _changed("flow.count", "data.in", "<0")),
    ("invalid_value", "data.in", _changed("flow.count", "data.in", "seven")),
    ("invalid_value", "data.tag", _changed("tag.sighting", "data.tag", 587)),
    ("invalid_value", "data.webp_base64", _changed("evidence.plate", "data.webp_base64", "AAAA")),
    ("invalid_value", "data.about", _changed("evidence.plate", "data.about", "person.on_ground")),
    ("invalid_value", "data.field", _changed("rejected", "data.field", "man_in_a_red_coat")),
    ("invalid_value", "source", _changed("object.unattended", "source", "urn:parvis:vieux-port:hub")),
    ("invalid_value", "source", _changed("incident", "source", "urn:parvis:vieux-port:u017")),
    ("invalid_value", "source", _changed("unit.status", "source", "urn:parvis:vieux-port:u017\n")),
    ("bad_time", "time", _changed("object.unattended", "time", "2026-06-21T18:04:05.123456")),
    ("bad_time", "time", _changed("object.unattended", "time", "9999-12-31T23:59:59-14:00")),
    ("bad_time", "time", _changed("object.unattended", "time", "1970-01-01T00:00:00+00:01")),
    ("bad_time", "time", _changed("object.unattended", "time", 1782065045)),
    ("bad_time", "data.last_observed", _changed("incident", "data.last_observed", "2026-02-30T00:00:00Z")),
    ("bad_time", "data.time", _changed("tag.sighting", "data.time", "2026-06-21T18:04:06Z")),
    ("bad_id", "id", _changed("object.unattended", "id", "01937a5c-8f3e-4c2a-9d41-5b0c2e6f1a77")),
    ("bad_id", "id", _changed("object.unattended", "id", ID.upper())),
    ("bad_id", "data.event", _changed("object.unattended", "data.event", ID)),
    ("bad_id", "data.event", _changed("object.unattended", "data.event", None)),
    ("bad_id", "data.event", _changed("sound.impulse", "data.event", OTHER_ID)),
    ("bad_id", "data.events.0", _changed("incident", "data.events", ["track-17"])),
    ("missing_field", "time", json.dumps({k: v for k, v in example("unit.status").items() if k != "time"}).encode()),
    ("missing_field", "data.measure.area_m2", _changed("object.unattended", "data.measure", {"dwell_s": 1.0, "nearest_person_m": None})),
    ("unknown_type", "type", _changed("object.unattended", "type", "org.parvis.object.unattended.v2")),
    ("unknown_type", "type", _changed("object.unattended", "type", "org.parvis.person.loitering.v1")),
    ("unknown_type", "type", _changed("object.unattended", "type", ["org.parvis.object.unattended.v1"])),
    ("not_an_envelope", "specversion", _changed("object.unattended", "specversion", "0.3")),
    ("not_an_envelope", None, b"[]"),
    ("too_large", None, json.dumps(example("unit.status")).encode() + b" " * 1024),
    ("too_large", None, json.dumps(example("incident")).encode() + b" " * 131_072),
    ("not_json", None, b""),
    ("not_json", None, b"[" * 100_000),
    ("not_json", None, WRITTEN_OUT.encode("utf-16")),
    ("not_json", None, WRITTEN_OUT.encode().replace(b"u017", b"u\xff17")),
    ("not_json", None, WRITTEN_OUT.replace("u017", "\\ud800").encode()),
    ("not_json", None, WRITTEN_OUT.replace("0.87", "1" * 700).replace("1.4", "1" * 5000).encode()[:1000]),
]


@pytest.mark.parametrize(("reason", "field", "raw"), REFUSALS)
def test_refused_with_reason_and_field(reason: str, field: str | None, raw: bytes) -> None:
    with pytest.raises(Refused) as refused:
        parse_message(raw)
    assert (refused.value.reason, refused.value.field) == (reason, field)
    assert refused.value.detail


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _objects(each)


@pytest.mark.parametrize("name", NAMES)
def test_no_key_may_stand_twice_anywhere(name: str) -> None:
    message = example(name)
    for owner in _objects(message):
        for key, value in list(owner.items()):
            owner["again"] = value
            raw = json.dumps(message, separators=(",", ":")).replace('"again"', json.dumps(key))
            with pytest.raises(Refused, match="duplicate_key"):
                parse_message(raw)
            del owner["again"]
    parse_message(json.dumps(message))


def test_a_refusal_repeats_nothing_of_what_was_sent() -> None:
    secret = "somebody in a red coat"
    for path in ("data.measure.note", "data.measure.asset", "data.phase", "source", "time", "id", "type", secret, f"data.{secret}"):
        with pytest.raises(Refused) as refused:
            parse_message(_changed("furniture.changed", path, secret))
        assert secret not in str(refused.value), path


def _largest(schema: dict[str, Any], definitions: dict[str, Any]) -> Any:  # noqa: C901  (one case per kind)
    """The value of a schema that takes the most bytes, give or take a digit."""
    if "$ref" in schema:
        return _largest(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return max((_largest(option, definitions) for option in schema["anyOf"]), key=lambda value: len(json.dumps(value)))
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return max(schema["enum"], key=len)
    if schema["type"] == "object":
        return {name: _largest(part, definitions) for name, part in schema["properties"].items()}
    if schema["type"] == "array":
        return [_largest(schema["items"], definitions)] * schema["maxItems"]
    if schema["type"] == "integer":
        return schema["maximum"]
    if schema["type"] == "number":
        return -1.2345678901234567e-100 if schema["minimum"] < 0 else 1.2345678901234567e-100
    if schema["type"] in ("boolean", "null"):
        return {"boolean": False, "null": None}[schema["type"]]
    if "format" in schema:
        return {"date-time": TIME, "uuid": OTHER_ID}[schema["format"]]
    pattern = schema["pattern"]
    if pattern.startswith("^urn"):
        return f"urn:parvis:{'a' * 32}:{'hub' if pattern.endswith(':hub$') else 'b' * 32}"
    for start, text in {
        "^(?:0|": "65535.65535.65535",
        "^[0-9a-f]{64}": HEX_64,
        "^[0-9a-f]{128}": HEX_128,
        "^<": "<9999",
        "^[A-Z": WEBP_BASE64,
        "^(?:about": ".".join(["data"] * 8),
    }.items():
        if pattern.startswith(start):
            return text
    return "a" * 32


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("incident", "route", "evidence.plate")])
def test_the_largest_message_of_a_type_fits(name: str) -> None:
    schema = message_schema(name)
    value = _largest(schema, schema["$defs"])
    if name in EVENT_TYPES:
        value["data"] |= {"phase": "update", "event": ID} if EVENT_TYPES[name].lasts else {"event": None}
    if name == "tag.sighting":
        value["data"]["time"] = value["time"]
    message = parse_message(json.dumps(value, separators=(",", ":")))
    assert 300 < len(dump_message(message)) <= 1024


def test_dumping_what_grew_too_large_is_refused() -> None:
    value = example("incident")
    value["data"]["events"] = [ID] * 3000
    value["data"]["course"] = value["data"]["course"] * 500
    message = ENVELOPES["incident"].model_validate_json(json.dumps(value))
    with pytest.raises(Refused, match="too_large"):
        dump_message(message)

"""One valid message of every type, as plain JSON values, and the strategy that makes any other."""

from __future__ import annotations

import copy
import functools
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st
from parvis_contract import ENVELOPES, EVENT_TYPES, FROM_HUB, full_name
from parvis_contract.schema import message_schema

ID = "01937a5c-8f3e-7c2a-9d41-5b0c2e6f1a77"
OTHER_ID = "01937a5c-9000-7fff-8d41-000000000001"
TIME = "2026-06-21T18:04:05.123456Z"
LATER = "2026-06-21T18:04:15.000000Z"
HEX_64, HEX_128 = "0f" * 32, "0f" * 64
#: A grey WebP picture of 48 × 32 pixels, and one of 641 × 2.
WEBP_BASE64 = "UklGRjIAAABXRUJQVlA4ICYAAADwAgCdASowACAAPtFmrVCoJaQipWgBABoJaQAAKUNt8AD+q8AAAA=="
WIDE_WEBP_BASE64 = "UklGRkYAAABXRUJQVlA4IDoAAADwBACdASqBAgIAPtFoslMoJiSioMgBABoJaQAABje6m+jahzjKAe6m+jahzjKAaAAA/qvAAAAAAAAA"

_POSITION = {"lon": 5.36978, "lat": 43.296482, "uncertainty_m": 1.4}
_ELLIPSE_POSITION = _POSITION | {"ellipse": {"semi_major_m": 6.2, "semi_minor_m": 2.8, "bearing_deg": 41.0}}
_CLOCK = {"source": "ntp", "uncertainty_ms": 3.2}
_SIGNED = {"unit": "u017", "counter": 7, "expires": LATER, "signature": {"key": HEX_64, "value": HEX_128}}

MEASURES: dict[str, dict[str, Any]] = {
    "object.unattended": {"dwell_s": 61.0, "area_m2": 0.21, "nearest_person_m": 9.5},
    "furniture.changed": {"asset": "bench-12", "changed_fraction": 0.8, "change": "missing"},
    "surface.marked": {"asset": "wall-3", "changed_area_m2": None, "changed_fraction": 0.1},
    "crowd.density": {"density_p_m2": 4.2, "area_m2": 36.0, "count": 151, "los": "F"},
    "crowd.surge": {"speed_m_s": 3.1, "baseline_speed_m_s": 1.1, "divergence_per_s": 0.4, "area_m2": 80.0},
    "person.on_ground": {"duration_s": 12.0},
    "zone.intrusion": {"zone": "quay-edge", "object_class": "person", "duration_s": 2.5},
    "traffic.wrong_way": {"lane": "bus-east", "object_class": "vehicle", "heading_error_deg": 174.0, "speed_m_s": 8.3},
    "level.unusual": {"quantity": "laeq_db", "observed": 81.0, "expected": 64.0, "z_score": 5.5},
    "sound.impulse": {"sound_class": "gunshot", "lcpeak_db": 131.0, "onset_uncertainty_ms": 1.5},
    "sound.alarm": {"sound_class": "siren", "laeq_db": 88.0, "duration_s": 4.0},
    "sound.level": {"laeq_db": 78.0, "lafmax_db": 91.0, "lcpeak_db": 104.0, "period_s": 60.0, "limit_db": 75.0},
    "unit.tampered": {"cause": "covered"},
}


def _event(name: str) -> dict[str, Any]:
    phase = {"phase": "update", "event": OTHER_ID} if EVENT_TYPES[name].lasts else {"phase": "instant"}
    model = {"name": "nanodet-g-416", "version": "1.0.0"}
    return phase | {
        "sequence": 4211,
        "confidence": 0.87,
        "position": _POSITION,
        "clock": _CLOCK,
        "model": model,
        "measure": MEASURES[name],
    }


_DATA: dict[str, dict[str, Any]] = {name: _event(name) for name in EVENT_TYPES} | {
    "flow.count": {"sequence": 5, "zone": "square", "object_class": "bicycle", "period_s": 60.0, "in": 31, "out": "<10"},
    "tag.sighting": {"sequence": 6, "tag": 17, "position": _POSITION, "time": TIME, "clock": _CLOCK},
    "unit.status": {
        "state": "degraded",
        "reason": "low_rate",
        "camera": {"state": "degraded", "reason": "low_rate"},
        "microphone": {"state": "healthy", "reason": None},
        "software": "0.1.0",
        "models": [{"name": "yamnet", "version": "1.0.0"}],
        "commands": {"refused": "replayed"},
    },
    "unit.telemetry": {
        "uptime_s": 3600.5,
        "captured_fps": 25.0,
        "analysed_fps": 8.0,
        "vision_inference_ms": 17.0,
        "hearing_inference_ms": None,
        "queue_frames": 2,
        "dropped_frames": 12,
        "outbox_messages": 0,
        "outbox_oldest_s": 0.0,
        "outbox_shed": 0,
        "memory_bytes": 210_000_000,
        "temperature_c": 51.5,
        "clock": _CLOCK,
    },
    "evidence.plate": {"sequence": 7, "event": OTHER_ID, "about": "object.unattended", "webp_base64": WEBP_BASE64},
    "incident": {
        "incident": OTHER_ID,
        "type": "sound.impulse",
        "state": "open",
        "first_observed": TIME,
        "last_observed": LATER,
        "position": _ELLIPSE_POSITION,
        "located_by": "multilateration",
        "units": ["u003", "u011", "u017"],
        "events": [ID, OTHER_ID],
        "confidence": 0.97,
        "measure": {"sound_class": "gunshot", "lcpeak_db": 131.0},
        "course": [{"time": TIME, "position": _ELLIPSE_POSITION}],
        "operator": {"verdict": "confirmed", "by": "operator-3", "at": LATER},
    },
    "route": {
        "tag": 17,
        "coverage": 0.93,
        "segments": [{"walkway": "w012", "entered": TIME, "left": LATER, "observed": True}],
        "refused": [{"id": ID, "reason": "not on a walkway"}],
    },
    "rejected": {"reason": "unknown_field", "unit": "u017", "field": "data.measure", "size_bytes": 512, "sha256": HEX_64},
    "command.config": _SIGNED | {"site_plan_sha256": HEX_64},
    "command.allowlist": _SIGNED | {"family": "tag36h11", "allow": [{"first": 1, "last": 2}, {"first": 17, "last": 17}]},
    "command.release": _SIGNED | {"model": {"name": "yamnet", "version": "1.0.1"}, "sha256": HEX_64},
}


def example(name: str) -> dict[str, Any]:
    """A fresh valid message of the type ``name`` (short)."""
    return {
        "specversion": "1.0",
        "id": ID,
        "source": f"urn:parvis:vieux-port:{'hub' if name in FROM_HUB else 'u017'}",
        "type": full_name(name),
        "time": TIME,
        "datacontenttype": "application/json",
        "data": copy.deepcopy(_DATA[name]),
    }


NAMES = tuple(ENVELOPES)

# --- any message --------------------------------------------------------------------------------------------------------------

_TIMES = st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda time: time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
)
_IDS = (
    st.integers(0, 2**128 - 1)
    .map(lambda n: f"{(n & ~(0xF << 76) | 7 << 76) & ~(3 << 62) | 2 << 62:032x}")
    .map(lambda text: f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}")
)


@functools.cache
def _texts(pattern: str) -> st.SearchStrategy[str]:
    """Texts of a pattern; few of each, since making them is what takes the time."""
    texts: st.SearchStrategy[str] = st.from_regex(pattern.removesuffix("$") + r"\Z")
    return texts


def values(schema: dict[str, Any], definitions: dict[str, Any]) -> st.SearchStrategy[Any]:  # noqa: C901  (one case per kind)
    """What fulfils a schema of those that the contract's models give."""
    if "$ref" in schema:
        return values(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return st.one_of([values(option, definitions) for option in schema["anyOf"]])
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema["type"]
    if kind == "object":
        needed = schema.get("required", ())
        required = {name: values(part, definitions) for name, part in schema["properties"].items() if name in needed}
        optional = {name: values(part, definitions) for name, part in schema["properties"].items() if name not in needed}
        return st.fixed_dictionaries(required, optional=optional)
    if kind == "array":
        most = min(schema["maxItems"], schema.get("minItems", 0) + 3)
        return st.lists(values(schema["items"], definitions), min_size=schema.get("minItems", 0), max_size=most)
    if kind == "string":
        if schema.get("format") == "date-time":
            return _TIMES
        if schema.get("format") == "uuid":
            return _IDS
        if schema["pattern"].startswith("^[A-Za-z0-9+/]+"):
            return st.just(WEBP_BASE64)
        return _texts(schema["pattern"])
    if kind == "integer":
        return st.integers(schema["minimum"], schema["maximum"])
    if kind == "number":
        high = schema.get("maximum", schema.get("exclusiveMaximum"))
        return st.floats(schema["minimum"], high, exclude_max="exclusiveMaximum" in schema).map(lambda value: value + 0.0)
    return {"boolean": st.booleans(), "null": st.none()}[kind]


def _mended(message: dict[str, Any]) -> dict[str, Any]:  # noqa: C901  (one case per rule)
    """The same, with what one field says of another put right: no schema strategy knows it."""
    name, data = message["type"].removeprefix("org.parvis.").removesuffix(".v1"), message["data"]
    site, _, unit = message["source"].removeprefix("urn:parvis:").rpartition(":")
    message["source"] = f"urn:parvis:{site}:{'hub' if name in FROM_HUB else unit.replace('hub', 'u1')}"
    if name in EVENT_TYPES:
        if data["phase"] in ("update", "end"):
            event = data.get("event") or OTHER_ID
            data["event"] = (ID if event == OTHER_ID else OTHER_ID) if event == message["id"] else event
        elif data.get("event"):
            data["event"] = message["id"] if data["phase"] == "start" else None
    if name == "tag.sighting" and data.get("time"):
        data["time"] = message["time"]
    if name == "incident":
        data["first_observed"], data["last_observed"] = sorted((data["first_observed"], data["last_observed"]))
        for place in (data["position"], *(point["position"] for point in data.get("course") or ())):
            if place.get("ellipse"):
                axes = sorted((place["ellipse"]["semi_minor_m"], place["ellipse"]["semi_major_m"]))
                place["ellipse"]["semi_minor_m"], place["ellipse"]["semi_major_m"] = axes
        operator = data["operator"]
        if operator["verdict"] == "unconfirmed":
            operator |= {"by": None, "at": None}
        else:
            operator |= {"by": operator.get("by") or "a", "at": operator.get("at") or TIME}
    for segment in data.get("segments", ()) if name == "route" else ():
        segment["entered"], segment["left"] = sorted((segment["entered"], segment["left"]))
    for span in data.get("allow", ()) if name == "command.allowlist" else ():
        span["first"], span["last"] = sorted((span["first"], span["last"]))
    return message


@functools.cache
def _strategy(name: str) -> st.SearchStrategy[dict[str, Any]]:
    schema = message_schema(name)
    definitions = schema["$defs"]
    if name != "incident":
        return values(schema, definitions).map(_mended)

    def with_measure(message: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
        measure = EVENT_TYPES[message["data"]["type"]].incident_measure.__name__
        return values(definitions[measure], definitions).map(lambda value: message | {"data": message["data"] | {"measure": value}})

    return values(schema, definitions).flatmap(with_measure).map(_mended)


def messages(names: tuple[str, ...] = NAMES) -> st.SearchStrategy[dict[str, Any]]:
    """Any valid message, as plain JSON values."""
    return st.sampled_from(names).flatmap(_strategy)

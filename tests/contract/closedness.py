"""Finds in a message's schema every place where a person's trace could travel: a track id, an embedding, text, an image, bytes.

The rule is not a list of what is bad but one of what is known to be good: each field of each message is of a kind that is
written down below, and a field that is of none is a leak until somebody has thought about it and written it here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from parvis_contract.base import NAME_PATTERN, SHA256_PATTERN, TIME_PATTERN, UUID7_PATTERN, VERSION_PATTERN
from parvis_contract.envelope import HUB_SOURCE_PATTERN, UNIT_SOURCE_PATTERN

#: Names, or parts of names between underscores, that no field may bear: what could describe, picture, follow or rank a person.
FORBIDDEN = frozenset(
    {
        "track",
        "person",
        "persons",
        "face",
        "faces",
        "embedding",
        "feature",
        "features",
        "bbox",
        "box",
        "gait",
        "silhouette",
        "colour",
        "color",
        "clothing",
        "gender",
        "age",
        "ethnicity",
        "plate",
        "mac",
        "image",
        "picture",
        "photo",
        "frame",
        "clip",
        "audio",
        "pcm",
        "samples",
        "waveform",
        "transcript",
        "text",
        "speech",
        "voice",
        "note",
        "comment",
        "description",
        "label",
        "url",
        "ptz",
        "priority",
        "urgency",
        "suspicion",
        "suspicious",
        "score",
        "vector",
        "descriptor",
        "fingerprint",
        "hash",
    }
)
#: Fields that bear such a part and are harmless, each with its reason.
HARMLESS = {
    "nearest_person_m": "a distance, from a thing",
    "z_score": "of a counted level, not of anybody",
}
#: Which identifiers there are, and what each is of: never of something that moves by itself.
IDENTIFIERS = {
    "id": "the message",
    "data.event": "the event's start",
    "data.incident": "the incident",
    "data.events[]": "the events of an incident",
    "data.refused[].id": "a tag's sighting, by consent",
}
#: Which names there are: all of places, things, units, models or enrolments, from the site plan, the card or the hub.
NAMES_OF = {
    "data.model.name",
    "data.models[].name",
    "data.measure.asset",
    "data.measure.zone",
    "data.measure.lane",
    "data.zone",
    "data.unit",
    "data.units[]",
    "data.operator.by",
    "data.segments[].walkway",
}
#: Whole numbers: counts, how many commands there have been, and the printed number of a tag that its wearer asked for.
WHOLE_NUMBERS = {
    "data.sequence",
    "data.counter",
    "data.commands.config",
    "data.commands.allowlist",
    "data.commands.release",
    "data.tag",
    "data.allow[].first",
    "data.allow[].last",
    "data.measure.count",
    "data.in",
    "data.out",
    "data.queue_frames",
    "data.dropped_frames",
    "data.outbox_messages",
    "data.outbox_shed",
    "data.memory_bytes",
    "data.size_bytes",
}
#: Digests and signatures: of a refused message, a site plan, a model, a key; never of a picture or sound.
DIGESTS = {
    "data.sha256": SHA256_PATTERN,
    "data.site_plan_sha256": SHA256_PATTERN,
    "data.signature.key": SHA256_PATTERN,
    "data.signature.value": "^[0-9a-f]{128}$",
}
#: The one picture: of the static background, from which people are kept out.
PICTURES = {"data.webp_base64"}
_OTHER_PATTERNS = {
    "source": {UNIT_SOURCE_PATTERN, HUB_SOURCE_PATTERN},
    "data.in": {"^<[1-9][0-9]{0,3}$"},
    "data.out": {"^<[1-9][0-9]{0,3}$"},
}
#: A list of these is a list of places or times, not of features.
_LISTED = ("object", "string")


def leaks(schema: dict[str, Any]) -> list[str]:
    """Where a message of this schema could carry what it must not; empty if nowhere."""
    return list(_walk(schema, "", schema.get("$defs", {})))


def _walk(part: dict[str, Any], path: str, definitions: dict[str, Any]) -> Iterator[str]:
    if "$ref" in part:
        yield from _walk(definitions[part["$ref"].rpartition("/")[2]], path, definitions)
    elif "anyOf" in part or "oneOf" in part:
        for option in part.get("anyOf", part.get("oneOf", [])):
            yield from _walk(option, path, definitions)
    elif "const" in part or "enum" in part:
        if not all(isinstance(value, str) for value in part.get("enum", [part.get("const")])):
            yield f"{path}: a value that is no word"
    else:
        yield from _KINDS.get(part.get("type", ""), _unknown)(part, path, definitions)


def _unknown(part: dict[str, Any], path: str, _: dict[str, Any]) -> Iterator[str]:
    yield f"{path}: of no type that is known here ({part.get('type', 'anything')})"


def _object(part: dict[str, Any], path: str, definitions: dict[str, Any]) -> Iterator[str]:
    if part.get("additionalProperties") is not False:
        yield f"{path or 'the message'}: takes fields that are not named"
    for name, below in part.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        if name not in HARMLESS and (set(re.split(r"[_\W]+", name)) & FORBIDDEN):
            yield f"{here}: a forbidden name"
        yield from _walk(below, here, definitions)


def _array(part: dict[str, Any], path: str, definitions: dict[str, Any]) -> Iterator[str]:
    if "maxItems" not in part:
        yield f"{path}: a list without an end"
    items = part.get("items", {})
    kind = definitions[items["$ref"].rpartition("/")[2]].get("type") if "$ref" in items else items.get("type")
    if kind not in _LISTED or "prefixItems" in part:
        yield f"{path}: a list of bare values, such as an embedding would be"
    yield from _walk(items, path + "[]", definitions)


def _string(part: dict[str, Any], path: str, _: dict[str, Any]) -> Iterator[str]:  # noqa: C901  (one case per kind of text)
    pattern = part.get("pattern")
    if pattern is None:
        yield f"{path}: text without a pattern"
    elif pattern == UUID7_PATTERN:
        if path not in IDENTIFIERS:
            yield f"{path}: an identifier that is not listed"
    elif pattern == NAME_PATTERN:
        if path not in NAMES_OF:
            yield f"{path}: a name that is not listed"
    elif path in PICTURES:
        if "maxLength" not in part:
            yield f"{path}: a picture without an end"
    elif path == "data.field":
        if not re.fullmatch(r"\^\(\?:(\w+\|)+\[0-9\]\+\)\(\?:.*", pattern):
            yield f"{path}: more than the names of the contract's own fields"
    elif pattern not in {TIME_PATTERN, VERSION_PATTERN, DIGESTS.get(path)} | _OTHER_PATTERNS.get(path, set()):
        yield f"{path}: text of a pattern that is not known here"


def _number(part: dict[str, Any], path: str, _: dict[str, Any]) -> Iterator[str]:
    if "minimum" not in part or ("maximum" not in part and "exclusiveMaximum" not in part):
        yield f"{path}: a number without bounds"


def _integer(part: dict[str, Any], path: str, definitions: dict[str, Any]) -> Iterator[str]:
    yield from _number(part, path, definitions)
    if path not in WHOLE_NUMBERS:
        yield f"{path}: a whole number that is not listed; it could be a track's"


def _nothing(_part: dict[str, Any], _path: str, _definitions: dict[str, Any]) -> Iterator[str]:
    yield from ()


_KINDS = {
    "object": _object,
    "array": _array,
    "string": _string,
    "number": _number,
    "integer": _integer,
    "boolean": _nothing,
    "null": _nothing,
}

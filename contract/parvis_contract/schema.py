"""JSON Schema 2020-12 of every message, generated from the models."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from .base import RESERVED_UNIT_NAMES
from .envelope import ENVELOPES, FIELD_NAMES, FROM_HUB, full_name
from .measures import EVENT_TYPES

DIALECT = "https://json-schema.org/draft/2020-12/schema"
#: What the models refuse and no JSON Schema can express. A message that passes its schema alone is not yet one of the contract.
NOT_EXPRESSIBLE = (
    "the size of a message: 1,024 bytes; 131,072 for a plate, an incident or a route",
    "a key that stands twice in one object, NaN and infinities, text that is not UTF-8 (a JSON reader decides before a schema does)",
    "an integer written with a fraction or an exponent, such as `1.0` or `1e3`: JSON Schema counts it as an integer, the contract does not",
    "a day that is not in the calendar (30 February), and a time whose zone puts it before 1970 or beyond 9999 in UTC",
    "that `data.event` of a start is the message's own `id` and that of an update or end is not, and `data.time` of a sighting its `time`",
    "an order of two values: `first_observed`, `last_observed`; `entered`, `left`; `semi_minor_m`, `semi_major_m`; `first`, `last`",
    "that `webp_base64` decodes to one plain WebP picture of at most 640 pixels' width, and nothing beside it",
)


class _Generator(GenerateJsonSchema):
    """Pydantic's generator, without a title per field: it would repeat the field's name."""

    def field_title_should_be_set(self, schema: core_schema.CoreSchema | Any) -> bool:  # noqa: ARG002
        return False


def message_schema(name: str) -> JsonSchemaValue:
    """The JSON Schema of one message, envelope included.

    Args:
        name: Short name of its type, ``object.unattended``.

    Raises:
        KeyError: There is no such type.
    """
    generated = ENVELOPES[name].model_json_schema(schema_generator=_Generator)
    schema: dict[str, Any] = {"$schema": DIALECT, "$id": f"urn:parvis:schema:{name}:v1"} | generated
    schema["title"] = full_name(name)
    schema["required"] = ["specversion", "id", "source", "type", "time", "data"]
    if name not in FROM_HUB:
        reserved = "|".join(sorted(RESERVED_UNIT_NAMES))
        schema["properties"]["source"]["not"] = {"pattern": f":(?:{reserved})$"}
    data = schema["$defs"][schema["properties"]["data"]["$ref"].rpartition("/")[2]]
    if name in EVENT_TYPES:
        _say_phases(data, lasts=EVENT_TYPES[name].lasts)
    if name == "rejected":
        _say_fields(data)
    if name == "incident":
        _say_measures(data, schema["$defs"])
        _say_verdict(schema["$defs"]["Operator"])
    return schema


def _say_phases(data: dict[str, Any], *, lasts: bool) -> None:
    """Which phases the type has, and which of them name their event: what the envelope's validator checks, for other readers."""
    described = {"description": data["properties"]["phase"].get("description", "Where in its life the event is.")}
    if not lasts:
        data["properties"]["phase"] = {"const": "instant"} | described
        data["properties"]["event"] = {"type": "null", "description": "An instant has none."}
        return
    data["properties"]["phase"] = {"type": "string", "enum": ["start", "update", "end"]} | described
    data["if"] = {"properties": {"phase": {"enum": ["update", "end"]}}}
    data["then"] = {"required": ["event"], "properties": {"event": {"type": "string"}}}


def _say_measures(incident: dict[str, Any], definitions: dict[str, Any]) -> None:
    """Which measure goes with which type of incident."""
    incident["allOf"] = [
        {
            "if": {"properties": {"type": {"const": name}}},
            "then": {"properties": {"measure": {"$ref": f"#/$defs/{entry.incident_measure.__name__}"}}},
        }
        for name, entry in EVENT_TYPES.items()
    ]
    missing = {entry.incident_measure.__name__ for entry in EVENT_TYPES.values()} - set(definitions)
    if missing:
        raise AssertionError(f"an incident cannot carry {sorted(missing)}")


def _say_fields(rejected: dict[str, Any]) -> None:
    """Which fields can have been wrong: those of the contract, and places in its lists."""
    part = f"(?:{'|'.join(sorted(FIELD_NAMES))}|[0-9]+)"
    text = next(option for option in rejected["properties"]["field"]["anyOf"] if "pattern" in option)
    text["pattern"] = rf"^{part}(?:\.{part}){{0,7}}$"


def _say_verdict(operator: dict[str, Any]) -> None:
    """Who and when stand with a verdict, and only with one."""
    operator["if"] = {"properties": {"verdict": {"const": "unconfirmed"}}}
    operator["then"] = {"properties": {"by": {"type": "null"}, "at": {"type": "null"}}}
    operator["else"] = {"required": ["by", "at"], "properties": {"by": {"type": "string"}, "at": {"type": "string"}}}


def all_schemas() -> dict[str, JsonSchemaValue]:
    """The JSON Schema of every message, by short name."""
    return {name: message_schema(name) for name in ENVELOPES}


def bundled_schema() -> JsonSchemaValue:
    """One JSON Schema that a message of any type fulfils."""
    schemas = all_schemas()
    return {
        "$schema": DIALECT,
        "$id": "urn:parvis:schema:v1",
        "title": "Any message of the Parvis contract, version 1",
        "oneOf": [{"$ref": schema["$id"]} for schema in schemas.values()],
        "$defs": schemas,
    }

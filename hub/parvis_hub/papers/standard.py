"""The fields of Eurocities' Algorithmic Transparency Standard 0.3.1, described in our own words, and the JSON Schema that follows.

The standard: https://www.algorithmregister.org/standard (repository Algoritmeregister/standard, `_data/schema-v0_3_1.yaml`). Its repository
names no licence, so that nothing of its text is here: names, types, the values of its lists, and which fields it requires. The schema that
it publishes has a boolean `required` inside each property, which JSON Schema 2020-12 does not know; here they are one list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from .controller import Domain, RiskCategory, Status

VERSION = "0.3.1"
#: Characters of `description`.
LONGEST_DESCRIPTION = 10_000
Kind = Literal["text", "date", "email", "url", "uuid"]


@dataclass(frozen=True, slots=True)
class StandardField:
    """A field of the standard.

    Attributes:
        name: As the standard writes it.
        required: True if a registration must have it.
        kind: What it holds.
        values: The closed list that it is one of; empty for none.
    """

    name: str
    required: bool
    kind: Kind = "text"
    values: tuple[str, ...] = ()


def _field(name: str, *values: str, kind: Kind = "text", required: bool = True) -> StandardField:
    return StandardField(name, required, kind, values)


#: In the standard's order, category by category.
CATEGORIES: dict[str, tuple[StandardField, ...]] = {
    "metadata": (
        _field("standard_version", VERSION),
        _field("uuid", kind="uuid", required=False),
        _field("lang"),
        _field("publication_date", kind="date"),
        _field("last_change_date", kind="date"),
        _field("revision_date", kind="date"),
        _field("revision_note", required=False),
        _field("keywords", required=False),
    ),
    "basic": (
        _field("name"),
        _field("organization"),
        _field("department"),
        _field("country"),
        _field("contact_email", kind="email"),
        _field("contact_phone", required=False),
        _field("contact_name", required=False),
        _field("description_short"),
        _field("website", kind="url", required=False),
        _field("status", *get_args(Status)),
        _field("remark", required=False),
    ),
    "use": (
        _field("decision_making_process"),
        _field("domain", *get_args(Domain)),
        _field("area"),
        _field("goal"),
        _field("impact"),
        _field("risks"),
        _field("risk_category", *get_args(RiskCategory)),
        _field("proportionality"),
        _field("lawful_basis"),
        _field("documentation", kind="url", required=False),
    ),
    "data": (
        _field("training_data"),
        _field("source_data"),
        _field("data_bias", required=False),
        _field("connected_data_sources"),
        _field("DPIA_description", required=False),
        _field("DPIA_url", kind="url", required=False),
    ),
    "algorithm": (
        _field("description", required=False),
        _field("algorithm_type", "self-learning", "rule-based", "hybrid"),
        _field("methods_and_models", required=False),
        _field("performance", required=False),
        _field("alternatives_considered", required=False),
        _field("product_information", kind="url", required=False),
        _field("codebase_url", kind="url", required=False),
        _field("product_page", kind="url", required=False),
        _field("AIA_description", required=False),
        _field("AIA_url", kind="url", required=False),
    ),
    "oversight": (
        _field("type", "descriptive", "diagnostic", "predictive", "prescriptive"),
        _field("monitoring"),
        _field("human_intervention"),
        _field("objection_procedure"),
        _field("rollback", required=False),
    ),
}
FIELDS: tuple[StandardField, ...] = tuple(field for fields in CATEGORIES.values() for field in fields)
REQUIRED: tuple[str, ...] = tuple(field.name for field in FIELDS if field.required)
_FORMATS = {"date": "date", "email": "email", "uuid": "uuid", "url": "uri"}


def schema() -> dict[str, Any]:
    """A JSON Schema 2020-12 that a registration must satisfy; it knows no other fields than the standard's."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A registration by the Algorithmic Transparency Standard {VERSION}",
        "type": "object",
        "properties": {field.name: _property(field) for field in FIELDS},
        "required": list(REQUIRED),
        "additionalProperties": False,
    }


def _property(field: StandardField) -> dict[str, Any]:
    if field.values:
        return {"enum": list(field.values)}
    if field.name == "description_short":
        return {"type": "string", "minLength": 1, "maxLength": 150}
    if field.name == "description":
        return {"type": "string", "minLength": 500, "maxLength": LONGEST_DESCRIPTION}
    if field.kind == "text":
        return {"type": "string", "minLength": 1}
    return {"type": "string", "format": _FORMATS[field.kind]} | ({"pattern": "^https?://"} if field.kind == "url" else {})

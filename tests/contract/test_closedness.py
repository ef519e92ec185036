"""No message can carry a track id, an embedding, text, an image of a person or bytes; and the check that says so finds each."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from parvis_contract import ENVELOPES, MESSAGES, EventData, EvidencePlate, Measure, Name
from parvis_contract.base import Sha256, UtcTime, Uuid7
from parvis_contract.schema import message_schema
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, create_model

from tests.contract.closedness import DIGESTS, IDENTIFIERS, NAMES_OF, PICTURES, WHOLE_NUMBERS, leaks
from tests.contract.examples import NAMES


@pytest.mark.parametrize("name", NAMES)
def test_no_message_can_carry_a_persons_trace(name: str) -> None:
    assert leaks(message_schema(name)) == []


def _models(model: type[BaseModel], seen: set[type[BaseModel]]) -> set[type[BaseModel]]:
    from typing import get_args

    def inside(annotation: Any) -> None:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            _models(annotation, seen)
        for part in get_args(annotation):
            inside(part)

    if model not in seen:
        seen.add(model)
        for field in model.model_fields.values():
            inside(field.annotation)
    return seen


def test_every_model_of_every_message_is_closed_strict_and_frozen() -> None:
    models: set[type[BaseModel]] = set()
    for envelope in ENVELOPES.values():
        _models(envelope, models)
    assert len(models) > 50
    for model in models:
        config = model.model_config
        assert config.get("extra") == "forbid", model
        assert config.get("strict"), model
        assert config.get("frozen"), model
        assert config.get("allow_inf_nan") is False, model


def test_only_the_plate_carries_a_picture_and_only_of_things() -> None:
    assert {"data.webp_base64"} == PICTURES
    carrying = [name for name, model in MESSAGES.items() if "webp_base64" in model.model_fields]
    assert carrying == ["evidence.plate"]
    about = EvidencePlate.model_fields["about"].annotation
    assert about == Literal["object.unattended", "furniture.changed", "surface.marked"]


def test_nothing_is_listed_as_harmless_that_no_message_has() -> None:
    paths = set()
    for name in NAMES:
        schema = message_schema(name)
        paths |= set(_paths(schema, "", schema["$defs"]))
    for listed in (IDENTIFIERS, NAMES_OF, WHOLE_NUMBERS, DIGESTS, PICTURES):
        assert set(listed) <= paths


def _paths(part: dict[str, Any], path: str, definitions: dict[str, Any]) -> list[str]:
    if "$ref" in part:
        return _paths(definitions[part["$ref"].rpartition("/")[2]], path, definitions)
    found = [path]
    for option in part.get("anyOf", ()):
        found += _paths(option, path, definitions)
    for name, below in part.get("properties", {}).items():
        found += _paths(below, f"{path}.{name}" if path else name, definitions)
    if "items" in part:
        found += _paths(part["items"], path + "[]", definitions)
    return found


#: What somebody might add to a measure one day, in good faith or not, and what must be said of it.
BAD_FIELDS: list[tuple[str, Any, str]] = [
    ("track_id", Annotated[int, Field(ge=0, le=10_000)], "a forbidden name"),
    ("number", Annotated[int, Field(ge=0, le=10_000)], "whole number that is not listed"),
    ("mover", Uuid7, "an identifier that is not listed"),
    ("mover", Name, "a name that is not listed"),
    ("mover", Annotated[str, StringConstraints(pattern=r"^track-[0-9]+$")], "pattern that is not known"),
    ("embedding", Annotated[tuple[float, ...], Field(max_length=128)], "a forbidden name"),
    ("shape", Annotated[tuple[Annotated[float, Field(ge=0, le=1)], ...], Field(max_length=128)], "such as an embedding would be"),
    ("shape", tuple[float, float, float], "a list of bare values"),
    ("shape", list[Annotated[int, Field(ge=0, le=255)]], "a list without an end"),
    ("shape", dict[str, float], "takes fields that are not named"),
    ("shape", Sha256, "pattern that is not known"),
    ("remark", str, "text without a pattern"),
    ("remark", Annotated[str, StringConstraints(max_length=20)], "text without a pattern"),
    ("remark", Annotated[str, StringConstraints(pattern=r"^.*$")], "pattern that is not known"),
    ("remark", str | None, "text without a pattern"),
    ("crop", bytes, "text without a pattern"),
    ("crop", Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]+={0,2}$", max_length=9000)], "pattern that is not known"),
    ("webp_base64", Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]+={0,2}$")], "pattern that is not known"),
    ("face_image", Literal["yes", "no"], "a forbidden name"),
    ("coat_colour", Literal["red", "blue"], "a forbidden name"),
    ("anything", Any, "of no type"),
    ("speed", float, "a number without bounds"),
    ("priority", Annotated[float, Field(ge=0, le=1)], "a forbidden name"),
    ("clip_start", UtcTime, "a forbidden name"),
    ("level", Literal[1, 2], "a value that is no word"),
]


@pytest.mark.parametrize(("field", "kind", "said"), BAD_FIELDS)
def test_a_field_that_could_carry_one_is_found(field: str, kind: Any, said: str) -> None:
    measure = create_model("Bad", __base__=Measure, **{field: (kind, ...)})
    schema = EventData[measure].model_json_schema()  # type: ignore[valid-type]
    found = leaks({"properties": {"data": schema}, "additionalProperties": False, "type": "object", "$defs": schema["$defs"]})
    assert any(said in leak and f"data.measure.{field}" in leak for leak in found), found


def test_a_model_that_takes_more_than_it_names_is_found() -> None:
    class Open(BaseModel):
        model_config = ConfigDict(extra="allow")

    assert leaks(Open.model_json_schema()) == ["the message: takes fields that are not named"]

"""The JSON Schemas say what the models say, as far as a JSON Schema can."""

from __future__ import annotations

import copy
import functools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend
from parvis_contract import ENVELOPES, Refused, parse_message
from parvis_contract.schema import DIALECT, NOT_EXPRESSIBLE, bundled_schema, message_schema
from referencing.jsonschema import DRAFT202012

from tests.contract.examples import ID, NAMES, OTHER_ID, TIME, example, messages
from tests.contract.test_messages import REFUSALS, WRITTEN_OUT

SETTINGS = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    # In ECMA-262, which JSON Schema refers to, `$` is the end; in Python's re, also the place before a last line feed.
    if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), instance):
        yield ValidationError(f"does not match {pattern}")


_Validator = extend(Draft202012Validator, {"pattern": _pattern})


@functools.cache
def _validator(name: str) -> Any:
    return _Validator(message_schema(name))


def _is_valid(value: dict[str, Any]) -> bool:
    name = str(value.get("type")).removeprefix("org.parvis.").removesuffix(".v1")
    return name in ENVELOPES and bool(_validator(name).is_valid(value))


@pytest.mark.parametrize("name", NAMES)
def test_every_schema_is_one_and_takes_its_example(name: str) -> None:
    schema = message_schema(name)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == DIALECT
    assert _is_valid(example(name))
    assert not _is_valid(example(name) | {"subject": "bag"})


def _objects(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        if part.get("type") == "object":
            yield part
        for each in part.values():
            yield from _objects(each)
    elif isinstance(part, list):
        for each in part:
            yield from _objects(each)


@pytest.mark.parametrize("name", NAMES)
def test_every_object_is_closed(name: str) -> None:
    objects = list(_objects(message_schema(name)))
    assert len(objects) >= 2
    assert all(each["additionalProperties"] is False for each in objects)


def test_the_message_of_the_contract_s_text_fulfils_its_schema() -> None:
    assert _is_valid(json.loads(WRITTEN_OUT))


def test_the_bundle_takes_every_message_exactly_once() -> None:
    bundle = bundled_schema()
    Draft202012Validator.check_schema(bundle)
    assert DRAFT202012.create_resource(bundle).id() == "urn:parvis:schema:v1"
    validator = Draft202012Validator(bundle)
    for name in NAMES:
        assert validator.is_valid(example(name)), name
        assert not validator.is_valid(example(name) | {"note": "x"}), name


#: Refusals that no schema can give: what each says, beside the reason of NOT_EXPRESSIBLE that it belongs to.
BEYOND = {
    "bytes; a": "size of a message",
    "bytes; the largest": "size of a message",
    "a key stands twice": "stands twice",
    "beyond what a double": "NaN",
    "is not a number of JSON": "NaN",
    "Input should be a finite number": "NaN",
    "not JSON in UTF-8": "UTF-8",
    "Input should be a valid integer": "`1.0`",
    "no such day": "calendar",
    "not before 1970": "calendar",
    "before the year 10000": "calendar",
    "the event of a start": "`data.event`",
    "names the id of its start": "`data.event`",
    "the time of a sighting": "`data.time`",
    "last_observed is before": "order",
    "left is before": "order",
    "last is before": "order",
    "semi_minor_m is at most": "order",
    "a plate is": "webp_base64",
}


def test_what_is_beyond_a_schema_is_listed_for_readers() -> None:
    assert all(any(part in rule for rule in NOT_EXPRESSIBLE) for part in BEYOND.values())
    assert all(any(part in rule for part in BEYOND.values()) for rule in NOT_EXPRESSIBLE)


def _refusal(value: dict[str, Any]) -> Refused | None:
    try:
        parse_message(json.dumps(value))
    except Refused as refused:
        return refused
    return None


def _agree(value: dict[str, Any]) -> None:
    valid, refusal = _is_valid(value), _refusal(value)
    if refusal is None:
        assert valid, f"the model takes what the schema refuses: {value}"
    elif valid:
        assert any(part in refusal.detail for part in BEYOND), f"the schema takes what the model refuses: {refusal}"


@SETTINGS
@given(messages())
def test_what_a_model_takes_its_schema_takes(value: dict[str, Any]) -> None:
    parse_message(json.dumps(value))
    assert _is_valid(value)


def _places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from _places(each, (*path, key))


_ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**60), 2**60),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        ["", "a", "A", "a\n", "<5", "1", "end", "instant", "dark", "camera", ID, OTHER_ID, OTHER_ID.upper(), TIME, TIME[:-1], "0" * 64]
    ),
    st.text(max_size=5),
    st.just([]),
    st.just({}),
    st.lists(st.integers(0, 3), max_size=2),
)


@SETTINGS
@given(st.sampled_from(NAMES), st.data())
def test_model_and_schema_agree_on_what_is_almost_a_message(name: str, data: st.DataObject) -> None:
    value = example(name)
    for _ in range(data.draw(st.integers(1, 2))):
        path = data.draw(st.sampled_from(list(_places(value))))
        owner: Any = value
        for key in path[:-1]:
            owner = owner[key]
        deed = data.draw(st.sampled_from(["put", "put", "put", "drop", "add", "copy"]))
        if deed == "put":
            owner[path[-1]] = data.draw(_ODD)
        elif deed == "drop":
            del owner[path[-1]]
        elif deed == "add" and isinstance(owner, dict):
            owner[data.draw(st.sampled_from(["event", "time", "note", "sequence", "by", "camera", "measure"]))] = data.draw(_ODD)
        else:
            other = data.draw(st.sampled_from(NAMES))
            owner[path[-1]] = copy.deepcopy(example(other)["data"].get(path[-1], example(other).get(path[-1])))
    if value.get("specversion") == "1.0":
        _agree(value)


#: Decided before a schema is asked.
_EARLIER = ("not_json", "duplicate_key", "not_finite", "too_large", "not_an_envelope")


@pytest.mark.parametrize("raw", [raw for reason, _, raw in REFUSALS if reason not in _EARLIER])
def test_schema_and_model_agree_on_the_table_of_refusals(raw: bytes) -> None:
    _agree(json.loads(raw))

"""The AsyncAPI document is one, and says of every topic what the contract says."""

from __future__ import annotations

import re
from typing import Any

import pytest
from parvis_contract import ENVELOPES, full_name
from parvis_contract.asyncapi import asyncapi_document
from parvis_contract.schema import all_schemas

#: The topics of the contract's text: address, who sends, quality of service, retained.
TOPICS = [
    ("parvis/v1/{site}/{unit}/event/{type}", "receive", 1, False),
    ("parvis/v1/{site}/{unit}/flow", "receive", 1, False),
    ("parvis/v1/{site}/{unit}/tag", "receive", 1, False),
    ("parvis/v1/{site}/{unit}/evidence", "receive", 1, False),
    ("parvis/v1/{site}/{unit}/status", "receive", 1, True),
    ("parvis/v1/{site}/{unit}/telemetry", "receive", 0, False),
    ("parvis/v1/{site}/{unit}/command", "send", 1, False),
    ("parvis/v1/{site}/incident/{incident}", "send", 1, True),
    ("parvis/v1/{site}/route/{participant}", "send", 1, True),
    ("parvis/v1/{site}/rejected", "send", 1, False),
]


def _follow(document: dict[str, Any], reference: dict[str, str]) -> Any:
    assert set(reference) == {"$ref"}
    found: Any = document
    for part in reference["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return _follow(document, found) if isinstance(found, dict) and "$ref" in found else found


def test_the_document_has_what_asyncapi_3_requires() -> None:
    document = asyncapi_document()
    assert document["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= document["info"].keys()
    assert document["info"]["license"].keys() == {"name", "url"}
    assert set(document) <= {"asyncapi", "id", "info", "defaultContentType", "servers", "channels", "operations", "components"}
    for server in document["servers"].values():
        assert {"host", "protocol"} <= server.keys()
        assert set(re.findall(r"\{(\w+)\}", server["host"])) == set(server["variables"])
    for key in (*document["channels"], *document["operations"], *document["components"]["messages"]):
        assert re.fullmatch(r"[A-Za-z0-9_\-]+", key)


@pytest.mark.parametrize(("address", "action", "qos", "retain"), TOPICS)
def test_every_topic_has_its_channel_and_operation(address: str, action: str, qos: int, retain: bool) -> None:
    document = asyncapi_document()
    (key,) = [key for key, channel in document["channels"].items() if channel["address"] == address]
    channel = document["channels"][key]
    assert set(re.findall(r"\{(\w+)\}", address)) == set(channel["parameters"])
    (operation,) = [each for each in document["operations"].values() if each["channel"] == {"$ref": f"#/channels/{key}"}]
    assert operation["action"] == action
    assert operation["bindings"]["mqtt"] == {"qos": qos, "retain": retain, "bindingVersion": "0.2.0"}
    # An operation's messages must be its channel's, and refer to them there.
    assert operation["messages"] == [{"$ref": f"#/channels/{key}/messages/{name}"} for name in channel["messages"]]


def test_there_is_no_channel_beside_those_of_the_contract() -> None:
    document = asyncapi_document()
    assert {channel["address"] for channel in document["channels"].values()} == {address for address, *_ in TOPICS}
    assert len(document["operations"]) == len(TOPICS)


def test_every_message_is_on_one_channel_and_refers_to_its_schema() -> None:
    document = asyncapi_document()
    carried = [_follow(document, each) for channel in document["channels"].values() for each in channel["messages"].values()]
    assert sorted(each["name"] for each in carried) == sorted(full_name(name) for name in ENVELOPES)
    files = {f"./schemas/{name}.schema.json" for name in all_schemas()}
    for message in carried:
        assert message["contentType"] == "application/cloudevents+json"
        assert message["summary"]
        assert message["payload"]["schemaFormat"].startswith("application/schema+json;version=draft-2020-12")
        assert message["payload"]["schema"]["$ref"] in files


def test_the_last_will_is_the_unit_s_status() -> None:
    will = asyncapi_document()["servers"]["broker"]["bindings"]["mqtt"]["lastWill"]
    assert will == {"topic": "parvis/v1/{site}/{unit}/status", "qos": 1, "retain": True}

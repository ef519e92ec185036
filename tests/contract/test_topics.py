"""Topics: where each message is published, and that none stands where it does not belong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from parvis_contract import (
    EVENT_TYPES,
    Envelope,
    Refused,
    UnitTopic,
    command_topic,
    incident_topic,
    parse_message,
    rejected_topic,
    route_topic,
    topic_of,
)
from parvis_contract.channels import CHANNELS

from tests.contract.examples import NAMES, OTHER_ID, example


def _message(name: str) -> Envelope[Any]:
    return parse_message(json.dumps(example(name)))


#: As the contract's text has them, for site vieux-port and unit u017.
TOPICS = {
    **{name: f"parvis/v1/vieux-port/u017/event/{name}" for name in EVENT_TYPES},
    "flow.count": "parvis/v1/vieux-port/u017/flow",
    "tag.sighting": "parvis/v1/vieux-port/u017/tag",
    "evidence.plate": "parvis/v1/vieux-port/u017/evidence",
    "unit.status": "parvis/v1/vieux-port/u017/status",
    "unit.telemetry": "parvis/v1/vieux-port/u017/telemetry",
    "command.config": "parvis/v1/vieux-port/u017/command",
    "command.allowlist": "parvis/v1/vieux-port/u017/command",
    "command.release": "parvis/v1/vieux-port/u017/command",
    "incident": f"parvis/v1/vieux-port/incident/{OTHER_ID}",
    "route": "parvis/v1/vieux-port/route/steward-4",
    "rejected": "parvis/v1/vieux-port/rejected",
}


def _published(name: str) -> str:
    message = _message(name)
    if name == "incident":
        return incident_topic(message.site, message.data)
    if name == "route":
        return route_topic(message.site, "steward-4")
    if name == "rejected":
        return rejected_topic(message.site)
    if name.startswith("command."):
        return command_topic(message.site, "u017")
    return topic_of(message)


@pytest.mark.parametrize("name", NAMES)
def test_every_message_has_its_topic(name: str) -> None:
    assert _published(name) == TOPICS[name]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("incident", "route", "rejected")])
def test_a_message_may_stand_on_its_own_topic_and_no_other(name: str) -> None:
    message = _message(name)
    UnitTopic.parse(TOPICS[name]).check(message)
    for other in {*TOPICS.values(), TOPICS[name].replace("u017", "u018"), TOPICS[name].replace("vieux-port", "plage")} - {TOPICS[name]}:
        if "/incident/" in other or "/route/" in other or other.endswith("/rejected"):
            continue
        with pytest.raises(Refused, match="wrong_topic"):
            UnitTopic.parse(other).check(message)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "parvis/v1",
        "parvis/v2/a/u1/status",
        "parvis/v1/a/u1",
        "parvis/v1/a/u1/event",
        "parvis/v1/a/u1/event/person.loitering",
        "parvis/v1/a/u1/event/object.unattended/x",
        "parvis/v1/a/u1\n/status",
        "parvis/v1/A/u1/status",
        "parvis/v1/a//status",
        "parvis/v1/a/+/status",
        "parvis/v1/a/incident/01937a5c-8f3e-7c2a-9d41-5b0c2e6f1a77",
        "parvis/v1/a/rejected",
        "/parvis/v1/a/u1/status",
    ],
)
def test_what_is_no_topic_of_a_unit_is_refused(topic: str) -> None:
    with pytest.raises(Refused, match="wrong_topic"):
        UnitTopic.parse(topic)


@pytest.mark.parametrize("name", NAMES)
def test_the_channels_and_the_topics_agree(name: str) -> None:
    channel = next(channel for channel in CHANNELS if name in channel.messages)
    expected = channel.address.format(site="vieux-port", unit="u017", type=name, incident=OTHER_ID, participant="steward-4")
    assert expected == TOPICS[name]

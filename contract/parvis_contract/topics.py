"""Where each message is published: the MQTT topics of the contract."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from .base import HUB, NAME_PATTERN
from .envelope import Envelope, Refused
from .hub_messages import Incident, RefusalReason
from .measures import EVENT_TYPES

ROOT = "parvis/v1"
_NAME = re.compile(NAME_PATTERN)
#: The branch of a unit that each message that is no event goes to.
_BRANCHES = {
    "flow.count": "flow",
    "tag.sighting": "tag",
    "evidence.plate": "evidence",
    "unit.status": "status",
    "unit.telemetry": "telemetry",
    "command.config": "command",
    "command.allowlist": "command",
    "command.release": "command",
}
#: The rest of the topic after the unit's name.
_WITHIN_BRANCH = {name: f"event/{name}" for name in EVENT_TYPES} | _BRANCHES


@dataclass(frozen=True, slots=True)
class UnitTopic:
    """A topic of a unit's own branch.

    Attributes:
        site, unit: Whose it is.
        branch: ``event``, ``flow``, ``tag``, ``evidence``, ``status``, ``telemetry`` or ``command``.
        type: Of an event: its short name; else None.
    """

    site: str
    unit: str
    branch: str
    type: str | None = None

    def __str__(self) -> str:
        return "/".join(part for part in (ROOT, self.site, self.unit, self.branch, self.type) if part)

    @classmethod
    def of(cls, site: str, unit: str, name: str) -> UnitTopic:
        """The topic for a message of type ``name`` (short) from or to a unit."""
        if name in EVENT_TYPES:
            return cls(site, unit, "event", name)
        return cls(site, unit, _BRANCHES[name])

    @classmethod
    def parse(cls, topic: str) -> UnitTopic:
        """Reads a topic.

        Raises:
            Refused: It is not one of a unit's branch.
        """
        parts = topic.split("/")
        if "/".join(parts[:2]) == ROOT and len(parts) >= 5 and _NAME.fullmatch(parts[2]) and _NAME.fullmatch(parts[3]):
            if len(parts) == 6 and parts[4] == "event" and parts[5] in EVENT_TYPES:
                return cls(parts[2], parts[3], "event", parts[5])
            if len(parts) == 5 and parts[4] in _BRANCHES.values():
                return cls(parts[2], parts[3], parts[4])
        raise Refused(RefusalReason.WRONG_TOPIC, "not a topic of the contract")

    def check(self, message: Envelope[Any]) -> None:
        """Raises Refused unless the message may stand here: its type is the topic's, and its source the topic's unit.

        A command is in the branch of the unit that it is for, and the hub is its source.
        """
        ours = message.name in EVENT_TYPES or message.name in _BRANCHES
        unit = message.data.unit if message.name.startswith("command.") else message.unit
        if not ours or self != UnitTopic.of(message.site, unit, message.name):
            raise Refused(RefusalReason.WRONG_TOPIC, "the message's source or type is not that of its topic", "source")


def topic_of(message: Envelope[Any]) -> str:
    """Where a unit publishes a message of its own."""
    return f"{ROOT}/{message.site}/{message.unit}/{_WITHIN_BRANCH[message.name]}"


def command_topic(site: str, unit: str) -> str:
    """Where the hub publishes a command for a unit."""
    return str(UnitTopic(site, unit, "command"))


def incident_topic(site: str, incident: Incident) -> str:
    """Where the hub publishes an incident, retained while it is open."""
    return f"{ROOT}/{site}/incident/{incident.incident}"


def route_topic(site: str, participant: str) -> str:
    """Where the hub publishes a route, retained while the participant is enrolled."""
    return f"{ROOT}/{site}/route/{participant}"


def rejected_topic(site: str) -> str:
    """Where the hub says what it refused."""
    return f"{ROOT}/{site}/rejected"


def unit_source(site: str, unit: str) -> str:
    """The CloudEvents source of a unit; of the hub without one."""
    return f"urn:parvis:{site}:{unit}"


def hub_source(site: str) -> str:
    """The CloudEvents source of the hub."""
    return unit_source(site, HUB)

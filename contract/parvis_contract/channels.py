"""Every topic of the contract with its direction, its quality of service and the messages that it carries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .measures import EVENT_TYPES

Party = Literal["unit", "hub", "control room", "maintainers", "all"]

PARAMETERS = {
    "site": "The site plan's `site`.",
    "unit": "The unit's name in the site plan; the common name of its client certificate.",
    "type": "Short name of the event's type, such as `object.unattended`.",
    "incident": "The incident's `incident`, a UUIDv7.",
    "participant": "The name of an enrolment at the hub; not a person's name.",
}


@dataclass(frozen=True, slots=True)
class Channel:
    """A topic.

    Attributes:
        key: Its name in the AsyncAPI document.
        address: The topic, parameters in braces.
        sender, receiver: Who publishes and who subscribes.
        qos: MQTT quality of service, 0 to 2.
        retain: True if the broker keeps the last message for whoever subscribes later.
        messages: Short names of the types that it carries.
        says: What it is for.
    """

    key: str
    address: str
    sender: Party
    receiver: Party
    qos: Literal[0, 1]
    retain: bool
    messages: tuple[str, ...]
    says: str

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names in braces, in order."""
        return tuple(part[1:-1] for part in self.address.split("/") if part.startswith("{"))


_UNIT = "parvis/v1/{site}/{unit}"

CHANNELS = (
    Channel("event", f"{_UNIT}/event/{{type}}", "unit", "hub", 1, False, tuple(EVENT_TYPES), "Events of the closed list."),
    Channel("flow", f"{_UNIT}/flow", "unit", "hub", 1, False, ("flow.count",), "Counts in and out, every minute, per zone and class."),
    Channel("tag", f"{_UNIT}/tag", "unit", "hub", 1, False, ("tag.sighting",), "Sightings of tags on the allowlist."),
    Channel("evidence", f"{_UNIT}/evidence", "unit", "hub", 1, False, ("evidence.plate",), "Plates of the static background."),
    Channel("status", f"{_UNIT}/status", "unit", "all", 1, True, ("unit.status",), "How the unit is; retained, and its last will."),
    Channel("telemetry", f"{_UNIT}/telemetry", "unit", "hub", 0, False, ("unit.telemetry",), "What a maintainer looks at."),
    Channel(
        "command",
        f"{_UNIT}/command",
        "hub",
        "unit",
        1,
        False,
        ("command.config", "command.allowlist", "command.release"),
        "Signed commands; a unit refuses one whose signature or counter is wrong.",
    ),
    Channel(
        "incident",
        "parvis/v1/{site}/incident/{incident}",
        "hub",
        "control room",
        1,
        True,
        ("incident",),
        "Incidents; retained while open, and cleared by an empty message when closed.",
    ),
    Channel(
        "route",
        "parvis/v1/{site}/route/{participant}",
        "hub",
        "control room",
        1,
        True,
        ("route",),
        "Routes of those who asked for one; retained while enrolled.",
    ),
    Channel(
        "rejected",
        "parvis/v1/{site}/rejected",
        "hub",
        "maintainers",
        1,
        False,
        ("rejected",),
        "What the hub refused, with the reason, and nothing of its content.",
    ),
)

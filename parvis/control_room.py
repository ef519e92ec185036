"""What a control room hears on MQTT: incidents and the units' states. The demonstration's terminal is one."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from parvis_contract import Envelope, Incident, Refused, UnitStatus, parse_message


@dataclass(slots=True)
class Heard:
    """What has been heard so far.

    Attributes:
        incidents: The last that was said of each, in the order in which they were first heard.
        units: The last status of each unit.
        refused: How many messages were not of the contract.
    """

    incidents: dict[uuid.UUID, Incident] = field(default_factory=dict)
    units: dict[str, UnitStatus] = field(default_factory=dict)
    refused: int = 0

    def take(self, message: Envelope[Any]) -> None:
        """Takes a message; of other types than these two it makes nothing."""
        if isinstance(message.data, Incident):
            self.incidents[message.data.incident] = message.data
        elif isinstance(message.data, UnitStatus):
            self.units[message.unit] = message.data

    def living(self) -> list[Incident]:
        """The incidents, without those that have become part of another: all of whose events are another's too."""
        events = {name: frozenset(incident.events) for name, incident in self.incidents.items()}
        # Of two that rest on the same events, the newer one tells.
        return [
            incident
            for name, incident in self.incidents.items()
            if not any(events[name] < of or (events[name] == of and other > name) for other, of in events.items() if other != name)
        ]


class ControlRoom:
    """Listens to one site, and goes on listening when the broker was away.

    Args:
        host, port: Of the broker.
        site: Whose incidents and states.
    """

    def __init__(self, host: str, port: int, site: str) -> None:
        self._site = site
        self._lock = threading.Lock()
        self._heard = Heard()
        self._changes = 0
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 5)
        self._client.connect_async(host, port, keepalive=30)
        self._client.loop_start()

    def _on_connect(self, client: mqtt.Client, _: Any, __: mqtt.ConnectFlags, code: ReasonCode, ___: Properties | None) -> None:
        if not code.is_failure:
            client.subscribe([(f"parvis/v1/{self._site}/incident/+", 1), (f"parvis/v1/{self._site}/+/status", 1)])

    def _on_message(self, _: mqtt.Client, __: Any, message: mqtt.MQTTMessage) -> None:
        if not message.payload:
            return  # a retained message was taken away: the incident has closed
        with self._lock:
            self._changes += 1
            try:
                self._heard.take(parse_message(bytes(message.payload)))
            except Refused:
                self._heard.refused += 1

    def heard(self) -> tuple[int, Heard]:
        """How many messages came so far, and a copy of what they said."""
        with self._lock:
            heard = self._heard
            return self._changes, Heard(dict(heard.incidents), dict(heard.units), heard.refused)

    def close(self) -> None:
        """Says good-bye to the broker."""
        self._client.disconnect()
        self._client.loop_stop()

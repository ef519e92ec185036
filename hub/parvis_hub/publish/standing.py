"""Retains what does not change while the hub runs."""

from __future__ import annotations

from collections.abc import Mapping

from parvis_hub.intake import Broker


class Standing:
    """Messages that the broker is to retain; given again in every new connection, since it may have lost them. For one thread.

    Args:
        broker: Whom to give them to.
        messages: By topic.
    """

    def __init__(self, broker: Broker, messages: Mapping[str, bytes]) -> None:
        self._broker, self._messages = broker, messages
        self._connections = 0

    def turn(self) -> None:
        """Gives them if this is a new connection."""
        if self._broker.connected.is_set() and self._broker.connections > self._connections:
            self._connections = self._broker.connections
            for topic, payload in self._messages.items():
                self._broker.publish(topic, payload, retain=True, cloud_event=False)

"""Publishes what the store has and the broker has not confirmed.

An open incident is retained. When it closes, its last state is published without being retained, and then the retained one is
cleared by an empty message: whoever is there hears how it ended, and whoever comes later finds open incidents only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from parvis_contract import Envelope, Rejected, dump_message, rejected_topic

from parvis_hub.intake import Broker
from parvis_hub.store import Store
from parvis_hub.store.store import Unpublished

#: More than these wait for no confirmation at a time, four batches' worth; the rest is in the store.
MOST_IN_FLIGHT = 2_000


class Publisher:
    """Between store and broker; for one thread."""

    def __init__(self, site: str, store: Store, broker: Broker) -> None:
        self._site, self._store, self._broker = site, store, broker
        #: The last revision sent of each incident, and what each of the broker's confirmations will be about.
        self._sent: dict[str, int] = {}
        self._waiting: dict[int, tuple[str, int]] = {}
        self._confirmed: list[tuple[str, int]] = []
        self._connections = 0

    def confirmed(self) -> list[tuple[str, int]]:
        """Incidents, and the revision of each that the broker has confirmed: to be kept with the next batch."""
        self._confirmed += [self._waiting.pop(number) for number in self._broker.confirmed() if number in self._waiting]
        return list(self._confirmed)

    def kept(self, confirmed: Sequence[tuple[str, int]]) -> None:
        """Takes note that the store has what :meth:`confirmed` gave."""
        del self._confirmed[: len(confirmed)]
        for name, revision in confirmed:
            if self._sent.get(name) == revision:
                del self._sent[name]

    def publish(self) -> None:
        """Sends every incident that has a new revision.

        In a new connection every open incident is sent, and what closed lately: the broker may have been killed, and have lost what it
        retained or gone back to what it retained earlier. That it knows the hub's session says nothing of this.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: The store cannot be used; nothing is lost, call again.
        """
        if not self._broker.connected.is_set() or len(self._waiting) >= MOST_IN_FLIGHT:
            return
        connections = self._broker.connections
        fresh = connections > self._connections
        sent, limit = ({}, 10_000) if fresh else (self._sent, MOST_IN_FLIGHT)
        unpublished = self._store.unpublished(sent, also_open=fresh, limit=limit)
        with self._broker.together():
            for incident in unpublished:
                self._waiting[self._send(incident)] = incident.id, incident.revision
                self._sent[incident.id] = incident.revision
        self._connections = connections

    def _send(self, incident: Unpublished) -> int:
        topic = f"parvis/v1/{self._site}/incident/{incident.id}"
        if incident.open:
            return self._broker.publish(topic, incident.text.encode(), retain=True)
        self._broker.publish(topic, incident.text.encode())
        return self._broker.publish(topic, b"", retain=True)

    def reject(self, rejections: Iterable[Envelope[Rejected]]) -> None:
        """Says what was refused, and why; once, and not again if the broker does not hear it."""
        for rejection in rejections:
            self._broker.publish(rejected_topic(self._site), dump_message(rejection))

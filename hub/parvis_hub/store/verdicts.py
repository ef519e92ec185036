"""What people decided: it stays with an incident's first event, through merges and splits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from parvis_contract import Incident, Operator, Verdict, parse_message, to_datetime
from sqlalchemy import Row, insert, select

from parvis_hub import governance
from parvis_hub.governance import DecisionReason, VerdictGiven

from .alerts import note as note_alert
from .database import Database
from .rows import incident_values, living, revise
from .schema import decisions
from .views import Decision


class Verdicts:
    """Takes decisions, and knows them all; from any thread.

    Args:
        database: The hub's.
        site: Its name.
        now_us: Microseconds since 1970.
        kept_us: How long a decision is kept.
    """

    def __init__(self, database: Database, site: str, now_us: Callable[[], int], kept_us: int) -> None:
        self._database, self._site, self._now_us, self._kept_us = database, site, now_us, kept_us
        self._lock = threading.Lock()
        #: The last about each event, and its number.
        self._given: dict[str, tuple[int, Decision]] = {}
        with database.read() as connection:
            for row in connection.execute(select(decisions).order_by(decisions.c.row)):
                self._remember(row.event, row.row, _decision(row))

    def decide(self, id: str, decision: Decision) -> Row[Any] | None:
        """Stores a decision; returns the incident's new row, None if there is no such incident."""
        with self._database.write() as connection:
            row = living(connection, id)
            if row is None:
                return None
            incident: Incident = parse_message(row.message).data.model_copy(update={"operator": _signed(decision)})
            first = str(incident.events[0])
            expires_us = self._now_us() + self._kept_us
            added = connection.execute(
                insert(decisions).values(
                    incident=row.id,
                    event=first,
                    verdict=decision.verdict.value,
                    reason=decision.reason.value,
                    by=decision.by,
                    at_us=round(decision.at.timestamp() * 1e6),
                    expires_us=expires_us,
                )
            )
            new = incident_values(self._site, incident, expires_us, row)
            revise(connection, [new])
            note_alert(connection, new, self._now_us())
            about = VerdictGiven(incident=incident.incident, verdict=decision.verdict, reason=decision.reason)
            governance.append(connection, self._now_us(), decision.by, about)
            number = added.inserted_primary_key[0] if added.inserted_primary_key else 0
            answer = living(connection, row.id)
            # Remembered before the next writer can begin, so that no later state of the incident lacks it.
            self._remember(first, number, decision)
        return answer

    def _remember(self, event: str, number: int, decision: Decision) -> None:
        with self._lock:
            self._given[event] = (number, decision)

    def on(self, incident: Incident) -> Incident:
        """An incident with the last decision about any of its events; as it is if there is none."""
        if not self._given:
            return incident
        with self._lock:
            given = [self._given[str(event)] for event in incident.events if str(event) in self._given]
        return incident.model_copy(update={"operator": _signed(max(given, key=lambda each: each[0])[1])}) if given else incident


def _decision(row: Row[Any]) -> Decision:
    return Decision(Verdict(row.verdict), DecisionReason(row.reason), row.by, to_datetime(row.at_us / 1e6))


def _signed(decision: Decision) -> Operator:
    if decision.verdict is Verdict.UNCONFIRMED:
        return Operator(verdict=decision.verdict)
    return Operator(verdict=decision.verdict, by=decision.by, at=decision.at)

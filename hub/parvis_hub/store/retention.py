"""For how long what is kept is kept, and deleting what is over."""

from __future__ import annotations

from collections.abc import Callable

from parvis_contract import HUB, Site
from sqlalchemy import ColumnElement, Connection, Table, delete, select

from parvis_hub import governance
from parvis_hub.governance import RowsExpired

from .database import Database
from .schema import alerts, consents, decisions, events, flows, incidents, members, moves, plates, sightings
from .tallies import count_expiring, count_heard, drop_before, open_month

_HOUR_US = 3_600_000_000


def expired(table: Table, now_us: int) -> ColumnElement[bool]:
    """Which rows of a table are to go at a time: those over their time, but for what belongs to an open incident."""
    over = table.c.expires_us < now_us
    kept = _KEPT.get(table.name)
    return over if kept is None else over & ~kept


_OPEN = select(incidents.c.id).where(incidents.c.state == "open", incidents.c.superseded_by.is_(None))
_KEPT: dict[str, ColumnElement[bool]] = {
    "events": events.c.event.in_(select(members.c.event).where(members.c.incident.in_(_OPEN))),
    "incidents": incidents.c.state == "open",
    # Which events an incident had, and what was decided about it, is known for as long as it is.
    "members": members.c.incident.in_(select(incidents.c.id)),
    "decisions": decisions.c.incident.in_(select(incidents.c.id)),
}


class Retention:
    """What the site's profile says; microseconds from receipt.

    Attributes:
        incidents_us: Of incidents, from their last revision, and of what was decided about them.
        audit_us: Of the accountability log.
    """

    def __init__(self, site: Site) -> None:
        keep = site.law.retention
        self.incidents_us = int(keep.incidents_h * _HOUR_US)
        self.audit_us = int(keep.audit_h * _HOUR_US)
        self._events_us = int(keep.events_h * _HOUR_US)
        self._others_us = {"tag.sighting": int(keep.sightings_h * _HOUR_US), "evidence.plate": int(keep.evidence_h * _HOUR_US)}

    def of_us(self, name: str) -> int:
        """Of messages of a type, by its short name."""
        return self._others_us.get(name, self._events_us)


class Purge:
    """Deletes what has expired, and records how much; for one thread."""

    def __init__(self, database: Database, site: Site, retention: Retention, now_us: Callable[[], int]) -> None:
        self._database, self._zone, self._retention, self._now_us = database, site.timezone, retention, now_us
        self._looked_us: int | None = None

    def run(self) -> dict[str, int]:
        """Does it once; returns the number of rows by table.

        An open incident, and its events, stay until it has closed.
        """
        now_us = self._now_us()
        deleted = {}
        with self._database.write() as connection:
            self._tally(connection, now_us)
            # Incidents before what is kept for as long as they are.
            for table in (events, flows, sightings, plates, incidents, moves, alerts, consents, members, decisions):
                deleted[table.name] = connection.execute(delete(table).where(expired(table, now_us))).rowcount
            if any(deleted.values()):
                governance.append(connection, now_us, HUB, RowsExpired(**deleted))
            governance.prune(connection, now_us, now_us - self._retention.audit_us)
        self._looked_us = now_us
        return deleted

    def _tally(self, connection: Connection, now_us: int) -> None:
        """Counts by month what is about to be deleted, and which units are at work."""
        open_month(connection, now_us, self._zone)
        count_heard(connection, now_us, self._looked_us, self._zone)
        count_expiring(connection, now_us, self._zone)
        drop_before(connection, now_us - self._retention.audit_us, self._zone)

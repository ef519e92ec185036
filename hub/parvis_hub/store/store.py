"""Keeps what has arrived and what was made of it: each batch in one transaction, each row with its expiry."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from parvis_contract import HUB, Envelope, Site, parse_message
from sqlalchemy import ColumnElement, Row, and_, bindparam, func, or_, select

from parvis_hub import governance
from parvis_hub.consent.keyring import Keyring
from parvis_hub.correlate.spans import Spans
from parvis_hub.governance import Head, PlateViewed

from .bulk import among
from .consents import ConsentStore
from .database import Database
from .keeping import Keeper
from .records import Batch, Restart, Seen
from .retention import Purge, Retention
from .schema import events, flows, gaps, incidents, members, plates, sightings, units
from .tallies import open_month
from .verdicts import Verdicts
from .views import Decision

_HOUR_US = 3_600_000_000
#: Rows that are read at once.
_AT_ONCE = 1_000
#: A broker that is killed goes on from what it last wrote to disk: half an hour ago, as mosquitto has it where nobody says otherwise.
_RETOLD_US = _HOUR_US
_TABLE_OF = {"flow.count": flows, "tag.sighting": sightings, "evidence.plate": plates}

_UNCONFIRMED = incidents.c.published < incidents.c.revision
_IN_ORDER = select(incidents.c.id, incidents.c.revision).order_by(incidents.c.last_us, incidents.c.id).limit(bindparam("most"))
_WAITING = _IN_ORDER.where(_UNCONFIRMED)
#: What is told of an incident.
_TOLD = tuple(incidents.c[name] for name in ("id", "revision", "message", "state", "superseded_by"))


def _within(spans: Spans) -> ColumnElement[bool]:
    """Which events are of some types and times. All are of one span, too, which the index can be asked for."""
    every = [span for several in spans.values() for span in several]
    since_us, until_us = min(since for since, _ in every), max(until for _, until in every)
    of_type = [
        and_(events.c.type == name, or_(*(events.c.time_us.between(since, until - 1) for since, until in several)))
        for name, several in spans.items()
    ]
    return and_(events.c.time_us.between(since_us, until_us - 1), or_(*of_type))


@dataclass(frozen=True, slots=True)
class Unpublished:
    """An incident of which the broker has not confirmed the last revision.

    Attributes:
        id: Which.
        revision: The one to publish.
        text: The message, as published.
        open: Retained while it is.
        superseded: It has become part of another and is no more.
    """

    id: str
    revision: int
    text: str
    open: bool
    superseded: bool


class Store:
    """The hub's memory. Writing is for one thread at a time, which the database sees to; reading is for any.

    Attributes:
        database: Whose it is.
        consents: The register of consents, whose keys are in `keys`.
    """

    def __init__(
        self,
        database: Database,
        site: Site,
        now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
        keys: Keyring | None = None,
    ) -> None:
        self.database = database
        self.consents = ConsentStore(database, site, now_us, keys)
        self._site = site
        self._now_us = now_us
        self._retention = Retention(site)
        self._verdicts = Verdicts(database, site.site, now_us, self._retention.incidents_us)
        self._keeper = Keeper(site.site, self._retention, self._verdicts, now_us)
        self._purge = Purge(database, site, self._retention, now_us)

    # --- what is there already ------------------------------------------------------------------------------------------------

    def known(self, table_of: str, ids: Sequence[str]) -> set[str]:
        """Which of these messages of one type are in the store.

        Args:
            table_of: The type's short name.
            ids: Of messages.
        """
        table = _TABLE_OF.get(table_of, events)
        with self.database.read() as connection:
            return {row.id for row in among(connection, table.c.id, ids, table.c.id)}

    def restart(self) -> Restart:
        """What a hub needs to go on where it was stopped."""
        with self.database.read() as connection:
            known = {
                row.name: Seen(row.last_seen_us, row.newest_us, row.next_sequence, [], row.status, row.telemetry)
                for row in connection.execute(select(units))
            }
            for row in connection.execute(select(gaps).order_by(gaps.c.unit, gaps.c.first)):
                known.setdefault(row.unit, Seen(gaps=[])).gaps.append((row.first, row.last))  # type: ignore[union-attr]
            newest = select(events.c.time_us, events.c.received_us).where(~events.c.too_late).order_by(events.c.time_us.desc()).limit(1)
            clock = connection.execute(newest).one_or_none()
        return Restart(known, clock.time_us if clock else None, clock.received_us if clock else None)

    def last_seen_us(self) -> int:
        """When the last message of any unit came, microseconds since 1970; 0 before the first."""
        with self.database.read() as connection:
            return connection.execute(select(func.max(units.c.last_seen_us))).scalar() or 0

    def history(self, spans: Spans, *, also_open: bool = False) -> Iterator[Envelope[Any]]:
        """The stored events that can be part of an incident, in order of arrival; with each, all that its incident has.

        Args:
            spans: Of which types, from which event time until before which; microseconds since 1970.
            also_open: And whatever belongs to an incident that is open.
        """
        touched = select(members.c.incident).join(events, events.c.event == members.c.event).where(_within(spans))
        wanted = touched.union(select(incidents.c.id).where(incidents.c.state == "open")) if also_open else touched
        of_incident = events.c.event.in_(select(members.c.event).where(members.c.incident.in_(wanted)))
        query = select(events.c.message).where(~events.c.too_late).where(_within(spans) | of_incident).order_by(events.c.row)
        with self.database.read() as connection:
            for row in connection.execute(query.execution_options(yield_per=_AT_ONCE)):
                yield parse_message(row.message)

    def count(self, spans: Spans) -> int:
        """How many messages of events there are of some types and times, as of :meth:`history`."""
        with self.database.read() as connection:
            return connection.execute(select(func.count()).select_from(events).where(_within(spans))).scalar_one()

    # --- keeping --------------------------------------------------------------------------------------------------------------

    def commit(self, batch: Batch) -> list[str]:
        """Keeps a batch, whole; when this returns it is on disk.

        Returns:
            The ids of the incidents that have a new revision, or a new plate.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: Nothing of it was kept; the same batch may be tried again.
        """
        with self.database.write() as connection:
            return self._keeper.keep(connection, batch)

    def decide(self, id: str, decision: Decision) -> Row[Any] | None:
        """Stores a decision; returns the incident's new row, None if there is no such incident."""
        return self._verdicts.decide(id, decision)

    # --- publishing and forgetting --------------------------------------------------------------------------------------------

    def unpublished(self, sent: Mapping[str, int] | None = None, *, limit: int = 1_000, also_open: bool = False) -> list[Unpublished]:
        """The incidents whose last revision the broker has not confirmed, the one observed first first.

        Args:
            sent: The revision of each that is on its way to the broker, and is not wanted.
            limit: At most so many, those that are on their way among them.
            also_open: And every open one, and what closed in the last hour: what a broker should hold retained if it has lost it, and
                should hold no more if it has gone back to what it once held.
        """
        query = _WAITING
        if also_open:
            # The expiry is set with each revision.
            lately_us = self._now_us() - _RETOLD_US + self._retention.incidents_us
            held = (incidents.c.state == "open") & incidents.c.superseded_by.is_(None)
            lately = (incidents.c.state == "closed") & (incidents.c.expires_us > lately_us)
            query = _IN_ORDER.where(_UNCONFIRMED | held | lately)
        with self.database.read() as connection:
            ids = [row.id for row in connection.execute(query, {"most": limit}) if (sent or {}).get(row.id, 0) < row.revision]
            rows = {row.id: row for row in among(connection, incidents.c.id, ids, *_TOLD)}
        return [
            Unpublished(row.id, row.revision, row.message, row.state == "open", row.superseded_by is not None)
            for row in map(rows.__getitem__, ids)
        ]

    def purge(self) -> dict[str, int]:
        """Deletes what has expired, and records how much; returns the number of rows by table.

        An open incident, and its events, stay until it has closed.
        """
        return self._purge.run()

    # --- accounting -----------------------------------------------------------------------------------------------------------

    def started(self) -> Head:
        """Records that the hub starts, and under which configuration; returns where the log ends then.

        Raises:
            LogBroken: The log's head is gone.
        """
        with self.database.write() as connection:
            open_month(connection, self._now_us(), self._site.timezone)
            return governance.append(connection, self._now_us(), HUB, governance.digest_of_configuration(self._site)).head

    def viewed(self, incident: uuid.UUID, plate: uuid.UUID, by: str) -> None:
        """Records that an evidence plate is shown. Whoever shows it does so after this has returned, or not at all."""
        with self.database.write() as connection:
            governance.append(connection, self._now_us(), by, PlateViewed(incident=incident, plate=plate))

    def audit_head(self) -> Head | None:
        """Where the accountability log ends."""
        with self.database.read() as connection:
            return governance.head(connection)

"""Keeps what has arrived and what was made of it: each batch in one transaction, each row with its expiry."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from parvis_contract import HUB, Envelope, Incident, IncidentState, Operator, Site, Verdict, parse_message, to_datetime
from sqlalchemy import Connection, Row, Table, bindparam, delete, func, insert, select, update

from parvis_hub import governance
from parvis_hub.consent.keyring import Keyring
from parvis_hub.correlate import Change, incident_text
from parvis_hub.governance import DecisionReason, Head, PlateViewed, RowsExpired, VerdictGiven

from .alerts import note as note_alert
from .bulk import among, execute_all, insert_all
from .consents import ConsentStore
from .database import Database
from .lineage import note as note_moves
from .records import Arrived, Batch, Restart, Seen
from .schema import alerts, consents, counters, decisions, events, flows, gaps, incidents, members, moves, plates, sightings, units
from .tallies import count_expiring, count_heard, drop_before, open_month
from .views import Decision

_HOUR_US = 3_600_000_000
#: A broker that is killed goes on from what it last wrote to disk: half an hour ago, as mosquitto has it where nobody says otherwise.
_RETOLD_US = _HOUR_US
_TABLE_OF = {"flow.count": flows, "tag.sighting": sightings, "evidence.plate": plates}


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
        keep = site.law.retention
        self._events_us = int(keep.events_h * _HOUR_US)
        self._incidents_us = int(keep.incidents_h * _HOUR_US)
        self._audit_us = int(keep.audit_h * _HOUR_US)
        self._other_us = {
            "flow.count": self._events_us,
            "tag.sighting": int(keep.sightings_h * _HOUR_US),
            "evidence.plate": int(keep.evidence_h * _HOUR_US),
        }
        self._looked_us: int | None = None
        self._verdict_lock = threading.Lock()
        self._verdicts: dict[str, tuple[int, Decision]] = {}
        with database.read() as connection:
            for row in connection.execute(select(decisions).order_by(decisions.c.row)):
                self._remember(row.event, row.row, _decision(row))

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

    @staticmethod
    def living(connection: Connection, id: str) -> Row[Any] | None:
        """An incident's row; of one that has become part of another, that other's; None if there is none."""
        seen: set[str] = set()
        wanted = id
        while wanted not in seen:
            seen.add(wanted)
            row = connection.execute(select(incidents).where(incidents.c.id == wanted)).one_or_none()
            if row is None or row.superseded_by is None:
                return row
            wanted = row.superseded_by
        return None

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

    def history(self, *, since_us: int, until_us: int | None = None) -> Iterator[Envelope[Any]]:
        """The stored events that can be part of an incident.

        Args:
            since_us: From this event time on; besides, whatever belongs to an incident that is open or that has an event from then on.
            until_us: Before this event time, if given.
        """
        in_time = events.c.time_us >= since_us
        if until_us is not None:
            in_time &= events.c.time_us < until_us
        touched = select(members.c.incident).join(events, events.c.event == members.c.event).where(in_time)
        wanted = touched if until_us is not None else touched.union(select(incidents.c.id).where(incidents.c.state == "open"))
        of_incident = events.c.event.in_(select(members.c.event).where(members.c.incident.in_(wanted)))
        query = select(events.c.message).where(~events.c.too_late).where(in_time | of_incident).order_by(events.c.row)
        with self.database.read() as connection:
            for row in connection.execute(query):
                yield parse_message(row.message)

    # --- keeping --------------------------------------------------------------------------------------------------------------

    def commit(self, batch: Batch) -> list[str]:
        """Keeps a batch, whole; when this returns it is on disk.

        Returns:
            The ids of the incidents that have a new revision, or a new plate.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: Nothing of it was kept; the same batch may be tried again.
        """
        with self.database.write() as connection:
            self._add_arrived(connection, batch.arrived)
            execute_all(connection, _PUBLISHED, [{"which": which, "upto": upto} for which, upto in batch.published])
            revised = self._add_incidents(connection, batch.incidents)
            self._add_units(connection, batch.units)
            _add_counts(connection, batch.counts)
            illustrated = self._illustrated(connection, batch.arrived)
        return list(dict.fromkeys((*revised, *illustrated)))

    def _illustrated(self, connection: Connection, arrived: Iterable[Arrived]) -> list[str]:
        """The incidents that plates among what has arrived are of."""
        about = [str(each.message.data.event) for each in arrived if each.message.name == "evidence.plate"]
        return [row.incident for row in among(connection, members.c.event, about, members.c.incident)]

    def _add_arrived(self, connection: Connection, arrived: Iterable[Arrived]) -> None:
        rows: dict[Table, list[dict[str, Any]]] = {}
        for each in arrived:
            message = each.message
            if message.name == "tag.sighting":
                rows.setdefault(sightings, []).append(self._sighting_row(each))
                continue
            row: dict[str, Any] = {"id": str(message.id), "unit": message.unit, "time_us": _us(message), "message": each.text}
            table = _TABLE_OF.get(message.name, events)
            if table is events:
                row |= {"event": str(message.event_id), "type": message.name, "received_us": each.received_us, "too_late": each.too_late}
            elif table is plates:
                row["event"] = str(message.data.event)
            row["expires_us"] = each.received_us + self._other_us.get(message.name, self._events_us)
            rows.setdefault(table, []).append(row)
        if sightings in rows:
            # Somebody may have withdrawn since these were sealed.
            running = set(connection.execute(select(consents.c.id).where(consents.c.ended_us.is_(None))).scalars()) | {None}
            rows[sightings] = [row for row in rows[sightings] if row["consent"] in running]
        for table, values in rows.items():
            insert_all(connection, table, values)

    def _sighting_row(self, arrived: Arrived) -> dict[str, Any]:
        expires_us = arrived.received_us + self._other_us["tag.sighting"]
        id_, text = (arrived.sealed.id, arrived.sealed.text) if arrived.sealed else (str(arrived.message.id), arrived.text)
        # To the hour, so that it does not tell when somebody was seen.
        return {"id": id_, "consent": arrived.consent, "message": text, "expires_us": expires_us - expires_us % _HOUR_US}

    def _add_incidents(self, connection: Connection, changes: Sequence[Change]) -> list[str]:
        ids = [str(change.id) for change in changes]
        known = {row.id: row for row in among(connection, incidents.c.id, ids, *_OF_INCIDENT)}
        expires_us = self._now_us() + self._incidents_us
        fresh, changed = [], []
        belonging: dict[str, str] = {}
        for change in changes:
            old = known.get(str(change.id))
            if change.incident is None:
                if old is not None:
                    changed.append(self._superseded(old, change, expires_us))
                continue
            incident = change.incident
            operator = self._operator(incident)
            if operator is not incident.operator:
                incident = incident.model_copy(update={"operator": operator})
            row = self._incident_row(incident, expires_us)
            belonging.update(dict.fromkeys(map(str, incident.events), row["id"]))
            if old is None:
                fresh.append(row)
            elif old.message != row["message"] or old.superseded_by is not None:
                changed.append(row | {"revision": old.revision + 1, "published": old.published})
        insert_all(connection, incidents, fresh)
        execute_all(connection, _UPDATE_INCIDENT, [{f"new_{name}": value for name, value in row.items()} for row in changed])
        held, moved = self._add_members(connection, [row["id"] for row in changed], belonging, expires_us)
        gone = [row["id"] for row in changed if row["superseded_by"] is not None]
        note_moves(connection, moved, held, gone=gone, fresh=[row["id"] for row in fresh], now_us=self._now_us(), expires_us=expires_us)
        for row in (*fresh, *changed):
            if row["verdict"] != Verdict.UNCONFIRMED.value:
                note_alert(connection, row, self._now_us())
        return [row["id"] for row in (*fresh, *changed)]

    def _add_members(
        self, connection: Connection, known: Sequence[str], belonging: Mapping[str, str], expires_us: int
    ) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Notes which incident each event is part of, as far as that is not known already.

        Returns:
            Which incident the events of those that are known were part of; and which the events that are of another now are part of.
        """
        held = {row.event: row.incident for row in among(connection, members.c.incident, known, members.c.event, members.c.incident)}
        moved = {event: incident for event, incident in belonging.items() if held.get(event) != incident}
        execute_all(connection, _DELETE_MEMBER, [{"moved": event} for event in moved])
        rows = [{"event": event, "incident": incident, "expires_us": expires_us} for event, incident in moved.items()]
        insert_all(connection, members, rows)
        return held, moved

    def _add_units(self, connection: Connection, seen: Mapping[str, Seen]) -> None:
        known = {row.name for row in among(connection, units.c.name, list(seen), units.c.name)}
        insert_all(connection, units, [{"name": name} for name in seen if name not in known])
        told = [{"which": name} | {f"new_{column}": getattr(each, column) for column in _OF_UNIT} for name, each in seen.items()]
        execute_all(connection, _UPDATE_UNIT, told)
        missing = {name: each.gaps for name, each in seen.items() if each.gaps is not None}
        execute_all(connection, _DELETE_GAPS, [{"which": name} for name in missing])
        rows = [{"unit": name, "first": first, "last": last} for name, ranges in missing.items() for first, last in ranges]
        insert_all(connection, gaps, rows)

    def _incident_row(self, incident: Incident, expires_us: int) -> dict[str, Any]:
        return {
            "id": str(incident.incident),
            "type": incident.type,
            "state": incident.state.value,
            "verdict": incident.operator.verdict.value,
            "first_us": round(incident.first_observed.timestamp() * 1e6),
            "last_us": round(incident.last_observed.timestamp() * 1e6),
            "revision": 1,
            "published": 0,
            "superseded_by": None,
            "expires_us": expires_us,
            "message": incident_text(self._site.site, incident),
            "lon": incident.position.lon,
            "lat": incident.position.lat,
        }

    def _superseded(self, old: Row[Any], change: Change, expires_us: int) -> dict[str, Any]:
        """An incident that is part of another: closed, and shown no more."""
        incident: Incident = parse_message(old.message).data
        row = self._incident_row(incident.model_copy(update={"state": IncidentState.CLOSED}), expires_us)
        return row | {"revision": old.revision + 1, "published": old.published, "superseded_by": str(change.superseded_by)}

    # --- deciding -------------------------------------------------------------------------------------------------------------

    def decide(self, id: str, decision: Decision) -> Row[Any] | None:
        """Stores a decision; returns the incident's new row, None if there is no such incident."""
        with self.database.write() as connection:
            row = self.living(connection, id)
            if row is None:
                return None
            message = parse_message(row.message)
            operator = _signed(decision)
            incident: Incident = message.data.model_copy(update={"operator": operator})
            first = str(incident.events[0])
            expires_us = self._now_us() + self._incidents_us
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
            new = self._incident_row(incident, expires_us) | {"revision": row.revision + 1, "published": row.published}
            connection.execute(_UPDATE_INCIDENT, {f"new_{name}": value for name, value in new.items()})
            note_alert(connection, new, self._now_us())
            about = VerdictGiven(incident=incident.incident, verdict=decision.verdict, reason=decision.reason)
            governance.append(connection, self._now_us(), decision.by, about)
            number = added.inserted_primary_key[0] if added.inserted_primary_key else 0
            answer = self.living(connection, row.id)
            # Remembered before the next writer can begin, so that no later state of the incident lacks it.
            self._remember(first, number, decision)
        return answer

    def _remember(self, event: str, number: int, decision: Decision) -> None:
        with self._verdict_lock:
            self._verdicts[event] = (number, decision)

    def _operator(self, incident: Incident) -> Operator:
        """The last decision about any of an incident's events."""
        with self._verdict_lock:
            given = [self._verdicts[str(event)] for event in incident.events if str(event) in self._verdicts] if self._verdicts else []
        return _signed(max(given, key=lambda each: each[0])[1]) if given else incident.operator

    # --- publishing and forgetting --------------------------------------------------------------------------------------------

    def unpublished(self, *, also_open: bool = False, limit: int = 1_000) -> list[Unpublished]:
        """The incidents whose last revision the broker has not confirmed, the one observed first first.

        Args:
            also_open: And every open one, and what closed in the last hour: what a broker should hold retained if it has lost it, and
                should hold no more if it has gone back to what it once held.
            limit: At most so many.
        """
        wanted = incidents.c.published < incidents.c.revision
        if also_open:
            wanted |= (incidents.c.state == "open") & incidents.c.superseded_by.is_(None)
            # The expiry is set with each revision.
            wanted |= (incidents.c.state == "closed") & (incidents.c.expires_us > self._now_us() + self._incidents_us - _RETOLD_US)
        columns = (incidents.c[name] for name in ("id", "revision", "message", "state", "superseded_by"))
        query = select(*columns).where(wanted).order_by(incidents.c.last_us, incidents.c.id).limit(limit)
        with self.database.read() as connection:
            return [
                Unpublished(row.id, row.revision, row.message, row.state == "open", row.superseded_by is not None)
                for row in connection.execute(query)
            ]

    def purge(self) -> dict[str, int]:
        """Deletes what has expired, and records how much; returns the number of rows by table.

        An open incident, and its events, stay until it has closed.
        """
        now_us = self._now_us()
        deleted = {}
        with self.database.write() as connection:
            open_ones = select(incidents.c.id).where(incidents.c.state == "open", incidents.c.superseded_by.is_(None))
            alive = select(members.c.event).where(members.c.incident.in_(open_ones))
            self._tally(connection, now_us)
            for table, kept in (
                (events, events.c.event.in_(alive)),
                (flows, None),
                (sightings, None),
                (plates, None),
                (incidents, incidents.c.state == "open"),
                (moves, None),
                (alerts, None),
                (consents, None),
                # Which events an incident had, and what was decided about it, is known for as long as it is.
                (members, members.c.incident.in_(select(incidents.c.id))),
                (decisions, decisions.c.incident.in_(select(incidents.c.id))),
            ):
                expired = delete(table).where(table.c.expires_us < now_us)
                done = connection.execute(expired if kept is None else expired.where(~kept))
                deleted[table.name] = done.rowcount
            if any(deleted.values()):
                governance.append(connection, now_us, HUB, RowsExpired(**deleted))
            governance.prune(connection, now_us, now_us - self._audit_us)
        self._looked_us = now_us
        return deleted

    def _tally(self, connection: Connection, now_us: int) -> None:
        """Counts by month what is about to be deleted, and which units are at work."""
        zone = self._site.timezone
        open_month(connection, now_us, zone)
        count_heard(connection, now_us, self._looked_us, zone)
        count_expiring(connection, now_us, zone)
        drop_before(connection, now_us - self._audit_us, zone)

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


_UPDATE_INCIDENT = (
    update(incidents)
    .where(incidents.c.id == bindparam("new_id"))
    .values({column.name: bindparam(f"new_{column.name}") for column in incidents.columns if column.name != "id"})
)

#: What must be known of an incident to write its next revision.
_OF_INCIDENT = tuple(incidents.c[name] for name in ("id", "message", "revision", "published", "superseded_by"))
_PUBLISHED = (
    update(incidents)
    .where(incidents.c.id == bindparam("which"), incidents.c.published < bindparam("upto"))
    .values(published=bindparam("upto"))
)
_DELETE_MEMBER = delete(members).where(members.c.event == bindparam("moved"))
_DELETE_GAPS = delete(gaps).where(gaps.c.unit == bindparam("which"))
_COUNT = update(counters).where(counters.c.name == bindparam("which")).values(value=counters.c.value + bindparam("more"))
_OF_UNIT = ("last_seen_us", "newest_us", "next_sequence", "status", "telemetry", "clock_off_s", "clock_found_us")
#: What a batch does not tell stays as it was.
_UPDATE_UNIT = (
    update(units)
    .where(units.c.name == bindparam("which"))
    .values({name: func.coalesce(bindparam(f"new_{name}", type_=units.c[name].type), units.c[name]) for name in _OF_UNIT})
)


def _us(message: Envelope[Any]) -> int:
    return round(message.time.timestamp() * 1e6)


def _decision(row: Row[Any]) -> Decision:
    return Decision(Verdict(row.verdict), DecisionReason(row.reason), row.by, to_datetime(row.at_us / 1e6))


def _signed(decision: Decision) -> Operator:
    if decision.verdict is Verdict.UNCONFIRMED:
        return Operator(verdict=decision.verdict)
    return Operator(verdict=decision.verdict, by=decision.by, at=decision.at)


def _add_counts(connection: Connection, counts: Mapping[str, int]) -> None:
    known = {row.name for row in among(connection, counters.c.name, list(counts), counters.c.name)}
    insert_all(connection, counters, [{"name": name, "value": 0} for name in counts if name not in known])
    execute_all(connection, _COUNT, [{"which": name, "more": more} for name, more in counts.items()])

"""Writes a batch: what arrived, what was made of it, and what it tells of units; each row with its expiry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from parvis_contract import Incident, IncidentState, Phase, Verdict, parse_message
from sqlalchemy import Connection, Row, bindparam, delete, func, select, update

from parvis_hub.correlate import Change

from .alerts import note as note_alert
from .bulk import among, execute_all, insert_all
from .lineage import note as note_moves
from .records import Arrived, Batch, Seen
from .retention import Retention
from .rows import IncidentValues, incident_values, revise
from .schema import consents, counters, events, flows, gaps, incidents, members, plates, sightings, units
from .verdicts import Verdicts

_HOUR_US = 3_600_000_000


class Keeper:
    """Puts batches into the tables, each in a transaction of the caller's.

    Args:
        site: Its name.
        retention: The site's.
        verdicts: What was decided.
        now_us: Microseconds since 1970.
    """

    def __init__(self, site: str, retention: Retention, verdicts: Verdicts, now_us: Callable[[], int]) -> None:
        self._site, self._retention, self._verdicts, self._now_us = site, retention, verdicts, now_us

    def keep(self, connection: Connection, batch: Batch) -> list[str]:
        """Writes it; returns the ids of the incidents that have a new revision, or a new plate."""
        self._add_arrived(connection, batch.arrived)
        execute_all(connection, _PUBLISHED, ("which", "upto"), batch.published)
        revised = self._add_incidents(connection, batch.incidents)
        _add_units(connection, batch.units)
        _add_counts(connection, batch.counts)
        illustrated = _illustrated(connection, batch.arrived)
        return list(dict.fromkeys((*revised, *illustrated)))

    # --- messages -------------------------------------------------------------------------------------------------------------

    def _add_arrived(self, connection: Connection, arrived: Iterable[Arrived]) -> None:
        of_events, of_flows, of_plates, of_sightings = [], [], [], []
        for each in arrived:
            name, until_us = each.name, each.received_us + self._retention.of_us(each.name)
            if name == "flow.count":
                of_flows.append((each.id, each.unit, each.time_us, until_us, each.text))
            elif name == "tag.sighting":
                id_, text = (each.sealed.id, each.sealed.text) if each.sealed else (each.id, each.text)
                # To the hour, so that it does not tell when somebody was seen.
                of_sightings.append((id_, each.consent, until_us - until_us % _HOUR_US, text))
            elif name == "evidence.plate":
                of_plates.append((each.id, each.unit, each.time_us, until_us, each.text, str(each.message.data.event)))
            else:
                what = (each.id, _event(each), name, each.unit, each.time_us, each.received_us, each.too_late, until_us, each.text)
                of_events.append(what)
        if of_sightings:
            # Somebody may have withdrawn since these were sealed.
            running = set(connection.execute(select(consents.c.id).where(consents.c.ended_us.is_(None))).scalars()) | {None}
            of_sightings = [row for row in of_sightings if row[1] in running]
        insert_all(connection, events, _EVENT, of_events)
        insert_all(connection, flows, _FLOW, of_flows)
        insert_all(connection, plates, (*_FLOW, "event"), of_plates)
        insert_all(connection, sightings, ("id", "consent", "expires_us", "message"), of_sightings)

    # --- incidents ------------------------------------------------------------------------------------------------------------

    def _add_incidents(self, connection: Connection, changes: Sequence[Change]) -> list[str]:
        if not changes:
            return []
        ids = [str(change.id) for change in changes]
        known = {row.id: row for row in among(connection, incidents.c.id, ids, *_OF_INCIDENT)}
        now_us = self._now_us()
        expires_us = now_us + self._retention.incidents_us
        fresh: list[IncidentValues] = []
        changed: list[IncidentValues] = []
        belonging: dict[str, str] = {}
        for id_, change in zip(ids, changes, strict=True):
            old = known.get(id_)
            if change.incident is None:
                if old is not None:
                    changed.append(self._superseded(old, change, expires_us))
                continue
            incident = self._verdicts.on(change.incident)
            values = incident_values(self._site, incident, expires_us, old)
            belonging.update(dict.fromkeys(map(str, incident.events), id_))
            if old is None:
                fresh.append(values)
            elif old.message != values.message or old.superseded_by is not None:
                changed.append(values)
        insert_all(connection, incidents, IncidentValues._fields, fresh)
        revise(connection, changed)
        held, moved = _add_members(connection, [values.id for values in changed], belonging, expires_us)
        gone = [values.id for values in changed if values.superseded_by is not None]
        note_moves(connection, moved, held, gone=gone, fresh=[values.id for values in fresh], now_us=now_us, expires_us=expires_us)
        for values in (*fresh, *changed):
            if values.verdict != _UNCONFIRMED:
                note_alert(connection, values, now_us)
        return [values.id for values in (*fresh, *changed)]

    def _superseded(self, old: Row[Any], change: Change, expires_us: int) -> IncidentValues:
        """An incident that is part of another: closed, and shown no more."""
        incident: Incident = parse_message(old.message).data.model_copy(update={"state": IncidentState.CLOSED})
        values = incident_values(self._site, incident, expires_us, old)
        return values._replace(superseded_by=str(change.superseded_by))


def _event(arrived: Arrived) -> str:
    """The event that a message is of."""
    data = arrived.message.data
    return str(data.event) if data.phase in (Phase.UPDATE, Phase.END) else arrived.id


def _add_members(
    connection: Connection, known: Sequence[str], belonging: Mapping[str, str], expires_us: int
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Notes which incident each event is part of, as far as that is not known already.

    Returns:
        Which incident the events of those that are known were part of; and which the events that are of another now are part of.
    """
    held = {row.event: row.incident for row in among(connection, members.c.incident, known, members.c.event, members.c.incident)}
    moved = {event: incident for event, incident in belonging.items() if held.get(event) != incident}
    execute_all(connection, _DELETE_MEMBER, ("moved",), [(event,) for event in moved])
    rows = [(event, incident, expires_us) for event, incident in moved.items()]
    insert_all(connection, members, ("event", "incident", "expires_us"), rows)
    return held, moved


def _add_units(connection: Connection, seen: Mapping[str, Seen]) -> None:
    told = [(*_told(each), name) for name, each in seen.items()]
    if execute_all(connection, _UPDATE_UNIT, _UNIT, told) < len(told):
        known = {row.name for row in among(connection, units.c.name, list(seen), units.c.name)}
        insert_all(connection, units, ("name", *_OF_UNIT), [(name, *values) for *values, name in told if name not in known])
    missing = {name: each.gaps for name, each in seen.items() if each.gaps is not None}
    execute_all(connection, _DELETE_GAPS, ("which",), [(name,) for name in missing])
    insert_all(connection, gaps, ("unit", "first", "last"), [(name, *each) for name, ranges in missing.items() for each in ranges])


def _add_counts(connection: Connection, counts: Mapping[str, int]) -> None:
    if execute_all(connection, _COUNT, ("which", "more"), list(counts.items())) < len(counts):
        known = {row.name for row in among(connection, counters.c.name, list(counts), counters.c.name)}
        insert_all(connection, counters, ("name", "value"), [each for each in counts.items() if each[0] not in known])


def _illustrated(connection: Connection, arrived: Iterable[Arrived]) -> list[str]:
    """The incidents that plates among what has arrived are of."""
    about = [str(each.message.data.event) for each in arrived if each.name == "evidence.plate"]
    return [row.incident for row in among(connection, members.c.event, about, members.c.incident)]


_EVENT = ("id", "event", "type", "unit", "time_us", "received_us", "too_late", "expires_us", "message")
_FLOW = ("id", "unit", "time_us", "expires_us", "message")
_UNCONFIRMED = Verdict.UNCONFIRMED.value
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
_UNIT = (*(f"new_{name}" for name in _OF_UNIT), "which")
_told = attrgetter(*_OF_UNIT)
#: What a batch does not tell stays as it was.
_UPDATE_UNIT = (
    update(units)
    .where(units.c.name == bindparam("which"))
    .values({name: func.coalesce(bindparam(f"new_{name}", type_=units.c[name].type), units.c[name]) for name in _OF_UNIT})
)

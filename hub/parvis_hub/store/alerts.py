"""What was told to others of confirmed incidents: alerts, updates and their cancellation, each kept as it was told."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from parvis_contract import Envelope, Incident, IncidentState, Verdict, parse_message, to_datetime
from sqlalchemy import Connection, Row, func, insert, select

from .database import Database
from .rows import IncidentValues
from .schema import alerts


class AlertKind(StrEnum):
    """CAP's own words for it."""

    ALERT = "Alert"
    UPDATE = "Update"
    CANCEL = "Cancel"


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that was told.

    Attributes:
        incident, number: Of what, and its place among what was told of it, from 1.
        kind: Whether it begins, changes or takes back.
        sent: When.
        message: The incident as it stood then.
    """

    incident: uuid.UUID
    number: int
    kind: AlertKind
    sent: datetime
    message: Envelope[Incident]


def note(connection: Connection, row: IncidentValues, now_us: int) -> None:
    """Notes what is to be told of an incident's new state, if anything: in the transaction that brings it into that state.

    Args:
        connection: In that transaction.
        row: Of the table of incidents, as it is now.
        now_us: Microseconds since 1970.
    """
    query = select(alerts).where(alerts.c.incident == row.id).order_by(alerts.c.number.desc()).limit(1)
    last = connection.execute(query).one_or_none()
    confirmed = row.verdict == Verdict.CONFIRMED.value and row.superseded_by is None
    told = last is not None and last.kind != AlertKind.CANCEL.value
    if not told and confirmed:
        kind = AlertKind.ALERT
    elif told and not confirmed:
        kind = AlertKind.CANCEL
    elif told and last is not None and _differs(parse_message(last.message).data, parse_message(row.message).data):
        kind = AlertKind.UPDATE
    else:
        return
    number = last.number + 1 if last is not None else 1
    told_of = {"incident": row.id, "message": row.message, "expires_us": row.expires_us}
    connection.execute(insert(alerts).values(number=number, kind=kind.value, sent_us=now_us, **told_of))


def _differs(told: Incident, now: Incident) -> bool:
    """True if whoever was told would act on something that is no longer so; that it is still seen is no news."""
    moved_deg = max(abs(told.position.lon - now.position.lon), abs(told.position.lat - now.position.lat))
    # A degree is at most 111,320 m.
    moved = moved_deg * 111_320.0 > max(told.position.uncertainty_m, now.position.uncertainty_m)
    ended = told.state is not now.state and now.state is IncidentState.CLOSED
    return moved or ended or getattr(told.measure, "sound_class", None) != getattr(now.measure, "sound_class", None)


class AlertStore:
    """Reads what was told; from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def latest(self, since_us: int) -> list[Alert]:
        """The last that was told of each incident, if it was told since then; the newest first."""
        newest = select(alerts.c.incident, func.max(alerts.c.number).label("number")).group_by(alerts.c.incident).subquery()
        query = select(alerts).join(newest, (alerts.c.incident == newest.c.incident) & (alerts.c.number == newest.c.number))
        query = query.where(alerts.c.sent_us >= since_us).order_by(alerts.c.sent_us.desc(), alerts.c.incident)
        with self._database.read() as connection:
            return [_alert(row) for row in connection.execute(query)]

    def told(self, incident: uuid.UUID, number: int) -> list[Alert]:
        """An alert, last, and before it those of the same incident that it updates or cancels; empty if there is no such alert."""
        query = select(alerts).where(alerts.c.incident == str(incident), alerts.c.number <= number).order_by(alerts.c.number)
        with self._database.read() as connection:
            found = [_alert(row) for row in connection.execute(query)]
        if not found or found[-1].number != number:
            return []
        begun = max(at for at, alert in enumerate(found) if alert.kind is AlertKind.ALERT or at == 0)
        return found[begun:]


def _alert(row: Row[Any]) -> Alert:
    return Alert(uuid.UUID(row.incident), row.number, AlertKind(row.kind), to_datetime(row.sent_us / 1e6), parse_message(row.message))

"""What an operator sees and decides: the only door that a console has to the store."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from parvis_contract import (
    HUB,
    Envelope,
    EvidencePlate,
    IncidentState,
    RefusalReason,
    Site,
    UnitStatus,
    UnitTelemetry,
    Verdict,
    parse_message,
    to_datetime,
    to_posix_s,
    to_posix_us,
)
from sqlalchemy import ColumnElement, Row, func, select

from parvis_hub.governance import PROGRAMS, REASONS, DecisionReason, Head

from .alerts import AlertStore
from .bulk import among
from .commands import ALLOWLIST, Command, CommandStore
from .consents import ConsentStore
from .database import Database
from .lineage import read as read_moves
from .notices import Notice, Notices, Subscription
from .outcomes import Outcome, outcomes
from .past import Past, read_past
from .rows import living
from .schema import counters, decisions, events, gaps, incidents, members, plates, units
from .store import Store
from .tallies import Month, months, read_month
from .views import Counters, Decision, IncidentDetail, IncidentRow, UnitView, Where, WrongClock

#: A living unit sends telemetry about every half minute; three missed in a row are no accident of the network.
SILENT_AFTER_S = 90.0
#: A sound that several units hear is needed to find a clock wrong, and nothing says that one is right again: after so long it is old news.
CLOCK_NEWS_S = 86_400.0


class UnknownIncident(LookupError):
    """No incident has this id: it never had, or its retention has ended."""


class BadDecision(ValueError):
    """The reason is not one of the verdict's, the name is a program's, or the time has no zone; the message says which would do."""


class Desk:
    """Reads incidents and units, and takes decisions. Every method may be called from any thread.

    Attributes:
        changes: Tells of every change, for server-sent events; see :meth:`subscribe`.
    """

    def __init__(
        self,
        store: Store,
        site: Site,
        changes: Notices,
        *,
        silent_after_s: float = SILENT_AFTER_S,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._site = site
        self._silent_after_s = silent_after_s
        self._now = now
        self.changes = changes

    def subscribe(self, wake: Callable[[], None] | None = None) -> Subscription:
        """A queue of notices of what changes from now on; see :meth:`Notices.subscribe`."""
        return self.changes.subscribe(wake)

    # --- incidents ------------------------------------------------------------------------------------------------------------

    def incidents(
        self,
        *,
        state: IncidentState | None = None,
        verdict: Verdict | None = None,
        where: Where | None = None,
        limit: int = 200,
    ) -> list[IncidentRow]:
        """The incidents, the one observed last first.

        Args:
            state: Only those in this state.
            verdict: Only those with this verdict.
            where: Only those of these types, this unit, this time and this place.
            limit: At most so many.
        """
        query = select(incidents).where(incidents.c.superseded_by.is_(None))
        if state is not None:
            query = query.where(incidents.c.state == state.value)
        if verdict is not None:
            query = query.where(incidents.c.verdict == verdict.value)
        for condition in _conditions(where or Where()):
            query = query.where(condition)
        query = query.order_by(incidents.c.last_us.desc(), incidents.c.id.desc()).limit(limit)
        with self._store.database.read() as connection:
            return [_incident_row(row) for row in connection.execute(query)]

    def open_incidents(self) -> dict[tuple[str, Verdict], int]:
        """How many are open, by type and verdict."""
        query = select(incidents.c.type, incidents.c.verdict, func.count()).where(incidents.c.state == "open")
        query = query.where(incidents.c.superseded_by.is_(None)).group_by(incidents.c.type, incidents.c.verdict)
        with self._store.database.read() as connection:
            return {(name, Verdict(verdict)): count for name, verdict, count in connection.execute(query).all()}

    def incident(self, id: uuid.UUID) -> IncidentDetail | None:
        """An incident with what it rests on; of one that has become part of another, that other. None if there is none."""
        with self._store.database.read() as connection:
            row = living(connection, str(id))
            if row is None:
                return None
            incident = _incident_row(row)
            names = [str(event) for event in incident.message.data.events]
            said = among(connection, events.c.event, names, *events.c)
            shown = among(connection, plates.c.event, names, *plates.c)
            decided = among(connection, decisions.c.event, names, *decisions.c)
            moved = read_moves(connection, row.id)
        messages = sorted(
            (parse_message(row.message) for row in said), key=lambda message: (message.time, message.data.sequence, message.id)
        )
        return IncidentDetail(
            row=incident,
            events=tuple(messages),
            plates=tuple(parse_message(row.message) for row in sorted(shown, key=lambda row: (row.time_us, row.id))),
            decisions=tuple(_decision(row) for row in sorted(decided, key=lambda row: row.row)),
            moves=tuple(moved),
        )

    def past(self, since: datetime, until: datetime) -> Past:
        """What had come of the incidents that were open in a time that is over, for a replay of it.

        Raises:
            TooMuch: More than is gone through at once.
        """
        with self._store.database.read() as connection:
            return read_past(connection, *(to_posix_us(time) for time in (since, until)))

    def outcomes(self, type: str) -> dict[str, Outcome]:
        """What became of the incidents of a type, by unit; see :func:`parvis_hub.store.outcomes.outcomes`."""
        with self._store.database.read() as connection:
            return outcomes(connection, type)

    def decide(self, id: uuid.UUID, verdict: Verdict, reason: DecisionReason, by: str, at: datetime) -> IncidentRow:
        """Stores what a person decided; the incident is published again with it.

        Args:
            id: The incident; if it has become part of another, the decision is about that other.
            verdict: ``unconfirmed`` takes an earlier verdict back.
            reason: One of the verdict's in ``REASONS``.
            by: The operator's name, a Name of the contract.
            at: When, with its zone.

        Raises:
            UnknownIncident: There is none of this id.
            BadDecision: The reason is not one of the verdict's, ``by`` is a program's name, or ``at`` has no zone.
            pydantic.ValidationError: ``by`` is not a Name.
        """
        if reason not in REASONS[verdict]:
            raise BadDecision(f"{reason} is no reason for {verdict}; choose one of {', '.join(REASONS[verdict])}")
        if by in PROGRAMS:
            raise BadDecision(f"{by} stands for a program in the log of decisions; a person decides under a name of their own")
        if at.tzinfo is None:
            raise BadDecision("the time of a decision needs its zone")
        row = self._store.decide(str(id), Decision(verdict, reason, by, at.astimezone(UTC)))
        if row is None:
            raise UnknownIncident(f"no incident {id}")
        decided = _incident_row(row)
        self.changes.tell(Notice("incident", str(decided.message.data.incident)))
        return decided

    def plate(self, id: uuid.UUID, plate: uuid.UUID, by: str) -> Envelope[EvidencePlate] | None:
        """An evidence plate, the view of which has been recorded; None if this incident has none of this id.

        Args:
            id: The incident.
            plate: The id of the plate's message.
            by: Who looks: an operator's name, or ``console`` where none was given.

        Raises:
            BadDecision: ``by`` is the hub's own name.
            pydantic.ValidationError: ``by`` is not a Name.
        """
        if by == HUB:
            raise BadDecision(f"{by} stands for the program in the log; a person looks under a name of their own")
        detail = self.incident(id)
        for message in detail.plates if detail else ():
            if detail and message.id == plate:
                self._store.viewed(detail.row.message.data.incident, plate, by)
                return message
        return None

    def audit_head(self) -> Head | None:
        """Where the accountability log ends; None if its head is gone."""
        return self._store.audit_head()

    @property
    def database(self) -> Database:
        """The hub's."""
        return self._store.database

    @property
    def consents(self) -> ConsentStore:
        """The register of consents."""
        return self._store.consents

    @property
    def alerts(self) -> AlertStore:
        """What was told to others of confirmed incidents."""
        return AlertStore(self._store.database)

    def months(self) -> list[str]:
        """The months of which there are counts, the oldest first: ``2026-11``."""
        with self._store.database.read() as connection:
            return months(connection)

    def month(self, name: str) -> Month:
        """What was told and decided in a month; reads the whole accountability log.

        Raises:
            ValueError: It is not a month.
            parvis_hub.governance.LogBroken: An entry of the log cannot be read.
        """
        with self._store.database.read() as connection:
            return read_month(connection, name, self._site.timezone)

    # --- units and counters ---------------------------------------------------------------------------------------------------

    def units(self) -> list[UnitView]:
        """Every unit of the site plan, by name."""
        missing = select(gaps.c.unit, func.sum(gaps.c.last - gaps.c.first + 1).label("numbers")).group_by(gaps.c.unit)
        with self._store.database.read() as connection:
            known = {row.name: row for row in connection.execute(select(units))}
            gone: dict[str, int] = {row.unit: row.numbers for row in connection.execute(missing)}
        lists = {command.unit: command for command in CommandStore(self._store.database).all() if command.kind == ALLOWLIST}
        return [self._unit(name, known.get(name), int(gone.get(name, 0)), lists.get(name)) for name in sorted(self._site.units)]

    def _unit(self, name: str, row: Row[Any] | None, missing: int, allowlist: Command | None) -> UnitView:
        plan = self._site.units[name]
        status: UnitStatus | None = parse_message(row.status).data if row is not None and row.status else None
        telemetry: UnitTelemetry | None = parse_message(row.telemetry).data if row is not None and row.telemetry else None
        last_seen = to_datetime(row.last_seen_us / 1e6) if row is not None and row.last_seen_us is not None else None
        return UnitView(
            name=name,
            position=plan.position,
            senses=tuple(plan.senses),
            range_m=plan.range_m,
            state=status.state if status else None,
            reason=status.reason if status else None,
            camera=status.camera if status else None,
            microphone=status.microphone if status else None,
            software=status.software if status else None,
            telemetry=telemetry,
            last_seen=last_seen,
            silent=last_seen is None or to_posix_s(self._now()) - to_posix_s(last_seen) > self._silent_after_s,
            missing=missing,
            allowlist=allowlist,
            wrong_clock=self._wrong_clock(row),
        )

    def _wrong_clock(self, row: Row[Any] | None) -> WrongClock | None:
        if row is None or row.clock_found_us is None or to_posix_s(self._now()) - row.clock_found_us / 1e6 > CLOCK_NEWS_S:
            return None
        return WrongClock(row.clock_off_s, to_datetime(row.clock_found_us / 1e6))

    def counters(self) -> Counters:
        """What has passed through the gate."""
        with self._store.database.read() as connection:
            values: dict[str, int] = {row.name: row.value for row in connection.execute(select(counters))}
        return Counters(
            received=values.get("received", 0),
            refused={reason: values[f"refused.{reason}"] for reason in RefusalReason if f"refused.{reason}" in values},
            duplicates=values.get("duplicates", 0),
            too_late=values.get("too_late", 0),
            stored=values.get("stored", 0),
            not_announced=values.get("not_announced", 0),
            not_enrolled=values.get("not_enrolled", 0),
        )

    def too_late(self, *, limit: int = 200) -> list[Envelope[Any]]:
        """The events that came too late to be part of an incident, the last received first."""
        query = select(events.c.message).where(events.c.too_late).order_by(events.c.row.desc()).limit(limit)
        with self._store.database.read() as connection:
            return [parse_message(row.message) for row in connection.execute(query)]


def _conditions(where: Where) -> Iterator[ColumnElement[bool]]:
    if where.types:
        yield incidents.c.type.in_(where.types)
    if where.unit is not None:
        of_unit = select(members.c.incident).join(events, events.c.event == members.c.event).where(events.c.unit == where.unit)
        yield incidents.c.id.in_(of_unit)
    if where.since is not None:
        yield incidents.c.last_us >= to_posix_us(where.since)
    if where.until is not None:
        yield incidents.c.first_us < to_posix_us(where.until)
    if where.bbox is not None:
        west, south, east, north = where.bbox
        yield incidents.c.lon.between(west, east) & incidents.c.lat.between(south, north)


def _incident_row(row: Row[Any]) -> IncidentRow:
    return IncidentRow(message=parse_message(row.message), revision=row.revision)


def _decision(row: Row[Any]) -> Decision:
    return Decision(Verdict(row.verdict), DecisionReason(row.reason), row.by, to_datetime(row.at_us / 1e6))

"""Rollouts in the store, and what the store knows of their units; each act is written with its entry in the accountability log."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from parvis_contract import CommandRefusal, UnitState, UnitStatus, UnitTelemetry, ailments, parse_message
from sqlalchemy import Connection, delete, func, insert, select, update

from parvis_hub.governance import RolloutAct, RolloutChanged, append
from parvis_hub.store import Database
from parvis_hub.store.desk import SILENT_AFTER_S
from parvis_hub.store.schema import commands, events, rollouts, unit_hours, units

from .decide import Step, UnitNow
from .rates import DAYS, HOUR_US, UnitHour
from .rings import NotStarted
from .state import UNDER_WAY, ReleaseTarget, Rollout

#: Hours older than this are compared with nothing any more.
_HOURS_KEPT = (DAYS + 2) * 24


class UnknownRollout(LookupError):
    """There is no such rollout."""


class RolloutShelf:
    """The rollouts of one hub.

    Args:
        database: The hub's.
        now_us: Microseconds since 1970 in UTC.
    """

    def __init__(self, database: Database, now_us: Callable[[], int]) -> None:
        self._database, self._now_us = database, now_us

    def all(self) -> list[Rollout]:
        """Every rollout, the last started first."""
        with self._database.read() as connection:
            return [_rollout(row.state) for row in connection.execute(select(rollouts).order_by(rollouts.c.started_us.desc()))]

    def one(self, id: str | None = None) -> Rollout:
        """The rollout whose id begins so; None: the last that was started.

        Raises:
            UnknownRollout: There is none, or more than one.
        """
        found = [rollout for rollout in self.all() if id is None or str(rollout.id).startswith(id)]
        if not found or (id is not None and len(found) > 1):
            raise UnknownRollout(
                f"{len(found)} rollouts begin with {id}" if id else "there is no rollout; `parvis-hub rollout start` begins one"
            )
        return found[0]

    def start(self, rollout: Rollout, by: str) -> None:
        """Keeps a new rollout; the hub that runs on this store does it.

        Raises:
            NotStarted: Another of its kind is under way.
            pydantic.ValidationError: `by` is not a Name.
        """
        with self._database.write() as connection:
            for other in self._latest(connection):
                if other.target.kind == rollout.target.kind and other.phase in UNDER_WAY:
                    raise NotStarted(f"{other.target} is {other.phase} (rollout {other.id}): let it end, or roll it back, first")
            row = {"id": str(rollout.id), "kind": rollout.target.kind, "started_us": rollout.started_us}
            connection.execute(insert(rollouts).values(**row, phase=rollout.phase.value, state=rollout.model_dump_json()))
            self._record(connection, rollout, RolloutAct.STARTED, by)

    def change(self, id: uuid.UUID, act: Callable[[Rollout], Step], by: str) -> Rollout:
        """Does something with a rollout as it stands at this moment, and records it.

        Raises:
            UnknownRollout: There is none.
            NotPossible: `act` says so.
            pydantic.ValidationError: `by` is not a Name.
        """
        with self.changing() as connection:
            row = connection.execute(select(rollouts.c.state).where(rollouts.c.id == str(id))).scalar_one_or_none()
            if row is None:
                raise UnknownRollout(f"no rollout {id}")
            step = act(_rollout(row))
            self.keep(connection, step, by)
            return step.rollout

    # --- for the keeper, in one transaction -----------------------------------------------------------------------------------

    @contextmanager
    def changing(self) -> Iterator[Connection]:
        """A transaction in which rollouts are changed."""
        with self._database.write() as connection:
            yield connection

    @staticmethod
    def _latest(connection: Connection) -> list[Rollout]:
        """The last of each kind: the one that is done, or that catches up units."""
        latest: dict[str, Rollout] = {}
        for row in connection.execute(select(rollouts).order_by(rollouts.c.started_us)):
            latest[row.kind] = _rollout(row.state)
        return list(latest.values())

    def latest(self, connection: Connection) -> list[Rollout]:
        """The last rollout of each kind."""
        return self._latest(connection)

    def keep(self, connection: Connection, step: Step, by: str) -> None:
        """Puts a rollout's new state in place, with what has happened in the accountability log."""
        rollout = step.rollout
        where = rollouts.c.id == str(rollout.id)
        connection.execute(update(rollouts).where(where).values(phase=rollout.phase.value, state=rollout.model_dump_json()))
        for act in step.acts:
            self._record(connection, rollout, act, by)

    def _record(self, connection: Connection, rollout: Rollout, act: RolloutAct, by: str) -> None:
        aim = rollout.aim
        model = aim.model if isinstance(aim, ReleaseTarget) else None
        entry = RolloutChanged(rollout=rollout.id, act=act, sha256=aim.sha256, model=model, ring=rollout.ring)
        append(connection, self._now_us(), by, entry)

    def now(self, connection: Connection, kind: str) -> dict[str, UnitNow]:
        """The last that is known of each unit, and of its command of this kind."""
        given = {row.unit: row for row in connection.execute(select(commands).where(commands.c.kind == f"command.{kind}"))}
        known = {}
        for row in connection.execute(select(units)):
            status: UnitStatus | None = parse_message(row.status).data if row.status else None
            telemetry: UnitTelemetry | None = parse_message(row.telemetry).data if row.telemetry else None
            heard = row.last_seen_us is not None and self._now_us() - row.last_seen_us < SILENT_AFTER_S * 1e6
            gone = status is None or status.state in {UnitState.LOST, UnitState.STOPPED}
            command = given.get(row.name)
            times_ms = (telemetry.vision_inference_ms, telemetry.hearing_inference_ms) if telemetry else ()
            known[row.name] = UnitNow(
                present=heard and not gone,
                state=status.state if status else None,
                ails=ailments(status) if status else frozenset(),
                versions={model.name: model.version for model in status.models} if status else {},
                counter=command.counter if command else None,
                acknowledged=command is not None and command.acknowledged_us is not None,
                refused=CommandRefusal(command.refused) if command and command.refused else None,
                inference_ms=max((each for each in times_ms if each is not None), default=None),
            )
        return known

    def note_hours(self, connection: Connection, present: list[str], seconds: float) -> None:
        """These units were there for so long until now; forgets what is old."""
        hour = self._now_us() // HOUR_US
        for unit in present:
            where = (unit_hours.c.unit == unit) & (unit_hours.c.hour == hour)
            if not connection.execute(update(unit_hours).where(where).values(seen_s=unit_hours.c.seen_s + seconds)).rowcount:
                connection.execute(insert(unit_hours).values(unit=unit, hour=hour, seen_s=seconds))
        connection.execute(delete(unit_hours).where(unit_hours.c.hour < hour - _HOURS_KEPT))

    def hours(self, connection: Connection) -> list[UnitHour]:
        """For how long each unit was there in each hour, and how many events of each type began then; none of days to come.

        A clock that was ahead once has left such.
        """
        hour, last = events.c.time_us // HOUR_US, self._now_us() // HOUR_US
        begun = select(events.c.unit, events.c.type, hour.label("hour"), func.count().label("count")).where(
            events.c.id == events.c.event, events.c.time_us >= (last - _HOURS_KEPT) * HOUR_US
        )
        counts: dict[tuple[str, int], dict[str, int]] = {}
        for row in connection.execute(begun.group_by(events.c.unit, events.c.type, hour)):
            counts.setdefault((row.unit, int(row.hour)), {})[row.type] = row._mapping["count"]  # noqa: SLF001 - `count` is a method of a row
        there = connection.execute(select(unit_hours).where(unit_hours.c.hour.between(last - _HOURS_KEPT, last)))
        return [UnitHour(row.unit, row.hour, row.seen_s, counts.get((row.unit, row.hour), {})) for row in there]


def _rollout(state: str) -> Rollout:
    return Rollout.model_validate_json(state)

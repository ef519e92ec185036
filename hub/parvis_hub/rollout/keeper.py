"""Does what rollouts decide: asks units, in signed commands, and keeps what has come of it."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from parvis_contract import HUB, ConfigCommand, ReleaseCommand, Site, to_datetime
from parvis_contract.signing import SigningKey
from sqlalchemy import Connection

from parvis_hub.store import Database
from parvis_hub.store.commands import Order, issue

from .decide import LASTING_US, Step, at_rest, looks_due, sent, step
from .rates import find_jump
from .shelf import RolloutShelf
from .state import ReleaseTarget, Rollout

#: Rollouts are looked at so often.
LOOK_S = 5.0
#: For how long units were there is noted so often.
_NOTE_S = 60.0

log = structlog.get_logger("parvis.hub.rollout")


class RolloutKeeper:
    """Between rollouts and commands; for one thread.

    Args:
        site: The site plan.
        database: The hub's.
        key: With which commands are signed; without one, no unit is asked.
        now_us: Microseconds since 1970 in UTC.
    """

    def __init__(self, site: Site, database: Database, key: SigningKey | None, now_us: Callable[[], int]) -> None:
        self._site, self._key, self._now_us = site, key, now_us
        self.shelf = RolloutShelf(database, now_us)
        self._noted_s: float | None = None
        self._keyless = False

    def turn(self) -> None:
        """Does what is to be done now.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: The store cannot be used; nothing has changed, call again.
        """
        with self.shelf.changing() as connection:
            self._note(connection)
            for rollout in self.shelf.latest(connection):
                if not at_rest(rollout):
                    self._further(connection, rollout)

    def _note(self, connection: Connection) -> None:
        now_s = time.monotonic()
        if self._noted_s is None or now_s - self._noted_s >= _NOTE_S:
            seconds, self._noted_s = 0.0 if self._noted_s is None else min(now_s - self._noted_s, 2 * _NOTE_S), now_s
            present = [name for name, unit in self.shelf.now(connection, "release").items() if unit.present]
            self.shelf.note_hours(connection, present, seconds)

    def _further(self, connection: Connection, rollout: Rollout) -> None:
        if self._key is None or self._key.public_key not in self._site.hub_keys:
            if not self._keyless:
                log.warning("a rollout waits: this hub has no --signing-key that the site plan's `hub_keys` has", rollout=str(rollout.id))
            self._keyless = True
            return
        now_us = self._now_us()
        units = self.shelf.now(connection, rollout.target.kind)
        jump = None
        if looks_due(rollout, now_us) > rollout.looks:
            taken = {unit: member.taken_us for unit, member in rollout.members.items() if member.taken_us is not None}
            jump = find_jump(self.shelf.hours(connection), taken, rollout.rings[rollout.ring].units, len(rollout.rings))
        done = step(rollout, units, now_us, jump)
        after = done.rollout
        for unit in done.send:
            after = sent(after, unit, self._ask(connection, self._key, after, unit, now_us), units[unit], now_us)
        if after == rollout:
            return
        self.shelf.keep(connection, Step(after, acts=done.acts), HUB)
        for act in done.acts:
            level = log.error if after.halt is not None else log.info
            level("a rollout", act=act.value, what=str(after.target), ring=after.ring, rollout=str(after.id))

    def _ask(self, connection: Connection, key: SigningKey, rollout: Rollout, unit: str, now_us: int) -> int:
        aim = rollout.aim
        if isinstance(aim, ReleaseTarget):
            order = Order(unit, ReleaseCommand, {"model": aim.model, "sha256": aim.sha256})
        else:
            order = Order(unit, ConfigCommand, {"site_plan_sha256": aim.sha256})
        until = to_datetime((now_us + LASTING_US) / 1e6)
        command = issue(connection, self._site, key, order, until=until, now=to_datetime(now_us / 1e6))
        log.info("a unit is asked", unit=unit, what=str(aim), counter=command.counter, rollout=str(rollout.id))
        return command.counter

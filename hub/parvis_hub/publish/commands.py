"""Says each command to its unit until the unit's status acknowledges it: MQTT's own word ends at the broker, and a unit may be away."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Mapping

import structlog
from parvis_contract import UnitState, command_topic, format_time, parse_message

from parvis_hub.intake import Broker
from parvis_hub.store import CommandStore, Seen

#: Commands are looked for so often.
LOOK_S = 1.0
#: One is said again after so long; if its unit has just said how it is, and so was perhaps not there before, sooner.
AGAIN_S, AGAIN_HEARD_S = 60.0, 2.0
#: Expired ones are forgotten so often.
FORGET_S = 600.0

log = structlog.get_logger("parvis.hub.commands")


class CommandSender:
    """Between store and broker; for one thread.

    Args:
        site: The site's name.
        store: Where commands are.
        broker: Whom to give them to.
        now_us: Microseconds since 1970.
    """

    def __init__(self, site: str, store: CommandStore, broker: Broker, now_us: Callable[[], int]) -> None:
        self._site, self._store, self._broker, self._now_us = site, store, broker, now_us
        #: When each was last said, by unit, type and counter.
        self._said_s: dict[tuple[str, str, int], float] = {}
        self._look_s = self._forget_s = 0.0

    def turn(self, units: Mapping[str, Seen]) -> list[str]:
        """Takes note of what units acknowledge, and says what they have not.

        Args:
            units: What has just been heard of each.

        Returns:
            The units of whose commands something new is known.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: The store cannot be used; call again with the same.
        """
        changed = []
        heard = {name: parse_message(seen.status).data for name, seen in units.items() if seen.status is not None}
        for name, status in heard.items():
            if status.state is UnitState.LOST:
                continue
            for command in self._store.heard(name, status, self._now_us()):
                changed.append(name)
                about = {"unit": name, "command": command.kind, "counter": command.counter, "until": format_time(command.expires)}
                if command.refused:
                    log.warning("a unit refuses a command", reason=command.refused, **about)
                elif command.acknowledged:
                    log.info("a unit has taken a command", **about)
        now_s = time.monotonic()
        if self._broker.connected.is_set() and (heard or now_s - self._look_s >= LOOK_S):
            self._look_s = now_s
            self._say(now_s, heard)
        if now_s - self._forget_s >= FORGET_S:
            self._forget_s = now_s
            self._store.forget(self._now_us())
        return changed

    def _say(self, now_s: float, heard: Container[str]) -> None:
        waiting = self._store.unacknowledged(self._now_us())
        keys = {(command.unit, command.kind, command.counter): command for command in waiting}
        self._said_s = {key: said_s for key, said_s in self._said_s.items() if key in keys}
        for key, command in keys.items():
            if now_s - self._said_s.get(key, -AGAIN_S) >= (AGAIN_HEARD_S if command.unit in heard else AGAIN_S):
                self._said_s[key] = now_s
                self._broker.publish(command_topic(self._site, command.unit), command.message)

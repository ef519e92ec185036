"""How a unit is, beside its senses and its way to the hub: its clock, its heat, and whether its threads go on."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Protocol

import structlog
from parvis_contract import Clock, StatusReason

from .capture.timeline import WallClock
from .delivery.clock import UNKEPT, read_clock
from .delivery.health import temperature_c
from .delivery.report import OVERHEATED_C
from .heartbeat import Heartbeat
from .supervisor import Supervisor

#: A step of the clock, or a message given up, is reported for so long: it can be read, and recovery is to be seen within 10 s.
REPORTED_S = 6.0
#: Cooler than the limit by this, it is no longer too hot: a temperature about the limit is one fault, not many.
_COOLER_C = 3.0
#: Asking the kernel how well the clock is kept costs little, but nothing changes faster.
_CLOCK_S = 5.0

_log = structlog.get_logger()


class Beating(Protocol):
    """A thread of the unit."""

    name: str
    heartbeat: Heartbeat

    def is_alive(self) -> bool:
        """Whether it runs."""


class Condition:
    """What a unit knows of its own machine.

    Args:
        clock: What its times are worth now.
        live: Whether that follows the machine's clock; the times of recordings do not.
        supervisor: Who is told that the unit lives.

    Attributes:
        clock: What its times are worth.
        wall: Monotonic time to the time of day.
    """

    def __init__(self, clock: Clock, *, live: bool, supervisor: Supervisor) -> None:
        self.clock = clock
        self.wall = WallClock(time.time(), time.monotonic())
        self._live, self._supervisor = live, supervisor
        self._asked_s, self._steps, self._step_s = 0.0, 0, float("-inf")
        self._hot = False
        self._hanging: list[str] = []

    def look(self) -> None:
        """Looks at the clock."""
        now_s = time.monotonic()
        if self._live and now_s - self._asked_s > _CLOCK_S:
            self._asked_s = now_s
            self.clock = read_clock()
        # Both clocks at one moment: on a machine that is busy, half a second passes between two lines.
        self.wall.update(time.time(), time.monotonic())
        if self.wall.steps > self._steps:
            self._steps, self._step_s = self.wall.steps, now_s
            _log.warning("the clock was set", steps=self._steps)

    def wrong(self) -> list[StatusReason]:
        """What is wrong with it, the worst first."""
        self._hot = (temperature_c() or 0.0) > OVERHEATED_C - (_COOLER_C if self._hot else 0.0)
        wrong = {
            StatusReason.CLOCK_JUMPED: time.monotonic() - self._step_s < REPORTED_S,
            StatusReason.OVERHEATED: self._hot,
            StatusReason.CLOCK_UNSYNCHRONISED: self.clock == UNKEPT,
        }
        return [reason for reason, is_so in wrong.items() if is_so]

    def live(self, threads: Iterable[Beating]) -> None:
        """Says that the unit lives, unless one of its threads hangs: then it has to be restarted."""
        patience_s, now_s = self._supervisor.patience_s, time.monotonic()
        if patience_s is None:
            return
        hanging = [each.name for each in threads if each.is_alive() and each.heartbeat.hangs(now_s, patience_s)]
        if hanging != self._hanging:
            self._hanging = hanging
            _log.error("a thread hangs; the unit says no more that it lives", threads=hanging)
        if not hanging:
            self._supervisor.alive(now_s)

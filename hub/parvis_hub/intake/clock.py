"""What time it is for a hub: by the machine's clock where nothing speaks against it, and by its events."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

#: A clock that is found behind by more than this was not set back, but had been wrong before and is right now.
BELIEVED_BACK_US = 86_400_000_000
#: A clock that goes ahead by more than this at once was set, rightly or wrongly: what has expired by it would be deleted for good.
LEAP_US = 600_000_000
#: So many units say which is right, or as many as there are.
_WITNESSES = 3


def _since_start_ns() -> int:
    """Time since the machine started, and on Linux also what it slept: waking up is no leap."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic_ns()


class SteadyClock:
    """The wall clock; but where it is set back or leaps ahead, this one goes on.

    A clock that is an hour slow would refuse what is true as too early; one that is a year fast would delete what is kept for a month.
    A leap is believed when units say the same, or when the hub starts again.
    """

    def __init__(self, wall_ns: Callable[[], int] = time.time_ns, passed_ns: Callable[[], int] = _since_start_ns, units: int = 1) -> None:
        """Args: the machine's clocks; and how many units there are to ask."""
        self._wall_ns, self._passed_ns = wall_ns, passed_ns
        self._at_ns = wall_ns(), passed_ns()
        self._witnesses = min(_WITNESSES, units)
        #: By unit, whether it says the wall's time, since that leapt.
        self._says_wall: dict[str, bool] = {}

    def now_us(self) -> int:
        """Microseconds since 1970."""
        wall_ns, passed_ns = self._wall_ns(), self._passed_ns()
        now_ns = self._at_ns[0] + passed_ns - self._at_ns[1]
        if wall_ns <= now_ns + LEAP_US * 1000:
            now_ns = max(now_ns, wall_ns)
        self._at_ns = now_ns, passed_ns
        return now_ns // 1000

    def go_on_from(self, time_us: int) -> None:
        """Takes note of a time that an earlier run of the hub has seen: the wall may have been set back between the two."""
        now_us = self.now_us()
        if now_us < time_us <= now_us + BELIEVED_BACK_US:
            self._at_ns = time_us * 1000, self._at_ns[1]

    def off_us(self) -> int:
        """By how much the wall is ahead of this clock; below zero where it is behind."""
        now_us = self.now_us()
        return self._wall_ns() // 1000 - now_us

    def latest_us(self) -> int:
        """The latest time that it may be: the wall's, should that turn out to be right."""
        return max(self.now_us(), self._wall_ns() // 1000)

    def hear(self, said_us: Mapping[str, int]) -> None:
        """Takes note of what time units have said it is: where the wall is in doubt, most of them decide.

        Args:
            said_us: By unit, microseconds since 1970.
        """
        now_us, wall_us = self.now_us(), self._wall_ns() // 1000
        if wall_us <= now_us + LEAP_US:
            self._says_wall.clear()
            return
        self._says_wall |= {unit: abs(time_us - wall_us) < abs(time_us - now_us) for unit, time_us in said_us.items()}
        if len(self._says_wall) >= self._witnesses and 2 * sum(self._says_wall.values()) > len(self._says_wall):
            self._at_ns = wall_us * 1000, self._at_ns[1]


class EventClock:
    """Goes on when units fall silent, so that what has ended is closed. It never goes back.

    It follows the events and not the wall, so that recorded material is judged by its own time.
    """

    def __init__(self, newest_us: int | None = None, received_us: int | None = None) -> None:
        """Args: the newest event's time, and when it came; None before the first."""
        self._newest_us = newest_us
        self._received_us = received_us
        self._reached_us = newest_us

    def see(self, time_us: int, received_us: int) -> None:
        """Takes note of an event: it sets the clock forward if it is ahead of it, but not beyond the wall's: a unit's clock may be fast."""
        time_us = min(time_us, received_us)
        reached_us = self.at(received_us)
        if reached_us is None or time_us > reached_us:
            self._newest_us, self._received_us = time_us, received_us

    def at(self, wall_us: int) -> int | None:
        """The event time at this wall time; None before the first event."""
        if self._newest_us is None or self._received_us is None:
            return None
        reached_us = self._newest_us + max(0, wall_us - self._received_us)
        self._reached_us = max(reached_us, self._reached_us or reached_us)
        return self._reached_us

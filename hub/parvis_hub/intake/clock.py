"""The event time that a site has reached: that of its newest event, and from there on with the wall clock."""

from __future__ import annotations

import time
from collections.abc import Callable

#: A clock that is found behind by more than this was not set back, but had been wrong before and is right now.
BELIEVED_BACK_US = 86_400_000_000


class SteadyClock:
    """The wall clock, but where it is set back this one goes on: a clock that is an hour slow would refuse what is true as too early."""

    def __init__(self, wall_ns: Callable[[], int] = time.time_ns, monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        """Args: the machine's clocks."""
        self._wall_ns, self._monotonic_ns = wall_ns, monotonic_ns
        self._at_ns = wall_ns(), monotonic_ns()

    def now_us(self) -> int:
        """Microseconds since 1970."""
        wall_ns, monotonic_ns = self._wall_ns(), self._monotonic_ns()
        now_ns = max(wall_ns, self._at_ns[0] + monotonic_ns - self._at_ns[1])
        self._at_ns = now_ns, monotonic_ns
        return now_ns // 1000

    def go_on_from(self, time_us: int) -> None:
        """Takes note of a time that an earlier run of the hub has seen: the wall may have been set back between the two."""
        now_us = self.now_us()
        if now_us < time_us <= now_us + BELIEVED_BACK_US:
            self._at_ns = time_us * 1000, self._at_ns[1]

    def behind_us(self) -> int:
        """By how much the wall is behind this clock."""
        return max(0, self.now_us() - self._wall_ns() // 1000)


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

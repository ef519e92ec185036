"""How much a hub has to do and to hold: whether it keeps up, and for how many events there is room in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

#: What an event weighs that is in mind, with its share of the incident that it is part of: 9 to 16 kB were measured.
EVENT_BYTES = 16_000
#: Half of the machine is the broker's, the database's and the system's.
_SHARE = 0.5
#: A hub for which a whole batch has waited for so long is behind. What came while it was away for a moment takes less.
BEHIND_US = 10_000_000
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def room_for_events(limits: Iterable[Path] = _LIMITS) -> int:
    """For how many events there is room in mind, in half of the memory that this machine has, or that this container may use.

    Args:
        limits: Files of which each says a number of bytes, or something else where there is no limit.
    """
    bytes_ = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for file in limits:
        with suppress(OSError, ValueError):
            bytes_ = min(bytes_, int(file.read_text(encoding="ascii")))
    return int(bytes_ * _SHARE / EVENT_BYTES)


class Backlog:
    """Knows since when messages have come faster than they are dealt with."""

    def __init__(self) -> None:
        self._since_us: int | None = None

    def turn(self, now_us: int, *, more: bool) -> int | None:
        """Takes note of a batch.

        Args:
            now_us: Microseconds since 1970.
            more: Another whole batch waits already.

        Returns:
            Since when the hub is behind; None if it is not.
        """
        if not more:
            self._since_us = None
            return None
        if self._since_us is None:
            self._since_us = now_us
        return self._since_us if now_us - self._since_us >= BEHIND_US else None

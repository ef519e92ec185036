"""How long to wait before trying again. Pure but for the chance that it is given."""

from __future__ import annotations

from collections.abc import Callable


class Backoff:
    """Delays that double up to a limit, each shortened by chance to between a half and the whole of it.

    The chance keeps the units of a site, which all lost the broker at one moment, from coming back at one moment.

    Args:
        first_s: The first delay.
        most_s: No delay is longer.
        chance: Gives a number in [0, 1).
    """

    def __init__(self, first_s: float, most_s: float, chance: Callable[[], float]) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._chance = chance
        self._tries = 0

    def next_s(self) -> float:
        """The delay before the next try, in seconds."""
        whole_s = min(self._most_s, self._first_s * 2.0 ** min(self._tries, 60))
        self._tries += 1
        return whole_s * (0.5 + 0.5 * self._chance())

    def reset(self) -> None:
        """The last try succeeded."""
        self._tries = 0

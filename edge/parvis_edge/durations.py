"""How long something took, many times: how often at most so long. Written by one thread, read by others."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

#: Upper bounds in seconds: from a tenth of what a frame takes on a small computer to the time after which a stream stalls.
BOUNDS_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Durations:
    """Counts, by upper bound."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self._sum_s = 0.0

    def add(self, took_s: float) -> None:
        """It took so long."""
        self._counts[bisect_left(BOUNDS_S, took_s)] += 1
        self._sum_s += took_s

    def cumulated(self) -> tuple[list[tuple[str, int]], float]:
        """How many took at most so long, by bound; and all together, in seconds."""
        bounds = [*(f"{bound_s:g}" for bound_s in BOUNDS_S), "+Inf"]
        return list(zip(bounds, accumulate(self._counts), strict=True)), self._sum_s

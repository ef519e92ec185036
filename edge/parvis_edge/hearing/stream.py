"""A continuous stretch of sound: its samples of the last seconds, and when each was taken."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


class Stretch:
    """Keeps the last seconds of a stream without gaps, and forgets the rest.

    Each block brings its own time, so that a sound card whose clock drifts against UTC is followed block by block.

    Args:
        rate_hz: Samples per second.
        keep_s: How much is kept.

    Attributes:
        first: Index of the oldest sample kept, counted from the start of the stream.
        end: Index after the newest.
    """

    def __init__(self, rate_hz: int, keep_s: float) -> None:
        self.rate_hz = rate_hz
        self.first = 0
        self.end = 0
        self._keep = round(keep_s * rate_hz)
        self._samples: Floats = np.empty(0, np.float32)
        self._times: deque[tuple[int, float]] = deque()

    def push(self, time_s: float, samples: Floats) -> None:
        """Adds samples, the first of them taken at ``time_s``."""
        self._times.append((self.end, time_s))
        self._samples = np.concatenate([self._samples, samples])
        self.end += samples.size
        surplus = max(0, self._samples.size - self._keep)
        self._samples = self._samples[surplus:]
        self.first += surplus
        while len(self._times) > 1 and self._times[1][0] <= self.first:
            self._times.popleft()

    def time_s(self, index: float) -> float:
        """When a sample was taken; between samples, and a little beyond the end, by proportion."""
        begin, time_s = next((entry for entry in reversed(self._times) if entry[0] <= index), self._times[0])
        return time_s + (index - begin) / self.rate_hz

    def cut(self, begin: int, end: int) -> Floats:
        """Samples ``begin`` to ``end``, as far as they are kept."""
        return self._samples[max(0, begin - self.first) : max(0, end - self.first)]


class Rechunker:
    """Cuts blocks of any size into equal ones, so that what is heard does not depend on how the sound was delivered.

    Args:
        rate_hz: Samples per second.
        chunk_s: Length of an equal block.
    """

    def __init__(self, rate_hz: int, chunk_s: float) -> None:
        self._size = max(1, round(rate_hz * chunk_s))
        self._rate_hz = rate_hz
        self._samples: Floats = np.empty(0, np.float32)
        self._time_s = 0.0

    def push(self, time_s: float, samples: Floats) -> list[tuple[float, Floats]]:
        """Adds a block; gives the equal blocks that are complete, each with the time of its first sample."""
        # What waits is older than the new block's first sample by what waits.
        begin_s = time_s - self._samples.size / self._rate_hz
        joined = np.concatenate([self._samples, samples.astype(np.float32, copy=False)])
        whole = joined.size // self._size
        self._samples = joined[whole * self._size :].copy()
        self._time_s = begin_s + whole * self._size / self._rate_hz
        return [(begin_s + n * self._size / self._rate_hz, joined[n * self._size : (n + 1) * self._size]) for n in range(whole)]

    def finish(self) -> list[tuple[float, Floats]]:
        """The rest, shorter than the others."""
        rest, self._samples = self._samples, np.empty(0, np.float32)
        return [(self._time_s, rest)] if rest.size else []

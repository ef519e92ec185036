"""From a source's own time stamps to UTC. Pure: what the clock said comes in as an argument."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

#: Gives the time of an item from its stamp in seconds, None where it has none.
TimeOf = Callable[[float | None], float]

#: Two items never have the same time: what is late or doubled follows its predecessor by this.
TICK_S = 1e-6


class FileTimeline:
    """Times of a recording: its stamps, counted from the moment at which it begins.

    A stamp that is missing follows its predecessor by one nominal period. One that goes back a little (pictures stored out of
    order) is held; one that goes back far, or leaps ahead by more than an hour, is a broken or restarted counter: the times go
    on one period after the last, and later stamps count from there.

    Args:
        start_s: POSIX seconds at which the recording begins.
        origin_s: The stamp of that moment.
        period_s: Nominal distance of two items.
    """

    BACK_S = 1.0
    AHEAD_S = 3_600.0

    def __init__(self, start_s: float, origin_s: float = 0.0, period_s: float = 0.04) -> None:
        self._start_s = start_s
        self._origin_s = origin_s
        self._period_s = period_s
        self._last_s: float | None = None

    def time_s(self, stamp_s: float | None) -> float:
        """The UTC time, POSIX seconds, of the next item; later than every one before it."""
        last_s = self._last_s
        if stamp_s is None:
            time_s = self._start_s if last_s is None else last_s + self._period_s
        else:
            time_s = self._start_s + (stamp_s - self._origin_s)
            if last_s is not None:
                if not last_s - self.BACK_S <= time_s <= last_s + self.AHEAD_S:
                    time_s = last_s + self._period_s
                    self._origin_s = stamp_s - (time_s - self._start_s)
                time_s = max(time_s, last_s + TICK_S)
        self._last_s = time_s
        return time_s


class LiveTimeline:
    """Times of a live stream: its stamps, anchored to the moments at which they arrived.

    A network can delay but not hasten: arrival minus stamp is a constant plus a jitter that is never negative, so its lower
    envelope is the constant, and a late packet does not move a time. The envelope is the minimum over a sliding minute: two
    quartz clocks differ by at most 100 ppm, so it lags behind their drift by at most 6 ms. What cannot be seen from here is
    the constant delay inside the camera (exposure, coding) and the network's smallest one; times are late by their sum.
    """

    BUCKET_S = 5.0
    BUCKETS = 12
    #: A counter that goes back this far was restarted.
    BACK_S = 1.0
    #: No network holds a stream's packet longer: the counter itself has slipped.
    LATE_S = 30.0

    def __init__(self) -> None:
        self._minima: deque[tuple[float, float]] = deque(maxlen=self.BUCKETS)
        self._last_stamp_s: float | None = None
        self._last_s: float | None = None

    def time_s(self, stamp_s: float | None, arrival_s: float) -> float:
        """The time of the next item, on the clock that ``arrival_s`` was read from.

        Args:
            stamp_s: The source's own stamp; None where it has none.
            arrival_s: When it arrived.
        """
        if stamp_s is None:
            time_s = arrival_s
        else:
            delay_s = arrival_s - stamp_s
            slipped = self._minima and delay_s - self._offset_s() > self.LATE_S
            if slipped or (self._last_stamp_s is not None and stamp_s < self._last_stamp_s - self.BACK_S):
                self._minima.clear()
            self._note(delay_s, arrival_s)
            self._last_stamp_s = stamp_s
            time_s = stamp_s + self._offset_s()
        if self._last_s is not None:
            time_s = max(time_s, self._last_s + TICK_S)
        self._last_s = time_s
        return time_s

    def restart(self) -> None:
        """Forgets the anchor: samples were lost, and the stamps after them mean other moments."""
        self._minima.clear()
        self._last_stamp_s = None

    def _offset_s(self) -> float:
        return min(minimum for _, minimum in self._minima)

    def _note(self, delay_s: float, arrival_s: float) -> None:
        if not self._minima or arrival_s - self._minima[-1][0] >= self.BUCKET_S:
            self._minima.append((arrival_s, delay_s))
        else:
            begun_s, least_s = self._minima[-1]
            self._minima[-1] = (begun_s, min(least_s, delay_s))


class WallClock:
    """UTC by a clock that runs evenly, with every step of the system's clock noticed.

    Arrivals are read from the monotonic clock; its distance to UTC is looked at again each time. A change of more than
    :attr:`STEP_S` is a step (a clock that was set), and counted; smaller ones are the slow correction of a kept clock.
    """

    #: NTP clients step the clock beyond 128 ms (RFC 5905, STEPT) and slew it below.
    STEP_S = 0.128

    def __init__(self, utc_s: float, monotonic_s: float) -> None:
        self.offset_s = utc_s - monotonic_s
        self.steps = 0

    def update(self, utc_s: float, monotonic_s: float) -> float:
        """Takes both clocks' present reading; gives what to add to the monotonic one."""
        offset_s = utc_s - monotonic_s
        if abs(offset_s - self.offset_s) > self.STEP_S:
            self.steps += 1
        self.offset_s = offset_s
        return offset_s


class SampleClock:
    """Times of blocks of sound: samples counted, held to the stamps.

    A stamp is coarser than a sample (a Matroska file's is a millisecond, a stream's jitters), so the count leads. A difference
    beyond :attr:`GAP_S` is a gap in the sound and shows as a jump, as does a clock set back by more than :attr:`BACK_S`. A
    smaller one is worked off by :attr:`SLEW` of the elapsed time, which follows the drift of a sound card (some 100 ppm) and
    never shows as a jump.
    """

    GAP_S = 0.03
    BACK_S = 1.0
    SLEW = 0.001

    def __init__(self) -> None:
        self._next_s: float | None = None
        self.gaps = 0

    def time_s(self, stamped_s: float, duration_s: float) -> float:
        """The time of the first sample of a stretch that the stamps put at ``stamped_s``."""
        expected_s = self._next_s
        if expected_s is None:
            time_s = stamped_s
        elif not -self.BACK_S <= stamped_s - expected_s <= self.GAP_S:
            self.gaps += 1
            time_s = stamped_s
        else:
            # Not back by a little: sound that overlaps what was already given would be heard twice.
            room_s = self.SLEW * duration_s
            time_s = expected_s + min(max(stamped_s - expected_s, -room_s), room_s)
        self._next_s = time_s + duration_s
        return time_s

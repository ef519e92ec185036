"""Whether a stream is alive, or why not: named states, and their timings in one place. Pure: the time comes in."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from parvis_contract import SenseStatus, StatusReason, StreamState


@dataclass(frozen=True, slots=True)
class Timings:
    """When a stream changes its state.

    Attributes:
        stalled_after_s: Without an item for so long it is stalled. A unit says within 5 s what is wrong; 3 s leave room for the
            report, and no camera or microphone in use is slower than one item in 3 s.
        failed_after_s: Out of order for so long it has failed: a camera that restarts (30 to 60 s) has had its time. Trying goes on.
        healthy_after_s: After trouble, items must have come for so long before it is healthy again, so that a stream that comes
            and goes is not reported healthy at each coming.
        trouble_for_s: A dropped frame, a gap or a damaged packet makes it degraded for so long: recovery is to be seen within 10 s.
        trouble_share: ... if more than one, and more than this share of the items, is concerned. One in a hundred changes no judgement.
            Another format always does: judging begins anew.
        low_rate_share: Below this share of its usual rate it is degraded.
        rate_over_s: The present rate is taken over so long.
        rate_half_life_s: The usual rate rises at once and falls by half in so long, so that a camera set slower becomes usual.
    """

    stalled_after_s: float = 3.0
    failed_after_s: float = 60.0
    healthy_after_s: float = 2.0
    trouble_for_s: float = 5.0
    trouble_share: float = 0.01
    low_rate_share: float = 0.5
    rate_over_s: float = 5.0
    rate_half_life_s: float = 60.0


class Liveness:
    """The state of one stream. One thread writes it and another reads it.

    Args:
        now_s: The monotonic clock when it was first opened.
        live: False for a recording, which has no rate of its own: it comes as fast as it is judged.
        timings: Its timings.
    """

    def __init__(self, now_s: float, *, live: bool = True, timings: Timings = Timings()) -> None:
        self._lock = threading.RLock()
        self._live = live
        self._timings = timings
        self._arrivals: deque[float] = deque()
        self._troubles: deque[tuple[float, StatusReason]] = deque()
        self._last_s: float | None = None
        self._flowing_since_s: float | None = None
        self._broken_since_s: float | None = now_s
        self._broken: StatusReason = StatusReason.NO_DATA
        self._reconnecting = False
        self._ended: SenseStatus | None = None
        self._usual_hz = 0.0
        self._looked_s = now_s
        self._begun_s = now_s

    def item(self, now_s: float) -> None:
        """An item came."""
        with self._lock:
            quiet = self._last_s is None or now_s - self._last_s > self._timings.stalled_after_s
            if self._flowing_since_s is None or quiet:
                self._flowing_since_s = now_s
                self._arrivals.clear()
            self._last_s = now_s
            self._reconnecting = False
            self._arrivals.append(now_s)
            self._forget(now_s)

    def trouble(self, reason: StatusReason, now_s: float, count: int = 1) -> None:
        """Items were dropped, damaged or missing."""
        with self._lock:
            self._troubles.extend([(now_s, reason)] * min(count, 1_000))
            self._forget(now_s)

    def broken(self, reason: StatusReason, now_s: float) -> None:
        """The connection is gone; it will be tried again."""
        with self._lock:
            if self._broken_since_s is None:
                self._broken_since_s = now_s
            self._broken = reason
            self._flowing_since_s = None
            self._arrivals.clear()

    def reconnecting(self) -> None:
        """It is being tried again."""
        self._reconnecting = True

    def ended(self, state: StreamState, reason: StatusReason) -> None:
        """Nothing more will come: a recording was played, or what judges has failed."""
        self._ended = SenseStatus(state=state, reason=reason)

    @property
    def started(self) -> bool:
        """True once an item came, or never will."""
        return self._last_s is not None or self._ended is not None

    def age_s(self, now_s: float) -> float | None:
        """How long ago the last item came; None before the first."""
        last_s = self._last_s
        return None if last_s is None else max(0.0, now_s - last_s)

    def rate_hz(self, now_s: float) -> float:
        """Items per second, lately."""
        with self._lock:
            self._forget(now_s)
            over_s = min(self._timings.rate_over_s, max(now_s - self._begun_s, 1e-3))
            return len(self._arrivals) / over_s

    def status(self, now_s: float) -> SenseStatus:
        """How it is, and why."""
        with self._lock:
            return self._status(now_s)

    def _status(self, now_s: float) -> SenseStatus:
        if self._ended:
            return self._ended
        if self._flowing_since_s is None or self._last_s is None:
            return self._broken_status(now_s)
        if not self._live:
            return SenseStatus(state=StreamState.HEALTHY)
        if now_s - self._last_s > self._timings.stalled_after_s:
            if self._broken_since_s is None:
                self._broken_since_s = self._last_s
            failed = now_s - self._broken_since_s > self._timings.failed_after_s
            self._forget(now_s)
            # What comes and cannot be read is something else than nothing.
            reason = self._troubles[-1][1] if self._troubles else StatusReason.NO_DATA
            return SenseStatus(state=StreamState.FAILED if failed else StreamState.STALLED, reason=reason)
        return self._flowing_status(now_s, now_s - self._flowing_since_s)

    def _broken_status(self, now_s: float) -> SenseStatus:
        since_s = self._broken_since_s if self._broken_since_s is not None else now_s
        if now_s - since_s > self._timings.failed_after_s:
            return SenseStatus(state=StreamState.FAILED, reason=self._broken)
        if self._reconnecting:
            return SenseStatus(state=StreamState.RECOVERING, reason=StatusReason.RECONNECTING)
        return SenseStatus(state=StreamState.STALLED, reason=self._broken)

    def _flowing_status(self, now_s: float, flowing_s: float) -> SenseStatus:
        timings = self._timings
        if self._broken_since_s is not None:
            if flowing_s < timings.healthy_after_s:
                return SenseStatus(state=StreamState.RECOVERING)
            self._broken_since_s = None
        self._forget(now_s)
        reasons = [reason for _, reason in self._troubles]
        if StatusReason.FORMAT_CHANGED in reasons:
            return SenseStatus(state=StreamState.DEGRADED, reason=StatusReason.FORMAT_CHANGED)
        if len(reasons) > max(1.0, timings.trouble_share * self._usual_hz * timings.trouble_for_s):
            return SenseStatus(state=StreamState.DEGRADED, reason=reasons[-1])
        rate_hz = self.rate_hz(now_s)
        if flowing_s > timings.rate_over_s:
            self._usual_hz = max(rate_hz, self._usual_hz * 0.5 ** ((now_s - self._looked_s) / timings.rate_half_life_s))
            self._looked_s = now_s
            if rate_hz < timings.low_rate_share * self._usual_hz:
                return SenseStatus(state=StreamState.DEGRADED, reason=StatusReason.LOW_RATE)
        return SenseStatus(state=StreamState.HEALTHY)

    def _forget(self, now_s: float) -> None:
        while self._arrivals and now_s - self._arrivals[0] > self._timings.rate_over_s:
            self._arrivals.popleft()
        while self._troubles and now_s - self._troubles[0][0] > self._timings.trouble_for_s:
            self._troubles.popleft()

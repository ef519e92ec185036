"""The thread that captures one source into its queue: plays a recording once, reads a live source for ever."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Generic, TypeVar

import structlog
from parvis_contract import SenseStatus, StatusReason, StreamState

from parvis_edge.backoff import Backoff
from parvis_edge.heartbeat import Heartbeat
from parvis_edge.perception import AudioBlock, Frame

from .container import OPEN_TIMEOUT_S, READ_TIMEOUT_S, Tally
from .liveness import Liveness
from .microphone import read_microphone
from .queue import BoundedQueue, Closed
from .sound import read_sound
from .source import Kind, Source, SourceError
from .timeline import LiveTimeline, WallClock
from .video import read_video

Item = TypeVar("Item", Frame, AudioBlock)

#: A frame of 1080 lines has 6 MB; four bridge an analysis of a fifth of a second at 20 frames a second.
FRAMES_QUEUED = 4
#: Half a minute. Sound is small, and a gap in it is worse than a delay.
BLOCKS_QUEUED = 300

_log = structlog.get_logger()


class Pace:
    """Plays recordings at their own speed, all from one common beginning.

    Args:
        start_s: The recordings' time at the beginning.
        real: False plays as fast as it is judged.
        stop: Ends a wait.
    """

    def __init__(self, start_s: float, stop: threading.Event, *, real: bool) -> None:
        self._start_s = start_s
        self._real = real
        self._stop = stop
        self._begun_s: float | None = None
        self._lock = threading.Lock()

    def wait(self, time_s: float) -> None:
        """Returns when the item of this time is due."""
        if not self._real:
            return
        with self._lock:
            if self._begun_s is None:
                self._begun_s = time.monotonic()
        self._stop.wait(max(0.0, self._begun_s + (time_s - self._start_s) - time.monotonic()))


class Feed(threading.Thread, Generic[Item]):
    """Reads one source into one queue.

    Args:
        name: ``camera`` or ``microphone``.
        open_source: Opens the source and gives its items; called again after a live source broke off.
        source: What it opens.
        queue: Where items go.
        tally: What ``open_source`` counts in.
        pace: Of recordings.

    Attributes:
        liveness: How the stream is.
        tally: What was read, and what could not be.
        openings: How often the source was opened.
        failure: Why a recording could not be played; None if it could.
        heartbeat: Of its thread. A recording, a pipe and standard input may be silent for ever, and are at rest.
        set_s: Time of the first item after the clock was last set ahead; None before.
    """

    #: A camera on the same network answers soon or not at all: recovery is to be noticed within ten seconds.
    RETRY_FIRST_S = 0.5
    RETRY_MOST_S = 5.0
    #: An item later by this than the time that has passed since the one before: no stream leaps so far, the clock was set.
    SET_S = 1.0

    def __init__(
        self,
        name: str,
        source: Source,
        *,
        open_source: Callable[[], Iterator[Item]],
        queue: BoundedQueue[Item],
        tally: Tally,
        pace: Pace,
    ) -> None:
        super().__init__(name=f"capture-{name}", daemon=True)
        self._sense = name
        self._source = source
        self._open_source: Callable[[], Iterator[Item]] = open_source
        self._queue: BoundedQueue[Item] = queue
        self.tally = tally
        self._pace = pace
        self._stopping = threading.Event()
        self.liveness = Liveness(time.monotonic(), live=not source.recorded)
        self.failure: SourceError | None = None
        self.set_s: float | None = None
        self.openings = 0
        self.heartbeat = Heartbeat(OPEN_TIMEOUT_S + READ_TIMEOUT_S)
        self._beats = source.kind is Kind.DEVICE or (source.kind is Kind.STREAM and "://" in source.address)
        self._before: tuple[float, float] | None = None
        self._seen = Tally()
        self._seen_dropped = 0

    def status(self, now_s: float) -> SenseStatus:
        """How the stream is, and why; for one thread, which asks again and again."""
        tally, seen, dropped = self.tally, self._seen, self._queue.dropped
        for reason, before, now in (
            (StatusReason.CANNOT_KEEP_UP, self._seen_dropped, dropped),
            (StatusReason.NO_DATA, seen.gaps, tally.gaps),
            (StatusReason.SOURCE_UNREADABLE, seen.corrupt, tally.corrupt),
            (StatusReason.FORMAT_CHANGED, seen.changes, tally.changes),
        ):
            if now > before:
                self.liveness.trouble(reason, now_s, now - before)
        if tally.packets > seen.packets:
            # A camera that is joined between two whole pictures gives none yet, and its thread is at work.
            self._beat()
        self._seen, self._seen_dropped = replace(tally), dropped
        return self.liveness.status(now_s)

    def stop(self) -> None:
        """Ends it; what waits in the queue can still be taken."""
        self._stopping.set()
        self._queue.close()

    def run(self) -> None:
        """Until the recording is over, or :meth:`stop`."""
        try:
            if self._source.recorded or self._source.kind is Kind.STDIN:
                self._play()
            else:
                self._keep_reading()
        except Closed:
            pass
        finally:
            self.heartbeat.rest()
            self._queue.close()

    def _play(self) -> None:
        self.openings += 1
        try:
            for item in self._open_source():
                if self._source.recorded:
                    self._pace.wait(item.time_s)
                self._take(item)
                if self._stopping.is_set():
                    return
        except Closed:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a library makes of a broken file
            self.failure = error = self._explained(error)
            self.liveness.ended(StreamState.FAILED, error.reason)
            _log.error("source failed", sense=self._sense, reason=error.reason, detail=str(error))
            return
        if self.tally.truncated:
            _log.warning(
                "the recording ends in something unreadable; what came before was judged", sense=self._sense, source=str(self._source)
            )
        # What is live has no end of its own: whoever fed standard input is gone.
        self.liveness.ended(StreamState.HEALTHY if self._source.recorded else StreamState.FAILED, StatusReason.SOURCE_ENDED)
        _log.info("source ended", sense=self._sense, items=self.tally.items, damaged=self.tally.corrupt, gaps=self.tally.gaps)

    def _keep_reading(self) -> None:
        backoff = Backoff(self.RETRY_FIRST_S, self.RETRY_MOST_S, random.random)
        while not self._stopping.is_set():
            before = self.tally.items
            self._beat()
            self.openings += 1
            try:
                for item in self._open_source():
                    self._take(item)
                    if self._stopping.is_set():
                        return
                problem = SourceError(f"{self._source}: the stream ended", StatusReason.SOURCE_ENDED)
            except Closed:
                raise
            except Exception as error:  # noqa: BLE001 - whatever a library makes of a broken stream
                problem = self._explained(error)
            if self.tally.items > before:
                backoff.reset()
            self.liveness.broken(problem.reason, time.monotonic())
            delay_s = backoff.next_s()
            _log.warning("source lost", sense=self._sense, reason=problem.reason, detail=str(problem), again_in_s=round(delay_s, 1))
            self.heartbeat.rest()
            self._stopping.wait(delay_s)
            self.liveness.reconnecting()

    def _beat(self) -> None:
        if self._beats:
            self.heartbeat.beat()

    def _explained(self, error: Exception) -> SourceError:
        if isinstance(error, SourceError):
            return error
        _log.error("a source broke in a way that nobody expected", sense=self._sense, exc_info=error)
        return SourceError(f"{self._source}: cannot be read ({type(error).__name__})", StatusReason.SOURCE_UNREADABLE)

    def _take(self, item: Item) -> None:
        self._beat()
        now_s = time.monotonic()
        if self._before is not None and not self._source.recorded:
            then_s, time_s = self._before
            if (item.time_s - time_s) - (now_s - then_s) > self.SET_S:
                self.set_s = item.time_s
        self._before = now_s, item.time_s
        self._queue.put(item)
        self.liveness.item(now_s)


def camera_feed(source: Source, start_s: float, pace: Pace, clock: WallClock) -> tuple[Feed[Frame], BoundedQueue[Frame]]:
    """A feed of frames.

    Args:
        source: Where from.
        start_s: POSIX seconds at which a recording begins.
        pace: Of recordings.
        clock: Of live sources.
    """
    tally = Tally()
    queue: BoundedQueue[Frame] = BoundedQueue(FRAMES_QUEUED, drop_oldest=not source.recorded)

    def open_source() -> Iterator[Frame]:
        if source.recorded:
            return read_video(source, tally, start_s=start_s)
        return read_video(source, tally, time_of=_live_times(clock))

    return Feed("camera", source, open_source=open_source, queue=queue, tally=tally, pace=pace), queue


def microphone_feed(source: Source, start_s: float, pace: Pace, clock: WallClock) -> tuple[Feed[AudioBlock], BoundedQueue[AudioBlock]]:
    """A feed of blocks of sound; arguments as of :func:`camera_feed`."""
    tally = Tally()
    queue: BoundedQueue[AudioBlock] = BoundedQueue(BLOCKS_QUEUED, drop_oldest=not source.recorded)

    def open_source() -> Iterator[AudioBlock]:
        if source.recorded:
            return read_sound(source, tally, start_s=start_s)
        if source.kind is Kind.DEVICE:
            return read_microphone(source, tally, arrival=time.monotonic, offset=lambda: clock.update(time.time(), time.monotonic()))
        return read_sound(source, tally, time_of=_live_times(clock))

    return Feed("microphone", source, open_source=open_source, queue=queue, tally=tally, pace=pace), queue


def _live_times(clock: WallClock) -> Callable[[float | None], float]:
    """Stamps to UTC for one connection: its stamps begin anew with each."""
    timeline = LiveTimeline()

    def time_of(stamp_s: float | None) -> float:
        now_s = time.monotonic()
        return timeline.time_s(stamp_s, now_s) + clock.update(time.time(), now_s)

    return time_of

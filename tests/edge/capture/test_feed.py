from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from parvis_contract import SenseStatus, StatusReason, StreamState
from parvis_edge.capture.container import Tally
from parvis_edge.capture.feed import FRAMES_QUEUED, Feed, Pace, camera_feed
from parvis_edge.capture.queue import BoundedQueue, Closed
from parvis_edge.capture.source import Kind, Source, parse_source
from parvis_edge.capture.timeline import WallClock
from parvis_edge.perception import Frame

from tests.edge.clips import grey, write_film
from tests.edge.rtsp import Camera


def pace(*, real: bool = False) -> Pace:
    return Pace(time.time(), threading.Event(), real=real)


def until(true: Callable[[], bool], within_s: float = 20.0) -> None:
    end_s = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end_s, "it did not come true"
        time.sleep(0.02)


def read_all(queue: BoundedQueue[Frame], pause_s: float = 0.0) -> list[float]:
    """The times of all frames until the queue is closed."""
    times = []
    with contextlib.suppress(Closed):
        while (frame := queue.get()) is not None:
            times.append(frame.time_s)
            time.sleep(pause_s)
    return times


def state(feed: Feed[Frame]) -> StreamState:
    return feed.liveness.status(time.monotonic()).state


def test_a_recording_is_read_to_its_end_however_slow_the_reader(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", [grey(level) for level in range(60)], range(0, 2_400, 40))
    feed, queue = camera_feed(parse_source(str(film), "camera"), 0.0, pace(), WallClock(0.0, 0.0))
    feed.start()
    assert len(read_all(queue, 0.002)) == 60
    assert queue.dropped == 0


def test_a_live_stream_drops_its_oldest_frames_and_counts_them() -> None:
    with Camera() as camera:
        feed, queue = camera_feed(parse_source(camera.url, "camera"), 0.0, pace(), WallClock(time.time(), time.monotonic()))
        feed.start()
        until(lambda: queue.dropped > 10)
        arrived_s = time.time()
        frame = queue.get()
        feed.stop()
    assert frame is not None
    # What is left is new: as old as the queue is long, and what this machine was late by.
    assert len(queue) <= FRAMES_QUEUED
    assert arrived_s - frame.time_s < 2.0


def test_a_live_stream_that_breaks_off_is_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Feed, "RETRY_FIRST_S", 0.1)
    monkeypatch.setattr(Feed, "RETRY_MOST_S", 0.3)
    with Camera() as camera:
        feed, queue = camera_feed(parse_source(camera.url, "camera"), 0.0, pace(), WallClock(time.time(), time.monotonic()))
        times: list[float] = []

        reader = threading.Thread(target=lambda: times.extend(read_all(queue)), daemon=True)
        reader.start()
        feed.start()
        until(lambda: state(feed) is StreamState.HEALTHY)
        camera.switch_off()
        until(lambda: state(feed) in {StreamState.STALLED, StreamState.RECOVERING})
        camera.switch_on()
        until(lambda: state(feed) is StreamState.HEALTHY)
        assert camera.viewers >= 2
        feed.stop()
        reader.join(10)
    assert times == sorted(times)
    assert len(times) > 20


@pytest.mark.parametrize(("recorded", "ends_as"), [(True, StreamState.HEALTHY), (False, StreamState.FAILED)])
def test_standard_input_that_ends_was_a_recording_or_is_lost(recorded: bool, ends_as: StreamState) -> None:
    queue: BoundedQueue[Frame] = BoundedQueue(4, drop_oldest=not recorded)
    source = Source(Kind.STDIN, "-", recorded=recorded)
    feed = Feed("microphone", source, open_source=lambda: iter([Frame(1.0, grey(9))]), queue=queue, tally=Tally(), pace=pace())
    feed.run()
    assert feed.status(time.monotonic()) == SenseStatus(state=ends_as, reason=StatusReason.SOURCE_ENDED)


def test_a_clock_that_is_set_ahead_is_noticed_and_a_burst_is_not() -> None:
    def items() -> Iterator[Frame]:
        yield from (Frame(100.0 + index / 20, grey(9)) for index in range(10))
        yield from (Frame(3_700.0 + index / 20, grey(9)) for index in range(10))

    queue: BoundedQueue[Frame] = BoundedQueue(40, drop_oldest=True)
    # Ten pictures at once, as after a jam in the network, are no clock that was set.
    feed = Feed("microphone", Source(Kind.STDIN, "-", recorded=False), open_source=items, queue=queue, tally=Tally(), pace=pace())
    feed.run()
    assert feed.set_s == 3_700.0


def test_real_pace_plays_at_the_recordings_own_speed(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", [grey(100)] * 20, range(0, 1_000, 50))
    stop = threading.Event()
    feed, queue = camera_feed(parse_source(str(film), "camera"), 500.0, Pace(500.0, stop, real=True), WallClock(0.0, 0.0))
    begun_s = time.monotonic()
    feed.start()
    read_all(queue)
    # Never faster than the recording; how much slower depends on the machine.
    assert time.monotonic() - begun_s >= 0.94

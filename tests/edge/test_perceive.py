from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from parvis_contract import Phase, StreamState
from parvis_edge.capture.container import Tally
from parvis_edge.capture.feed import Feed, Pace
from parvis_edge.capture.queue import BoundedQueue
from parvis_edge.capture.source import Kind, Source
from parvis_edge.perceive import Perceiver
from parvis_edge.perception import Frame, Judgement

from .clips import grey
from .senses import Darkness


class Listener:
    def __init__(self) -> None:
        self.said: list[tuple[float, Phase]] = []
        self.ends: list[bool] = []

    def judged(self, sense: str, time_s: float, judgements: list[Judgement]) -> None:
        assert sense == "camera"
        self.said += [(time_s, judgement.phase) for judgement in judgements]

    def over(self, sense: str, *, failed: bool) -> None:
        assert sense == "camera"
        self.ends.append(failed)


class Broken(Darkness):
    """Breaks down at its third frame."""

    def process(self, item: Frame) -> list[Judgement]:
        if self.analysed == 2:
            raise RuntimeError("out of order")
        return super().process(item)


def run(frames: Iterable[Frame], kind: type[Darkness] = Darkness, *, recorded: bool = True) -> tuple[Perceiver, Listener]:
    queue: BoundedQueue[Frame] = BoundedQueue(4, drop_oldest=False)
    stop = threading.Event()

    def open_source() -> Iterator[Frame]:
        return iter(frames)

    source = Source(Kind.FILE if recorded else Kind.STDIN, "frames", recorded=recorded)
    feed: Feed[Any] = Feed("camera", source, open_source=open_source, queue=queue, tally=Tally(), pace=Pace(0.0, stop, real=False))
    listener = Listener()
    perceiver = Perceiver("camera", feed=feed, queue=queue, make=kind, sense=kind(), listener=listener)
    perceiver.start()
    feed.start()
    perceiver.join(20)
    feed.join(20)
    assert not perceiver.is_alive()
    assert not feed.is_alive()
    return perceiver, listener


def dark(time_s: float, size: tuple[int, int] = (64, 48)) -> Frame:
    return Frame(time_s, grey(5, size))


def test_everything_is_judged_and_what_is_open_ends() -> None:
    perceiver, listener = run([dark(0.0), dark(1.0), Frame(2.0, grey(200)), dark(3.0)])
    phases = [phase for _, phase in listener.said]
    assert phases == [Phase.START, Phase.UPDATE, Phase.END, Phase.START, Phase.END]
    assert listener.ends == [False]
    assert perceiver.analysed == 4
    assert listener.said[-1][0] == pytest.approx(3.0, abs=1e-5)


def test_an_empty_recording_says_nothing() -> None:
    _, listener = run([])
    assert (listener.said, listener.ends) == ([], [False])


@pytest.mark.parametrize("other", [dark(2.0, (96, 64)), dark(-3_600.0), dark(1.0)])
def test_another_picture_size_or_a_clock_set_back_ends_what_is_open_and_begins_anew(other: Frame) -> None:
    perceiver, listener = run([dark(0.0), dark(1.0), other])
    assert [phase for _, phase in listener.said] == [Phase.START, Phase.UPDATE, Phase.END, Phase.START, Phase.END]
    assert perceiver.analysed == 3


def test_a_clock_set_ahead_lets_nothing_last_an_hour() -> None:
    # A live source: the second picture comes at once, and an hour later by its time.
    perceiver, listener = run([dark(0.0), dark(0.1), dark(3_600.2), dark(3_600.3)], recorded=False)
    assert [phase for _, phase in listener.said] == [Phase.START, Phase.UPDATE, Phase.END, Phase.START, Phase.UPDATE, Phase.END]
    assert perceiver.tampered is False


def test_a_sense_that_breaks_down_says_so_and_holds_nobody_up() -> None:
    perceiver, listener = run([dark(float(index)) for index in range(100)], Broken)
    assert perceiver.failed
    assert listener.ends == [True]
    assert [phase for _, phase in listener.said] == [Phase.START, Phase.UPDATE]
    assert perceiver.feed.liveness.status(0.0).state is StreamState.FAILED


def test_a_source_that_breaks_in_an_unexpected_way_is_a_failure_and_not_an_end() -> None:
    def frames() -> Iterator[Frame]:
        yield dark(0.0)
        raise MemoryError

    perceiver, listener = run(frames())
    assert [phase for _, phase in listener.said] == [Phase.START, Phase.END]
    assert "MemoryError" in str(perceiver.feed.failure)
    assert perceiver.feed.liveness.status(0.0).state is StreamState.FAILED

from __future__ import annotations

import contextlib
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parvis_edge.capture.queue import BoundedQueue, Closed


@given(st.integers(1, 8), st.lists(st.booleans(), max_size=60))
def test_live_the_newest_are_kept_in_order_and_every_other_is_counted(size: int, steps: list[bool]) -> None:
    """True writes the next number, False reads one; against a plain list that forgets its head."""
    queue: BoundedQueue[int] = BoundedQueue(size, drop_oldest=True)
    model: list[int] = []
    dropped = written = read = 0
    for write in steps:
        if write:
            queue.put(written)
            model.append(written)
            written += 1
            if len(model) > size:
                del model[0]
                dropped += 1
        elif model:
            assert queue.get() == model.pop(0)
            read += 1
        else:
            assert queue.get(timeout_s=0.0) is None
        assert len(queue) == len(model) <= size
    assert queue.dropped == dropped
    assert written == read + dropped + len(queue)


def test_a_recording_waits_and_loses_nothing() -> None:
    queue: BoundedQueue[int] = BoundedQueue(2, drop_oldest=False)

    def write() -> None:
        for number in range(200):
            queue.put(number)
        queue.close()

    threading.Thread(target=write).start()
    read = []
    with contextlib.suppress(Closed):
        while (item := queue.get()) is not None:
            read.append(item)
            time.sleep(0.01 if item % 50 == 0 else 0.0)
    assert read == list(range(200))
    assert queue.dropped == 0


def test_closing_frees_a_writer_that_waits() -> None:
    queue: BoundedQueue[int] = BoundedQueue(1, drop_oldest=False)
    queue.put(1)
    threading.Timer(0.05, queue.close, kwargs={"discard": True}).start()
    with pytest.raises(Closed):
        queue.put(2)
    with pytest.raises(Closed):
        queue.get()


def test_a_queue_holds_something() -> None:
    with pytest.raises(ValueError, match="at least one"):
        BoundedQueue(0, drop_oldest=True)

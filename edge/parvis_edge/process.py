"""What a unit does with its own process: how it is stopped, and what its standard output is for."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stopping_signals(stop: threading.Event) -> Iterator[None]:
    """SIGTERM and SIGINT stop the unit in order; a second one ends it at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        # Nothing is logged here: the program may be in the middle of writing a line.
        del frame
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def private_standard_output() -> int:
    """A descriptor that messages alone go to; whatever else writes to standard output goes to standard error from now on."""
    descriptor = os.dup(1)
    os.dup2(2, 1)
    return descriptor

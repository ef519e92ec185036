"""The hub as installed, which says at its end what Python has more of than after its first two minutes of messages."""

from __future__ import annotations

import gc
import sys
import threading
import tracemalloc

from parvis_hub.cli import app

#: From when on growth is counted; the state of mind is about what it will be.
SETTLED_S = 120.0
#: So many places are named.
NAMED = 25


def main() -> None:
    """Runs it."""
    tracemalloc.start(6)
    settled: list[tracemalloc.Snapshot] = []

    def look() -> None:
        settled.append(tracemalloc.take_snapshot())

    timer = threading.Timer(SETTLED_S, look)
    timer.daemon = True
    timer.start()
    try:
        app(standalone_mode=False)
    finally:
        gc.collect()
        after = tracemalloc.take_snapshot()
        if settled:
            for found in after.compare_to(settled[0], "lineno")[:NAMED]:
                sys.stderr.write(f"{found.size_diff / 1024:+10.0f} KiB {found.count_diff:+8d} {found.traceback}\n")


if __name__ == "__main__":
    main()

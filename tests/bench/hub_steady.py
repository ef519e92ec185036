"""Publishes what a city says in an hour, so many times as fast, and writes how much it was.

python -m tests.bench.hub_steady PORT SIDE RATE TIMES SENT
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.bench.hub_city import steady
from tests.bench.hub_processes import PATIENCE_S, connected

HOUR_S = 3_600.0
#: What the broker has not taken yet is held in memory here; not more of it than this.
_HELD = 2_000


def publish(port: int, side: int, rate_per_s: float, times: float) -> int:
    """Publishes the hour: events' time begins so long ago that it ends now.

    Args:
        port: The broker's.
        side: Of the square that the units stand on.
        rate_per_s: Messages a second of the events' time.
        times: How many times as fast as the clock that passes.

    Returns:
        How many messages it was; the broker has them all.
    """
    sender = connected(port)
    begun_s, count = time.monotonic(), 0
    begin_s = time.time() - HOUR_S * (1.0 - 1.0 / times)
    for at_s, (topic, body) in steady(side, begin_s, rate_per_s):
        if at_s >= begin_s + HOUR_S:
            break
        time.sleep(max(0.0, begun_s + (at_s - begin_s) / times - time.monotonic()))
        last = sender.publish(topic, body, qos=1)
        count += 1
        if count % _HELD == 0:
            last.wait_for_publish(PATIENCE_S)
    if count:
        last.wait_for_publish(PATIENCE_S)
    sender.disconnect()
    sender.loop_stop()
    return count


if __name__ == "__main__":
    port, side, rate_per_s, times, sent = sys.argv[1:]
    Path(sent).write_text(str(publish(int(port), int(side), float(rate_per_s), float(times))))

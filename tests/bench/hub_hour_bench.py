"""The hub's memory over an hour of a city's traffic through a real broker, in less time than an hour: what events say passes faster.

    python -m tests.bench.hub_hour_bench [--rate 500] [--times 3] [--side 60] [--where]

Events' time begins before now and goes on so many times as fast as the clock, so that it ends now: the hub goes by it (`EventClock`).
It lets go of what is over once a minute of the clock, so that it holds more the faster events' time passes: with `--times 3` three
minutes' more at most, and with a hundred times nothing is shown of an hour. What goes by the clock, retention and telemetry, sees less
than the hour. `--where` has Python say what grew, which makes the hub several times slower.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from parvis.broker import HOST
from parvis.children import Family, wait_for_port
from tests.bench.hub_bench import HUB, MOST_HEAVIER, hub
from tests.bench.hub_processes import computed_s, resident_kib
from tests.bench.hub_steady import HOUR_S
from tests.bench.report import Row
from tests.e2e.brokers import mosquitto_broker
from tests.hub.street import write_site

#: The hour is looked at in so many parts.
PARTS = 12


def rows(rate_per_s: float = 500.0, times: float = 3.0, side: int = 60, *, where: bool = False) -> Iterator[Row]:
    """Measures.

    Args:
        rate_per_s: Messages a second of the events' time.
        times: How many times as fast that passes.
        side: Of the square that the units stand on.
        where: Also says what Python has more of at the end than after a third.
    """
    with tempfile.TemporaryDirectory(prefix="parvis-bench-") as name:
        folder = Path(name)
        site = folder / "site.yaml"
        write_site(site, side)
        program = shutil.which("mosquitto", path="/usr/local/sbin:/usr/sbin:/usr/bin:/bin")
        if program is None:
            raise RuntimeError("mosquitto is missing: apt install mosquitto")
        broker = mosquitto_broker(Path(program), folder / "broker")
        with Family(folder) as family:
            wait_for_port(family.start("broker", broker.command(), used=True), HOST, broker.port, 30.0)
            child, stored = hub(family, broker, site, (sys.executable, "-m", "tests.bench.hub_traced") if where else HUB)
            more = [str(broker.port), str(side), f"{rate_per_s}", f"{times}", str(folder / "sent.txt")]
            publisher = family.start("publisher", [sys.executable, "-m", "tests.bench.hub_steady", *more])
            begun_s, begun_computed_s, after_mib = time.monotonic(), computed_s(child.pid), list[float]()
            for part in range(1, PARTS + 1):
                # By what it has stored, and not by the clock: a machine that is busy takes longer.
                while stored() < rate_per_s * HOUR_S * part / PARTS and publisher.returncode is None:
                    if child.returncode is not None:
                        raise child.died()
                    time.sleep(0.5)
                after_mib.append(resident_kib(child.pid) / 1024)
                yield Row(f"memory after {part * 60 // PARTS} minutes, {stored():,} messages stored", after_mib[-1], "MiB")
            took_s, cost_s, count = time.monotonic() - begun_s, computed_s(child.pid) - begun_computed_s, stored()
            if publisher.wait(120.0) != 0:
                raise publisher.died()
            sent = int((folder / "sent.txt").read_text())
            while stored() < sent and time.monotonic() < begun_s + took_s + 120.0:
                time.sleep(0.5)
            yield Row("messages stored", stored(), "", "sent", sent, "all", stored() == sent)
            if where:
                child.end()
                sys.stderr.write(child.last_lines(40) + "\n")
        third_mib = after_mib[PARTS // 3 - 1]
        limit = f"at most {MOST_HEAVIER}"
        yield Row(
            "memory after the hour", after_mib[-1], "MiB", "after a third", third_mib, limit, after_mib[-1] <= MOST_HEAVIER * third_mib
        )
        slope = np.polyfit(np.arange(PARTS // 3, PARTS), after_mib[PARTS // 3 :], 1)[0]
        yield Row("grown in an hour, by the last two thirds", float(slope) * PARTS, "MiB")
        yield Row("a message", cost_s / count * 1e6, "µs")
        yield Row("by the clock", count / took_s, "messages/s")


def main() -> int:
    """Prints each line as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=500.0, help="messages a second of the events' time")
    parser.add_argument("--times", type=float, default=3.0, help="how many times as fast as the clock that passes")
    parser.add_argument(
        "--side",
        type=int,
        default=60,
        help="units stand on a square of so many by so many; of few, each would say several events a second",
    )
    parser.add_argument("--where", action="store_true", help="say what grew")
    options = parser.parse_args()
    for row in rows(options.rate, options.times, options.side, where=options.where):
        mark = "" if row.holds is None else " ✓" if row.holds else " ✗"
        against = "" if row.reference is None else f" ({row.against}: {row.reference:,.1f}; wanted {row.limit}{mark})"
        sys.stdout.write(f"{row.what}: {row.value:,.1f} {row.unit}{against}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())

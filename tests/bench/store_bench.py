"""What a message costs from intake to store with SQLite and with PostgreSQL, the hub's own processor time and the server's.

The same messages in the same batches, one process, no broker: each batch is prepared and kept, and what the broker confirms of it is noted
with it, as the hub does. A batch of a busy hub is 500 messages, of a quiet one a few.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from parvis_contract import load_site
from parvis_hub.intake import Delivery, Intake
from parvis_hub.store import Batch, Database, Store, default_url

from tests import postgres
from tests.bench.hub_city import City, city
from tests.bench.report import Row

#: Messages of one batch, and of how many batches.
BATCHES = ((500, 10), (50, 40))
#: Of the city: what it says is mostly of things that several units see.
UNITS = 1_000


def rows() -> Iterator[Row]:
    """Measures.

    Raises:
        RuntimeError: PostgreSQL with PostGIS is missing.
    """
    programs = postgres.programs()
    if programs is None:
        raise RuntimeError("apt install postgresql-postgis")
    with tempfile.TemporaryDirectory(prefix="parvis-bench-") as folder, postgres.cluster(programs) as server:
        of = city(Path(folder), UNITS)
        for size, count in BATCHES:
            lite_us, _, lite_ms = kept(of, default_url(Path(tempfile.mkdtemp(dir=folder))), size, count)
            hub_us, server_us, post_ms = kept(of, server.database(), size, count)
            yield Row(f"batches of {size}: a message, of the hub's processor time with PostgreSQL", hub_us, "µs", "with SQLite", lite_us)
            yield Row("  of the server's besides", server_us, "µs")
            for name, each in (("median", 0), ("99 of 100", 1)):
                yield Row(f"  keeping a batch by the clock, {name}, with PostgreSQL", post_ms[each], "ms", "with SQLite", lite_ms[each])


def kept(of: City, url: str, size: int, count: int) -> tuple[float, float, tuple[float, float]]:
    """Processor time of this process and of the servers for each message, in µs; and p50 and p99 of keeping a batch, in ms."""
    site, now_us = load_site(of.site), time.time_ns() // 1000
    database = Database(url, site.site)
    store = Store(database, site, lambda: now_us)
    intake = Intake(site, store)
    took_ms, before_s, served_s = [], time.process_time(), _servers_s()
    for at in range(0, size * count, size):
        batch = intake.prepare([Delivery(topic, body, now_us) for topic, body in of.messages[at : at + size]], now_us).batch
        begun_s = time.monotonic()
        store.commit(batch)
        store.commit(Batch(published=[(each.id, each.revision) for each in store.unpublished()]))
        took_ms.append((time.monotonic() - begun_s) * 1e3)
    spent_s, served_s = time.process_time() - before_s, _servers_s() - served_s
    database.close()
    median_ms, p99_ms = np.percentile(took_ms, (50, 99))
    return spent_s / (size * count) * 1e6, served_s / (size * count) * 1e6, (float(median_ms), float(p99_ms))


def _servers_s() -> float:
    """Processor time of every PostgreSQL process on this machine that is still there."""
    ticks = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "comm").read_text().startswith("postgres"):
                fields = (process / "stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        except OSError:
            continue
    return ticks / os.sysconf("SC_CLK_TCK")

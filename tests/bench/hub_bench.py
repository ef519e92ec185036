"""The hub: from broker to stored incident, beside a bare client and a bare store in the same run, for 10 to 10,000 units.

What a message costs is of processor time: the seconds that the hub's process was computing, so that what else the machine does counts
little; messages a second of one core are what follows from it. Beside it stands what the clock says, and how busy the machine was. The
latency is the clock's: from publishing an event's start to the first message of the incident that has it, at half of the rate that is
wanted, or of what the hub reaches on this machine now where that is less. What does not come to an end is said to, and the rest goes on.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import paho.mqtt.client as mqtt
from parvis_contract import (
    load_site,
)
from parvis_hub.intake.replay import replay

from parvis.broker import HOST
from parvis.children import Child, ChildDied, Family, wait_for_port
from tests.bench.hub_city import City, city, quiet_city
from tests.bench.hub_processes import PATIENCE_S, Message, computed_s, listening, resident_kib, write_messages
from tests.bench.hub_staged import STAGES, waited_ms
from tests.bench.report import Row
from tests.e2e.brokers import BrokerUnderTest, embedded_broker, mosquitto_broker
from tests.hub.street import SITE

#: Of cities with so many units: what they say in an hour, all of it sent as fast as it goes.
UNITS = (10, 100, 1_000, 10_000)
#: What is wanted of one core, and in what time a message is to be part of an incident at half of that.
WANTED_PER_S, WANTED_P99_MS = 5_000.0, 250.0
#: How much more a message may cost in the largest city than in the smallest, and a hub weigh after an hour than after twenty minutes.
MOST_DEARER, MOST_HEAVIER = 1.5, 1.1
#: A hub that does so many times a rate has something to spare at it.
SPARE = 1.1
#: How long the latency is measured, at most.
PACED_S = 8.0
#: Messages of one transaction, as the hub has at most.
BATCH = 500


@dataclass(frozen=True, slots=True)
class Passed:
    """How messages got to a receiver.

    Attributes:
        cost_us: Processor time of each.
        per_s: Messages a second of the clock.
        grown_kib: How much more memory the receiver had at the end than when a third had come.
        load: Of the machine meanwhile: how many programs wanted to compute, on average.
    """

    cost_us: float
    per_s: float
    grown_kib: int
    load: float

    @property
    def of_one_core(self) -> float:
        """Messages that one core would do in a second."""
        return 1e6 / self.cost_us


class NotMeasuredError(RuntimeError):
    """It took too long, or a program ended; the message says how far it came."""


def rows() -> Iterator[Row]:
    """Measures."""
    with tempfile.TemporaryDirectory(prefix="parvis-bench-") as name:
        folder = Path(name)
        cities = {units: city(folder, units) for units in UNITS}
        middle = cities[100]
        bare = _tried(lambda: through(folder / "bare", middle, bare_client))
        store_per_s = bare_store(folder / "bare.sqlite", middle.messages)
        passed: dict[int, Passed] = {}
        for units, each in cities.items():
            what = f"{units:,} units: from broker to stored incident"
            found = _tried(lambda units=units, each=each: through(folder / f"hub-{units}", each, hub))  # type: ignore[misc]
            if isinstance(found, Passed):
                passed[units] = found
            yield from _rates(what, found, bare)
        if 10 in passed and 10_000 in passed:
            dear, cheap = passed[10_000].cost_us, passed[10].cost_us
            limit = f"at most {MOST_DEARER}"
            yield Row("10,000 units: a message", dear, "µs", "10 units: a message", cheap, limit, dear <= MOST_DEARER * cheap)
        if 100 in passed:
            against = f"rows into bare SQLite, {BATCH} a commit"
            yield Row("100 units: the same", passed[100].of_one_core, "messages/s of one core", against, store_per_s)
        usual = _tried(lambda: through(folder / "usual", quiet_city(middle, 100), hub))
        yield from _rates("100 units, with their counts and telemetry", usual, None)
        for units, each in cities.items():
            yield from _latencies(folder / f"paced-{units}", units, each, passed.get(units))
        yield _hour(folder, middle)
        begun_s = time.process_time()
        replay(load_site(middle.site), [(topic, body) for topic, body in middle.messages], lambda *_: None)
        yield Row("100 units: replayed from a log", len(middle.messages) / (time.process_time() - begun_s), "messages/s of one core")


def _tried(measure: Callable[[], Passed]) -> Passed | NotMeasuredError:
    try:
        return measure()
    except (NotMeasuredError, ChildDied, subprocess.SubprocessError) as error:
        return NotMeasuredError(str(error).partition("\n")[0])


def _rates(what: str, found: Passed | NotMeasuredError, bare: Passed | NotMeasuredError | None) -> Iterator[Row]:
    if isinstance(found, NotMeasuredError):
        yield Row(what, math.nan, "messages/s of one core", limit=f"not measured: {found}")
        return
    against, reference = ("from broker to a bare client", bare.of_one_core) if isinstance(bare, Passed) else ("", None)
    limit = f"at least {WANTED_PER_S:,.0f}"
    yield Row(what, found.of_one_core, "messages/s of one core", against, reference, limit, found.of_one_core >= WANTED_PER_S)
    yield Row(f"  by the clock, at a load of {found.load:.1f} on {os.cpu_count()} cores", found.per_s, "messages/s")
    yield Row("  memory from a third of them to the last", found.grown_kib / 1024, "MiB more")


# --- from broker to incident --------------------------------------------------------------------------------------------------


def _broker(folder: Path) -> BrokerUnderTest:
    program = shutil.which("mosquitto", path="/usr/local/sbin:/usr/sbin:/usr/bin:/bin")
    return mosquitto_broker(Path(program), folder / "broker") if program else embedded_broker()


#: The hub as installed, without its console.
HUB = (sys.executable, "-c", "from parvis_hub.cli import app; app()")


def hub(family: Family, broker: BrokerUnderTest, site: Path, program: Sequence[str] = HUB) -> tuple[Child, Callable[[], int]]:
    """A hub that is connected, and how many messages it has stored."""
    more = ["run", "--no-console", "--site", str(site), "--broker", f"{HOST}:{broker.port}", "--data-dir", str(family.folder)]
    child = family.start("hub", [*program, *more])
    _wait(lambda: "connected" in child.last_lines(50), child, lambda: "it has not connected")

    def stored() -> int:
        database = sqlite3.connect(f"file:{family.folder / 'hub.sqlite'}?mode=ro", uri=True, timeout=10.0)
        try:
            found = database.execute("SELECT value FROM counters WHERE name = 'stored'").fetchone()
            return int(found[0]) if found else 0
        finally:
            database.close()

    return child, stored


def bare_client(family: Family, broker: BrokerUnderTest, _site: Path) -> tuple[Child, Callable[[], int]]:
    """A client of the library that units use, which acknowledges, counts, and does nothing else."""
    topics = f"parvis/v1/{SITE}/+/event/+"
    child = family.start("client", [sys.executable, "-m", "tests.bench.hub_processes", "listen", str(broker.port), topics])
    _wait(lambda: child.last_lines(1) != "", child, lambda: "it has not subscribed")
    return child, lambda: int(child.last_lines(1) or 0)


Receiver = Callable[[Family, BrokerUnderTest, Path], tuple[Child, Callable[[], int]]]


def through(folder: Path, of: City, receiver: Receiver) -> Passed:
    """Sends all of a city's messages to a receiver as fast as it goes, until it has them all."""
    folder.mkdir()
    broker = _broker(folder)
    expected = sum("telemetry" not in topic for topic, _ in of.messages)
    with Family(folder) as family:
        wait_for_port(family.start("broker", broker.command(), used=True), HOST, broker.port, 30.0)
        child, count = receiver(family, broker, of.site)
        time.sleep(1.0)
        computed_before_s, begun_s = computed_s(child.pid), time.monotonic()
        publisher = _publish(family, broker.port, of.messages, 0.0)
        _wait(lambda: count() >= expected / 3, child, lambda: f"{count():,} of {expected:,} messages")
        weighed_kib = resident_kib(child.pid)
        _wait(lambda: count() >= expected, child, lambda: f"{count():,} of {expected:,} messages")
        took_s, cost_s = time.monotonic() - begun_s, computed_s(child.pid) - computed_before_s
        grown_kib = resident_kib(child.pid) - weighed_kib
        publisher.wait(PATIENCE_S)
        count_all = len(of.messages)
        return Passed(cost_s / count_all * 1e6, count_all / took_s, grown_kib, os.getloadavg()[0])


def _latencies(folder: Path, units: int, of: City, reached: Passed | None) -> Iterator[Row]:
    """How long it takes from a start to its incident, at half of what is wanted, or of what this machine lets the hub do now."""
    rate_per_s = WANTED_PER_S / 2
    if reached is not None and reached.per_s < SPARE * rate_per_s:
        # To fifty: the figure is of a busy machine, and says no more than that.
        rate_per_s = max(50.0, reached.per_s / 2 // 50 * 50)
    wanted = rate_per_s == WANTED_PER_S / 2
    what = f"{units:,} units, {rate_per_s:,.0f} messages/s: "
    try:
        took_ms, waited_ms = latencies(folder, of, rate_per_s)
    except (NotMeasuredError, ChildDied, subprocess.SubprocessError) as error:
        yield Row(f"{what}p99 from a start to its incident", math.nan, "ms", limit=f"not measured: {str(error).partition(chr(10))[0]}")
        return
    limit = f"under {WANTED_P99_MS:.0f} ms" + ("" if wanted else f", at {WANTED_PER_S / 2:,.0f}/s")
    p50_ms, p99_ms = (float(np.percentile(list(took_ms.values()), share)) for share in (50, 99))
    yield Row(f"{what}p50 from a start to its incident", p50_ms, "ms")
    # At a lower rate than is wanted a short time shows nothing; a long one does.
    holds = p99_ms < WANTED_P99_MS
    yield Row(f"{what}p99, at a load of {os.getloadavg()[0]:.1f}", p99_ms, "ms", limit=limit, holds=holds if wanted or not holds else None)
    slowest = [waited_ms[event] for event, ms in took_ms.items() if ms >= p99_ms and event in waited_ms]
    usual = list(waited_ms.values())
    if slowest:
        for number, stage in enumerate(STAGES):
            means_ms = (sum(each[number] for each in several) / len(several) for several in (slowest, usual))
            yield Row(f"  the slowest 1 %, {stage}", next(means_ms), "ms", "all", next(means_ms))


def latencies(folder: Path, of: City, rate_per_s: float) -> tuple[dict[str, float], dict[str, tuple[float, ...]]]:
    """The time from publishing a start to the first incident that has it, and in which stages it was spent; in ms, by the start's id."""
    folder.mkdir()
    broker = _broker(folder)
    heard_s: dict[str, float] = {}

    def hear(_client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        now_s = time.monotonic()
        for event in json.loads(message.payload or b"{}").get("data", {}).get("events", ()):
            heard_s.setdefault(event, now_s)

    with Family(folder) as family:
        wait_for_port(family.start("broker", broker.command(), used=True), HOST, broker.port, 30.0)
        child, _ = hub(family, broker, of.site, (sys.executable, "-m", "tests.bench.hub_staged", str(folder / "notes")))
        listener = listening(broker.port, f"parvis/v1/{SITE}/incident/+", hear)
        publisher = _publish(family, broker.port, of.messages[: int(rate_per_s * PACED_S)], rate_per_s)
        if publisher.wait(PATIENCE_S) != 0:
            raise NotMeasuredError("the messages could not all be published")
        went_s: dict[str, float] = json.loads((folder / "sent.json").read_text())["went_s"]
        _wait(lambda: went_s.keys() <= heard_s.keys(), child, lambda: f"{len(heard_s):,} of {len(went_s):,} incidents")
        listener.disconnect()
        listener.loop_stop()
    return {event: (heard_s[event] - at_s) * 1e3 for event, at_s in went_s.items()}, waited_ms(folder / "notes", went_s, heard_s)


def _publish(family: Family, port: int, messages: list[Message], rate_per_s: float) -> Child:
    """From a process of its own."""
    file = write_messages(family.folder / "messages.txt", messages)
    more = [str(port), str(file), f"{rate_per_s}", str(family.folder / "sent.json")]
    return family.start("publisher", [sys.executable, "-m", "tests.bench.hub_processes", "publish", *more])


def _wait(done: Callable[[], bool], child: Child, so_far: Callable[[], str]) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not done():
        if child.returncode is not None:
            raise child.died()
        if time.monotonic() > until_s:
            raise NotMeasuredError(f"{so_far()} after {PATIENCE_S:.0f} s")
        time.sleep(0.1)


# --- alone --------------------------------------------------------------------------------------------------------------------


def _hour(folder: Path, of: City) -> Row:
    """A hub's memory after an hour of a city, beside that after twenty minutes; without waiting for it."""
    file = write_messages(folder / "hour.txt", of.messages)
    command = [sys.executable, "-m", "tests.bench.hub_processes", "hour", str(of.site), str(file)]
    what = "100 units: memory after an hour"
    try:
        said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE_S).stdout.split()
    except subprocess.SubprocessError as error:
        return Row(what, math.nan, "MiB", limit=f"not measured: {error}")
    after_mib = [int(kib) / 1024 for kib in said]
    limit = f"at most {MOST_HEAVIER}"
    return Row(what, after_mib[-1], "MiB", "after twenty minutes", after_mib[1], limit, after_mib[-1] <= MOST_HEAVIER * after_mib[1])


def bare_store(path: Path, messages: list[Message]) -> float:
    """Rows a second of processor time into SQLite as the hub sets it up: a write-ahead log, every commit on disk."""
    database = sqlite3.connect(path, isolation_level=None)
    database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE events (topic TEXT, message TEXT)")
    begun_s = time.process_time()
    for at in range(0, len(messages), BATCH):
        database.execute("BEGIN")
        database.executemany("INSERT INTO events VALUES (?, ?)", messages[at : at + BATCH])
        database.execute("COMMIT")
    rate = len(messages) / (time.process_time() - begun_s)
    database.close()
    return rate

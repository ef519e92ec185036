"""The hub: from broker to stored incident, beside a bare client and a bare store in the same run, for 10 to 10,000 units.

Rates are of processor time: messages by the seconds that the process was computing, which is what one core would do of them; so that
what else the machine does meanwhile counts little. The latency is the wall clock's: from publishing an event's start to the first
message of the incident that has it, at half of the rate that is wanted.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from parvis_contract import dump_unchecked, load_site, topic_of
from parvis_hub.intake.replay import replay

from parvis.broker import HOST
from parvis.children import Child, Family, wait_for_port
from tests.bench.report import Row
from tests.e2e.brokers import BrokerUnderTest, embedded_broker, mosquitto_broker
from tests.hub.street import SITE, Street, write_site

#: Of cities with so many units: what they say in the last hour, all of it sent as fast as it goes.
UNITS = (10, 100, 1_000, 10_000)
MESSAGES = 15_000
#: What is wanted of one core, and in what time a message is to be part of an incident at half of that.
WANTED_PER_S, WANTED_P99_MS = 5_000.0, 250.0
#: How long the latency is measured.
PACED_S = 10.0
#: Messages of one transaction, as the hub has at most.
BATCH = 500
#: A hub that is slower than this by far has stopped.
PATIENCE_S = 180.0
#: How often each thing happens in a city's hour, in parts of all: mostly what cameras say, a few sounds, a shot now and then.
HAPPENS = ("thing",) * 5 + ("crowd",) * 3 + ("tampered",) * 2 + ("alarm",)
SHOTS = 0.02

Message = tuple[str, bytes]


@dataclass(slots=True)
class City:
    """A plan and what its units say, in order of time."""

    site: Path
    messages: list[Message] = field(default_factory=list)


def city(folder: Path, units: int) -> City:
    """Of about so many units, on a square grid, whose messages end now."""
    side = max(2, round(units**0.5))
    site = folder / f"site-{units}.yaml"
    write_site(site, side, calibrated=units < 5_000)
    rng = random.Random(units)
    street = Street(rng, side)
    span_m = 80.0 * (side - 1)
    until_s = time.time()
    while len(street.messages) < MESSAGES:
        at_s = until_s - rng.uniform(200.0, 3_600.0)
        place_m = (rng.uniform(0.0, span_m), rng.uniform(0.0, span_m))
        what = "shot" if rng.random() < SHOTS else rng.choice(HAPPENS)
        if what == "tampered":
            street.tampered(at_s, rng.randrange(side * side))
        else:
            getattr(street, what)(at_s, place_m)
    made = sorted(street.messages, key=lambda message: (message.time, message.id))[:MESSAGES]
    return City(site, [(topic_of(message), dump_unchecked(message)) for message in made])


def rows() -> Iterator[Row]:
    """Measures."""
    with tempfile.TemporaryDirectory(prefix="parvis-bench-") as name:
        folder = Path(name)
        cities = {units: city(folder, units) for units in UNITS}
        middle = cities[100]
        broker_rate = through(folder / "bare", middle, bare_client)
        store_rate = bare_store(folder / "bare.sqlite", middle.messages)
        rates = {}
        for units, each in cities.items():
            rates[units] = through(folder / f"hub-{units}", each, hub)
            yield Row(
                f"{units:,} units: from broker to stored incident",
                rates[units],
                "messages/s of one core",
                "from broker to a bare client",
                broker_rate,
                f"at least {WANTED_PER_S:,.0f}",
                rates[units] >= WANTED_PER_S,
            )
        yield Row("100 units: the same", rates[100], "messages/s of one core", f"rows into bare SQLite, {BATCH} a commit", store_rate)
        cost = Row("10,000 units: a message", 1e6 / rates[10_000], "µs", "10 units: a message", 1e6 / rates[10], "at most 1.5")
        yield Row(cost.what, cost.value, cost.unit, cost.against, cost.reference, cost.limit, (cost.ratio or 9.0) <= 1.5)
        for share, value in latencies_ms(folder / "paced", middle).items():
            wanted = f"under {WANTED_P99_MS:.0f} ms" if share == 99 else ""
            what = f"100 units, {WANTED_PER_S / 2:,.0f} messages/s: p{share} from a start to its incident"
            yield Row(what, value, "ms", limit=wanted, holds=value < WANTED_P99_MS if share == 99 else None)
        begun_s = time.process_time()
        replay(load_site(middle.site), middle.messages, lambda *_: None)
        yield Row("100 units: replayed from a log", len(middle.messages) / (time.process_time() - begun_s), "messages/s of one core")


# --- processes ----------------------------------------------------------------------------------------------------------------


def _broker(folder: Path) -> BrokerUnderTest:
    program = shutil.which("mosquitto", path="/usr/local/sbin:/usr/sbin:/usr/bin:/bin")
    return mosquitto_broker(Path(program), folder / "broker") if program else embedded_broker()


def hub(family: Family, broker: BrokerUnderTest, site: Path) -> tuple[Child, Callable[[], int]]:
    """The hub as installed, without its console; and how many messages it has stored."""
    program = [sys.executable, "-c", "from parvis_hub.cli import app; app()", "run", "--no-console", "--site", str(site)]
    child = family.start("hub", [*program, "--broker", f"{HOST}:{broker.port}", "--data-dir", str(family.folder)])
    _wait(lambda: "connected" in child.last_lines(50), child)

    def stored() -> int:
        database = sqlite3.connect(f"file:{family.folder / 'hub.sqlite'}?mode=ro", uri=True, timeout=10.0)
        try:
            return int(database.execute("SELECT count(*) FROM events").fetchone()[0])
        finally:
            database.close()

    return child, stored


def bare_client(family: Family, broker: BrokerUnderTest, _site: Path) -> tuple[Child, Callable[[], int]]:
    """A client of the same library that acknowledges, counts, and does nothing else."""
    child = family.start("client", [sys.executable, "-m", __spec__.name, "listen", str(broker.port)])
    _wait(lambda: child.last_lines(1) != "", child)
    return child, lambda: int(child.last_lines(1) or 0)


def through(folder: Path, of: City, receiver: Callable[[Family, BrokerUnderTest, Path], tuple[Child, Callable[[], int]]]) -> float:
    """Messages per second of processor time until the receiver has them all."""
    folder.mkdir()
    broker = _broker(folder)
    with Family(folder) as family:
        wait_for_port(family.start("broker", broker.command(), used=True), HOST, broker.port, 30.0)
        child, count = receiver(family, broker, of.site)
        time.sleep(1.0)
        begun_s = _computed_s(child.pid)
        _publish(folder, broker.port, of.messages)
        _wait(lambda: count() >= len(of.messages), child)
        return len(of.messages) / (_computed_s(child.pid) - begun_s)


def latencies_ms(folder: Path, of: City) -> dict[int, float]:
    """Percentiles of the time from publishing a start to the first incident that has it."""
    folder.mkdir()
    broker = _broker(folder)
    sent_s: dict[str, float] = {}
    took_ms: dict[str, float] = {}

    def hear(_client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        now_s = time.monotonic()
        for event in json.loads(message.payload or b"{}").get("data", {}).get("events", ()):
            if event in sent_s:
                took_ms.setdefault(event, (now_s - sent_s[event]) * 1e3)

    with Family(folder) as family:
        wait_for_port(family.start("broker", broker.command(), used=True), HOST, broker.port, 30.0)
        hub(family, broker, of.site)
        listener = _listening(broker.port, f"parvis/v1/{SITE}/incident/+", hear)
        client = _client()
        client.connect(HOST, broker.port)
        client.loop_start()
        begun_s = time.monotonic()
        for number, (topic, body) in enumerate(of.messages[: int(WANTED_PER_S / 2 * PACED_S)]):
            time.sleep(max(0.0, begun_s + number / (WANTED_PER_S / 2) - time.monotonic()))
            data = json.loads(body)
            if data["data"]["phase"] in ("start", "instant"):
                sent_s[data["id"]] = time.monotonic()
            client.publish(topic, body, qos=1)
        _wait(lambda: len(took_ms) >= len(sent_s), family.children["hub"])
        for each in (client, listener):
            each.disconnect()
            each.loop_stop()
    values = list(took_ms.values())
    return {share: float(np.percentile(values, share)) for share in (50, 99)}


def _publish(folder: Path, port: int, messages: Sequence[Message]) -> None:
    """From a process of its own, as fast as they are acknowledged."""
    path = folder / "messages.txt"
    path.write_bytes(b"".join(topic.encode() + b" " + body + b"\n" for topic, body in messages))
    subprocess.run([sys.executable, "-m", __spec__.name, "publish", str(port), str(path)], check=True, timeout=PATIENCE_S)


def _client() -> mqtt.Client:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.max_inflight_messages_set(100)
    return client


def _listening(port: int, topics: str, hear: mqtt.CallbackOnMessage) -> mqtt.Client:
    listener = _client()
    subscribed = threading.Event()
    listener.on_message = hear
    listener.on_subscribe = lambda *_: subscribed.set()
    listener.connect(HOST, port)
    listener.subscribe(topics, 1)
    listener.loop_start()
    subscribed.wait(10.0)
    return listener


def _computed_s(pid: int) -> float:
    """Processor time that a process has used, in user and system mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _wait(done: Callable[[], bool], child: Child) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not done():
        if child.returncode is not None or time.monotonic() > until_s:
            raise child.died()
        time.sleep(0.05)


def bare_store(path: Path, messages: Sequence[Message]) -> float:
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


def _main(what: str, port: str, *path: str) -> None:
    """The processes beside the benchmark: one that publishes a file, and one that only listens."""
    if what == "publish":
        client = _client()
        client.connect(HOST, int(port))
        client.loop_start()
        lines = (line.split(b" ", 1) for line in Path(path[0]).read_bytes().splitlines())
        last = [client.publish(topic.decode(), body, qos=1) for topic, body in lines][-1]
        last.wait_for_publish(PATIENCE_S)
        client.disconnect()
        client.loop_stop()
        return
    came = 0

    def count(*_: object) -> None:
        nonlocal came
        came += 1

    _listening(int(port), f"parvis/v1/{SITE}/+/event/+", count)
    while True:
        sys.stdout.write(f"{came}\n")
        sys.stdout.flush()
        time.sleep(0.2)


if __name__ == "__main__":
    _main(*sys.argv[1:])

"""The hub: messages from the broker into the store and into incidents, beside a bare broker and a bare store."""

from __future__ import annotations

import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from parvis_contract import dump_unchecked, load_site, topic_of
from parvis_hub.intake.replay import replay

from parvis.broker import HOST
from parvis.children import Family, wait_for_port
from tests.bench.report import Row
from tests.e2e.brokers import BrokerUnderTest, embedded_broker, mosquitto_broker
from tests.hub.street import SITE, busy_street, write_site

#: The happenings of a busy hour in a quarter of 49 units make some nine thousand messages.
HAPPENINGS, HOUR_S, SIDE = 1_500, 3_600.0, 7
#: Messages of one transaction, as the hub has at most.
BATCH = 500
#: A hub that is slower than this by far has stopped.
PATIENCE_S = 120.0

Message = tuple[str, bytes]


def rows() -> Iterator[Row]:
    """Measures."""
    street = busy_street(1, HAPPENINGS, HOUR_S, SIDE, start_s=time.time() - 2 * HOUR_S)
    messages = [(topic_of(message), dump_unchecked(message)) for message in street.sorted()]
    with tempfile.TemporaryDirectory(prefix="parvis-bench-") as name:
        folder = Path(name)
        site = folder / "site.yaml"
        write_site(site, SIDE)
        program = shutil.which("mosquitto", path="/usr/local/sbin:/usr/sbin:/usr/bin:/bin")
        broker = mosquitto_broker(Path(program), folder / "broker") if program else embedded_broker()
        with Family(folder) as family:
            wait_for_port(family.start("broker", broker.command(), used=True), HOST, broker.port, 30.0)
            broker_rate = bare_broker(broker, messages)
            store_rate = bare_store(folder / "bare.sqlite", messages)
            hub_rate = through_hub(family, folder, broker, site, messages)
        begun_s = time.perf_counter()
        replay(load_site(site), messages, lambda *_: None)
        replay_rate = len(messages) / (time.perf_counter() - begun_s)
    yield Row(f"from broker to store and incidents ({broker.name})", hub_rate, "messages/s", "from broker to a bare client", broker_rate)
    yield Row("the same", hub_rate, "messages/s", f"rows into bare SQLite, synced, {BATCH} a commit", store_rate)
    yield Row("replayed from a log, without broker and store", replay_rate, "messages/s")


def _client() -> mqtt.Client:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.max_inflight_messages_set(100)
    return client


def _publish(broker: BrokerUnderTest, messages: Sequence[Message]) -> None:
    """Publishes all with QoS 1, as fast as they are acknowledged."""
    client = _client()
    client.connect(HOST, broker.port)
    client.loop_start()
    last = [client.publish(topic, body, qos=1) for topic, body in messages][-1]
    last.wait_for_publish(PATIENCE_S)
    client.disconnect()
    client.loop_stop()


def _rate(count: int, done: Callable[[], bool], begun_s: float) -> float:
    while not done():
        if time.perf_counter() - begun_s > PATIENCE_S:
            raise TimeoutError(f"{count} messages did not come through in {PATIENCE_S:.0f} s")
        time.sleep(0.02)
    return count / (time.perf_counter() - begun_s)


def bare_broker(broker: BrokerUnderTest, messages: Sequence[Message]) -> float:
    """Messages a second from one client to another that does nothing with them."""
    came = 0
    subscribed = threading.Event()

    def count(*_: object) -> None:
        nonlocal came
        came += 1

    listener = _client()
    listener.on_message = count
    listener.on_subscribe = lambda *_: subscribed.set()
    listener.connect(HOST, broker.port)
    listener.subscribe(f"parvis/v1/{SITE}/+/event/+", 1)
    listener.loop_start()
    subscribed.wait(10.0)
    begun_s = time.perf_counter()
    _publish(broker, messages)
    rate = _rate(len(messages), lambda: came >= len(messages), begun_s)
    listener.disconnect()
    listener.loop_stop()
    return rate


def bare_store(path: Path, messages: Sequence[Message]) -> float:
    """Rows a second into SQLite as the hub sets it up: a write-ahead log, every commit on disk."""
    database = sqlite3.connect(path, isolation_level=None)
    database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE events (topic TEXT, message TEXT)")
    begun_s = time.perf_counter()
    for at in range(0, len(messages), BATCH):
        database.execute("BEGIN")
        database.executemany("INSERT INTO events VALUES (?, ?)", messages[at : at + BATCH])
        database.execute("COMMIT")
    rate = len(messages) / (time.perf_counter() - begun_s)
    database.close()
    return rate


def through_hub(family: Family, folder: Path, broker: BrokerUnderTest, site: Path, messages: Sequence[Message]) -> float:
    """Messages a second until the hub has them all in its store."""
    program = [sys.executable, "-c", "from parvis_hub.cli import app; app()", "run", "--no-console", "--site", str(site)]
    family.start("hub", [*program, "--broker", f"{HOST}:{broker.port}", "--data-dir", str(folder)])
    path = folder / "hub.sqlite"

    def stored() -> int:
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10.0)
        try:
            return int(database.execute("SELECT count(*) FROM events").fetchone()[0])
        finally:
            database.close()

    until_s = time.monotonic() + 30.0
    while "connected" not in family.children["hub"].last_lines():
        if time.monotonic() > until_s or family.children["hub"].returncode is not None:
            raise family.children["hub"].died()
        time.sleep(0.05)
    time.sleep(0.5)
    begun_s = time.perf_counter()
    _publish(broker, messages)
    return _rate(len(messages), lambda: stored() >= len(messages), begun_s)

"""The processes beside the hub's benchmark: who publishes, who only listens, and a hub's hour without waiting for it.

    python -m tests.bench.hub_processes publish PORT MESSAGES RATE SENT | listen PORT TOPICS | hour SITE MESSAGES

A file of messages has one on each line: its topic, a space, what it says.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from parvis_contract import load_site
from parvis_hub.intake import Delivery, Intake
from parvis_hub.store import Database, Store, default_url

from parvis.broker import HOST

#: Nobody waits longer for a broker.
PATIENCE_S = 180.0
#: Of the hour's wall clock: how much of it one batch is.
STEP_S = 10.0
#: Memory is looked at so often in the hour, and old incidents are let go of, as the hub does.
LOOK_S, TIDY_S = 600.0, 60.0

Message = tuple[str, bytes]


def write_messages(path: Path, messages: list[Message]) -> Path:
    """The messages as a file."""
    path.write_bytes(b"".join(topic.encode() + b" " + body + b"\n" for topic, body in messages))
    return path


def read_messages(path: Path) -> Iterator[Message]:
    """What :func:`write_messages` wrote."""
    for line in path.read_bytes().splitlines():
        topic, _, body = line.partition(b" ")
        yield topic.decode(), body


def client() -> mqtt.Client:
    """One that has much under way."""
    made = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    made.max_inflight_messages_set(100)
    return made


def connected(port: int) -> mqtt.Client:
    """One that can publish."""
    made = client()
    there = threading.Event()
    made.on_connect = lambda *_: there.set()
    made.connect(HOST, port)
    made.loop_start()
    there.wait(10.0)
    return made


def listening(port: int, topics: str, hear: mqtt.CallbackOnMessage) -> mqtt.Client:
    """A client that has subscribed."""
    listener = client()
    subscribed = threading.Event()
    listener.on_message = hear
    listener.on_subscribe = lambda *_: subscribed.set()
    listener.connect(HOST, port)
    listener.subscribe(topics, 1)
    listener.loop_start()
    subscribed.wait(10.0)
    return listener


def publish(port: int, messages: Path, rate_per_s: float, sent: Path) -> None:
    """Publishes at a rate, 0 for as fast as it goes; and writes when each event's first message went, by its id, on the monotonic clock."""
    sender = connected(port)
    went_s: dict[str, float] = {}
    last = None
    begun_s = time.monotonic()
    for number, (topic, body) in enumerate(read_messages(messages)):
        if rate_per_s:
            time.sleep(max(0.0, begun_s + number / rate_per_s - time.monotonic()))
            said = json.loads(body)
            if said["data"].get("phase") in ("start", "instant"):
                went_s[said["id"]] = time.monotonic()
        last = sender.publish(topic, body, qos=1)
    if last is not None:
        last.wait_for_publish(PATIENCE_S)
    sender.disconnect()
    sender.loop_stop()
    sent.write_text(json.dumps({"took_s": time.monotonic() - begun_s, "went_s": went_s}))


def listen(port: int, topics: str) -> None:
    """Counts what comes, and does nothing else; prints how many five times a second, for ever."""
    came = 0

    def count(*_: object) -> None:
        nonlocal came
        came += 1

    listening(port, topics, count)
    while True:
        sys.stdout.write(f"{came}\n")
        sys.stdout.flush()
        time.sleep(0.2)


def hour(site_file: Path, messages: Path) -> None:
    """What a hub does of an hour's messages, at the pace of the messages' own times; prints its memory every ten minutes, in KiB."""
    site = load_site(site_file)
    waiting = [(json.loads(body)["time"], topic, body) for topic, body in read_messages(messages)]
    now_s = time.time() - 3_700.0
    with tempfile.TemporaryDirectory(prefix="parvis-bench-") as folder:
        store = Store(Database(default_url(Path(folder)), site.site), site, lambda: int(now_s * 1e6))
        intake = Intake(site, store)
        at, tidy_s, look_s = 0, now_s + TIDY_S, now_s + LOOK_S
        while at < len(waiting):
            now_s += STEP_S
            deliveries = []
            until = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now_s))
            while at < len(waiting) and waiting[at][0] < until:
                deliveries.append(Delivery(waiting[at][1], waiting[at][2], int(now_s * 1e6)))
                at += 1
            store.commit(intake.prepare(deliveries, int(now_s * 1e6)).batch)
            if now_s >= tidy_s:
                tidy_s += TIDY_S
                store.purge()
                intake.forget(int(now_s * 1e6))
            if now_s >= look_s:
                look_s += LOOK_S
                sys.stdout.write(f"{resident_kib(os.getpid())}\n")
        sys.stdout.write(f"{resident_kib(os.getpid())}\n")


def resident_kib(pid: int) -> int:
    """Memory that a process has, as the system counts it."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def computed_s(pid: int) -> float:
    """Processor time that a process has used, in user and system mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    what, *more = sys.argv[1:]
    if what == "publish":
        publish(int(more[0]), Path(more[1]), float(more[2]), Path(more[3]))
    elif what == "listen":
        listen(int(more[0]), more[1])
    else:
        hour(Path(more[0]), Path(more[1]))

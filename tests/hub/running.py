"""A hub as its own process, which tests may stop and kill; and units that publish with QoS 1."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from parvis_contract import Envelope, Incident, Site, dump_message, topic_of
from parvis_hub.store import Database, Desk, Notices, Store, default_url

#: Debian's mosquitto lets 20 messages be under way and drops all but 1,000 that wait for a hub that is down. No broker is killed here,
#: so that it need not write all that waits with every message.
BROKER_SETTINGS = "max_inflight_messages 1000\nmax_queued_messages 0\nautosave_on_changes false\nautosave_interval 1800\n"


class RunningHub:
    """`parvis-hub run` on a broker's port; what it is given besides comes last, so that it counts. Its process first runs `before`."""

    def __init__(self, site: Site, port: int, folder: Path, *more: str, before: str = "") -> None:
        self.site, self.port, self.folder = site, port, folder
        self._more, self._before = more, before
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._process is not None:
            self.end(signal.SIGKILL)

    @property
    def log(self) -> str:
        path = self.folder / "hub.log"
        return path.read_text() if path.exists() else ""

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        command = [
            sys.executable,
            "-c",
            f"{self._before}\nfrom parvis_hub.cli import app; app()",
            "run",
            "--site",
            str(self.site.path),
            "--no-console",
        ]
        command += ["--broker", f"127.0.0.1:{self.port}", "--data-dir", str(self.folder), *self._more]
        self._process = subprocess.Popen(command, stderr=(self.folder / "hub.log").open("ab"))

    def end(self, number: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        code = self._process.wait(20)
        self._process = None
        return code

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None


def open_desk(site: Site, folder: Path) -> Desk:
    """The desk of a store that a hub has made, or is writing."""
    return Desk(Store(Database(default_url(folder), site.site), site), site, Notices())


def wait_for(what: Callable[[], Any], within_s: float = 60.0) -> Any:
    """Asks until the answer is true; gives it. Fails if it never is."""
    until_s = time.monotonic() + within_s
    while time.monotonic() < until_s:
        if answer := what():
            return answer
        time.sleep(0.05)
    raise AssertionError(f"not within {within_s} s")


class Publishing:
    """Units that publish and wait until the broker has every message."""

    def __init__(self, port: int) -> None:
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"units-{port}", protocol=paho.MQTTv5)
        self._client.max_inflight_messages_set(500)
        self._connected = threading.Event()
        self._client.on_connect = lambda *_: self._connected.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._connected.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def raw(self, messages: Iterable[tuple[str, bytes]], *, pause_s: float = 0.0) -> None:
        sent = []
        for topic, payload in messages:
            sent.append(self._client.publish(topic, payload, qos=1))
            if pause_s:
                time.sleep(pause_s)
        for info in sent:
            info.wait_for_publish(30)

    def messages(self, messages: Iterable[Envelope[Any]], *, pause_s: float = 0.0) -> None:
        self.raw(((topic_of(message), dump_message(message)) for message in messages), pause_s=pause_s)


def gist(incident: Incident) -> tuple[Any, ...]:
    """An incident but for its state, which depends on the time of looking."""
    return tuple(sorted(incident.model_dump(mode="json", exclude={"state"}).items(), key=lambda item: item[0]))

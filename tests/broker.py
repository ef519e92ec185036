"""A real mosquitto on a free port of this machine, which tests may stop, kill and start again."""

from __future__ import annotations

import contextlib
import queue
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions


def free_port() -> int:
    """A port that nobody uses at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Broker:
    """Mosquitto, with its own folder. Its port stays the same over :meth:`kill` and :meth:`start`.

    Args:
        program: Mosquitto's.
        settings: Further lines of its configuration, such as an access list; `{folder}` is its folder.
        files: Texts to put in its folder, by name.
    """

    def __init__(self, program: Path, settings: str = "", files: dict[str, str] | None = None) -> None:
        self._program = program
        self._temporary = tempfile.TemporaryDirectory(prefix="parvis-broker-")
        self.folder = Path(self._temporary.name)
        self.folder.chmod(0o777)
        self.port = free_port()
        for name, text in (files or {}).items():
            (self.folder / name).write_text(text)
        anonymous = "" if "allow_anonymous" in settings else "allow_anonymous true\n"
        self._configuration = self.folder / "mosquitto.conf"
        self._configuration.write_text(
            f"listener {self.port} 127.0.0.1\n{anonymous}persistence true\npersistence_location {self.folder}/\n"
            f"autosave_on_changes true\nautosave_interval 1\n{settings.replace('{folder}', str(self.folder))}\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.stop()
        self._temporary.cleanup()

    @property
    def address(self) -> str:
        """`HOST:PORT`."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts it and waits until it answers."""
        self._process = subprocess.Popen(
            [self._program, "-c", self._configuration], stdout=subprocess.DEVNULL, stderr=(self.folder / "log").open("ab")
        )
        until_s = time.monotonic() + 10
        while time.monotonic() < until_s and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=0.5):
                return
            time.sleep(0.02)
        raise RuntimeError(f"mosquitto did not start: {(self.folder / 'log').read_text()}")

    def stop(self) -> None:
        """Ends it in order: it saves what it holds."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it without warning."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Kills it and starts it again."""
        self.kill()
        self.start()

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(10)
            self._process = None


class Subscriber:
    """A subscriber with a session of its own that outlives its connection, as a hub has; it comes back by itself.

    Args:
        port: The broker's.
        topic: What it subscribes to.
        name: Its session's.
    """

    def __init__(self, port: int, topic: str = "parvis/v1/#", name: str = "test") -> None:
        self.received: queue.SimpleQueue[tuple[str, bytes, bool]] = queue.SimpleQueue()
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 3600
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=paho.MQTTv5)
        self._client.reconnect_delay_set(0.05, 0.5)  # type: ignore[arg-type]
        self._topic = topic
        self._subscribed = threading.Event()
        self._client.on_message = self._on_message
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.connect("127.0.0.1", port, clean_start=False, properties=properties)
        self._client.loop_start()
        assert self._subscribed.wait(10), "the broker takes no subscription"

    def _on_connect(self, client: Any, *_: object) -> None:
        client.subscribe(self._topic, options=SubscribeOptions(qos=1))

    def _on_subscribe(self, *_: object) -> None:
        self._subscribed.set()

    def _on_message(self, client: Any, userdata: Any, message: paho.MQTTMessage) -> None:
        del client, userdata
        self.received.put((message.topic, message.payload, message.retain))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def messages(self, quiet_s: float = 1.0, within_s: float = 30.0) -> Iterator[tuple[str, bytes, bool]]:
        """Topic, payload, and whether it was retained, of each message, until none has come for a while."""
        until_s = time.monotonic() + within_s
        while time.monotonic() < until_s:
            try:
                yield self.received.get(timeout=quiet_s)
            except queue.Empty:
                return

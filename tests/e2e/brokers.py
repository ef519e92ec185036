"""Real brokers for tests: each in a process of its own on the loopback, so that it can be killed and started again."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from parvis.broker import HOST, BrokerPorts

#: Started by root, mosquitto would change to a user who may not write into a test's folder.
_MOSQUITTO = """\
{user}listener {port} {host}
allow_anonymous true
max_queued_messages 0
max_inflight_messages 1000
persistence true
persistence_location {folder}/
autosave_interval {autosave_s}
log_dest stderr
log_type error
log_type warning
"""


@dataclass(frozen=True, slots=True)
class BrokerUnderTest:
    """How to start a broker, and where it listens.

    Attributes:
        name: For the reader.
        port: MQTT 5.
        command: Starts it; what it keeps on disk it finds again.
        durable: It keeps something on disk, and says when nobody subscribes.
        data: The folder that it keeps it in; None if there is none.
    """

    name: str
    port: int
    command: Callable[[], list[str]]
    durable: bool
    data: Path | None = None


def mosquitto_broker(program: Path, folder: Path, *, autosave_s: int = 30) -> BrokerUnderTest:
    """mosquitto, keeping sessions, queues and retained messages on disk every ``autosave_s`` seconds."""
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    port = BrokerPorts.free().mqtt5
    configuration = folder / "mosquitto.conf"
    user = "user root\n" if os.geteuid() == 0 else ""
    configuration.write_text(_MOSQUITTO.format(user=user, host=HOST, port=port, folder=data, autosave_s=autosave_s))
    return BrokerUnderTest("mosquitto", port, lambda: [str(program), "-c", str(configuration)], durable=True, data=data)


def embedded_broker() -> BrokerUnderTest:
    """The demonstration's own, which keeps nothing on disk."""
    ports = BrokerPorts.free()
    return BrokerUnderTest("iotcore", ports.mqtt5, ports.command, durable=False)

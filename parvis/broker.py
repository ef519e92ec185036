"""The demonstration's broker: rumqttd (in the wheel `iotcore`) in a process of its own, on this machine's loopback only.

What it is good for: MQTT 5 on one port and 3.1.1 on another, quality of service 1, retained messages, wills, and sessions that
outlive a connection. What it cannot do, and why a site runs mosquitto: it keeps everything in memory, so that its death loses
the queues and the retained messages; it knows no certificates and no access list; and a subscriber that is away misses what
exceeds the queue of about ten thousand messages.
"""

from __future__ import annotations

import socket
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"

_LISTENER = """
[{version}.1]
name = "{version}"
listen = "{host}:{port}"
next_connection_delay_ms = 1
[{version}.1.connections]
connection_timeout_ms = 60000
max_payload_size = 262144
max_inflight_count = 100
dynamic_filters = true
"""

#: A topic's log is kept in segments, the oldest dropped: 10 MB for each subscription that is away, not the default's 1 GB.
_ROUTER = """
id = 0
[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 2000
max_segment_size = 1048576
max_segment_count = 10
"""


@dataclass(frozen=True, slots=True)
class BrokerPorts:
    """Where it listens.

    Attributes:
        mqtt5: Port for MQTT 5, which units and hub speak.
        mqtt3: Port for MQTT 3.1.1; the broker tells the two apart by the port alone.
    """

    mqtt5: int
    mqtt3: int

    @classmethod
    def free(cls) -> BrokerPorts:
        """Two ports of the loopback that nobody has at this moment."""
        return cls(*free_ports(2))

    @property
    def url(self) -> str:
        """The address that units and hub are given."""
        return f"mqtt://{HOST}:{self.mqtt5}"

    def configuration(self) -> str:
        """What rumqttd reads, in TOML."""
        listeners = (("v5", self.mqtt5), ("v4", self.mqtt3))
        return _ROUTER + "".join(_LISTENER.format(version=version, host=HOST, port=port) for version, port in listeners)

    def command(self) -> list[str]:
        """The command that runs the broker on these ports until it is ended."""
        return [sys.executable, "-m", "parvis.broker", str(self.mqtt5), str(self.mqtt3)]


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody has at this moment, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def serve(ports: BrokerPorts) -> None:
    """Runs the broker in this process; never returns."""
    from iotcore import IotCoreBroker

    with tempfile.TemporaryDirectory(prefix="parvis-broker-") as folder:
        path = Path(folder) / "rumqttd.toml"
        path.write_text(ports.configuration())
        broker = IotCoreBroker(config_path=str(path))
    broker.check_ports()
    broker.run_forever()


if __name__ == "__main__":
    serve(BrokerPorts(int(sys.argv[1]), int(sys.argv[2])))

"""paho's client, made quick for one that receives thousands of messages a second: 8 in place of 50 µs of processor time for each.

paho asks the operating system for a message in four pieces, reads all of its properties, and sends each acknowledgement by itself. Here
what has come is fetched at once, only what is needed is read of it, and acknowledgements go together. The rest, which is what is
difficult about MQTT, is paho's: connecting and connecting again, keeping alive, publishing. It has no public place for this; what is
taken hold of are the methods with an underscore below, which the tests with a real broker hold to what they should do.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterable
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes

#: What is fetched at once: some eighty messages.
_FETCHED_BYTES = 65_536
#: After so many messages it is seen to what is to be sent, however many more have come.
_READ_ON = 200
_ACKNOWLEDGED = struct.Struct("!BBH")
_TWO_BYTES = struct.Struct("!H")

#: Takes a topic and a payload, not checked; whether the broker retained it; and the number by which it is acknowledged, None if it is not.
Receiver = Callable[[bytes, bytes, bool, int | None], None]


class QuickClient(Client):
    """A client whose messages go to a function, in place of `on_message`, and are acknowledged by hand.

    Attributes:
        receive: That function; called in paho's thread, and must return at once.
    """

    receive: Receiver

    def acknowledge(self, numbers: Iterable[int]) -> None:
        """Acknowledges messages of QoS 1; from any thread."""
        packets = b"".join(_ACKNOWLEDGED.pack(PacketTypes.PUBACK << 4, 2, number) for number in numbers)
        if packets:
            self._packet_queue(PacketTypes.PUBACK << 4, packets, 0, 1)

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Handles what has been fetched, without asking the operating system in between."""
        result = super().loop_read(max_packets)
        for _ in range(_READ_ON):
            if result or not isinstance(self._sock, _Fetching) or not self._sock.pending():
                break
            result = super().loop_read(max_packets)
        return result

    def _create_socket(self) -> _Fetching:
        return _Fetching(super()._create_socket())

    def _handle_publish(self) -> MQTTErrorCode:
        flags, packet = self._in_packet["command"], self._in_packet["packet"]
        qos = flags >> 1 & 3
        try:
            (length,) = _TWO_BYTES.unpack_from(packet)
            at = 2 + length
            topic = bytes(packet[2:at])
            number = None
            if qos:
                (number,) = _TWO_BYTES.unpack_from(packet, at)
                at += 2
            # What a property says is of no interest here: the length of all of them, seven bits a byte, the lowest first.
            size = shift = 0
            while True:
                byte = packet[at]
                at += 1
                size |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    break
        except (struct.error, IndexError):
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        if qos > 1 or at + size > len(packet):
            # Nothing is subscribed to with QoS 2.
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        self.receive(topic, bytes(packet[at + size :]), bool(flags & 1), number)
        return MQTTErrorCode.MQTT_ERR_SUCCESS


class _Fetching:
    """A socket that fetches much at once and gives it in pieces. For one reader."""

    def __init__(self, held: Any) -> None:
        self._socket: socket.socket = held
        self._fetched, self._at = b"", 0

    def recv(self, size: int) -> bytes:
        """The next bytes, at most so many; empty at the end. Raises as the socket does while nothing has come."""
        if self._at == len(self._fetched):
            self._fetched, self._at = self._socket.recv(_FETCHED_BYTES), 0
        piece = self._fetched[self._at : self._at + size]
        self._at += len(piece)
        return piece

    def pending(self) -> int:
        """How many bytes can be had without waiting, that no `select` knows of: those fetched, and those that TLS has deciphered."""
        deciphered = getattr(self._socket, "pending", None)
        return len(self._fetched) - self._at + (deciphered() if deciphered else 0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

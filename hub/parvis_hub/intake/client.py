"""paho's client, made quick for thousands of messages a second: each costs a fifth of the processor time.

paho asks the operating system for a message in four pieces, reads all of its properties, sends each acknowledgement by itself, and with
each that it gets looks through everything that is under way. Here what has come is fetched at once, only what is needed is read of it, and
what goes goes together. The rest is paho's: connecting and connecting again, keeping alive, subscribing. It has no public place for
this; what is taken hold of are the methods with an underscore below, which the tests with a real broker hold to what they should do.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Literal

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes

#: What is fetched at once: some eighty messages.
_FETCHED_BYTES = 65_536
#: After so many messages it is seen to what is to be sent, however many more have come.
_READ_ON = 200
#: Messages sent and not yet confirmed, at most; more are sent as soon as half of them are.
MOST_UNDER_WAY = 200
_PUBLISH_QOS1, _PUBACK = PacketTypes.PUBLISH << 4 | 1 << 1, PacketTypes.PUBACK << 4
_DUPLICATE = 1 << 3
_ACKNOWLEDGED = struct.Struct("!BBH")
_TWO_BYTES = struct.Struct("!H")

#: Takes a topic and a payload, not checked; whether the broker retained it; and the number by which it is acknowledged, None if it is not.
Receiver = Callable[[bytes, bytes, bool, int | None], None]


class QuickClient(Client):
    """A client that subscribes and publishes with QoS 1, and acknowledges when it is told to.

    Attributes:
        receive: Takes what comes, in place of `on_message`; called in paho's thread, and must return at once.
        confirm: Takes the number of a message that was published, and the broker's reason code, in place of `on_publish`; likewise.
    """

    receive: Receiver
    confirm: Callable[[int, int], None]

    def __init__(self, *arguments: Any, **more: Any) -> None:
        """As paho's."""
        super().__init__(*arguments, **more)
        self._sending = threading.RLock()
        #: Packets by their numbers: to be sent, and sent but not confirmed.
        self._to_send: deque[tuple[int, bytes]] = deque()
        self._under_way: dict[int, bytes] = {}

    def acknowledge(self, numbers: Iterable[int]) -> None:
        """Acknowledges messages; from any thread."""
        packets = b"".join(_ACKNOWLEDGED.pack(_PUBACK, 2, number) for number in numbers)
        if packets:
            self._packet_queue(_PUBACK, packets, 0, 1)

    def give(self, topic: str, payload: bytes, *, retain: bool, properties: bytes) -> int:
        """Publishes a message, now or when there is a connection; from any thread.

        Args:
            topic: Where.
            payload: What.
            retain: The broker keeps it.
            properties: As MQTT writes them, with their length.

        Returns:
            The number that `confirm` will be called with.
        """
        name = topic.encode()
        with self._sending:
            number = self._mid_generate()
            rest = b"".join((_TWO_BYTES.pack(len(name)), name, _TWO_BYTES.pack(number), properties, payload))
            self._to_send.append((number, bytes((_PUBLISH_QOS1 | retain,)) + _size(len(rest)) + rest))
            self._send()
        return number

    def give_again(self) -> None:
        """Sends what an earlier connection may not have delivered, before all else: to be called when there is a connection."""
        with self._sending:
            again = [(number, bytes((packet[0] | _DUPLICATE,)) + packet[1:]) for number, packet in self._under_way.items()]
            self._to_send.extendleft(reversed(again))
            self._under_way.clear()
            self._send()

    def _send(self) -> None:
        """Sends what may be sent, if there is a connection."""
        packets = []
        while self._to_send and len(self._under_way) < MOST_UNDER_WAY and self.is_connected():
            number, packet = self._to_send.popleft()
            self._under_way[number] = packet
            packets.append(packet)
        if packets:
            self._packet_queue(_PUBLISH_QOS1, b"".join(packets), 0, 1)

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
            # What a property says is of no interest here: only how long all of them are.
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

    def _handle_pubackcomp(self, cmd: Literal["PUBACK", "PUBCOMP"]) -> MQTTErrorCode:
        packet = self._in_packet["packet"]
        if cmd != "PUBACK" or len(packet) < _TWO_BYTES.size:
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        (number,) = _TWO_BYTES.unpack_from(packet)
        with self._sending:
            known = self._under_way.pop(number, None) is not None
            if len(self._under_way) <= MOST_UNDER_WAY // 2:
                self._send()
        if known:
            # A reason is left out where it is success.
            self.confirm(number, packet[2] if len(packet) > _TWO_BYTES.size else 0)
        return MQTTErrorCode.MQTT_ERR_SUCCESS


def _size(count: int) -> bytes:
    """A length as MQTT writes it: seven bits a byte, the lowest first."""
    written = bytearray()
    while count > 0x7F:
        written.append(count & 0x7F | 0x80)
        count >>= 7
    written.append(count)
    return bytes(written)


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

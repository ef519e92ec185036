"""paho's client, made quick for thousands of messages a second: each costs a tenth of the processor time.

paho asks the operating system for a message in four pieces, reads all of its properties, sends each acknowledgement by itself, and with
each that it gets looks through everything that is under way. Here what has come in some milliseconds is fetched at once, only what is
needed is read of it, and what goes goes together. The rest is paho's: connecting and connecting again, keeping alive, subscribing. It has
no public place for this; what is taken hold of are the methods with an underscore below, which the tests with a real broker hold to what
they should do.
"""

from __future__ import annotations

import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes

#: What is fetched at once: some four hundred messages.
_FETCHED_BYTES = 262_144
#: Between two fetches. A broker hands over each message as it comes, and a fetch costs as much as reading ten; a batch waits longer.
_BETWEEN_S = 0.01
#: Messages sent and not yet confirmed, at most; more are sent as soon as half of them are.
MOST_UNDER_WAY = 200
_PUBLISH, _PUBACK = PacketTypes.PUBLISH << 4, PacketTypes.PUBACK << 4
_PUBLISH_QOS1 = _PUBLISH | 1 << 1
_DUPLICATE = 1 << 3
_ACKNOWLEDGED = struct.Struct("!BBH")
_TWO_BYTES = struct.Struct("!H")
#: A length in MQTT has at most four bytes, of seven bits each.
_LENGTH_BITS = 28


class Message(NamedTuple):
    """A message as it came, not checked.

    Attributes:
        topic, payload: Any bytes.
        retained: The broker had it already.
        number: By which it is acknowledged; None if it is not.
    """

    topic: bytes
    payload: bytes
    retained: bool
    number: int | None


class QuickClient(Client):
    """A client that subscribes and publishes with QoS 1, and acknowledges when it is told to.

    Attributes:
        receive: Takes what has come, in place of `on_message`; called in paho's thread, and must return at once.
        confirm: Takes the number of a message that was published, and the broker's reason code, in place of `on_publish`; likewise.
        ended_by: What ended paho's thread; None while nothing has.
    """

    receive: Callable[[list[Message]], None]
    confirm: Callable[[int, int], None]

    def __init__(self, *arguments: Any, **more: Any) -> None:
        """As paho's."""
        super().__init__(*arguments, **more)
        self._sending = threading.RLock()
        self._held_back = False
        #: Packets by their numbers: to be sent, and sent but not confirmed.
        self._to_send: deque[tuple[int, bytes]] = deque()
        self._under_way: dict[int, bytes] = {}
        #: What has been fetched of a packet that is not whole yet, and when that was.
        self._begun, self._fetched_s = b"", 0.0
        self.ended_by: BaseException | None = None

    def acknowledge(self, numbers: Iterable[int]) -> None:
        """Acknowledges messages; from any thread."""
        packets = b"".join(_ACKNOWLEDGED.pack(_PUBACK, 2, number) for number in numbers)
        if packets:
            self._packet_queue(_PUBACK, packets, 0, 1)

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is published within goes at its end, at once."""
        with self._sending:
            self._held_back = True
            try:
                yield
            finally:
                self._held_back = False
                self._send()

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
        while self._to_send and not self._held_back and len(self._under_way) < MOST_UNDER_WAY and self.is_connected():
            number, packet = self._to_send.popleft()
            self._under_way[number] = packet
            packets.append(packet)
        if packets:
            self._packet_queue(_PUBLISH_QOS1, b"".join(packets), 0, 1)

    # --- receiving, in paho's thread ------------------------------------------------------------------------------------------

    def _thread_main(self) -> None:
        try:
            super()._thread_main()
        except BaseException as error:
            self.ended_by = error
            raise

    def _create_socket(self) -> Any:
        self._begun = b""
        return super()._create_socket()

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Fetches what has come, and handles every packet that is whole."""
        del max_packets
        time.sleep(max(0.0, self._fetched_s + _BETWEEN_S - time.monotonic()))
        if self._sock is None:
            return MQTTErrorCode.MQTT_ERR_NO_CONN
        try:
            fetched = self._sock_recv(_FETCHED_BYTES)
            # No `select` knows of what TLS has deciphered already.
            while (pending := getattr(self._sock, "pending", None)) and pending():
                fetched += self._sock_recv(_FETCHED_BYTES)
        except BlockingIOError:
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        except OSError:
            fetched = b""
        if not fetched:
            return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
        self._fetched_s = time.monotonic()
        with self._msgtime_mutex:
            self._last_bytes_received = self._fetched_s
        result = self._handle(self._begun + fetched)
        return self._loop_rc_handle(result) if result else result

    def _handle(self, fetched: bytes) -> MQTTErrorCode:
        """Handles the packets, and keeps the beginning of one that is not whole."""
        at, came = 0, list[Message]()
        try:
            while (bounds := _bounds(fetched, at)) is not None:
                begins, ends = bounds
                kind = fetched[at] & 0xF0
                if kind == _PUBLISH:
                    came.append(_message(fetched, at, begins, ends))
                elif kind == _PUBACK:
                    self._confirmed(fetched[begins:ends])
                elif (result := self._hand_over(fetched[at], fetched[begins:ends])) or self._sock is None:
                    return result or MQTTErrorCode.MQTT_ERR_NO_CONN
                at = ends
            self._begun = fetched[at:]
        except (ValueError, struct.error, IndexError):
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        finally:
            if came:
                self.receive(came)
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _hand_over(self, command: int, packet: bytes) -> MQTTErrorCode:
        """Has paho handle a packet as if it had fetched it."""
        self._in_packet |= {"command": command, "packet": bytearray(packet), "remaining_length": len(packet), "pos": 0}
        result = self._packet_handle()
        self._in_packet |= {"command": 0, "packet": bytearray(), "remaining_length": 0}
        return result

    def _confirmed(self, packet: bytes) -> None:
        (number,) = _TWO_BYTES.unpack_from(packet)
        with self._sending:
            known = self._under_way.pop(number, None) is not None
            if len(self._under_way) <= MOST_UNDER_WAY // 2:
                self._send()
        if known:
            # A reason is left out where it is success.
            self.confirm(number, packet[2] if len(packet) > _TWO_BYTES.size else 0)


def _bounds(fetched: bytes, at: int) -> tuple[int, int] | None:
    """Where what a packet says begins and ends; None if it is not whole. Raises ValueError if its length is none."""
    begins, size, shift = at + 1, 0, 0
    while begins < len(fetched):
        byte = fetched[begins]
        begins += 1
        size |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (begins, begins + size) if begins + size <= len(fetched) else None
        shift += 7
        if shift == _LENGTH_BITS:
            raise ValueError("a length has four bytes at most")
    return None


def _message(fetched: bytes, at: int, begins: int, ends: int) -> Message:
    """Reads what was published. Raises ValueError, struct.error or IndexError if it is not as MQTT 5 writes it."""
    flags = fetched[at]
    (length,) = _TWO_BYTES.unpack_from(fetched, begins)
    here = begins + 2 + length
    topic = fetched[begins + 2 : here]
    number = None
    if flags & 6:
        (number,) = _TWO_BYTES.unpack_from(fetched, here)
        here += 2
    # What a property says is of no interest here: only how long all of them are.
    properties = _bounds(fetched, here - 1)
    if flags & 4 or properties is None or properties[1] > ends:
        # Nothing is subscribed to with QoS 2.
        raise ValueError("not a message of QoS 0 or 1")
    return Message(topic, fetched[properties[1] : ends], bool(flags & 1), number)


def _size(count: int) -> bytes:
    """A length as MQTT writes it: seven bits a byte, the lowest first."""
    written = bytearray()
    while count > 0x7F:
        written.append(count & 0x7F | 0x80)
        count >>= 7
    written.append(count)
    return bytes(written)

"""A wire between a unit and its broker that keeps everything the unit sends, and reads it as MQTT 5."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Self

CONNECT, PUBLISH, PUBACK, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 4, 8, 12, 14


@dataclass(frozen=True)
class Packet:
    """What the unit sent: its kind, its length, its topic (of a SUBSCRIBE: the one it asks for) and payload (of a CONNECT: of the will)."""

    kind: int
    size: int
    topic: str = ""
    payload: bytes = b""


class Wiretap:
    """Listens on a port of its own, passes everything on, and keeps what the unit sends.

    Args:
        port: The broker's.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.sent: list[bytearray] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                unit, _ = self._listener.accept()
                broker = socket.create_connection(("127.0.0.1", self._to))
                kept = bytearray()
                self.sent.append(kept)
                threading.Thread(target=_pass_on, args=(unit, broker, kept), daemon=True).start()
                threading.Thread(target=_pass_on, args=(broker, unit, None), daemon=True).start()

    def packets(self) -> list[Packet]:
        """Everything that the unit sent; an error if any byte is no MQTT."""
        return [packet for connection in self.sent for packet in _packets(bytes(connection))]


def _pass_on(source: socket.socket, target: socket.socket, kept: bytearray | None) -> None:
    with contextlib.suppress(OSError):
        while content := source.recv(65_536):
            if kept is not None:
                kept.extend(content)
            target.sendall(content)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at


def _field(content: bytes, at: int) -> tuple[bytes, int]:
    size = int.from_bytes(content[at : at + 2], "big")
    return content[at + 2 : at + 2 + size], at + 2 + size


def _packets(content: bytes) -> list[Packet]:
    packets, at = [], 0
    while at < len(content):
        kind, qos = content[at] >> 4, content[at] >> 1 & 3
        size, begin = _varint(content, at + 1)
        body = content[begin : begin + size]
        assert len(body) == size, "a packet was cut short"
        topic, payload = b"", b""
        if kind == PUBLISH:
            topic, after = _field(body, 0)
            after += 2 if qos else 0
            properties, after = _varint(body, after)
            payload = body[after + properties :]
        elif kind == CONNECT:
            properties, after = _varint(body, 10)
            _, after = _field(body, after + properties)
            properties, after = _varint(body, after)
            topic, after = _field(body, after + properties)
            payload, after = _field(body, after)
            assert after == size, "a CONNECT with more than a last will in it"
        elif kind == SUBSCRIBE:
            properties, after = _varint(body, 2)
            topic, after = _field(body, after + properties)
            assert after + 1 == size, "a SUBSCRIBE with more than one topic in it"
        packets.append(Packet(kind, size, topic.decode(), payload))
        at = begin + size
    return packets

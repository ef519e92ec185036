"""A camera on this machine: a small RTSP server (RFC 2326, RTP over TCP) that draws its pictures, and misbehaves when told to.

It sends MPEG-4 video (RFC 6416): the bit stream of one picture, cut into packets, the last of them marked.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from types import TracebackType
from typing import Any, Self

import av

from .clips import Image, grey

RATE_HZ = 20
_CLOCK_HZ = 90_000
_PACKET_BYTES = 1_400


class Camera:
    """A camera; what it shows and how it fails can be changed while it runs.

    Args:
        draw: Gives the picture with a number; light grey without.

    Attributes:
        url: Where it is watched.
        viewers: How many connections it has served.
        frozen: True sends nothing more, but stays connected.
        garbage: True sends random bytes in place of pictures.
        repeats: True sends the same coded picture again and again, as a camera does whose program hangs.
        noise: True sends random bytes in place of packets, as a line that is badly damaged.
    """

    def __init__(self, draw: Callable[[int], Image] | None = None) -> None:
        self.draw = draw or _daylight
        self.frozen = False
        self.garbage = False
        self.noise = False
        self.repeats = False
        self.viewers = 0
        self._closing = threading.Event()
        self._listener: socket.socket | None = None
        self._connections: set[socket.socket] = set()
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._port = probe.getsockname()[1]
        self.url = f"rtsp://viewer:secret@127.0.0.1:{self._port}/view"

    def __enter__(self) -> Self:
        self.switch_on()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._closing.set()
        self.switch_off()

    def switch_on(self) -> None:
        """Listens."""
        listener = socket.create_server(("127.0.0.1", self._port))
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def switch_off(self) -> None:
        """Drops every viewer and listens no more."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        self._connections.add(connection)
        with connection, contextlib.suppress(OSError), connection.makefile("rb") as requests:
            while line := requests.readline().decode():
                if line.startswith("$"):
                    continue
                method = line.split(" ")[0]
                headers = {}
                while (header := requests.readline().decode().strip()) != "":
                    name, _, value = header.partition(":")
                    headers[name.lower()] = value.strip()
                self._answer(connection, method, headers)
                if method == "PLAY":
                    self.viewers += 1
                    threading.Thread(target=self._send, args=(connection,), daemon=True).start()
        self._connections.discard(connection)

    def _answer(self, connection: socket.socket, method: str, headers: dict[str, str]) -> None:
        lines = ["RTSP/1.0 200 OK", f"CSeq: {headers.get('cseq', '0')}"]
        body = ""
        if method == "OPTIONS":
            lines.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")
        elif method == "DESCRIBE":
            body = (
                "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=view\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\na=control:*\r\n"
                f"m=video 0 RTP/AVP 96\r\na=rtpmap:96 MP4V-ES/{_CLOCK_HZ}\r\na=control:track0\r\n"
            )
            lines += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
        elif method == "SETUP":
            lines += ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 1"]
        else:
            lines.append("Session: 1")
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode())

    def _send(self, connection: socket.socket) -> None:
        """Pictures at their rate, until the viewer or the camera goes."""
        encoder: Any = None
        whole = b""
        sequence = 0
        begun_s = time.monotonic()
        with contextlib.suppress(OSError):
            for number in range(1_000_000):
                if self._closing.wait(max(0.0, begun_s + number / RATE_HZ - time.monotonic())):
                    return
                if self.frozen:
                    continue
                image = self.draw(number)
                if encoder is None or (encoder.height, encoder.width) != image.shape[:2]:
                    encoder = _encoder(image)
                frame = av.VideoFrame.from_ndarray(image, format="bgr24")
                frame.pts, frame.time_base = number, Fraction(1, RATE_HZ)
                packets = encoder.encode(frame)
                content = b"".join(bytes(packet) for packet in packets)
                if self.repeats and whole:
                    content = whole
                elif any(packet.is_keyframe for packet in packets):
                    whole = content
                if self.garbage:
                    content = os.urandom(len(content) + 100)
                if self.noise:
                    connection.sendall(os.urandom(1_000))
                    continue
                parts = [content[at : at + _PACKET_BYTES] for at in range(0, len(content), _PACKET_BYTES)]
                for index, part in enumerate(parts):
                    marked = 0x80 if index == len(parts) - 1 else 0
                    stamp = number * _CLOCK_HZ // RATE_HZ
                    header = struct.pack(">BBHII", 0x80, 96 | marked, sequence & 0xFFFF, stamp, 1)
                    connection.sendall(struct.pack(">cBH", b"$", 0, len(header) + len(part)) + header + part)
                    sequence += 1


def _daylight(number: int) -> Image:
    del number
    return grey(200)


def _encoder(image: Image) -> Any:
    encoder: Any = av.CodecContext.create("mpeg4", "w")
    encoder.height, encoder.width = image.shape[:2]
    encoder.pix_fmt = "yuv420p"
    encoder.time_base = Fraction(1, RATE_HZ)
    encoder.framerate = RATE_HZ
    encoder.gop_size = 5
    encoder.max_b_frames = 0
    encoder.open()
    return encoder

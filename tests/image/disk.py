"""A disk with a cache that forgets: what was not flushed when the power is cut may be gone, as with a real card."""

from __future__ import annotations

import os
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from parvis_deploy.layout import MIB, Partition, read_table

#: What the cache keeps or forgets as one.
BLOCK_BYTES = 4096
#: Of the Network Block Device protocol (github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md): what is spoken of it here.
_EXPORT, _ABORT, _INFO, _GO = 1, 2, 6, 7
_REPLY_MAGIC, _ACK, _TELL, _UNKNOWN = 0x3E889045565A9, 1, 3, 0x80000001
#: The disk can flush, and writes at once what it is told to (FUA).
_FLAGS = 1 | 4 | 8
_READ, _WRITE, _END, _FLUSH = 0, 1, 2, 3
_FUA = 1


@dataclass(frozen=True)
class Moment:
    """When the power is to be cut: before a write to a partition, counted and looked at from when it was asked for.

    Attributes:
        partition: How its name begins.
        after_bytes: So many bytes have been written to it before.
        having: The write contains this.
    """

    partition: str
    after_bytes: int = 0
    having: bytes = b""


class Disk:
    """A card's file, served to one emulated machine at a time over a socket (NBD).

    Writes stay in memory until the machine flushes. At a power cut, of the blocks that were not flushed, half reach the file and half do
    not, drawn by a generator with a seed: a real card's cache writes in an order of its own.

    Args:
        file: The card.
        address: The socket.
        seed: Of the generator.
    """

    def __init__(self, file: Path, address: Path, seed: int = 1) -> None:
        self.address = address
        self._file = os.open(file, os.O_RDWR)
        self._size = os.fstat(self._file).st_size
        self._parts = read_table(os.pread(self._file, MIB, 0))
        self._random = Random(seed)
        self._cache: dict[int, bytearray] = {}
        self._lock = threading.Lock()
        self._moment: Moment | None = None
        #: Bytes written to each partition since the last :meth:`hold`.
        self.written: dict[str, int] = {}
        self.reached = threading.Event()
        address.unlink(missing_ok=True)
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(address))
        self._listening.listen(1)
        threading.Thread(target=self._serve, daemon=True).start()

    def part(self, name: str) -> Partition:
        """One of the card's partitions."""
        return next(each for each in self._parts if each.name == name)

    def hold(self, moment: Moment | None) -> None:
        """From that moment on the disk answers no write to that partition any more, so that the power can be cut right there."""
        with self._lock:
            self._moment = moment
            self.written = {}
            self.reached.clear()

    def cut(self) -> tuple[int, int]:
        """The power is gone (end the machine first).

        Returns:
            How many blocks had not been flushed, and how many of them are lost.
        """
        with self._lock:
            lost = 0
            for block in sorted(self._cache):
                if self._random.random() < 0.5:
                    os.pwrite(self._file, self._cache[block], block * BLOCK_BYTES)
                else:
                    lost += 1
            count = len(self._cache)
            self._cache.clear()
            self._moment = None
            self.reached.clear()
            return count, lost

    def settle(self) -> None:
        """Flushes all, as a disk does in time while it has power."""
        with self._lock:
            self._flush(sorted(self._cache))

    def close(self) -> None:
        """Ends the serving; what was flushed is in the file."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        os.close(self._file)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection, suppress(EOFError, ConnectionError):
                self._greet(connection)
                self._answer(connection)

    def _greet(self, connection: socket.socket) -> None:
        connection.sendall(b"NBDMAGICIHAVEOPT" + struct.pack(">H", 3))
        _exactly(connection, 4)
        while True:
            _, option, length = struct.unpack(">QII", _exactly(connection, 16))
            _exactly(connection, length)

            def reply(kind: int, content: bytes = b"", option: int = option) -> None:
                connection.sendall(struct.pack(">QIII", _REPLY_MAGIC, option, kind, len(content)) + content)

            if option == _EXPORT:
                connection.sendall(struct.pack(">QH", self._size, _FLAGS))
                return
            if option in (_INFO, _GO):
                reply(_TELL, struct.pack(">HQH", 0, self._size, _FLAGS))
                reply(_ACK)
                if option == _GO:
                    return
            else:
                reply(_ACK if option == _ABORT else _UNKNOWN)

    def _answer(self, connection: socket.socket) -> None:
        while True:
            _, flags, kind, handle, offset, length = struct.unpack(">IHHQQI", _exactly(connection, 28))
            content = _exactly(connection, length) if kind == _WRITE else b""
            if kind == _END:
                return
            with self._lock:
                if kind == _WRITE and self._is_held(offset, content):
                    continue
                found = self._read(offset, length) if kind == _READ else b""
                if kind == _WRITE:
                    self._write(offset, content)
                if kind == _FLUSH:
                    self._flush(sorted(self._cache))
                elif kind == _WRITE and flags & _FUA:
                    self._flush(_blocks(offset, length))
            connection.sendall(struct.pack(">IIQ", 0x67446698, 0, handle) + found)

    def _is_held(self, offset: int, content: bytes) -> bool:
        part = next((each for each in self._parts if each.first_byte <= offset < each.first_byte + each.size_bytes), None)
        if part is None:
            return False
        total = self.written[part.name] = self.written.get(part.name, 0) + len(content)
        moment = self._moment
        if moment is None or not part.name.startswith(moment.partition):
            return False
        if not self.reached.is_set() and (total <= moment.after_bytes or moment.having not in content):
            return False
        self.reached.set()
        return True

    def _read(self, offset: int, length: int) -> bytes:
        found = bytearray(os.pread(self._file, length, offset))
        if self._cache:
            for block in _blocks(offset, length):
                if (fresh := self._cache.get(block)) is not None:
                    at = block * BLOCK_BYTES - offset
                    begin, end = max(at, 0), min(at + BLOCK_BYTES, length)
                    found[begin:end] = fresh[begin - at : end - at]
        return bytes(found)

    def _write(self, offset: int, content: bytes) -> None:
        length = len(content)
        for block in _blocks(offset, length):
            at = block * BLOCK_BYTES - offset
            begin, end = max(at, 0), min(at + BLOCK_BYTES, length)
            if end - begin == BLOCK_BYTES:
                self._cache[block] = bytearray(content[begin:end])
                continue
            if block not in self._cache:
                self._cache[block] = bytearray(os.pread(self._file, BLOCK_BYTES, block * BLOCK_BYTES))
            self._cache[block][begin - at : end - at] = content[begin:end]

    def _flush(self, blocks: range | list[int]) -> None:
        for block in blocks:
            if (fresh := self._cache.pop(block, None)) is not None:
                os.pwrite(self._file, fresh, block * BLOCK_BYTES)


def _blocks(offset: int, length: int) -> range:
    return range(offset // BLOCK_BYTES, (offset + length - 1) // BLOCK_BYTES + 1) if length else range(0)


def _exactly(connection: socket.socket, count: int) -> bytes:
    found = bytearray()
    while len(found) < count:
        more = connection.recv(min(count - len(found), 1 << 20))
        if not more:
            raise EOFError
        found += more
    return bytes(found)

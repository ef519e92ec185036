"""The disk that forgets: what was flushed stays, what was not may go, and writes are held at the moment that was asked for."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from parvis_deploy.layout import disk_bytes, partitions, table

from tests.image.disk import BLOCK_BYTES, Disk, Moment

PARTS = partitions("generic")


class Client:
    """As QEMU speaks to it."""

    def __init__(self, address: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(address))
        self.socket.settimeout(5)
        assert self.take(18)[:16] == b"NBDMAGICIHAVEOPT"
        self.socket.sendall(struct.pack(">I", 3))
        # Structured replies, which it does not know, and then the export without a name.
        self.socket.sendall(struct.pack(">8sII", b"IHAVEOPT", 8, 0))
        assert struct.unpack(">QIII", self.take(20))[2] == 0x80000001
        self.socket.sendall(struct.pack(">8sII", b"IHAVEOPT", 7, 6) + struct.pack(">IH", 0, 0))
        _, _, kind, length = struct.unpack(">QIII", self.take(20))
        assert (kind, struct.unpack(">HQH", self.take(length))[1]) == (3, disk_bytes(PARTS))
        assert struct.unpack(">QIII", self.take(20))[2] == 1

    def take(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            found += self.socket.recv(count - len(found))
        return found

    def ask(self, kind: int, at: int = 0, length: int = 0, content: bytes = b"", flags: int = 0) -> bytes:
        self.socket.sendall(struct.pack(">IHHQQI", 0x25609513, flags, kind, 7, at, length or len(content)) + content)
        assert struct.unpack(">IIQ", self.take(16)) == (0x67446698, 0, 7)
        return self.take(length)


@pytest.fixture
def card(tmp_path: Path) -> Path:
    path, size = tmp_path / "card.img", disk_bytes(PARTS)
    first, _ = table(PARTS, size)
    with path.open("wb") as file:
        file.truncate(size)
        file.write(first)
    return path


@pytest.fixture
def disk(card: Path, tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(card, tmp_path / "socket")
    yield disk
    disk.close()


def at_of(name: str) -> int:
    return next(each.first_byte for each in PARTS if each.name == name)


def read(card: Path, at: int, length: int) -> bytes:
    with card.open("rb") as file:
        file.seek(at)
        return file.read(length)


def test_what_was_flushed_stays_and_of_the_rest_half_is_lost(card: Path, disk: Disk) -> None:
    client, at = Client(disk.address), at_of("parvis-data")
    kept, hoped = b"k" * 64 * BLOCK_BYTES, b"h" * 64 * BLOCK_BYTES
    client.ask(1, at, content=kept)
    client.ask(3)
    client.ask(1, at + len(kept), content=hoped)
    assert client.ask(0, at, len(kept) + len(hoped)) == kept + hoped
    assert read(card, at, len(kept) + len(hoped)) == kept + bytes(len(hoped))
    count, lost = disk.cut()
    assert count == 64
    assert 0 < lost < count
    assert read(card, at, len(kept)) == kept
    assert read(card, at + len(kept), len(hoped)).count(b"h") == (count - lost) * BLOCK_BYTES


def test_what_is_to_be_written_at_once_is(card: Path, disk: Disk) -> None:
    client, at = Client(disk.address), at_of("parvis-data")
    client.ask(1, at + 512, content=b"later" * 100)
    client.ask(1, at + BLOCK_BYTES, content=b"x" * 512, flags=1)
    assert read(card, at + BLOCK_BYTES, 512) == b"x" * 512
    assert read(card, at + 512, 500) == bytes(500)
    assert client.ask(0, at, 2 * BLOCK_BYTES)[512:1012] == b"later" * 100


@pytest.mark.parametrize("moment", [Moment("parvis-root", 8192), Moment("parvis-root-b", having=b"title")])
def test_a_write_is_held_at_its_moment_and_others_go_on(moment: Moment, card: Path, disk: Disk) -> None:
    client = Client(disk.address)
    disk.hold(moment)
    client.ask(1, at_of("parvis-root-b"), content=b"a" * 8192)
    assert not disk.reached.is_set()
    client.socket.sendall(struct.pack(">IHHQQI", 0x25609513, 0, 1, 9, at_of("parvis-root-b") + 8192, 512) + b"title".ljust(512))
    client.ask(1, at_of("parvis-data"), content=b"d" * 512)
    assert disk.reached.is_set()
    assert disk.written == {"parvis-root-b": 8704, "parvis-data": 512}
    client.ask(3)
    disk.cut()
    assert read(card, at_of("parvis-root-b"), 8704) == b"a" * 8192 + bytes(512)

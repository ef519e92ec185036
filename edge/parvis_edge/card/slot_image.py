"""A root's image into a slot: only what differs is written, so that an interrupted writing goes on by itself; and it is read back."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

CHUNK_BYTES = 4 << 20


class SlotError(Exception):
    """The image is damaged, too large, or the disk does not hold what was written."""


def write(archive: Path, device: Path, told: Callable[[int], None]) -> int:
    """Writes an image into a slot.

    Args:
        archive: The image, packed by zstd.
        device: The slot's partition.
        told: Is given the bytes that are in place, after each chunk.

    Returns:
        How many bytes had to be written.

    Raises:
        SlotError: The archive cannot be unpacked, or the slot is too small.
        OSError: The disk fails.
    """
    written = at = 0
    with device.open("r+b", buffering=0) as slot, _unpacked(archive) as image:
        room = slot.seek(0, os.SEEK_END)
        for chunk in _chunks(image):
            if at + len(chunk) > room:
                raise SlotError(f"{archive.name}: larger than the slot of {room / 1e9:.1f} GB")
            slot.seek(at)
            if read_exactly(slot, len(chunk)) != chunk:
                slot.seek(at)
                write_all(slot, chunk)
                written += len(chunk)
                # A little at a time: a card that is given much at once stalls everybody else.
                os.fdatasync(slot.fileno())
            at += len(chunk)
            told(at)
        os.fsync(slot.fileno())
    return written


def check(archive: Path, device: Path, told: Callable[[int], None]) -> None:
    """Reads a slot back from the disk itself, and compares it with the image.

    Raises:
        SlotError: They differ, or the archive cannot be unpacked.
    """
    at = 0
    with device.open("rb", buffering=0) as slot, _unpacked(archive) as image:
        # What the kernel remembers of the writing is not what the card holds.
        os.posix_fadvise(slot.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        for chunk in _chunks(image):
            if read_exactly(slot, len(chunk)) != chunk:
                raise SlotError(f"{device}: reads back otherwise than it was written, near byte {at}; the card is worn out")
            at += len(chunk)
            told(at)


@contextmanager
def _unpacked(archive: Path) -> Iterator[BinaryIO]:
    with subprocess.Popen(
        ["zstd", "--decompress", "--stdout", "--quiet", "--", archive], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as zstd:
        if zstd.stdout is None or zstd.stderr is None:  # pragma: no cover - both were asked for
            raise AssertionError
        try:
            yield zstd.stdout  # type: ignore[misc]
        except BaseException:
            zstd.kill()
            raise
        if zstd.wait():
            raise SlotError(f"{archive.name}: cannot be unpacked: {zstd.stderr.read().decode(errors='replace').strip()}")


def _chunks(image: BinaryIO) -> Iterator[bytes]:
    while chunk := image.read(CHUNK_BYTES):
        yield chunk


def read_exactly(file: IO[bytes], count: int) -> bytes:
    """So many bytes of a file without buffer, or what there is of them."""
    found = b""
    while len(found) < count and (more := file.read(count - len(found))):
        found += more
    return found


def write_all(file: IO[bytes], chunk: bytes) -> None:
    """All of it, to a file without buffer, which takes as much at once as it likes."""
    view = memoryview(chunk)
    while view:
        view = view[file.write(view) :]

"""What lies where on a card: its partitions by flavour, and the GUID partition table (UEFI 2.10, chapter 5) that says so."""

from __future__ import annotations

import struct
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

SECTOR_BYTES = 512
MIB = 1 << 20
#: Names are ours alone: two cards of one flavour bear the same, so that two builds are the same bytes.
_NAMESPACE = uuid.UUID("6f8a1c52-3e0b-4d5e-9c3a-7a1d2b9e4f60")
_ENTRIES = 128
_TABLE_SECTORS = 1 + _ENTRIES * 128 // SECTOR_BYTES

#: Types of the Discoverable Partitions Specification, and Microsoft's of basic data, which Raspberry Pi's firmware looks for.
ESP = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
BASIC_DATA = uuid.UUID("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7")
ROOT_ARM64 = uuid.UUID("b921b045-1df0-41c3-af44-4c6f280d3fae")
LINUX = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")

Flavour = Literal["generic", "raspberry-pi"]


class LayoutError(Exception):
    """The table is none of a Parvis card, or the card is too small for it."""


@dataclass(frozen=True)
class Partition:
    """One partition; it begins where the one before it ends.

    Attributes:
        name: Its name in the table.
        kind: Its type.
        unique: Its own identifier (PARTUUID).
        first_byte: Where it begins; a multiple of 1 MiB.
        size_bytes: How long it is; a multiple of 512.
    """

    name: str
    kind: uuid.UUID
    unique: uuid.UUID
    first_byte: int
    size_bytes: int


def partitions(flavour: Flavour, data_mib: int = 64) -> tuple[Partition, ...]:
    """The partitions of a flavour's image, in their order; the last one, the data, is what grows on a card."""
    boot: tuple[tuple[str, uuid.UUID, int], ...] = (("parvis-boot", ESP, 256),)
    if flavour == "raspberry-pi":
        boot = (("parvis-boot", BASIC_DATA, 64), ("parvis-firmware-a", BASIC_DATA, 256), ("parvis-firmware-b", BASIC_DATA, 256))
    sizes = (*boot, ("parvis-root-a", ROOT_ARM64, ROOT_MIB), ("parvis-root-b", ROOT_ARM64, ROOT_MIB), ("parvis-data", LINUX, data_mib))
    found: list[Partition] = []
    at = MIB
    for name, kind, mib in sizes:
        found.append(Partition(name, kind, uuid.uuid5(_NAMESPACE, name), at, mib * MIB))
        at += mib * MIB
    return tuple(found)


#: Room for a root file system that is half as large again as the first.
ROOT_MIB = 2048


def disk_bytes(parts: Sequence[Partition]) -> int:
    """The least size of a disk that holds them and both copies of the table."""
    return parts[-1].first_byte + parts[-1].size_bytes + MIB


def grown(parts: Sequence[Partition], size_bytes: int) -> tuple[Partition, ...]:
    """The same partitions on a disk of this size: the last one takes what is left.

    Raises:
        LayoutError: The disk is too small.
    """
    if size_bytes < disk_bytes(parts):
        raise LayoutError(f"too small: {size_bytes / 1e9:.2f} GB, and at least {disk_bytes(parts) / 1e9:.2f} GB are needed")
    end = (size_bytes - MIB) // MIB * MIB
    return (*parts[:-1], replace(parts[-1], size_bytes=end - parts[-1].first_byte))


def table(parts: Sequence[Partition], size_bytes: int) -> tuple[bytes, bytes]:
    """Both copies of the table for a disk of this size.

    Returns:
        What stands at the disk's beginning (34 sectors, the protective MBR first), and what stands at its end (33 sectors).
    """
    entries = b"".join(
        struct.pack(
            "<16s16sQQQ72s",
            part.kind.bytes_le,
            part.unique.bytes_le,
            part.first_byte // SECTOR_BYTES,
            (part.first_byte + part.size_bytes) // SECTOR_BYTES - 1,
            0,
            part.name.encode("utf-16-le"),
        )
        for part in parts
    ).ljust(_ENTRIES * 128, b"\0")
    last = size_bytes // SECTOR_BYTES - 1
    protective = struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff\xff\xff", 1, min(last, 0xFFFFFFFF))
    mbr = b"\0" * 446 + protective.ljust(64, b"\0") + b"\x55\xaa"
    first_copy = _header(1, last, 2, last, entries) + entries
    second_copy = entries + _header(last, 1, last - _TABLE_SECTORS + 1, last, entries)
    return mbr + first_copy, second_copy


def _header(own: int, other: int, entries_at: int, last: int, entries: bytes) -> bytes:
    disk = uuid.uuid5(_NAMESPACE, "disk")

    def packed(crc: int) -> bytes:
        return struct.pack(
            "<8sIIIIQQQQ16sQIII",
            b"EFI PART",
            0x00010000,
            92,
            crc,
            0,
            own,
            other,
            1 + _TABLE_SECTORS,
            last - _TABLE_SECTORS,
            disk.bytes_le,
            entries_at,
            _ENTRIES,
            128,
            zlib.crc32(entries),
        )

    return packed(zlib.crc32(packed(0))).ljust(SECTOR_BYTES, b"\0")


def read_table(beginning: bytes) -> tuple[Partition, ...]:
    """The partitions that the first copy of a table names.

    Args:
        beginning: The disk's first 34 sectors.

    Raises:
        LayoutError: No table is there, or it is damaged.
    """
    header = beginning[SECTOR_BYTES : 2 * SECTOR_BYTES]
    if len(beginning) < (1 + _TABLE_SECTORS) * SECTOR_BYTES or header[:8] != b"EFI PART":
        raise LayoutError("no GUID partition table")
    entries_at, count, each_bytes, crc = struct.unpack_from("<QIII", header, 72)
    entries = beginning[entries_at * SECTOR_BYTES : entries_at * SECTOR_BYTES + count * each_bytes]
    if each_bytes != 128 or zlib.crc32(entries) != crc:
        raise LayoutError("a damaged GUID partition table")
    found: list[Partition] = []
    for start in range(0, len(entries), 128):
        kind, unique, first, last, _, name = struct.unpack_from("<16s16sQQQ72s", entries, start)
        if any(kind):
            text = name.decode("utf-16-le", "replace").rstrip("\0")
            size = (last - first + 1) * SECTOR_BYTES
            found.append(Partition(text, uuid.UUID(bytes_le=kind), uuid.UUID(bytes_le=unique), first * SECTOR_BYTES, size))
    return tuple(found)

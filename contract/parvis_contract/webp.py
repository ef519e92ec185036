"""The size of a WebP picture from its first bytes (RFC 9649), so that a plate can be checked without an image library."""

from __future__ import annotations

MAX_WIDTH_PX = 640


def webp_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels.

    Raises:
        ValueError: It is not a still WebP picture.
    """
    if len(data) < 30 or data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        raise ValueError("a plate is a WebP picture")
    kind = data[12:16]
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
    if kind == b"VP8L" and data[20] == 0x2F:
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    raise ValueError("a plate is a plain WebP picture: no animation, no metadata")

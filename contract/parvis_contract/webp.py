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
    size, chunk = int.from_bytes(data[4:8], "little"), int.from_bytes(data[16:20], "little")
    # One chunk and its padding, and nothing behind it in which anything else could travel.
    if size != len(data) - 8 or size != 12 + chunk + chunk % 2:
        raise ValueError("a plate is one WebP picture and nothing beside it")
    kind = data[12:16]
    width_px = height_px = 0
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width_px, height_px = int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
    elif kind == b"VP8L" and data[20] == 0x2F:
        bits = int.from_bytes(data[21:25], "little")
        width_px, height_px = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if not width_px or not height_px:
        raise ValueError("a plate is a plain WebP picture: no animation, no metadata")
    return width_px, height_px

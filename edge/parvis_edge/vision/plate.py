"""Draws an evidence plate: the known scene, what is not known hatched, and a rectangle around what changed.

A rectangle rather than an outline: were the thing a person after all, not even their shape would leave the unit.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from parvis_contract.webp import MAX_WIDTH_PX

from parvis_edge.perception import BoxPx

from .background import Mask, Picture

#: Base64 makes four characters of three bytes, and a plate may have 120,000 of them.
MOST_BYTES = 89_000
#: Tried in turn until the picture is small enough.
QUALITIES = (75, 50, 25, 5)
#: Of what is not shown: two greys, in strokes so far apart.
GREY, STROKE, APART_PX = 128, 104, 12
#: The rectangle's colours, one around the other, so that it is seen on anything; and what it leaves free around the change.
DARK, BRIGHT, MARGIN_PX = (0, 0, 0), (0, 215, 255), 6


def drawn(picture: Picture, shown: Mask, box_px: BoxPx, size_px: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """The plate as a picture.

    Args:
        picture: ``(h, w, 3)`` uint8, the known scene at its working size.
        shown: ``(h, w)`` bool: what of it may be seen.
        box_px: What changed, in pixels of the stream.
        size_px: Width and height of the stream.

    Returns:
        ``(H, W, 3)`` uint8, at most 640 wide: no finer than the working picture.
    """
    height, width = shown.shape
    factor = min(2.0, MAX_WIDTH_PX / width)
    size = (int(width * factor), int(height * factor))
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    plate = np.where(((x + y) % APART_PX < 2)[..., None], np.uint8(STROKE), np.uint8(GREY)).repeat(3, axis=2)
    # Hatched before it is enlarged: what is not shown must not bleed into what is.
    covered = np.where(shown[..., None], picture, np.uint8(GREY))
    clear = cv2.resize(shown.view(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    plate[clear] = cv2.resize(covered, size, interpolation=cv2.INTER_LINEAR)[clear]
    scale = np.array([size[0] / size_px[0], size[1] / size_px[1]] * 2)
    left, top, right, bottom = np.round(np.array(box_px) * scale).astype(int).tolist()
    low = max(left - MARGIN_PX, 2), max(top - MARGIN_PX, 2)
    high = min(right + MARGIN_PX, size[0] - 3), min(bottom + MARGIN_PX, size[1] - 3)
    cv2.rectangle(plate, low, high, DARK, 5)
    cv2.rectangle(plate, low, high, BRIGHT, 2)
    return np.asarray(plate, np.uint8)


def encoded(plate: npt.NDArray[np.uint8]) -> bytes:
    """A plate as a plain WebP that fits in its message."""
    for quality in QUALITIES:
        webp = cv2.imencode(".webp", plate, [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()
        if len(webp) <= MOST_BYTES:
            break
    return webp

"""The view as a line drawing: edges that stay, and nobody's outline. The pictures themselves go no further than this room."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
#: Finds people: ``(N, 4)`` boxes in pixels of a picture.
FindPeople = Callable[[Image], npt.NDArray[np.float64]]

#: An edge that is there in so many of the pictures belongs to the place; what moves is in few of them.
STAYS = 0.6
#: A person's box is widened by this share of its size: feet, bags and bicycles stick out.
MARGIN = 0.15
#: Of all pixels, so many become a line at most: a drawing, not a picture.
_STRONGEST = 0.06


@dataclass(frozen=True, slots=True)
class LineDrawing:
    """The view, as lines.

    Attributes:
        lines: ``(H, W)`` bool, of the stream's own size: a drawn place must not be a place beside it.
        blanked: How many pictures had somebody in them, who was left out.
    """

    lines: npt.NDArray[np.bool_]
    blanked: int

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height."""
        height, width = self.lines.shape
        return width, height

    def png(self) -> bytes:
        """Black lines on white, one bit a pixel, made in memory."""
        done, content = cv2.imencode(".png", np.where(self.lines, 0, 255).astype(np.uint8), [cv2.IMWRITE_PNG_BILEVEL, 1])
        if not done:
            raise RuntimeError("the drawing cannot be encoded; is OpenCV built with PNG?")
        return content.tobytes()


def draw(images: Iterable[Image], find_people: FindPeople) -> LineDrawing:
    """Draws what stays the same in several pictures of one view.

    Args:
        images: ``(H, W, 3)`` uint8 each, blue-green-red, of one size; at least one.
        find_people: Where people are; nothing is drawn there in that picture, and nothing at all where they are in most.

    Raises:
        ValueError: There is no picture.
    """
    seen = free = np.zeros((0, 0), np.int32)
    latest = np.zeros((0, 0), np.bool_)
    count = blanked = 0
    for image in images:
        if not count:
            seen, free = np.zeros(image.shape[:2], np.int32), np.zeros(image.shape[:2], np.int32)
            latest = np.zeros(image.shape[:2], np.bool_)
        boxes = np.asarray(find_people(image), np.float64).reshape(-1, 4)
        clear = np.ones(latest.shape, np.bool_)
        for x0, y0, x1, y1 in boxes:
            wide, high = MARGIN * (x1 - x0), MARGIN * (y1 - y0)
            clear[max(0, int(y0 - high)) : int(y1 + high) + 1, max(0, int(x0 - wide)) : int(x1 + wide) + 1] = False
        edges = _edges(image)
        # An edge trembles by a pixel from picture to picture.
        seen += cv2.dilate(edges.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.int32) * clear
        free += clear
        latest = np.where(clear, edges, latest)
        blanked += len(boxes) > 0
        count += 1
    if not count:
        raise ValueError("no picture came")
    enough = int(np.ceil(STAYS * count))
    return LineDrawing(latest & (seen >= enough) & (free >= enough), blanked)


def _edges(image: Image) -> npt.NDArray[np.bool_]:
    """Edges by Canny's method, with thresholds from the picture itself, so that dusk and noon look alike.

    Contrast is evened out first: marks on the ground are fainter than a door or a window, and it is they that are wanted.
    """
    grey = cv2.createCLAHE(3.0, (8, 8)).apply(cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (5, 5), 1.2))
    x, y = cv2.Sobel(grey, cv2.CV_16S, 1, 0), cv2.Sobel(grey, cv2.CV_16S, 0, 1)
    strength = np.abs(x.astype(np.int32)) + np.abs(y.astype(np.int32))
    # Below it, sensor noise: 24 is a step of three grey levels after the blur.
    high = max(24.0, float(np.quantile(strength[::2, ::2], 1 - _STRONGEST)))
    return np.asarray(cv2.Canny(x, y, 0.4 * high, high) > 0)

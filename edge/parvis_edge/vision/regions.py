"""Where to point the detector next: it sees 416 pixels square at a time, so small things need a part of the picture to themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Box = tuple[int, int, int, int]

#: A part of the picture is not enlarged more than this: more shows the detector nothing new.
MOST_ENLARGED = 1.6
#: Things that fit together into a part reduced by no more than this are looked at together.
MOST_REDUCED = 1.5
#: What surrounds a thing, on each side, as a share of it: detectors need some context.
MARGIN = 0.25
#: Neighbouring tiles share this much, so that what one cuts the other shows whole.
TILE_OVERLAP = 0.2
#: The whole picture is looked at this often while something moves, and while nothing does: motion alone misses who stands still.
WHOLE_EVERY_S, WHOLE_EVERY_IDLE_S = 3.0, 10.0


def tiles(width_px: int, height_px: int, side_px: int | None = None) -> list[Box]:
    """Overlapping squares that cover a picture.

    Args:
        width_px: Of the picture.
        height_px: Of the picture.
        side_px: Of the squares; None takes the picture's shorter side.

    Returns:
        Left, top, right, bottom; a single one if the picture is (nearly) square.
    """
    side = min(side_px or min(width_px, height_px), width_px, height_px)
    return [(x, y, x + side, y + side) for y in _starts(height_px, side) for x in _starts(width_px, side)]


def _starts(length: int, side: int) -> list[int]:
    if length <= side * 1.1:
        return [(length - side) // 2]
    count = math.ceil((length - side) / (side * (1 - TILE_OVERLAP))) + 1
    return [round(index * (length - side) / (count - 1)) for index in range(count)]


def crops(boxes_px: npt.NDArray[np.floating], size_px: tuple[int, int], input_px: int) -> list[Box]:
    """Joins boxes into parts of the picture that are worth one run of the detector each.

    Args:
        boxes_px: ``(N, 4)``, what should be seen.
        size_px: Width and height of the picture.
        input_px: Side of the detector's input.

    Returns:
        Parts inside the picture, square where the picture allows it, each box inside one of them with its margin; the whole picture
        alone if the parts would cover about as much.
    """
    whole = (0, 0, *size_px)
    margin = MARGIN * (boxes_px[:, 2:] - boxes_px[:, :2])
    groups = np.concatenate([boxes_px[:, :2] - margin, boxes_px[:, 2:] + margin], axis=1)
    limit = min(MOST_REDUCED * input_px, 0.8 * max(size_px))
    # The longer side of any two joined; infinite for one with itself, and for what has been joined to another.
    sides = _joined_sides(groups[:, None], groups[None])
    np.fill_diagonal(sides, np.inf)
    alive = np.ones(len(groups), np.bool_)
    while len(groups) > 1:
        first, second = divmod(int(sides.argmin()), len(groups))
        if sides[first, second] > limit:
            break
        groups[first, :2] = np.minimum(groups[first, :2], groups[second, :2])
        groups[first, 2:] = np.maximum(groups[first, 2:], groups[second, 2:])
        alive[second] = False
        sides[second] = sides[:, second] = np.inf
        row = np.where(alive, _joined_sides(groups[first], groups), np.inf)
        row[first] = np.inf
        sides[first] = sides[:, first] = row
    least = input_px / MOST_ENLARGED
    parts = [square(group, least, size_px) for group in groups[alive].tolist()]
    covered = sum((part[2] - part[0]) * (part[3] - part[1]) for part in parts)
    if len(parts) > 4 or covered > 0.9 * size_px[0] * size_px[1]:
        return [whole]
    return parts


def _joined_sides(one: npt.NDArray[np.floating], other: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """The longer side of the box around two boxes; any shapes ``(…, 4)`` that go together."""
    spans = np.maximum(one[..., 2:], other[..., 2:]) - np.minimum(one[..., :2], other[..., :2])
    return np.asarray(np.maximum(spans[..., 0], spans[..., 1]))


def square(box: list[float], least: float, size_px: tuple[int, int]) -> Box:
    """A part of a picture, square where the picture allows it, around a box, with a side of at least ``least`` pixels."""
    side = max(box[2] - box[0], box[3] - box[1], least)
    corners = []
    for axis in range(2):
        length = min(round(side), size_px[axis])
        start = round((box[axis] + box[axis + 2]) / 2 - length / 2)
        start = min(max(start, 0), size_px[axis] - length)
        corners.append((start, start + length))
    (x0, x1), (y0, y1) = corners
    return x0, y0, x1, y1


class Gaze:
    """Decides what the detector is shown of each frame: one part, so that a frame costs one run of the model however much moves.

    Parts that move take turns, the longest unseen first; the whole picture, and where it is large its tiles, take theirs at a lower
    rate. The first frame is looked at in full: a still picture has no other.

    Args:
        size_px: Width and height of the stream.
        input_px: Side of the detector's input.
    """

    #: A coarse map remembers when each part of the picture was last looked at.
    _CELLS = 12

    def __init__(self, size_px: tuple[int, int], input_px: int) -> None:
        self._size = size_px
        self._input = input_px
        self._looked_s = np.full((self._CELLS, self._CELLS), -np.inf)
        whole: Box = (0, 0, *size_px)
        self._cycle = [whole]
        # A letterbox reduces more than a square tile of the same height; worth it where the whole would be reduced a lot.
        if max(size_px) > 2 * input_px:
            self._cycle += tiles(*size_px)
        self._at = 0
        self._cycled_s = -np.inf
        self._first = True

    def full(self) -> list[Box]:
        """Everything, from coarse to fine: the whole picture, squares of its height, and smaller squares where it is large."""
        width, height = self._size
        parts: list[Box] = [(0, 0, width, height)]
        if max(width, height) > 1.1 * min(width, height) and max(width, height) > self._input:
            parts += tiles(width, height)
        if min(width, height) > MOST_REDUCED * self._input:
            parts += tiles(width, height, round(min(width, height) / 2 * (1 + TILE_OVERLAP)))
        return parts

    def choose(self, time_s: float, busy_px: npt.NDArray[np.floating], again_px: npt.NDArray[np.floating]) -> list[Box]:
        """What to show the detector of a frame.

        Args:
            time_s: When it was taken.
            busy_px: ``(N, 4)``: what moves; always worth a look.
            again_px: ``(M, 4)``: what stands still and has not been looked at for a while.

        Returns:
            Nothing, or one part; of the first frame, many.
        """
        if self._first:
            self._first = False
            self._mark(time_s, self._cycle[0])
            self._cycled_s = time_s
            return self.full()
        every_s = (WHOLE_EVERY_S if len(busy_px) else WHOLE_EVERY_IDLE_S) / len(self._cycle)
        if not 0 <= time_s - self._cycled_s < every_s:
            chosen = self._cycle[self._at % len(self._cycle)]
            self._at += 1
            self._cycled_s = time_s
        else:
            wanted: Sequence[npt.NDArray[np.floating]] = [part for part in (busy_px, again_px) if len(part)]
            if not wanted:
                return []
            chosen = min(crops(np.concatenate(wanted), self._size, self._input), key=self._last_look)
            if chosen == self._cycle[0]:
                self._cycled_s = time_s
        self._mark(time_s, chosen)
        return [chosen]

    def _cells(self, part: Box) -> tuple[slice, slice]:
        width, height = self._size
        x0, x1 = part[0] * self._CELLS // width, -(-part[2] * self._CELLS // width)
        y0, y1 = part[1] * self._CELLS // height, -(-part[3] * self._CELLS // height)
        return slice(y0, y1), slice(x0, x1)

    def _last_look(self, part: Box) -> float:
        return float(self._looked_s[self._cells(part)].min())

    def _mark(self, time_s: float, part: Box) -> None:
        self._looked_s[self._cells(part)] = time_s

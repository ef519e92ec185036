"""Reads the printed tags of people who asked for a route: AprilTag 36h11 (Olson 2011; Wang and Olson 2016).

A large tag is read by OpenCV. A small one is looked for as a dark square with a light margin, and read by fitting what a lens would show of
it: the light of each cell and the four corners together, by least squares on the grey levels, with the blur of a lens in the model. So
cells of a pixel and a half are read, where thresholding first and sampling afterwards needs two. A number that is not allowed is dropped
here, before it has a name, a place or a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from .regions import Box

Floats = npt.NDArray[np.float64]
Grey = npt.NDArray[np.uint8]

#: Cells across: a black border of one around six times six of data.
CELLS, DATA = 8, 6
#: Sides of the small squares that are fitted; larger ones, and most of these, OpenCV reads.
_LEAST_SIDE_PX, _MOST_SIDE_PX = 7.0, 27.0
#: Wide enough to hold, wherever it lies in or beside a small tag, something of its black and of its white.
_WINDOW_PX = 17
#: From this on OpenCV's own reader is tried.
_LARGE_SIDE_PX = 12.0
#: Half as large again, with one window: of the development photographs' 46 tags all but the two smallest are read, in a third of the time
#: that twice as large and three windows take; those two are fitted.
_ENLARGED = 1.5
_LARGE_WINDOW_PX = 13
#: Grey levels between black and white, at least: below, the noise of a camera looks like cells.
_LEAST_CONTRAST = 24
#: Blur of a lens in focus with a sensor's pixels, 1 sigma; rendered prints were read with 0.5 to 0.8.
_BLUR_PX = 0.65
#: How much of the margin is fitted, in cells: prints have one cell or more.
_MARGIN_CELLS = 1.2
#: Tags of the family differ in 11 bits or more. Mending two leaves a chance of one in 40,000 that a square of noise is read as some
#: tag (587 · 4 · 667 of 2^36), a twentieth of that as one of thirty allowed.
_MENDED_BITS = 2
#: Correlation of what is seen with what the tag that was read would show, at least. Prints of 12 px: see the installer's page.
_LEAST_FIT = 0.90
#: And with any pattern of cells, before the corners have been refined: most of what is no tag goes here.
_LEAST_FIRST_FIT = 0.75
_STEPS = 4


@dataclass(frozen=True, slots=True)
class ReadTag:
    """An allowed tag in the picture.

    Attributes:
        number: In the family, 0 to 586.
        corners_px: ``(4, 2)``, in pixels of the picture, clockwise from the tag's own upper left.
    """

    number: int
    corners_px: Floats

    @property
    def centre_px(self) -> tuple[float, float]:
        """Of the tag, x and y."""
        x, y = self.corners_px.mean(axis=0)
        return float(x), float(y)

    @property
    def side_px(self) -> float:
        """Mean length of its sides."""
        return float(np.linalg.norm(self.corners_px - np.roll(self.corners_px, 1, axis=0), axis=1).mean())


class TagReader:
    """Finds allowed tags.

    Args:
        allow: Numbers that may be read.
    """

    def __init__(self, allow: Iterable[int]) -> None:
        self._allow: frozenset[int] = frozenset()
        self.allow = frozenset(allow)

    @property
    def allow(self) -> frozenset[int]:
        """Numbers that may be read; no pattern of any other is kept."""
        return self._allow

    @allow.setter
    def allow(self, numbers: frozenset[int]) -> None:
        if numbers != self._allow:
            self._allow = numbers
            self._numbers = sorted(numbers)
            self._patterns = _patterns(self._numbers)

    def read(self, image: npt.NDArray[np.uint8], parts_px: Sequence[Box]) -> list[ReadTag]:
        """Reads parts of a picture.

        Args:
            image: ``(H, W, 3)`` uint8 or ``(H, W)``.
            parts_px: Left, top, right, bottom of each; the whole picture is one part.

        Returns:
            The allowed tags, each once however many parts show it; two prints of one number are two.
        """
        found: list[ReadTag] = []
        for left, top, right, bottom in parts_px if self._allow else ():
            patch = image[top:bottom, left:right]
            grey = cv2.cvtColor(patch, cv2.COLOR_BGR2GRAY) if patch.ndim == 3 and patch.size else patch
            for tag in self._read_part(np.ascontiguousarray(grey, np.uint8)):
                moved = ReadTag(tag.number, np.add(tag.corners_px, (left, top)))
                near = [other for other in found if other.number == moved.number]
                if not any(np.hypot(*(np.subtract(other.centre_px, moved.centre_px))) < moved.side_px for other in near):
                    found.append(moved)
        return found

    def _read_part(self, grey: Grey) -> Iterator[ReadTag]:
        if min(grey.shape[:2], default=0) < _LEAST_SIDE_PX + 2:
            return
        read = [tag for tag in _large(grey) if tag.number in self._allow]
        yield from read
        for quad in _candidates(grey):
            middle = quad.mean(axis=0)
            if not any(np.hypot(*(middle - tag.centre_px)) < 0.4 * tag.side_px for tag in read):
                seen = self._decode(grey, quad)
                if seen is not None:
                    read.append(seen)
                    yield seen

    def _decode(self, grey: Grey, quad: Floats) -> ReadTag | None:
        """Reads one square, moving its corners to where they explain the picture best."""
        for step in range(_STEPS):
            fit = _Fit.of(grey, quad)
            if fit is None or (step == 0 and fit.correlation(fit.cells) < _LEAST_FIRST_FIT):
                return None
            scores = self._patterns @ np.clip(2 * fit.cells - 1, -1, 1)
            best = int(scores.argmax())
            pattern = self._patterns[best] > 0
            wrong = int(((fit.cells > 0.5) != pattern).sum())
            if wrong <= _MENDED_BITS and fit.correlation(pattern.astype(np.float64)) >= _LEAST_FIT:
                number, turns = self._numbers[best // 4], best % 4
                return ReadTag(number, np.roll(quad, turns, axis=0))
            quad = fit.better(pattern if wrong <= _MENDED_BITS + 1 else np.clip(fit.cells, 0, 1))
        return None


def _patterns(numbers: Sequence[int]) -> Floats:
    """``(4 n, 36)`` of -1 (black) and 1 (white): each tag's data as seen upright and turned by one, two, three quarters."""
    family = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h11)
    turned = []
    for number in numbers:
        data = cv2.aruco.generateImageMarker(family, number, CELLS)[1:-1, 1:-1] > 127
        turned += [np.rot90(data, quarters).ravel() for quarters in range(4)]
    return np.array(turned, np.float64).reshape(-1, DATA * DATA) * 2 - 1


# --- large ones ---------------------------------------------------------------------------------------------------------------

_FAMILY = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h11)


def _large(grey: Grey) -> Iterator[ReadTag]:
    """The tags that OpenCV reads, in a picture half as large again: cells of two pixels and more."""
    large = cv2.resize(grey, None, fx=_ENLARGED, fy=_ENLARGED, interpolation=cv2.INTER_CUBIC)
    parameters = cv2.aruco.DetectorParameters()
    parameters.adaptiveThreshWinSizeMin = parameters.adaptiveThreshWinSizeMax = _LARGE_WINDOW_PX
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    parameters.errorCorrectionRate = _MENDED_BITS / 5
    parameters.minMarkerPerimeterRate = max(0.005, 4 * _ENLARGED * _LARGE_SIDE_PX / max(large.shape))
    parameters.perspectiveRemovePixelPerCell = 8
    corners, numbers, _ = cv2.aruco.ArucoDetector(_FAMILY, parameters).detectMarkers(large)
    for number, square in zip([] if numbers is None else np.ravel(numbers), corners, strict=True):
        # Pixel centres, not edges, are what is enlarged about.
        yield ReadTag(int(number), (np.asarray(square, np.float64).reshape(4, 2) + 0.5) / _ENLARGED - 0.5)


# --- finding squares ----------------------------------------------------------------------------------------------------------


def _candidates(grey: Grey) -> list[Floats]:
    """Dark things with something light about them that may be squares of a tag's size: ``(4, 2)`` corners, clockwise."""
    window = cv2.getStructuringElement(cv2.MORPH_RECT, (_WINDOW_PX, _WINDOW_PX))
    light, dark = cv2.dilate(grey, window), cv2.erode(grey, window)
    middle = cv2.addWeighted(light, 0.5, dark, 0.5, 0.0)
    # Bernsen's threshold: a tag has as much black as white about every one of its points, whatever light falls on it.
    mask = cv2.bitwise_and(cv2.compare(grey, middle, cv2.CMP_LE), cv2.inRange(cv2.subtract(light, dark), _LEAST_CONTRAST, 255))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8, ltype=cv2.CV_32S)
    # Most of what is dark is a speck, or far larger than a tag: it is dropped before it costs more.
    sides = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]
    likely = (sides.max(axis=1) <= 1.42 * _MOST_SIDE_PX) & (sides.max(axis=1) >= _LEAST_SIDE_PX) & (sides.min(axis=1) >= 4)
    likely[0] = False
    contours, _ = cv2.findContours(likely.astype(np.uint8)[labels], cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    quads = []
    for contour in contours:
        if not 2 * _LEAST_SIDE_PX <= len(contour) <= 6 * _MOST_SIDE_PX:
            continue
        _, (a, b), _ = cv2.minAreaRect(contour)
        if min(a, b) < 3.5 or not _LEAST_SIDE_PX - 1 <= max(a, b) <= _MOST_SIDE_PX:
            continue
        hull = cv2.convexHull(contour)
        if cv2.contourArea(hull) >= 0.62 * a * b:
            quads.append(_quad(hull))
    if not quads:
        return []
    return [quad for quad, good in zip(quads, _have_border(grey, np.array(quads)), strict=True) if good]


def _quad(hull: Any) -> Floats:
    """The square that a hull comes from."""
    corners = cv2.approxPolyN(hull.astype(np.float32), 4, ensure_convex=True).reshape(-1, 2).astype(np.float64)
    if len(corners) != 4:
        corners = cv2.boxPoints(cv2.minAreaRect(hull)).astype(np.float64)
    # A contour runs through the middles of the outermost pixels.
    out = corners - corners.mean(axis=0)
    corners = corners + 0.6 * out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1.0)
    return np.asarray(corners if cv2.contourArea(corners.astype(np.float32), oriented=True) > 0 else corners[::-1])


def _ring(distance: float) -> Floats:
    """``(32, 2)`` points about a tag, in cells, so far outside its edge (inside: negative)."""
    along = np.linspace(-distance, CELLS + distance, 9)[:-1]
    low, high = np.full(8, -distance), np.full(8, CELLS + distance)
    sides = [(along, low), (high, along), (CELLS - along, high), (low, CELLS - along)]
    return np.concatenate([np.stack(side, axis=1) for side in sides])


#: Where a square's border is black, and its margin white.
_RINGS = np.concatenate([_ring(-0.5), _ring(0.5)]) / CELLS
_WEIGHTS = np.stack(
    [(1 - _RINGS[:, 0]) * (1 - _RINGS[:, 1]), _RINGS[:, 0] * (1 - _RINGS[:, 1]), _RINGS.prod(1), (1 - _RINGS[:, 0]) * _RINGS[:, 1]]
)


def _have_border(grey: Grey, quads: Floats) -> npt.NDArray[np.bool_]:
    """Of each of ``(n, 4, 2)`` squares: whether nearly all of a black border is darker than nearly all of a white margin.

    Windows, signs and shadows seldom are. Of so small a square, perspective moves no point by more than a part of a cell.
    """
    height, width = grey.shape
    points = np.rint(np.einsum("cp,nck->npk", _WEIGHTS, quads)).astype(np.intp)
    whole = ((points >= 0) & (points < (width, height))).all(axis=(1, 2))
    levels = grey[np.clip(points[:, :, 1], 0, height - 1), np.clip(points[:, :, 0], 0, width - 1)].astype(np.float64)
    black, white = levels[:, :32], levels[:, 32:]
    contrast = white.mean(axis=1) - black.mean(axis=1)
    middle = levels.mean(axis=1, keepdims=True)
    bordered = ((black < middle).mean(axis=1) > 0.8) & ((white > middle).mean(axis=1) > 0.8)
    return np.asarray(whole & (contrast >= _LEAST_CONTRAST / 2) & bordered)


# --- what a lens shows of a tag -----------------------------------------------------------------------------------------------

_SQUARE = np.array([[0, 0], [CELLS, 0], [CELLS, CELLS], [0, CELLS]], np.float32)
_EDGES = np.arange(CELLS + 1, dtype=np.float64)
_NUDGE_PX, _NUDGE_CELLS = 0.1, 0.05


def _to_cells(quad: Floats) -> Floats:
    """The homography from pixels to cells."""
    return np.asarray(cv2.getPerspectiveTransform(quad.astype(np.float32), _SQUARE), np.float64)


def _moved(points: Floats, by: Floats) -> Floats:
    """``(n, 2)`` points under a homography."""
    wide = points @ by[:, :2].T + by[:, 2]
    return np.asarray(wide[:, :2] / wide[:, 2:])


def _shares(at: Floats, blur: tuple[float, float]) -> Floats:
    """``(n, 64)``: how much each cell gives to the light of each point, rows of cells one after the other.

    A cell is a square, blurred by a Gaussian: along each axis the difference of two of its integrals.

    Args:
        at: ``(n, 2)`` in cells.
        blur: Of a pixel, along and down the tag, cells.
    """
    along = ndtr((at[:, :1] - _EDGES) / blur[0])
    down = ndtr((at[:, 1:] - _EDGES) / blur[1])
    return np.asarray(((down[:, :-1] - down[:, 1:])[:, :, None] * (along[:, :-1] - along[:, 1:])[:, None, :]).reshape(len(at), -1))


def _columns(shares: Floats) -> Floats:
    """``(n, 38)``: the data cells, the border, the margin."""
    cells = shares.reshape(-1, CELLS, CELLS)
    data = cells[:, 1:-1, 1:-1].reshape(len(shares), -1)
    whole = shares.sum(axis=1)
    return np.column_stack([data, whole - data.sum(axis=1), 1 - whole])


@dataclass(frozen=True, slots=True)
class _Fit:
    """The light of every cell of a square, by least squares.

    Attributes:
        quad: Its corners.
        pixels: ``(n, 2)`` that it is seen in.
        at: The same in cells.
        blur: In cells, along and down.
        levels: ``(n,)`` grey.
        columns: ``(n, 38)``, see :func:`_columns`.
        black, white: Grey levels of border and margin.
        cells: ``(36,)``: 0 is as dark as the border, 1 as light as the margin.
    """

    quad: Floats
    pixels: Floats
    at: Floats
    blur: tuple[float, float]
    levels: Floats
    columns: Floats
    black: float
    white: float
    cells: Floats

    @classmethod
    def of(cls, grey: Grey, quad: Floats) -> _Fit | None:
        """None where no square can be."""
        if not np.isfinite(quad).all() or not cv2.isContourConvex(quad.astype(np.float32)):
            return None
        middle = quad.mean(axis=0)
        around = middle + (quad - middle) * (1 + 2 * _MARGIN_CELLS / CELLS)
        height, width = grey.shape
        x0, y0 = np.maximum(np.floor(around.min(axis=0)).astype(int), 0)
        x1, y1 = np.minimum(np.ceil(around.max(axis=0)).astype(int) + 1, (width, height))
        if x1 - x0 < 6 or y1 - y0 < 6:
            return None
        down, across = np.mgrid[y0:y1, x0:x1]
        pixels = np.stack([across.ravel(), down.ravel()], axis=1).astype(np.float64)
        at = _moved(pixels, _to_cells(quad))
        inside = (np.abs(at - CELLS / 2) < CELLS / 2 + _MARGIN_CELLS).all(axis=1)
        pixels, at, levels = pixels[inside], at[inside], grey[y0:y1, x0:x1].ravel()[inside].astype(np.float64)
        sides = np.linalg.norm(quad - np.roll(quad, -1, axis=0), axis=1)
        blur = (_BLUR_PX * 2 * CELLS / max(sides[0] + sides[2], 1.0), _BLUR_PX * 2 * CELLS / max(sides[1] + sides[3], 1.0))
        columns = _columns(_shares(at, blur))
        # A cell that hardly any pixel shows is held at the middle grey, by a weight that is small beside that of a whole pixel.
        weight = np.zeros(columns.shape[1])
        weight[: DATA * DATA] = 0.15
        normal = columns.T @ columns + np.diag(weight + 1e-6)
        light = np.linalg.solve(normal, columns.T @ levels + weight * (levels.max() + levels.min()) / 2)
        black, white = float(light[-2]), float(light[-1])
        if white - black < _LEAST_CONTRAST / 2:
            return None
        return cls(quad, pixels, at, blur, levels, columns, black, white, (light[:-2] - black) / (white - black))

    def correlation(self, cells: Floats) -> float:
        """Of what is seen with what a tag with these cells would show, -1 to 1."""
        shown = self.columns @ np.concatenate([cells, [0.0, 1.0]])
        return float(np.corrcoef(shown, self.levels)[0, 1])

    def better(self, cells: npt.NDArray[np.float64] | npt.NDArray[np.bool_]) -> Floats:
        """Corners that explain the picture better, if these are the cells: a step of Gauss and Newton, damped."""
        light = np.concatenate([cells, [0.0, 1.0]]) * (self.white - self.black) + self.black
        shown = self.columns @ light
        slope = [(_columns(_shares(self.at + nudge, self.blur)) @ light - shown) / _NUDGE_CELLS for nudge in np.eye(2) * _NUDGE_CELLS]
        steps = np.empty((len(shown), 8))
        for index in range(8):
            nudged = self.quad.copy()
            nudged.flat[index] += _NUDGE_PX
            moved = (_moved(self.pixels, _to_cells(nudged)) - self.at) / _NUDGE_PX
            steps[:, index] = slope[0] * moved[:, 0] + slope[1] * moved[:, 1]
        normal = steps.T @ steps
        step = np.linalg.solve(normal + np.eye(8) * (0.02 * np.trace(normal) / 8 + 1e-6), steps.T @ (self.levels - shown))
        return np.asarray(self.quad + np.clip(step, -0.8, 0.8).reshape(4, 2))

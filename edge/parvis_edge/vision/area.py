"""A zone or lane as one camera sees it: which pixels it covers, and how large it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from .ground_plane import Floats, GroundPlane


class Drawn(Protocol):
    """A zone or lane of the site plan: on the map, or in the picture."""

    @property
    def polygon(self) -> tuple[tuple[float, float], ...] | None:
        """Longitude and latitude, if it is on the map."""

    @property
    def polygon_px(self) -> tuple[tuple[float, float], ...] | None:
        """Pixels of a picture of ``image_size``, if it is in the picture."""

    @property
    def image_size(self) -> tuple[int, int] | None:
        """Of the picture that it was drawn in."""


class NotSeen(ValueError):
    """This camera cannot judge the area; the message says why and what would help."""


@dataclass(frozen=True, slots=True)
class Area:
    """A zone or lane in the picture.

    Attributes:
        mask: ``(h, w)`` bool, at the working size: the pixels of the ground, or of the picture, that belong to it.
        px_per_cell: Width and height of a working pixel, in pixels of the stream.
        area_m2: Of the part that is seen; None without a ground plane.
        on_map: True if it was drawn on the map: then only what stands on it is in it. What is drawn in the picture may be meant of
            the ground or of what is seen before it.
    """

    mask: npt.NDArray[np.bool_]
    px_per_cell: tuple[float, float]
    area_m2: float | None
    on_map: bool

    @property
    def box_px(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of what is seen of it, in pixels of the stream."""
        rows, columns = np.flatnonzero(self.mask.any(axis=1)), np.flatnonzero(self.mask.any(axis=0))
        x, y = self.px_per_cell
        return float(columns[0] * x), float(rows[0] * y), float((columns[-1] + 1) * x), float((rows[-1] + 1) * y)

    def contains(self, points_px: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """``(N,)`` bool: which of ``(N, 2)`` points of the stream's picture lie in it.

        A point on the picture's edge belongs to the nearest pixel: feet are often cut off there.
        """
        cells = np.asarray(points_px, np.float64).reshape(-1, 2) / self.px_per_cell
        height, width = self.mask.shape
        x, y = np.clip(cells[:, 0].astype(np.int64), 0, width - 1), np.clip(cells[:, 1].astype(np.int64), 0, height - 1)
        return np.asarray(self.mask[y, x])

    def shares(self, boxes_px: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """``(N,)`` in [0, 1]: how much of each of ``(N, 4)`` boxes lies in it."""
        boxes = np.asarray(boxes_px, np.float64).reshape(-1, 4)
        low = np.floor(boxes[:, :2] / self.px_per_cell).astype(np.int64).clip(0)
        high = np.ceil(boxes[:, 2:] / self.px_per_cell).astype(np.int64)
        parts = [self.mask[y0:y1, x0:x1] for (x0, y0), (x1, y1) in zip(low, high, strict=True)]
        return np.array([float(part.mean()) if part.size else 0.0 for part in parts])


def place(drawn: Drawn, size_px: tuple[int, int], cells: tuple[int, int], ground: GroundPlane | None) -> Area:
    """Draws a zone or lane of the site plan into a camera's picture.

    Args:
        drawn: With ``polygon``, or with ``polygon_px`` and ``image_size``.
        size_px: Width and height of the stream.
        cells: Width and height of the working picture.
        ground: The camera's ground plane, if it has one.

    Raises:
        NotSeen: It is on the map and the camera has no ground plane, or no pixel of the picture shows it.
    """
    scale = np.array(size_px, np.float64) / np.array(cells, np.float64)
    if drawn.polygon is None:
        if drawn.polygon_px is None or drawn.image_size is None:
            raise NotSeen("it is drawn neither on the map nor in the picture")
        corners_px = scaled(drawn.polygon_px, drawn.image_size, size_px)
        mask = _filled(corners_px / scale, cells)
        corners_m = ground.to_ground_m(corners_px) if ground else None
    elif ground is None:
        raise NotSeen("it is on the map and the unit has no `ground_plane`; calibrate it, or draw the zone in the picture (`polygon_px`)")
    else:
        corners_m = ground.plane.to_metres(drawn.polygon)
        mask = _in_polygon(ground.to_ground_m(_centres(cells) * scale), corners_m).reshape(cells[1], cells[0])
    if not mask.any():
        raise NotSeen("no pixel of this unit's picture shows it")
    if ground is None or corners_m is None:
        area_m2 = None
    elif drawn.polygon is None and np.isnan(corners_m).any():
        area_m2 = None  # A part of it is above the horizon: it is not on the ground.
    else:
        area_m2 = polygon_area_m2(corners_m)
    return Area(mask, (float(scale[0]), float(scale[1])), area_m2, on_map=drawn.polygon is not None)


def scaled(polygon_px: npt.ArrayLike, from_size: tuple[int, int], to_size: tuple[int, int]) -> npt.NDArray[np.float64]:
    """``(N, 2)`` pixels of one picture's size in pixels of another's."""
    return np.asarray(polygon_px, np.float64).reshape(-1, 2) * np.array(to_size, np.float64) / np.array(from_size, np.float64)


def polygon_area_m2(corners_m: Floats) -> float:
    """Area of a simple polygon, by the shoelace formula; ``(N, 2)`` metres."""
    x, y = corners_m.T
    return float(abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2)


def _filled(corners: npt.NDArray[np.float64], cells: tuple[int, int]) -> npt.NDArray[np.bool_]:
    return _in_polygon(_centres(cells), corners).reshape(cells[1], cells[0])


def _centres(cells: tuple[int, int]) -> npt.NDArray[np.float64]:
    y, x = np.mgrid[0 : cells[1], 0 : cells[0]]
    return np.stack([x.ravel() + 0.5, y.ravel() + 0.5], axis=1)


def _in_polygon(points: Floats, corners: Floats) -> npt.NDArray[np.bool_]:
    """Which points lie inside, by the even-odd rule; not-a-number is outside."""
    inside = np.zeros(len(points), np.bool_)
    x, y = points.T
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        crosses = (y0 > y) != (y1 > y)
        inside ^= crosses & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return inside

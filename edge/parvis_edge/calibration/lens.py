"""Whether the lens bends straight lines so much that a ground plane, which knows no lens, is wrong between its points. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from parvis_contract import GroundPlane as CalibratedPoints
from parvis_contract.site import GroundPoint
from scipy.special import chdtri

from parvis_edge.vision.ground_plane import MAP_ERROR_M, MARK_ERROR_PX, Floats, GroundPlane, GroundPlaneError, LocalPlane

from .geometry import moves

#: A bend is believed when straight lenses show one like it once in a thousand calibrations.
_SURE = float(chdtri(1, 1e-3))
#: From strong barrel to strong cushion; beyond it, a lens is a fisheye.
_BENDS = np.linspace(-0.6, 0.6, 13)


def misfit(ground: GroundPlane, pixels: Floats, places_m: Floats) -> float:
    """Sum of squares of how far points lie from where the plane has them, each in sigmas of pointing and map; infinite off the ground.

    Args:
        ground: The ground plane.
        pixels: ``(N, 2)``, of its own picture.
        places_m: ``(N, 2)`` metres east and north.
    """
    there = ground.to_picture_px(places_m)
    if not np.isfinite(there).all():
        return math.inf
    total = 0.0
    for moving, off_px in zip(moves(ground, there), pixels - there, strict=True):
        off_m = moving @ off_px
        covariance = MARK_ERROR_PX**2 * moving @ moving.T + MAP_ERROR_M**2 * np.eye(2)
        total += float(off_m @ np.linalg.solve(covariance, off_m))
    return total if math.isfinite(total) else math.inf


@dataclass(frozen=True, slots=True)
class Bend:
    """A bent lens, as the points tell it.

    Attributes:
        share: How far it moves a point at the middle of the picture's side, as a share of its distance from the picture's middle.
        ground: The ground plane behind the straightened picture.
        size_px: Width and height of the picture.
        misfit: What is left of the points' :func:`misfit` behind it.
    """

    share: float
    ground: GroundPlane
    size_px: tuple[int, int]
    misfit: float

    def to_ground_m(self, pixels: Floats) -> Floats:
        """Where ``(N, 2)`` pixels of the bent picture are on the ground."""
        return self.ground.to_ground_m(_straight(pixels, self.share, self.size_px))


def find_bend(points: tuple[GroundPoint, ...], size_px: tuple[int, int], plane: LocalPlane, straight: GroundPlane) -> Bend | None:
    """The bend that explains the points better than a straight lens does; None if none does surely, or there are fewer than six.

    One parameter about the picture's middle (the division model, Fitzgibbon 2001); the gain of the best is held against chance (a
    likelihood ratio, chi-square with one degree of freedom).

    Args:
        points: Of the picture, with their places.
        size_px: Width and height of the picture.
        plane: The site's.
        straight: The ground plane of the same points.
    """
    if len(points) < 6:
        return None
    pixels = np.array([point.px for point in points])
    places_m = plane.to_metres([(point.at.lon, point.at.lat) for point in points])
    best: tuple[float, Bend] | None = None
    centre, step = 0.0, 0.0
    # Coarsely over all, then finely about the best.
    for bends in (_BENDS, None):
        tried = bends if bends is not None else centre + np.linspace(-step, step, 9)
        for share in tried:
            if share == 0.0:
                continue
            moved = _straight(pixels, float(share), size_px)
            try:
                ground = GroundPlane(_with_pixels(points, moved, size_px), plane, size_px)
            except GroundPlaneError:
                continue
            left = misfit(ground, moved, places_m)
            if best is None or left < best[0]:
                best, centre = (left, Bend(float(share), ground, size_px, left)), float(share)
        step = 0.1
    before = misfit(straight, pixels, places_m)
    return best[1] if best is not None and before - best[0] > _SURE else None


def _straight(pixels: Floats, share: float, size_px: tuple[int, int]) -> Floats:
    middle = np.array(size_px, np.float64) / 2
    off = (np.asarray(pixels, np.float64).reshape(-1, 2) - middle) / middle[0]
    return np.asarray(middle + middle[0] * off / (1 + share * (off**2).sum(axis=1, keepdims=True)))


def _with_pixels(points: tuple[GroundPoint, ...], pixels: Floats, size_px: tuple[int, int]) -> CalibratedPoints:
    moved = tuple(GroundPoint(px=(float(x), float(y)), at=point.at) for point, (x, y) in zip(points, pixels, strict=True))
    return CalibratedPoints(image_size=size_px, points=moved)

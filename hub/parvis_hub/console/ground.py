"""From a unit's picture to the map: where on the ground the areas are that the site plan draws in pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from parvis_contract import GroundPlane, LocalMap, Unit
from shapely.geometry import Point as Place
from shapely.geometry import Polygon

#: What is seen nearer to the horizon than this share of the farthest calibrated point's depth is left out: there a pixel is many metres.
_HORIZON_SHARE = 0.05

LonLat = tuple[float, float]
Pixel = tuple[float, float]


def lon_lat(plane: LocalMap, east_m: float, north_m: float) -> LonLat:
    """Longitude and latitude of a place on a local map, to the centimetre: a page needs no more digits."""
    lon, lat = plane.to_deg(east_m, north_m)
    return round(lon, 7), round(lat, 7)


@dataclass(frozen=True, slots=True)
class Ground:
    """The ground as one calibrated unit sees it.

    Attributes:
        unit: The unit.
        matrix: (3, 3) homography from the picture's shares (0 to 1 across and down) to metres east and north of the unit, signed so
            that the third coordinate is positive below the horizon.
        depth: The smallest third coordinate among the calibrated points.
    """

    unit: Unit
    matrix: npt.NDArray[np.float64]
    depth: float

    @classmethod
    def of(cls, unit: Unit) -> Ground | None:
        """The ground of a unit; None if it has no calibration, or one from which no ground follows (points on one line)."""
        if unit.ground_plane is None:
            return None
        shares, metres = _points(unit.ground_plane, LocalMap.around(unit.position))
        matrix = _homography(shares, metres)
        if matrix is None:
            return None
        depths = np.column_stack([shares, np.ones(len(shares))]) @ matrix[2]
        if np.all(depths < 0):
            matrix, depths = -matrix, -depths
        return cls(unit, matrix, float(depths.min())) if np.all(depths > 0) else None

    def polygon(self, pixels: Sequence[Pixel], image_size: tuple[int, int]) -> list[LonLat] | None:
        """Where an area of the picture lies on the map, as far as the unit's range; None if no part of it is on the ground there."""
        shares = [(x / image_size[0], y / image_size[1]) for x, y in pixels]
        ring = [self._metres(share) for share in self._below_horizon(shares)]
        if len(ring) < 3:
            return None
        area = Polygon(ring).buffer(0).intersection(Place(0.0, 0.0).buffer(self.unit.range_m))
        largest = max(getattr(area, "geoms", [area]), key=lambda part: part.area)
        if largest.is_empty or largest.geom_type != "Polygon":
            return None
        plane = LocalMap.around(self.unit.position)
        return [lon_lat(plane, east_m, north_m) for east_m, north_m in largest.exterior.coords]

    def foot(self, pixels: Sequence[Pixel], image_size: tuple[int, int]) -> LonLat | None:
        """Where a thing stands: the lowest of its outline's points, on the ground; None if that is above the horizon or out of range.

        The rest of its outline stands up from the ground and would be thrown far behind it.
        """
        x, y = max(pixels, key=lambda pixel: pixel[1])
        kept = self._below_horizon([(x / image_size[0], y / image_size[1])])
        if not kept:
            return None
        east_m, north_m = self._metres(kept[0])
        return lon_lat(LocalMap.around(self.unit.position), east_m, north_m) if math.hypot(east_m, north_m) <= self.unit.range_m else None

    def _depth(self, share: Pixel) -> float:
        return float(self.matrix[2] @ (share[0], share[1], 1.0))

    def _metres(self, share: Pixel) -> tuple[float, float]:
        east, north, depth = self.matrix @ (share[0], share[1], 1.0)
        return float(east / depth), float(north / depth)

    def _below_horizon(self, shares: Sequence[Pixel]) -> list[Pixel]:
        """Cuts a polygon at a line just under the horizon (Sutherland and Hodgman 1974: the third coordinate is linear in the picture)."""
        least = self.depth * _HORIZON_SHARE
        kept: list[Pixel] = []
        for before, here in zip([shares[-1], *shares[:-1]], shares, strict=True):
            depth_before, depth_here = self._depth(before), self._depth(here)
            if (depth_before >= least) is not (depth_here >= least):
                part = (least - depth_before) / (depth_here - depth_before)
                kept.append((before[0] + part * (here[0] - before[0]), before[1] + part * (here[1] - before[1])))
            if depth_here >= least:
                kept.append(here)
        return kept


def _points(plane: GroundPlane, around: LocalMap) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    width, height = plane.image_size
    shares = np.array([(point.px[0] / width, point.px[1] / height) for point in plane.points])
    metres = np.array([around.to_m(point.at.lon, point.at.lat) for point in plane.points])
    return shares, metres


def _homography(source: npt.NDArray[np.float64], target: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | None:
    """The direct linear transform (Hartley and Zisserman, Multiple View Geometry, 4.1): the least singular vector of two rows a point."""
    scale = float(np.abs(target).max()) or 1.0
    rows = []
    for (x, y), (u, v) in zip(source, target / scale, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y, -u])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y, -v])
    _, values, vectors = np.linalg.svd(np.array(rows))
    # One direction alone may be free; a second one means that the points do not fix a plane.
    if values[7] < 1e-9 * values[0]:
        return None
    matrix: npt.NDArray[np.float64] = np.diag([scale, scale, 1.0]) @ vectors[-1].reshape(3, 3)
    return matrix

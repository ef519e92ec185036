"""From a point of the picture to a place on the ground, with the error that the calibration and the picture leave."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from parvis_contract import GroundPlane as CalibratedPoints
from parvis_contract import LocalMap, Point, Position
from scipy.optimize import least_squares

Floats = npt.NDArray[np.floating[Any]]

#: How well a person can point at a mark in the picture, 1 sigma. What four points leave unmeasured, more points replace.
MARK_ERROR_PX = 2.0
#: How well a mark's place on the map is known, 1 sigma: a tape measure or a survey-grade map in a street.
MAP_ERROR_M = 0.05


class GroundPlaneError(ValueError):
    """The points do not give a ground plane; the message says why and what to do."""


class LocalPlane:
    """A site's :class:`~parvis_contract.LocalMap` for arrays: east and north in metres from its origin."""

    def __init__(self, origin: Point) -> None:
        around = LocalMap.around(origin)
        self._origin = np.array([around.lon_deg, around.lat_deg])
        self._m_per_degree = np.array([around.east_m_per_deg, around.north_m_per_deg])

    def to_metres(self, lon_lat: Sequence[Sequence[float]] | Floats) -> Floats:
        """``(N, 2)`` degrees, longitude first, to ``(N, 2)`` metres east and north."""
        return np.asarray((np.asarray(lon_lat, np.float64).reshape(-1, 2) - self._origin) * self._m_per_degree)

    def to_degrees(self, metres: Floats) -> Floats:
        """``(N, 2)`` metres east and north to ``(N, 2)`` degrees, longitude first."""
        return np.asarray(np.asarray(metres, np.float64).reshape(-1, 2) / self._m_per_degree + self._origin)


class GroundPlane:
    """The homography between one camera's picture and the ground, assumed flat.

    Fitted by least squares over the calibration's points, each weighted by its own error: that of pointing at a mark in the
    picture, carried to the ground, and that of the map. The fit's covariance is ``s² (JᵀJ)⁻¹`` (Hartley and Zisserman, Multiple
    View Geometry, 2nd ed., section 5.2), with ``s²`` the residuals' variance where it is above what was assumed.

    Args:
        points: Of the site plan.
        plane: The site's local plane.
        size_px: Width and height of the stream; the points are scaled to it from the picture that they were taken in.

    Attributes:
        residual_m: Root mean square distance between the points and where the fit puts them; 0 for four points, which any
            homography fits.

    Raises:
        GroundPlaneError: Three of the points, or more, lie on a line, or the points contradict each other.
    """

    def __init__(self, points: CalibratedPoints, plane: LocalPlane, size_px: tuple[int, int]) -> None:
        scale = np.array(size_px) / np.array(points.image_size)
        pixels = np.array([point.px for point in points.points], np.float64) * scale
        self.plane = plane
        ground = plane.to_metres([(point.at.lon, point.at.lat) for point in points.points])
        # Both are brought to the same order of magnitude, or the equations below are ill conditioned (Hartley 1997).
        self._pixel_frame, self._ground_frame = _frame(pixels), _frame(ground)
        self._px_per_mark = MARK_ERROR_PX * float(scale.mean())
        p, g = _apply(self._pixel_frame, pixels), _apply(self._ground_frame, ground)
        start = _linear_fit(p, g)
        if _apply_w(start, p).min() <= 0:
            raise GroundPlaneError("the ground plane's points do not lie on one plane in front of the camera; check their `px` and `at`")
        weights = 1 / self._point_error(start, p)
        fit = least_squares(lambda h: ((_apply(_matrix(h), p) - g) * weights[:, None]).ravel(), start.ravel()[:8], method="lm")
        information = fit.jac.T @ fit.jac
        freedom = 2 * len(p) - 8
        variance = max(1.0, float(2 * fit.cost) / freedom) if freedom > 0 else 1.0
        if np.linalg.cond(information) > 1e14 or _apply_w(_matrix(fit.x), p).min() <= 0:
            raise GroundPlaneError("three of the ground plane's points lie on a line; choose points that span the picture")
        self._h = _matrix(fit.x)
        self._covariance = np.linalg.inv(information) * variance
        self._inverse = np.linalg.inv(self._h)
        self._metres_per_unit = 1 / float(self._ground_frame[0, 0])
        self.residual_m = float(np.sqrt(((_apply(self._h, p) - g) ** 2).sum(axis=1).mean())) * self._metres_per_unit

    def to_ground_m(self, pixels: npt.ArrayLike) -> Floats:
        """Metres east and north of the site's origin.

        Args:
            pixels: ``(N, 2)``, x and y in the stream's pixels.

        Returns:
            ``(N, 2)``; not a number at and above the horizon.
        """
        p = _apply(self._pixel_frame, np.asarray(pixels, np.float64).reshape(-1, 2))
        ahead = _apply_w(self._h, p) > 1e-6
        ground = np.full(p.shape, np.nan)
        ground[ahead] = _apply(np.linalg.inv(self._ground_frame), _apply(self._h, p[ahead]))
        return ground

    def to_picture_px(self, ground_m: npt.ArrayLike) -> Floats:
        """Pixels of ``(N, 2)`` metres on the ground; not a number for what lies behind the camera."""
        g = _apply(self._ground_frame, np.asarray(ground_m, np.float64).reshape(-1, 2))
        p = _apply(self._inverse, g)
        ahead = _apply_w(self._h, p) > 1e-6
        pixels = np.full(g.shape, np.nan)
        pixels[ahead] = _apply(np.linalg.inv(self._pixel_frame), p[ahead])
        return pixels

    def uncertainty_m(self, pixel: tuple[float, float], error_px: tuple[float, float]) -> float:
        """1-sigma radius, in metres, of the place of a pixel: along the direction in which it is worst.

        Args:
            pixel: x and y in the stream's pixels.
            error_px: 1-sigma error of x and of y.

        Returns:
            Infinity at and above the horizon.
        """
        covariance = self.covariance_m2(pixel, error_px)
        return math.inf if covariance is None else math.sqrt(float(np.linalg.eigvalsh(covariance)[-1]))

    def covariance_m2(self, pixel: tuple[float, float], error_px: tuple[float, float]) -> Floats | None:
        """``(2, 2)``: how wrong the place of a pixel may be, east and north, in square metres; arguments as of :meth:`uncertainty_m`.

        None at and above the horizon.
        """
        p = _apply(self._pixel_frame, np.array([pixel], np.float64))
        if _apply_w(self._h, p)[0] <= 1e-6:
            return None
        by_fit = _jacobian_h(self._h, p[0])
        by_pixel = _jacobian_p(self._h, p[0]) * self._pixel_frame[0, 0]
        covariance = by_fit @ self._covariance @ by_fit.T + by_pixel @ np.diag(np.square(error_px)) @ by_pixel.T
        return np.asarray(covariance * float(self._metres_per_unit) ** 2)

    def px_per_m(self, pixel: tuple[float, float]) -> float:
        """How many pixels a metre across the view is, at the ground that a pixel shows; not a number at and above the horizon."""
        p = _apply(self._pixel_frame, np.array([pixel], np.float64))
        if _apply_w(self._h, p)[0] <= 1e-6:
            return math.nan
        metres_per_px = _jacobian_p(self._h, p[0]) * self._pixel_frame[0, 0] * self._metres_per_unit
        return 1 / float(np.linalg.svd(metres_per_px, compute_uv=False)[-1])

    def position(self, pixel: tuple[float, float], error_px: tuple[float, float], farthest_m: float) -> Position | None:
        """The place of a pixel on the Earth, or None where the picture does not tell it to within ``farthest_m``."""
        uncertainty = self.uncertainty_m(pixel, error_px)
        if not uncertainty <= farthest_m:
            return None
        lon, lat = self.plane.to_degrees(self.to_ground_m([pixel]))[0]
        return Position(lon=float(lon), lat=float(lat), uncertainty_m=uncertainty)

    def _point_error(self, start: Floats, p: Floats) -> Floats:
        """Per point, 1 sigma in the ground's frame."""
        pointing = np.array([np.linalg.norm(_jacobian_p(start, point)) / math.sqrt(2) for point in p])
        pointing *= self._pixel_frame[0, 0] * self._px_per_mark
        return np.asarray(np.hypot(pointing, MAP_ERROR_M * self._ground_frame[0, 0]))


def _frame(points: Floats) -> Floats:
    """Shift and scale that bring points to the origin's unit neighbourhood."""
    middle = points.mean(axis=0)
    spread = float(np.linalg.norm(points - middle, axis=1).mean())
    if spread == 0:
        raise GroundPlaneError("the ground plane's points all lie at one place; choose points that span the picture")
    return np.array([[1 / spread, 0, -middle[0] / spread], [0, 1 / spread, -middle[1] / spread], [0, 0, 1]])


def _linear_fit(p: Floats, g: Floats) -> Floats:
    """Direct linear transformation (Hartley and Zisserman, section 4.1), with the sign that puts the points before the camera."""
    rows = []
    for (x, y), (u, v) in zip(p, g, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y, -u])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y, -v])
    _, values, right = np.linalg.svd(np.array(rows))
    if values[7] < 1e-6 * values[0]:
        raise GroundPlaneError("three of the ground plane's points lie on a line; choose points that span the picture")
    h = right[-1].reshape(3, 3)
    if abs(h[2, 2]) < 1e-12:
        raise GroundPlaneError("the middle of the ground plane's points lies on the horizon; choose points on the ground")
    return np.asarray(h / h[2, 2])


def _matrix(h: Floats) -> Floats:
    return np.append(h, 1.0).reshape(3, 3)


def _apply_w(h: Floats, points: Floats) -> Floats:
    return np.asarray(points @ h[2, :2] + h[2, 2])


def _apply(h: Floats, points: Floats) -> Floats:
    return np.asarray((points @ h[:2, :2].T + h[:2, 2]) / _apply_w(h, points)[:, None])


def _jacobian_p(h: Floats, point: Floats) -> Floats:
    """``(2, 2)``: how the ground point moves with the pixel."""
    w = float(point @ h[2, :2] + h[2, 2])
    ground = (h[:2, :2] @ point + h[:2, 2]) / w
    return np.asarray((h[:2, :2] - np.outer(ground, h[2, :2])) / w)


def _jacobian_h(h: Floats, point: Floats) -> Floats:
    """``(2, 8)``: how the ground point moves with the homography's entries."""
    x, y = point
    w = float(point @ h[2, :2] + h[2, 2])
    u, v = (h[:2, :2] @ point + h[:2, 2]) / w
    return np.array([[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]) / w

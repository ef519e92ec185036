"""Whether known points give a ground plane that is good enough, how wrong it may be in metres, and how finely people are seen. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from parvis_contract import ClosedZone, NoiseZone, Site
from parvis_contract import GroundPlane as CalibratedPoints
from parvis_contract.site import GroundPoint
from scipy.special import chdtri

from parvis_edge.vision.area import NotSeen, place, scaled
from parvis_edge.vision.ground_plane import MAP_ERROR_M, MARK_ERROR_PX, Floats, GroundPlane, GroundPlaneError, LocalPlane

from .cap import too_fine
from .geometry import Nearest, Pose, horizon_px, moves, nearest_standing, pose, seen_from_above, spread_px
from .lens import find_bend, misfit

#: A step: within it somebody is on the pavement or beside it. Farther out a pixel alone is more; there a twentieth of the distance
#: keeps apart what stands one behind the other as far as the picture itself does.
LIMIT_M, LIMIT_SHARE = 0.5, 0.05
#: Of points with the errors assumed, one in 25,000 is so far from where the others put it: exp(-z²/2), in two dimensions.
CONTRADICTS_SIGMAS = 4.5
#: Honest points are refused for the sum of their errors once in so many calibrations.
IMPLAUSIBLE = 1e-4
#: Points closer to one line than a few times the error of pointing at them do not tell the plane's tilt.
LEAST_SPREAD_PX = 5 * MARK_ERROR_PX
#: Beyond this from its unit a place was mistyped: no unit sees so far.
FARTHEST_M = 1_000.0
#: The working picture that zones are drawn into: enough for where they lie.
_CELLS_PX = 96
#: So many places of a zone are looked at for its error.
_SAMPLES = 60
_NO_ERROR = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class PointCheck:
    """How one point fits.

    Attributes:
        residual_m: From where the fit puts it.
        left_out_m: From where the other points put it; None with four, which leave nothing to check.
        sigmas: The same, in sigmas of what was assumed.
    """

    residual_m: float
    left_out_m: float | None = None
    sigmas: float | None = None


@dataclass(frozen=True, slots=True)
class ZoneCheck:
    """What the ground plane does for a zone or lane.

    Attributes:
        name: As ``zones.square``.
        area_m2: Of what is on the ground.
        error_m: Of the calibration in it, 1 sigma, where it is worst against its limit.
        limit_m: What that may be there.
        reason: Why this camera cannot judge it; None if it can.
    """

    name: str
    area_m2: float | None = None
    error_m: float | None = None
    limit_m: float | None = None
    reason: str | None = None


@dataclass(slots=True)
class Assessment:
    """What came of a calibration.

    Attributes:
        image_size, points: What was given.
        refusals: Why it is not good enough, and what to do; empty if it is.
        warnings: What to look at.
        ground: The ground plane; None if the points give none.
        checks: Of each point, in order.
        error_m: 1 sigma of the calibration, in metres, where it is worst against its limit; in the zones on the ground, or, without any,
            between the points.
        error_at_m: How far from the unit that is.
        zones: Of each zone or lane that this camera may have to judge.
        nearest: Where somebody would be seen in most detail.
        cap_px_per_m: The profile's optical cap; None if it sets none.
        camera: Where the points put the camera.
        looked_at_px: Where in the zones the error was looked at.
        horizon: Its y in pixels at the picture's left and right edge.
    """

    image_size: tuple[int, int]
    points: tuple[GroundPoint, ...]
    refusals: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    ground: GroundPlane | None = None
    checks: list[PointCheck] = field(default_factory=list)
    error_m: float | None = None
    error_at_m: float | None = None
    zones: list[ZoneCheck] = field(default_factory=list)
    nearest: Nearest | None = None
    cap_px_per_m: float | None = None
    camera: Pose | None = None
    looked_at_px: list[Floats] = field(default_factory=list)
    horizon: tuple[float, float] | None = None

    @property
    def good(self) -> bool:
        """True if it may go into the site plan."""
        return self.ground is not None and not self.refusals

    @property
    def plane(self) -> CalibratedPoints:
        """For the site plan."""
        return CalibratedPoints(image_size=self.image_size, points=self.points)


def assess(points: tuple[GroundPoint, ...], image_size: tuple[int, int], site: Site, unit: str) -> Assessment:
    """Judges a calibration.

    Args:
        points: Of the picture, with their places.
        image_size: Width and height of the picture that they were taken in.
        site: The site plan; its own ground plane for the unit is not looked at.
        unit: Whose camera it is.
    """
    found = Assessment(image_size, points)
    cap = site.law.optical_cap
    found.cap_px_per_m = cap.px_per_m if cap else None
    plane = LocalPlane(site.origin)
    _check_the_points_themselves(found, site, unit, plane)
    if found.refusals:
        return found
    try:
        found.ground = GroundPlane(found.plane, plane, image_size)
    except GroundPlaneError as error:
        found.refusals.append(str(error))
        return found
    pixels = np.array([point.px for point in points])
    if not seen_from_above(found.ground, pixels):
        found.refusals.append("the points are mirrored, as no camera sees the ground: two were taken for each other, or a sign is wrong")
        return found
    own_m = plane.to_metres([(site.units[unit].position.lon, site.units[unit].position.lat)])[0]
    _check_the_fit(found, plane)
    _check_the_zones(found, site, unit, own_m)
    _check_the_error(found, own_m)
    _check_the_lens(found, plane, own_m)
    _check_the_cap(found, site, unit)
    _check_the_camera(found, site, unit, own_m)
    return found


def _check_the_points_themselves(found: Assessment, site: Site, unit: str, plane: LocalPlane) -> None:
    points = found.points
    if len(points) < 4:
        found.refusals.append(f"{len(points)} of at least four points; six or more, near and far, also check one another")
        return
    if len(points) > 100:
        found.refusals.append(f"{len(points)} points; a hundred at most")
        return
    found.refusals += _strays(found, site, unit, plane)
    pixels = np.array([point.px for point in points])
    for first in range(len(points)):
        for second in range(first + 1, len(points)):
            if float(np.linalg.norm(pixels[first] - pixels[second])) < 1.0:
                found.refusals.append(f"points {first + 1} and {second + 1} are the same place in the picture; take one away")
    if found.refusals:
        return
    spread = spread_px(pixels)
    if spread < LEAST_SPREAD_PX:
        extent = float(np.linalg.norm(np.ptp(pixels, axis=0)))
        what = "lie too close together" if extent < 4 * LEAST_SPREAD_PX else "lie, but for one, on a line"
        found.refusals.append(
            f"the points {what} in the picture (they span {spread:.1f} px, {LEAST_SPREAD_PX:.0f} are needed); choose points near and far, "
            "left and right"
        )


def _strays(found: Assessment, site: Site, unit: str, plane: LocalPlane) -> list[str]:
    """Points outside the picture, and places where nobody can have been."""
    width, height = found.image_size
    strays = []
    own_m = plane.to_metres([(site.units[unit].position.lon, site.units[unit].position.lat)])[0]
    for number, point in enumerate(found.points, 1):
        x, y = point.px
        if not (0 <= x <= width and 0 <= y <= height):
            strays.append(f"point {number} ({x:g}, {y:g}) lies outside the picture of {width} × {height} pixels")
        away_m = float(np.linalg.norm(plane.to_metres([(point.at.lon, point.at.lat)])[0] - own_m))
        if away_m > FARTHEST_M:
            strays.append(
                f"point {number} ({point.at.lon:g}, {point.at.lat:g}) is {away_m / 1000:,.0f} km from unit {unit}: longitude comes first"
            )
    return strays


def _check_the_fit(found: Assessment, plane: LocalPlane) -> None:
    """Each point against the others."""
    ground, points = found.ground, found.points
    if ground is None:
        return
    places = plane.to_metres([(point.at.lon, point.at.lat) for point in points])
    residuals = np.linalg.norm(ground.to_ground_m([point.px for point in points]) - places, axis=1)
    if len(points) == 4:
        found.checks = [PointCheck(float(residual)) for residual in residuals]
        found.warnings.append(
            "four points leave nothing to check them by: a number that was mistyped is not noticed; two more would show it"
        )
        return
    found.checks = [_left_out(found, plane, number, float(residuals[number]), places[number]) for number in range(len(points))]
    worst = max(range(len(points)), key=lambda number: found.checks[number].sigmas or 0.0)
    check = found.checks[worst]
    bend = find_bend(points, found.image_size, plane, ground)
    if bend is not None and bend.misfit <= float(chdtri(2 * len(points) - 9, IMPLAUSIBLE)):
        # No point is wrong: the lens is. Where that is more than chance, the error that a straight lens states is not the truth.
        if (check.sigmas or 0.0) > CONTRADICTS_SIGMAS or not _plausible(found, plane):
            found.refusals.append(
                f"the lens bends straight lines (by {abs(bend.share):.0%} at the picture's side), more than a ground plane allows; "
                "switch on the camera's own lens correction, and calibrate again"
            )
        return
    if check.sigmas is not None and check.left_out_m is not None and check.sigmas > CONTRADICTS_SIGMAS:
        said = f"{check.left_out_m:.2f} m from where the others put it, {check.sigmas:.0f} times what pointing and map leave open"
        if math.isinf(check.left_out_m):
            said = "where the others see no ground at all"
        if len(points) > 5 and _agree(found, plane, without=worst):
            found.refusals.append(f"point {worst + 1} contradicts the others: it is {said}; correct it or take it away")
            return
    else:
        if _plausible(found, plane):
            return
        said = f"{residuals[worst]:.2f} m off, and all together they are off by more than pointing and map leave open"
    found.refusals.append(
        f"the points contradict one another: point {worst + 1} is {said}. Is one mistyped, the ground not flat, or the lens so wide "
        "that straight lines are bent? " + ("A sixth point would tell which" if len(points) == 5 else "Check each")
    )


def _plausible(found: Assessment, plane: LocalPlane) -> bool:
    """False if the residuals as a whole are larger than chance makes them in one of ten thousand calibrations.

    What bends all points a little (a lens, ground that is not flat) contradicts no single one: the fit goes along with it, and only the
    sum of squares shows it (a chi-square with two degrees of freedom per point, less the eight of the homography).
    """
    if found.ground is None:
        return True
    pixels = np.array([point.px for point in found.points])
    places_m = plane.to_metres([(point.at.lon, point.at.lat) for point in found.points])
    return misfit(found.ground, pixels, places_m) <= float(chdtri(2 * len(found.points) - 8, IMPLAUSIBLE))


def _left_out(found: Assessment, plane: LocalPlane, number: int, residual_m: float, place_m: Floats) -> PointCheck:
    others = tuple(point for index, point in enumerate(found.points) if index != number)
    pixel = found.points[number].px
    if spread_px([point.px for point in others]) < LEAST_SPREAD_PX:
        # The others alone give no plane: they say nothing of this one.
        return PointCheck(residual_m)
    try:
        ground = GroundPlane(CalibratedPoints(image_size=found.image_size, points=others), plane, found.image_size)
    except GroundPlaneError:
        return PointCheck(residual_m)
    # Looked at from where the others put it in the picture: that is always on the ground; the pixel itself may be above their horizon.
    there = ground.to_picture_px([place_m])[0]
    if not np.isfinite(there).all():
        return PointCheck(residual_m, math.inf, math.inf)
    off_m = moves(ground, there[None])[0] @ (np.array(pixel) - there)
    covariance = ground.covariance_m2((float(there[0]), float(there[1])), (MARK_ERROR_PX, MARK_ERROR_PX))
    if covariance is None or not np.isfinite(off_m).all():
        return PointCheck(residual_m, math.inf, math.inf)
    sigmas = math.sqrt(float(off_m @ np.linalg.solve(covariance + MAP_ERROR_M**2 * np.eye(2), off_m)))
    return PointCheck(residual_m, float(np.linalg.norm(off_m)), sigmas)


def _agree(found: Assessment, plane: LocalPlane, *, without: int) -> bool:
    """True if the other points contradict one another no more."""
    rest = Assessment(found.image_size, tuple(point for number, point in enumerate(found.points) if number != without))
    places = plane.to_metres([(point.at.lon, point.at.lat) for point in rest.points])
    checks = [_left_out(rest, plane, number, 0.0, places[number]) for number in range(len(rest.points))]
    return all(check.sigmas is None or check.sigmas <= CONTRADICTS_SIGMAS for check in checks)


def _check_the_zones(found: Assessment, site: Site, unit: str, own_m: Floats) -> None:
    ground, size = found.ground, found.image_size
    drawn: dict[str, Any] = {f"zones.{name}": zone for name, zone in site.zones_of(unit).items() if not isinstance(zone, NoiseZone)} | {
        f"lanes.{name}": lane for name, lane in site.lanes_of(unit).items()
    }
    cells = (_CELLS_PX, max(1, round(_CELLS_PX * size[1] / size[0])))
    for name, plan in drawn.items():
        if ground is None:
            return
        try:
            area = place(plan, size, cells, ground)
        except NotSeen as reason:
            found.zones.append(ZoneCheck(name, reason=str(reason)))
            continue
        if plan.in_picture:
            corners = ground.to_ground_m(scaled(plan.polygon_px, plan.image_size, size))
            if np.isnan(corners).any():
                text = f"{name} reaches above the horizon that the points give; it is not on the ground there"
                if isinstance(plan, ClosedZone):
                    found.warnings.append(f"{text}, so its area is not known")
                else:
                    found.refusals.append(f"{text}: redraw it, or correct the points")
                found.zones.append(ZoneCheck(name))
                continue
        rows, columns = np.nonzero(area.mask)
        chosen = np.linspace(0, len(rows) - 1, min(_SAMPLES, len(rows))).astype(int)
        centres = (np.stack([columns[chosen], rows[chosen]], axis=1) + 0.5) * np.array(area.px_per_cell)
        found.looked_at_px.append(centres)
        error = _worst_error(ground, centres, own_m, site.units[unit].range_m)
        found.zones.append(ZoneCheck(name, area.area_m2, error[0] if error else None, _limit(error[1]) if error else None))
        if error and (found.error_m is None or error[0] / _limit(error[1]) > found.error_m / _limit(found.error_at_m or 0.0)):
            found.error_m, found.error_at_m = error


def _check_the_error(found: Assessment, own_m: Floats) -> None:
    if found.ground is None:
        return
    where = "in the zones"
    if found.error_m is None:
        where = "between the points"
        error = _worst_error(found.ground, _between(np.array([point.px for point in found.points])), own_m, math.inf)
        if error is None:
            return
        found.error_m, found.error_at_m = error
    limit = _limit(found.error_at_m or 0.0)
    if found.error_m is not None and found.error_m > limit:
        bad = [zone.name for zone in found.zones if zone.error_m is not None and zone.limit_m is not None and zone.error_m > zone.limit_m]
        named = f" ({', '.join(bad)})" if bad else ""
        found.refusals.append(
            f"the ground plane is off by {found.error_m:.2f} m (1 sigma) {where}{named}, {found.error_at_m:.0f} m from the unit, "
            f"and {limit:.2f} m is the most; add points there, or points farther apart"
        )


def _check_the_lens(found: Assessment, plane: LocalPlane, own_m: Floats) -> None:
    """A bent lens, and how far it puts places between the points from where they are."""
    if found.ground is None or found.refusals:
        return
    bend = find_bend(found.points, found.image_size, plane, found.ground)
    if bend is None:
        return
    pixels = np.concatenate([_between(np.array([point.px for point in found.points])), *found.looked_at_px])
    straight_m, bent_m = found.ground.to_ground_m(pixels), bend.to_ground_m(pixels)
    off_m = np.linalg.norm(straight_m - bent_m, axis=1)
    error_m = np.array([found.ground.uncertainty_m((float(x), float(y)), _NO_ERROR) for x, y in pixels])
    limits_m = np.array([_limit(float(distance)) for distance in np.linalg.norm(bent_m - own_m, axis=1)])
    shares = np.hypot(off_m, error_m) / limits_m
    if not np.isfinite(shares).any():
        return
    worst = int(np.nanargmax(shares))
    said = (
        f"the lens bends straight lines (by {abs(bend.share):.0%} at the picture's side), which puts places up to {off_m[worst]:.1f} m off "
        "beside the error above; switch on the camera's own lens correction, and calibrate again"
    )
    (found.refusals if shares[worst] > 1 else found.warnings).append(said)


def _between(pixels: Floats) -> Floats:
    """Points, and places on the lines between them."""
    shares = np.array([0.0, 0.25, 0.5, 0.75])[:, None, None, None]
    chosen = pixels[:30]
    return np.asarray((chosen[None, :, None] * (1 - shares) + chosen[None, None, :] * shares).reshape(-1, 2))[::3]


def _limit(distance_m: float) -> float:
    return max(LIMIT_M, LIMIT_SHARE * distance_m)


def _worst_error(ground: GroundPlane, pixels: Floats, own_m: Floats, range_m: float) -> tuple[float, float] | None:
    """Error of the calibration alone and distance from the unit, where the error is worst against its limit; within range."""
    worst: tuple[float, float] | None = None
    distances = np.linalg.norm(ground.to_ground_m(pixels) - own_m, axis=1)
    for pixel, distance in zip(pixels, distances, strict=True):
        if not distance <= range_m:
            continue
        error = ground.uncertainty_m((float(pixel[0]), float(pixel[1])), _NO_ERROR)
        if worst is None or error / _limit(float(distance)) > worst[0] / _limit(worst[1]):
            worst = error, float(distance)
    return worst


def _check_the_cap(found: Assessment, site: Site, unit: str) -> None:
    if found.ground is None:
        return
    found.nearest = nearest_standing(found.ground, found.image_size, site.units[unit].height_m)
    refusal = too_fine(site, found.nearest, found.image_size)
    if refusal is not None:
        found.refusals.append(refusal)


def _check_the_camera(found: Assessment, site: Site, unit: str, own_m: Floats) -> None:
    """Where the points put the camera, against the site plan: with four points the only check there is."""
    if found.ground is None:
        return
    plan = site.units[unit]
    found.horizon = horizon_px(found.ground, found.image_size, (float(own_m[0]), float(own_m[1])))
    found.camera = camera = pose(found.ground, found.image_size, (float(own_m[0]), float(own_m[1])))
    if camera is None:
        return
    away_m = math.hypot(camera.east_m - own_m[0], camera.north_m - own_m[1])
    places = found.ground.to_ground_m([point.px for point in found.points])
    middle_m = float(np.linalg.norm(places.mean(axis=0) - own_m))
    if away_m > max(3.0, 0.5 * middle_m):
        found.warnings.append(
            f"the points put the camera {away_m:.0f} m from units.{unit}.position; is a point wrong, or the unit's own position?"
        )
    if abs(camera.height_m - plan.height_m) > max(1.0, 0.5 * plan.height_m):
        found.warnings.append(
            f"the points put the camera {camera.height_m:.1f} m above the ground, and units.{unit}.height_m is {plan.height_m:g}; "
            "which is right?"
        )

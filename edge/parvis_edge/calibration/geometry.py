"""What a ground plane says about the camera that sees it: scale, horizon, the camera's own place, and a grid to look at. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from parvis_edge.vision.ground_plane import Floats, GroundPlane

#: A standing person is looked at by the head; with shoes (as the analysers have it).
HEAD_M = 1.7
#: Grid lines closer than this in the picture run into one another.
LEAST_LINES_APART_PX = 5.0
#: So many steps along the picture's sides find the nearest ground to within a thirtieth of a side.
_STEPS = 33


@dataclass(frozen=True, slots=True)
class Nearest:
    """The nearest place on the ground where somebody could stand in view.

    Attributes:
        px: Where in the picture.
        px_per_m: Pixels per metre there, of what stands upright and faces the camera (EN 62676-4).
        head_px_per_m: The same of the head of whoever stands there; None where the camera hangs no higher than a head.
    """

    px: tuple[float, float]
    px_per_m: float
    head_px_per_m: float | None


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the points put the camera.

    Attributes:
        east_m, north_m: From the site's origin.
        height_m: Above the ground; below 0, the points are mirrored.
        focal_px: Its focal length.
    """

    east_m: float
    north_m: float
    height_m: float
    focal_px: float


def picture_grid(size_px: tuple[int, int], steps: int = _STEPS) -> Floats:
    """``(steps², 2)`` pixels, evenly over the picture and its edges."""
    x, y = np.meshgrid(np.linspace(0, size_px[0] - 1, steps), np.linspace(0, size_px[1] - 1, steps))
    return np.stack([x.ravel(), y.ravel()], axis=1)


def px_per_m(ground: GroundPlane, pixels: npt.ArrayLike, size_px: tuple[int, int]) -> Floats:
    """Pixels per metre of what stands upright at each of ``(N, 2)`` pixels and faces the camera.

    A pinhole camera shows a metre across its line of sight at depth ``Z`` on ``f / Z`` pixels, on the ground as on what stands there. On
    the ground, that is the direction along which the depth stays the same.

    Args:
        ground: The ground plane, for pictures of this size.
        pixels: Where.
        size_px: Width and height of the picture.

    Returns:
        ``(N,)``; not a number at and above the horizon.
    """
    points = np.asarray(pixels, np.float64).reshape(-1, 2)
    places = ground.to_ground_m(points)
    scale = np.full(len(points), np.nan)
    known = np.isfinite(places).all(axis=1)
    if not known.any():
        return scale
    # The median: places near the horizon are kilometres away.
    middle_m = np.median(places[known], axis=0)
    g = matrix(ground, size_px, (float(middle_m[0]), float(middle_m[1])))
    slope = float(np.linalg.norm(g[2, :2]))
    across = np.array([-g[2, 1], g[2, 0]]) / slope if slope > 0 else np.array([1.0, 0.0])
    depth = (places[known] - middle_m) @ g[2, :2] + g[2, 2]
    scale[known] = np.linalg.norm(g[:2, :2] @ across) / depth
    return scale


def seen_from_above(ground: GroundPlane, pixels: npt.ArrayLike) -> bool:
    """False if the plane is seen as in a mirror, which no camera does: places were taken for one another."""
    jacobian = moves(ground, np.asarray(pixels, np.float64).reshape(-1, 2))
    turn = np.linalg.det(jacobian[np.isfinite(jacobian).all(axis=(1, 2))])
    # The picture's y runs down and the map's north up, so what is seen from above is turned once.
    return bool(len(turn)) and bool((turn < 0).all())


def nearest_standing(ground: GroundPlane, size_px: tuple[int, int], camera_height_m: float) -> Nearest | None:
    """Where in the picture somebody would be seen in most detail; None if no ground is in view.

    Args:
        ground: The ground plane, for pictures of this size.
        size_px: Width and height of the picture.
        camera_height_m: Of the camera above the ground. A head is nearer to it by its own height: the same ray meets it earlier by
            ``height / (height - 1.7)``.
    """
    pixels = picture_grid(size_px)
    scale = px_per_m(ground, pixels, size_px)
    if np.isnan(scale).all():
        return None
    best = int(np.nanargmax(scale))
    nearer = camera_height_m - HEAD_M
    head = float(scale[best] * camera_height_m / nearer) if nearer > 0.1 else None
    return Nearest((float(pixels[best, 0]), float(pixels[best, 1])), float(scale[best]), head)


def matrix(ground: GroundPlane, size_px: tuple[int, int], origin_m: tuple[float, float]) -> Floats:
    """``(3, 3)``: from metres east and north of ``origin_m`` to pixels from the picture's middle, ahead of the camera positive.

    Raises:
        ValueError: No ground is in view.
    """
    middle = np.array(size_px, np.float64) / 2
    pixels = picture_grid(size_px, 5)
    places = ground.to_ground_m(pixels)
    ahead = np.isfinite(places).all(axis=1)
    if ahead.sum() < 4:
        raise ValueError("no ground is in view")
    p, g = (pixels[ahead] - middle) / middle[0], places[ahead] - np.array(origin_m)
    # The farthest places are many kilometres off and would swamp the others.
    near = np.argsort(np.linalg.norm(g, axis=1))[: max(6, ahead.sum() // 2)]
    p, g = p[near], g[near]
    spread = float(np.abs(g).max())
    rows = []
    for (x, y), (u, v) in zip(p, g / spread, strict=True):
        rows.append([u, v, 1, 0, 0, 0, -x * u, -x * v, -x])
        rows.append([0, 0, 0, u, v, 1, -y * u, -y * v, -y])
    found = np.linalg.svd(np.array(rows))[2][-1].reshape(3, 3)
    found = np.diag([middle[0], middle[0], 1.0]) @ found @ np.diag([1 / spread, 1 / spread, 1.0])
    depth = g @ found[2, :2] + found[2, 2]
    return np.asarray(-found if np.median(depth) < 0 else found)


def pose(ground: GroundPlane, size_px: tuple[int, int], origin_m: tuple[float, float]) -> Pose | None:
    """Where a camera with square pixels and the lens in the picture's middle must hang to see the ground so.

    The first two columns of ``K⁻¹ G`` are perpendicular and of one length (Hartley and Zisserman, section 8.1), which gives the focal
    length; then rotation and place follow (Zhang 2000). None where the view tells nothing: straight down, or no such camera.
    """
    try:
        g = matrix(ground, size_px, origin_m)
    except ValueError:
        return None
    plane = np.array([g[0, 0] * g[0, 1] + g[1, 0] * g[1, 1], g[0, 0] ** 2 + g[1, 0] ** 2 - g[0, 1] ** 2 - g[1, 1] ** 2])
    depth = np.array([g[2, 0] * g[2, 1], g[2, 0] ** 2 - g[2, 1] ** 2])
    if not float(plane @ plane) > 0 or (inverse := -float(plane @ depth) / float(plane @ plane)) <= 0:
        return None
    focal = 1 / math.sqrt(inverse)
    columns = np.diag([1 / focal, 1 / focal, 1.0]) @ g
    size = float(np.linalg.norm(columns[:, :2], axis=0).mean())
    first, second, shift = (columns / size).T
    left, _, right = np.linalg.svd(np.stack([first, second, np.cross(first, second)], axis=1))
    rotation = left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right
    east, north, up = -rotation.T @ shift
    return Pose(float(east + origin_m[0]), float(north + origin_m[1]), float(up), focal)


def horizon_px(ground: GroundPlane, size_px: tuple[int, int], origin_m: tuple[float, float]) -> tuple[float, float] | None:
    """The horizon's y at the picture's left and right edge; None where it does not cross the picture from side to side."""
    try:
        line = np.linalg.inv(matrix(ground, size_px, origin_m))[2]
    except (ValueError, np.linalg.LinAlgError):
        return None
    if abs(line[1]) <= abs(line[0]):
        return None
    half_x, half_y = size_px[0] / 2, size_px[1] / 2
    left, right = (-(line[0] * x + line[2]) / line[1] + half_y for x in (-half_x, half_x))
    return float(left), float(right)


def spread_px(pixels: npt.ArrayLike) -> float:
    """How far the best four of the points are from three of them lying on one line, in pixels.

    Four points fix a plane if no three are on a line; of every choice of four, the shortest height of their triangles counts.
    """
    points = np.asarray(pixels, np.float64).reshape(-1, 2)
    best = 0.0
    for four in combinations(_outermost(points, 12), 4):
        heights = []
        for a, b, c in combinations(four, 3):
            one, other = points[b] - points[a], points[c] - points[a]
            longest = max(np.linalg.norm(one), np.linalg.norm(other), np.linalg.norm(one - other))
            heights.append(abs(one[0] * other[1] - one[1] * other[0]) / max(float(longest), 1e-9))
        best = max(best, min(heights))
    return float(best)


def _outermost(points: Floats, most: int) -> list[int]:
    """Of many points, those that lie farthest from one another, taken greedily."""
    if len(points) <= most:
        return list(range(len(points)))
    chosen = [int(np.argmax(np.linalg.norm(points - points.mean(axis=0), axis=1)))]
    while len(chosen) < most:
        apart = np.linalg.norm(points[:, None] - points[chosen][None], axis=2).min(axis=1)
        chosen.append(int(np.argmax(apart)))
    return chosen


def grid_lines(
    ground: GroundPlane, size_px: tuple[int, int], around_m: tuple[float, float], range_m: float, step_m: float = 1.0
) -> list[list[tuple[float, float]]]:
    """A grid on the ground, as lines in the picture: the quickest way to see whether a ground plane lies where the ground does.

    Args:
        ground: The ground plane, for pictures of this size.
        size_px: Width and height of the picture.
        around_m: The unit's place, metres east and north of the origin.
        range_m: No line is drawn farther away than this.
        step_m: From one line to the next. Where lines would be closer than 5 px they are left out.

    Returns:
        Lines of two points or more, in pixels, inside the picture.
    """
    reach = int(min(range_m, 60.0) / step_m)
    along = np.arange(-reach, reach + 0.01, 0.5)
    east0, north0 = (round(each / step_m) for each in around_m)
    lines: list[list[tuple[float, float]]] = []
    for across in range(-reach, reach + 1):
        for which in (0, 1):
            place = np.empty((len(along), 2))
            place[:, which] = ((east0, north0)[which] + across) * step_m
            place[:, 1 - which] = ((east0, north0)[1 - which] + along) * step_m
            beside = place.copy()
            beside[:, which] += step_m
            pixels, apart = ground.to_picture_px(place), ground.to_picture_px(beside)
            gap = np.linalg.norm(apart - pixels, axis=1)
            distance = np.linalg.norm(place - np.array(around_m), axis=1)
            inside = ((pixels >= 0) & (pixels <= np.array(size_px))).all(axis=1) & (distance <= range_m)
            lines += _runs(pixels, inside & (gap >= LEAST_LINES_APART_PX))
    return lines


def _runs(pixels: Floats, shown: npt.NDArray[np.bool_]) -> list[list[tuple[float, float]]]:
    runs: list[list[tuple[float, float]]] = []
    run: list[tuple[float, float]] = []
    for (x, y), keep in zip(pixels, shown, strict=True):
        if keep:
            run.append((round(float(x), 1), round(float(y), 1)))
            continue
        runs += [run] if len(run) > 1 else []
        run = []
    return [*runs, run] if len(run) > 1 else runs


def moves(ground: GroundPlane, pixels: Floats) -> Floats:
    """``(N, 2, 2)``: how the ground point moves with the pixel, in metres per pixel; by central differences of half a pixel."""
    half = 0.25
    steps = (np.array([half, 0.0]), np.array([0.0, half]))
    return np.stack([(ground.to_ground_m(pixels + step) - ground.to_ground_m(pixels - step)) / (2 * half) for step in steps], axis=2)

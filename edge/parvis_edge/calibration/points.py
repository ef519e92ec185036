"""Points of the picture whose places on the map are known: as typed, or as corners of tags on a board laid on the ground. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from parvis_contract import GroundPlane as CalibratedPoints
from parvis_contract import Point
from parvis_contract.site import GroundPoint
from pydantic import ValidationError

from parvis_edge.vision.ground_plane import Floats, GroundPlane, GroundPlaneError, LocalPlane

_NUMBER = r"\s*([-+]?\d+(?:\.\d*)?)\s*"
_POINT = re.compile(rf"^{_NUMBER},{_NUMBER}={_NUMBER},{_NUMBER}$")
_TAG = re.compile(rf"^\s*(\d{{1,3}})={_NUMBER},{_NUMBER}$")
_BOARD = re.compile(r"^(\d{1,2})x(\d{1,2})$")
_TAGS_36H11 = 587


class PointError(ValueError):
    """A point or a board that cannot be used; the message says what to write or do."""


def parse_point(text: str) -> GroundPoint:
    """Reads ``px,py=lon,lat``.

    Raises:
        PointError: It is written otherwise, or is no place on the Earth.
    """
    match = _POINT.match(text)
    if not match:
        raise PointError(f"--point {text}: write px,py=lon,lat, such as 102,655=5.36991,43.29650")
    x, y, lon, lat = (float(each) for each in match.groups())
    return ground_point((x, y), lon, lat)


def parse_tag(text: str) -> tuple[int, Point]:
    """Reads ``number=lon,lat``.

    Raises:
        PointError: It is written otherwise, or is no tag of the family, or no place on the Earth.
    """
    match = _TAG.match(text)
    if not match or int(match[1]) >= _TAGS_36H11:
        raise PointError(
            f"--tag {text}: write number=lon,lat, such as 17=5.36991,43.29650; the family has the numbers 0 to {_TAGS_36H11 - 1}"
        )
    return int(match[1]), ground_point((0.0, 0.0), float(match[2]), float(match[3])).at


def ground_point(px: tuple[float, float], lon: float, lat: float) -> GroundPoint:
    """A point, checked.

    Raises:
        PointError: It is no place on the Earth, or lies far outside any picture.
    """
    try:
        return GroundPoint(px=px, at=Point(lon=lon, lat=lat))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise PointError(f"point {px[0]:g},{px[1]:g}={lon:g},{lat:g}: {key}: {first['msg']}; longitude comes first, in degrees") from None


@dataclass(frozen=True, slots=True)
class Board:
    """Tags of the family AprilTag 36h11 laid flat on the ground in rows, all turned the same way.

    Whoever stands at the first tag and looks along the heading has the columns to the right and the rows ahead: tag ``first + row ×
    columns + column``.

    Attributes:
        columns, rows: How many.
        tag_m: Side of a tag's black square.
        spacing_m: From the middle of one tag to the middle of the next, in rows and columns.
        at: The middle of the first tag.
        heading_deg: Clockwise from north.
        first: Number of the first tag.
    """

    columns: int
    rows: int
    tag_m: float
    spacing_m: float
    at: Point
    heading_deg: float
    first: int = 0

    @property
    def numbers(self) -> range:
        """The tags on it."""
        return range(self.first, self.first + self.columns * self.rows)

    def middles_m(self, plane: LocalPlane) -> dict[int, Floats]:
        """The tags' middles, metres east and north of the site's origin."""
        forward, right = self._directions()
        start = plane.to_metres([(self.at.lon, self.at.lat)])[0]
        return {
            number: start + self.spacing_m * (index % self.columns * right + index // self.columns * forward)
            for index, number in enumerate(self.numbers)
        }

    def corners_m(self, plane: LocalPlane, quarters: int) -> dict[int, Floats]:
        """``(4, 2)`` per tag, in the detector's order if the tags lie turned by so many quarters."""
        forward, right = self._directions()
        around = np.array([forward - right, forward + right, right - forward, -forward - right]) * self.tag_m / 2
        return {number: middle + np.roll(around, quarters, axis=0) for number, middle in self.middles_m(plane).items()}

    def _directions(self) -> tuple[Floats, Floats]:
        turn = math.radians(self.heading_deg)
        return np.array([math.sin(turn), math.cos(turn)]), np.array([math.cos(turn), -math.sin(turn)])


def parse_board(text: str, *, tag_m: float, spacing_m: float, at: str, heading_deg: float, first: int) -> Board:
    """Reads ``--board`` and what belongs to it.

    Raises:
        PointError: It is no board.
    """
    size = _BOARD.match(text)
    if not size:
        raise PointError(f"--board {text}: write COLUMNSxROWS, such as 3x2")
    columns, rows = int(size[1]), int(size[2])
    if not 2 <= columns * rows <= 100:
        raise PointError(f"--board {text}: two tags to a hundred; with one alone nothing tells which way it lies")
    if spacing_m <= tag_m * 1.2:
        raise PointError(
            f"--board-spacing-m {spacing_m:g}: from middle to middle, so more than the tag's own {tag_m:g} m and a white margin around it"
        )
    if first + columns * rows > _TAGS_36H11:
        raise PointError(f"--board-first {first}: the family has the numbers 0 to {_TAGS_36H11 - 1}")
    place = parse_point(f"0,0={at}").at if re.match(rf"^{_NUMBER},{_NUMBER}$", at) else None
    if place is None:
        raise PointError(f"--board-at {at}: write lon,lat of the first tag's middle, such as 5.36991,43.29650")
    return Board(columns, rows, tag_m, spacing_m, place, heading_deg % 360.0, first)


def find_tags(images: Iterable[npt.NDArray[np.uint8]], numbers: Iterable[int]) -> dict[int, Floats]:
    """Corners of the tags with these numbers; any other tag is dropped here.

    Args:
        images: ``(H, W, 3)`` uint8 each, of one size, of one still scene.
        numbers: Which.

    Returns:
        ``(4, 2)`` pixels per tag that was found in most of the pictures that show it best: the median over them.
    """
    wanted = set(numbers)
    parameters = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    detector = cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h11), parameters)
    found: dict[int, list[Floats]] = {}
    count = 0
    for image in images:
        count += 1
        corners, numbers_seen, _ = detector.detectMarkers(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
        for corner, number in zip(corners, [] if numbers_seen is None else numbers_seen.ravel(), strict=True):
            if int(number) in wanted:
                # A pixel's middle is half a pixel from its corner, from where the picture's points are counted.
                found.setdefault(int(number), []).append(np.asarray(corner, np.float64).reshape(4, 2) + 0.5)
    return {number: np.median(np.array(seen), axis=0) for number, seen in sorted(found.items()) if 2 * len(seen) >= count}


def tag_points(places: Mapping[int, Point], seen: Mapping[int, Floats]) -> list[GroundPoint]:
    """The middles of single tags as known points; of those that are not seen, none.

    A middle is where the diagonals cross, which perspective leaves so.

    Args:
        places: Of each tag's middle.
        seen: ``(4, 2)`` pixels per tag, of :func:`find_tags`.
    """
    points = []
    for number, at in places.items():
        if number in seen:
            a, b, c, d = seen[number]
            share = np.linalg.solve(np.stack([c - a, b - d], axis=1), b - a)[0]
            x, y = a + share * (c - a)
            points.append(GroundPoint(px=(round(float(x), 2), round(float(y), 2)), at=at))
    return points


def board_points(board: Board, seen: Mapping[int, Floats], plane: LocalPlane, size_px: tuple[int, int]) -> list[GroundPoint]:
    """The corners of a board's tags as known points.

    Printers and libraries differ in which side of a tag is up, so that is found out: of the four ways in which all the tags may lie,
    the one that fits best.

    Args:
        board: What lies on the ground.
        seen: ``(4, 2)`` pixels per tag, of :func:`find_tags`.
        plane: The site's.
        size_px: Width and height of the picture.

    Raises:
        PointError: Fewer than two tags of it are seen.
    """
    known = {number: corners for number, corners in seen.items() if number in board.numbers}
    if len(known) < 2:
        listed = ", ".join(str(number) for number in known) or "none"
        raise PointError(
            f"of the board's tags {board.numbers[0]} to {board.numbers[-1]} the picture shows {listed}: two at least; lay them flat and "
            "whole in view, with a white margin, 12 px a side or larger"
        )
    best: tuple[float, list[GroundPoint]] | None = None
    for quarters in range(4):
        places = board.corners_m(plane, quarters)
        points = []
        for number, corners in known.items():
            for (x, y), (lon, lat) in zip(corners, plane.to_degrees(places[number]), strict=True):
                # A hundredth of a pixel, and a millimetre.
                points.append(ground_point((round(float(x), 2), round(float(y), 2)), round(float(lon), 8), round(float(lat), 8)))
        try:
            residual_m = GroundPlane(CalibratedPoints(image_size=size_px, points=tuple(points[:100])), plane, size_px).residual_m
        except GroundPlaneError:
            continue
        if best is None or residual_m < best[0]:
            best = residual_m, points[:100]
    if best is None:
        raise PointError("the board's tags give no ground plane: they lie on one line in the picture; lay them farther apart, near and far")
    return best[1]

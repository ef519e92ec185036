"""The walkway network of a site: from GeoJSON lines to a graph on which one can go from anywhere to anywhere."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from parvis_contract import ConfigError, ConfigProblem, LocalMap
from parvis_contract.base import NAME_PATTERN
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from shapely import LineString, Point, STRtree

Array = npt.NDArray[np.float64]

#: Ends of lines nearer than this are one junction: what a person who draws a map means by touching.
_SNAP_M = 0.5
#: How many searches are remembered: a few megabytes on a large network.
_REMEMBERED = 2_000
_NONE: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of one walkway between two junctions.

    Attributes:
        walkway: Its name.
        start, end: Numbers of its junctions.
        line: In the local plane, metres.
        length_m: Along it.
    """

    walkway: str
    start: int
    end: int
    line: LineString
    length_m: float


@dataclass(frozen=True, slots=True)
class Spot:
    """A place on the network: on a stretch, so far along it."""

    stretch: int
    along_m: float


@dataclass(frozen=True, slots=True)
class Way:
    """From one spot to another.

    Attributes:
        length_m: Along the network.
        junctions: Passed in order; empty where both spots are on one stretch and the way does not leave it.
    """

    length_m: float
    junctions: tuple[int, ...]


class Walkways:
    """The network.

    Attributes:
        stretches: By number.
    """

    def __init__(self, lines: dict[str, Array]) -> None:
        """Builds it.

        Args:
            lines: By name of the walkway, its vertices in metres, ``(k, 2)``. Lines join where the end of
                one lies on another, or where both have a vertex; lines that merely cross do not, as a bridge does not join the street
                under it.
        """
        self.stretches: list[Stretch] = []
        self._junctions: list[tuple[float, float]] = []
        ends = [Point(place) for place in _joints(lines)]
        tree = STRtree(ends)
        for name, vertices in lines.items():
            line = LineString(vertices)
            near = tree.query(line, predicate="dwithin", distance=_SNAP_M)
            cuts = sorted({0.0, line.length, *(float(line.project(ends[k])) for k in near)})
            marks = [cuts[0]] + [cut for before, cut in pairwise(cuts) if cut - before > _SNAP_M]
            if len(marks) < 2:
                continue
            marks[-1] = line.length
            for low, high in pairwise(marks):
                piece = _piece(line, low, high)
                start, end = (self._junction(piece.coords[k]) for k in (0, -1))
                self.stretches.append(Stretch(name, start, end, piece, piece.length))
        self._tree = STRtree([stretch.line for stretch in self.stretches])
        self._at: dict[int, list[int]] = defaultdict(list)
        for number, stretch in enumerate(self.stretches):
            self._at[stretch.start].append(number)
            self._at[stretch.end].append(number)
        self._from: dict[tuple[int, frozenset[int]], tuple[Array, npt.NDArray[np.int32]]] = {}

    def _junction(self, place: tuple[float, ...]) -> int:
        for number, known in enumerate(self._junctions):
            if np.hypot(known[0] - place[0], known[1] - place[1]) <= _SNAP_M:
                return number
        self._junctions.append((place[0], place[1]))
        return len(self._junctions) - 1

    def near(self, x_m: float, y_m: float, radius_m: float) -> list[tuple[Spot, float]]:
        """The nearest spot of each stretch within a radius, with its distance in metres; in order of the stretches."""
        place = Point(x_m, y_m)
        found = []
        for number in sorted(int(k) for k in self._tree.query(place, predicate="dwithin", distance=radius_m)):
            line = self.stretches[number].line
            found.append((Spot(number, float(line.project(place))), float(line.distance(place))))
        return found

    def between(self, origin: Spot, target: Spot, *, without: frozenset[int] = _NONE, touching_m: float = 0.0) -> Way | None:
        """The shortest way, or None if there is none.

        Args:
            origin: Where it begins.
            target: Where it ends.
            without: Stretches that may not be taken.
            touching_m: A spot on one of them, but this near to one of its ends, counts as at that end.
        """
        best: Way | None = None
        if origin.stretch == target.stretch and origin.stretch not in without:
            best = Way(abs(origin.along_m - target.along_m), ())
        for leave, leave_m in self._ends(origin, without, touching_m):
            distance_m, before = self._search(leave, without)
            for enter, enter_m in self._ends(target, without, touching_m):
                length_m = leave_m + float(distance_m[enter]) + enter_m
                if np.isfinite(length_m) and (best is None or length_m < best.length_m - 1e-9):
                    best = Way(length_m, _walk_back(before, leave, enter))
        return best

    def stretch_between(self, start: int, end: int) -> int:
        """The shortest stretch from one junction to its neighbour."""
        joining = [k for k in self._at[start] if {self.stretches[k].start, self.stretches[k].end} == {start, end}]
        return min(joining, key=lambda k: (self.stretches[k].length_m, k))

    def _ends(self, spot: Spot, without: frozenset[int], touching_m: float) -> list[tuple[int, float]]:
        stretch = self.stretches[spot.stretch]
        ends = [(stretch.start, spot.along_m), (stretch.end, stretch.length_m - spot.along_m)]
        return ends if spot.stretch not in without else [end for end in ends if end[1] <= touching_m]

    def _search(self, start: int, without: frozenset[int]) -> tuple[Array, npt.NDArray[np.int32]]:
        known = self._from.get((start, without))
        if known is None:
            shortest: dict[tuple[int, int], float] = {}
            for number, stretch in enumerate(self.stretches):
                if number not in without and stretch.start != stretch.end:
                    for pair in ((stretch.start, stretch.end), (stretch.end, stretch.start)):
                        shortest[pair] = min(shortest.get(pair, np.inf), stretch.length_m)
            rows, columns = zip(*shortest, strict=True) if shortest else ((), ())
            size = len(self._junctions)
            graph = csr_array((list(shortest.values()), (rows, columns)), shape=(size, size))
            distance_m, before = dijkstra(graph, indices=start, return_predecessors=True)
            if len(self._from) >= _REMEMBERED:
                self._from.clear()
            known = self._from[start, without] = (np.asarray(distance_m), np.asarray(before))
        return known


def load_walkways(path: Path, plane: LocalMap) -> Walkways:
    """Reads a GeoJSON file of lines, each with its name as ``id`` (of the feature or in its properties).

    Raises:
        ConfigError: It cannot be read, or a feature is not a named line; with the feature's number.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([ConfigProblem(path, 1, "", "", f"cannot be read: {error.strerror}")]) from None
    except ValueError as error:
        raise ConfigError([ConfigProblem(path, getattr(error, "lineno", 1), "", "", f"not JSON: {error}")]) from None
    features = content.get("features") if isinstance(content, dict) else None
    if not isinstance(features, list) or not features:
        raise ConfigError([ConfigProblem(path, 1, "features", "", "expected a GeoJSON FeatureCollection of LineStrings")])
    lines: dict[str, Array] = {}
    problems = []
    for index, feature in enumerate(features):
        try:
            name, degrees = _read_feature(feature)
            if name in lines:
                raise ValueError(f"{name} stands twice; keep one")
            lines[name] = np.array([plane.to_m(lon, lat) for lon, lat in degrees])
        except ValueError as error:
            problems.append(ConfigProblem(path, 1, f"features.{index}", "", str(error)))
    if problems:
        raise ConfigError(problems)
    return Walkways(lines)


def _read_feature(feature: Any) -> tuple[str, list[tuple[float, float]]]:
    try:
        properties = feature.get("properties") or {}
        name = next((value for value in (feature.get("id"), properties.get("id"), properties.get("name")) if value is not None), None)
        geometry = feature["geometry"]
        kind, coordinates = geometry["type"], geometry["coordinates"]
        degrees = [(float(place[0]), float(place[1])) for place in coordinates] if kind == "LineString" else []
    except (AttributeError, KeyError, TypeError, ValueError, IndexError):
        raise ValueError("expected a feature with a LineString geometry") from None
    if not isinstance(name, str) or not re.fullmatch(NAME_PATTERN, name):
        raise ValueError('expected an `id` of small letters, digits and hyphens, such as "w012"')
    if len(degrees) < 2 or any(not (-180 <= lon <= 180 and -90 <= lat <= 90) for lon, lat in degrees):
        raise ValueError(f"{name}: expected a LineString of two or more [lon, lat]")
    return name, degrees


def _joints(lines: dict[str, Array]) -> list[tuple[float, float]]:
    """Ends of lines, and vertices that two lines share."""
    ends = [(float(line[k][0]), float(line[k][1])) for line in lines.values() for k in (0, -1)]
    shared = Counter(key for line in lines.values() for key in {(round(x, 1), round(y, 1)) for x, y in line})
    return ends + [key for key, count in shared.items() if count > 1]


def _piece(line: LineString, low_m: float, high_m: float) -> LineString:
    inner = [place for place in line.coords if low_m + 1e-9 < line.project(Point(place)) < high_m - 1e-9]
    return LineString([line.interpolate(low_m).coords[0], *inner, line.interpolate(high_m).coords[0]])


def _walk_back(before: npt.NDArray[np.int32], start: int, end: int) -> tuple[int, ...]:
    path = [end]
    while path[-1] != start:
        path.append(int(before[path[-1]]))
    return tuple(reversed(path))

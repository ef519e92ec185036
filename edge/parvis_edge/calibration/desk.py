"""A calibration under way: the line drawing of the view, the points so far, and what they are worth."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parvis_contract import NoiseZone, Site
from parvis_contract.site import GroundPoint

from parvis_edge.vision.ground_plane import LocalPlane

from .assess import Assessment, assess
from .block import ground_plane_block
from .drawing import LineDrawing
from .geometry import grid_lines
from .points import PointError, ground_point
from .report import as_data

#: A page has no use for more, and a mistake sends no more.
MOST_POINTS = 100


@dataclass(frozen=True, slots=True)
class Answer:
    """What the page is told.

    Attributes:
        status: Of HTTP.
        data: JSON.
    """

    status: int
    data: dict[str, Any]


class Desk:
    """Holds what the page works on. Any thread may use it.

    Args:
        site: The site plan.
        unit: Whose camera it is.
        drawing: The view as lines.
        look: Looks again, for a new drawing; may raise an error whose text says why not.
        points: To begin with.

    Attributes:
        finished: Set when the installer is done and has been told so.
        result: What they were done with.
    """

    def __init__(
        self, site: Site, unit: str, drawing: LineDrawing, look: Callable[[], LineDrawing], points: Sequence[GroundPoint] = ()
    ) -> None:
        self._site, self._unit, self._look = site, unit, look
        self._drawing = drawing
        self._points = tuple(points)
        self._lock = threading.Lock()
        self._plane = LocalPlane(site.origin)
        self.finished = threading.Event()
        self.result: Assessment | None = None

    def lines_png(self) -> bytes:
        """The line drawing: the only thing of the view that leaves the program, and only to the page."""
        with self._lock:
            return self._drawing.png()

    def view(self) -> dict[str, Any]:
        """What the page begins with."""
        with self._lock:
            width, height = self._drawing.size_px
            return {
                "site": self._site.site,
                "unit": self._unit,
                "size": [width, height],
                "blanked": self._drawing.blanked,
                "points": [{"px": list(point.px), "lon": point.at.lon, "lat": point.at.lat} for point in self._points],
                "plan": plan_drawing(self._site, self._unit, self._plane),
            }

    def look_again(self) -> Answer:
        """Draws the view anew, as it is now."""
        try:
            drawing = self._look()
        except Exception as error:  # noqa: BLE001 - whatever it was, the page says it and the old drawing stays
            return Answer(409, {"error": str(error)})
        with self._lock:
            self._drawing = drawing
        return Answer(200, self.view())

    def assess(self, body: Any) -> Answer:
        """Judges the page's points."""
        try:
            points = self._read(body)
        except PointError as error:
            return Answer(422, {"error": str(error)})
        found = self._judged(points)
        data = as_data(found)
        if found.ground is not None:
            place = self._plane.to_metres([(self._own.lon, self._own.lat)])[0]
            around = (float(place[0]), float(place[1]))
            data["grid"] = grid_lines(found.ground, found.image_size, around, self._site.units[self._unit].range_m)
        if found.good:
            data["block"] = ground_plane_block(found.plane)
        return Answer(200, data)

    def done(self, body: Any) -> Answer:
        """Ends it with the page's points, if they are good enough."""
        try:
            points = self._read(body)
        except PointError as error:
            return Answer(422, {"error": str(error)})
        found = self._judged(points)
        if not found.good:
            return Answer(409, as_data(found))
        self.result = found
        return Answer(200, as_data(found) | {"block": ground_plane_block(found.plane)})

    @property
    def _own(self) -> Any:
        return self._site.units[self._unit].position

    def _judged(self, points: tuple[GroundPoint, ...]) -> Assessment:
        with self._lock:
            size = self._drawing.size_px
        return assess(points, size, self._site, self._unit)

    @staticmethod
    def _read(body: Any) -> tuple[GroundPoint, ...]:
        given = body.get("points") if isinstance(body, dict) else None
        if not isinstance(given, list) or len(given) > MOST_POINTS:
            raise PointError(f"send {{points: [{{px: [x, y], lon, lat}}]}}, {MOST_POINTS} at most")
        points = []
        for each in given:
            try:
                (x, y), lon, lat = each["px"], each["lon"], each["lat"]
                values = (float(x), float(y), float(lon), float(lat))
            except (KeyError, TypeError, ValueError):
                raise PointError("a point has px: [x, y], lon and lat, each a number") from None
            points.append(ground_point((round(values[0], 2), round(values[1], 2)), round(values[2], 8), round(values[3], 8)))
        return tuple(points)


def plan_drawing(site: Site, unit: str, plane: LocalPlane) -> dict[str, Any]:
    """The site plan as the page draws it: everything in degrees, and what a degree is in metres.

    Args:
        site: The site plan.
        unit: Whose calibration it is for.
        plane: The site's.
    """
    metres = plane.to_metres([(site.origin.lon + 1.0, site.origin.lat + 1.0)])[0]
    areas = {
        f"zones.{name}": zone.polygon for name, zone in site.zones_of(unit).items() if not isinstance(zone, NoiseZone) and zone.polygon
    }
    areas |= {f"lanes.{name}": lane.polygon for name, lane in site.lanes_of(unit).items() if lane.polygon}
    here = site.units[unit]
    return {
        "origin": [site.origin.lon, site.origin.lat],
        "metres_per_degree": [float(metres[0]), float(metres[1])],
        "units": {name: [each.position.lon, each.position.lat] for name, each in site.units.items()},
        "areas": {name: [list(corner) for corner in polygon] for name, polygon in areas.items()},
        "walkways": _walkways(site),
        "heading_deg": here.heading_deg,
        "range_m": here.range_m,
    }


def _walkways(site: Site) -> list[list[list[float]]]:
    """The network's lines, as something to go by; without them the plan is drawn all the same."""
    if site.walkways is None:
        return []
    try:
        content = json.loads((site.path.parent / Path(site.walkways)).read_text(encoding="utf-8"))
        lines = [feature["geometry"]["coordinates"] for feature in content["features"] if feature["geometry"]["type"] == "LineString"]
        return [[[float(point[0]), float(point[1])] for point in line] for line in lines[:1_000]]
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return []

"""`traffic.wrong_way`: a vehicle drives against its lane.

The way of a vehicle or bicycle, while it is in the lane, gives its heading: on the ground for a lane on the map, in the picture for a
lane drawn there. It is told once it has moved by half of its own size, so that neither a jittering box nor somebody manoeuvring has a
heading, and only where the heading is clearly the wrong one: across is not against. A vehicle is told once, however often its
track breaks: a track that goes on where another was lost is the same vehicle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from parvis_contract import Lane, ObjectClass, Position, TrafficWrongWay

from parvis_edge.perception import Judgement
from parvis_edge.vision.area import Area
from parvis_edge.vision.sight import Scene
from parvis_edge.vision.tracker import Track

from .view import Lasting, View

#: Angle to the lane's heading from which on it is against it.
AGAINST_DEG = 120.0
#: Detections inside the lane, and time between the first and the last, before a heading is believed.
LEAST_HITS, LEAST_S = 4, 0.6
#: Way inside the lane, in sizes of the vehicle (root of its box's area).
LEAST_WAY = 0.5
#: How long a vehicle that is no longer tracked may come back as the same.
GONE_AFTER_S = 2.5


@dataclass(frozen=True, slots=True)
class _Way:
    """How a track moved inside a lane."""

    began_s: float
    error_deg: float
    speed_m_s: float | None


@dataclass(slots=True)
class _Driver:
    """A vehicle that drives the wrong way."""

    number: int
    track: int
    lane: str
    kind: str
    box_px: npt.NDArray[np.floating]
    speed_px_s: npt.NDArray[np.floating]
    seen_s: float
    measure: TrafficWrongWay
    position: Position | None


class WrongWayAnalyser:
    """Judges the lanes of one view.

    Args:
        lanes: By name, with where they are in the picture.
        view: The camera's.
    """

    def __init__(self, lanes: dict[str, tuple[Lane, Area]], view: View) -> None:
        self._lanes = lanes
        self._view = view
        self._lasting = Lasting("traffic.wrong_way", view.model)
        self._drivers: list[_Driver] = []
        self._count = 0

    def judge(self, scene: Scene) -> list[Judgement]:
        """Takes the next scene."""
        said: list[Judgement] = []
        for track in scene.of_kind("vehicle", "bicycle"):
            if track.seen_s < scene.time_s:
                continue
            driver = self._known(track, scene.time_s)
            if driver is not None:
                driver.track, driver.box_px, driver.speed_px_s, driver.seen_s = track.number, track.box_px, track.speed_px_s, scene.time_s
            for name in self._lanes:
                way = self._way(name, track)
                if way is not None:
                    said += self._take(name, track, driver, way, scene)
        gone = [driver for driver in self._drivers if scene.time_s - driver.seen_s > GONE_AFTER_S]
        self._drivers = [driver for driver in self._drivers if driver not in gone]
        return said + [self._lasting.end(driver.number, driver.seen_s, driver.measure) for driver in gone]

    def finish(self, time_s: float) -> list[Judgement]:
        """Ends what is open."""
        self._drivers = []
        return self._lasting.finish(time_s)

    def _take(self, name: str, track: Track, driver: _Driver | None, way: _Way, scene: Scene) -> list[Judgement]:
        if way.error_deg < AGAINST_DEG or (driver is not None and driver.lane != name):
            return []
        measure = TrafficWrongWay(
            lane=name, object_class=ObjectClass(track.kind), heading_error_deg=min(way.error_deg, 180.0), speed_m_s=way.speed_m_s
        )
        position = self._view.position(track.box_px)
        confidence = scene.confidence_of(track)
        if driver is not None:
            driver.measure, driver.position = measure, position
            return self._lasting.update(driver.number, scene.time_s, confidence, measure, position)
        self._count += 1
        new = _Driver(
            self._count, track.number, name, track.kind, track.box_px, track.speed_px_s, scene.time_s, measure, position
        )  # fmt: skip
        self._drivers.append(new)
        return [self._lasting.start(new.number, way.began_s, scene.time_s, confidence, measure, position)]

    def _known(self, track: Track, time_s: float) -> _Driver | None:
        """The driver whom a track belongs to: by its number, or because it goes on where that one's last track was lost."""
        for driver in self._drivers:
            if driver.track == track.number:
                return driver
        for driver in self._drivers:
            if driver.seen_s >= time_s or track.first_s <= driver.seen_s:
                continue
            expected = driver.box_px + np.tile(driver.speed_px_s * (time_s - driver.seen_s), 2)
            size = max(_size(expected), _size(track.box_px))
            if float(np.linalg.norm(_middle(expected) - _middle(track.box_px))) < size:
                return driver
        return None

    def _way(self, name: str, track: Track) -> _Way | None:
        """The heading of a track's way inside a lane; None where there is not enough of it."""
        lane, area = self._lanes[name]
        path = np.array(track.path)
        feet, middles = path[:, 1:3], path[:, 3:5]
        inside = area.contains(feet) if area.on_map else area.contains(middles) | area.contains(feet)
        if np.count_nonzero(inside) < LEAST_HITS or not inside[-3:].any():
            return None
        times = path[inside, 0]
        if times[-1] - times[0] < LEAST_S:
            return None
        # A third at each end is averaged: a single box is off by a twentieth of its height.
        third = max(1, len(times) // 3)
        passed_s = float(times[-third:].mean() - times[:third].mean())
        ways = middles[inside]
        moved = ways[-third:].mean(axis=0) - ways[:third].mean(axis=0)
        if passed_s <= 0 or float(np.linalg.norm(moved)) < LEAST_WAY * _size(track.box_px):
            return None
        speed = None
        heading = math.degrees(math.atan2(moved[0], -moved[1]))
        wanted = math.degrees(math.atan2(lane.heading_px[0], -lane.heading_px[1])) if lane.heading_px else lane.heading_deg or 0.0
        if self._view.ground is not None:
            ground = self._view.ground.to_ground_m(feet[inside])
            if not np.isnan(ground).any():
                moved_m = ground[-third:].mean(axis=0) - ground[:third].mean(axis=0)
                speed = min(float(np.linalg.norm(moved_m)) / passed_s, 280.0)
                if area.on_map:
                    heading = math.degrees(math.atan2(moved_m[0], moved_m[1]))
            elif area.on_map:
                return None
        error = abs((heading - wanted + 180.0) % 360.0 - 180.0)
        return _Way(float(times[0]), error, speed)


def _middle(box: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    return np.asarray((box[:2] + box[2:]) / 2)


def _size(box: npt.NDArray[np.floating]) -> float:
    return math.sqrt(max(float((box[2] - box[0]) * (box[3] - box[1])), 1.0))

"""`crowd.density`: a zone holds more people per square metre than a step of the site plan.

Two witnesses count. The detector: each time that it has been shown all of the zone, the expected number of people whose feet are in it,
each detection with its probability of being true. It counts well where people stand apart, and too few where they hide each other.
The foreground: as many people as would cover as much of the picture (:mod:`.occupancy`). It knows no single one, but goes on where the
detector saturates, until nothing of the ground is left to be seen. Each states its error (:func:`weighed`).

The median over some seconds is divided by the zone's area: by the ground plane, or as the site plan gives it. A zone whose area nobody
knows has no density and is not judged; `parvis-edge doctor` says so. A step counts as left only when the density is well below it,
so that one person who comes and goes makes no alarm after another. The confidence is the probability that as many people as the step
needs are there, given the count's error: it falls where the count is an extrapolation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from parvis_contract import CrowdDensity, CrowdZone, LevelOfService

from parvis_edge.perception import Judgement
from parvis_edge.vision.area import Area
from parvis_edge.vision.sight import Scene

from .occupancy import Crowding, occupancy_of
from .view import Lasting, View

#: Counts are smoothed over this time: some looks at the whole zone, and less than it takes a zone to fill.
SMOOTHED_S = 8.0
#: A step is left below this share of it.
LEFT_BELOW = 0.85
#: Of the people in a zone, the share that the detector misses where they stand apart; it widens the count's error.
MISSED = 0.2
#: From so many bodies one behind the other, on average, a fifth of them is hidden: (1 - exp(-0.5)) / 0.5 is not.
HIDING_LAYERS = 0.5


@dataclass(slots=True)
class _Crowd:
    counts: list[tuple[float, float, float]] = field(default_factory=list)
    level: int = 0
    episode: int = 0


class CrowdDensityAnalyser:
    """Judges the crowd zones of one view.

    Args:
        zones: By name, with where they are in the picture; their area is known.
        view: The camera's.
    """

    def __init__(self, zones: dict[str, tuple[CrowdZone, Area]], view: View) -> None:
        self._zones = zones
        self._view = view
        self._lasting = Lasting("crowd.density", view.model)
        self._occupancy = occupancy_of(view)
        self._boxes_px = {name: area.box_px for name, (_, area) in zones.items()}
        self._crowds = {name: _Crowd() for name in zones}

    def judge(self, scene: Scene) -> list[Judgement]:
        """Takes the next scene."""
        self._occupancy.learn(scene)
        return [judgement for name in self._zones for judgement in self._judge_zone(name, scene)]

    def finish(self, time_s: float) -> list[Judgement]:
        """Ends what is open."""
        return self._lasting.finish(time_s)

    def _judge_zone(self, name: str, scene: Scene) -> list[Judgement]:
        zone, area = self._zones[name]
        crowd = self._crowds[name]
        area_m2 = zone.area_m2 or area.area_m2
        if not area_m2 or not _shown(self._boxes_px[name], area, scene):
            return []
        crowd.counts = [entry for entry in crowd.counts if scene.time_s - entry[0] <= SMOOTHED_S]
        crowd.counts.append((scene.time_s, *weighed(*counted(area, scene), self._occupancy.crowding(area, scene))))
        count = math.floor(float(np.median([entry[1] for entry in crowd.counts])) + 0.5)
        density = min(count / area_m2, 15.0)
        level = sum(density >= step for step in zone.density_steps_p_m2)
        if level < crowd.level:
            level = sum(
                density >= step * (LEFT_BELOW if index < crowd.level else 1.0) for index, step in enumerate(zone.density_steps_p_m2)
            )
        was, crowd.level = crowd.level, level
        key = (name, crowd.episode)
        measure = CrowdDensity(density_p_m2=density, area_m2=area_m2, count=count, los=LevelOfService.of(density))
        if level == 0:
            if key not in self._lasting:
                return []
            crowd.episode += 1
            return [self._lasting.end(key, scene.time_s, measure)]
        needed = zone.density_steps_p_m2[level - 1] * area_m2
        confidence = _at_least(needed, count, float(np.median([entry[2] for entry in crowd.counts])))
        position = self._view.position_of_area(area)
        if key not in self._lasting:
            return [self._lasting.start(key, scene.time_s, scene.time_s, confidence, measure, position)]
        return self._lasting.update(key, scene.time_s, confidence, measure, position, at_once=level != was)


def _shown(box_px: tuple[float, float, float, float], area: Area, scene: Scene) -> bool:
    """True if the detector has been shown all of the zone in this frame."""
    (left, top, right, bottom), (x, y) = box_px, area.px_per_cell
    return any(x0 <= left and y0 <= top and right <= x1 + x and bottom <= y1 + y for x0, y0, x1, y1 in scene.looked_px)


def counted(area: Area, scene: Scene) -> tuple[float, float, float]:
    """The expected number of people in the zone by the detector, its variance as of independent detections, and how many more it doubts."""
    people = [index for index, kind in enumerate(scene.kinds) if kind == "person"]
    if not people:
        return 0.0, 0.0, 0.0
    boxes = scene.detections.boxes_px[people]
    feet = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]], axis=1)
    inside = area.contains(feet)
    sure = scene.confidences[people][inside]
    return float(sure.sum()), float((sure * (1 - sure)).sum()), float((1 - sure).sum())


def weighed(count: float, variance: float, doubted: float, crowding: Crowding | None) -> tuple[float, float]:
    """The number of people by both witnesses, and its variance.

    Args:
        count: Of the detector's people, expected.
        variance: Of that count, as of independent detections.
        doubted: How many more it has marked and does not believe in. Where people are too small for it, they are these.
        crowding: What the foreground says; None where it says nothing.

    Where bodies hide each other, the detector's count is a lower bound, and the foreground is believed if it says more; where they do
    not, each is as good as its error is small.
    """
    detector = variance + MISSED * count
    if crowding is None or crowding.people <= 0:
        return count, detector
    detector += doubted**2 + 0.25
    foreground = (crowding.error * crowding.people) ** 2 + 0.25
    if crowding.people < count / 2:
        # The background shows a crowd that has been there all along.
        foreground += (count - crowding.people) ** 2
    share = detector / (detector + foreground)
    if crowding.people > count:
        share = max(share, min(1.0, crowding.layers / HIDING_LAYERS))
    return count + share * (crowding.people - count), share**2 * foreground + (1 - share) ** 2 * detector


def _at_least(needed: float, count: int, variance: float) -> float:
    """Probability that ``needed`` people or more are there: a normal deviate about the count, half a person for rounding."""
    sigma = math.sqrt(variance + 0.25)
    return 0.5 * (1.0 + math.erf((count + 0.5 - needed) / (sigma * math.sqrt(2.0))))

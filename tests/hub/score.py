"""What a correlator's answer is worth: grouping, place, how far the stated uncertainty holds, course."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import fmean, median

from parvis_contract import Incident, IncidentPosition, LocatedBy, to_posix_s

from tests.hub.city import City, Point, Truth
from tests.hub.street import M_PER_DEG_EAST, M_PER_DEG_NORTH, ORIGIN, b_cubed


def to_m(position: IncidentPosition) -> Point:
    """East and north of the site's origin."""
    return (position.lon - ORIGIN[0]) * M_PER_DEG_EAST, (position.lat - ORIGIN[1]) * M_PER_DEG_NORTH


def holds(position: IncidentPosition, place_m: Point) -> bool:
    """Whether twice the ellipse, or the radius where there is none, holds a place."""
    east_m, north_m = (place - said for place, said in zip(place_m, to_m(position), strict=True))
    if position.ellipse is None:
        return math.hypot(east_m, north_m) <= 2.0 * position.uncertainty_m
    turn = math.radians(position.ellipse.bearing_deg)
    along_m = east_m * math.sin(turn) + north_m * math.cos(turn)
    across_m = east_m * math.cos(turn) - north_m * math.sin(turn)
    major_m, minor_m = (2.0 * max(axis_m, 0.01) for axis_m in (position.ellipse.semi_major_m, position.ellipse.semi_minor_m))
    return math.hypot(along_m / major_m, across_m / minor_m) <= 1.0


@dataclass
class Score:
    """Over some cities.

    Attributes:
        precision, recall: B-cubed, over events; one per city.
        errors_m: Of the incident that holds most of each thing's events: of impulses heard by four or more, of the rest all.
        held: Whether the stated uncertainty held each of them.
        unlocated: Of impulses heard by four or more, those not located.
        course_errors_m: Of each point of a course.
        speed_errors: Of each of them, as a share of the true speed.
        speed_held: Whether twice the stated uncertainty held the true speed.
    """

    precision: list[float] = field(default_factory=list)
    recall: list[float] = field(default_factory=list)
    errors_m: list[float] = field(default_factory=list)
    held: list[bool] = field(default_factory=list)
    unlocated: int = 0
    course_errors_m: list[float] = field(default_factory=list)
    speed_errors: list[float] = field(default_factory=list)
    speed_held: list[bool] = field(default_factory=list)

    def add(self, city: City, incidents: Iterable[Incident]) -> None:
        """Judges one city."""
        said = list(incidents)
        precision, recall = b_cubed(city.truth, [[str(event) for event in incident.events] for incident in said])
        self.precision.append(precision)
        self.recall.append(recall)
        of_event = {str(event): incident for incident in said for event in incident.events}
        of_truth: dict[int, list[str]] = {}
        for event, number in city.truth.items():
            of_truth.setdefault(number, []).append(event)
        for number, events in of_truth.items():
            votes = [of_event[event] for event in events]
            incident = max(votes, key=lambda each: sum(other is each for other in votes))
            self._place(city.happened[number], incident, len(events))

    def _place(self, truth: Truth, incident: Incident, heard: int) -> None:
        place_m = truth.path[0][1]
        if truth.type == "sound.impulse":
            if heard < 4:
                return
            if incident.located_by is not LocatedBy.MULTILATERATION:
                self.unlocated += 1
                self.errors_m.append(math.inf)
                return
        elif len({place for _, place in truth.path}) > 1:
            self._course(truth, incident)
            return
        self.errors_m.append(math.dist(place_m, to_m(incident.position)))
        self.held.append(holds(incident.position, place_m))

    def _course(self, truth: Truth, incident: Incident) -> None:
        from tests.hub.scenes import _along

        course = incident.course or ()
        for point in course:
            place_m = _along(list(truth.path), to_posix_s(point.time))
            self.course_errors_m.append(math.dist(to_m(point.position), place_m))
            self.held.append(holds(point.position, place_m))
            # How fast it was then: over the second around.
            around = [_along(list(truth.path), to_posix_s(point.time) + step_s) for step_s in (-0.5, 0.5)]
            speed_m_s = math.dist(*around)
            if point.speed_m_s is not None and point.speed_uncertainty_m_s is not None and speed_m_s > 0.5:
                self.speed_errors.append(abs(point.speed_m_s - speed_m_s) / speed_m_s)
                self.speed_held.append(abs(point.speed_m_s - speed_m_s) <= 2.0 * point.speed_uncertainty_m_s)

    def __str__(self) -> str:
        text = f"P {fmean(self.precision):.4f}  R {fmean(self.recall):.4f}"
        if self.errors_m:
            errors_m = sorted(self.errors_m)
            within = sum(error <= 5.0 for error in errors_m) / len(errors_m)
            text += f"  median {median(errors_m):.2f} m  p90 {errors_m[int(0.9 * len(errors_m))]:.2f} m  within 5 m {within:.3f}"
        if self.course_errors_m:
            text += f"  course median {median(self.course_errors_m):.1f} m"
        if self.held:
            text += f"  covered {fmean(self.held):.3f}"
        if self.speed_errors:
            text += f"  speed off by {median(self.speed_errors):.0%}, held {fmean(self.speed_held):.2f}"
        return text + (f"  unlocated {self.unlocated}" if self.unlocated else "")

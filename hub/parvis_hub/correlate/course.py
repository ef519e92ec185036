"""The course of what spreads or moves: where it was when and how fast, with their uncertainty; of a crowd or a sound, never of a person.

A Kalman filter forwards and a smoother backwards (Rauch, Tung and Striebel, 1965) over all that its units saw: it goes on as it went,
and its velocity wanders. East and north are alike, so that both share one covariance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import hypot, sqrt

from parvis_contract import CoursePoint, IncidentPosition, LocalMap, to_datetime

from .physics import PHYSICS, TURNS_S
from .report import Report

#: What stays still spreads and shifts so fast, 1 sigma.
_SHIFTS_M_S = 0.2
#: A unit's error is the same in all that it says: so many of its sightings count as one.
_ALIKE = 5
#: What is heard is within a unit's range, and where none is on its other side all units err alike: no less than the whole of it.
_DISC = 1.0
#: A message has room for more; nobody reads more.
_MOST = 100
_LEAST_M = 0.1
#: As fast as the contract can say.
_FASTEST_M_S = 280.0


@dataclass(frozen=True, slots=True)
class _Seen:
    time_us: int
    east_m: float
    north_m: float
    sigma_m: float


@dataclass(frozen=True, slots=True)
class _State:
    """Place and velocity, and what both axes have in common: the variances of place and velocity, and their covariance."""

    east_m: float
    north_m: float
    east_m_s: float
    north_m_s: float
    place_m2: float
    both_m2_s: float
    velocity_m2_s2: float


def course(reports: Sequence[Report], plane: LocalMap) -> tuple[CoursePoint, ...] | None:
    """The course of one thing.

    Args:
        reports: Of a type that spreads or moves, in order.
        plane: The map that their places are on.

    Returns:
        In order of time; None where it was seen at one time only.
    """
    physics = PHYSICS[reports[0].type]
    seen = [
        _Seen(
            place.time_us,
            place.east_m,
            place.north_m,
            max(place.sigma_m, _LEAST_M) * sqrt(min(len(report.track), _ALIKE)) * (_DISC if physics.heard else 1.0),
        )
        for report in reports
        for place in report.track
    ]
    seen.sort(key=lambda each: (each.time_us, each.east_m, each.north_m, each.sigma_m))
    if seen[0].time_us == seen[-1].time_us:
        return None
    if len(seen) > _MOST:
        seen = [seen[k * (len(seen) - 1) // (_MOST - 1)] for k in range(_MOST)]
    points = []
    for each, state in zip(seen, _smoothed(seen, physics.speed_m_s or _SHIFTS_M_S), strict=True):
        lon_deg, lat_deg = plane.to_deg(state.east_m, state.north_m)
        points.append(
            CoursePoint(
                time=to_datetime(each.time_us / 1e6),
                position=IncidentPosition(lon=round(lon_deg, 7), lat=round(lat_deg, 7), uncertainty_m=round(sqrt(state.place_m2), 2)),
                speed_m_s=round(min(hypot(state.east_m_s, state.north_m_s), _FASTEST_M_S), 2),
                speed_uncertainty_m_s=round(min(sqrt(state.velocity_m2_s2), _FASTEST_M_S), 2),
            )
        )
    return tuple(points)


def _smoothed(seen: Sequence[_Seen], speed_m_s: float) -> list[_State]:
    """What all that was seen says of each time."""
    wander = speed_m_s**2 / TURNS_S
    first = seen[0]
    state = _State(first.east_m, first.north_m, 0.0, 0.0, first.sigma_m**2, 0.0, speed_m_s**2)
    filtered, expected = [state], [state]
    for before, each in pairwise(seen):
        ahead = _ahead(state, (each.time_us - before.time_us) / 1e6, wander)
        state = _corrected(ahead, each)
        expected.append(ahead)
        filtered.append(state)
    smoothed = [state]
    for k in range(len(seen) - 2, -1, -1):
        state = _looked_back(filtered[k], expected[k + 1], state, (seen[k + 1].time_us - seen[k].time_us) / 1e6)
        smoothed.append(state)
    return smoothed[::-1]


def _ahead(state: _State, passed_s: float, wander: float) -> _State:
    """After a time in which its velocity wandered by so much, in m² s⁻³."""
    return _State(
        state.east_m + passed_s * state.east_m_s,
        state.north_m + passed_s * state.north_m_s,
        state.east_m_s,
        state.north_m_s,
        state.place_m2 + 2.0 * passed_s * state.both_m2_s + passed_s**2 * state.velocity_m2_s2 + wander * passed_s**3 / 3.0,
        state.both_m2_s + passed_s * state.velocity_m2_s2 + wander * passed_s**2 / 2.0,
        state.velocity_m2_s2 + wander * passed_s,
    )


def _corrected(state: _State, seen: _Seen) -> _State:
    """With what was seen at the time."""
    variance_m2 = state.place_m2 + seen.sigma_m**2
    place, velocity = state.place_m2 / variance_m2, state.both_m2_s / variance_m2
    east_m, north_m = seen.east_m - state.east_m, seen.north_m - state.north_m
    return _State(
        state.east_m + place * east_m,
        state.north_m + place * north_m,
        state.east_m_s + velocity * east_m,
        state.north_m_s + velocity * north_m,
        (1.0 - place) * state.place_m2,
        (1.0 - place) * state.both_m2_s,
        state.velocity_m2_s2 - velocity * state.both_m2_s,
    )


def _looked_back(state: _State, expected: _State, after: _State, passed_s: float) -> _State:
    """A state, with what is known of the one after it beyond what was expected."""
    to_place, to_velocity = state.place_m2 + passed_s * state.both_m2_s, state.both_m2_s + passed_s * state.velocity_m2_s2
    determinant = expected.place_m2 * expected.velocity_m2_s2 - expected.both_m2_s**2
    # The gain: how much of a surprise in place (first) and velocity (second) is passed back to each of both.
    pp = (to_place * expected.velocity_m2_s2 - state.both_m2_s * expected.both_m2_s) / determinant
    pv = (state.both_m2_s * expected.place_m2 - to_place * expected.both_m2_s) / determinant
    vp = (to_velocity * expected.velocity_m2_s2 - state.velocity_m2_s2 * expected.both_m2_s) / determinant
    vv = (state.velocity_m2_s2 * expected.place_m2 - to_velocity * expected.both_m2_s) / determinant
    east_m, north_m = after.east_m - expected.east_m, after.north_m - expected.north_m
    east_m_s, north_m_s = after.east_m_s - expected.east_m_s, after.north_m_s - expected.north_m_s
    place_m2 = after.place_m2 - expected.place_m2
    both_m2_s = after.both_m2_s - expected.both_m2_s
    velocity_m2_s2 = after.velocity_m2_s2 - expected.velocity_m2_s2
    return _State(
        state.east_m + pp * east_m + pv * east_m_s,
        state.north_m + pp * north_m + pv * north_m_s,
        state.east_m_s + vp * east_m + vv * east_m_s,
        state.north_m_s + vp * north_m + vv * north_m_s,
        max(0.0, state.place_m2 + pp**2 * place_m2 + 2.0 * pp * pv * both_m2_s + pv**2 * velocity_m2_s2),
        state.both_m2_s + pp * vp * place_m2 + (pp * vv + pv * vp) * both_m2_s + pv * vv * velocity_m2_s2,
        max(0.0, state.velocity_m2_s2 + vp**2 * place_m2 + 2.0 * vp * vv * both_m2_s + vv**2 * velocity_m2_s2),
    )

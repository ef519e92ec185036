"""Whether an impulse can be located from what several units heard, and where; remembered, since it is costly and often asked again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import hypot

import numpy as np
from parvis_contract import Site

from .clocks import heard
from .explaining import Heard
from .physics import speed_of_sound_m_s
from .report import Report

#: Fewer arrivals leave a curve, not a place.
_FEWEST = 3
#: More than these make no place better and every place slower: those first that know their time, then the earliest.
_MOST, _KNOWS_S = 12, 0.02
#: Units that listen and did not hear it count no farther from who heard it first, and no more of them than these.
_SILENT_WITHIN_M, _MOST_SILENT = 500.0, 32
#: A place that is clearly more probable than all others together is told, with an ellipse that reaches to them.
_LIKELY = 0.55
#: An onset is never known better than a few samples.
_LEAST_SIGMA_S = 1e-4
#: Of a unit that is not in the site plan: a lamp post's.
_HEIGHT_M = 4.0

#: A clock is wrong that is off by so many sigmas, of no less than this: a place may be off by a metre or two.
_SIGMAS, _CLEARLY_S = 5.0, 0.004
#: An echo comes no later than this.
_NO_ECHO_S = 0.25


@dataclass(frozen=True, slots=True)
class Located:
    """A place with a 1-sigma ellipse: metres on the site's map, the long axis' bearing clockwise from north in [0, 180).

    Attributes:
        late_s: Of each arrival that was used, how much later it was heard than the place says.
        checked: Whether more agree on it than the three that would fit some place whatever they said.
        known_to_m: 1-sigma along the long axis, of this place alone where it is likely, else with the doubt between it and others.
        wrong_clocks: Whose clock is off by more than it says, as seconds by unit.
    """

    east_m: float
    north_m: float
    semi_major_m: float
    semi_minor_m: float
    bearing_deg: float
    late_s: tuple[float, ...] = ()
    checked: bool = False
    known_to_m: float = 0.0
    wrong_clocks: Mapping[str, float] = field(default_factory=dict)


class Locator:
    """Locates a site's impulses.

    Args:
        site: With the units' heights and the air's temperature.
        places_m: Where its units are on the map.
    """

    def __init__(self, site: Site, places_m: Mapping[str, tuple[float, float]]) -> None:
        self._temperature_c = site.temperature_c
        self._height_m = {name: unit.height_m for name, unit in site.units.items()}
        self._listening = [name for name, unit in site.units.items() if "microphone" in unit.senses]
        self._listening_m = np.array([places_m[name] for name in self._listening]).reshape(-1, 2)

    def locate(self, reports: Sequence[Report], off_s: Mapping[Report, float]) -> Located | None:
        """Locates an impulse.

        Args:
            reports: Its reports, in order.
            off_s: What clocks are known to be off by, by report.

        Returns:
            None where it cannot be located: fewer than three heard it, or what they say leaves it as uncertain as the range of the unit
            that heard it first. That includes two places far apart which explain the arrivals about equally well. Where one of them
            is more probable than all others together it is told, and the ellipse holds the others' share of doubt.
        """
        arrivals = _arrivals(reports)
        if len(arrivals) < _FEWEST:
            return None
        start_us = reports[0].order[0]
        used = [(_heard(report, start_us, off_s.get(report)), report) for report in arrivals]
        used = sorted(used, key=lambda pair: (pair[0].sigma_s > _KNOWS_S, pair[0].time_s))[:_MOST]
        located = _locate(
            tuple(each for each, _ in used),
            tuple(self._height_m.get(each.unit, _HEIGHT_M) for each, _ in used),
            self._silent({report.unit for report in arrivals}, reports[0]),
            self._temperature_c,
        )
        if located is None or located.known_to_m >= reports[0].anchor.sigma_m:
            return None
        # What was learned of a clock is told by who learned it.
        stated = {each.unit: late_s for (each, report), late_s in zip(used, located.late_s, strict=True) if report not in off_s}
        return replace(located, wrong_clocks=_wrong_clocks(stated, used) if located.checked else {})

    def _silent(self, hearing: set[str], first: Report) -> tuple[tuple[float, float], ...]:
        """Where units are that might have heard it and did not, the nearest to who heard it first."""
        away_m = np.hypot(*(self._listening_m - (first.anchor.east_m, first.anchor.north_m)).T)
        near = np.flatnonzero(away_m <= _SILENT_WITHIN_M)
        near = near[np.argsort(away_m[near], kind="stable")]
        silent = [index for index in near if self._listening[index] not in hearing][:_MOST_SILENT]
        return tuple((float(east_m), float(north_m)) for east_m, north_m in self._listening_m[silent])


def _arrivals(reports: Sequence[Report]) -> list[Report]:
    """Of reports in order the first of each unit: what follows of it is an echo."""
    first: dict[str, Report] = {}
    for report in reports:
        first.setdefault(report.unit, report)
    return list(first.values())


def _heard(report: Report, start_us: int, known_off_s: float | None) -> Heard:
    """An arrival by its own clock, or by what is known of it: then its onset is no surer than before."""
    each = heard(report, start_us, known_off_s)
    if known_off_s is None:
        return each
    return replace(each, sigma_s=hypot(each.sigma_s, report.data.measure.onset_uncertainty_ms / 1e3))


def _wrong_clocks(late_s: Mapping[str, float], used: Sequence[tuple[Heard, Report]]) -> dict[str, float]:
    """Too early is never an echo, and so much too late is none either."""
    most_s = {each.unit: _SIGMAS * max(each.sigma_s, _CLEARLY_S) for each, _ in used}
    return {unit: each for unit, each in late_s.items() if each < -most_s[unit] or each > _NO_ECHO_S + most_s[unit]}


@lru_cache(maxsize=4_096)
def _locate(
    arrivals: tuple[Heard, ...], height_m: tuple[float, ...], silent_m: tuple[tuple[float, float], ...], temperature_c: float
) -> Located | None:
    # Its imports take a second, which a hub that hears nothing need not wait.
    from .multilateration import SOURCE_HEIGHT_M, Arrival, multilaterate

    places = multilaterate(
        [
            Arrival(each.east_m, each.north_m, up_m, each.time_s, max(each.sigma_s, _LEAST_SIGMA_S), each.free, each.level_db)
            for each, up_m in zip(arrivals, height_m, strict=True)
        ],
        temperature_c=temperature_c,
        silent_m=silent_m,
    )
    if not places:
        return None
    best = places[0]
    # About the most probable place, how far off the sound may be: the other places' share of doubt included.
    xx = xy = yy = 0.0
    for place in places:
        (own_xx, own_xy), (_, own_yy) = place.covariance_m2
        dx, dy = place.x_m - best.x_m, place.y_m - best.y_m
        xx += place.share * (own_xx + dx * dx)
        xy += place.share * (own_xy + dx * dy)
        yy += place.share * (own_yy + dy * dy)
    major_m, minor_m, bearing_deg = replace(best, covariance_m2=((xx, xy), (xy, yy))).ellipse()
    known_to_m = best.ellipse()[0] if best.share >= _LIKELY else major_m
    speed_m_s = speed_of_sound_m_s(temperature_c)
    late_s = tuple(
        each.time_s - best.time_s - hypot(each.east_m - best.x_m, each.north_m - best.y_m, up_m - SOURCE_HEIGHT_M) / speed_m_s
        for each, up_m in zip(arrivals, height_m, strict=True)
    )
    return Located(best.x_m, best.y_m, major_m, minor_m, bearing_deg, late_s, best.checked, known_to_m)

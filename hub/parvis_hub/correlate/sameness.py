"""Which reports of what stays are of one thing: by the things that together explain best where and when all of them were seen.

If some reports are of one thing, the distances between them are the errors that they state and the thing's own size; each view of it
began when it began, or while it lasted (it was hidden), and ended when it ended, or before (it was lost from view). If they are of
several, each may be anywhere at any time, at the rate of such things. The ratio of the densities says what a set of reports is worth as
one thing (Blackman & Popoli, Design and Analysis of Modern Tracking Systems, 1999, chapter 6). A unit that reports two things at once has
told them apart. A unit without calibration says that the thing is somewhere in its range: it joins by when, not by where.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import exp, hypot, inf, log, pi, sqrt
from statistics import median
from typing import Protocol

from .physics import Physics
from .report import Order, Place, Report

#: How often a view begins with the thing, or later while it is there; ends with it, or earlier.
_TOGETHER, _APART = 0.75, 0.05
#: What is heard comes and goes where it is hardly louder than the street.
_COMES_AND_GOES = 0.4
#: What stays and was lost from view is found again within some seconds, mostly.
_FOUND_AGAIN, FOUND_AGAIN_S = 0.8, 10.0
#: No place is known better than this; the rim of a unit's range no better than this share of it.
LEAST_M, _RIM = 0.1, 0.1
#: A unit that says its own place, to this, with no less than so much uncertainty, knows no more than its range.
_OWN_M, _OWN_SIGMA_M = 1.0, 5.0
#: A clock that is less sure than this says nothing of when.
MOST_SIGMA_S = 600.0
#: Errors of a place are larger than stated now and then: the degrees of freedom of Student's distribution.
_FREEDOM = 8.0
#: Places farther apart than so many sigmas are not worth a look.
_FAR_SIGMAS = 6.0
_US = 1e-6


@dataclass(frozen=True, slots=True)
class View:
    """What one report says of a thing.

    Attributes:
        unit, order: Whose, and where it stands among all.
        east_m, north_m: Where, in the middle of what its messages say.
        variance_m2: Of that, the thing's own size included; of a unit that knows no more than its range, the range's square.
        reach_m: How far from there the thing may be at most.
        ranged: Whether its range is all that it knows.
        began_s, since_s: When its first message says that the thing began; and that less how long it says that it has lasted.
        started: Whether its first message is the start.
        ended_s: When it ended; None if it has not said so.
        seen_s: When it was last seen.
        over_s: When it ended, or is taken to have if no more is heard of it.
        sigma_s: Uncertainty of its clock.
    """

    unit: str
    order: Order
    east_m: float
    north_m: float
    variance_m2: float
    reach_m: float
    ranged: bool
    began_s: float
    since_s: float
    started: bool
    ended_s: float | None
    seen_s: float
    over_s: float
    sigma_s: float


class _Lasting(Protocol):
    """What a unit says of something for a time."""

    @property
    def unit(self) -> str: ...
    @property
    def began_s(self) -> float: ...
    @property
    def over_s(self) -> float: ...


def told_apart(one: _Lasting, other: _Lasting) -> bool:
    """Whether a unit reports two things at once, and so has told them apart."""
    return one.unit == other.unit and max(one.began_s, other.began_s) < min(one.over_s, other.over_s)


def is_ranged(unit: str, place: Place, places_m: Mapping[str, tuple[float, float]], *, heard: bool) -> bool:
    """Whether a unit says its own place with its range, and so knows no more.

    Args:
        unit: Whose word it is.
        place: Where it says that it was.
        places_m: Where the site's units are, by name.
        heard: A microphone knows no more whatever it says.
    """
    own_m = places_m.get(unit)
    if own_m is None or (place.sigma_m < _OWN_SIGMA_M and not heard):
        return False
    return hypot(place.east_m - own_m[0], place.north_m - own_m[1]) <= _OWN_M


def _view_of(report: Report, places_m: Mapping[str, tuple[float, float]], physics: Physics) -> View:
    places = report.looked_at
    east_m, north_m = median([place.east_m for place in places]), median([place.north_m for place in places])
    sigma_m = max(LEAST_M, median([place.sigma_m for place in places]))
    ranged = is_ranged(report.unit, Place(0, east_m, north_m, sigma_m), places_m, heard=physics.heard)
    variance_m2 = max(sigma_m, physics.audible_m) ** 2 if ranged else sigma_m**2 + report.extent_m**2
    began_s, seen_s = report.order[0] * _US, report.last.time_us * _US
    return View(
        report.unit,
        report.order,
        east_m,
        north_m,
        variance_m2,
        (1.0 + 3.0 * _RIM if ranged else _FAR_SIGMAS) * sqrt(variance_m2),
        ranged,
        began_s,
        began_s - report.lasted_s,
        report.started,
        seen_s if report.ended else None,
        seen_s,
        report.until_us * _US,
        min(report.sigma_us * _US, MOST_SIGMA_S),
    )


class Sameness:
    """What reports of one type are worth as one thing."""

    adds_up = False

    def __init__(self, physics: Physics, places_m: Mapping[str, tuple[float, float]]) -> None:
        """Args: the type's physics; and where the site's units are, by name."""
        self._physics = physics
        self._places_m = places_m
        self._log_rarity = log(physics.rarity_per_m2)
        self._log_lasts = log(physics.lasts_s)
        #: An asset and a zone are places: that they are named says where.
        self._named = physics.identity in ("asset", "zone")
        #: What is said of a unit is of one thing as long as it goes on.
        self._own = physics.identity == "unit"
        #: Only what has no such name has to be near to be one; what is named may be seen from anywhere.
        self.by_place = not (self._named or self._own)
        self._log_apart = log((_COMES_AND_GOES if physics.heard else _APART) / physics.lasts_s)

    def view_of(self, report: Report) -> View:
        """What a report says."""
        return _view_of(report, self._places_m, self._physics)

    def may(self, one: View, other: View) -> bool:
        """Whether two views may be of one thing at all."""
        if self._own:
            return True
        if told_apart(one, other):
            return False
        if self._named:
            return True
        apart_m = hypot(one.east_m - other.east_m, one.north_m - other.north_m)
        far_m = one.reach_m + other.reach_m + self._physics.speed_m_s * abs(one.began_s - other.began_s)
        return apart_m <= far_m

    def worth(self, views: Sequence[View]) -> float:
        """How much better one thing explains some views than as many things do, as a logarithm; minus infinity where none can.

        Args:
            views: In order; no two of one unit at once.
        """
        if len(views) == 1 or self._own:
            return len(views) - 1.0
        ended = sum(view.ended_s is not None for view in views)
        gained = (len(views) - 1) * (self._log_lasts - self._log_rarity) + ended * self._log_lasts
        return gained + self._where(views) + self._began(views) + self._ended(views)

    def joins(self, before: Sequence[View], view: View) -> float:
        """How much more some reports are worth with one that began after them."""
        return self.worth([*before, view]) - self.worth(before)

    def _where(self, views: Sequence[View]) -> float:
        """The logarithm of how likely the places are, beside that of the first: per square metre each."""
        placed = [view for view in views if not view.ranged]
        ranged = [view for view in views if view.ranged]
        if self._physics.identity == "asset":
            return (len(views) - 1) * self._log_rarity
        if not placed:
            return (len(ranged) - 1) * self._log_rarity if self._named else _together([(v, 0.25 * v.variance_m2) for v in ranged])[0]
        first_s = placed[0].began_s
        drift_m2 = self._physics.speed_m_s**2
        density, east_m, north_m, variance_m2 = _together([(v, v.variance_m2 + drift_m2 * (v.began_s - first_s) ** 2) for v in placed])
        if self._named:
            return density + len(ranged) * self._log_rarity
        for view in ranged:
            beyond_m = max(0.0, hypot(view.east_m - east_m, view.north_m - north_m) - sqrt(view.variance_m2))
            density -= log(pi * view.variance_m2) + 0.5 * beyond_m**2 / (variance_m2 + _RIM**2 * view.variance_m2)
        return density

    def _began(self, views: Sequence[View]) -> float:
        """The logarithm of how likely it is that the views began when they did, beside the one that saw the thing begin."""
        late: list[float] = []
        over_s, own_s = -inf, dict[str, float]()
        for view in views:
            # What nobody saw in between may be another; who has lost it finds it again soon.
            gap_s = max(0.0, view.began_s - over_s) if over_s > -inf else 0.0
            density = exp(self._log_apart - gap_s / FOUND_AGAIN_S)
            if view.unit in own_s:
                density += _FOUND_AGAIN / FOUND_AGAIN_S * exp(-max(0.0, view.began_s - own_s[view.unit]) / FOUND_AGAIN_S)
            late.append(density)
            own_s[view.unit] = over_s = max(over_s, view.over_s)
            own_s[view.unit] = view.over_s
        # How likely it is that all others began when they did, if this one saw the thing begin.
        totals = [0.0] * len(views)
        for (first, anchor), (second, view) in combinations(enumerate(views), 2):
            apart_s = min(abs(view.began_s - anchor.began_s), abs(view.since_s - anchor.since_s))
            if not view.started:
                apart_s = min(apart_s, abs(view.since_s - anchor.began_s))
            if not anchor.started:
                apart_s = min(apart_s, abs(view.began_s - anchor.since_s))
            at_once = self._at_once(apart_s, view, anchor)
            totals[first] += log(at_once + late[second])
            totals[second] += log(at_once + late[first])
        return max(totals)

    def _ended(self, views: Sequence[View]) -> float:
        """The logarithm of how likely it is that the views ended when they did, of those that have."""
        ended = [view for view in views if view.ended_s is not None]
        if not ended:
            return 0.0
        # Some go on: all that ended have lost it.
        going_s = max((view.seen_s for view in views if view.ended_s is None), default=-inf)
        best = len(ended) * self._log_apart if going_s > -inf else -inf
        apart = exp(self._log_apart)
        for anchor in ended:
            assert anchor.ended_s is not None  # noqa: S101
            if going_s > anchor.ended_s + 3.0 * self._physics.together_s:
                continue
            total = -self._log_lasts
            for view in ended:
                if view is not anchor and view.ended_s is not None:
                    early = apart if view.ended_s <= anchor.ended_s else 0.0
                    total += log(self._at_once(abs(view.ended_s - anchor.ended_s), view, anchor) + early + 1e-300)
            best = max(best, total)
        return best

    def _at_once(self, apart_s: float, one: View, other: View) -> float:
        spread_s = self._physics.together_s + hypot(one.sigma_s, other.sigma_s)
        return _TOGETHER / (2.0 * spread_s) * exp(-apart_s / spread_s)


def log_normal(square_m2: float, variance_m2: float) -> float:
    """The logarithm of a round normal distribution's density in the plane, at so much from its middle."""
    return -log(2.0 * pi * variance_m2) - square_m2 / (2.0 * variance_m2)


def _together(views: Sequence[tuple[View, float]]) -> tuple[float, float, float, float]:
    """Of views with their variances: the logarithm of how likely they are at one place, per square metre each beside the first.

    And that place, and its variance.
    """
    total = east_m = north_m = density = 0.0
    for view, variance_m2 in views:
        total += 1.0 / variance_m2
        east_m += view.east_m / variance_m2
        north_m += view.north_m / variance_m2
        density -= log(2.0 * pi * variance_m2)
    east_m /= total
    north_m /= total
    misfit = sum(((view.east_m - east_m) ** 2 + (view.north_m - north_m) ** 2) / variance_m2 for view, variance_m2 in views)
    tail = (0.5 * _FREEDOM + len(views) - 1) * log(1.0 + misfit / _FREEDOM)
    return density + log(2.0 * pi / total) - tail, east_m, north_m, 1.0 / total

"""Which reports of what moves are of one thing: each follows one before it, from where and as fast as that was seen to go.

A report is a stretch of a path. If another continues it, that one begins where the first leads, the less surely the longer it was not
seen, since what moves turns and slows down within some time; while the first lasts both see it at one place. If it is another thing it
may begin anywhere at any time, at the rate of such things. The ratio of the densities says what a link is worth (Blackman & Popoli,
Design and Analysis of Modern Tracking Systems, 1999, chapter 6); a thing is worth the best link of each of its reports to one before.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, hypot, inf, log, pi

from .physics import Physics
from .report import Order, Place, Report
from .sameness import is_ranged

#: How often another view begins with the first, while it lasts, or after it, since it goes on to the next unit.
_TOGETHER, _MEANWHILE, _AGAIN = 0.3, 0.4, 0.3
#: What was lost from view and has not gone on is found again within some seconds.
_FOUND_AGAIN_S = 10.0
#: What moves turns or changes its speed within about this time; so it goes straight on for half of it either way.
_TURNS_S, STRAIGHT_US = 20.0, 10_000_000
#: What moves is after a while elsewhere than straight on by this share of its way.
_TURNS = 0.35
#: A speed from fewer sightings than this, or from less time, is none; and it is known no better than this share of it.
_FEWEST, _LEAST_S, _SPEED_SHARE = 3, 3.0, 0.25
#: How far two units' speeds of one thing differ, as a logarithm: a third; and those of any two things: twofold.
_ONE_SPEED, _SPEEDS = 0.35, 0.8
#: What is heard is anywhere in the disc of a unit's range: along each axis a quarter of its square. What comes into it is at its rim: half.
_DISC, _RIM = 0.25, 0.5
#: A clock that is less sure than this says nothing of when.
_MOST_SIGMA_S = 600.0
_LEAST_M = 0.1
_US = 1e-6


@dataclass(frozen=True, slots=True)
class Motion:
    """Where something was, and how fast it went.

    Attributes:
        east_m, north_m, variance_m2: The place, and its variance along each axis.
        east_m_s, north_m_s: The velocity.
        variance_m2_s2: Of that along each axis; infinite where only a speed is known, or nothing.
    """

    east_m: float
    north_m: float
    variance_m2: float
    east_m_s: float = 0.0
    north_m_s: float = 0.0
    variance_m2_s2: float = inf


@dataclass(frozen=True, slots=True)
class Stretch:
    """What one report says of a thing that moves.

    Attributes:
        unit, order: Whose, and where it stands among all.
        track: Where it was when.
        ranged: Whether the unit knows no more than its range.
        extent_m: The thing's size.
        speed_m_s: How fast it goes, as far as is said.
        began_s: When it began.
        ended_s: When it ended; None if it has not said so.
        seen_s: When it was last seen.
        over_s: When it ended, or is taken to have if no more is heard of it.
        sigma_s: Uncertainty of its clock.
        again_s: After how long, about, the next unit sees what this one has lost.
        first: How it moved when it began.
    """

    unit: str
    order: Order
    track: Sequence[Place]
    ranged: bool
    extent_m: float
    speed_m_s: float | None
    began_s: float
    ended_s: float | None
    seen_s: float
    over_s: float
    sigma_s: float
    again_s: float
    first: Motion


class Following:
    """What reports of one type are worth as one thing."""

    def __init__(self, physics: Physics, places_m: Mapping[str, tuple[float, float]], spacing_m: Callable[[str], float]) -> None:
        """Args: the type's physics; where units are, by name; and how far from one the next ones are."""
        self._physics = physics
        self._places_m = places_m
        self._spacing_m = spacing_m
        self._log_rate = log(physics.rarity_per_m2 / physics.lasts_s)

    def view_of(self, report: Report) -> Stretch:
        """What a report says."""
        physics = self._physics
        began_s = report.order[0] * _US
        speed_m_s = report.speed_m_s or physics.speed_m_s
        ranged = is_ranged(report.unit, report.anchor, self._places_m)
        next_m = 0.5 * min(self._spacing_m(report.unit), physics.reach_m)
        return Stretch(
            report.unit,
            report.order,
            report.track,
            ranged,
            report.extent_m,
            report.speed_m_s,
            began_s,
            report.last.time_us * _US if report.ended else None,
            report.last.time_us * _US,
            report.until_us * _US,
            min(report.sigma_us * _US, _MOST_SIGMA_S),
            max(_FOUND_AGAIN_S, next_m / max(1.0, speed_m_s)),
            _motion(report.track, report.order[0], report.extent_m, ranged=ranged),
        )

    def may(self, one: Stretch, other: Stretch) -> bool:
        """Whether two reports may be of one thing at all: a unit that reports two things at once has told them apart."""
        return one.unit != other.unit or max(one.began_s, other.began_s) >= min(one.over_s, other.over_s)

    def worth(self, views: Sequence[Stretch]) -> float:
        """How much better one thing explains some reports than as many things do, as a logarithm.

        Args:
            views: In order; no two of one unit at once.
        """
        return sum(self.joins(views[:index], view) for index, view in enumerate(views[1:], 1))

    def joins(self, before: Sequence[Stretch], view: Stretch) -> float:
        """How much more some reports are worth with one that began after them."""
        if self._physics.heard:
            # All hear it in their ranges: one that hears it still says where, another that began with it says when.
            best = max(self._heard(other, view) for other in before) + max(self._when(other, view) for other in before)
        else:
            # Who knows where it was leads to who does; and all that see it at once see it at one place.
            knowing = before if view.ranged else [other for other in before if not other.ranged]
            at_once = [other for other in knowing if other.seen_s >= view.began_s]
            if at_once:
                best = min(self._led(other, view) for other in at_once) + max(self._when(other, view) for other in before)
            else:
                best = max(self._led(other, view) + self._when(other, view) for other in (knowing or before))
        return best - self._log_rate

    def _when(self, before: Stretch, view: Stretch) -> float:
        """The logarithm of how likely it is, per second, that a view of a thing begins when this one did."""
        physics = self._physics
        spread_s = physics.together_s + hypot(before.sigma_s, view.sigma_s)
        density = _TOGETHER / (2.0 * spread_s) * exp(-(view.began_s - before.began_s) / spread_s)
        if view.began_s <= before.over_s:
            density += _MEANWHILE / physics.lasts_s
        else:
            density += _AGAIN / before.again_s * exp(-(view.began_s - before.over_s) / before.again_s)
        return log(density) if density > 0.0 else -inf

    def _heard(self, before: Stretch, view: Stretch) -> float:
        """The logarithm of how likely it is, per square metre, that what is heard is heard next in the range of this one."""
        gone_m = self._physics.speed_m_s * max(0.0, view.began_s - before.seen_s)
        here, there = before.track[0], view.track[0]
        square_m2 = (there.east_m - here.east_m) ** 2 + (there.north_m - here.north_m) ** 2
        # The other has it anywhere in its disc, this one at its rim: it has just come into it.
        return _normal(square_m2, _DISC * here.sigma_m**2 + _RIM * there.sigma_m**2 + self._physics.extent_m**2 + gone_m**2)

    def _led(self, before: Stretch, view: Stretch) -> float:
        """The same of what is seen, by where the one before leads; and of its velocity, beside that of another thing."""
        at_s = min(view.began_s, before.seen_s)
        here, there = _motion(before.track, round(at_s / _US), before.extent_m, ranged=before.ranged), view.first
        gone_s = view.began_s - at_s
        speed_m_s = before.speed_m_s or view.speed_m_s or self._physics.speed_m_s
        speed_m_s = max(speed_m_s, hypot(here.east_m_s, here.north_m_s))
        wander_m2_s3 = max(1.0, speed_m_s) ** 2 / _TURNS_S
        unknown_m2_s2 = 0.5 * max(1.0, speed_m_s) ** 2
        velocity_m2_s2 = min(here.variance_m2_s2, unknown_m2_s2)
        variance_m2 = here.variance_m2 + there.variance_m2 + gone_s**2 * (velocity_m2_s2 + (_TURNS * speed_m_s) ** 2)
        # A clock that is off puts it elsewhere on its way.
        variance_m2 += speed_m_s**2 * (before.sigma_s**2 + view.sigma_s**2)
        east_m, north_m = here.east_m + gone_s * here.east_m_s - there.east_m, here.north_m + gone_s * here.north_m_s - there.north_m
        score = _normal(east_m**2 + north_m**2, variance_m2) + _as_fast(before, view)
        if max(here.variance_m2_s2, there.variance_m2_s2) < inf:
            spread_m2_s2 = here.variance_m2_s2 + there.variance_m2_s2 + wander_m2_s3 * gone_s
            if spread_m2_s2 < 2.0 * unknown_m2_s2:
                square = (here.east_m_s - there.east_m_s) ** 2 + (here.north_m_s - there.north_m_s) ** 2
                score += _normal(square, spread_m2_s2) - _normal(square, 2.0 * unknown_m2_s2)
        return score


def _motion(track: Sequence[Place], at_us: int, extent_m: float, *, ranged: bool) -> Motion:
    """Where a track was about a time, and how fast it went: a line through what was seen half a turn before and after it."""
    since = bisect_left(track, at_us - STRAIGHT_US, key=_time_us)
    until = bisect_right(track, at_us + STRAIGHT_US, key=_time_us)
    places = track[since:until] or track[max(0, since - 1) : since] or track[:1]
    count = len(places)
    times_s = [(place.time_us - at_us) * _US for place in places]
    middle_s = sum(times_s) / count
    east_m, north_m = sum(place.east_m for place in places) / count, sum(place.north_m for place in places) / count
    sigma_m = max(_LEAST_M, sum(place.sigma_m for place in places) / count)
    variance_m2 = _DISC * sigma_m**2 if ranged else sigma_m**2
    square_s2 = sum((time_s - middle_s) ** 2 for time_s in times_s)
    if count < _FEWEST or max(times_s) - min(times_s) < _LEAST_S:
        nearest = min(places, key=lambda place: (abs(place.time_us - at_us), place.time_us))
        return Motion(nearest.east_m, nearest.north_m, variance_m2 + extent_m**2)
    east_m_s = sum((time_s - middle_s) * place.east_m for time_s, place in zip(times_s, places, strict=True)) / square_s2
    north_m_s = sum((time_s - middle_s) * place.north_m for time_s, place in zip(times_s, places, strict=True)) / square_s2
    velocity_m2_s2 = variance_m2 / square_s2 + _SPEED_SHARE**2 * (east_m_s**2 + north_m_s**2)
    return Motion(
        east_m - middle_s * east_m_s, north_m - middle_s * north_m_s, variance_m2 + extent_m**2, east_m_s, north_m_s, velocity_m2_s2
    )


def _as_fast(before: Stretch, view: Stretch) -> float:
    """How much better one thing explains the speeds that were said than two do, as a logarithm; 0 where none was said."""
    if not before.speed_m_s or not view.speed_m_s:
        return 0.0
    apart = log(view.speed_m_s / before.speed_m_s)
    return log(_SPEEDS / _ONE_SPEED) - 0.5 * apart**2 * (_ONE_SPEED**-2 - _SPEEDS**-2)


def _normal(square_m2: float, variance_m2: float) -> float:
    """The logarithm of a round normal distribution's density in the plane."""
    return -log(2.0 * pi * variance_m2) - square_m2 / (2.0 * variance_m2)


def _time_us(place: Place) -> int:
    return place.time_us

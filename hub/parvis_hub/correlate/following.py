"""Which reports of what moves are of one thing: by how well one way explains where all of them saw it, and when.

A report is a stretch of a way. One thing goes on as it went, and forgets within some time how that was: its velocity is an
Ornstein-Uhlenbeck process, so that it goes nowhere faster than it can. What several reports saw is filtered as one way (Kalman, 1960), and
each of them as a way of its own; the ratio of the densities says what they are worth as one thing, beside the rate of such things
(Blackman & Popoli, Design and Analysis of Modern Tracking Systems, 1999, chapter 6).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, hypot, inf, log, pi

from .onward import DISC, FOLLOWED, again_s, log_begins
from .physics import TURNS_S, Physics
from .report import Order, Place, Report
from .sameness import LEAST_M, MOST_SIGMA_S, is_ranged, told_apart

#: How far two units' speeds of one thing differ, as a logarithm: a third; and those of any two things: twofold.
_ONE_SPEED, _SPEEDS = 0.35, 0.8
#: How often a crowd that runs parts, so that who is seen next goes another way than those who were seen: as a logarithm, as often as not.
_PARTS = log(0.5)
#: So many sightings of a report say how it went, each for its share of what the report knows: its errors are of one calibration.
_SIGHTINGS = 4
_US = 1e-6

#: When, in seconds; metres east and north; and the variance along each axis.
_Sighting = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Stretch:
    """What one report says of a thing that moves.

    Attributes:
        unit, order: Whose, and where it stands among all.
        sightings: Where it was when, a few of them; of a unit that knows no more than its range, when it was nearest.
        said: How fast it says that it goes, as a logarithm; empty where it does not say.
        began_s: When it began.
        over_s: When it ended, or is taken to have if no more is heard of it.
        sigma_s: Uncertainty of its clock.
        again_s: After how long, about, the next unit sees what this one has lost.
        alone: The logarithm of how likely its sightings are as a way of their own, but for the first.
    """

    unit: str
    order: Order
    sightings: tuple[_Sighting, ...]
    said: tuple[float, ...]
    began_s: float
    over_s: float
    sigma_s: float
    again_s: float
    alone: float


@dataclass(frozen=True, slots=True)
class _Way:
    """Where some reports saw one part of a thing, how likely that is, and how fast they said that it went."""

    sightings: tuple[_Sighting, ...]
    likelihood: float
    said: tuple[float, ...]


class Following:
    """What reports of one type are worth as one thing."""

    adds_up = False

    def __init__(self, physics: Physics, places_m: Mapping[str, tuple[float, float]], spacing_m: Callable[[str], float]) -> None:
        """Args: the type's physics; where units are, by name; and how far from one the next ones are."""
        self._physics = physics
        self._places_m = places_m
        self._spacing_m = spacing_m
        self._log_rate = log(physics.rarity_per_m2 / physics.lasts_s)

    def view_of(self, report: Report) -> Stretch:
        """What a report says."""
        physics = self._physics
        places = report.looked_at
        ranged = is_ranged(report.unit, report.anchor, self._places_m, heard=physics.heard)
        sigma_s = min(report.sigma_us * _US, MOST_SIGMA_S)
        speed_m_s = report.speed_m_s or physics.speed_m_s
        said = (log(report.speed_m_s),) if report.speed_m_s else ()
        # A clock that is off puts it elsewhere on its way.
        clock_m2 = (speed_m_s * sigma_s) ** 2
        if ranged:
            # It came into the range on one side and went out of it on another: in between it was nearest.
            place = report.anchor
            variance_m2 = DISC * max(place.sigma_m, physics.audible_m) ** 2 + physics.extent_m**2 + clock_m2
            sightings: tuple[_Sighting, ...] = (
                (0.5 * (places[0].time_us + places[-1].time_us) * _US, place.east_m, place.north_m, variance_m2),
            )
        else:
            seen = _few(places)
            sightings = tuple(
                (
                    place.time_us * _US,
                    place.east_m,
                    place.north_m,
                    len(seen) * (max(place.sigma_m, LEAST_M) ** 2 + report.extent_m**2) + clock_m2,
                )
                for place in seen
            )
        return Stretch(
            report.unit,
            report.order,
            sightings,
            said,
            report.order[0] * _US,
            report.until_us * _US,
            sigma_s,
            again_s(physics, self._spacing_m(report.unit), speed_m_s),
            _likelihood(sightings, self._velocity_m2_s2(said)) if len(sightings) > 1 else 0.0,
        )

    def may(self, one: Stretch, other: Stretch) -> bool:
        """Whether two reports may be of one thing at all."""
        return not told_apart(one, other)

    def worth(self, views: Sequence[Stretch]) -> float:
        """How much better one thing explains some reports than as many things do, as a logarithm.

        Args:
            views: In order; no two of one unit at once.
        """
        if len(views) == 1:
            return 0.0
        return self._ways(views) + self._began(views) - (len(views) - 1) * self._log_rate

    def joins(self, before: Sequence[Stretch], view: Stretch) -> float:
        """How much more some reports are worth with one that began after them."""
        last = before[-FOLLOWED:]
        return self.worth([*last, view]) - self.worth(last)

    def _ways(self, views: Sequence[Stretch]) -> float:
        """The logarithm of how likely the places are, per square metre each, beside that of each report as a thing of its own."""
        ways = [_Way(views[0].sightings, views[0].alone, views[0].said)]
        total = 0.0
        for view in views[1:]:
            best, chosen, after = -inf, -1, ways[0]
            for index, way in enumerate(ways):
                said = way.said + view.said
                sightings = tuple(sorted(way.sightings + view.sightings))
                likelihood = _likelihood(sightings, self._velocity_m2_s2(said))
                gained = likelihood - way.likelihood - view.alone + (_as_fast(said) if view.said else 0.0)
                if gained > best:
                    best, chosen, after = gained, index, _Way(sightings, likelihood, said)
                if len(view.sightings) > 1 and len(way.sightings) > 1:
                    # It parts from the others where it begins.
                    at_s, east_m, north_m, variance_m2 = view.sightings[0]
                    begun = (at_s, east_m, north_m, variance_m2 / len(view.sightings))
                    parted = _likelihood(sorted([*way.sightings, begun]), self._velocity_m2_s2(way.said)) - way.likelihood + _PARTS
                    if parted > best:
                        best, chosen, after = parted, -1, _Way(view.sightings, view.alone, view.said)
            total += best
            if chosen < 0:
                ways.append(after)
            else:
                ways[chosen] = after
        return total

    def _velocity_m2_s2(self, said: Sequence[float]) -> float:
        """The variance of the velocity along each axis: half of the speed's square if that is said, since it goes anywhere."""
        return 0.5 * max(1.0, exp(sum(said) / len(said))) ** 2 if said else self._physics.speed_m_s**2

    def _began(self, views: Sequence[Stretch]) -> float:
        """The logarithm of how likely it is, per second each, that the views after the first begin when they do."""
        first = lasting = views[0]
        total = 0.0
        for view in views[1:]:
            sigma_s = hypot(first.sigma_s, view.sigma_s)
            total += log_begins(
                self._physics,
                after_s=view.began_s - first.began_s,
                sigma_s=sigma_s,
                unseen_s=view.began_s - lasting.over_s - sigma_s,
                again_s=lasting.again_s,
            )
            if view.over_s > lasting.over_s:
                lasting = view
        return total


def _few(places: Sequence[Place]) -> Sequence[Place]:
    """The first, the last and some in between."""
    last = len(places) - 1
    return places if last < _SIGHTINGS else [places[k * last // (_SIGHTINGS - 1)] for k in range(_SIGHTINGS)]


def _likelihood(sightings: Sequence[_Sighting], velocity_m2_s2: float) -> float:
    """The logarithm of how likely sightings of one thing are, each per square metre where those before it lead; 0 for the first.

    Args:
        sightings: In order.
        velocity_m2_s2: The variance of the velocity along each axis; it is forgotten within :data:`TURNS_S`.
    """
    at_s, east_m, north_m, place_m2 = sightings[0]
    east_m_s = north_m_s = both_m2_s = total = 0.0
    speed_m2_s2 = velocity_m2_s2
    for time_s, there_m, up_m, variance_m2 in sightings[1:]:
        passed = (time_s - at_s) / TURNS_S
        if passed > 0.0:
            kept = exp(-passed)
            lost = 1.0 - kept
            gone_s = TURNS_S * lost
            east_m += gone_s * east_m_s
            north_m += gone_s * north_m_s
            east_m_s *= kept
            north_m_s *= kept
            place_m2 += gone_s * (2.0 * both_m2_s + gone_s * speed_m2_s2) + velocity_m2_s2 * TURNS_S**2 * (
                2.0 * passed - lost * (3.0 - kept)
            )
            both_m2_s = kept * (both_m2_s + gone_s * speed_m2_s2) + velocity_m2_s2 * gone_s * lost
            speed_m2_s2 = kept * kept * speed_m2_s2 + velocity_m2_s2 * lost * (1.0 + kept)
            at_s = time_s
        spread_m2 = place_m2 + variance_m2
        off_m, up_off_m = there_m - east_m, up_m - north_m
        total -= log(2.0 * pi * spread_m2) + (off_m * off_m + up_off_m * up_off_m) / (2.0 * spread_m2)
        gain, turn_per_s = place_m2 / spread_m2, both_m2_s / spread_m2
        east_m += gain * off_m
        north_m += gain * up_off_m
        east_m_s += turn_per_s * off_m
        north_m_s += turn_per_s * up_off_m
        speed_m2_s2 -= turn_per_s * both_m2_s
        both_m2_s *= 1.0 - gain
        place_m2 *= 1.0 - gain
    return total


def _as_fast(speeds: Sequence[float]) -> float:
    """How much better one thing explains the last of the speeds that were said than another does, as a logarithm; 0 for the first."""
    if len(speeds) < 2:
        return 0.0
    apart = speeds[-1] - sum(speeds[:-1]) / (len(speeds) - 1)
    return log(_SPEEDS / _ONE_SPEED) - 0.5 * apart**2 * (_ONE_SPEED**-2 - _SPEEDS**-2)

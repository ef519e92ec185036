"""Whether a report is of the same moving thing as earlier ones: where they say that it is, when they noticed it, and how it moves.

If two reports are of one thing, the distance between them is the error that both state, the thing's own size and how far it has moved;
and the second began when the first did (both saw it come), or while it lasted (one view was hidden), or soon after (it was lost and
found again, or it has moved on). If they are of two, the second may be anywhere at any time, at the rate of such things. The ratio of
the two densities decides (Blackman & Popoli, Design and Analysis of Modern Tracking Systems, 1999, chapter 6). It follows that a unit
that knows no more than its own range joins only what began when its own did.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from math import exp, hypot, inf, log, pi
from typing import Protocol

from .physics import Physics
from .report import Place, Report

#: How often another view begins with the first, while it lasts, or after it, since it goes on to the next unit.
_TOGETHER, _MEANWHILE, _AGAIN = 0.3, 0.4, 0.3
#: What was lost from view and has not gone on is found again within some seconds.
_FOUND_AGAIN_S = 10.0
#: What moves is after a while elsewhere than straight on by this share of its way.
_TURNS = 0.35
#: How far two units' speeds of one thing differ, as a logarithm: a third; and those of any two things: twofold.
_ONE_SPEED, _SPEEDS = 0.35, 0.8
#: What is heard is anywhere in the disc of a unit's range: along each axis a quarter of its square. What comes into it is at its rim: half.
_DISC, _RIM = 0.25, 0.5
_US = 1e-6


class Members(Protocol):
    """The reports of one thing, in order, and by unit."""

    reports: list[Report]
    by_unit: dict[str, list[Report]]


class Likeness:
    """Scores whether a report is of a thing: how much better that explains it than another thing does, as a logarithm."""

    def __init__(self, physics: Physics, spacing_m: Callable[[str], float]) -> None:
        """Args: the type's physics; and how far from a unit the next ones are, by its name."""
        self._physics = physics
        self._spacing_m = spacing_m
        self._log_rate = log(physics.rarity_per_m2 / physics.lasts_s)

    def __call__(self, members: Members, near: Sequence[Report], report: Report) -> float | None:
        """None if it is not; 0 is as likely as not.

        Args:
            members: Of the thing. Those that began after the report are passed over.
            near: Those of them that began before the report, and that it may still be of one thing with; in order.
            report: In question.
        """
        physics, order = self._physics, report.order
        if physics.identity == "unit":
            return 0.0
        began_us = order[0]
        # A unit that reports two things at once has told them apart.
        if any(other.until_us > began_us and other.order < order for other in members.by_unit.get(report.unit, ())):
            return None
        ended_us = 0
        if any(not other.ended and other.last.time_us < began_us for other in near):
            ended_us = max((other.last.time_us for other in members.reports if other.ended and other.order < order), default=0)
        where = self._heard(near, report) if physics.heard else self._moved(near, report)
        score = where + _as_fast(near, report) + max(self._when(other, report, ended_us) for other in near) - self._log_rate
        return score if score >= 0.0 else None

    def _when(self, other: Report, report: Report, ended_us: int) -> float:
        """The logarithm of how likely it is, per second, that another view of a thing begins when this one did."""
        physics = self._physics
        began_us, last_us = report.order[0], other.last.time_us
        spread_s = physics.together_s + hypot(report.sigma_us, other.sigma_us) * _US
        density = _TOGETHER / (2.0 * spread_s) * exp(-abs(began_us - other.order[0]) * _US / spread_s)
        if began_us <= last_us:
            density += _MEANWHILE / physics.lasts_s
        else:
            # What has not said that it ended goes on, unless others have seen the end of it since.
            over_us = last_us if other.ended else ended_us if last_us < ended_us <= began_us else other.until_us
            if began_us <= over_us:
                density += _MEANWHILE / physics.lasts_s
            else:
                again_s = self._again_s(other)
                density += _AGAIN / again_s * exp(-(began_us - over_us) * _US / again_s)
        return log(density) if density > 0.0 else -inf

    def _again_s(self, other: Report) -> float:
        """How long after one unit has lost it another one, or the same, sees it again: half way to the next unit."""
        return max(
            _FOUND_AGAIN_S,
            0.5 * min(self._spacing_m(other.unit), self._physics.reach_m) / max(1.0, other.speed_m_s or self._physics.speed_m_s),
        )

    def _heard(self, others: Sequence[Report], report: Report) -> float:
        """The same of what moves and is only heard: in the range of one that hears it too, or heard it last."""
        began_us, there = report.order[0], report.anchor
        best = -inf
        for other in others:
            gone_m = self._physics.speed_m_s * max(0, began_us - other.last.time_us) * _US
            here = other.anchor
            square_m2 = (there.east_m - here.east_m) ** 2 + (there.north_m - here.north_m) ** 2
            # The other has it anywhere in its disc, this one at its rim: it has just come into it.
            variance_m2 = _DISC * here.sigma_m**2 + _RIM * there.sigma_m**2 + self._physics.extent_m**2 + gone_m**2
            best = max(best, _normal(square_m2, variance_m2))
        return best

    def _moved(self, others: Sequence[Report], report: Report) -> float:
        """The same of what moves, by where it was seen until then: a regression, with the speed that was said as its prior.

        A sighting tells the less the longer ago it was, since what moves turns and slows down. Sightings that agree less than they
        say, as of a crowd that runs apart, leave the place as much less certain (Birge's ratio).
        """
        began_us, there = report.order[0], report.anchor
        extent_m = max(report.extent_m, *(other.extent_m for other in others))
        said = [other.speed_m_s for other in others if other.speed_m_s is not None]
        speed_m_s = max(1.0, sum(said) / len(said)) if said else self._physics.speed_m_s
        seen: list[tuple[float, float, float, float]] = []
        w = wt = wx = wy = wtx = wty = 0.0
        wtt = 2.0 / speed_m_s**2
        for other in others:
            # One unit's error is the same in all that it says: together it counts once.
            count = bisect_right(other.track, began_us, key=_time_us)
            for place in other.track[:count]:
                ago_s = (began_us - place.time_us) * _US
                weight = 1.0 / (place.sigma_m**2 + extent_m**2 + (_TURNS * speed_m_s * ago_s) ** 2) / count
                seen.append((weight, -ago_s, place.east_m, place.north_m))
                w += weight
                wt -= weight * ago_s
                wtt += weight * ago_s**2
                wx += weight * place.east_m
                wy += weight * place.north_m
                wtx -= weight * ago_s * place.east_m
                wty -= weight * ago_s * place.north_m
        # About the middle of what was seen, so that the prior speed is one of the thing and not of the map.
        middle_m = wx / w, wy / w
        wtx -= wt * middle_m[0]
        wty -= wt * middle_m[1]
        determinant = w * wtt - wt * wt
        x, y = -wt * wtx / determinant, -wt * wty / determinant
        vx, vy = w * wtx / determinant, w * wty / determinant
        variance_m2 = wtt / determinant
        if len(seen) > 2:
            misfit = sum(
                weight * ((east_m - middle_m[0] - x - vx * t_s) ** 2 + (north_m - middle_m[1] - y - vy * t_s) ** 2)
                for weight, t_s, east_m, north_m in seen
            )
            variance_m2 *= max(1.0, misfit / (2.0 * (len(seen) - 2)))
        square_m2 = (there.east_m - middle_m[0] - x) ** 2 + (there.north_m - middle_m[1] - y) ** 2
        return _normal(square_m2, variance_m2 + there.sigma_m**2 + extent_m**2)


def _as_fast(others: Sequence[Report], report: Report) -> float:
    """How much better one thing explains the speeds that were said than two do, as a logarithm; 0 where none was said."""
    said = [log(other.speed_m_s) for other in others if other.speed_m_s]
    if not said or not report.speed_m_s:
        return 0.0
    apart = log(report.speed_m_s) - sum(said) / len(said)
    return log(_SPEEDS / _ONE_SPEED) - 0.5 * apart**2 * (_ONE_SPEED**-2 - _SPEEDS**-2)


def _normal(square_m2: float, variance_m2: float) -> float:
    """The logarithm of a round normal distribution's density in the plane."""
    return -log(2.0 * pi * variance_m2) - square_m2 / (2.0 * variance_m2)


def _time_us(place: Place) -> int:
    return place.time_us

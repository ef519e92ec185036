"""Which reports of what drives by and is heard are of one thing: whoever hears it next is near to one who has heard it.

A microphone knows no more than that it is in earshot. So a report is linked with the one before it that it goes with best, by where both
units stand and by when they began to hear it, beside the rate of such things (Blackman & Popoli, Design and Analysis of Modern Tracking
Systems, 1999, chapter 6); a thing is worth the links of all its reports.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import hypot, log

from .onward import DISC, FOLLOWED, again_s, log_begins
from .physics import Physics
from .report import Order, Report
from .sameness import MOST_SIGMA_S, log_normal, told_apart

#: What comes into a unit's range is at its rim: along each axis half of its square.
_RIM = 0.5
_US = 1e-6


@dataclass(frozen=True, slots=True)
class Heard:
    """What one report says.

    Attributes:
        unit, order: Whose, and where it stands among all.
        east_m, north_m, range_m: Where the unit stands, and what it says of how far that is.
        began_s, seen_s: When it was first heard, and last.
        over_s: When it ended, or is taken to have if no more is heard of it.
        sigma_s: Uncertainty of its clock.
        again_s: After how long, about, the next unit hears what this one has lost.
    """

    unit: str
    order: Order
    east_m: float
    north_m: float
    range_m: float
    began_s: float
    seen_s: float
    over_s: float
    sigma_s: float
    again_s: float


class Overhearing:
    """What reports of one type are worth as one thing."""

    adds_up = True

    def __init__(self, physics: Physics, spacing_m: Callable[[str], float]) -> None:
        """Args: the type's physics; and how far from a unit the next ones are."""
        self._physics = physics
        self._spacing_m = spacing_m
        self._log_rate = log(physics.rarity_per_m2 / physics.lasts_s)

    def view_of(self, report: Report) -> Heard:
        """What a report says."""
        physics, place = self._physics, report.anchor
        return Heard(
            report.unit,
            report.order,
            place.east_m,
            place.north_m,
            place.sigma_m,
            report.order[0] * _US,
            report.last.time_us * _US,
            report.until_us * _US,
            min(report.sigma_us * _US, MOST_SIGMA_S),
            again_s(physics, self._spacing_m(report.unit), physics.speed_m_s),
        )

    def may(self, one: Heard, other: Heard) -> bool:
        """Whether two reports may be of one thing at all."""
        return not told_apart(one, other)

    def worth(self, views: Sequence[Heard]) -> float:
        """How much better one thing explains some reports than as many things do, as a logarithm.

        Args:
            views: In order; no two of one unit at once.
        """
        return sum([self.joins(views[:index], view) for index, view in enumerate(views[1:], 1)])

    def joins(self, before: Sequence[Heard], view: Heard) -> float:
        """How much more some reports are worth with one that began after them."""
        # One that hears it still says where, another that began with it says when.
        last = before[-FOLLOWED:]
        return max([self._where(other, view) for other in last]) + max([self._when(other, view) for other in last]) - self._log_rate

    def _when(self, before: Heard, view: Heard) -> float:
        """The logarithm of how likely it is, per second, that a unit begins to hear it when this one did."""
        return log_begins(
            self._physics,
            after_s=view.began_s - before.began_s,
            sigma_s=hypot(before.sigma_s, view.sigma_s),
            unseen_s=view.began_s - before.over_s,
            again_s=before.again_s,
        )

    def _where(self, before: Heard, view: Heard) -> float:
        """The logarithm of how likely it is, per square metre, that what one hears is heard next by this one."""
        gone_m = self._physics.speed_m_s * max(0.0, view.began_s - before.seen_s)
        square_m2 = (view.east_m - before.east_m) ** 2 + (view.north_m - before.north_m) ** 2
        # One has it anywhere in its disc, the other at its rim: it has just come into it.
        return log_normal(square_m2, DISC * before.range_m**2 + _RIM * view.range_m**2 + self._physics.extent_m**2 + gone_m**2)

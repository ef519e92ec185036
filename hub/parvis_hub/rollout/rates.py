"""Whether units that took something report more, or fewer, events than before, and than the city meanwhile. Pure.

A feast or a storm raises what units report, whether they took something or not. So the rate of the units that took it last is compared with
their own in the same hours of the days before, and by how much it changed with how much the others' did over the same time: a difference of
differences. Four Poisson counts in a table of two by two, given its margins, follow Fisher's noncentral hypergeometric distribution, which
makes the test exact; given their sum, two of them follow the binomial (Przyborowski and Wilenski, "Homogeneity of results in testing
samples from Poisson series", Biometrika 31, 1940).

Events come in clumps, and days differ, so that counts vary more than Poisson's: they are divided by how much more, which is the
quasi-likelihood way (Wedderburn 1974; McCullagh and Nelder, "Generalized Linear Models", 1989, 9.2).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from parvis_contract import Closed

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: Of all rollouts in which nothing has changed, so many may be halted by this test, at most; each of its comparisons has its part of it.
FALSE_HALTS = 0.01
#: A change by less is no reason to halt, however sure it is: a better model finds more, too.
LEAST_RATIO = 1.5
#: A feast day doubles what happens. What changes by more than this, at these units alone, needs no others to be told from it.
MOST_OF_A_CITY = 3.0
#: A ring's rates are looked at so often while it soaks.
LOOKS = 4
#: The same hours of so many days before are compared with.
DAYS = 7
HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class UnitHour:
    """What was seen of a unit in one hour.

    Attributes:
        unit: Which.
        hour: Since 1970 in UTC.
        seen_s: For how long it was there, seconds.
        events: How many of each type began.
    """

    unit: str
    hour: int
    seen_s: float
    events: Mapping[str, int] = field(default_factory=dict)


class Tally(Closed):
    """Events, and the hours of units in which they came."""

    events: int = 0
    hours: float = 0.0

    @property
    def rate_per_h(self) -> float:
        """Events of one unit in an hour."""
        return self.events / self.hours if self.hours else 0.0


class Jump(Closed):
    """A rate that is not what it was.

    Attributes:
        type: Of event.
        before, after: At the units that took something last.
        others_before, others_after: In the same hours at those for which nothing changed: that have not taken it, or, once there are none,
            that took it in an earlier ring.
        dispersion: How many times more the counts vary than Poisson's.
        p: How probable so large a difference were, if nothing had changed.
        limit: The test halts below it.
    """

    type: str
    before: Tally
    after: Tally
    others_before: Tally
    others_after: Tally
    dispersion: float
    p: float
    limit: float


def find_jump(hours: Iterable[UnitHour], taken_us: Mapping[str, int], ring: Collection[str], rings: int) -> Jump | None:
    """The rate that has jumped most surely; None if none has.

    Args:
        hours: Of all units of the site, of the last week and since.
        taken_us: When units took something, microseconds since 1970.
        ring: Those that are watched: of the ring that was asked last.
        rings: Of the rollout: how often in all it will be looked.
    """
    known = [hour for hour in hours if hour.seen_s > 0]
    # The hour in which it was taken is of neither.
    since = {unit: at_us // HOUR_US for unit, at_us in taken_us.items()}
    if not known or since.keys().isdisjoint(ring):
        return None
    seen = _Seen.of(known)
    split = _split(seen, since, ring)
    limit = FALSE_HALTS / (max(1, len(seen.events)) * LOOKS * max(1, rings))
    found = [jump for name in sorted(seen.events) if (jump := _judge(name, seen, split, limit)) is not None]
    return min(found, key=lambda jump: (jump.p, jump.type), default=None)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was seen, as tables of units by hours.

    Attributes:
        units: Names, in order.
        first: The first hour, since 1970; of a day's beginning.
        seen_s: (units, hours), float64: for how long a unit was there; whole days.
        events: The same for each type, float64: how many began.
    """

    units: list[str]
    first: int
    seen_s: Floats
    events: dict[str, Floats]

    @classmethod
    def of(cls, hours: Sequence[UnitHour]) -> _Seen:
        units = sorted({hour.unit for hour in hours})
        rows = {unit: row for row, unit in enumerate(units)}
        first = min(hour.hour for hour in hours) // 24 * 24
        shape = len(units), (max(hour.hour for hour in hours) - first) // 24 * 24 + 24
        seen_s, events = np.zeros(shape), {name: np.zeros(shape) for name in {name for hour in hours for name in hour.events}}
        for hour in hours:
            at = rows[hour.unit], hour.hour - first
            seen_s[at] = hour.seen_s
            for name, count in hour.events.items():
                events[name][at] = count
        return cls(units, first, seen_s, events)

    def column(self, hours: Mapping[str, int], otherwise: int) -> Ints:
        """An hour for each unit, (units, 1), counted from the first."""
        return np.array([[hours.get(unit, otherwise) - self.first] for unit in self.units])

    def tally(self, name: str, mask: Mask) -> Tally:
        return Tally(events=int(self.events[name][mask].sum()), hours=float(self.seen_s[mask].sum()) / 3600)

    def dispersion(self, name: str, mask: Mask) -> float:
        """How many times more counts vary than Poisson's: from hour to hour, or, if more, from day to day; 1 at least.

        That a rate follows the day makes the first larger, and the test more careful.
        """
        events, seen_s = self.events[name] * mask, self.seen_s * mask
        days = len(self.units), -1, 24
        return max(1.0, _pearson(events, seen_s), _pearson(events.reshape(days).sum(2), seen_s.reshape(days).sum(2)))


def _pearson(events: Floats, seen_s: Floats) -> float:
    """Pearson's statistic by its degrees of freedom; each unit (row) with its own rate, if it has one."""
    total, cells = events.sum(1, keepdims=True), (seen_s > 0).sum(1)
    expected = seen_s * total / np.maximum(seen_s.sum(1, keepdims=True), 1e-9)
    pearson = np.divide((events - expected) ** 2, expected, out=np.zeros_like(expected), where=expected > 0).sum()
    freedom = int((cells - 1)[total[:, 0] > 0].sum())
    return float(pearson) / freedom if freedom > 0 else 1.0


@dataclass(frozen=True, slots=True)
class _Split:
    """The hours that are compared, (units, hours) each; `past` are all of the days before at the units that are watched."""

    past: Mask
    before: Mask
    after: Mask
    others_before: Mask
    others_after: Mask


def _split(seen: _Seen, since: Mapping[str, int], ring: Collection[str]) -> _Split:
    never = seen.first + seen.seen_s.shape[1]
    watched = {unit: since[unit] for unit in ring if unit in since}
    begun = min(watched.values())
    after, past = _compared(seen, seen.column({}, 0), seen.column(watched, never))
    without = {unit: begun for unit in seen.units if unit not in since}
    earlier = {unit: begun for unit, at in since.items() if at < begun}
    for others in (without, earlier):
        others_after, others_before = _compared(seen, seen.column(since, 0), seen.column(others, never), then=_hours_of(after))
        if others_before.any():
            # Both over the same time: what the city did before, too, is no difference between them.
            then, before_it = _hours_of(others_after), _hours_of(others_before)
            after, before = _compared(seen, seen.column({}, 0), seen.column(watched, never), then, before_it)
            return _Split(past, before, after, others_before, others_after)
    return _Split(past, past, after, np.zeros_like(past), np.zeros_like(past))


def _hours_of(mask: Mask) -> Mask:
    """In which hours any unit is, (hours,)."""
    return np.asarray(mask.any(axis=0))


def _compared(seen: _Seen, first: Ints, at: Ints, then: Mask | None = None, earlier: Mask | None = None) -> tuple[Mask, Mask]:
    """Hours after something, and the same ones of the days before; those that have none are left out.

    Args:
        seen: What was seen.
        first: After which hour what is before begins, (units, 1).
        at: Which hour lies between before and after, (units, 1).
        then: Hours that may be after, (hours,); None for all.
        earlier: Hours that may be before, (hours,); None for all.
    """
    there, hours = seen.seen_s > 0, np.arange(seen.seen_s.shape[1])
    after = there & (hours > at) & (True if then is None else then)
    before = there & (hours > first) & (hours < at) & (True if earlier is None else earlier)
    has, is_had = np.zeros_like(after), np.zeros_like(before)
    for late in range(24, 24 * DAYS + 1, 24):
        has[:, late:] |= before[:, :-late]
    after &= has
    for late in range(24, 24 * DAYS + 1, 24):
        is_had[:, :-late] |= after[:, late:]
    return after, before & is_had


def _judge(name: str, seen: _Seen, split: _Split, limit: float) -> Jump | None:
    before, after = seen.tally(name, split.before), seen.tally(name, split.after)
    others_before, others_after = seen.tally(name, split.others_before), seen.tally(name, split.others_after)
    if not before.hours or not after.hours:
        return None
    # Of each time by itself, so that what has changed between them is no part of it; the larger, so that one burst since, of a kind never
    # seen before, is one thing and not twenty.
    dispersion = max(seen.dispersion(name, mask) for mask in (split.past | split.others_before, split.after))
    told = _Table(before, after, others_before, others_after, dispersion)
    p = min(1.0, 2.0 * min(told.p_unlike_the_others(), told.p_beyond_a_feast()))
    if p >= limit:
        return None
    return Jump(
        type=name,
        before=before,
        after=after,
        others_before=others_before,
        others_after=others_after,
        dispersion=round(dispersion, 3),
        p=p,
        limit=limit,
    )


@dataclass(frozen=True, slots=True)
class _Table:
    """Events of one type, before and after, here and elsewhere."""

    before: Tally
    after: Tally
    others_before: Tally
    others_after: Tally
    dispersion: float

    def p_unlike_the_others(self) -> float:
        """Two-sided, that the rate here has changed as the others' has; 1 where it differs by less than would matter."""
        if not self.others_after.hours or not self.others_before.hours:
            return 1.0
        ratio = self._change(self.before, self.after) / self._change(self.others_before, self.others_after)
        if 1 / LEAST_RATIO < ratio < LEAST_RATIO:
            return 1.0
        # Scipy's distributions take a second to import, and most hubs have no rollout.
        from scipy.stats import nchypergeom_fisher

        here = self._count(self.before), self._count(self.after)
        there = self._count(self.others_before), self._count(self.others_after)
        odds = (self.after.hours / self.before.hours) / (self.others_after.hours / self.others_before.hours)
        # Of all events, so many were here; how many of those after would be?
        told = nchypergeom_fisher(sum(here) + sum(there), sum(here), here[1] + there[1], odds)
        return float(2.0 * min(told.sf(here[1] - 1), told.cdf(here[1])))

    def p_beyond_a_feast(self) -> float:
        """Two-sided, that it differs by no more than a feast can from what it was here, and, if others have any, from theirs now.

        This sees what the table cannot: of a type that was hardly ever seen before, it does not know what the city did.
        """
        p = self._p_beyond(self.before, self.after)
        elsewhere = self.others_before.events + self.others_after.events
        return max(p, self._p_beyond(self.others_after, self.after)) if elsewhere else p

    def _p_beyond(self, one: Tally, other: Tally) -> float:
        from scipy.stats import binom

        first, second = self._count(one), self._count(other)
        more = other.hours * MOST_OF_A_CITY / (one.hours + other.hours * MOST_OF_A_CITY)
        fewer = other.hours / (one.hours * MOST_OF_A_CITY + other.hours)
        return float(2.0 * min(binom.sf(second - 1, first + second, more), binom.cdf(second, first + second, fewer)))

    def _count(self, tally: Tally) -> int:
        return round(tally.events / self.dispersion)

    def _change(self, before: Tally, after: Tally) -> float:
        """How many times what it was; half an event more of each, so that none is a number too."""
        return (after.events + 0.5) / after.hours / ((before.events + 0.5) / before.hours)

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

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from parvis_contract import Closed

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
    split = _split(list(hours), taken_us, ring)
    types = {name for hour in split.all() for name in hour.events}
    limit = FALSE_HALTS / (max(1, len(types)) * LOOKS * max(1, rings))
    found = [jump for name in sorted(types) if (jump := _judge(name, split, limit)) is not None]
    return min(found, key=lambda jump: (jump.p, jump.type), default=None)


@dataclass(frozen=True, slots=True)
class _Split:
    """The hours that are compared; `past` are all of the days before at the units that are watched, by which days differ."""

    past: list[UnitHour]
    before: list[UnitHour]
    after: list[UnitHour]
    others_before: list[UnitHour]
    others_after: list[UnitHour]

    def all(self) -> list[UnitHour]:
        return [*self.past, *self.after, *self.others_before, *self.others_after]


def _split(hours: list[UnitHour], taken_us: Mapping[str, int], ring: Collection[str]) -> _Split:
    known = {(hour.unit, hour.hour): hour for hour in hours if hour.seen_s > 0}
    # The hour in which it was taken is of neither.
    since = {unit: at_us // HOUR_US for unit, at_us in taken_us.items()}
    watched = {unit: (0, since[unit]) for unit in ring if unit in since}
    begun = min((at for _, at in watched.values()), default=0)
    after, past = _compared(known, watched)
    without = {unit: (0, begun) for unit, _ in known if unit not in since}
    earlier = {unit: (at, begun) for unit, at in since.items() if at < begun}
    for others in (without, earlier):
        others_after, others_before = _compared(known, others, {hour.hour for hour in after})
        if others_before:
            # Both over the same time: what the city did before, too, is no difference between them.
            after, before = _compared(known, watched, {hour.hour for hour in others_after}, {hour.hour for hour in others_before})
            return _Split(past, before, after, others_before, others_after)
    return _Split(past, past, after, [], [])


def _compared(
    known: Mapping[tuple[str, int], UnitHour],
    spans: Mapping[str, tuple[int, int]],
    then: Collection[int] | None = None,
    earlier: Collection[int] | None = None,
) -> tuple[list[UnitHour], list[UnitHour]]:
    """Hours after something, and the same ones of the days before; those that have none are left out.

    Args:
        known: All hours.
        spans: Of units: after which hour what is before begins, and which hour lies between before and after.
        then: Hours that may be after; None for all.
        earlier: Hours that may be before; None for all.
    """
    after, before = [], {}
    for unit, hour in known:
        first, at = spans.get(unit, (0, hour))
        if hour <= at or (then is not None and hour not in then):
            continue
        days = [hour - 24 * day for day in range(1, DAYS + 1)]
        same = [(unit, each) for each in days if first < each < at and (unit, each) in known and (earlier is None or each in earlier)]
        if same:
            after.append(known[unit, hour])
            before.update({key: known[key] for key in same})
    return after, list(before.values())


def _judge(name: str, split: _Split, limit: float) -> Jump | None:
    before, after = _tally(split.before, name), _tally(split.after, name)
    others_before, others_after = _tally(split.others_before, name), _tally(split.others_after, name)
    if not before.hours or not after.hours:
        return None
    # Of each time by itself, so that what has changed between them is no part of it; the larger, so that one burst since, of a kind never
    # seen before, is one thing and not twenty.
    dispersion = max(_dispersion(hours, name) for hours in ([*split.past, *split.others_before], split.after))
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


def _tally(hours: Iterable[UnitHour], name: str) -> Tally:
    events, seen_s = 0, 0.0
    for hour in hours:
        events += hour.events.get(name, 0)
        seen_s += hour.seen_s
    return Tally(events=events, hours=seen_s / 3600)


def _dispersion(hours: list[UnitHour], name: str) -> float:
    """How many times more counts vary than Poisson's: from hour to hour, or, if more, from day to day; 1 at least.

    That a rate follows the day makes the first larger, and the test more careful.
    """
    units: dict[str, list[UnitHour]] = {}
    for hour in hours:
        units.setdefault(hour.unit, []).append(hour)
    return max(1.0, *(_pearson(units.values(), name, hours_long) for hours_long in (1, 24)))


def _pearson(units: Iterable[list[UnitHour]], name: str, hours_long: int) -> float:
    """Pearson's statistic by its degrees of freedom, each unit with its own rate, of counts over so many hours."""
    pearson, freedom = 0.0, 0
    for mine in units:
        cells: dict[int, tuple[int, float]] = {}
        for hour in mine:
            events, seen_s = cells.get(hour.hour // hours_long, (0, 0.0))
            cells[hour.hour // hours_long] = events + hour.events.get(name, 0), seen_s + hour.seen_s
        rate_s = sum(events for events, _ in cells.values()) / sum(seen_s for _, seen_s in cells.values())
        if rate_s:
            pearson += sum((events - rate_s * seen_s) ** 2 / (rate_s * seen_s) for events, seen_s in cells.values())
            freedom += len(cells) - 1
    return pearson / freedom if freedom else 1.0

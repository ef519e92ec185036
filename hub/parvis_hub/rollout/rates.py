"""Whether units that took something report more, or fewer, events than before: a test of two Poisson rates. Pure.

A rate is compared with the same unit's own in the same hours of the days before, and with what happened meanwhile at units that have not
taken anything: a feast or a storm raises both. Given their sum, one of two Poisson counts is binomial (Przyborowski and Wilenski,
"Homogeneity of results in testing samples from Poisson series", Biometrika 31, 1940), which makes the test exact.

Events come in clumps, so that counts vary more than Poisson's: they are divided by how much more, which is the quasi-likelihood way
(Wedderburn 1974; McCullagh and Nelder, "Generalized Linear Models", 1989, 9.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from parvis_contract import Closed

#: Of all rollouts in which nothing has changed, so many may be halted by this test, at most; each of its comparisons has its part of it.
FALSE_HALTS = 0.01
#: A change by less is no reason to halt, however sure it is: a better model finds more, too.
LEAST_RATIO = 2.0
#: Once no unit is without it, nothing tells the release from the city, whose feast days double what happens.
LEAST_RATIO_ALONE = 3.0
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
        before, after: At the units that took something.
        others_before, others_after: At those that did not, in the same hours.
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


def find_jump(hours: Iterable[UnitHour], taken_us: Mapping[str, int], rings: int) -> Jump | None:
    """The rate that has jumped most surely; None if none has.

    Args:
        hours: Of all units of the site, of the last week and since.
        taken_us: When units took something, microseconds since 1970.
        rings: Of the rollout: how often in all it will be looked.
    """
    split = _split(list(hours), taken_us)
    types = {name for hour in split.all() for name in hour.events}
    limit = FALSE_HALTS / (max(1, len(types)) * LOOKS * max(1, rings))
    found = [jump for name in sorted(types) if (jump := _judge(name, split, limit)) is not None]
    return min(found, key=lambda jump: (jump.p, jump.type), default=None)


@dataclass(slots=True)
class _Split:
    """The hours that are compared."""

    before: list[UnitHour]
    after: list[UnitHour]
    others_before: list[UnitHour]
    others_after: list[UnitHour]

    def all(self) -> list[UnitHour]:
        return [*self.before, *self.after, *self.others_before, *self.others_after]


def _split(hours: list[UnitHour], taken_us: Mapping[str, int]) -> _Split:
    known = {(hour.unit, hour.hour): hour for hour in hours if hour.seen_s > 0}
    # The hour in which it was taken is of neither.
    since = {unit: at_us // HOUR_US for unit, at_us in taken_us.items()}
    first = min(since.values(), default=0)
    after, before = _compared(known, [key for key in known if key[0] in since and key[1] > since[key[0]]], since)
    times = {hour.hour for hour in after}
    others = [key for key in known if key[0] not in since and key[1] in times]
    others_after, others_before = _compared(known, others, dict.fromkeys({unit for unit, _ in others}, first))
    return _Split(before, after, others_before, others_after)


def _compared(
    known: Mapping[tuple[str, int], UnitHour], keys: list[tuple[str, int]], since: Mapping[str, int]
) -> tuple[list[UnitHour], list[UnitHour]]:
    """These hours, and the same ones of the days before; those that have none are left out."""
    after, before = [], {}
    for unit, hour in keys:
        same = [(unit, hour - 24 * day) for day in range(1, DAYS + 1) if hour - 24 * day < since[unit] and (unit, hour - 24 * day) in known]
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
    dispersion = max(_dispersion(hours, name) for hours in ([*split.before, *split.others_before], split.after))
    p = _p(before, after, before.hours, after.hours, dispersion)
    ratio, least = _ratio(before, after), LEAST_RATIO if others_after.hours else LEAST_RATIO_ALONE
    if others_before.hours and others_after.hours and others_before.events and others_after.events:
        # Meanwhile the others' rate has changed by this; whatever is no more than that is the city's doing.
        city = others_after.rate_per_h / others_before.rate_per_h
        p = max(p, _p(before, after, before.hours, after.hours * city, dispersion))
        ratio = min((ratio, ratio / city), key=lambda each: max(each, 1 / each) if each else float("inf"))
    if p >= limit or 1 / least < ratio < least:
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


def _tally(hours: Iterable[UnitHour], name: str) -> Tally:
    events, seen_s = 0, 0.0
    for hour in hours:
        events += hour.events.get(name, 0)
        seen_s += hour.seen_s
    return Tally(events=events, hours=seen_s / 3600)


def _ratio(before: Tally, after: Tally) -> float:
    if before.events:
        return after.rate_per_h / before.rate_per_h
    return float("inf") if after.events else 1.0


def _p(before: Tally, after: Tally, before_h: float, after_h: float, dispersion: float) -> float:
    """Two-sided, of the later count given the sum of both."""
    # Scipy's distributions take a second to import, and most hubs have no rollout.
    from scipy.stats import binom

    earlier, later = round(before.events / dispersion), round(after.events / dispersion)
    share = after_h / (before_h + after_h)
    more, fewer = binom.sf(later - 1, earlier + later, share), binom.cdf(later, earlier + later, share)
    return float(min(1.0, 2.0 * min(more, fewer)))


def _dispersion(hours: list[UnitHour], name: str) -> float:
    """Pearson's statistic by its degrees of freedom, each unit with its own rate; 1 at least.

    That a rate follows the day makes it larger, and the test more careful.
    """
    units: dict[str, list[UnitHour]] = {}
    for hour in hours:
        units.setdefault(hour.unit, []).append(hour)
    pearson, freedom = 0.0, 0
    for mine in units.values():
        rate_s = sum(hour.events.get(name, 0) for hour in mine) / sum(hour.seen_s for hour in mine)
        if rate_s:
            pearson += sum((hour.events.get(name, 0) - rate_s * hour.seen_s) ** 2 / (rate_s * hour.seen_s) for hour in mine)
            freedom += len(mine) - 1
    return max(1.0, pearson / freedom) if freedom > 0 else 1.0

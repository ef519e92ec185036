"""Groups what reports say by the thing that each is of, so that together they are worth most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations
from math import inf
from typing import Protocol, TypeVar

from .report import Order, Report


class Seen(Protocol):
    """What one report says."""

    @property
    def unit(self) -> str:
        """Whose it is."""
        ...

    @property
    def order(self) -> Order:
        """Where it stands among all."""
        ...


_View = TypeVar("_View", bound=Seen)


class Model(Protocol[_View]):
    """What reports of a type are worth as one thing."""

    def view_of(self, report: Report) -> _View:
        """What a report says."""
        ...

    def may(self, one: _View, other: _View) -> bool:
        """Whether two may be of one thing at all."""
        ...

    def worth(self, views: Sequence[_View]) -> float:
        """How much better one thing explains some, in order, than as many things do, as a logarithm; 0 for one."""
        ...

    def joins(self, before: Sequence[_View], view: _View) -> float:
        """How much more some are worth with one that began after them."""
        ...


#: So many are looked at from all sides; more are taken one after the other, each to whom it fits best.
_JOINTLY = 32


def partition(views: Sequence[_View], model: Model[_View]) -> list[list[int]]:
    """Groups views by the thing that each is of: joins the two groups that gain most by it, until none gains; then moves single ones.

    Args:
        views: In order.
        model: What they are worth together.

    Returns:
        Indices into ``views``, each in one group; in order.
    """
    if len(views) > _JOINTLY:
        return _in_order(views, model)
    apart = {pair for pair in combinations(range(len(views)), 2) if not model.may(views[pair[0]], views[pair[1]])}

    @cache
    def worth(group: tuple[int, ...]) -> float:
        if len(group) < 2:
            return 0.0
        if any(pair in apart for pair in combinations(group, 2)):
            return -inf
        return model.worth([views[index] for index in group])

    groups: list[tuple[int, ...]] = [(index,) for index in range(len(views))]
    while len(groups) > 1:
        gain, first, second = max(
            (worth(_join(one, other)) - worth(one) - worth(other), -i, -j) for (i, one), (j, other) in combinations(enumerate(groups), 2)
        )
        if gain <= 0.0:
            break
        joined = _join(groups[-first], groups[-second])
        groups = [group for k, group in enumerate(groups) if k not in (-first, -second)]
        groups = sorted([*groups, joined])
    if 1 < len(groups) < len(views):
        for _ in range(len(views)):
            better = max(_moves(groups, views), key=lambda move: sum(map(worth, move)), default=groups)
            if sum(map(worth, better)) <= sum(map(worth, groups)) + 1e-9:
                break
            groups = better
    return [list(group) for group in groups]


def _in_order(views: Sequence[_View], model: Model[_View]) -> list[list[int]]:
    groups: list[list[int]] = []
    for index, view in enumerate(views):
        best, chosen = 0.0, None
        for group in groups:
            members = [views[each] for each in group]
            if all(model.may(member, view) for member in members) and (gain := model.joins(members, view)) > best:
                best, chosen = gain, group
        if chosen is None:
            groups.append([index])
        else:
            chosen.append(index)
    return groups


def _moves(groups: list[tuple[int, ...]], views: Sequence[Seen]) -> Iterator[list[tuple[int, ...]]]:
    """What comes of moving one view to another group or out of its own, or of two of one unit changing places."""
    of = {index: k for k, group in enumerate(groups) for index in group}
    for index, home in of.items():
        rest = tuple(other for other in groups[home] if other != index)
        if rest:
            yield sorted([*(group for k, group in enumerate(groups) if k != home), rest, (index,)])
        for k, group in enumerate(groups):
            if k != home:
                others = [other for n, other in enumerate(groups) if n not in (home, k)]
                yield sorted([*others, *([rest] if rest else []), _join(group, (index,))])
    for one, other in combinations(sorted(of), 2):
        if of[one] != of[other] and views[one].unit == views[other].unit:
            here = tuple(each for each in groups[of[one]] if each != one)
            there = tuple(each for each in groups[of[other]] if each != other)
            others = [group for n, group in enumerate(groups) if n not in (of[one], of[other])]
            yield sorted([*others, _join(here, (other,)), _join(there, (one,))])


def _join(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(one + other))

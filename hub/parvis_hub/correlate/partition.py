"""Groups what reports say by the thing that each is of, so that together they are worth most."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from heapq import heapify, heappop, heappush
from math import inf
from typing import NamedTuple

#: Numbers of views, in order; views are numbered in order of when they began.
Group = tuple[int, ...]
#: With which others each view is linked.
Links = Sequence[Collection[int]]
#: What the views of a group are worth as one thing; 0 for one and for none, minus infinity where they cannot be.
Worth = Callable[[Group], float]
#: What a view, all of its group, and all of each group with which it is linked say.
Around = tuple[Group, ...]
#: A gain of less than this is of rounding.
_NOTHING = 1e-9


def jointly(units: Sequence[str], links: Links, worth: Worth, said: Sequence[int], content: set[Around]) -> list[Group]:
    """Groups views by the thing that each is of: joins the two groups that gain most by it, until none gains; then moves single ones.

    Only groups of which two views are linked may become one.

    Args:
        units: Whose each view is.
        links: With which others each is linked.
        worth: What views are worth as one thing.
        said: What each view says, by a number that is another where anything else is said.
        content: Where views gain nothing by moving, as far as that is known from earlier calls; more is added.

    Returns:
        Groups, in order; each view is in one.
    """
    groups = _joined(links, worth)
    return sorted((_Moving(units, links, worth, groups, said, content).settled() if 1 < len(groups) < len(links) else groups).values())


def _joined(links: Links, worth: Worth) -> dict[int, Group]:
    """Groups by their first view: the two that gain most are joined, until none gains; of those that gain as much, the first ones."""
    groups: dict[int, Group] = {index: (index,) for index in range(len(links))}
    near = [set(linked) for linked in links]
    gains = [
        (-gain, first, second, groups[first], groups[second])
        for first, linked in enumerate(links)
        for second in linked
        if first < second and (gain := worth((first, second))) > 0.0
    ]
    heapify(gains)
    while gains:
        _, first, second, one, other = heappop(gains)
        if groups.get(first) is not one or groups.get(second) is not other:
            continue
        groups[first] = _join(one, other)
        del groups[second]
        near[first] = (near[first] | near[second]) - {first, second}
        for third in near[first]:
            near[third].discard(second)
            near[third].add(first)
            before, after = min(first, third), max(first, third)
            one, other = groups[before], groups[after]
            gain = worth(_join(one, other)) - worth(one) - worth(other)
            if gain > 0.0:
                heappush(gains, (-gain, before, after, one, other))
    return groups


class _Move(NamedTuple):
    """What would be gained if some groups became others."""

    gain: float
    gone: tuple[Group, ...] = ()
    come: tuple[Group, ...] = ()


_STAY = _Move(-inf)


class _Moving:
    """Moves one view to another group or out of its own, or has two of one unit change places, as long as that gains something."""

    def __init__(  # noqa: PLR0917
        self, units: Sequence[str], links: Links, worth: Worth, groups: dict[int, Group], said: Sequence[int], content: set[Around]
    ) -> None:
        """Args: as of :func:`jointly`; and where to begin."""
        self._units, self._links, self._worth, self._groups, self._said, self._content = units, links, worth, groups, said, content
        self._of = {index: first for first, group in groups.items() for index in group}
        self._sayings = {group: self._saying(group) for group in groups.values()}

    def _saying(self, group: Group) -> Group:
        return tuple([self._said[index] for index in group])

    def settled(self) -> dict[int, Group]:
        """The groups when no move gains any more."""
        groups, of, links = self._groups, self._of, self._links
        best = {index: self._best(index) for index in of}
        for _ in links:
            # Of moves that gain as much, that of the first view.
            move = max((best[index] for index in range(len(links))), key=_gain)
            if move.gain <= _NOTHING:
                break
            for group in move.gone:
                del groups[group[0]]
            changed = set[int]()
            for group in move.come:
                groups[group[0]] = group
                self._sayings[group] = self._saying(group)
                of |= dict.fromkeys(group, group[0])
                changed.update(group, *(links[index] for index in group))
            best |= {index: self._best(index) for index in changed}
        return groups

    def _best(self, index: int) -> _Move:
        """The move of a view that gains most."""
        groups, worth, units, of = self._groups, self._worth, self._units, self._of
        home = groups[of[index]]
        targets = [groups[first] for first in sorted({of[other] for other in self._links[index]} - {of[index]})]
        around = ((self._said[index],), self._sayings[home], *[self._sayings[target] for target in targets])
        if around in self._content:
            return _STAY
        rest = _less(home, index)
        lost = worth(rest) - worth(home)
        moves = [_Move(lost, (home,), (rest, (index,)))] if rest else []
        for target in targets:
            joined, here = _join(target, (index,)), worth(target)
            moves.append(_Move(lost + worth(joined) - here, (home, target), (rest, joined) if rest else (joined,)))
            for other in target:
                if index < other and units[index] == units[other]:
                    gone, come = _join(rest, (other,)), _join(_less(target, other), (index,))
                    moves.append(_Move(worth(gone) + worth(come) - worth(home) - here, (home, target), (gone, come)))
        best = max(moves, key=_gain, default=_STAY)
        if best.gain <= _NOTHING:
            self._content.add(around)
        return best


def in_order(links: Links, joins: Callable[[Group, int], float], known: Sequence[int] = ()) -> tuple[list[Group], list[int]]:
    """Groups views one after the other, each to whom it fits best of those before it that it is linked with.

    Args:
        links: With which others each is linked.
        joins: How much more views are worth with one that began after them; minus infinity where it cannot be of one thing with them.
        known: The choices of the first so many, which are as they were.

    Returns:
        Groups, in order, each view in one; and the choices: the first view of each one's group.
    """
    groups: dict[int, list[int]] = {}
    chosen = list(known)
    for index, first in enumerate(known):
        groups.setdefault(first, []).append(index)
    for index in range(len(known), len(links)):
        best, at = 0.0, index
        for first in sorted({chosen[other] for other in links[index] if other < index}):
            gain = joins(tuple(groups[first]), index)
            if gain > best:
                best, at = gain, first
        chosen.append(at)
        groups.setdefault(at, []).append(index)
    return [tuple(group) for group in groups.values()], chosen


def _gain(move: _Move) -> float:
    return move.gain


def _join(one: Group, other: Group) -> Group:
    return tuple(sorted(one + other))


def _less(group: Group, index: int) -> Group:
    return tuple([each for each in group if each != index])

"""Finds the reports near a place and time without looking at the rest of the city."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from math import inf

import numpy as np
from scipy.spatial import KDTree

from .report import Order, Place, Report

#: East and north, in squares; and whether of those that have ended.
Cell = tuple[int, int, bool]
_THIRD = 3


class Neighbourhood:
    """Reports by square of the map, in each square by when they began.

    The squares are as wide as the type reaches, so that all that can be near lies in a square or its eight neighbours. What goes on
    may be joined for long, and what has ended not: each stands by itself, so that one need not be looked for among many of the other.
    """

    def __init__(self, reach_m: float) -> None:
        self._reach_m = reach_m
        self._cells: dict[Cell, list[Report]] = {}
        #: For each square, the longest time from a report's beginning to when nothing can join it any more.
        self._longest_us: dict[Cell, int] = {}

    def _cell(self, place: Place, report: Report) -> Cell:
        return int(place.east_m // self._reach_m), int(place.north_m // self._reach_m), report.ended

    def cells_of(self, report: Report) -> frozenset[Cell]:
        """The squares that a report stands in: where it began, and where it was last; others once it has ended."""
        return frozenset((self._cell(report.anchor, report), self._cell(report.last, report)))

    def around(self, cells: frozenset[Cell]) -> list[Cell]:
        """These squares and their neighbours, of those that hold anything."""
        held = self._cells
        return [cell for cell in _with_neighbours(cells) if cell in held]

    def add(self, report: Report) -> frozenset[Cell]:
        """Puts a report where it stands; returns its squares, for :meth:`remove`."""
        cells = self.cells_of(report)
        for cell in cells:
            insort(self._cells.setdefault(cell, []), report, key=_order)
            self._longest_us[cell] = max(self._longest_us.get(cell, 0), report.joinable_us - report.order[0])
        return cells

    def prolong(self, report: Report, cells: frozenset[Cell]) -> None:
        """Takes note that a report, which stands in these squares, can be joined for longer than was thought."""
        for cell in cells:
            self._longest_us[cell] = max(self._longest_us[cell], report.joinable_us - report.order[0])

    def remove(self, report: Report, cells: frozenset[Cell]) -> None:
        """Takes a report out of the squares that it was put into. Its order must be what it was then."""
        for cell in cells:
            entries = self._cells[cell]
            del entries[bisect_left(entries, report.order, key=_order)]
            if not entries:
                del self._cells[cell]
                del self._longest_us[cell]

    def before(self, report: Report) -> Iterable[Report]:
        """The reports near, begun before this one, that it may still be of the same thing as."""
        found: dict[Report, None] = {}
        began_us = report.order[0]
        for cell in self.around(self.cells_of(report)):
            entries = self._cells[cell]
            if entries[-1].order[0] < began_us - self._longest_us[cell]:
                continue
            since = bisect_left(entries, began_us - self._longest_us[cell], key=_time_us)
            until = bisect_left(entries, report.order, key=_order)
            for other in entries[since:until]:
                if other.joinable_us >= began_us:
                    found[other] = None
        return found

    def after(self, order: Order, cells: frozenset[Cell], until_us: int) -> Iterator[Report]:
        """The reports in or beside these squares that come after this order, and began by a time."""
        for cell in self.around(cells):
            entries = self._cells[cell]
            # Mostly none has begun since: what is told was told as it happened.
            if entries[-1].order > order:
                since = bisect_right(entries, order, key=_order)
                until = bisect_right(entries, until_us, key=_time_us)
                yield from entries[since:until]


class Spacing:
    """How far from a unit the next ones are: to the third nearest, so that two on one pole do not count as a street full."""

    def __init__(self, places_m: Mapping[str, tuple[float, float]]) -> None:
        """Args: the places of a site's units, by name."""
        self._next_m: dict[str, float] = {}
        if len(places_m) > _THIRD:
            places = np.array([*places_m.values()])
            # The nearest of all is the unit itself.
            distances_m, _ = KDTree(places).query(places, k=[_THIRD + 1])
            self._next_m = dict(zip(places_m, distances_m[:, 0].tolist(), strict=True))

    def __call__(self, unit: str) -> float:
        """In metres; infinite for one that is not of the site or has not three others."""
        return self._next_m.get(unit, inf)


@lru_cache(maxsize=4096)
def _with_neighbours(cells: frozenset[Cell]) -> tuple[Cell, ...]:
    return tuple({(x + dx, y + dy, ended) for x, y, _ in cells for dx in (-1, 0, 1) for dy in (-1, 0, 1) for ended in (False, True)})


def _order(report: Report) -> Order:
    return report.order


def _time_us(report: Report) -> int:
    return report.order[0]

"""The reports of a type that stays where it is, linked where two of them would be worth something as one thing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf

from .episodes import Clusters
from .physics import PHYSICS
from .report import Report
from .sameness import Sameness, View, partition, view_of

#: An episode of more than this is cut: so many reports of one place and time are more than a street has units.
_MOST = 40


class Standing(Clusters):
    """The reports of one type that stays, and of one identity where the type has one."""

    def __init__(self, type: str, places_m: Mapping[str, tuple[float, float]]) -> None:
        """Args: the type; and where the site's units are, by name."""
        super().__init__(PHYSICS[type].reach_m, _MOST)
        self._places_m = places_m
        self._sameness = Sameness(PHYSICS[type])
        self._until_s = 3.0 * PHYSICS[type].together_s
        self._views: dict[Report, View] = {}
        self._links: dict[Report, dict[Report, None]] = {}
        #: For each that goes on, when it will have been seen after the next end of one near it.
        self._outlives_s: dict[Report, float] = {}

    def put(self, report: Report) -> None:
        """Adds a report."""
        super().put(report)
        self._views[report] = view_of(report, self._places_m)
        self._links[report] = {}
        self._link(report)

    def prolong(self, report: Report, since_us: int) -> None:
        """Takes note that a report says more of what it was, or ends at another time than was thought."""
        before = self._views[report]
        self.refresh(report)
        now = self._views[report] = view_of(report, self._places_m)
        cells = self._placed[report]
        if self._near.cells_of(report) != cells:
            super().prolong(report, since_us)
        else:
            self._near.prolong(report, cells)
        same = (before.east_m, before.north_m, before.variance_m2, before.ended_s) == (
            now.east_m,
            now.north_m,
            now.variance_m2,
            now.ended_s,
        )
        over_us = round(min(before.over_s, now.over_s) * 1e6)
        if not same or now.seen_s >= self._outlives_s[report] or any(self._near.after((over_us, ""), cells, report.joinable_us)):
            self._link(report)

    def _drop(self, report: Report) -> None:
        super()._drop(report)
        del self._views[report], self._outlives_s[report]
        for other in self._links.pop(report):
            del self._links[other][report]

    def _link(self, report: Report) -> None:
        """Links a report, as it is now, with those near it, and has what comes of it decided."""
        view, sameness = self._views[report], self._sameness
        links: dict[Report, None] = {}
        self._outlives_s[report] = inf
        for other in (*self._near.before(report), *self._near.after(report.order, self._placed[report], report.joinable_us)):
            there = self._views[other]
            if not sameness.may(view, there):
                continue
            self._outlives(report, view, there)
            self._outlives(other, there, view)
            if sameness.worth((view, there) if view.order < there.order else (there, view)) > 0.0:
                links[other] = None
        self._unsettled[report] = None
        for other in self._links[report].keys() - links.keys():
            del self._links[other][report]
            self._unsettled[other] = None
        for other in links:
            self._links[other][report] = None
        self._links[report] = links

    def _outlives(self, report: Report, view: View, other: View) -> None:
        if view.ended_s is None and other.ended_s is not None and view.seen_s <= other.ended_s + self._until_s:
            self._outlives_s[report] = min(self._outlives_s[report], other.ended_s + self._until_s)

    def _linked(self, report: Report, known: set[Report]) -> Iterable[Report]:
        return [other for other in self._links[report] if other not in known]

    def _groups(self, part: list[Report]) -> list[list[Report]]:
        if len(part) == 2:  # linked, and so worth something together
            return [part]
        return [[part[index] for index in group] for group in partition([self._views[each] for each in part], self._sameness)]

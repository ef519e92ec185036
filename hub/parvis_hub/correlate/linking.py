"""Reports linked where two of them would be worth something as one thing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from .episodes import Clusters
from .neighbourhood import Cell
from .partition import Model, Seen, partition
from .report import Report

#: An episode of more than this is cut: a siren that drives through a city is heard by so many.
_MOST = 240
_View = TypeVar("_View", bound=Seen)


class Linking(Clusters, Generic[_View]):
    """The reports of one type, and of one identity where the type has one, by the links between them."""

    def __init__(self, reach_m: float, model: Model[_View]) -> None:
        """Args: how far apart linked reports are at most; and what they are worth together."""
        super().__init__(reach_m, _MOST)
        self._model = model
        self._views: dict[Report, _View] = {}
        self._links: dict[Report, dict[Report, None]] = {}

    def put(self, report: Report) -> None:
        """Adds a report."""
        super().put(report)
        self._views[report] = self._model.view_of(report)
        self._links[report] = {}
        self._link(report, self._all_near(report))

    def _look_again(self, report: Report, since_us: int) -> tuple[_View, _View, frozenset[Cell]]:
        """What a report said before, what it says now, and where it was looked for until now."""
        before, cells = self._views[report], self._placed[report]
        now = self._views[report] = self._model.view_of(report)
        if self._near.cells_of(report) != cells:
            super().prolong(report, since_us)
        else:
            self._near.prolong(report, cells)
            self.refresh(report)
        return before, now, cells

    def _drop(self, report: Report) -> None:
        super()._drop(report)
        del self._views[report]
        for other in self._links.pop(report):
            del self._links[other][report]

    def _all_near(self, report: Report) -> set[Report]:
        """All that a report may be linked with."""
        return {*self._near.before(report), *self._near.after(report.order, self._placed[report], report.joinable_us)}

    def _link(self, report: Report, others: Iterable[Report]) -> None:
        """Links a report, as it is now, with those of some others that it is of one thing with, and has what comes of it decided."""
        links = self._links[report]
        self._unsettled |= dict.fromkeys((report, *links))
        for other in others:
            if self._are_linked(report, other):
                links[other] = self._links[other][report] = None
            elif other in links:
                del links[other], self._links[other][report]

    def _are_linked(self, report: Report, other: Report) -> bool:
        first, second = (report, other) if report.order < other.order else (other, report)
        views = self._views[first], self._views[second]
        return second.order[0] <= first.joinable_us and self._model.may(*views) and self._model.worth(views) > 0.0

    def _linked(self, report: Report, known: set[Report]) -> Iterable[Report]:
        return [other for other in self._links[report] if other not in known]

    def _groups(self, part: list[Report]) -> list[list[Report]]:
        if len(part) == 2:  # linked, and so worth something together
            return [part]
        return [[part[index] for index in group] for group in partition([self._views[each] for each in part], self._model)]

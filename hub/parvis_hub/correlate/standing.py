"""The reports of a type that stays where it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .linking import Linking
from .physics import Physics
from .report import Report
from .sameness import Sameness, View


class Standing(Linking[View]):
    """The reports of one type that stays, and of one identity where the type has one."""

    #: It is of one thing with what is around, and not with all that was ever before it.
    _few_links = 16

    def __init__(self, physics: Physics, places_m: Mapping[str, tuple[float, float]]) -> None:
        """Args: the type's physics; and where the site's units are, by name."""
        sameness = Sameness(physics, places_m)
        super().__init__(physics.reach_m, sameness)
        self._until_s = 3.0 * physics.together_s
        self._by_place = sameness.by_place
        #: For each that goes on, when it will have been seen after the end of others near it.
        self._outlives_s: dict[Report, dict[Report, float]] = {}

    def put(self, report: Report) -> None:
        """Adds a report."""
        self._outlives_s[report] = {}
        super().put(report)

    def prolong(self, report: Report, since_us: int) -> None:
        """Takes note that a report says more of what it was, or ends at another time than was thought."""
        before, now, cells = self._look_again(report, since_us)
        moved = (before.east_m, before.north_m, before.variance_m2) != (now.east_m, now.north_m, now.variance_m2)
        over_us = round(min(before.over_s, now.over_s) * 1e6)
        outlives_s = self._outlives_s[report]
        if moved or before.ended_s != now.ended_s or any(self._near.after((over_us, ""), cells, max(over_us, report.joinable_us))):
            outlives_s.clear()
            self._unlinked[report] = None
        elif outlived := [other for other, until_s in outlives_s.items() if now.seen_s >= until_s and other in self._views]:
            for other in outlived:
                del outlives_s[other]
            self._link(report, outlived)

    def _all_near(self, report: Report) -> set[Report]:
        # Most of what is near enough for its type is elsewhere all the same; most of that is seen by how far east it is.
        view, views, may = self._views[report], self._views, self._model.may
        near: Iterable[Report] = super()._all_near(report)
        if self._by_place:
            east_m, reach_m = view.east_m, view.reach_m
            near = [other for other in near if abs((seen := views[other]).east_m - east_m) <= reach_m + seen.reach_m]
        return {other for other in near if may(view, views[other])}

    def _drop(self, report: Report) -> None:
        super()._drop(report)
        del self._outlives_s[report]

    def _are_linked(self, report: Report, other: Report) -> bool:
        self._outlives(report, other)
        self._outlives(other, report)
        return super()._are_linked(report, other)

    def _outlives(self, report: Report, other: Report) -> None:
        view, ended_s = self._views[report], self._views[other].ended_s
        if view.ended_s is None and ended_s is not None and view.seen_s <= ended_s + self._until_s:
            self._outlives_s[report][other] = ended_s + self._until_s

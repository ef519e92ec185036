"""The reports of a type that moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .following import STRAIGHT_US, Following, Stretch
from .linking import Linking
from .physics import PHYSICS
from .report import Report


class Moving(Linking[Stretch]):
    """The reports of one type that moves, and of one identity where the type has one."""

    def __init__(self, type: str, places_m: Mapping[str, tuple[float, float]], spacing_m: Callable[[str], float]) -> None:
        """Args: the type; where the site's units are, by name; and how far from one the next ones are."""
        super().__init__(PHYSICS[type].reach_m, Following(PHYSICS[type], places_m, spacing_m))

    def prolong(self, report: Report, since_us: int) -> None:
        """Takes note that a report says more of what it was, or ends at another time than was thought."""
        before, now, cells = self._look_again(report, since_us)
        cells |= self._placed[report]
        # Who began before that far back follows what has not changed.
        since_us = min(since_us, round(before.seen_s * 1e6), round(min(before.over_s, now.over_s) * 1e6)) - STRAIGHT_US
        others = {*self._near.after(max(report.order, (since_us, "")), cells, report.joinable_us)}
        others |= {other for other in self._links[report] if other.order >= max(report.order, (since_us, ""))}
        if before.first != now.first:
            others |= self._all_near(report) | self._links[report].keys()
        if others:
            self._link(report, others)

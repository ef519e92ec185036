"""The reports of a type that moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from .following import Following, Stretch
from .linking import Linking, Model, Seen
from .neighbourhood import Cell
from .overhearing import Heard, Overhearing
from .physics import Physics
from .report import Report

_View = TypeVar("_View", bound=Seen)


class _Going(Linking[_View]):
    """Reports of which each follows those before it."""

    def __init__(self, physics: Physics, model: Model[_View]) -> None:
        """Args: the type's physics; and what its reports are worth together."""
        super().__init__(physics.reach_m, model)
        #: When the last of all reports began.
        self._newest_us = 0

    def put(self, report: Report) -> None:
        """Adds a report."""
        self._newest_us = max(self._newest_us, report.order[0])
        super().put(report)

    def _ask_since(self, report: Report, cells: frozenset[Cell], changed_us: int) -> None:
        """Asks those again that began after the time from which on a report says something else."""
        if report in self._unlinked:
            return
        self._say(report)
        since = max(report.order, (changed_us, ""))
        others = {*self._near.after(since, cells | self._placed[report], report.joinable_us)}
        others |= {other for other in self._links[report] if other.order >= since}
        if others:
            self._link(report, others)
        elif self._newest_us > changed_us and self._links[report]:
            # One that began since may follow it by way of others.
            self._unsettled[report] = None


class Passing(_Going[Heard]):
    """The reports of one type that drives by and is heard, and of one identity."""

    def __init__(self, physics: Physics, spacing_m: Callable[[str], float]) -> None:
        """Args: the type's physics; and how far from a unit the next ones are."""
        super().__init__(physics, Overhearing(physics, spacing_m))

    def prolong(self, report: Report, since_us: int) -> None:
        """Takes note that a report says more of what it was, or ends at another time than was thought."""
        before, now, cells = self._look_again(report, since_us)
        self._ask_since(report, cells, round(min(before.seen_s, now.seen_s, before.over_s, now.over_s) * 1e6))


class Moving(_Going[Stretch]):
    """The reports of one type that moves, and of one identity where the type has one."""

    def __init__(self, physics: Physics, places_m: Mapping[str, tuple[float, float]], spacing_m: Callable[[str], float]) -> None:
        """Args: the type's physics; where the site's units are, by name; and how far from one the next ones are."""
        super().__init__(physics, Following(physics, places_m, spacing_m))

    def prolong(self, report: Report, since_us: int) -> None:
        """Takes note that a report says more of what it was, or ends at another time than was thought."""
        before, now, cells = self._look_again(report, since_us)
        if before.sightings != now.sightings:
            self._unlinked[report] = None
        else:
            self._ask_since(report, cells, round(min(before.over_s, now.over_s) * 1e6))

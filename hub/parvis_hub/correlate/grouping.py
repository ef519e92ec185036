"""Which reports are of one moving thing: decided one by one in order of when they began, and decided again where an earlier one changes.

The decision for a report depends on the earlier ones near it and on nothing else. So the outcome depends on the set of reports
alone, not on the order of arrival; and a message that comes late costs a new decision for the few reports after it and near it.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .likeness import Likeness
from .neighbourhood import Cell, Neighbourhood
from .physics import MAX_EVENTS, PHYSICS
from .report import Order, Report


class Cluster:
    """Reports of one thing.

    Attributes:
        founder: The one that began first; the incident bears its name.
        reports: All, in order.
        by_unit: The same, by unit.
    """

    __slots__ = ("by_unit", "founder", "reports")

    def __init__(self, founder: Report) -> None:
        self.founder = founder
        self.reports: list[Report] = []
        self.by_unit: dict[str, list[Report]] = {}

    def before(self, order: Order) -> int:
        """How many stand before an order."""
        return bisect_left(self.reports, order, key=_order)

    def add(self, report: Report) -> None:
        """Puts a report where it stands."""
        insort(self.reports, report, key=_order)
        self.by_unit.setdefault(report.unit, []).append(report)

    def remove(self, report: Report) -> None:
        """Takes a report out."""
        self.reports.remove(report)
        of_unit = self.by_unit[report.unit]
        of_unit.remove(report)
        if not of_unit:
            del self.by_unit[report.unit]


@dataclass(frozen=True, slots=True)
class _Placed:
    """How a report stands in the decisions of others.

    Attributes:
        cells: On the map.
        joinable_us: Until when another may begin and be of the same thing.
    """

    cells: frozenset[Cell]
    joinable_us: int


class Grouping:
    """The reports of one type, and of one identity where the type has one.

    Attributes:
        changed: Clusters that have gained, lost or refreshed a report since this was last emptied.
    """

    def __init__(self, type: str, spacing_m: Callable[[str], float]) -> None:
        """Args: the type; and how far from a unit the next ones are, by its name."""
        self._score = Likeness(PHYSICS[type], spacing_m)
        self._near = Neighbourhood(PHYSICS[type].reach_m)
        self._placed: dict[Report, _Placed] = {}
        self.changed: dict[Cluster, None] = {}

    def __len__(self) -> int:
        return len(self._placed)

    def put(self, report: Report) -> None:
        """Adds a report."""
        self._place(report)
        # Those after it follow: a new report joins or founds a cluster, and whom that concerns is decided again.
        self._decide_again([report])

    def prolong(self, report: Report, since_us: int) -> None:
        """Takes note that a report says more of what it was, or ends at another time than was thought.

        Args:
            report: As it is now. When it began must not have changed.
            since_us: What it said of before this time has not changed.
        """
        self.changed[report.cluster] = None
        placed = self._placed[report]
        cells, joinable_us = placed.cells, report.joinable_us
        if self._near.cells_of(report) == cells:
            # It stays where it stands: whom it influences, now or before, has begun by the later of its two ends.
            self._near.prolong(report, cells)
            if joinable_us > placed.joinable_us:
                placed = self._placed[report] = _Placed(cells, joinable_us)
            again = self._influenced(report, since_us)
            if joinable_us < placed.joinable_us:
                self._placed[report] = _Placed(cells, joinable_us)
        else:
            again = self._influenced(report, since_us)
            self._near.remove(report, cells)
            self._place(report)
            again += self._influenced(report, since_us)
        if again:
            self._decide_again(again)

    def settle(self) -> None:
        """Nothing: each report is decided when it comes."""

    def refresh(self, report: Report) -> None:
        """Takes note that a report says something new that no decision depends on."""
        self.changed[report.cluster] = None

    def remove(self, report: Report) -> None:
        """Forgets a report as if it had never been."""
        again = self._influenced(report)
        self._detach(report)
        self._near.remove(report, self._placed.pop(report).cells)
        self._decide_again(again)

    def forget(self, cluster: Cluster) -> None:
        """Lets go of a cluster that nothing can join any more, without deciding anything again."""
        for report in cluster.reports:
            self._near.remove(report, self._placed.pop(report).cells)
        self.changed.pop(cluster, None)

    def _place(self, report: Report) -> None:
        self._placed[report] = _Placed(self._near.add(report), report.joinable_us)

    def _detach(self, report: Report) -> None:
        cluster: Cluster = report.cluster
        cluster.remove(report)
        report.cluster = None
        self.changed[cluster] = None

    def _influenced(self, report: Report, since_us: int = 0) -> list[Report]:
        """The later reports, begun since a time, whose decision may depend on this one: near it, or near another of its cluster."""
        placed = self._placed[report]
        after = max(report.order, (since_us, ""))
        cells, until_us = placed.cells, placed.joinable_us
        later: list[Report] = []
        members: list[Report] = [report]
        if report.cluster is not None and len(report.cluster.reports) > 1:
            of_cluster: Cluster = report.cluster
            members = of_cluster.reports
            if members[-1].order >= after:
                later += members[of_cluster.before(after) :]
            for member in members:
                other = self._placed[member]
                if other.cells is not cells and not other.cells <= cells:
                    cells |= other.cells
                until_us = max(until_us, other.joinable_us)
        if after[0] <= until_us:
            later += self._near.after(after, cells, until_us)
        return [other for other in later if other is not report]

    def _decide_again(self, reports: Iterable[Report]) -> None:
        waiting = {report.order: report for report in reports}
        queue = list(waiting)
        heapq.heapify(queue)
        while queue:
            order = heapq.heappop(queue)
            report = waiting.pop(order)
            old: Cluster | None = report.cluster
            new = self._decide(report)
            if new is old:
                self.changed[new] = None
                continue
            later: list[Report] = []
            if old is not None:
                later += self._influenced(report)
                self._detach(report)
            new.add(report)
            report.cluster = new
            self.changed[new] = None
            later += self._influenced(report)
            for other in later:
                if other.order > order and other.order not in waiting:
                    waiting[other.order] = other
                    heapq.heappush(queue, other.order)

    def _decide(self, report: Report) -> Cluster:
        """The cluster that a report belongs to, given the earlier reports and where they belong."""
        candidates: dict[Cluster, list[Report]] = {}
        for other in self._near.before(report):
            if other.cluster is not None:
                candidates.setdefault(other.cluster, []).append(other)
        best: tuple[float, Order] | None = None
        chosen: Cluster | None = None
        for cluster, near in candidates.items():
            near.sort(key=_order)
            score = self._score(cluster, near, report)
            if score is None or cluster.before(report.order) >= MAX_EVENTS:
                continue
            rank = (-score, cluster.reports[0].order)
            if best is None or rank < best:
                best, chosen = rank, cluster
        if chosen is not None:
            return chosen
        old: Cluster | None = report.cluster
        return old if old is not None and old.founder is report else Cluster(report)


def _order(report: Report) -> Order:
    return report.order

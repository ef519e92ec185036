"""Which reports are of one thing: decided one by one in order of when they began, and decided again where an earlier one changes.

The decision for a report depends on the earlier ones near it and on nothing else. So the outcome depends on the set of reports
alone, not on the order of arrival; and a message that comes late costs a new decision for the few reports after it and near it.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from math import hypot

from .neighbourhood import Cell, Neighbourhood
from .physics import ARRIVAL_SIGMAS, AUDIBLE_M, MAX_EVENTS, PHYSICS, log_likelihood_ratio
from .report import Order, Place, Report


class Cluster:
    """Reports of one thing.

    Attributes:
        founder: The one that began first; the incident bears its name.
        reports: All, in order.
    """

    __slots__ = ("founder", "reports")

    def __init__(self, founder: Report) -> None:
        self.founder = founder
        self.reports: list[Report] = []

    def before(self, order: Order) -> Sequence[Report]:
        """Those that stand before an order."""
        return self.reports[: bisect_left(self.reports, order, key=_order)]

    def add(self, report: Report) -> None:
        """Puts a report where it stands."""
        insort(self.reports, report, key=_order)

    def remove(self, report: Report) -> None:
        """Takes a report out."""
        self.reports.remove(report)


class Grouping:
    """The reports of one type, and of one identity where the type has one.

    Attributes:
        changed: Clusters that have gained, lost or refreshed a report since this was last emptied.
    """

    def __init__(self, type: str, sound_m_s: float) -> None:
        self._physics = PHYSICS[type]
        self._score = _Impulses(sound_m_s) if type == "sound.impulse" else _Things(type)
        self._near = Neighbourhood(AUDIBLE_M if type == "sound.impulse" else self._physics.reach_m)
        #: Of each report, where it stands and until when it can be joined, as the others' decisions have it.
        self._placed: dict[Report, tuple[Order, frozenset[Cell], int]] = {}
        self.changed: dict[Cluster, None] = {}

    def __len__(self) -> int:
        return len(self._placed)

    def put(self, report: Report) -> None:
        """Adds a report, or takes note that one has changed."""
        again: list[Report] = [report]
        placed = self._placed.get(report)
        if placed is not None:
            again += self._influenced(report)
            if placed[0] != report.order:
                self._detach(report)
            self._near.remove(report, *placed[:2])
        self._placed[report] = report.order, self._near.add(report), report.joinable_us
        again += self._influenced(report)
        self._decide_again(again)

    def refresh(self, report: Report) -> None:
        """Takes note that a report says something new that no decision depends on."""
        self.changed[report.cluster] = None

    def remove(self, report: Report) -> None:
        """Forgets a report as if it had never been."""
        order, cells, _ = self._placed[report]
        again = [other for other in self._influenced(report) if other is not report]
        self._detach(report)
        self._near.remove(report, order, cells)
        del self._placed[report]
        self._decide_again(again)

    def forget(self, cluster: Cluster) -> None:
        """Lets go of a cluster that nothing can join any more, without deciding anything again."""
        for report in cluster.reports:
            self._near.remove(report, *self._placed.pop(report)[:2])
        self.changed.pop(cluster, None)

    def _detach(self, report: Report) -> None:
        cluster: Cluster = report.cluster
        cluster.remove(report)
        report.cluster = None
        self.changed[cluster] = None

    def _influenced(self, report: Report) -> list[Report]:
        """The later reports whose decision may depend on this one: those near it, or near another of its cluster."""
        order, cells, until_us = self._placed[report]
        later: list[Report] = []
        if report.cluster is not None:
            for member in report.cluster.reports:
                if member.order > order:
                    later.append(member)
                cells |= self._placed[member][1]
                until_us = max(until_us, self._placed[member][2])
        later += self._near.after(order, cells, until_us)
        return later

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
        candidates: dict[Cluster, None] = {}
        for other in self._near.before(report):
            if other.cluster is not None:
                candidates[other.cluster] = None
        best: tuple[float, Order] | None = None
        chosen: Cluster | None = None
        for cluster in candidates:
            earlier = cluster.before(report.order)
            if not earlier or len(earlier) >= MAX_EVENTS:
                continue
            score = self._score(earlier, report)
            if score is None:
                continue
            rank = (-score, earlier[0].order)
            if best is None or rank < best:
                best, chosen = rank, cluster
        if chosen is not None:
            return chosen
        old: Cluster | None = report.cluster
        return old if old is not None and old.founder is report else Cluster(report)


class _Things:
    """Scores things that are somewhere: the log likelihood ratio of one thing against two, or None where it is two."""

    def __init__(self, type: str) -> None:
        self._physics = PHYSICS[type]
        self._one_per_unit = self._physics.identity != "unit"

    def __call__(self, earlier: Sequence[Report], report: Report) -> float | None:
        if not self._one_per_unit:
            return 0.0
        began_us = report.anchor.time_us
        alive = [other for other in earlier if other.joinable_us >= began_us]
        # A unit that reports two things at once has told them apart.
        if not alive or any(other.unit == report.unit and other.until_us > began_us for other in alive):
            return None
        if self._physics.speed_m_s:
            score = max(self._ratio(_nearest(other, began_us), other.extent_m, report) for other in alive)
        else:
            score = self._ratio(_fused(earlier), max(other.extent_m for other in earlier), report)
        return score if score >= 0.0 else None

    def _ratio(self, place: Place, extent_m: float, report: Report) -> float:
        there = report.anchor
        moved_m = self._physics.speed_m_s * abs(there.time_us - place.time_us) / 1e6
        variance_m2 = place.sigma_m**2 + there.sigma_m**2 + max(extent_m, report.extent_m) ** 2 + moved_m**2
        distance_m = hypot(there.east_m - place.east_m, there.north_m - place.north_m)
        return log_likelihood_ratio(distance_m, variance_m2, self._physics.rarity_per_m2)


class _Impulses:
    """Scores arrivals of one sound: between any two units no later than the sound needs from one to the other."""

    def __init__(self, sound_m_s: float) -> None:
        self._sound_m_s = sound_m_s

    def __call__(self, earlier: Sequence[Report], report: Report) -> float | None:
        for other in earlier:
            if other.unit == report.unit:
                return None
            distance_m = hypot(report.anchor.east_m - other.anchor.east_m, report.anchor.north_m - other.anchor.north_m)
            if distance_m > AUDIBLE_M:
                return None
            allowed_s = distance_m / self._sound_m_s + ARRIVAL_SIGMAS * hypot(report.sigma_us, other.sigma_us) / 1e6
            if (report.anchor.time_us - other.anchor.time_us) / 1e6 > allowed_s:
                return None
        # Of two sounds that a unit has not heard yet, the earlier reaches it first.
        return -earlier[0].anchor.time_us / 1e6


def _order(report: Report) -> Order:
    return report.order


def _nearest(report: Report, time_us: int) -> Place:
    """Where a report saw its thing nearest to a time."""
    return min(report.anchor, report.last, key=lambda place: (abs(place.time_us - time_us), place.time_us))


def _fused(reports: Sequence[Report]) -> Place:
    """The anchors' mean, each weighted by the inverse of its variance."""
    if len(reports) == 1:
        return reports[0].anchor
    weights = [1.0 / max(each.anchor.sigma_m, 0.1) ** 2 for each in reports]
    total = sum(weights)
    east_m = sum(weight * each.anchor.east_m for weight, each in zip(weights, reports, strict=True)) / total
    north_m = sum(weight * each.anchor.north_m for weight, each in zip(weights, reports, strict=True)) / total
    return Place(reports[0].anchor.time_us, east_m, north_m, total**-0.5)

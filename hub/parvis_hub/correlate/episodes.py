"""Reports that are grouped together: decided at once for all that may have to do with one another, and again when one of them changes.

Reports that may be of one thing are linked, and those linked make an episode. An episode's grouping depends on its reports alone, and so
not on the order of their arrival; and one more report costs the decision of its own episode, whatever happens elsewhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from itertools import pairwise

from .cluster import Cluster
from .neighbourhood import Cell, Neighbourhood
from .report import Order, Report


class Episodes(ABC):
    """Reports by the episode that they are of."""

    def __init__(self, reach_m: float, most: int) -> None:
        """Args: how far apart linked reports are at most; and how large an episode may be, beyond which it is cut at its silences."""
        self._near = Neighbourhood(reach_m)
        self._placed: dict[Report, frozenset[Cell]] = {}
        self._unsettled: dict[Report, None] = {}
        self._most = most
        #: Of each part of an episode that was decided, by its first report: all its reports.
        self._parts: dict[Report, list[Report]] = {}

    def __len__(self) -> int:
        return len(self._placed)

    @abstractmethod
    def _linked(self, report: Report, known: set[Report]) -> Iterable[Report]:
        """The reports linked with this one, of those not known."""

    @abstractmethod
    def _decide(self, part: list[Report]) -> None:
        """Decides what is of one thing among the reports of an episode, in order."""

    def put(self, report: Report) -> None:
        """Adds a report."""
        self._placed[report] = self._near.add(report)
        self._unsettled[report] = None

    def prolong(self, report: Report, since_us: int) -> None:
        """Takes note that a report says more of what it was, or ends at another time than was thought.

        Args:
            report: As it is now. When it began must not have changed.
            since_us: What it said of before this time has not changed.
        """
        del since_us
        self._near.remove(report, self._placed[report])
        self._placed[report] = self._near.add(report)
        self._unsettled[report] = None

    def remove(self, report: Report) -> None:
        """Forgets a report as if it had never been."""
        self._unsettled |= dict.fromkeys(self._linked(report, set()))
        self._drop(report)

    def forget(self, cluster: Cluster) -> None:
        """Lets go of a cluster that nothing can join any more, without deciding anything again."""
        for report in cluster.reports:
            self._drop(report)

    def _drop(self, report: Report) -> None:
        self._near.remove(report, self._placed.pop(report))
        self._unsettled.pop(report, None)
        self._parts.pop(report, None)

    def settle(self) -> None:
        """Decides what has come since this was last called, with all that it has to do with."""
        seen: set[Report] = set()
        for report in self._unsettled:
            if report in seen:
                continue
            episode = self._episode(report)
            seen.update(episode)
            for part in _parts(sorted(episode, key=_order), self._most):
                if self._parts.get(part[0]) != part or any(each in self._unsettled for each in part):
                    for each in part:
                        self._parts.pop(each, None)
                    self._parts[part[0]] = part
                    self._decide(part)
        self._unsettled.clear()

    def _episode(self, report: Report) -> set[Report]:
        found, queue = {report}, [report]
        while queue:
            linked = self._linked(queue.pop(), found)
            found.update(linked)
            queue += linked
        return found


class Clusters(Episodes):
    """The reports of one type, and of one identity where the type has one, by the thing that they are of.

    Attributes:
        changed: Clusters that have gained, lost or refreshed a report since this was last emptied; up to date after :meth:`settle`.
    """

    def __init__(self, reach_m: float, most: int) -> None:
        """Args: as of :class:`Episodes`."""
        super().__init__(reach_m, most)
        self.changed: dict[Cluster, None] = {}

    @abstractmethod
    def _groups(self, part: list[Report]) -> list[list[Report]]:
        """Reports of an episode, in order, by the thing that each is of; in order."""

    def refresh(self, report: Report) -> None:
        """Takes note that a report says something new that no decision depends on."""
        if report.cluster is not None:
            self.changed[report.cluster] = None

    def prolong(self, report: Report, since_us: int) -> None:
        """Takes note that a report says more of what it was, or ends at another time than was thought."""
        super().prolong(report, since_us)
        self.refresh(report)

    def remove(self, report: Report) -> None:
        """Forgets a report as if it had never been."""
        super().remove(report)
        if report.cluster is not None:
            self._detach(report)

    def forget(self, cluster: Cluster) -> None:
        """Lets go of a cluster that nothing can join any more, without deciding anything again."""
        super().forget(cluster)
        self.changed.pop(cluster, None)

    def _decide(self, part: list[Report]) -> None:
        for group in self._groups(part) if len(part) > 1 else [part]:
            founder = group[0]
            old: Cluster | None = founder.cluster
            new = old if old is not None and old.founder is founder else Cluster(founder)
            if new.reports == group:
                # What each says anew has been noted where it was said.
                continue
            wanted = set(group)
            for report in [each for each in new.reports if each not in wanted]:
                self._detach(report)
            for report in group:
                if report.cluster is new:
                    continue
                if report.cluster is not None:
                    self._detach(report)
                new.add(report)
                report.cluster = new
            self.changed[new] = None

    def _detach(self, report: Report) -> None:
        cluster: Cluster = report.cluster
        cluster.remove(report)
        report.cluster = None
        self.changed[cluster] = None


def _order(report: Report) -> Order:
    return report.order


def _parts(episode: list[Report], most: int) -> list[list[Report]]:
    """An episode in parts of no more than so many, cut at the longest silences; the first of those that are as long."""
    silence_us = [0, *(after.order[0] - before.order[0] for before, after in pairwise(episode))]
    done: list[tuple[int, int]] = []
    waiting = [(0, len(episode))]
    while waiting:
        since, until = waiting.pop()
        if until - since <= most:
            done.append((since, until))
            continue
        cut = max(range(since + 1, until), key=silence_us.__getitem__)
        waiting += [(since, cut), (cut, until)]
    return [episode[since:until] for since, until in sorted(done)]

"""Which impulses were one sound: decided together for all that may have to do with one another, and again when one of them changes.

Impulses that lie no farther apart in time than sound needs from one to the other, and what an echo or a wrong clock may add, have to
do with one another; those linked so make an episode. An episode's grouping depends on its reports alone, and so not on the order of
their arrival; and one more report costs the decision of its own episode, whatever happens elsewhere.
"""

from __future__ import annotations

from math import hypot

from .explaining import Heard, explain
from .grouping import Cluster
from .neighbourhood import Cell, Neighbourhood
from .physics import AUDIBLE_M
from .report import Order, Report

#: Beyond the sound's travel, how much later one arrival may be than another and be of the same sound: an echo, a clock that is wrong.
_SLACK_S = 0.6
#: A clock that is less sure than this says nothing of which impulses were one.
_MOST_SIGMA_S = 3.0
#: An episode of more than this is cut in two at its longest silence, until no part is longer.
_MOST = 240


class Impulses:
    """The impulses of a site.

    Attributes:
        changed: Clusters that have gained, lost or refreshed a report since this was last emptied; up to date after :meth:`settle`.
    """

    def __init__(self, sound_m_s: float) -> None:
        self._sound_m_s = sound_m_s
        self._near = Neighbourhood(AUDIBLE_M)
        self._placed: dict[Report, frozenset[Cell]] = {}
        self._unsettled: dict[Report, None] = {}
        #: Of each part of an episode that was decided, by its first report: all its reports.
        self._parts: dict[Report, list[Report]] = {}
        self.changed: dict[Cluster, None] = {}

    def __len__(self) -> int:
        return len(self._placed)

    def put(self, report: Report) -> None:
        """Adds a report."""
        self._placed[report] = self._near.add(report)
        self._unsettled[report] = None

    def prolong(self, report: Report, since_us: int) -> None:
        """Takes note that a report says another end, which an impulse has not: it is decided again with all near it."""
        del since_us
        self._near.remove(report, self._placed[report])
        self.put(report)
        self.changed[report.cluster] = None

    def refresh(self, report: Report) -> None:
        """Takes note that a report says something new that no decision depends on."""
        if report.cluster is not None:
            self.changed[report.cluster] = None

    def remove(self, report: Report) -> None:
        """Forgets a report as if it had never been."""
        self._unsettled |= dict.fromkeys(self._linked(report, set()))
        self._near.remove(report, self._placed.pop(report))
        self._unsettled.pop(report, None)
        self._parts.pop(report, None)
        if report.cluster is not None:
            self._detach(report)

    def forget(self, cluster: Cluster) -> None:
        """Lets go of a cluster that nothing can join any more, without deciding anything again."""
        for report in cluster.reports:
            self._near.remove(report, self._placed.pop(report))
            self._unsettled.pop(report, None)
            self._parts.pop(report, None)
        self.changed.pop(cluster, None)

    def settle(self) -> None:
        """Decides what has come since this was last called, with all that it has to do with."""
        seen: set[Report] = set()
        for report in self._unsettled:
            if report in seen:
                continue
            episode = self._episode(report)
            seen.update(episode)
            for part in _parts(sorted(episode, key=_order)):
                if self._parts.get(part[0]) != part or any(each in self._unsettled for each in part):
                    self._decide(part)
        self._unsettled.clear()

    def _linked(self, report: Report, known: set[Report]) -> list[Report]:
        """The reports that may be of one sound with this one, of those not known."""
        reach_us = int((AUDIBLE_M / self._sound_m_s + _SLACK_S + 3.0 * _MOST_SIGMA_S) * 1e6)
        here, found = report.anchor, []
        for other in self._near.after((here.time_us - reach_us, ""), self._placed[report], here.time_us + reach_us):
            if other in known or other is report:
                continue
            there = other.anchor
            distance_m = hypot(here.east_m - there.east_m, here.north_m - there.north_m)
            slack_s = _SLACK_S + 3.0 * min(hypot(report.sigma_us, other.sigma_us) / 1e6, _MOST_SIGMA_S)
            if distance_m <= AUDIBLE_M and abs(here.time_us - there.time_us) / 1e6 <= distance_m / self._sound_m_s + slack_s:
                found.append(other)
        return found

    def _episode(self, report: Report) -> set[Report]:
        found, queue = {report}, [report]
        while queue:
            linked = self._linked(queue.pop(), found)
            found.update(linked)
            queue += linked
        return found

    def _decide(self, part: list[Report]) -> None:
        for report in part:
            self._parts.pop(report, None)
        self._parts[part[0]] = part
        start_us = part[0].order[0]
        heard = [
            Heard(
                each.unit,
                each.anchor.east_m,
                each.anchor.north_m,
                (each.anchor.time_us - start_us) / 1e6,
                each.sigma_us / 1e6,
                each.free,
            )
            for each in part
        ]
        groups = [[part[index] for index in group] for group in explain(heard, self._sound_m_s)]
        for group in groups:
            founder = group[0]
            old: Cluster | None = founder.cluster
            new = old if old is not None and old.founder is founder else Cluster(founder)
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


def _parts(episode: list[Report]) -> list[list[Report]]:
    """An episode in parts of no more than so many, cut at the longest silences; the first of those that are as long."""
    done: list[list[Report]] = []
    waiting = [episode]
    while waiting:
        part = waiting.pop()
        if len(part) <= _MOST:
            done.append(part)
            continue
        cut = max(range(1, len(part)), key=lambda index: (part[index].order[0] - part[index - 1].order[0], -index))
        waiting += [part[:cut], part[cut:]]
    return sorted(done, key=lambda part: part[0].order)

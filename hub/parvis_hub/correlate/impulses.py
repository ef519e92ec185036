"""Which impulses were one sound: no farther apart in time than sound, an echo or a wrong clock puts them, they make an episode."""

from __future__ import annotations

from collections.abc import Iterable

from .clocks import HOUR_US, MOST, MOST_OFF_S, MOST_SIGMA_S, SLACK_S, Clocks, heard, linked, whole_hours_us
from .cluster import Cluster
from .episodes import Clusters
from .explaining import explain
from .physics import AUDIBLE_M
from .report import Report


class Impulses(Clusters):
    """The impulses of a site, by clocks as far as they are known.

    Attributes:
        off_s: What each report's clock was taken to be off by, in seconds, where that is known.
    """

    def __init__(self, sound_m_s: float) -> None:
        super().__init__(AUDIBLE_M, MOST)
        self._sound_m_s = sound_m_s
        self._clocks = Clocks(sound_m_s)
        self.off_s: dict[Report, float] = {}

    def put(self, report: Report) -> None:
        """Adds a report."""
        super().put(report)
        self._clocks.put(report)

    def prolong(self, report: Report, since_us: int) -> None:
        """Takes note that a report says another end, which an impulse has not: it is decided again with all near it."""
        super().prolong(report, since_us)
        self._clocks.prolong(report, since_us)

    def remove(self, report: Report) -> None:
        """Forgets a report as if it had never been."""
        super().remove(report)
        self._clocks.remove(report)

    def keep_from(self, before_us: int) -> int:
        """From when on to keep what is needed, if nothing comes from before a time.

        What is learned of an hour rests on all of it; what is near its beginning, on the hour before too.
        """
        return whole_hours_us(before_us) - HOUR_US

    def wrong_clocks(self) -> dict[str, float]:
        """Whose clock is off by more than it says, in seconds by unit: what was learned since this was last asked."""
        found, self._clocks.wrong = self._clocks.wrong, {}
        return found

    def _drop(self, report: Report) -> None:
        super()._drop(report)
        self.off_s.pop(report, None)

    def forget(self, cluster: Cluster) -> None:
        """Lets go of a cluster that nothing can join any more, without deciding anything again."""
        super().forget(cluster)
        self._clocks.forget(cluster)

    def settle(self) -> None:
        """Decides what has come since this was last called, with all that it has to do with."""
        for report in self._clocks.learn():
            if report in self._placed:
                self._unsettled |= dict.fromkeys(self._linked(report, set()))
                self._unsettled[report] = None
                off_s = self._clocks.off_s(report)
                if off_s is None:
                    self.off_s.pop(report, None)
                else:
                    self.off_s[report] = off_s
        super().settle()

    def _linked(self, report: Report, known: set[Report]) -> Iterable[Report]:
        off_s = self.off_s
        most_s = 2.0 * MOST_OFF_S if off_s else 0.0
        reach_us = int((AUDIBLE_M / self._sound_m_s + SLACK_S + 3.0 * MOST_SIGMA_S + most_s) * 1e6)
        time_us, own_s = report.anchor.time_us, off_s.get(report, 0.0)
        near = self._near.after((time_us - reach_us, ""), self._placed[report], time_us + reach_us)
        return [
            other
            for other in near
            if other not in known and other is not report and linked(report, own_s, other, off_s.get(other, 0.0), self._sound_m_s)
        ]

    def _groups(self, part: list[Report]) -> list[list[Report]]:
        first = self._clocks.explained.get(part[0])
        if first is not None and first[0] == part and not any(report in self.off_s for report in part):
            explained = first[1]
        else:
            start_us = part[0].order[0]
            explained = explain([heard(each, start_us, self.off_s.get(each)) for each in part], self._sound_m_s)
        return [[part[index] for index in each.members] for each in explained]

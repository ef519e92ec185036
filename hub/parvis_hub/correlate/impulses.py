"""Which impulses were one sound, by clocks as far as they are known."""

from __future__ import annotations

from .clocks import HOUR_US, Clocks, heard, whole_hours_us
from .cluster import Cluster
from .earshot import Earshot
from .episodes import Clusters
from .explaining import explain
from .report import Report


class Impulses(Earshot, Clusters):
    """The impulses of a site, by clocks as far as they are known.

    Attributes:
        off_s: What each report's clock was taken to be off by, in seconds, where that is known.
    """

    def __init__(self, sound_m_s: float) -> None:
        super().__init__(sound_m_s)
        self._clocks = Clocks(sound_m_s)

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

    def forget(self, cluster: Cluster) -> None:
        """Lets go of a cluster that nothing can join any more, without deciding anything again."""
        super().forget(cluster)
        self._clocks.forget(cluster)

    def settle(self) -> None:
        """Decides what has come since this was last called, with all that it has to do with."""
        for report in self._clocks.learn():
            off_s = self._clocks.known_s(report)
            if report in self._placed and off_s != self.off_s.get(report):
                self._take_off(report, off_s)
                self.refresh(report)
        super().settle()

    def _groups(self, part: list[Report]) -> list[list[Report]]:
        first = self._clocks.explained.get(part[0])
        if first is not None and first[0] == part and not any(report in self.off_s for report in part):
            explained = first[1]
        else:
            start_us = part[0].order[0]
            explained = explain([heard(each, start_us, self.off_s.get(each)) for each in part], self._sound_m_s)
        return [[part[index] for index in each.members] for each in explained]

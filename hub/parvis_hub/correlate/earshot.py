"""Impulses that may have to do with one another: no farther apart in time than sound, an echo or a wrong clock puts them."""

from __future__ import annotations

from collections.abc import Iterable
from math import hypot

from .episodes import Episodes
from .physics import AUDIBLE_M
from .report import Report

#: Beyond the sound's travel, how much later one arrival may be than another and be of the same sound: an echo, a clock that is wrong.
_SLACK_S = 0.6
#: A clock that is less sure than this says nothing of which impulses were one.
_MOST_SIGMA_S = 3.0
#: A clock that is off by more than this is sought no farther, beyond what its unit says that it may be.
MOST_OFF_S = 10.0
#: An episode of more than this is cut in two at its longest silence, until no part is longer.
_MOST = 240


class Earshot(Episodes):
    """Impulses by the episode that they are of.

    Attributes:
        off_s: What each report's clock is taken to be off by, where that is known.
    """

    def __init__(self, sound_m_s: float) -> None:
        """Args: the speed of sound."""
        super().__init__(AUDIBLE_M, _MOST)
        self._sound_m_s = sound_m_s
        self.off_s: dict[Report, float] = {}
        #: The episode of each report, all of it, one list for all of its reports.
        self._whole: dict[Report, list[Report]] = {}
        #: Reports of which it is not known any more with which others they are linked.
        self._loose: dict[Report, None] = {}

    def put(self, report: Report) -> None:
        """Adds a report."""
        super().put(report)
        self._loosen([report])

    def _take_off(self, report: Report, off_s: float | None) -> None:
        """Takes a report's clock to be off by so much, or by what it says if that is None."""
        self._unsettled |= dict.fromkeys(self._whole[report])
        self._loosen(self._whole[report])
        if off_s is None:
            self.off_s.pop(report, None)
        else:
            self.off_s[report] = off_s

    def _drop(self, report: Report) -> None:
        super()._drop(report)
        self._loosen(self._whole[report])
        del self._whole[report], self._loose[report]
        self.off_s.pop(report, None)

    def _loosen(self, reports: list[Report]) -> None:
        self._loose |= dict.fromkeys(reports)
        self._whole |= {report: [report] for report in reports}

    def settle(self) -> None:
        """Decides what has come since this was last called, with all that it has to do with."""
        for report in self._loose:
            self._join(report)
        self._loose.clear()
        super().settle()

    def _join(self, report: Report) -> None:
        """Makes a report's episode one with those of all that it is linked with; of each of those, one link is enough."""
        whole, off_s, here, sound_m_us = self._whole, self.off_s, report.anchor, self._sound_m_s * 1e-6
        began_us = here.time_us - 1e6 * off_s.get(report, 0.0)
        reach_us = AUDIBLE_M / sound_m_us + (_SLACK_S + 3.0 * _MOST_SIGMA_S + (2.0 * MOST_OFF_S if off_s else 0.0)) * 1e6
        for other in self._near.after((here.time_us - int(reach_us), ""), self._placed[report], here.time_us + int(reach_us)):
            mine, others = whole[report], whole[other]
            if mine is others:
                continue
            there = other.anchor
            # No farther apart than sound on its way, an echo and what their clocks may be off by put them.
            apart_us = abs(there.time_us - 1e6 * off_s.get(other, 0.0) - began_us)
            apart_us -= _SLACK_S * 1e6 + 3.0 * min(hypot(report.sigma_us, other.sigma_us), _MOST_SIGMA_S * 1e6)
            if not apart_us * sound_m_us <= hypot(here.east_m - there.east_m, here.north_m - there.north_m) <= AUDIBLE_M:
                continue
            if len(mine) < len(others):
                mine, others = others, mine
            mine += others
            for each in others:
                whole[each] = mine

    def _linked(self, report: Report, known: set[Report]) -> Iterable[Report]:
        return [other for other in self._whole[report] if other not in known and other is not report]

    def _episode(self, report: Report) -> set[Report]:
        return set(self._whole[report])

"""Which impulses were one sound: no farther apart in time than sound, an echo or a wrong clock puts them, they make an episode."""

from __future__ import annotations

from collections.abc import Iterable
from math import hypot

from .episodes import Episodes
from .explaining import Heard, explain
from .physics import AUDIBLE_M
from .report import Report

#: Beyond the sound's travel, how much later one arrival may be than another and be of the same sound: an echo, a clock that is wrong.
_SLACK_S = 0.6
#: A clock that is less sure than this says nothing of which impulses were one.
_MOST_SIGMA_S = 3.0
#: An episode of more than this is cut in two at its longest silence, until no part is longer.
_MOST = 240


class Impulses(Episodes):
    """The impulses of a site."""

    def __init__(self, sound_m_s: float) -> None:
        super().__init__(AUDIBLE_M, _MOST)
        self._sound_m_s = sound_m_s

    def _linked(self, report: Report, known: set[Report]) -> Iterable[Report]:
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

    def _groups(self, part: list[Report]) -> list[list[Report]]:
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
        return [[part[index] for index in group] for group in explain(heard, self._sound_m_s)]

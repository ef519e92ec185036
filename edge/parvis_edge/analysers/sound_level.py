"""`sound.level`: noise over a zone's limit.

The limit is on the equivalent level of a period, so the period slides over the sound in steps of a second. What is not heard (before
the start, or in a gap) counts as silence: an event starts as soon as the sound heard alone is over the limit for the whole period, and
never on a guess. It ends when the level is back under the limit by a decibel, the tolerance of a class 1 sound level meter, so that a
level at the limit is one event.
"""

from __future__ import annotations

from collections import deque

from parvis_contract import Phase, SoundLevel
from parvis_contract.site import NoiseZone

from parvis_edge.hearing.ear import Heard
from parvis_edge.hearing.levels import LevelSlice, join, to_db
from parvis_edge.perception import Judgement

_STEP_S = 1.0
_MARGIN_DB = 1.0
#: The confidence of a measurement: the level is known to a decibel, so that the limit is surely passed a few decibels above it.
_SURE_DB = 3.0


class LevelAnalyser:
    """Watches one zone's limit.

    Args:
        name: Of the zone.
        zone: Its limit and period.
    """

    def __init__(self, name: str, zone: NoiseZone) -> None:
        self._name, self._zone = name, zone
        self._steps: deque[tuple[float, LevelSlice]] = deque()
        self._step: list[LevelSlice] = []
        self._step_begin_s: float | None = None
        self._open = False
        self._told_s = 0.0
        self._now_s = 0.0

    def judge(self, heard: Heard) -> list[Judgement]:
        """Takes what was heard next."""
        if heard.level is None or heard.level.duration_s <= 0.0:
            return []
        if self._step_begin_s is None:
            self._step_begin_s = heard.pressure.begin_s
        self._step.append(heard.level)
        self._now_s = heard.pressure.end_s
        if self._now_s - self._step_begin_s < _STEP_S - 1e-6:
            return []
        self._steps.append((self._now_s, join(self._step)))
        self._step, self._step_begin_s = [], None
        while self._steps[0][0] <= self._now_s - self._zone.period_s + 1e-6:
            self._steps.popleft()
        return self._decide()

    def finish(self) -> list[Judgement]:
        """Ends what is open: the sound is over."""
        return [self._tell(Phase.END)] if self._open else []

    def _decide(self) -> list[Judgement]:
        over_db = self._level_db() - self._zone.limit_db
        if not self._open and over_db > 0.0:
            self._open = True
            return [self._tell(Phase.START)]
        if self._open and over_db < -_MARGIN_DB:
            return [self._tell(Phase.END)]
        if self._open and self._now_s - self._told_s >= self._zone.period_s:
            return [self._tell(Phase.UPDATE)]
        return []

    def _level_db(self) -> float:
        return to_db(sum(level.exposure for _, level in self._steps) / self._zone.period_s)

    def _tell(self, phase: Phase) -> Judgement:
        self._told_s = self._now_s
        self._open = phase is not Phase.END
        every = join(level for _, level in self._steps)
        laeq_db = self._level_db()
        measure = SoundLevel(
            laeq_db=round(laeq_db, 1),
            lafmax_db=round(every.lafmax_db, 1),
            lcpeak_db=round(every.lcpeak_db, 1),
            period_s=self._zone.period_s,
            limit_db=self._zone.limit_db,
        )
        sure = min(1.0, 0.5 + 0.5 * abs(laeq_db - self._zone.limit_db) / _SURE_DB)
        return Judgement("sound.level", phase, self._name, self._now_s, sure, measure)

"""`unit.tampered`, cause silent: the microphone no longer hears.

A microphone in the open is never silent: on the quietest night its own noise is left. An unplugged or muted one gives a constant, or
less than the noise of the small microphones that units have: 10 dB re 20 µPa. A quiet street, 15 dB and more above, is not silence.
"""

from __future__ import annotations

from parvis_contract import Phase, TamperCause, UnitTampered

from parvis_edge.hearing.ear import Heard
from parvis_edge.hearing.levels import to_db
from parvis_edge.perception import Judgement

_OWN_NOISE_DB = 10.0
#: So long must it last: recordings and streams are filled up with zeros for seconds where nothing is wrong, a cut cable stays cut.
_AFTER_S = 10.0
#: So long must it be heard again.
_BACK_S = 1.0
_UPDATE_S = 600.0


class SilenceAnalyser:
    """Watches whether the microphone hears.

    Args:
        full_scale_db: Level of the pressure that a sample of 1 stands for, dB re 20 µPa.
    """

    def __init__(self, full_scale_db: float) -> None:
        self._scale = 10.0 ** (full_scale_db / 10.0)
        self._silent_since_s: float | None = None
        self._heard_since_s: float | None = None
        self._open = False
        self._told_s = 0.0
        self._now_s = 0.0

    def judge(self, heard: Heard) -> list[Judgement]:
        """Takes what was heard next."""
        pressure = heard.pressure
        if pressure.end_s <= pressure.begin_s:
            return []
        self._now_s = pressure.end_s
        if pressure.constant or to_db(self._scale * pressure.mean_square) < _OWN_NOISE_DB:
            self._heard_since_s = None
            if self._silent_since_s is None:
                self._silent_since_s = pressure.begin_s
        else:
            if self._heard_since_s is None:
                self._heard_since_s = pressure.begin_s
            if not self._open:
                self._silent_since_s = None
        return self._decide()

    def finish(self) -> list[Judgement]:
        """Ends what is open: the stream is over."""
        return self._end(self._now_s) if self._open else []

    def _decide(self) -> list[Judgement]:
        if self._open and self._heard_since_s is not None and self._now_s - self._heard_since_s >= _BACK_S - 1e-6:
            return self._end(self._heard_since_s)
        if not self._open and self._silent_since_s is not None and self._now_s - self._silent_since_s >= _AFTER_S - 1e-6:
            self._open, self._told_s = True, self._now_s
            return [self._tell(Phase.START, self._silent_since_s)]
        if self._open and self._now_s - self._told_s >= _UPDATE_S:
            self._told_s = self._now_s
            return [self._tell(Phase.UPDATE, self._now_s)]
        return []

    def _end(self, time_s: float) -> list[Judgement]:
        self._open, self._silent_since_s = False, None
        return [self._tell(Phase.END, time_s)]

    @staticmethod
    def _tell(phase: Phase, time_s: float) -> Judgement:
        return Judgement("unit.tampered", phase, TamperCause.SILENT, time_s, 1.0, UnitTampered(cause=TamperCause.SILENT))

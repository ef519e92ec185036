"""Two small senses that really sense: darkness in a picture and loudness in sound. They stand in where a model is not the matter."""

from __future__ import annotations

import threading

import numpy as np
from parvis_contract import ModelRef, Phase
from parvis_contract.measures import ImpulseClass, SoundImpulse, TamperCause, UnitTampered
from parvis_edge.perception import AudioBlock, Frame, Judgement


class Darkness:
    """Says `unit.tampered` (dark) while the mean grey is below 40, with an update at every dark frame after the first."""

    model = ModelRef(name="darkness", version="1.0.0")

    def __init__(self) -> None:
        self.analysed = 0
        self.inference_ms: float | None = None
        self._open = False
        self._last_s = 0.0

    def _said(self, phase: Phase) -> list[Judgement]:
        self._open = phase is not Phase.END
        return [Judgement("unit.tampered", phase, "dark", self._last_s, 0.9, UnitTampered(cause=TamperCause.DARK), model="darkness")]

    def process(self, item: Frame) -> list[Judgement]:
        self.analysed += 1
        self.inference_ms = 0.1
        self._last_s = item.time_s
        if float(item.image.mean()) < 40.0:
            return self._said(Phase.UPDATE if self._open else Phase.START)
        return self._said(Phase.END) if self._open else []

    def finish(self) -> list[Judgement]:
        return self._said(Phase.END) if self._open else []


class Hanging(Darkness):
    """Hangs at its fortieth picture: two seconds of a camera."""

    def process(self, item: Frame) -> list[Judgement]:
        if self.analysed == 40:
            threading.Event().wait()
        return super().process(item)


class Loudness:
    """Says `sound.impulse` for every block whose largest sample is above a half."""

    model = ModelRef(name="loudness", version="1.0.0")

    def __init__(self) -> None:
        self.analysed = 0
        self.inference_ms: float | None = None

    def process(self, item: AudioBlock) -> list[Judgement]:
        self.analysed += 1
        loud = np.flatnonzero(np.abs(item.samples) > 0.5)
        if not loud.size:
            return []
        measure = SoundImpulse(sound_class=ImpulseClass.CRASH, lcpeak_db=110.0, onset_uncertainty_ms=1.0)
        onset_s = item.time_s + int(loud[0]) / item.rate_hz
        return [Judgement("sound.impulse", Phase.INSTANT, self.analysed, onset_s, 0.8, measure, model="loudness")]

    def finish(self) -> list[Judgement]:
        return []

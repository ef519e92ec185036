"""Sound pressure levels by IEC 61672-1:2013: L_Aeq, L_AFmax and L_Cpeak, slice by slice.

A sample of 1 is the pressure whose level is the microphone's ``full_scale_db``; a full-scale sine is 3 dB below it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import signal

from .weighting import sections

Floats = npt.NDArray[np.float32]

#: Lowest level that a message can carry; digital silence has none.
FLOOR_DB = -20.0
#: Time weighting F, 5.8.1 of the standard.
FAST_S = 0.125
#: The running F level is taken this often: it cannot change by more than 0.04 dB in between when it falls.
_STEP_S = 0.001


def to_db(ratio: float) -> float:
    """A ratio of squared pressures, to 20 µPa squared, in decibels; not below `FLOOR_DB`."""
    return max(FLOOR_DB, 10.0 * float(np.log10(ratio))) if ratio > 0.0 else FLOOR_DB


@dataclass(frozen=True, slots=True)
class LevelSlice:
    """Levels of a stretch of sound.

    Attributes:
        duration_s: How long it is.
        exposure: A-weighted squared pressure over (20 µPa)², summed over time: seconds.
        lafmax_db: Highest A-weighted level with time weighting F.
        lcpeak_db: Highest C-weighted instantaneous level.
    """

    duration_s: float
    exposure: float
    lafmax_db: float
    lcpeak_db: float

    @property
    def laeq_db(self) -> float:
        """A-weighted equivalent continuous level, dB re 20 µPa."""
        return to_db(self.exposure / self.duration_s) if self.duration_s > 0 else FLOOR_DB


def join(slices: Iterable[LevelSlice]) -> LevelSlice:
    """Levels of several slices together."""
    every = list(slices)
    return LevelSlice(
        duration_s=sum(part.duration_s for part in every),
        exposure=sum(part.exposure for part in every),
        lafmax_db=max((part.lafmax_db for part in every), default=FLOOR_DB),
        lcpeak_db=max((part.lcpeak_db for part in every), default=FLOOR_DB),
    )


class LevelMeter:
    """Measures a stream.

    Args:
        rate_hz: Samples per second.
        full_scale_db: Level of the pressure that a sample of 1 stands for, dB re 20 µPa.
        peaks: Measure L_AFmax and L_Cpeak too; without, they stay at `FLOOR_DB`, at half of the cost.

    Raises:
        ValueError: The rate is too low for the weightings.
    """

    def __init__(self, rate_hz: int, full_scale_db: float, *, peaks: bool = True) -> None:
        self._rate_hz = rate_hz
        self._peaks = peaks
        self._scale = 10.0 ** (full_scale_db / 10.0)
        self._a, self._c = sections("A", rate_hz), sections("C", rate_hz)
        self._a_state = np.zeros((len(self._a), 2))
        self._c_state = np.zeros((len(self._c), 2))
        self._step = max(1, round(rate_hz * _STEP_S))
        self._keep = float(np.exp(-self._step / rate_hz / FAST_S))
        self._fast = np.zeros(1)
        self._waiting = np.zeros(0)

    def push(self, samples: Floats) -> LevelSlice:
        """Measures the next samples.

        Args:
            samples: ``(n,)`` float32 in [-1, 1].

        Returns:
            Their levels. The F level looks back over what came before, as the standard has it.
        """
        if not samples.size:
            return LevelSlice(0.0, 0.0, FLOOR_DB, FLOOR_DB)
        a_weighted, self._a_state = signal.sosfilt(self._a, samples, zi=self._a_state)
        squared = np.square(a_weighted)
        duration_s, exposure = samples.size / self._rate_hz, self._scale * float(squared.sum()) / self._rate_hz
        if not self._peaks:
            return LevelSlice(duration_s, exposure, FLOOR_DB, FLOOR_DB)
        c_weighted, self._c_state = signal.sosfilt(self._c, samples, zi=self._c_state)
        self._waiting = np.concatenate([self._waiting, squared])
        steps = self._waiting.size // self._step
        means = self._waiting[: steps * self._step].reshape(steps, self._step).mean(axis=1)
        self._waiting = self._waiting[steps * self._step :]
        before = self._fast[0]
        # The exponential average of IEC 61672-1, 3.9, step by step.
        fast, self._fast = signal.lfilter([1.0 - self._keep], [1.0, -self._keep], means, zi=self._fast) if steps else (means, self._fast)
        return LevelSlice(
            duration_s=duration_s,
            exposure=exposure,
            lafmax_db=to_db(self._scale * float(fast.max() if steps else before)),
            lcpeak_db=to_db(self._scale * float(np.square(c_weighted).max())),
        )


def c_peak_db(samples: Floats, rate_hz: int, full_scale_db: float) -> float:
    """L_Cpeak of a short stretch that begins in quiet.

    Args:
        samples: ``(n,)`` float32 in [-1, 1].
        rate_hz: Samples per second.
        full_scale_db: Level of the pressure that a sample of 1 stands for, dB re 20 µPa.
    """
    if not samples.size:
        return FLOOR_DB
    # A filter that starts at rest would hear a steady offset as a step.
    weighted = signal.sosfilt(sections("C", rate_hz), samples - samples[0])
    return to_db(10.0 ** (full_scale_db / 10.0) * float(np.square(weighted).max()))

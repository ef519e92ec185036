"""From the microphone's own rate to the model's, as the sound comes in, without aliases and without losing count of time."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

#: The pass band ends this far below half of the lower rate, and the stop band begins as far above it. At 16 kHz that is 7,500 and
#: 8,500 Hz: the model's highest band ends at 7,500 Hz, and what lies between folds back to above it.
_TRANSITION = 1 / 16
#: Kaiser's estimates (1974) for 80 dB: 16-bit sound has no more in the stop band to hide.
_ATTENUATION_DB = 80.0
_BETA = 0.1102 * (_ATTENUATION_DB - 8.7)
#: Samples that a period may give. Larger ones would need a large matrix; see `Resampler`.
_LONGEST_PERIOD = 1_600
#: Periods are joined until they give about this many samples: one product of matrices for 10 ms.
_USUAL_PERIOD = 160


class Resampler:
    """Band-limited resampling of a stream; any cut of the stream into blocks gives the same samples.

    Two rates that are whole numbers meet again after a short period (44,100 and 16,000 Hz: 441 samples become 160). Within a period each
    output sample is a fixed weighted sum of the inputs around it, so that one matrix makes a whole period, and the next one begins
    anew: no error accumulates. Weights are a Kaiser-windowed sinc. Where the period would be long (odd rates), the nearest ratio with a
    short one is taken: the rate is then off by less than one part in a million, and `source_index` is still exact.

    Args:
        rate_hz: Of what goes in.
        to_hz: Of what comes out.

    Attributes:
        taken: How many samples have gone in.
        given: How many have come out.

    Raises:
        ValueError: A rate is not a positive number of samples per second.
    """

    def __init__(self, rate_hz: int, to_hz: int) -> None:
        if rate_hz < 1 or to_hz < 1:
            raise ValueError(f"cannot resample {rate_hz} Hz to {to_hz} Hz: both rates must be at least 1 Hz")
        ratio = Fraction(to_hz, rate_hz).limit_denominator(8 * _LONGEST_PERIOD)
        if ratio.numerator > _LONGEST_PERIOD:
            ratio = 1 / Fraction(rate_hz, to_hz).limit_denominator(_LONGEST_PERIOD)
        repeat = max(1, round(_USUAL_PERIOD / ratio.numerator))
        self._in, self._out = ratio.denominator * repeat, ratio.numerator * repeat
        self._step = Fraction(ratio.denominator, ratio.numerator)
        self.taken = 0
        self.given = 0
        if ratio == 1:
            self._reach = 0
            self._matrix: Floats | None = None
        else:
            self._reach, self._matrix = _matrix(self._in, self._out, float(self._step))
        # The stream is silent before it begins, so that the first output sample lies on the first input sample.
        self._waiting: Floats = np.zeros(self._reach, np.float32)

    def source_index(self, index: int) -> float:
        """Where an output sample lies among the input samples, counted from the start of the stream."""
        return float(index * self._step)

    def push(self, samples: Floats) -> Floats:
        """Takes the next samples.

        Args:
            samples: ``(n,)`` float32.

        Returns:
            ``(m,)`` float32: as many whole periods as can be made of what has come so far.
        """
        self.taken += samples.size
        if self._matrix is None:
            self.given += samples.size
            return samples.astype(np.float32, copy=False)
        self._waiting = np.concatenate([self._waiting, samples.astype(np.float32, copy=False)])
        width = len(self._matrix)
        periods = (self._waiting.size - width) // self._in + 1
        if periods < 1:
            return np.empty(0, np.float32)
        rows = np.lib.stride_tricks.sliding_window_view(self._waiting, width)[:: self._in][:periods]
        resampled = np.asarray(rows @ self._matrix, np.float32).ravel()
        self._waiting = self._waiting[periods * self._in :].copy()
        self.given += resampled.size
        return resampled

    def finish(self) -> Floats:
        """The rest, with silence after the end: as many samples in all as the stream was long."""
        due = ceil(self.taken / self._step) - self.given
        if due <= 0 or self._matrix is None:
            return np.empty(0, np.float32)
        taken = self.taken
        tail = self.push(np.zeros(len(self._matrix) + self._in * ceil(due / self._out), np.float32))[:due]
        self.taken, self.given = taken, ceil(taken / self._step)
        return tail


def _matrix(period_in: int, period_out: int, step: float) -> tuple[int, Floats]:
    """Weights of a period's inputs in its outputs.

    Args:
        period_in: Input samples of a period.
        period_out: Output samples of a period.
        step: Input samples per output sample.

    Returns:
        How many input samples before the period are needed (as many follow it), and ``(period_in + 2 * reach, period_out)`` weights.
    """
    # Everything in cycles per input sample.
    cutoff = 0.5 * min(1.0, 1.0 / step)
    transition = 2 * _TRANSITION * cutoff
    reach = ceil((_ATTENUATION_DB - 7.95) / (2.285 * 2 * np.pi * transition) / 2)
    at = np.arange(period_in + 2 * reach)[:, np.newaxis] - reach - np.arange(period_out) * step
    inside = np.clip(1.0 - (at / reach) ** 2, 0.0, None)
    window = np.where(np.abs(at) <= reach, np.i0(_BETA * np.sqrt(inside)) / np.i0(_BETA), 0.0)
    weights = 2 * cutoff * np.sinc(2 * cutoff * at) * window
    # The same gain at zero frequency for every output sample: a steady pressure stays steady.
    return reach, np.asarray(weights / weights.sum(axis=0), np.float32)

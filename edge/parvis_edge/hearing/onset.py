"""Where an impulsive sound begins: on the waveform itself, at the source's own rate, to a fraction of a millisecond.

First a coarse look: the energy of 2.5 ms steps, where it rises by a factor of ten or more within 10 ms above what was there
before. Then a fine one: Akaike's criterion for the sample that best parts noise from signal (Maeda 1985), as seismologists pick
arrivals. Around its minimum, the criterion's own likelihood says how sure the pick is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import signal

Floats = npt.NDArray[np.float32]

STEP_S = 0.0025
#: Gusts of wind, traffic's rumble and a microphone's offset lie below; no listed sound lacks energy above.
_HIGH_PASS_HZ = 300.0
#: Energy of the next 10 ms …
_AFTER = 4
#: … against the mean of the 50 ms and of the 300 ms before.
_SHORT, _LONG = 20, 120
#: 10 dB over the last 50 ms, and 6 dB over the last 300 ms.
_SHORT_RISE, _LONG_RISE = 10.0, 4.0
#: Below this mean square nothing is looked for: 96 dB below full scale, the step of 16 bits.
_FLOOR = 2.5e-10


@dataclass(frozen=True, slots=True)
class Rise:
    """A sudden rise of energy: an impulsive sound may have begun here.

    Attributes:
        index: First sample of the step in which it rises, counted from the start of the stream.
        rise_db: Energy of the next 10 ms over that of the 50 ms before.
        energy: Mean square of the next 10 ms.
    """

    index: int
    rise_db: float
    energy: float


class RiseFinder:
    """Finds sudden rises of energy in a stream.

    Args:
        rate_hz: Samples per second.
        apart_s: Rises closer than this to the one before are its own attack, ground reflection or first shards.

    Attributes:
        step: Samples per step.
    """

    def __init__(self, rate_hz: int, apart_s: float) -> None:
        self.step = max(1, round(rate_hz * STEP_S))
        self._filter = high_pass(rate_hz)
        self._state: npt.NDArray[np.float64] | None = None
        self._waiting = np.zeros(0)
        self._apart = max(1, round(apart_s * rate_hz / self.step))
        #: Energies of the steps from `_first` on.
        self._energy = np.zeros(0)
        self._first = 0
        self._free_from = 0

    def push(self, samples: Floats) -> list[Rise]:
        """Takes the next samples.

        Args:
            samples: ``(n,)`` float32 in [-1, 1].

        Returns:
            The rises that can now be told, in order: 20 ms late.
        """
        if not samples.size:
            return []
        if self._state is None:
            # As if the stream had always had its first value: its start is no rise.
            self._state = signal.sosfilt_zi(self._filter) * float(samples[0])
        filtered, self._state = signal.sosfilt(self._filter, samples, zi=self._state)
        self._waiting = np.concatenate([self._waiting, np.square(filtered)])
        steps = self._waiting.size // self.step
        new = self._waiting[: steps * self.step].reshape(steps, self.step).mean(axis=1)
        self._waiting = self._waiting[steps * self.step :]
        self._energy = np.concatenate([self._energy, new])
        found = self._look()
        surplus = max(0, self._energy.size - _LONG - 3 * _AFTER)
        self._energy, self._first = self._energy[surplus:], self._first + surplus
        return found

    def _look(self) -> list[Rise]:
        sums = np.concatenate([[0.0], np.cumsum(self._energy)])
        last = self._energy.size - 2 * _AFTER
        begin = max(self._free_from - self._first, 1)
        if last < begin:
            return []
        at = np.arange(begin, last + 1)
        after = (sums[at + _AFTER] - sums[at]) / _AFTER
        short = (sums[at] - sums[np.maximum(at - _SHORT, 0)]) / np.minimum(at, _SHORT)
        long = (sums[at] - sums[np.maximum(at - _LONG, 0)]) / np.minimum(at, _LONG)
        rising = (after > _SHORT_RISE * np.maximum(short, _FLOOR)) & (after > _LONG_RISE * np.maximum(long, _FLOOR))
        found: list[Rise] = []
        for position in np.flatnonzero(rising):
            step = self._first + begin + int(position)
            if step < self._free_from:
                continue
            # The window of 10 ms reaches ahead: the rise itself is its loudest growth within.
            index = begin + int(position)
            ahead = self._energy[index : index + _AFTER]
            growth = int(np.argmax(ahead > 0.1 * ahead.max()))
            rise_db = 10.0 * float(np.log10(after[position] / max(short[position], _FLOOR)))
            found.append(Rise((step + growth) * self.step, rise_db, float(after[position])))
            self._free_from = step + growth + self._apart
        self._free_from = max(self._free_from, self._first + last + 1)
        return found


def high_pass(rate_hz: int) -> npt.NDArray[np.float64]:
    """Second-order sections of the filter through which onsets are looked for; it delays an onset by none of its samples."""
    return np.asarray(signal.butter(2, min(_HIGH_PASS_HZ, rate_hz / 8), "highpass", fs=rate_hz, output="sos"), np.float64)


def pick_onset(samples: Floats, rate_hz: int) -> tuple[int, float]:
    """The sample at which noise turns into signal.

    Akaike's criterion of a cut at sample m is m ln var(before) + (n - m) ln var(after); its minimum is the most likely cut of a
    stretch that is two kinds of noise, and exp(-half the excess over the minimum) is each other cut's likelihood.

    Args:
        samples: ``(n,)`` float32: noise, and then the first few milliseconds of signal.
        rate_hz: Samples per second.

    Returns:
        Index of the signal's first sample, and a 1-sigma uncertainty in milliseconds.
    """
    count = samples.size
    # A few samples on each side: the variance of less says nothing.
    margin = max(4, round(0.0005 * rate_hz))
    if count <= 2 * margin + 2:
        return 0, 1000.0 * count / rate_hz
    sections = high_pass(rate_hz)
    filtered, _ = signal.sosfilt(sections, samples, zi=signal.sosfilt_zi(sections) * float(samples[0]))
    squares = np.concatenate([[0.0], np.cumsum(np.square(filtered) + _FLOOR)])
    cuts = np.arange(margin, count - margin)
    before = squares[cuts] / cuts
    after = (squares[-1] - squares[cuts]) / (count - cuts)
    criterion = cuts * np.log(before) + (count - cuts) * np.log(after)
    best = int(np.argmin(criterion))
    likelihood = np.exp(-0.5 * (criterion - criterion[best]))
    likelihood /= likelihood.sum()
    spread = float(np.sqrt(np.sum(likelihood * np.square(cuts - cuts[best]))))
    return int(cuts[best]), 1000.0 * spread / rate_hz

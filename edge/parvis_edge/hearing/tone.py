"""The strongest tone of a sound, and whether its pitch glides: a witness for sirens and horns that is no model's.

A siren is one strong tone between a few hundred and a few thousand hertz (or a harmonic of it) that goes on for seconds and glides; a
horn's is steady, a voice's breaks off between syllables, a tune's goes in steps. So the strongest tone is followed from spectrum to
spectrum by the path of the greatest sum of prominences (Viterbi 1967), and its last unbroken run is measured. Prominence is over the
neighbouring frequencies, so that no gain matters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

#: Length and spacing of the spectra: long enough to part a tone from noise, short enough that a glide stays in few of the bins.
_WINDOW_S, _HOP_S = 0.064, 0.032
#: Where the tones of sirens lie, with the second harmonics of low ones; pitches are told apart in steps of half a semitone.
_LOW_HZ, _OCTAVES, _STEPS = 400.0, 2.75, 24
#: A tone's prominence is over the median so far to each side of it; the median is taken at every fourth bin.
_ASIDE_HZ, _EVERY = 250.0, 4
#: Beyond so much, a tone is no more of a tone.
_MOST_DB = 30.0
#: From so much on, a peak is a tone: a bin of noise is as far above its median once in 60,000.
_TONE_DB = 12.0
#: The pitch moves by so many steps between two spectra (a fast yelp: 8 octaves a second), each at a cost; farther only as a leap.
_REACH, _STEP_COST_DB, _LEAP_COST_DB = 6, 0.5, 20.0
#: More than this between two spectra is a leap, to another note or another harmonic.
_LEAP_OCTAVES = 0.21
#: A run goes on through a gap of so long: a yelp's loudness varies with its pitch.
_BRIDGE_S = 0.2
#: Runs are looked at over so long, and shorter than this they are none.
_LOOK_S, _LEAST_S = 4.0, 0.32
#: Power that is added to every bin, 96 dB below full scale over a window: digital silence has no tone.
_FLOOR = 1e-7


@dataclass(frozen=True, slots=True)
class Tone:
    """The last run of a tone, up to now.

    Attributes:
        tonal_s: How long in it there was a tone, of the last 4 s; 0 where there is none.
        glide_octaves: How far the pitch moves without leaping: from the 5th to the 95th percentile, around the median between two leaps.
    """

    tonal_s: float
    glide_octaves: float


NO_TONE = Tone(0.0, 0.0)


class ToneTracker:
    """Follows the strongest tone of a stream.

    Args:
        rate_hz: Samples per second; at least 8,000, so that what is looked at is there.
    """

    def __init__(self, rate_hz: int) -> None:
        if rate_hz < 8_000:
            raise ValueError(f"{rate_hz} Hz is too slow to follow tones; the sound model's card must take 8,000 Hz or more")
        self._window, self._hop = round(_WINDOW_S * rate_hz), round(_HOP_S * rate_hz)
        self._hann = np.hanning(self._window).astype(np.float32)
        width_hz = rate_hz / self._window
        pitches_hz = _LOW_HZ * 2.0 ** (np.arange(round(_OCTAVES * _STEPS)) / _STEPS)
        self._aside = round(_ASIDE_HZ / width_hz / _EVERY) * _EVERY
        #: The first bin that is needed, and how many are.
        self._from = max(0, int(_LOW_HZ / width_hz) - self._aside)
        self._count = int(pitches_hz[-1] / width_hz) + 2 + self._aside + _EVERY - self._from
        #: Each pitch's two neighbouring bins: the lower one.
        self._bins = np.floor(pitches_hz / width_hz).astype(np.intp) - self._from
        self._costs = _STEP_COST_DB * np.abs(np.arange(-_REACH, _REACH + 1)).astype(np.float32)
        self._keep = round((_LOOK_S + 1.0) / _HOP_S)
        self._waiting: Floats = np.empty(0, np.float32)
        #: Index of the oldest spectrum kept; per spectrum and pitch its prominence, the best path's sum, and where that path came from.
        self._first = 0
        self._prominence: Floats = np.empty((0, pitches_hz.size), np.float32)
        self._sums: Floats = np.empty((0, pitches_hz.size), np.float32)
        self._before = np.empty((0, pitches_hz.size), np.int16)

    def push(self, samples: Floats) -> None:
        """Takes the next samples; they are looked at when a tone is asked for, and passed over if none is for 5 s.

        Args:
            samples: ``(n,)`` float32 in [-1, 1].
        """
        self._waiting = np.concatenate([self._waiting, samples])
        missed = (self._waiting.size - self._window) // self._hop + 1 - self._keep
        if missed > 0:
            self._first += len(self._sums) + missed
            self._waiting = self._waiting[missed * self._hop :]
            self._prominence, self._sums, self._before = self._prominence[:0], self._sums[:0], self._before[:0]

    def _catch_up(self) -> None:
        count = (self._waiting.size - self._window) // self._hop + 1
        if count < 1:
            return
        cut = np.lib.stride_tricks.sliding_window_view(self._waiting, self._window)[:: self._hop][:count]
        prominence = self._prominences(cut)
        self._waiting = self._waiting[count * self._hop :]
        sums, before = self._follow(prominence)
        surplus = max(0, len(self._sums) + count - self._keep)
        self._first += surplus
        self._prominence = np.concatenate([self._prominence, prominence])[surplus:]
        self._sums, self._before = np.concatenate([self._sums, sums])[surplus:], np.concatenate([self._before, before])[surplus:]

    def tone(self, end: int) -> Tone:
        """The run of a tone that ends here, or at most `_BRIDGE_S` before.

        Args:
            end: Index of a sample, counted from the start of the stream, at most a second ago; spectra that begin by then and end
                later are not looked at.
        """
        self._catch_up()
        last = min((end - self._window) // self._hop - self._first, len(self._sums) - 1)
        if last < 0:
            return NO_TONE
        path = self._path(last)
        first = last + 1 - len(path)
        tonal = self._prominence[np.arange(first, last + 1), path] >= _TONE_DB
        at = np.flatnonzero(tonal)
        # The run's gaps, the one after it included, are short.
        gaps = np.flatnonzero(np.diff(np.append(at, len(path))) - 1 > round(_BRIDGE_S / _HOP_S))
        at = at[gaps[-1] + 1 :] if gaps.size else at
        if at.size < round(_LEAST_S / _HOP_S):
            return NO_TONE
        pitch = path[at] / _STEPS
        runs = np.split(pitch, np.flatnonzero(np.abs(np.diff(pitch)) > _LEAP_OCTAVES) + 1)
        low, high = np.quantile(np.concatenate([run - np.median(run) for run in runs]), [0.05, 0.95])
        return Tone(at.size * _HOP_S, float(high - low))

    def _prominences(self, cut: Floats) -> Floats:
        spectrum = np.fft.rfft(cut * self._hann, axis=1)[:, self._from : self._from + self._count]
        power = np.square(np.abs(spectrum)) + _FLOOR
        around = np.lib.stride_tricks.sliding_window_view(power, 2 * self._aside + 1, axis=1)[:, ::_EVERY]
        background = np.median(around, axis=2)
        decibels = 10.0 * np.log10(np.maximum(power[:, self._bins], power[:, self._bins + 1]))
        nearest = np.clip(np.round((self._bins + 0.5 - self._aside) / _EVERY).astype(np.intp), 0, background.shape[1] - 1)
        return np.asarray(np.clip(decibels - 10.0 * np.log10(background[:, nearest]), 0.0, _MOST_DB), np.float32)

    def _follow(self, prominence: Floats) -> tuple[Floats, npt.NDArray[np.int16]]:
        """Carries the best paths on, spectrum by spectrum; sums are kept relative to the best one's before, so that they do not grow."""
        pitches = np.arange(prominence.shape[1])
        sums, before = np.empty_like(prominence), np.empty(prominence.shape, np.int16)
        last = self._sums[-1] if len(self._sums) else np.zeros(prominence.shape[1], np.float32)
        padded = np.full(last.size + 2 * _REACH, -np.inf, np.float32)
        near = np.lib.stride_tricks.sliding_window_view(padded, 2 * _REACH + 1)
        for row, here in enumerate(prominence):
            best = int(last.argmax())
            padded[_REACH:-_REACH] = last - last[best]
            options = near - self._costs
            step = options.argmax(axis=1)
            reached = options[pitches, step]
            leaps = reached < -_LEAP_COST_DB
            last = np.where(leaps, -_LEAP_COST_DB, reached).astype(np.float32) + here
            sums[row], before[row] = last, np.where(leaps, best, pitches + step - _REACH)
        return sums, before

    def _path(self, last: int) -> npt.NDArray[np.intp]:
        """Pitches of the best path that ends at this spectrum, over the last `_LOOK_S`."""
        at, path = int(self._sums[last].argmax()), []
        for row in range(last, max(-1, last - round(_LOOK_S / _HOP_S)), -1):
            path.append(at)
            at = int(self._before[row, at])
        return np.array(path[::-1], np.intp)

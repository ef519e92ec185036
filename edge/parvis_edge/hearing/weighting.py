"""Frequency weightings A, C and Z of IEC 61672-1:2013 as digital filters at any sampling rate.

The standard gives the weightings by poles of an analogue filter (annex E). The usual bilinear transform bends the frequency axis,
and the response falls too fast towards half of the sampling rate. Here the poles are mapped exactly (z = exp(s T)), and the zeros
are then chosen so that the magnitude is the analogue one, within 0.3 dB, all the way.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import signal

Floats = npt.NDArray[np.float64]
Weighting = Literal["A", "C", "Z"]

# Annex E: the pole frequencies follow from f_r = 1 kHz, f_L = 10^1.5 Hz, f_H = 10^3.9 Hz and f_A = 10^2.45 Hz.
_POLES_HZ = {
    "A": (20.598997, 20.598997, 107.65265, 737.86223, 12194.217, 12194.217),
    "C": (20.598997, 20.598997, 12194.217, 12194.217),
}
_ZEROS = {"A": 4, "C": 2}
#: Order of the numerator that is fitted, beside the zeros at zero frequency.
_ORDER = 4


def analogue_db(weighting: Weighting, frequency_hz: npt.ArrayLike) -> Floats:
    """What the standard asks for: the weighting's level, 0 dB at 1 kHz.

    Args:
        weighting: A, C or Z.
        frequency_hz: Above 0.

    Returns:
        Decibels, in the shape of ``frequency_hz``.
    """
    squared = np.asarray(frequency_hz, np.float64) ** 2
    if weighting == "Z":
        return np.zeros_like(squared)

    def level(of: Floats) -> Floats:
        poles = np.sum([10 * np.log10(of + pole**2) for pole in _POLES_HZ[weighting]], axis=0)
        return np.asarray(10 * _ZEROS[weighting] * np.log10(of) - poles, np.float64)

    return level(squared) - level(np.asarray(1e6))


@cache
def sections(weighting: Weighting, rate_hz: int) -> Floats:
    """The weighting's filter.

    Args:
        weighting: A, C or Z.
        rate_hz: Samples per second.

    Returns:
        ``(n, 6)`` second-order sections for ``scipy.signal.sosfilt``.

    Raises:
        ValueError: The rate is so low that 1 kHz, where the weightings are 0 dB, cannot be told.
    """
    if rate_hz < 4_000:
        raise ValueError(f"{rate_hz} Hz is too slow to weight sound levels: sample the microphone at 4,000 Hz or more")
    if weighting == "Z":
        return np.array([[1.0, 0.0, 0.0, 1.0, 0.0, 0.0]])
    zeros_at_zero = np.ones(_ZEROS[weighting])
    poles = np.exp(-2 * np.pi * np.array(_POLES_HZ[weighting]) / rate_hz)
    # The filter without the numerator sought: what is missing to the analogue magnitude must be a polynomial in cos w.
    frequency_hz = np.linspace(20.0, rate_hz / 2, 2_000)
    wanted = 10 ** (analogue_db(weighting, frequency_hz) / 10)
    angle = 2 * np.pi * frequency_hz / rate_hz
    _, response = signal.freqz_zpk(zeros_at_zero, poles, 1.0, angle)
    power = wanted / np.abs(response) ** 2
    cosines = np.cos(np.outer(angle, np.arange(_ORDER + 1)))
    # Relative errors count, in every octave alike.
    emphasis = 1 / power / np.sqrt(frequency_hz)
    coefficients = np.linalg.lstsq(cosines * emphasis[:, np.newaxis], power * emphasis, rcond=None)[0]
    zeros = _minimum_phase(coefficients)
    _, response = signal.freqz_zpk(np.concatenate([zeros_at_zero, zeros]), poles, 1.0, [2 * np.pi * 1000.0 / rate_hz])
    # Delays (poles at 0) to make the sections proper; they do not change the magnitude.
    delays = np.zeros(len(zeros_at_zero) + len(zeros) - len(poles))
    return np.asarray(
        signal.zpk2sos(np.concatenate([zeros_at_zero, zeros]), np.concatenate([poles, delays]), 1 / np.abs(response[0])), np.float64
    )


def _minimum_phase(coefficients: Floats) -> npt.NDArray[np.complex128]:
    """Zeros inside the unit circle of the filter whose power is sum(c[k] cos(k w)) (spectral factorisation)."""
    half = coefficients[1:] / 2
    roots = np.roots(np.concatenate([half[::-1], coefficients[:1], half]))
    return np.asarray(roots[np.argsort(np.abs(roots))][: len(half)], np.complex128)

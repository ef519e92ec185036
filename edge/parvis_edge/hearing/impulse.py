"""What is known of an impulsive sound: when it began, its shape on the waveform, and what the tagger makes of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .levels import c_peak_db

Floats = npt.NDArray[np.float32]

#: The tagger is asked twice, the onset 0.10 s and 0.25 s after the start of its patch: nearly all of the patch is then the sound itself and
#: its decay, as in the recordings that it learnt from, and the quiet before it shows that it is sudden.
ONSET_FRAMES = (10, 25)
#: So much of the sound after its onset is needed: the patch that begins latest, and the decay.
LOOK_AHEAD_S = 1.0
#: Envelope of the attack and of the decay, in steps of this length.
_STEP_S = 0.005
#: The attack ends where the envelope is first within 3 dB of its peak in this time.
_ATTACK_S = 0.05
#: Below this, an explosion in the open carries most of its energy, and a small arm's shot does not.
_LOW_HZ = 250.0


@dataclass(frozen=True, slots=True)
class Shape:
    """Attack, decay and colour of an impulsive sound.

    Attributes:
        attack_ms: From the onset until the level is within 3 dB of its peak of the first 50 ms.
        half_energy_ms: From the onset until half of the energy of the next second has come.
        low_fraction: Share of the energy of the first half second that lies below 250 Hz, in [0, 1].
        lcpeak_db: Highest C-weighted instantaneous level, dB re 20 µPa.
    """

    attack_ms: float
    half_energy_ms: float
    low_fraction: float
    lcpeak_db: float


@dataclass(frozen=True, slots=True)
class Impulse:
    """An impulsive sound.

    Attributes:
        onset_s: When it began, POSIX seconds.
        onset_uncertainty_ms: 1 sigma.
        rise_db: Energy of its first 10 ms over that of the 50 ms before.
        shape: On the waveform.
        logits: ``(labels,)`` float32: the mean of the tagger's log odds over the patches.
    """

    onset_s: float
    onset_uncertainty_ms: float
    rise_db: float
    shape: Shape
    logits: Floats


def mean_logit(scores: Floats) -> Floats:
    """Log odds, averaged over patches: independent looks at one sound multiply their odds, and one look's mishap does not decide.

    Args:
        scores: ``(N, labels)`` float32 in [0, 1].

    Returns:
        ``(labels,)`` float32.
    """
    bounded = np.clip(scores.astype(np.float64), 1e-6, 1.0 - 1e-6)
    return np.asarray(np.log(bounded / (1.0 - bounded)).mean(axis=0), np.float32)


def measure_shape(samples: Floats, rate_hz: int, full_scale_db: float) -> Shape:
    """Measures the sound from its onset on.

    Args:
        samples: ``(n,)`` float32 in [-1, 1], from the onset on, `LOOK_AHEAD_S` of it where there is so much.
        rate_hz: Samples per second.
        full_scale_db: Level of the pressure that a sample of 1 stands for, dB re 20 µPa.
    """
    if samples.size < 2:
        return Shape(0.0, 0.0, 0.0, c_peak_db(samples, rate_hz, full_scale_db))
    squared = np.square(samples.astype(np.float64) - float(samples.mean()))
    step = max(1, round(_STEP_S / 5 * rate_hz))
    attack = squared[: max(step, round(_ATTACK_S * rate_hz) // step * step)]
    attack = attack[: attack.size // step * step].reshape(-1, step).mean(axis=1) if attack.size >= step else squared[:1]
    loud = int(np.argmax(attack >= 0.5 * attack.max()))
    total = np.cumsum(squared)
    half = int(np.searchsorted(total, 0.5 * total[-1]))
    first = samples[: round(0.5 * rate_hz)].astype(np.float64)
    power = np.square(np.abs(np.fft.rfft(first - first.mean())))
    low = power[np.fft.rfftfreq(first.size, 1.0 / rate_hz) < _LOW_HZ].sum()
    return Shape(
        attack_ms=1000.0 * loud * step / rate_hz,
        half_energy_ms=1000.0 * half / rate_hz,
        low_fraction=float(low / power.sum()) if power.sum() > 0.0 else 0.0,
        lcpeak_db=c_peak_db(samples, rate_hz, full_scale_db),
    )

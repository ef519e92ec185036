"""What is known of an impulsive sound: when it began, its shape on the waveform, and what the tagger makes of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import signal

from .levels import c_peak_db
from .onset import high_pass

Floats = npt.NDArray[np.float32]

#: The tagger is asked three times, the onset at the start of its patch, and 0.10 s and 0.25 s after it: most of each patch is then the
#: sound itself and its decay, and in the later two the quiet before it shows that it is sudden.
ONSET_FRAMES = (0, 10, 25)
#: So much of the sound after its onset is needed: the patch that begins latest, and the decay.
LOOK_AHEAD_S = 1.0
#: Envelope of the attack and of the tail, in steps of this length; the attack lasts this long at most, and the tail is what follows it.
_STEP_S, _ATTACK_S, _TAIL_S = 0.001, 0.05, 0.1
#: The first and the last so much of the look-ahead are compared: what has not faded was switched on.
_FADE_S = 0.25
#: Other rises are counted from so long before an impulsive sound on, and after it as far as is known.
BESIDE_S = 2.0
#: The peak level is looked for in so much: later ones are another rise's.
_PEAK_S = 0.2
#: Below this, an explosion in the open carries most of its energy, and a small arm's shot does not.
_LOW_HZ = 250.0
#: Mean square of the last bit of 16: nothing is quieter.
_FLOOR = 1e-10


@dataclass(frozen=True, slots=True)
class Shape:
    """Attack, decay and colour of an impulsive sound.

    Attributes:
        attack_ms: From the onset until the level is within 3 dB of its peak of the first 50 ms.
        half_energy_ms: From the onset until half of the energy of the next second has come.
        tail_db: Energy from 50 to 100 ms after the onset over the loudest 5 ms before, above 300 Hz; None where the
            sound ends before.
        fade_db: Energy of the last quarter of a second of the first, over that of the first quarter; None where the sound ends before.
        low_fraction: Share of the energy of the first half second that lies below 250 Hz, in [0, 1].
        lcpeak_db: Highest C-weighted instantaneous level of the first 0.2 s, dB re 20 µPa.
    """

    attack_ms: float
    half_energy_ms: float
    tail_db: float | None
    fade_db: float | None
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
        cut_into: The stretch began in the middle of it; the onset is only the stretch's start.
        beside_db: Energies of the other rises, from 2 s before to 1 s after, over that of its own.
        logits: ``(N, labels)`` float32: the tagger's log odds, patch by patch as in `ONSET_FRAMES`; one patch where it was cut into.
    """

    onset_s: float
    onset_uncertainty_ms: float
    rise_db: float
    shape: Shape
    cut_into: bool
    beside_db: tuple[float, ...]
    logits: Floats


def to_logits(scores: Floats) -> Floats:
    """Log odds of probabilities, bounded at one in a million.

    Args:
        scores: float32 in [0, 1], of any shape.

    Returns:
        The same shape, float32.
    """
    bounded = np.clip(scores.astype(np.float64), 1e-6, 1.0 - 1e-6)
    return np.asarray(np.log(bounded / (1.0 - bounded)), np.float32)


def measure_shape(samples: Floats, rate_hz: int, full_scale_db: float) -> Shape:
    """Measures the sound from its onset on.

    Args:
        samples: ``(n,)`` float32 in [-1, 1], from the onset on, `LOOK_AHEAD_S` of it where there is so much.
        rate_hz: Samples per second.
        full_scale_db: Level of the pressure that a sample of 1 stands for, dB re 20 µPa.
    """
    lcpeak_db = c_peak_db(samples[: round(_PEAK_S * rate_hz)], rate_hz, full_scale_db)
    if samples.size < 2:
        return Shape(0.0, 0.0, None, None, 0.0, lcpeak_db)
    squared = np.square(samples.astype(np.float64) - float(samples.mean()))
    total = np.cumsum(squared)
    first = samples[: round(0.5 * rate_hz)].astype(np.float64)
    power = np.square(np.abs(np.fft.rfft(first - first.mean())))
    low = power[np.fft.rfftfreq(first.size, 1.0 / rate_hz) < _LOW_HZ].sum()
    return Shape(
        attack_ms=_attack_ms(squared, rate_hz),
        half_energy_ms=1000.0 * int(np.searchsorted(total, 0.5 * total[-1])) / rate_hz,
        tail_db=_tail_db(samples, rate_hz),
        fade_db=_fade_db(squared, rate_hz),
        low_fraction=float(low / power.sum()) if power.sum() > 0.0 else 0.0,
        lcpeak_db=lcpeak_db,
    )


def _attack_ms(squared: npt.NDArray[np.float64], rate_hz: int) -> float:
    step = max(1, round(_STEP_S * rate_hz))
    steps = min(squared.size, round(_ATTACK_S * rate_hz)) // step
    if steps < 1:
        return 0.0
    energy = squared[: steps * step].reshape(steps, step).mean(axis=1)
    return 1000.0 * int(np.argmax(energy >= 0.5 * energy.max())) * step / rate_hz


def _tail_db(samples: Floats, rate_hz: int) -> float | None:
    step = max(1, round(5 * _STEP_S * rate_hz))
    attack, end = round(_ATTACK_S * rate_hz) // step, round(_TAIL_S * rate_hz) // step
    if samples.size < end * step:
        return None
    filtered = signal.sosfilt(high_pass(rate_hz), samples[: end * step] - samples[0])
    energy = np.square(filtered).reshape(end, step).mean(axis=1) + _FLOOR
    return 10.0 * float(np.log10(energy[attack:].mean() / energy[:attack].max()))


def _fade_db(squared: npt.NDArray[np.float64], rate_hz: int) -> float | None:
    part, whole = round(_FADE_S * rate_hz), round(LOOK_AHEAD_S * rate_hz)
    # The last pieces of a stretch may come a sample short.
    if squared.size < whole - 2:
        return None
    return 10.0 * float(np.log10((squared[whole - part :].mean() + _FLOOR) / (squared[:part].mean() + _FLOOR)))

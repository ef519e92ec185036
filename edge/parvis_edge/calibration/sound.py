"""A microphone against a calibrator: what level its full scale is. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import signal

#: Where a sound calibrator sounds (IEC 60942), and what half a third of an octave around it spans.
TONE_HZ, BAND = 1_000.0, 2 ** (1 / 6)
#: IEC 60942 allows class 2 two hundredths of the frequency; resampling and sound cards add less.
FREQUENCY_SHARE = 0.03
#: A calibrator on the microphone leaves nothing else: less than this share of the energy at its tone, and it sits badly or is off.
LEAST_PURE = 0.9
#: A calibrator's level stands to a tenth of a decibel (IEC 60942, class 1); a hand in the way does not.
MOST_SPREAD_DB = 0.3
#: A sample this near to full scale was cut off.
CLIPPED = 0.985
#: Below it the converter's last bits decide; 94 dB are then below -70 dB of full scale.
LEAST_LEVEL_DB = -70.0
#: What is left after the calibrator was set on: its first and last moments.
SLICE_S, LEAST_S = 0.25, 2.0


@dataclass(frozen=True, slots=True)
class SoundCheck:
    """What came of a comparison with a calibrator.

    Attributes:
        full_scale_db: For the site plan; None if it was refused.
        level_db: Of the tone, dB re a full-scale sample of 1 (a full-scale sine has -3).
        frequency_hz: Of the tone.
        purity: Share of the energy that is the tone's, in [0, 1].
        spread_db: Standard deviation of the level over quarters of a second.
        refusals: Why it is not good enough, and what to do.
    """

    full_scale_db: float | None
    level_db: float
    frequency_hz: float
    purity: float
    spread_db: float
    refusals: list[str] = field(default_factory=list)


def check_sound(samples: npt.NDArray[np.float32], rate_hz: int, reference_db: float) -> SoundCheck:
    """Compares a microphone with a calibrator's tone of 1 kHz.

    The tone's mean square, by its spectrum in the third of an octave around it, is ``reference_db`` below which the level of a sample of
    1 lies by as much as the mean square is below 1: ``full_scale_db = reference_db - 10 lg(mean square)``.

    Args:
        samples: ``(n,)`` float32 in [-1, 1], while the calibrator sounds.
        rate_hz: Samples per second.
        reference_db: What the calibrator is marked with, 94 or 114 dB re 20 µPa.
    """
    values = np.asarray(samples, np.float64)
    size = round(SLICE_S * rate_hz)
    slices = values[: len(values) // size * size].reshape(-1, size) if size else values.reshape(0, 1)
    if len(slices) * SLICE_S < LEAST_S:
        return SoundCheck(None, 0.0, 0.0, 0.0, 0.0, [f"{len(values) / max(rate_hz, 1):.1f} s of sound; {LEAST_S:.0f} s are needed"])
    values = slices.ravel() - slices.mean()
    frequency, density = signal.welch(values, rate_hz, window="blackmanharris", nperseg=size, detrend="constant")
    around = (frequency >= TONE_HZ / BAND) & (frequency <= TONE_HZ * BAND)
    total, tone = float(density.sum()), float(density[around].sum())
    if total <= 0 or tone <= 0:
        return SoundCheck(None, -200.0, 0.0, 0.0, 0.0, ["there is no sound at all; is it the right microphone, and switched on?"])
    purity = tone / total
    weights = density[around]
    tone_hz = float((frequency[around] * weights).sum() / weights.sum())
    sections = signal.butter(4, [TONE_HZ / BAND, TONE_HZ * BAND], "bandpass", fs=rate_hz, output="sos")
    levels = 10 * np.log10(np.maximum((signal.sosfiltfilt(sections, values).reshape(-1, size) ** 2).mean(axis=1), 1e-20))[1:-1]
    spread_db = float(levels.std())
    # By the spectrum rather than the filter, whose own gain is not exactly 1 beside its middle.
    level_db = 10 * float(np.log10((values**2).mean() * purity))
    refusals = []
    if purity < LEAST_PURE or abs(tone_hz - TONE_HZ) > FREQUENCY_SHARE * TONE_HZ:
        refusals.append(
            f"no calibrator is heard: {purity:.0%} of the sound lies around 1 kHz (at {tone_hz:.0f} Hz), and {LEAST_PURE:.0%} must; set it "
            "on tightly, switch it on, and keep the place quiet"
        )
    if np.abs(samples).max() >= CLIPPED:
        refusals.append("the sound is cut off at full scale; lower the gain, or set the calibrator to 94 dB")
    if level_db < LEAST_LEVEL_DB:
        refusals.append(f"the tone is {-level_db:.0f} dB below full scale, too faint to measure; raise the gain")
    if not refusals and spread_db > MOST_SPREAD_DB:
        refusals.append(f"the level wavers by {spread_db:.1f} dB; hold the calibrator still, and switch an automatic gain off")
    full_scale_db = reference_db - level_db
    if not refusals and not 40.0 <= full_scale_db <= 200.0:
        refusals.append(
            f"full scale would be {full_scale_db:.0f} dB, which no microphone has; is the calibrator's level really {reference_db:g} dB?"
        )
    return SoundCheck(None if refusals else round(full_scale_db, 1), level_db, tone_hz, purity, spread_db, refusals)

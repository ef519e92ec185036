"""A calibrator's tone as a microphone hears it: the level of full scale, and what is refused."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pytest
from parvis_edge.calibration.sound import check_sound
from parvis_edge.hearing.levels import LevelMeter

Floats = npt.NDArray[np.float32]


def tone(peak: float, *, rate_hz: int = 48_000, tone_hz: float = 1_000.0, seconds: float = 5.0, noise: float = 0.0005) -> Floats:
    at = np.arange(round(seconds * rate_hz)) / rate_hz
    rng = np.random.default_rng(5)
    return (peak * np.sin(2 * np.pi * tone_hz * at) + rng.normal(0, noise, at.size)).astype(np.float32)


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
@pytest.mark.parametrize(("peak", "reference_db"), [(0.05, 94.0), (0.5, 114.0), (0.9, 94.0)])
@pytest.mark.parametrize("tone_hz", [985.0, 1_000.0, 1_018.0])
def test_the_unit_then_measures_the_calibrator_s_level(rate_hz: int, peak: float, reference_db: float, tone_hz: float) -> None:
    samples = tone(peak, rate_hz=rate_hz, tone_hz=tone_hz)
    found = check_sound(samples, rate_hz, reference_db)
    assert found.refusals == []
    assert found.full_scale_db is not None
    # The meter that writes sound.level, put to the same sound with the level that was found.
    meter = LevelMeter(rate_hz, found.full_scale_db)
    meter.push(samples[:rate_hz])
    assert meter.push(samples[rate_hz:]).laeq_db == pytest.approx(reference_db, abs=0.12)


def _wavering(samples: Floats) -> Floats:
    gain = np.where(np.arange(samples.size) // 24_000 % 2, 1.0, 0.8)
    return (samples * gain).astype(np.float32)


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (tone(0.3, seconds=1.0), r"1\.0 s of sound; 2 s are needed"),
        (np.zeros(240_000, np.float32), "no sound at all"),
        (np.random.default_rng(1).normal(0, 0.1, 240_000).astype(np.float32), "no calibrator is heard"),
        (tone(0.3, tone_hz=250.0), "no calibrator is heard"),
        (tone(0.3, tone_hz=1_060.0), "no calibrator is heard"),
        (tone(0.05, noise=0.03), "no calibrator is heard"),
        (np.clip(tone(1.4), -1, 1).astype(np.float32), "cut off at full scale"),
        (tone(0.0003, noise=0.00002), "too faint"),
        (_wavering(tone(0.3)), "wavers"),
    ],
)
def test_what_is_no_calibrator_is_refused(samples: Floats, said: str) -> None:
    found = check_sound(samples, 48_000, 94.0)
    assert found.full_scale_db is None
    assert any(re.search(said, refusal) for refusal in found.refusals), found


def test_a_level_that_no_microphone_has_is_refused() -> None:
    assert any("which no microphone has" in refusal for refusal in check_sound(tone(0.9), 48_000, 20.0).refusals)

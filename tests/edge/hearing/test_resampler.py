"""The resampler's laws: any cut gives the same samples, tones stay where they are, aliases go, time is kept."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parvis_edge.hearing.log_mel import Floats
from parvis_edge.hearing.resampler import Resampler

RATES = (8_000, 11_025, 16_000, 20_000, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000)
#: Their ratio to 16 kHz has no short period; the nearest one that has is taken.
ODD_RATES = (12_345, 22_254, 44_099)


def _whole(sound: Floats, rate_hz: int) -> tuple[Floats, Resampler]:
    resampler = Resampler(rate_hz, 16_000)
    return np.concatenate([resampler.push(sound), resampler.finish()]), resampler


@settings(max_examples=40, deadline=None)
@given(
    rate_hz=st.sampled_from((11_025, 16_000, 22_050, 44_100, 48_000)),
    cuts=st.lists(st.integers(0, 6_000), max_size=12),
    length=st.integers(0, 6_000),
)
def test_any_cut_gives_the_same_samples(rate_hz: int, cuts: list[int], length: int) -> None:
    sound = np.random.default_rng(length).uniform(-1, 1, length).astype(np.float32)
    expected, _ = _whole(sound, rate_hz)
    resampler = Resampler(rate_hz, 16_000)
    parts = [resampler.push(part) for part in np.split(sound, sorted(min(cut, length) for cut in cuts))]
    np.testing.assert_allclose(np.concatenate([*parts, resampler.finish()]), expected, atol=1e-6)


@pytest.mark.parametrize("rate_hz", RATES + ODD_RATES)
def test_a_tone_comes_out_at_its_own_time_and_level(rate_hz: int) -> None:
    at_s = np.arange(rate_hz) / rate_hz
    resampled, resampler = _whole(np.sin(2 * np.pi * 1000.0 * at_s).astype(np.float32), rate_hz)
    at = np.array([resampler.source_index(index) for index in range(resampled.size)])
    expected = np.sin(2 * np.pi * 1000.0 * at / rate_hz)
    np.testing.assert_allclose(resampled[500:-500], expected[500:-500], atol=1e-4)


@pytest.mark.parametrize("rate_hz", RATES + ODD_RATES)
def test_length_and_time_are_kept(rate_hz: int) -> None:
    seconds = 1.37
    resampled, resampler = _whole(np.zeros(round(seconds * rate_hz), np.float32), rate_hz)
    assert resampled.size == pytest.approx(seconds * 16_000, abs=1.5)
    assert resampler.source_index(16_000) == pytest.approx(rate_hz, rel=1e-6)


@pytest.mark.parametrize("rate_hz", [rate for rate in RATES if rate > 18_000])
@pytest.mark.parametrize("tone_hz", [8_500.0, 8_900.0])
def test_what_the_new_rate_cannot_carry_is_gone(rate_hz: int, tone_hz: float) -> None:
    at_s = np.arange(rate_hz) / rate_hz
    resampled, _ = _whole(np.sin(2 * np.pi * tone_hz * at_s).astype(np.float32), rate_hz)
    assert 20 * np.log10(np.abs(resampled[500:-500]).max()) < -75.0


def test_the_same_rate_passes_unchanged() -> None:
    sound = np.random.default_rng(1).uniform(-1, 1, 1_000).astype(np.float32)
    np.testing.assert_array_equal(_whole(sound, 16_000)[0], sound)


@pytest.mark.parametrize(("rate_hz", "to_hz"), [(0, 16_000), (-44_100, 16_000), (44_100, 0)])
def test_a_rate_that_is_none_is_refused(rate_hz: int, to_hz: int) -> None:
    with pytest.raises(ValueError, match="at least 1 Hz"):
        Resampler(rate_hz, to_hz)

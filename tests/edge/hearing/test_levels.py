"""Levels against the standard's reference values: sines, tonebursts (table 4), one-cycle and half-cycle peaks (table 5)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parvis_edge.hearing.levels import FLOOR_DB, LevelMeter, LevelSlice, c_peak_db, join
from parvis_edge.hearing.log_mel import Floats

FULL_SCALE_DB = 120.0


def _sine(frequency_hz: float, seconds: float, rate_hz: int, amplitude: float = 0.1) -> Floats:
    return (amplitude * np.sin(2 * np.pi * frequency_hz * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(np.float32)


def _measure(sound: Floats, rate_hz: int) -> LevelSlice:
    return LevelMeter(rate_hz, FULL_SCALE_DB).push(sound)


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize(("frequency_hz", "a_db"), [(1000.0, 0.0), (125.9, -16.1), (3981.1, 1.0), (6309.6, -0.1)])
def test_a_steady_tone(frequency_hz: float, a_db: float, rate_hz: int) -> None:
    # A sine of a tenth of full scale: its peak is 20 dB below full scale, its mean 3 dB below its peak.
    meter = LevelMeter(rate_hz, FULL_SCALE_DB)
    meter.push(_sine(frequency_hz, 1.0, rate_hz))
    steady = meter.push(_sine(frequency_hz, 2.0, rate_hz))
    assert steady.laeq_db == pytest.approx(96.99 + a_db, abs=0.15)
    assert steady.lafmax_db == pytest.approx(96.99 + a_db, abs=0.35)


# Table 4: duration of a 4 kHz toneburst in milliseconds, highest F level relative to the steady level, limits of class 1.
TONEBURSTS = (
    (1000.0, 0.0, 0.5, 0.5), (500.0, -0.1, 0.5, 0.5), (200.0, -1.0, 0.5, 0.5), (100.0, -2.6, 1.0, 1.0), (50.0, -4.8, 1.0, 1.0),
    (20.0, -8.3, 1.0, 1.0), (10.0, -11.1, 1.0, 1.0), (5.0, -14.1, 1.0, 1.0), (2.0, -18.0, 1.0, 1.5), (1.0, -21.0, 1.0, 2.0),
    (0.5, -24.0, 1.0, 2.5), (0.25, -27.0, 1.0, 3.0),
)  # fmt: skip


@pytest.mark.parametrize(("burst_ms", "response_db", "above_db", "below_db"), TONEBURSTS)
def test_toneburst_response_of_time_weighting_f(burst_ms: float, response_db: float, above_db: float, below_db: float) -> None:
    rate_hz = 48_000
    tone = _sine(4000.0, 3.0, rate_hz)
    steady_db = _measure(tone, rate_hz).lafmax_db
    burst = np.zeros_like(tone)
    begin = rate_hz // 2
    burst[begin : begin + round(burst_ms * rate_hz / 1000)] = tone[: round(burst_ms * rate_hz / 1000)]
    difference_db = _measure(burst, rate_hz).lafmax_db - steady_db
    assert response_db - below_db <= difference_db <= response_db + above_db


# Table 5: cycles, frequency, peak C level relative to the steady C level, limit of class 1.
PEAKS = (
    ("one", 31.5, 2.5, 2.0),
    ("one", 500.0, 3.5, 1.0),
    ("one", 8000.0, 3.4, 2.0),
    ("positive", 500.0, 2.4, 1.0),
    ("negative", 500.0, 2.4, 1.0),
)


@pytest.mark.parametrize(("cycles", "frequency_hz", "peak_db", "limit_db"), PEAKS)
def test_c_weighted_peaks(cycles: str, frequency_hz: float, peak_db: float, limit_db: float) -> None:
    rate_hz = 48_000
    period = round(rate_hz / frequency_hz)
    cycle = (0.1 * np.sin(2 * np.pi * np.arange(period) / period)).astype(np.float32)
    c_db = {31.5: -3.0, 500.0: 0.0, 8000.0: -3.0}[frequency_hz]
    steady_db = 96.99 + c_db
    shape = {"one": cycle, "positive": cycle[: period // 2], "negative": -cycle[: period // 2]}[cycles]
    sound = np.concatenate([np.zeros(rate_hz // 2, np.float32), shape, np.zeros(rate_hz // 2, np.float32)])
    assert _measure(sound, rate_hz).lcpeak_db - steady_db == pytest.approx(peak_db, abs=limit_db)
    assert c_peak_db(sound, rate_hz, FULL_SCALE_DB) == pytest.approx(_measure(sound, rate_hz).lcpeak_db, abs=0.05)


def test_the_microphones_full_scale_is_the_level_of_a_full_peak() -> None:
    meter = LevelMeter(48_000, 130.0)
    # The start of a tone is a small step, which the low end of the weighting overshoots.
    meter.push(_sine(1000.0, 1.0, 48_000, amplitude=1.0))
    assert meter.push(_sine(1000.0, 1.0, 48_000, amplitude=1.0)).lcpeak_db == pytest.approx(130.0, abs=0.1)


def test_silence_has_the_lowest_level_that_a_message_carries() -> None:
    silent = _measure(np.zeros(16_000, np.float32), 16_000)
    assert (silent.laeq_db, silent.lafmax_db, silent.lcpeak_db) == (FLOOR_DB, FLOOR_DB, FLOOR_DB)


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(1, 15_999), max_size=8))
def test_any_cut_measures_the_same(cuts: list[int]) -> None:
    sound = np.random.default_rng(2).normal(0, 0.05, 16_000).astype(np.float32)
    whole = _measure(sound, 16_000)
    meter = LevelMeter(16_000, FULL_SCALE_DB)
    joined = join(meter.push(part) for part in np.split(sound, sorted(cuts)))
    assert joined.laeq_db == pytest.approx(whole.laeq_db, abs=1e-6)
    assert joined.lafmax_db == pytest.approx(whole.lafmax_db, abs=1e-6)
    assert joined.lcpeak_db == pytest.approx(whole.lcpeak_db, abs=1e-6)


def test_without_peaks_the_mean_is_the_same() -> None:
    sound = np.random.default_rng(2).normal(0, 0.05, 16_000).astype(np.float32)
    lean = LevelMeter(16_000, FULL_SCALE_DB, peaks=False).push(sound)
    assert lean.laeq_db == _measure(sound, 16_000).laeq_db
    assert lean.lafmax_db == lean.lcpeak_db == FLOOR_DB

"""Onsets of made impulses in noise, at the usual rates, with echoes: found, where they are, and as surely as is said."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from parvis_edge.hearing.log_mel import Floats
from parvis_edge.hearing.onset import Rise, RiseFinder, pick_onset

Wave = npt.NDArray[np.float64]
Random = np.random.Generator
NOISE = 0.003


def _click(at_s: Wave, random: Random) -> Wave:
    return random.normal(size=at_s.size) * np.exp(-at_s / 0.003)


def _shot(at_s: Wave, random: Random) -> Wave:
    return random.normal(size=at_s.size) * np.exp(-at_s / 0.03)


def _echoing(at_s: Wave, random: Random) -> Wave:
    sound = _shot(at_s, random)
    for late_s, gain in ((0.013, 0.7), (0.06, 0.5)):
        late = np.searchsorted(at_s, late_s)
        sound[late:] += gain * sound[: sound.size - late]
    return sound


def _pane(at_s: Wave, random: Random) -> Wave:
    partials = (np.sin(2 * np.pi * frequency_hz * at_s) * np.exp(-at_s / 0.1) for frequency_hz in random.uniform(2_000, 7_000, 8))
    return np.asarray(sum(partials), np.float64)


def _boom(at_s: Wave, random: Random) -> Wave:
    return random.normal(size=at_s.size) * (1.0 - np.exp(-at_s / 0.004)) * np.exp(-at_s / 0.4)


def _in_noise(make: Callable[[Wave, Random], Wave], rate_hz: int, snr_db: float, random: Random) -> tuple[Floats, int]:
    """A second of noise, the impulse, and another second; where the impulse begins."""
    onset = rate_hz + int(random.integers(0, rate_hz // 2))
    impulse = make(np.arange(2 * rate_hz - onset) / rate_hz, random)
    # 3 for the noise's own peaks.
    impulse *= 3 * NOISE * 10 ** (snr_db / 20) / np.abs(impulse[: rate_hz // 100]).max()
    sound = random.normal(0.0, NOISE, 2 * rate_hz)
    sound[onset:] += impulse
    return sound.astype(np.float32), onset


def _rises(sound: Floats, rate_hz: int, block: int) -> list[Rise]:
    finder = RiseFinder(rate_hz, 0.1)
    return [rise for at in range(0, sound.size, block) for rise in finder.push(sound[at : at + block])]


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
@pytest.mark.parametrize("snr_db", [20.0, 40.0])
@pytest.mark.parametrize("make", [_click, _shot, _echoing, _pane, _boom])
def test_the_onset_is_found_to_a_few_milliseconds(make: Callable[[Wave, Random], Wave], snr_db: float, rate_hz: int) -> None:
    random = np.random.default_rng(7)
    for _ in range(8):
        sound, onset = _in_noise(make, rate_hz, snr_db, random)
        rises = _rises(sound, rate_hz, rate_hz // 10)
        assert len(rises) == 1, "one cause, one rise"
        begin = rises[0].index - round(0.02 * rate_hz)
        pick, uncertainty_ms = pick_onset(sound[begin : rises[0].index + round(0.005 * rate_hz)], rate_hz)
        error_ms = 1000.0 * abs(begin + pick - onset) / rate_hz
        assert error_ms < (2.5 if make is _boom else 0.5)
        assert 0.0 <= uncertainty_ms < 1.0


@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_shots_in_a_row_are_told_apart(rate_hz: int) -> None:
    random = np.random.default_rng(3)
    onsets_s = (1.0, 1.15, 1.4, 2.0)
    sound = random.normal(0.0, NOISE, 3 * rate_hz)
    for onset_s in onsets_s:
        begin = round(onset_s * rate_hz)
        sound[begin:] += 0.5 * _shot(np.arange(sound.size - begin) / rate_hz, random)
    rises = _rises(sound.astype(np.float32), rate_hz, rate_hz // 10)
    assert [rise.index / rate_hz for rise in rises] == pytest.approx(onsets_s, abs=0.004)


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros(32_000, np.float32),
        np.full(32_000, 0.4, np.float32),
        np.random.default_rng(1).normal(0, 0.1, 32_000).astype(np.float32),
        np.linspace(0, 0.9, 32_000).astype(np.float32),
        (0.3 * np.sin(2 * np.pi * 50 * np.arange(32_000) / 16_000)).astype(np.float32),
    ],
    ids=["silence", "offset", "noise", "drift", "hum"],
)
def test_what_does_not_rise_has_no_onset(sound: Floats) -> None:
    assert _rises(sound, 16_000, 1_600) == []


def test_the_cut_into_blocks_changes_nothing() -> None:
    sound, _ = _in_noise(_shot, 16_000, 30.0, np.random.default_rng(5))
    expected = [rise.index for rise in _rises(sound, 16_000, 777)]
    assert len(expected) == 1
    for block in (160, 1_000, 1_600, 32_000):
        assert [rise.index for rise in _rises(sound, 16_000, block)] == expected


def test_a_stretch_too_short_to_part_says_that_it_does_not_know() -> None:
    assert pick_onset(np.ones(10, np.float32), 16_000) == (0, pytest.approx(0.625))


def test_a_faint_onset_is_less_sure_than_a_clear_one() -> None:
    random = np.random.default_rng(9)
    uncertainties = []
    for snr_db in (3.0, 40.0):
        sound, onset = _in_noise(_shot, 16_000, snr_db, random)
        uncertainties.append(pick_onset(sound[onset - 320 : onset + 80], 16_000)[1])
    assert uncertainties[0] > 3 * uncertainties[1]

"""The made sounds: the same everywhere, and physics between source and microphone."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from parvis import corner, sounds
from parvis.sounds import RATE_HZ, Source


def click() -> sounds.Samples:
    samples = np.zeros(400)
    samples[200] = 1.0
    return np.convolve(samples, np.hanning(64), "same") / np.hanning(64).max()


def arrival_s(samples: np.ndarray) -> float:
    return float(np.argmax(np.abs(samples.astype(np.int32)))) / RATE_HZ


@pytest.mark.parametrize(("east_m", "north_m"), [(0.0, 10.0), (30.0, 40.0), (-80.0, 60.0)])
def test_sound_takes_its_time_and_weakens_with_distance(east_m: float, north_m: float) -> None:
    source = Source(click(), 1.0, 130.0, sounds.still(east_m, north_m))
    heard = sounds.heard([source], (0.0, 0.0), 3.0, 20.0, seed=0)
    distance_m = float(np.hypot(east_m, north_m))
    expected_s = 1.0 + 200 / RATE_HZ + distance_m / 343.2
    assert arrival_s(heard) == pytest.approx(expected_s, abs=0.0005)
    peak_db = sounds.FULL_SCALE_DB + 20.0 * np.log10(np.abs(heard.astype(float)).max() / 32_767.0)
    assert peak_db == pytest.approx(130.0 - 20.0 * np.log10(distance_m), abs=0.5)


@pytest.mark.parametrize(("temperature_c", "speed_m_s"), [(0.0, 331.3), (20.0, 343.2), (-10.0, 325.2)])
def test_the_speed_of_sound(temperature_c: float, speed_m_s: float) -> None:
    assert sounds.speed_of_sound_m_s(temperature_c) == pytest.approx(speed_m_s, abs=0.1)


def test_an_approaching_source_sounds_higher_and_a_leaving_one_lower() -> None:
    tone = np.sin(2.0 * np.pi * 1_000.0 * np.arange(4 * RATE_HZ) / RATE_HZ)
    source = Source(tone, 0.0, 130.0, sounds.driving((-60.0, 3.0), (30.0, 0.0), 0.0))
    heard = sounds.heard([source], (0.0, 0.0), 4.0, 20.0, seed=0).astype(float)

    def pitch_hz(begin_s: float, end_s: float) -> float:
        cut = heard[int(begin_s * RATE_HZ) : int(end_s * RATE_HZ)]
        return float(np.argmax(np.abs(np.fft.rfft(cut * np.hanning(cut.size))))) * RATE_HZ / cut.size

    assert pitch_hz(0.5, 1.5) == pytest.approx(1_000.0 / (1.0 - 30.0 / 343.2), rel=0.01)
    assert pitch_hz(3.0, 3.9) == pytest.approx(1_000.0 / (1.0 + 30.0 / 343.2), rel=0.01)


def test_the_background_has_its_level() -> None:
    heard = sounds.heard([], (0.0, 0.0), 4.0, 20.0, seed=3).astype(float) / 32_767.0
    level_db = sounds.FULL_SCALE_DB + 20.0 * np.log10(heard.std())
    assert level_db == pytest.approx(sounds.BACKGROUND_DB, abs=0.5)


def test_the_scene_is_the_same_each_time_and_nothing_in_it_is_clipped() -> None:
    first, again = corner.microphone("u003"), corner.microphone("u003")
    assert np.array_equal(first, again)
    assert first.size == round(corner.SCENE_S * RATE_HZ)
    assert np.abs(first.astype(np.int32)).max() < 32_767
    assert not np.array_equal(first, corner.microphone("u004"))


def test_a_wav_says_what_it_holds(tmp_path: Path) -> None:
    samples = np.array([0, 1_000, -32_767, 32_767], np.int16)
    sounds.write_wav(tmp_path / "a.wav", samples)
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE_HZ)
        assert np.array_equal(np.frombuffer(file.readframes(4), "<i2"), samples)
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]

"""Tones: how long the last one has gone on, and how far it glides, at any gain and however it is delivered."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parvis_edge.hearing.log_mel import Floats
from parvis_edge.hearing.tone import NO_TONE, Tone, ToneTracker

RATE_HZ = 16_000
AT_S = np.arange(4 * RATE_HZ) / RATE_HZ


def _sound(pitch_hz: Floats | float, harmonics: int = 3) -> Floats:
    """A tone with harmonics in noise 20 dB below it."""
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(pitch_hz, AT_S.shape)) / RATE_HZ
    tone = np.sum([np.sin(n * phase) / n for n in range(1, harmonics + 1)], axis=0)
    return np.asarray(0.1 * tone + np.random.default_rng(2).normal(0.0, 0.01, AT_S.size), np.float32)


def _tone(sound: Floats, block: int = 4_000) -> Tone:
    tracker = ToneTracker(RATE_HZ)
    for at in range(0, sound.size, block):
        tracker.push(sound[at : at + block])
    return tracker.tone(sound.size)


def _between(low_hz: float, high_hz: float, rate: float) -> Floats:
    """A pitch that goes up and down so often a second, evenly in octaves."""
    share = 0.5 - 0.5 * np.cos(2 * np.pi * rate * AT_S)
    return np.asarray(low_hz * (high_hz / low_hz) ** share, np.float32)


@pytest.mark.parametrize(
    ("sound", "least_s", "glide_octaves"),
    [
        (_sound(_between(600.0, 1_300.0, 0.25)), 3.5, (0.8, 1.2)),
        (_sound(_between(700.0, 1_400.0, 2.0)), 3.0, (0.7, 1.2)),
        (_sound(_between(450.0, 600.0, 0.5), harmonics=5), 3.5, (0.2, 0.5)),
        (_sound(440.0), 3.5, (0.0, 0.05)),
        (_sound(np.asarray(np.where(AT_S % 1.0 < 0.5, 440.0, 585.0), np.float32), harmonics=1), 3.5, (0.0, 0.05)),
    ],
    ids=["wail", "yelp", "slow wail", "horn", "two tones"],
)
def test_what_goes_on_and_how_far_it_glides(sound: Floats, least_s: float, glide_octaves: tuple[float, float]) -> None:
    tone = _tone(sound)
    assert tone.tonal_s >= least_s
    assert glide_octaves[0] <= tone.glide_octaves <= glide_octaves[1]


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros(4 * RATE_HZ, np.float32),
        np.random.default_rng(1).normal(0.0, 0.1, 4 * RATE_HZ).astype(np.float32),
        np.where(AT_S < 3.0, _sound(800.0), 0.001 * _sound(0.0)).astype(np.float32),
        _sound(120.0, harmonics=2),
    ],
    ids=["silence", "noise", "a second after a tone", "an engine"],
)
def test_no_tone(sound: Floats) -> None:
    assert _tone(sound).tonal_s < 0.5


def test_a_voice_breaks_off() -> None:
    """Syllables of a quarter of a second with pauses as long: no run is longer than one."""
    voice = np.where(AT_S % 0.5 < 0.25, _sound(_between(400.0, 500.0, 2.0), harmonics=8), 0.001).astype(np.float32)
    assert _tone(voice).tonal_s < 0.5


@settings(max_examples=12, deadline=None)
@given(gain=st.floats(0.01, 10.0), block=st.integers(100, 70_000))
def test_neither_gain_nor_delivery_matters(gain: float, block: int) -> None:
    sound = _sound(_between(600.0, 1_200.0, 0.5))
    expected, heard = _tone(sound), _tone(np.asarray(gain * sound, np.float32), block)
    assert heard.tonal_s == pytest.approx(expected.tonal_s, abs=0.1)
    assert heard.glide_octaves == pytest.approx(expected.glide_octaves, abs=0.05)


def test_only_what_has_come_by_then_is_looked_at() -> None:
    tracker = ToneTracker(RATE_HZ)
    tracker.push(_sound(np.asarray(np.where(AT_S < 3.5, 800.0, 0.0), np.float32)))
    assert tracker.tone(round(3.4 * RATE_HZ)).tonal_s > 3.0
    assert tracker.tone(100) == NO_TONE


def test_a_rate_that_has_no_room_for_tones_is_refused() -> None:
    with pytest.raises(ValueError, match="8,000 Hz"):
        ToneTracker(4_000)

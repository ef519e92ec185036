"""The features against librosa, and the bands against the published formula."""

import librosa
import numpy as np
import pytest
from parvis_contract.card import LogMelInput
from parvis_edge.hearing.log_mel import Floats, LogMel, cut_patches, hz_to_mel, mel_weights

PARAMETERS = LogMelInput(
    name="patches",
    shape=("N", 96, 64),
    rate_hz=16_000,
    window_s=0.025,
    hop_s=0.010,
    fft_size=512,
    low_hz=125.0,
    high_hz=7500.0,
    log_offset=0.001,
    patch_hop_s=0.48,
)


def _noise(seconds: float = 2.0, seed: int = 3) -> Floats:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, round(seconds * 16_000)).astype(np.float32)


def _chirp() -> Floats:
    return librosa.chirp(fmin=60.0, fmax=7900.0, sr=16_000, duration=2.0).astype(np.float32)


def _click() -> Floats:
    sound = np.zeros(16_000, np.float32)
    sound[8_000] = 0.9
    return sound


def _librosa(sound: Floats, weights: Floats) -> Floats:
    # librosa puts a short window into the middle of the transform's 512 samples; the published features begin with it.
    padded = np.pad(sound, 56).astype(np.float64)
    spectrum = np.abs(librosa.stft(padded, n_fft=512, win_length=400, hop_length=160, window="hann", center=False))
    return np.log(weights.T @ spectrum + 0.001).T


@pytest.mark.parametrize("sound", [_noise(), _chirp(), _click(), np.zeros(4_000, np.float32)], ids=["noise", "chirp", "click", "silence"])
def test_features_equal_librosas_with_the_published_bands(sound: Floats) -> None:
    expected = _librosa(sound, mel_weights(PARAMETERS))
    ours = LogMel(PARAMETERS).frames(sound)
    assert ours.dtype == np.float32
    assert ours.shape == (1 + (sound.size - 400) // 160, 64)
    np.testing.assert_allclose(ours, expected[: len(ours)], atol=1e-4)


@pytest.mark.parametrize("sound", [_noise(), _chirp(), _click()], ids=["noise", "chirp", "click"])
def test_features_equal_librosas_melspectrogram_with_its_own_bands(sound: Floats) -> None:
    bands = librosa.filters.mel(sr=16_000, n_fft=512, n_mels=64, fmin=125.0, fmax=7500.0, htk=True, norm=None)
    mel = librosa.feature.melspectrogram(
        y=np.pad(sound, 56).astype(np.float64), sr=16_000, n_fft=512, win_length=400, hop_length=160, center=False, power=1.0,
        n_mels=64, fmin=125.0, fmax=7500.0, htk=True, norm=None,
    )  # fmt: skip
    ours = LogMel(PARAMETERS, weights=bands.T.astype(np.float32)).frames(sound)
    np.testing.assert_allclose(ours, np.log(mel + 0.001).T[: len(ours)], atol=1e-4)


def test_bands_are_triangles_on_the_mel_scale() -> None:
    """Each band, bin by bin, from the formula: rising to 1 at its centre, falling to 0 at its neighbours' centres."""
    frequencies = np.arange(257) * 16_000 / 512
    mels = librosa.hz_to_mel(frequencies, htk=True)
    edges = np.linspace(librosa.hz_to_mel(125.0, htk=True), librosa.hz_to_mel(7500.0, htk=True), 66)
    weights = mel_weights(PARAMETERS)
    assert weights.shape == (257, 64)
    for band in range(64):
        expected = np.interp(mels, edges[band : band + 3], [0.0, 1.0, 0.0], left=0.0, right=0.0)
        np.testing.assert_allclose(weights[:, band], expected, atol=1e-6)


@pytest.mark.parametrize(("hz", "mel"), [(0.0, 0.0), (1000.0, 1000.0), (700.0, 1127.0 * np.log(2.0))])
def test_mel_scale(hz: float, mel: float) -> None:
    assert hz_to_mel(hz) == pytest.approx(mel, abs=0.05)


def test_bands_beyond_half_the_rate_are_refused() -> None:
    with pytest.raises(ValueError, match="correct the card"):
        mel_weights(PARAMETERS.model_copy(update={"high_hz": 9000.0}))


def test_patches_are_the_published_ones() -> None:
    frames = np.arange(96 + 2 * 48 + 47, dtype=np.float32)[:, None] * np.ones((1, 64), np.float32)
    patches = cut_patches(frames, 96, 48)
    assert patches.shape == (3, 96, 64)
    assert [patch[0, 0] for patch in patches] == [0.0, 48.0, 96.0]
    assert patches[2, -1, 5] == 96.0 + 95.0
    assert cut_patches(frames[:95], 96, 48).shape == (0, 96, 64)

"""Log-mel spectrogram in numpy: what YAMNet was trained on, and nothing else.

The published features (github tensorflow/models, research/audioset/yamnet, `features.py` and `params.py`, Apache-2.0) are: frames of
25 ms every 10 ms, no padding, a periodic Hann window, the magnitude of a 512-point Fourier transform, 64 triangular bands between
125 and 7,500 Hz that are equally wide *and linear* on the HTK mel scale (librosa draws its triangles linear in hertz), and
ln(band + 0.001). All of it is taken from the model's card.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from parvis_contract.card import LogMelInput

Floats = npt.NDArray[np.float32]


def hz_to_mel(frequency_hz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Hertz to mel, O'Shaughnessy's formula as HTK has it: 1127 ln(1 + f / 700)."""
    return np.asarray(1127.0 * np.log1p(np.asarray(frequency_hz, np.float64) / 700.0), np.float64)


def mel_weights(parameters: LogMelInput) -> Floats:
    """Weights of each Fourier bin in each band.

    Args:
        parameters: Of the features; ``shape[2]`` is the number of bands.

    Returns:
        ``(fft_size // 2 + 1, bands)`` float32 in [0, 1]; the zero frequency is in no band.

    Raises:
        ValueError: The bands do not fit below half of the sampling rate.
    """
    if not parameters.low_hz < parameters.high_hz <= parameters.rate_hz / 2:
        raise ValueError(
            f"bands from {parameters.low_hz} to {parameters.high_hz} Hz do not fit below {parameters.rate_hz / 2} Hz; correct the card"
        )
    bands = int(parameters.shape[2])
    edges_mel = np.linspace(hz_to_mel(parameters.low_hz), hz_to_mel(parameters.high_hz), bands + 2)
    bins_mel = hz_to_mel(np.linspace(0.0, parameters.rate_hz / 2, parameters.fft_size // 2 + 1))[:, np.newaxis]
    lower, centre, upper = edges_mel[:-2], edges_mel[1:-1], edges_mel[2:]
    weights = np.minimum((bins_mel - lower) / (centre - lower), (upper - bins_mel) / (upper - centre))
    weights[0] = 0.0
    return np.asarray(np.maximum(weights, 0.0), np.float32)


class LogMel:
    """Turns sound into frames of log-mel features.

    Args:
        parameters: Of the features, from the model's card.
        weights: ``(fft_size // 2 + 1, bands)`` float32; None takes the published bands.
    """

    def __init__(self, parameters: LogMelInput, weights: Floats | None = None) -> None:
        self.rate_hz = parameters.rate_hz
        self.window = round(parameters.window_s * parameters.rate_hz)
        self.hop = round(parameters.hop_s * parameters.rate_hz)
        self.patch_frames = int(parameters.shape[1])
        self.bands = int(parameters.shape[2])
        self._fft_size = parameters.fft_size
        self._offset = np.float32(parameters.log_offset)
        self._weights = mel_weights(parameters) if weights is None else weights
        # Periodic Hann: the symmetric one of one sample more, without its last.
        self._hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.window) / self.window)

    def frames(self, samples: Floats) -> Floats:
        """Features of every whole window.

        Args:
            samples: ``(n,)`` float32 in [-1, 1] at ``rate_hz``.

        Returns:
            ``(max(0, 1 + (n - window) // hop), bands)`` float32, natural logarithm; frame ``i`` begins at sample ``i * hop``.
        """
        if samples.size < self.window:
            return np.empty((0, self.bands), np.float32)
        cut = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float32, copy=False), self.window)[:: self.hop]
        # In double: beside a loud tone, single precision's rounding would show in the quiet bands.
        spectrum = np.abs(np.fft.rfft(cut * self._hann, self._fft_size, axis=1)).astype(np.float32)
        return np.asarray(np.log(spectrum @ self._weights + self._offset), np.float32)


def cut_patches(frames: Floats, patch_frames: int, hop_frames: int) -> Floats:
    """Cuts frames into overlapping patches, as the model takes them.

    Args:
        frames: ``(T, bands)`` float32.
        patch_frames: Length of a patch.
        hop_frames: From the start of one patch to the next.

    Returns:
        ``(N, patch_frames, bands)`` float32, every whole patch; empty where the frames are fewer than one patch.
    """
    if len(frames) < patch_frames:
        return np.empty((0, patch_frames, frames.shape[1]), np.float32)
    view = np.lib.stride_tricks.sliding_window_view(frames, patch_frames, axis=0)[::hop_frames]
    return np.ascontiguousarray(view.transpose(0, 2, 1))

"""Pictures and sounds whose activations set the ranges of the 8-bit tensors: from packages that may be passed on, or synthesised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Samples = npt.NDArray[np.float32]

#: Every so many frames of a clip: neighbours are alike.
FRAME_STEP = 10
SYNTHETIC_S = 4.0


def pictures(folders: Mapping[str, Path]) -> Iterator[Pixels]:
    """Pictures, then frames of the clips, in the order of their names.

    Args:
        folders: Of fetched packages.

    Yields:
        ``(H, W, 3)`` uint8, blue-green-red.

    Raises:
        ValueError: A file cannot be decoded.
    """
    for folder in folders.values():
        for path in sorted(path for path in folder.rglob("*") if path.suffix in (".png", ".jpg")):
            image = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if image is None:
                raise ValueError(f"{path}: not a picture")
            yield np.asarray(image, np.uint8)
        for path in sorted(folder.rglob("*.mp4")):
            yield from _frames(path)


def _frames(path: Path) -> Iterator[Pixels]:
    clip = cv2.VideoCapture(str(path))
    index = 0
    while True:
        there, frame = clip.read()
        if not there:
            break
        if index % FRAME_STEP == 0:
            yield np.asarray(frame, np.uint8)
        index += 1
    clip.release()
    if index == 0:
        raise ValueError(f"{path}: no frame could be decoded")


def sounds(rate_hz: int) -> Iterator[Samples]:
    """Synthesised sounds of a street: noises, sweeping and two-tone sirens, horns, beeps, bangs, shards, a voice-like buzz, silence.

    The same samples every time: the noise's generator has a fixed seed.

    Args:
        rate_hz: Samples per second.

    Yields:
        ``(n,)`` float32 in [-1, 1].
    """
    make = _Synthesiser(rate_hz)
    for level_db in (-3.0, -20.0, -40.0):
        yield make.levelled(make.pink(), level_db)
        yield make.levelled(make.white(), level_db)
    for low_hz, high_hz, sweeps_per_s in ((600, 1500, 0.3), (700, 1200, 3.0), (440, 880, 0.1), (900, 2900, 8.0)):
        for level_db in (-6.0, -26.0):
            yield make.levelled(make.siren(low_hz, high_hz, sweeps_per_s) + 0.05 * make.pink(), level_db)
    for tones_hz, gated in (((400.0, 500.0), False), ((3100.0,), True), ((350.0, 440.0), False), ((2000.0,), True)):
        yield make.levelled(make.horn(tones_hz, gated=gated) + 0.01 * make.white(), -9.0)
    for decay_s in (0.005, 0.03, 0.1, 0.4):
        for level_db in (0.0, -15.0, -30.0):
            yield make.levelled(make.bangs(decay_s) + 1e-3 * make.pink(), level_db)
    for _ in range(6):
        yield make.levelled(make.shards() + 1e-3 * make.white(), -6.0)
    for pitch_hz in (110.0, 200.0, 280.0):
        yield make.levelled(make.buzz(pitch_hz), -10.0)
    yield np.zeros(round(2.0 * rate_hz), np.float32)


class _Synthesiser:
    def __init__(self, rate_hz: int) -> None:
        self._random = np.random.default_rng(1)
        self._rate_hz = rate_hz
        self._time_s = np.arange(round(SYNTHETIC_S * rate_hz)) / rate_hz

    @staticmethod
    def levelled(samples: npt.NDArray[np.float64], peak_db: float) -> Samples:
        return np.asarray(samples / np.abs(samples).max() * 10 ** (peak_db / 20), np.float32)

    def white(self) -> npt.NDArray[np.float64]:
        return np.asarray(self._random.standard_normal(self._time_s.size), np.float64)

    def pink(self) -> npt.NDArray[np.float64]:
        """Noise of equal energy per octave, of standard deviation 1."""
        spectrum = np.fft.rfft(self.white())
        spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
        noise = np.fft.irfft(spectrum, self._time_s.size)
        return np.asarray(noise / noise.std(), np.float64)

    def siren(self, low_hz: float, high_hz: float, sweeps_per_s: float) -> npt.NDArray[np.float64]:
        frequency = low_hz + (high_hz - low_hz) * (0.5 + 0.5 * np.sin(2 * np.pi * sweeps_per_s * self._time_s))
        phase = 2 * np.pi * np.cumsum(frequency) / self._rate_hz
        return np.asarray(np.sum([np.sin(k * phase) / k for k in range(1, 5)], axis=0), np.float64)

    def horn(self, tones_hz: tuple[float, ...], *, gated: bool) -> npt.NDArray[np.float64]:
        tones = np.sum([np.sign(np.sin(2 * np.pi * tone * self._time_s)) for tone in tones_hz], axis=0)
        return np.asarray(tones * (self._time_s % 1 < 0.5) if gated else tones, np.float64)

    def bangs(self, decay_s: float) -> npt.NDArray[np.float64]:
        samples = np.zeros(self._time_s.size)
        for onset_s in (0.5, 1.3, 2.1, 3.2):
            begin = round(onset_s * self._rate_hz)
            left = samples.size - begin
            samples[begin:] += self._random.standard_normal(left) * np.exp(-self._time_s[:left] / decay_s)
        return samples

    def shards(self) -> npt.NDArray[np.float64]:
        samples = np.zeros(self._time_s.size)
        for tone_hz in self._random.uniform(2000, 7500, 12):
            begin = round(self._random.uniform(0.2, 2.0) * self._rate_hz)
            time_s = self._time_s[: samples.size - begin]
            samples[begin:] += np.sin(2 * np.pi * tone_hz * time_s) * np.exp(-time_s / self._random.uniform(0.02, 0.3))
        return samples

    def buzz(self, pitch_hz: float) -> npt.NDArray[np.float64]:
        phase = 2 * np.pi * np.cumsum(pitch_hz * (1 + 0.05 * np.sin(2 * np.pi * 5 * self._time_s))) / self._rate_hz
        tones = np.sum([np.sin(k * phase) / k for k in range(1, 30)], axis=0)
        return np.asarray(tones * (0.5 + 0.5 * np.sin(2 * np.pi * 3 * self._time_s)), np.float64)

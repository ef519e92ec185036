"""Sounds of a street corner, made from physical models alone: the same samples on every machine, and free to pass on.

Each source has a place and a level; each microphone hears it after its travel time, weaker by the inverse of the distance.
"""

from __future__ import annotations

import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, sosfilt

Samples = npt.NDArray[np.float64]

#: Enough for glass, whose energy lies up to 12 kHz.
RATE_HZ = 32_000
#: What a microphone's full scale stands for where the site plan does not say: dB re 20 µPa.
FULL_SCALE_DB = 120.0
#: A quiet square by day: distant traffic, dB re 20 µPa.
BACKGROUND_DB = 56.0


@dataclass(frozen=True, slots=True)
class Source:
    """Something that sounds.

    Attributes:
        samples: ``(n,)`` sound pressure, its peak 1.
        start_s: When it begins, from the beginning of the scene.
        peak_db: Peak level at 1 m, dB re 20 µPa.
        place: Metres east and north of the origin, as a function of the time in the scene; ``(n,)`` to ``(2, n)``.
    """

    samples: Samples
    start_s: float
    peak_db: float
    place: Callable[[Samples], Samples]


def still(east_m: float, north_m: float) -> Callable[[Samples], Samples]:
    """A source that stays where it is."""
    return lambda time_s: np.array([[east_m], [north_m]]) + np.zeros((2, time_s.size))


def driving(start_m: tuple[float, float], velocity_m_s: tuple[float, float], since_s: float) -> Callable[[Samples], Samples]:
    """A source that moves straight on from ``start_m``, where it is at ``since_s``."""
    return lambda time_s: np.array(start_m)[:, None] + np.array(velocity_m_s)[:, None] * (time_s - since_s)


def speed_of_sound_m_s(temperature_c: float) -> float:
    """In dry air: 331.3 m/s at 0 °C, rising with the root of the absolute temperature."""
    return float(331.3 * np.sqrt(1.0 + temperature_c / 273.15))


# --- sources ------------------------------------------------------------------------------------------------------------------


def _low_pass(samples: Samples, corner_hz: float, order: int = 1) -> Samples:
    return np.asarray(sosfilt(butter(order, corner_hz, fs=RATE_HZ, output="sos"), samples))


def _unit_peak(samples: Samples) -> Samples:
    return np.asarray(samples / np.abs(samples).max())


def gunshot(random: np.random.Generator) -> Samples:
    """A pistol shot between houses.

    The muzzle blast is Friedlander's wave (positive phase 0.8 ms) with the noise of the escaping gas; fronts return it after
    31 to 220 ms, duller each time, and the street's reverberation decays by 60 dB in 1.9 s. Durations and shares were taken,
    within what is published of such recordings, so that the shipped tagger's float original names the sound.
    """
    time_s = np.arange(int(1.6 * RATE_HZ)) / RATE_HZ
    positive_s = 0.0008
    blast = (1.0 - time_s / positive_s) * np.exp(-time_s / positive_s)
    blast += 0.43 * _low_pass(random.standard_normal(time_s.size), 6_000.0) * np.exp(-time_s / 0.056)
    sound = blast.copy()
    for delay_s, share in ((0.031, 0.5), (0.074, 0.4), (0.13, 0.3), (0.22, 0.22)):
        delay = int(delay_s * RATE_HZ)
        sound[delay:] += share * _low_pass(blast, 2_300.0)[:-delay]
    tail = _low_pass(random.standard_normal(time_s.size), 1_550.0, 2)
    sound += 0.3 * tail / tail.std() * (1.0 - np.exp(-time_s / 0.043)) * 10.0 ** (-3.0 * time_s / 1.9)
    return _unit_peak(sound)


def glass(random: np.random.Generator) -> Samples:
    """A pane that breaks: a crack, and shards that ring at their own frequencies as they hit each other and the ground."""
    count = int(1.2 * RATE_HZ)
    sound = random.standard_normal(count) * np.exp(-np.arange(count) / RATE_HZ / 0.006)
    for hit in range(90):
        start = 0 if hit < 8 else int(min(1.0, random.exponential(0.16)) * RATE_HZ)
        time_s = np.arange(count - start) / RATE_HZ
        strength = random.uniform(0.5, 1.0) if hit < 8 else random.uniform(0.05, 0.5)
        # A small plate's modes, far apart and short: 3 to 12 kHz, 10 to 60 ms.
        for _ in range(3):
            tone = np.sin(2.0 * np.pi * random.uniform(3_000.0, 12_000.0) * time_s + random.uniform(0.0, 6.0))
            sound[start:] += strength * tone * np.exp(-time_s / random.uniform(0.01, 0.06))
    high = butter(2, 1_500.0, "high", fs=RATE_HZ, output="sos")
    return _unit_peak(np.asarray(sosfilt(high, sound)))


def siren(duration_s: float) -> Samples:
    """An emergency vehicle's wail: harmonics of a tone that rises and falls between 500 and 1,500 Hz in 4 s."""
    time_s = np.arange(int(duration_s * RATE_HZ)) / RATE_HZ
    tone_hz = 1_000.0 - 500.0 * np.cos(2.0 * np.pi * time_s / 4.0)
    turn = 2.0 * np.pi * np.cumsum(tone_hz) / RATE_HZ
    sound = np.sum([np.sin(harmonic * turn) / harmonic for harmonic in range(1, 8)], axis=0)
    fade = np.minimum(1.0, np.minimum(time_s, duration_s - time_s) / 0.5)
    return _unit_peak(sound * fade)


def horn(duration_s: float) -> Samples:
    """A car's horn: two notes, 420 and 510 Hz, rich in harmonics."""
    time_s = np.arange(int(duration_s * RATE_HZ)) / RATE_HZ
    notes = [np.sin(2.0 * np.pi * note * k * time_s) / k**0.7 for note in (420.0, 510.0) for k in range(1, 16)]
    fade = np.minimum(1.0, np.minimum(time_s / 0.03, (duration_s - time_s) / 0.05))
    return _unit_peak(np.sum(notes, axis=0) * fade)


def background(duration_s: float, random: np.random.Generator) -> Samples:
    """Distant traffic: noise that falls by 3 dB an octave, its root mean square 1."""
    count = int(duration_s * RATE_HZ)
    spectrum = np.fft.rfft(random.standard_normal(count))
    frequency_hz = np.fft.rfftfreq(count, 1.0 / RATE_HZ)
    spectrum /= np.sqrt(np.maximum(frequency_hz, 30.0))
    noise = np.fft.irfft(spectrum, count)
    return np.asarray(noise / noise.std())


# --- what a microphone hears --------------------------------------------------------------------------------------------------


def heard(
    sources: Sequence[Source], microphone_m: tuple[float, float], duration_s: float, temperature_c: float, seed: int
) -> npt.NDArray[np.int16]:
    """What one microphone records of a scene.

    The travel time of a source that moves changes as it does, which shifts its pitch (Doppler) without further ado.

    Args:
        sources: What sounds.
        microphone_m: Metres east and north of the origin.
        duration_s: Of the scene.
        temperature_c: Of the air.
        seed: Of the background noise, another for each microphone.

    Returns:
        ``(round(duration_s * RATE_HZ),)`` samples of 16 bits at ``RATE_HZ``.
    """
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    at, speed_m_s = np.array(microphone_m)[:, None], speed_of_sound_m_s(temperature_c)
    pressure = 10.0 ** ((BACKGROUND_DB - FULL_SCALE_DB) / 20.0) * background(duration_s, np.random.default_rng(seed))[: time_s.size]
    for source in sources:
        # Heard from its start to a second after its end: the farthest comes from 340 m away.
        span = slice(int(source.start_s * RATE_HZ), int((source.start_s + 1.0) * RATE_HZ) + source.samples.size)
        pressure[span] += 10.0 ** ((source.peak_db - FULL_SCALE_DB) / 20.0) * _arriving(source, at, time_s[span], speed_m_s)
    return np.asarray(np.round(np.clip(pressure, -1.0, 1.0) * 32_767.0), np.int16)


def _arriving(source: Source, at_m: Samples, time_s: Samples, speed_m_s: float) -> Samples:
    """Pressure of a source at ``at_m``, in its peak's at 1 m, at each time."""
    sent_s = time_s
    # Sent at t, heard at t + d(t) / c: solved for t, each round nearer by the factor v / c.
    for _ in range(4):
        distance_m = np.maximum(1.0, np.hypot(*(source.place(sent_s) - at_m)))
        sent_s = time_s - distance_m / speed_m_s
    position = (sent_s - source.start_s) * RATE_HZ
    return np.asarray(np.interp(position, np.arange(source.samples.size), source.samples, left=0.0, right=0.0) / distance_m)


def write_wav(path: Path, samples: npt.NDArray[np.int16]) -> None:
    """Writes one channel of 16 bits at ``RATE_HZ``; whole or not at all."""
    partial = path.with_suffix(".part")
    with wave.open(str(partial), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(samples.astype("<i2").tobytes())
    partial.replace(path)

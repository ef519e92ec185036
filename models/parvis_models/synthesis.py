"""Synthesised sounds of a street, with their class: what the tagger's heads learn from. No recording is in them.

Each sound is made from what is known of its cause. A siren is a harmonic tone whose pitch wails, yelps, alternates or ramps; a fire alarm
beeps in threes (ISO 8201); a horn is two steady tones; a shot is a Friedlander wave and what its surroundings give back; a pane is a
blow and many high modes that die away, and then shards. Beside them stand what is taken for them: tunes, voices, birds, machines,
beeps, blows, embers. All are sent through a room or a street, through distance, and into the noise of one, at chance.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import signal

Sound = npt.NDArray[np.float64]
Random = np.random.Generator

RATE_HZ = 16_000
#: A sustained sound lasts a little longer than a patch; an impulsive one begins so late, so that the patches before it have their quiet.
SUSTAINED_S, IMPULSIVE_S, ONSET_S = 1.3, 1.6, 0.5
#: Louder components than this are above half of the rate, less a margin.
_HIGHEST_HZ = 7_600.0


def sustained(kind: str, random: Random) -> npt.NDArray[np.float32]:
    """A sound that goes on, in the noise of a street.

    Args:
        kind: Of `SUSTAINED`.
        random: Chooses everything else.

    Returns:
        ``(n,)`` float32 in [-1, 1], `SUSTAINED_S` long.
    """
    count = round(SUSTAINED_S * RATE_HZ)
    street = _street(count, random)
    sound = SUSTAINED[kind](count, random)
    if random.random() < 0.7:
        sound = _reverberated(sound, random, 1.8)
    return _received(_even(sound) * 10.0 ** (random.uniform(-8.0, 25.0) / 20.0) + street, random)


def impulsive(kind: str, random: Random) -> npt.NDArray[np.float32]:
    """A sound that begins at once, in a quiet street.

    Args:
        kind: Of `IMPULSIVE`.
        random: Chooses everything else.

    Returns:
        ``(n,)`` float32 in [-1, 1], `IMPULSIVE_S` long; it begins after `ONSET_S`.
    """
    count, onset = round(IMPULSIVE_S * RATE_HZ), round(ONSET_S * RATE_HZ)
    sound = IMPULSIVE[kind](count, onset, random)
    if random.random() < 0.7:
        sound = _reverberated(sound, random, 1.2)
    return _received(sound / np.abs(sound).max() + _street(count, random) * 10.0 ** (random.uniform(-70.0, -25.0) / 20.0), random)


def _times(count: int) -> Sound:
    return np.arange(count) / RATE_HZ


def _even(sound: Sound) -> Sound:
    return np.asarray(sound / (sound.std() + 1e-9))


def _log_uniform(random: Random, low: float, high: float) -> float:
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def _band(sound: Sound, low_hz: float, high_hz: float) -> Sound:
    return np.asarray(signal.sosfilt(signal.butter(1, [low_hz, min(high_hz, 7_900.0)], "bandpass", fs=RATE_HZ, output="sos"), sound))


def _low(sound: Sound, hz: float) -> Sound:
    return np.asarray(signal.sosfilt(signal.butter(1, hz, fs=RATE_HZ, output="sos"), sound))


def _reverberated(sound: Sound, random: Random, longest_s: float) -> Sound:
    """Through a room or a street: noise that decays exponentially after the direct sound."""
    t60_s = random.uniform(0.1, longest_s)
    response = random.normal(size=round(t60_s * RATE_HZ))
    response = _low(response * 10.0 ** (-3.0 * _times(response.size) / t60_s), random.uniform(2_000.0, 6_000.0))
    response *= random.choice([0.1, 0.4, 1.0, 1.6]) / np.sqrt(np.square(response).sum())
    response[0] += 1.0
    return np.asarray(signal.fftconvolve(sound, response)[: sound.size])


def _received(sound: Sound, random: Random) -> npt.NDArray[np.float32]:
    """From afar the air keeps the high; then as loud as it can be, as the unit's ear brings it."""
    if random.random() < 0.6:
        sound = _low(sound, _log_uniform(random, 1_500.0, 7_500.0))
    return np.asarray(0.9 * sound / np.abs(sound).max(), np.float32)


def _street(count: int, random: Random) -> Sound:
    """Noise of a falling spectrum, often an engine, sometimes a voice or a tune."""
    spectrum = np.fft.rfft(random.normal(size=count)) / np.maximum(np.fft.rfftfreq(count, 1 / RATE_HZ), 40.0) ** random.uniform(0.1, 0.8)
    sound = _even(np.fft.irfft(spectrum, count))
    if random.random() < 0.5:
        sound = sound + random.uniform(0.1, 1.0) * _engine(count, random)
    if random.random() < 0.3:
        sound = sound + random.uniform(0.2, 1.5) * _voice(count, random)
    if random.random() < 0.15:
        sound = sound + random.uniform(0.2, 1.0) * _tune(count, random)
    return _even(sound)


def _tone(pitch_hz: npt.ArrayLike, count: int, random: Random, rolloff: float | None = None, harmonics: int | None = None) -> Sound:
    """A tone with harmonics that fall by a power of their number; `pitch_hz` is one, or one per sample."""
    pitch = np.broadcast_to(np.asarray(pitch_hz, np.float64), (count,))
    phase = 2.0 * np.pi * np.cumsum(pitch) / RATE_HZ
    power = random.uniform(0.5, 2.5) if rolloff is None else rolloff
    sound = np.zeros(count)
    for number in range(1, (int(random.integers(1, 9)) if harmonics is None else harmonics) + 1):
        if number * pitch.min() >= _HIGHEST_HZ:
            break
        part = np.sin(number * phase + random.uniform(0.0, 2.0 * np.pi)) * (number**-power * random.uniform(0.4, 1.0))
        sound += np.where(number * pitch < _HIGHEST_HZ, part, 0.0)
    return _even(sound)


def _engine(count: int, random: Random) -> Sound:
    return _tone(random.uniform(20.0, 90.0) * (1.0 + 0.1 * np.sin(_times(count) * random.uniform(0.3, 2.5))), count, random, 0.7, 20)


def _siren(count: int, random: Random) -> Sound:
    at_s = _times(count)
    kind = random.choice(["wail", "yelp", "two tones", "ramp", "fall", "phaser", "mechanical"], p=[0.27, 0.22, 0.2, 0.12, 0.05, 0.06, 0.08])
    if kind == "two tones":
        low_hz = random.uniform(370.0, 800.0)
        high_hz = low_hz * random.uniform(1.15, 1.5)
        second = ((at_s + random.uniform(0.0, 2.0)) / random.uniform(0.35, 1.0)).astype(int) % 2
        pitch = signal.sosfiltfilt(signal.butter(1, 25.0, fs=RATE_HZ, output="sos"), np.where(second, low_hz, high_hz))
    else:
        shortest_s, longest_s = {
            "wail": (2.0, 7.0), "yelp": (0.2, 0.6), "ramp": (0.5, 2.5), "fall": (0.5, 2.0), "phaser": (0.06, 0.14),
            "mechanical": (6.0, 14.0),
        }[kind]  # fmt: skip
        period_s = random.uniform(shortest_s, longest_s)
        low_hz = random.uniform(200.0, 400.0) if kind == "mechanical" else random.uniform(400.0, 900.0)
        share = ((at_s + random.uniform(0.0, period_s)) / period_s) % 1.0
        height = {
            "wail": 0.5 - 0.5 * np.cos(2.0 * np.pi * share), "mechanical": 0.5 - 0.5 * np.cos(2.0 * np.pi * share),
            "yelp": 1.0 - np.abs(2.0 * share - 1.0), "ramp": share ** random.uniform(0.5, 1.0), "fall": 1.0 - share, "phaser": 1.0 - share,
        }[kind]  # fmt: skip
        pitch = low_hz * random.uniform(1.5, 2.6) ** height
    # It drives by at up to 15 m/s.
    nearest_s = random.uniform(0.0, SUSTAINED_S)
    pitch = pitch * (1.0 + random.uniform(-15.0, 15.0) / 343.0 * np.tanh((at_s - nearest_s) * random.uniform(0.2, 2.0)))
    sound = _tone(pitch, count, random)
    if random.random() < 0.6:
        sound = _band(sound, random.uniform(300.0, 900.0), random.uniform(1_800.0, 5_000.0))
    return np.tanh(2.0 * _even(sound)) if random.random() < 0.2 else sound


def _fire_alarm(count: int, random: Random) -> Sound:
    """A sounder of 520 Hz (square) or about 3 kHz: three half seconds and a pause, beeps, or sweeps between two pitches."""
    at_s = _times(count)
    pitch: npt.ArrayLike = random.choice([random.uniform(480.0, 560.0), random.uniform(2_700.0, 3_500.0), random.uniform(800.0, 1_000.0)])
    on_s, off_s = (0.5, 0.5) if random.random() < 0.6 else (random.uniform(0.08, 0.3), random.uniform(0.05, 0.3))
    sound = _tone(pitch, count, random, random.uniform(0.8, 2.0), 9)
    beating = (at_s + random.uniform(0.0, 1.0)) % (on_s + off_s) < on_s
    return np.where(_low(beating.astype(np.float64), 200.0) > 0.5, sound, 0.0)


def _horn(count: int, random: Random) -> Sound:
    pitch_hz = random.uniform(250.0, 550.0)
    sound = _tone(pitch_hz, count, random, 0.7, 15)
    if random.random() < 0.8:
        sound = sound + _tone(pitch_hz * random.uniform(1.15, 1.35), count, random, 0.7, 15)
    begin_s, length_s = random.uniform(-0.5, 0.4), random.uniform(0.25, 2.0)
    at_s = _times(count)
    return np.where((at_s >= begin_s) & (at_s < begin_s + max(length_s, 0.3 - begin_s)), sound, 0.0)


def _tune(count: int, random: Random) -> Sound:
    sound, at = np.zeros(count), 0
    base_hz, vibrato, voices = random.uniform(110.0, 500.0), random.choice([0.0, 0.0, 0.01, 0.02]), int(random.integers(1, 4))
    ring_s, held = random.uniform(0.05, 1.5), random.random() < 0.4
    while at < count:
        length = int(random.uniform(0.12, 0.8) * RATE_HZ)
        size = min(length * (1 if held else 2), count - at)
        at_s = _times(size)
        shape = np.minimum(1.0, np.minimum(at_s / 0.02, (size / RATE_HZ - at_s) / 0.03)) if held else np.exp(-at_s / ring_s)
        for _ in range(voices):
            note_hz = base_hz * 2.0 ** (int(random.integers(0, 20)) / 12.0)
            sound[at : at + size] += shape * _tone(
                note_hz * (1.0 + vibrato * np.sin(2.0 * np.pi * random.uniform(4.0, 7.0) * at_s)), size, random
            )
        if random.random() < 0.4:
            beat = min(round(0.15 * RATE_HZ), count - at)
            sound[at : at + beat] += 3.0 * random.normal(size=beat) * np.exp(-_times(beat) / 0.03)
        at += length
    return _even(sound)


def _voice(
    count: int, random: Random, pitch_hz: tuple[float, float] = (90.0, 300.0), syllable_s: tuple[float, float] = (0.1, 0.4)
) -> Sound:
    """Syllables: a buzz whose pitch moves, through three resonances."""
    sound, at = np.zeros(count), int(random.uniform(0.0, 0.2) * RATE_HZ)
    formants_hz = random.uniform(300.0, 900.0), random.uniform(900.0, 2_400.0), random.uniform(2_400.0, 3_500.0)
    while at < count - 200:
        size = min(int(random.uniform(*syllable_s) * RATE_HZ), count - at)
        along = np.linspace(0.0, 1.0, size)
        pitch = random.uniform(*pitch_hz) * 2.0 ** (random.uniform(-0.4, 0.4) * along + random.uniform(-0.3, 0.3) * np.sin(np.pi * along))
        buzz = _tone(pitch, size, random, 1.0, 25) + 0.1 * random.normal(size=size)
        spoken = sum(_band(buzz, 0.85 * hz * random.uniform(0.8, 1.2), 1.15 * hz * random.uniform(1.1, 1.3)) for hz in formants_hz)
        sound[at : at + size] += spoken * np.sqrt(np.sin(np.pi * along))
        at += size + int(random.uniform(0.02, 0.35) * RATE_HZ)
    return _even(sound)


def _cry(count: int, random: Random) -> Sound:
    return _voice(count, random, (300.0, 700.0), (0.2, 1.2))


def _birds(count: int, random: Random) -> Sound:
    sound, at, pitch_hz = np.zeros(count), 0, random.uniform(1_500.0, 5_000.0)
    while at < count - 50:
        size = min(int(random.uniform(0.03, 0.3) * RATE_HZ), count - at)
        along = np.linspace(0.0, 1.0, size)
        sound[at : at + size] += _tone(pitch_hz * 2.0 ** (random.uniform(-0.5, 0.5) * along), size, random, 2.0, 2) * np.sin(np.pi * along)
        at += size + int(random.uniform(0.03, 0.6) * RATE_HZ)
    return _even(sound)


def _machine(count: int, random: Random) -> Sound:
    pitch = random.uniform(60.0, 1_500.0) * (1.0 + 0.01 * np.sin(_times(count) * random.uniform(0.6, 19.0)))
    return _tone(pitch, count, random, 0.6, 20) + random.uniform(0.1, 1.5) * _low(random.normal(size=count), 3_000.0)


def _work(count: int, random: Random) -> Sound:
    """Hammering, steps, keys: one blow after another."""
    sound, at = np.zeros(count), int(random.uniform(0.0, 0.3) * RATE_HZ)
    while at < count:
        sound[at:] += random.uniform(0.3, 1.0) * _blow(count - at, 0, random)
        at += int(random.uniform(0.05, 1.0) * RATE_HZ)
    return _even(sound)


def _ring(sound: Sound, number: int, low_hz: float, decay_s: tuple[float, float], random: Random, *, amplitude: float = 1.0) -> None:
    """Adds modes of a thing that is struck at the start: frequencies and decays evenly spread in their logarithms."""
    for _ in range(number):
        tau_s = _log_uniform(random, *decay_s)
        size = min(sound.size, int(7.0 * tau_s * RATE_HZ) + 1)
        at_s = _times(size)
        wave = np.sin(2.0 * np.pi * _log_uniform(random, low_hz, 7_900.0) * at_s + random.uniform(0.0, 2.0 * np.pi))
        sound[:size] += amplitude / np.sqrt(number) * random.uniform(0.1, 1.0) * wave * np.exp(-at_s / tau_s)


def _pane(count: int, onset: int, random: Random) -> Sound:
    sound, at_s = np.zeros(count), _times(count - onset)
    sound[onset:] += random.uniform(0.1, 1.0) * random.normal(size=at_s.size) * np.exp(-at_s / random.uniform(0.003, 0.03))
    if random.random() < 0.5:
        thud = np.sin(2.0 * np.pi * random.uniform(80.0, 400.0) * at_s) * np.exp(-at_s / random.uniform(0.01, 0.05))
        sound[onset:] += random.uniform(0.0, 0.8) * thud
    _ring(sound[onset:], int(random.integers(20, 80)), 800.0, (0.004, 0.12), random)
    # Shards part at once, and land a little later.
    for begin_s, most_per_s in ((0.0, random.uniform(20.0, 120.0)), (random.uniform(0.2, 0.6), random.uniform(0.0, 80.0))):
        tau_s = random.uniform(0.1, 0.5)
        for _ in range(random.poisson(3.0 * most_per_s * tau_s)):
            at = onset + int((begin_s + random.exponential(tau_s)) * RATE_HZ)
            if at < count - 10:
                amplitude = random.exponential(0.25)
                _ring(sound[at:], int(random.integers(3, 9)), 1_500.0, (0.002, 0.06), random, amplitude=amplitude)
    return sound


def _shot(count: int, onset: int, random: Random) -> Sound:
    at_s, sound = _times(count - onset), np.zeros(count)
    positive_s = random.uniform(0.0005, 0.004)
    blast = (1.0 - at_s / positive_s) * np.exp(-at_s / positive_s)
    back = random.uniform(0.05, 0.5) * random.normal(size=at_s.size) * np.exp(-at_s / _log_uniform(random, 0.03, 0.6))
    sound[onset:] = blast + _low(back, random.uniform(800.0, 5_000.0))
    for _ in range(int(random.integers(0, 5))):
        late = int(random.uniform(0.01, 0.4) * RATE_HZ)
        sound[onset + late :] += random.uniform(0.05, 0.4) * blast[: at_s.size - late]
    return sound


def _ember(count: int, onset: int, random: Random) -> Sound:
    """A fire: snaps of a few milliseconds, one of them at the onset."""
    sound = np.zeros(count)
    for _ in range(random.poisson(count / RATE_HZ * random.uniform(3.0, 25.0)) + 1):
        at = int(random.integers(0, count - 100))
        size = min(count - at, int(random.uniform(0.002, 0.03) * RATE_HZ) + 20)
        snap = _band(random.normal(size=size), random.uniform(200.0, 1_500.0), random.uniform(2_000.0, 7_500.0))
        sound[at : at + size] += random.exponential(0.5) * snap * np.exp(-_times(size) / random.uniform(0.001, 0.008))
    size = round(0.05 * RATE_HZ)
    sound[onset : onset + size] += 3.0 * random.normal(size=size) * np.exp(-_times(size) / random.uniform(0.001, 0.006))
    return sound


def _blow(count: int, onset: int, random: Random) -> Sound:
    """Wood, metal or stone that is struck, often twice."""
    at_s, sound, blow = _times(count - onset), np.zeros(count), np.zeros(count - onset)
    low_hz, high_hz = sorted(random.choice([80.0, 200.0, 500.0, 1_500.0, 3_000.0, 7_500.0], 2, replace=False))
    for _ in range(int(random.integers(1, 15))):
        blow += (
            random.uniform(0.1, 1.0)
            * np.sin(2.0 * np.pi * random.uniform(low_hz, high_hz) * at_s)
            * np.exp(-at_s / _log_uniform(random, 0.003, 0.5))
        )
    blow += random.uniform(0.0, 2.0) * random.normal(size=at_s.size) * np.exp(-at_s / random.uniform(0.002, 0.03))
    sound[onset:] = blow
    again = int(random.uniform(0.05, 0.5) * RATE_HZ)
    if random.random() < 0.5 and again < at_s.size:
        sound[onset + again :] += random.uniform(0.3, 1.0) * blow[: at_s.size - again]
    return sound


def _from(make: Callable[[int, Random], Sound]) -> Callable[[int, int, Random], Sound]:
    """A sound that goes on, as one that begins at the onset."""

    def begun(count: int, onset: int, random: Random) -> Sound:
        sound = make(count, random)
        sound[:onset] *= 0.1
        return sound

    return begun


#: How each kind is made. The first of each are what is listened for, the others what is taken for it.
SUSTAINED: dict[str, Callable[[int, Random], Sound]] = {
    "siren": _siren, "fire_alarm": _fire_alarm, "vehicle_horn": _horn, "street": _street, "tune": _tune, "voice": _voice, "cry": _cry,
    "birds": _birds, "machine": _machine, "work": _work,
}  # fmt: skip
IMPULSIVE: dict[str, Callable[[int, int, Random], Sound]] = {
    "shot": _shot, "pane": _pane, "ember": _ember, "blow": _blow, "voice": _from(_voice), "tune": _from(_tune),
}  # fmt: skip

"""How well a unit hears the development sounds when they are changed as other recordings would differ, and how true its confidence is.

Every sound is played louder and softer, in the noise of a street, from afar, in a reverberant place, after lossy compression, and cut
elsewhere into patches. Recall is by file, with Wilson's interval of 95 %; false files are those without the class that have an event of it.
Then an hour: all sounds without a listed class, at the level of a busy street, and between them a made street.

`python -m tests.bench.hearing_variants` prints it; with `--reliability` it writes docs/hearing-reliability.json and .svg as well.
It takes ten minutes on a core.
"""

from __future__ import annotations

import io
import itertools
import json
import math
import os
import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
from parvis_contract import Phase
from parvis_edge.bundle import Bundle, load_bundle
from parvis_edge.perception import Judgement
from scipy import signal

from tests.bench.hearing_bench import CLASSES, DEVELOPMENT, Heard, classes_heard, hear, quiet_street, read, sounds, truth_of

Floats = npt.NDArray[np.float32]
Random = np.random.Generator
Change = Callable[[Floats, int, Random], Floats]

DOCS = Path(__file__).resolve().parents[2] / "docs"
#: Edges of the bins of confidence.
EDGES = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
#: The events of how many hours an hour of street stands for, and its level while a sound is played: a busy pavement.
_STREET_S, _BUSY_DB, _FULL_SCALE_DB = 3_600.0, 70.0, 120.0


def _gain(factor: float) -> Change:
    return lambda sound, _rate, _random: np.clip(sound * np.float32(factor), -1.0, 1.0)


def _noise(snr_db: float) -> Change:
    """Noise of a falling spectrum that swells and fades, so far below the sound's loudest tenth of its tenths of a second."""

    def change(sound: Floats, rate_hz: int, random: Random) -> Floats:
        spectrum = np.fft.rfft(random.normal(size=sound.size)) / np.sqrt(np.maximum(np.fft.rfftfreq(sound.size, 1 / rate_hz), 50.0))
        street = np.fft.irfft(spectrum, sound.size) * (1.0 + 0.4 * np.sin(np.arange(sound.size) / rate_hz * random.uniform(0.8, 3.0)))
        steps = np.array_split(np.square(sound, dtype=np.float64), max(1, round(10 * sound.size / rate_hz)))
        loud = math.sqrt(float(np.quantile([step.mean() for step in steps], 0.9)) + 1e-12)
        return np.asarray(sound + street / street.std() * loud * 10.0 ** (-snr_db / 20.0), np.float32)

    return change


def _low(hz: float) -> Change:
    def change(sound: Floats, rate_hz: int, random: Random) -> Floats:
        del random
        return np.asarray(signal.sosfilt(signal.butter(1, hz, fs=rate_hz, output="sos"), sound), np.float32) if hz < rate_hz / 2 else sound

    return change


def _reverberation(t60_s: float, energy: float) -> Change:
    def change(sound: Floats, rate_hz: int, random: Random) -> Floats:
        response = random.normal(size=round(t60_s * rate_hz)) * 10.0 ** (-3.0 * np.arange(round(t60_s * rate_hz)) / (t60_s * rate_hz))
        response[: round(0.005 * rate_hz)] = 0.0
        response *= math.sqrt(energy / float(np.square(response).sum()))
        response[0] = 1.0
        heard = signal.fftconvolve(sound, response)[: sound.size]
        return np.asarray(heard / max(1.0, float(np.abs(heard).max())), np.float32)

    return change


def _vorbis(sound: Floats, rate_hz: int, random: Random) -> Floats:
    del random
    file = io.BytesIO()
    soundfile.write(file, sound, rate_hz, format="OGG", subtype="VORBIS", compression_level=0.9)
    file.seek(0)
    return np.asarray(soundfile.read(file, dtype="float32")[0], np.float32)


def _later(seconds: float) -> Change:
    def change(sound: Floats, rate_hz: int, random: Random) -> Floats:
        return np.concatenate([random.normal(0.0, 1e-4, round(seconds * rate_hz)).astype(np.float32), sound])

    return change


def _one_after_another(*changes: Change) -> Change:
    def change(sound: Floats, rate_hz: int, random: Random) -> Floats:
        for each in changes:
            sound = each(sound, rate_hz, random)
        return sound

    return change


VARIANTS: dict[str, Change] = {
    "as it is": lambda sound, _rate, _random: sound,
    "12 dB softer": _gain(0.25),
    "12 dB louder, clipped": _gain(4.0),
    "upside down": _gain(-1.0),
    "0.24 s later": _later(0.24),
    "street noise, 20 dB below": _noise(20.0),
    "street noise, 10 dB below": _noise(10.0),
    "lossy compression": _vorbis,
    "without what is above 3 kHz": _low(3_000.0),
    "reverberation of 1.5 s": _reverberation(1.5, 1.0),
    "far: all of it, 20 dB softer": _one_after_another(_low(3_000.0), _reverberation(0.8, 1.0), _noise(15.0), _gain(0.1)),
}


def listen(bundle: Bundle, change: Change, folder: Path = DEVELOPMENT) -> Heard:
    """What a sense says of every sound of the material, changed."""
    heard = Heard()
    for path in sounds(folder):
        name = str(path.relative_to(folder))
        sound, rate_hz = read(path)
        sound = change(sound, rate_hz, np.random.default_rng(zlib.crc32(name.encode())))
        heard.truth[name], heard.seconds[name] = truth_of(path), sound.size / rate_hz
        heard.events[name] = hear(sound, rate_hz, bundle)
    return heard


def wilson(hits: int, number: int) -> tuple[float, float]:
    """Wilson's interval of 95 % of a share (1927)."""
    if not number:
        return 0.0, 1.0
    z = 1.96
    share, scale = hits / number, 1.0 + z * z / number
    middle = (share + z * z / (2 * number)) / scale
    half = z * math.sqrt(share * (1.0 - share) / number + z * z / (4 * number * number)) / scale
    return max(0.0, middle - half), min(1.0, middle + half)


def told(heard: Heard) -> list[tuple[float, bool]]:
    """Confidence of each event when it ended or was told of, and whether the file has its class; files of unsorted classes are left out."""
    pairs = []
    for name, events in heard.events.items():
        truth, open_to = heard.truth[name]
        for event in events:
            sound_class = str(getattr(event.measure, "sound_class", ""))
            if (
                event.type not in ("sound.impulse", "sound.alarm")
                or event.phase not in (Phase.INSTANT, Phase.END)
                or sound_class in open_to
            ):
                continue
            blasts = ("gunshot", "explosion")
            pairs.append((event.confidence, sound_class == truth or (sound_class in blasts and truth in blasts)))
    return pairs


def reliability(pairs: Sequence[tuple[float, bool]]) -> list[dict[str, float]]:
    """Per bin of confidence: how many events, their mean confidence, the share that was true, and its interval."""
    rows = []
    for low, high in itertools.pairwise(EDGES):
        inside = [(said, true) for said, true in pairs if low <= said < high or said == high == 1.0]
        if inside:
            hits = sum(true for _, true in inside)
            least, most = wilson(hits, len(inside))
            rows.append(
                {
                    "events": len(inside), "said": round(sum(said for said, _ in inside) / len(inside), 3),
                    "true": round(hits / len(inside), 3), "least": round(least, 3), "most": round(most, 3),
                }
            )  # fmt: skip
    return rows


def diagram(rows: Sequence[dict[str, float]]) -> str:
    """A reliability diagram: what was said to the right, what was true upwards, on the diagonal if honest."""
    side, edge = 360, 40

    def at(share: float) -> float:
        return round(edge + share * (side - 2 * edge), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" font-family="sans-serif" font-size="11">',
        f'<rect width="{side}" height="{side}" fill="white"/>',
        f'<path d="M{edge} {edge}V{side - edge}H{side - edge}M{at(0)} {side - at(0)}L{at(1)} {side - at(1)}" fill="none" stroke="#888"/>',
        f'<text x="{side / 2}" y="{side - 8}" text-anchor="middle">confidence said</text>',
        f'<text x="12" y="{side / 2}" text-anchor="middle" transform="rotate(-90 12 {side / 2})">share that was true</text>',
    ]
    for share in (0.0, 0.5, 1.0):
        parts.append(f'<text x="{at(share)}" y="{side - edge + 14}" text-anchor="middle">{share:g}</text>')
        parts.append(f'<text x="{edge - 6}" y="{side - at(share) + 4}" text-anchor="end">{share:g}</text>')
    for row in rows:
        x, y = at(row["said"]), side - at(row["true"])
        parts.append(f'<path d="M{x} {side - at(row["least"])}V{side - at(row["most"])}" stroke="#1b5e8a"/>')
        parts.append(f'<circle cx="{x}" cy="{y}" r="4" fill="#1b5e8a"><title>{row["events"]:.0f} events</title></circle>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def hour(bundle: Bundle, folder: Path = DEVELOPMENT) -> list[tuple[str, Judgement]]:
    """Events of an hour of street: every sound without a listed class at `_BUSY_DB`, one each eight seconds or so, in a made street."""
    paths = [path for path in sounds(folder) if truth_of(path) == (None, ())]
    judged: list[tuple[str, Judgement]] = []
    for part in range(round(_STREET_S / 60.0)):
        street = quiet_street(60.0, seed=100 + part)
        chosen = paths[part * len(paths) // 60 : (part + 1) * len(paths) // 60]
        names = []
        for number, path in enumerate(chosen):
            sound, rate_hz = read(path)
            played = signal.resample_poly(sound, 16_000, rate_hz)
            played *= 10.0 ** ((_BUSY_DB - _FULL_SCALE_DB) / 20.0) / max(float(played.std()), 1e-6)
            at = round(60.0 * number / len(chosen)) * 16_000
            size = min(played.size, street.size - at)
            street[at : at + size] += played[:size]
            names.append(path.parent.name)
        judged += [
            (", ".join(names), event)
            for event in hear(street, 16_000, bundle)
            if event.type in ("sound.impulse", "sound.alarm") and event.phase in (Phase.INSTANT, Phase.START)
        ]
    return judged


def made_alarms(bundle: Bundle) -> list[tuple[str, str]]:
    """What made fire alarms are called, none of which is among the development sounds: ISO 8201's three half seconds and a pause, twice, in
    a street 10 dB softer, from a square wave of 520 Hz and from piezo sounders; and fireworks: a burst, and crackling after it."""
    random, at_s = np.random.default_rng(8), np.arange(8 * 16_000) / 16_000
    beating = (at_s % 4.0 < 3.0) & (at_s % 1.0 < 0.5)
    said = []
    for pitch_hz in (520.0, 2_900.0, 3_100.0):
        wave = np.sin(2.0 * np.pi * pitch_hz * at_s)
        alarm = np.where(beating, np.sign(wave) if pitch_hz < 1_000.0 else wave, 0.0)
        sound = _noise(10.0)(np.asarray(0.1 * alarm, np.float32), 16_000, random)
        said.append((f"fire alarm of {pitch_hz:g} Hz", ", ".join(sorted(classes_heard(hear(sound, 16_000, bundle))))))
    for number in range(5):
        sound = random.normal(0.0, 0.001, at_s.size)
        sound[16_000:] += 0.5 * random.normal(size=at_s.size - 16_000) * np.exp(-at_s[:-16_000] / random.uniform(0.1, 0.4))
        for _ in range(60):
            at = int(random.uniform(1.3, 3.5) * 16_000)
            sound[at : at + 800] += random.exponential(0.1) * random.normal(size=800) * np.exp(-at_s[:800] / 0.004)
        said.append((f"made firework {number}", ", ".join(sorted(classes_heard(hear(sound.astype(np.float32), 16_000, bundle))))))
    return said


def main(arguments: list[str]) -> int:
    """Prints everything."""
    if not DEVELOPMENT.is_dir():
        sys.stderr.write(f"no development sounds at {DEVELOPMENT}\n")
        return 2
    bundle = load_bundle("yamnet")
    pairs: list[tuple[float, bool]] = []
    sys.stdout.write(
        f"{bundle.ref.name} {bundle.ref.version}: recall [95 %], false files\n{'':30}" + "".join(f"{c:>28}" for c in CLASSES) + "\n"
    )
    for name, change in VARIANTS.items():
        heard = listen(bundle, change)
        cells = []
        for sound_class in CLASSES:
            hits, own = heard.recall(sound_class)
            low, high = wilson(hits, own)
            cells.append(f"{hits}/{own} [{low:.2f}, {high:.2f}] {len(heard.false_alarms(sound_class))}")
        sys.stdout.write(f"{name:30}" + "".join(f"{cell:>28}" for cell in cells) + "\n")
        sys.stdout.flush()
        pairs += told(heard)
    events = hour(bundle)
    sys.stdout.write(f"an hour of busy street: {len(events)} events\n")
    for names, event in events:
        sys.stdout.write(f"  {getattr(event.measure, 'sound_class', '')} at {event.confidence:.2f} among {names}\n")
    for made, said in made_alarms(bundle):
        sys.stdout.write(f"{made}: {said or 'nothing'}\n")
    rows = reliability(pairs)
    for row in rows:
        sys.stdout.write(
            f"said {row['said']:.2f}: {row['true']:.2f} [{row['least']:.2f}, {row['most']:.2f}] of {row['events']:.0f} events true\n"
        )
    if "--reliability" in arguments:
        (DOCS / "hearing-reliability.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        (DOCS / "hearing-reliability.svg").write_text(diagram(rows), encoding="utf-8")
    return 0


if __name__ == "__main__":
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    sys.exit(main(sys.argv[1:]))

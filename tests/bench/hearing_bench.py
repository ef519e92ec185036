"""How well a unit hears, and what it costs, beside the bare tagger in the same run.

Every development sound is fed to the microphone's sense as a stream of its own, at its own rate, as `parvis-edge watch --audio FILE` does;
nothing is put before or after it. Then again under conditions that must not matter: a quarter of the gain, faint noise or digital silence
around it, other sampling rates. The bare tagger is the same INT8 model at its published spacing of patches, its score the largest of a
class's labels over the file. Recall is by file: an event of the right class; a false alarm is a file without the class that has
one. The hour of a quiet street is made, not recorded: noise of the usual colour, wind, and vehicles passing.

`python -m tests.bench.hearing_bench` prints all of it.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
from parvis_contract import EVENT_TYPES, Phase
from parvis_contract.site import Microphone, Point, Site, Unit
from parvis_edge.analysers.microphone import MicrophoneSense
from parvis_edge.bundle import Bundle, load_bundle
from parvis_edge.hearing.log_mel import LogMel, cut_patches
from parvis_edge.hearing.resampler import Resampler
from parvis_edge.hearing.tagger import Tagger
from parvis_edge.perception import AudioBlock, Judgement

from parvis.corner import microphone
from parvis.sounds import RATE_HZ
from tests.bench.report import Row

Floats = npt.NDArray[np.float32]

DEVELOPMENT = Path(__file__).resolve().parents[3] / "shared" / "data" / "dev" / "audio"
ALLOWED = frozenset(name for name, entry in EVENT_TYPES.items() if "microphone" in entry.senses)
UNIT = "u001"
#: The classes that are looked for, and the labels of the bare tagger.
CLASSES = {
    "gunshot": ("Gunshot, gunfire", "Machine gun", "Fusillade", "Artillery fire", "Cap gun"),
    "explosion": ("Explosion", "Eruption", "Boom", "Burst, pop"),
    "glass_breaking": ("Shatter", "Glass", "Breaking"),
    "siren": (
        "Siren", "Police car (siren)", "Ambulance (siren)", "Fire engine, fire truck (siren)", "Civil defense siren", "Emergency vehicle",
    ),
    "vehicle_horn": ("Vehicle horn, car horn, honking", "Toot", "Air horn, truck horn"),
}  # fmt: skip
#: Names in the material, and ours.
_TRUTH = {"gun_shot": "gunshot", "explosion": "explosion", "glass_break": "glass_breaking", "siren": "siren", "car_horn": "vehicle_horn"}
#: Folders whose files are of several classes that nobody has sorted: neither missed nor false.
_UNSORTED = {"alarm_siren": ("siren", "vehicle_horn", "fire_alarm"), "traffic": ("vehicle_horn",)}


def site(full_scale_db: float = 120.0) -> Site:
    """A site plan with one microphone and no zones."""
    where = Point(lon=5.37, lat=43.2965)
    unit = Unit(position=where, senses=("microphone",), microphone=Microphone(full_scale_db=full_scale_db))
    return Site(site="bench", profile="lab", origin=where, units={UNIT: unit})


def hear(sound: Floats, rate_hz: int, bundle: Bundle, *, start_s: float = 1.0e9, block: int = 0) -> list[Judgement]:
    """What a fresh sense says of a sound.

    Args:
        sound: ``(n,)`` float32 in [-1, 1].
        rate_hz: Samples per second.
        bundle: The tagger.
        start_s: When it begins.
        block: Samples per block; 0 takes a tenth of a second.
    """
    sense = MicrophoneSense(site(), UNIT, ALLOWED, bundle)
    size = block or rate_hz // 10
    judged = []
    for at in range(0, sound.size, size):
        judged += sense.process(AudioBlock(start_s + at / rate_hz, sound[at : at + size], rate_hz))
    return judged + sense.finish()


def classes_heard(judged: list[Judgement]) -> set[str]:
    """Classes of sound of the events that began."""
    return {str(getattr(judgement.measure, "sound_class")) for judgement in judged if judgement.type in ("sound.impulse", "sound.alarm")}  # noqa: B009


def read(path: Path) -> tuple[Floats, int]:
    """A sound file, one channel."""
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    return np.asarray(samples.mean(axis=1), np.float32), int(rate_hz)


def sounds(folder: Path = DEVELOPMENT) -> list[Path]:
    """The sound files of the material."""
    return sorted(path for path in folder.rglob("*") if path.suffix in (".wav", ".ogg"))


def truth_of(path: Path) -> tuple[str | None, tuple[str, ...]]:
    """The class of a file, None if it is of none that is looked for; and the classes that it may have besides."""
    name = path.parent.name
    if name == "ibm_max":
        return {"gunshots": "gunshot", "car-horn": "vehicle_horn"}.get(path.stem), ()
    if name == "glass_ring":
        return "glass_breaking", ()
    return _TRUTH.get(name), _UNSORTED.get(name, ())


@dataclass(frozen=True, slots=True)
class Condition:
    """How the material is played.

    Attributes:
        gain: Every sample is multiplied by it.
        around_s: So much is put before and after each sound.
        noise_db: Of what is put there, below full scale; None puts digital silence.
        rate_hz: What the sound is resampled to; None keeps its own rate.
    """

    gain: float = 1.0
    around_s: float = 0.0
    noise_db: float | None = None
    rate_hz: int | None = None

    def play(self, sound: Floats, rate_hz: int) -> tuple[Floats, int]:
        """A sound as it is under the condition, and its rate."""
        if self.rate_hz is not None:
            resampler = Resampler(rate_hz, self.rate_hz)
            sound, rate_hz = np.concatenate([resampler.push(sound), resampler.finish()]), self.rate_hz
        amplitude = 0.0 if self.noise_db is None else 10.0 ** (self.noise_db / 20.0)
        around = np.random.default_rng(1).normal(0.0, 1.0, round(self.around_s * rate_hz)).astype(np.float32) * np.float32(amplitude)
        return np.concatenate([around, np.float32(self.gain) * sound, around]), rate_hz


CONDITIONS = {
    "as it is": Condition(),
    "gain x 0.25": Condition(gain=0.25),
    "gain x 0.7, 1.2 s of noise at -80 dB around": Condition(gain=0.7, around_s=1.2, noise_db=-80.0),
    "3 s of zeros around": Condition(around_s=3.0),
    "resampled to 48 kHz": Condition(rate_hz=48_000),
    "resampled to 16 kHz": Condition(rate_hz=16_000),
}


@dataclass(slots=True)
class Heard:
    """What was heard of the material.

    Attributes:
        truth: Per file its class, None if it is of none, and the classes that are not counted for it.
        events: Per file what the sense said.
        bare: Per file and class the bare tagger's score.
        seconds: How long the sounds are together.
        events_of_speech: Whatever was said of spoken words.
    """

    truth: dict[str, tuple[str | None, tuple[str, ...]]] = field(default_factory=dict)
    events: dict[str, list[Judgement]] = field(default_factory=dict)
    bare: dict[str, dict[str, float]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def events_of_speech(self) -> int:
        return sum(len(events) for name, events in self.events.items() if name.startswith("speech"))

    def recall(self, sound_class: str) -> tuple[int, int]:
        """Files of the class in which it was heard, and all files of it."""
        own = [name for name, (truth, _) in self.truth.items() if truth == sound_class]
        return sum(sound_class in classes_heard(self.events[name]) for name in own), len(own)

    def false_alarms(self, sound_class: str) -> list[str]:
        """Files without the class in which it was heard."""
        return [name for name in self._without(sound_class) if sound_class in classes_heard(self.events[name])]

    def false_events(self, sound_class: str) -> int:
        """Events in files without the class: one file may have several."""
        return sum(
            judgement.phase in (Phase.START, Phase.INSTANT) and str(getattr(judgement.measure, "sound_class", "")) == sound_class
            for name in self._without(sound_class)
            for judgement in self.events[name]
        )

    @property
    def tampered(self) -> int:
        """Files at which the unit said that it was tampered with."""
        return sum(any(judgement.type == "unit.tampered" for judgement in events) for events in self.events.values())

    def negatives_s(self, sound_class: str) -> float:
        """Seconds of sound without the class."""
        return sum(self.seconds[name] for name in self._without(sound_class))

    def bare_recall(self, sound_class: str, false_alarms: int) -> float:
        """The bare tagger's recall at the threshold that lets so many files without the class pass."""
        others = sorted((self.bare[name][sound_class] for name in self._without(sound_class)), reverse=True)
        own = [self.bare[name][sound_class] for name, (truth, _) in self.truth.items() if truth == sound_class]
        return sum(score > others[false_alarms] for score in own) / len(own)

    def _without(self, sound_class: str) -> list[str]:
        # A shot is an explosion to the ontology: files of one are no negatives of the other, only files of neither.
        kin = {"gunshot", "explosion"} if sound_class in ("gunshot", "explosion") else {sound_class}
        return [name for name, (truth, open_to) in self.truth.items() if truth not in kin and sound_class not in open_to]


def listen(bundle: Bundle, folder: Path = DEVELOPMENT, condition: Condition = CONDITIONS["as it is"]) -> Heard:
    """Feeds all of the material to a sense and to the bare tagger.

    Args:
        bundle: The tagger.
        folder: Of the material.
        condition: How it is played.
    """
    heard = Heard()
    tagger = Tagger(bundle)
    columns = {name: [bundle.card.labels.index(label) for label in labels] for name, labels in CLASSES.items()}
    for path in sounds(folder):
        sound, rate_hz = condition.play(*read(path))
        name = str(path.relative_to(folder))
        heard.truth[name] = truth_of(path)
        heard.seconds[name] = sound.size / rate_hz
        heard.events[name] = hear(sound, rate_hz, bundle)
        scores = bare_scores(tagger, sound, rate_hz)
        heard.bare[name] = {sound_class: float(scores[:, own].max()) for sound_class, own in columns.items()}
    return heard


def bare_scores(tagger: Tagger, sound: Floats, rate_hz: int) -> Floats:
    """Scores of the published patches of a sound; a shorter sound is filled up with silence, as the published code does."""
    resampler = Resampler(rate_hz, tagger.parameters.rate_hz)
    model_rate = np.concatenate([resampler.push(sound), resampler.finish()])
    log_mel = LogMel(tagger.parameters)
    least = log_mel.window + (log_mel.patch_frames - 1) * log_mel.hop
    frames = log_mel.frames(np.pad(model_rate, (0, max(0, least - model_rate.size))))
    return tagger.scores(cut_patches(frames, log_mel.patch_frames, round(tagger.parameters.patch_hop_s / tagger.parameters.hop_s)))


def quiet_street(seconds: float, rate_hz: int = 16_000, seed: int = 5) -> Floats:
    """A made night street: noise of a falling spectrum, gusts, and every 20 s a vehicle that passes; about 45 dB, 60 dB when one passes."""
    random = np.random.default_rng(seed)
    count = round(seconds * rate_hz)
    shape = np.fft.rfft(random.normal(size=count)) / np.sqrt(np.maximum(np.fft.rfftfreq(count, 1 / rate_hz), 30.0))
    street = np.fft.irfft(shape, count)
    at_s = np.arange(count) / rate_hz
    gusts = 1.0 + 0.5 * np.sin(2 * np.pi * at_s / 7.3) * np.sin(2 * np.pi * at_s / 1.9)
    # A vehicle of constant sound power: its pressure falls with its distance, 8 m at the nearest, at 10 m/s.
    passing = 5.0 / np.sqrt(1.0 + ((at_s % 20.0 - 10.0) * 10.0 / 8.0) ** 2)
    sound = street / street.std() * (gusts + passing)
    return np.asarray(sound * 10 ** ((45.0 - 120.0) / 20.0), np.float32)


def made_shot(rate_hz: int, onset: int, count: int, random: np.random.Generator) -> Floats:
    """A made shot in noise, 30 dB above it: the blast of a Friedlander wave, and what trees and walls give back of it."""
    sound = random.normal(0.0, 0.002, count)
    at_s = np.arange(count - onset) / rate_hz
    blast = (1.0 - at_s / 0.001) * np.exp(-at_s / 0.001)
    reverberation = random.normal(size=at_s.size) * 0.25 * np.exp(-at_s / 0.08) * (1.0 - np.exp(-at_s / 0.004))
    sound[onset:] += 0.6 * (blast + reverberation)
    return np.clip(sound, -1.0, 1.0).astype(np.float32)


def onset_errors_ms(bundle: Bundle, count: int = 20) -> tuple[list[float], int]:
    """Errors of the onsets of made shots that were heard, in milliseconds, and how many were made."""
    random = np.random.default_rng(11)
    errors = []
    for _ in range(count):
        rate_hz = int(random.choice([16_000, 44_100, 48_000]))
        onset = int(rate_hz * random.uniform(1.2, 1.8))
        judged = hear(made_shot(rate_hz, onset, 3 * rate_hz, random), rate_hz, bundle, start_s=0.0)
        near = [abs(judgement.time_s - onset / rate_hz) for judgement in judged if judgement.type == "sound.impulse"]
        errors += [1000.0 * min(near)] if near else []
    return errors, count


def cost_ms_per_s(bundle: Bundle, sound: Floats, rate_hz: int) -> tuple[float, float]:
    """Processor time of the sense and of the bare tagger, in milliseconds per second of sound, in turns."""
    sense, tagger = MicrophoneSense(site(), UNIT, ALLOWED, bundle), Tagger(bundle)
    patch = np.zeros((1, 96, 64), np.float32)
    whole_s = bare_s = 0.0
    size = rate_hz // 10
    due = 0.0
    sense.process(AudioBlock(-1.0e3, sound[:size], rate_hz))
    for at in range(0, sound.size, size):
        begun_s = time.process_time()
        sense.process(AudioBlock(at / rate_hz, sound[at : at + size], rate_hz))
        whole_s += time.process_time() - begun_s
        due += size / rate_hz / tagger.parameters.patch_hop_s
        if due >= 10.0:
            begun_s = time.process_time()
            for _ in range(10):
                tagger.scores(patch)
            bare_s += time.process_time() - begun_s
            due -= 10.0
    seconds = sound.size / rate_hz
    return 1000.0 * whole_s / seconds, 1000.0 * bare_s / seconds


def rows() -> Iterator[Row]:
    """Measures."""
    bundle = load_bundle("yamnet")
    for rate_hz in (16_000, 48_000):
        whole_ms, bare_ms = cost_ms_per_s(bundle, quiet_street(60.0, rate_hz), rate_hz)
        yield Row(f"microphone at {rate_hz:,} Hz, quiet street", whole_ms, "ms per second", "bare tagger at its published hop", bare_ms)
    corner = microphone("u001").astype(np.float32) / 32_768.0
    whole_ms, bare_ms = cost_ms_per_s(bundle, corner, RATE_HZ)
    yield Row("the demonstration's corner: a shot, a horn, a siren", whole_ms, "ms per second", "bare tagger at its published hop", bare_ms)
    if not DEVELOPMENT.is_dir():
        return
    heard = listen(bundle)
    for name, wanted in (("gunshot", 0.9), ("glass_breaking", 0.8), ("siren", 0.85), ("explosion", 0.9), ("vehicle_horn", 0.0)):
        hits, own = heard.recall(name)
        false = len(heard.false_alarms(name))
        yield Row(
            f"{name}: recall of {own}, {false} false alarms",
            hits / own,
            "",
            "bare tagger at 1 false alarm",
            heard.bare_recall(name, 1),
            f"at least {wanted}, at most 1 false alarm" if wanted else "",
            hits / own >= wanted and false <= 1 if wanted else None,
        )


def _under_conditions(bundle: Bundle, bare: Heard) -> list[str]:
    """Recall, false files and false events of each class under each condition."""
    lines = ["", "recall, false files (false events); files called tampered", f"{'':44}" + "".join(f"{name:>18}" for name in CLASSES)]
    for name, condition in CONDITIONS.items():
        heard = bare if condition == CONDITIONS["as it is"] else listen(bundle, condition=condition)
        cells = []
        for sound_class in CLASSES:
            hits, own = heard.recall(sound_class)
            cells.append(f"{hits}/{own} {len(heard.false_alarms(sound_class))}({heard.false_events(sound_class)})")
        lines.append(f"{name:44}" + "".join(f"{cell:>18}" for cell in cells) + f"{heard.tampered:4d}")
    return lines


def main() -> int:
    """Prints everything."""
    if not DEVELOPMENT.is_dir():
        sys.stderr.write(f"no development sounds at {DEVELOPMENT}\n")
        return 2
    bundle = load_bundle("yamnet")
    heard = listen(bundle)
    minutes = sum(heard.seconds.values()) / 60.0
    lines = [f"{len(heard.events)} sounds, {minutes:.1f} minutes; {bundle.card.name} {bundle.card.version}", ""]
    lines += [f"{'class':16}{'recall':>14}{'precision':>11}{'false':>7}{'per hour':>10}   bare tagger's recall at 1, 3 false alarms"]
    for name in CLASSES:
        hits, own = heard.recall(name)
        false = heard.false_alarms(name)
        per_hour = len(false) / heard.negatives_s(name) * 3600.0
        precision = hits / max(1, hits + len(false))
        lines.append(
            f"{name:16}{hits:4d}/{own:<3d} {hits / own:5.2f}{precision:11.2f}{len(false):7d}{per_hour:10.1f}   "
            f"{heard.bare_recall(name, 1):.2f}, {heard.bare_recall(name, 3):.2f}"
        )
        lines += [f"    {file}" for file in false]
    lines += ["", "files with events, by folder:"]
    by_folder: dict[str, Counter[str]] = {}
    for name, events in heard.events.items():
        by_folder.setdefault(str(Path(name).parent), Counter())["files"] += 1
        by_folder[str(Path(name).parent)].update(classes_heard(events))
    lines += [f"  {folder:28}{dict(counts)}" for folder, counts in sorted(by_folder.items())]
    lines += _under_conditions(bundle, heard)
    lines += ["", f"events of spoken words: {heard.events_of_speech}"]
    street = quiet_street(600.0)
    lines.append(f"events in ten minutes of a made quiet street: {len(hear(street, 16_000, bundle))}")
    errors, made = onset_errors_ms(bundle)
    worst = max(errors, default=float("nan"))
    lines.append(f"made shots heard: {len(errors)} of {made}; onset error at most {worst:.2f} ms, median {np.median(errors):.3f} ms")
    for rate_hz in (16_000, 48_000):
        whole_ms, bare_ms = cost_ms_per_s(bundle, quiet_street(60.0, rate_hz), rate_hz)
        lines.append(
            f"cost at {rate_hz:,} Hz: {whole_ms:.2f} ms per second of sound, bare tagger {bare_ms:.2f}: ratio {whole_ms / bare_ms:.1f}"
        )
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    # Before the sums are done in several threads: figures are of one core.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    sys.exit(main())

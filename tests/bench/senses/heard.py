"""What a microphone's whole sense says of the development sounds, as recorded and changed, of made hours, and of a dead microphone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from parvis_contract import Phase
from parvis_contract.site import Microphone, NoiseZone, Point, Site, Unit
from parvis_edge.analysers.microphone import MicrophoneSense
from parvis_edge.bundle import Bundle, load_bundle
from parvis_edge.perception import AudioBlock, Judgement

from tests.bench import hearing_variants
from tests.bench.hearing_bench import ALLOWED, CLASSES, UNIT, Floats, hear, quiet_street, read, sounds
from tests.bench.senses.score import Material, Score

#: Of the changes of tests/bench/hearing_variants.py, those that a street makes.
CHANGES = (
    "as it is",
    "street noise, 10 dB below",
    "reverberation of 1.5 s",
    "far: all of it, 20 dB softer",
    "lossy compression",
)
ALARMS = ("siren", "vehicle_horn")
FULL_SCALE_DB, LIMIT_DB, PERIOD_S, RATE_HZ = 120.0, 70.0, 10.0, 16_000
#: A level this far from the limit, in decibels, is over it or is not.
STEPS_DB = (-6.0, -3.0, -2.0, -1.0, 1.0, 2.0, 3.0, 6.0)


def lines(material: Path, *, quick: bool, tell: Any) -> Iterator[list[Score]]:
    """Measures: after each change of the sounds, the lines up to there; arguments as of `seen.lines`."""
    bundle = load_bundle("yamnet")
    scores: list[Score] = []
    tell("levels")
    scores.append(_levels(bundle, 1 if quick else 4))
    tell("dead microphones")
    scores.append(_silent(material / "audio", bundle, 4 if quick else 40))
    yield scores
    for name in CHANGES[: 1 if quick else None]:
        tell(f"sounds: {name}")
        heard = hearing_variants.listen(bundle, hearing_variants.VARIANTS[name], material / "audio")
        kind: Material = "real" if name == "as it is" else "composed"
        for sound_class in CLASSES:
            found, truths = heard.recall(sound_class)
            event = "sound.alarm" if sound_class in ALARMS else "sound.impulse"
            false, hours = heard.false_events(sound_class), heard.negatives_s(sound_class) / 3600
            scores.append(Score(event, f"{sound_class}, {len(heard.events)} sounds", kind, name, found, truths, false, hours))
        scores.append(
            Score("unit.tampered", "microphone, all sounds", kind, name, false=heard.tampered, hours=sum(heard.seconds.values()) / 3600)
        )
        yield scores
    hours = 0.1 if quick else 1.0
    tell("a quiet hour")
    quiet = hear(quiet_street(3600 * hours), RATE_HZ, bundle)
    scores += _any_of(quiet, "simulated", "quiet street", hours)
    if not quick:
        tell("a busy hour")
        busy = [event for _, event in hearing_variants.hour(bundle, material / "audio")]
        scores += _any_of(busy, "composed", "busy street, every other sound of the material in it", 1.0)
    yield scores


def _any_of(events: list[Judgement], kind: Material, conditions: str, hours: float) -> Iterator[Score]:
    for event in ("sound.impulse", "sound.alarm"):
        begun = [each for each in events if each.type == event and each.phase in (Phase.START, Phase.INSTANT)]
        yield Score(event, "any class, none is there", kind, conditions, false=len(begun), hours=hours)


def _silent(folder: Path, bundle: Bundle, count: int) -> Score:
    """A sound, and then a microphone that gives nothing any more: zeros, or its last value."""
    score = Score("unit.tampered", "microphone goes dead", "composed", "zeros, or a constant")
    for number, path in enumerate(sounds(folder)[:: max(1, len(sounds(folder)) // count)]):
        sound, rate_hz = read(path)
        alive_s = sound.size / rate_hz
        dead = np.full(15 * rate_hz, 0.0 if number % 2 else 0.1, np.float32)
        judged = hear(np.concatenate([sound, dead]), rate_hz, bundle, start_s=0.0)
        told = [(each.time_s, each.confidence) for each in judged if each.type == "unit.tampered" and each.phase is Phase.START]
        # A sound that fades into digital silence is silent from there on.
        score.add(told, [(max(0.0, alive_s - 3.0), alive_s + 1.0)], alive_s + 15.0)
    return score


def _levels(bundle: Bundle, each: int) -> Score:
    """Noise that is louder than a zone's limit, or not; for a sine of 1 kHz, whose A-weighted level is its level."""
    score = Score("sound.level", f"tones of {', '.join(f'{step:+g}' for step in STEPS_DB)} dB about the limit", "simulated", "in noise")
    where = Point(lon=5.37, lat=43.2965)
    unit = Unit(position=where, senses=("microphone",), microphone=Microphone(full_scale_db=FULL_SCALE_DB))
    zone = NoiseZone(kind="noise", unit=UNIT, limit_db=LIMIT_DB, period_s=PERIOD_S)
    site = Site(site="bench", profile="lab", origin=where, units={UNIT: unit}, zones={"square": zone})
    random = np.random.default_rng(3)
    for step_db in STEPS_DB * each:
        quiet_s, loud_s = 20.0 + random.uniform(0, 5), 30.0
        sense = MicrophoneSense(site, UNIT, ALLOWED, bundle)
        told: list[tuple[float, float]] = []
        sound = _tone(quiet_s, loud_s, LIMIT_DB + step_db, random)
        for at in range(0, sound.size, RATE_HZ // 10):
            judged = sense.process(AudioBlock(at / RATE_HZ, sound[at : at + RATE_HZ // 10], RATE_HZ))
            told += [(one.time_s, one.confidence) for one in judged if one.type == "sound.level" and one.phase is Phase.START]
        truths = [(quiet_s, quiet_s + PERIOD_S + 1.0)] if step_db > 0 else []
        score.add(told, truths, quiet_s + loud_s)
    return score


def _tone(quiet_s: float, loud_s: float, level_db: float, random: np.random.Generator) -> Floats:
    at_s = np.arange(round((quiet_s + loud_s) * RATE_HZ)) / RATE_HZ
    # Full scale is a sine's peak, 3 dB above its root mean square.
    peak = 10 ** ((level_db + 10 * np.log10(2) - FULL_SCALE_DB) / 20)
    noise = random.normal(0, 10 ** ((40.0 - FULL_SCALE_DB) / 20), at_s.size)
    return np.asarray(noise + np.where(at_s < quiet_s, 0.0, peak) * np.sin(2 * np.pi * 1000 * at_s), np.float32)

"""Recorded sounds with a class: how a tagger scores them, through the unit's own ear, and what a unit reports of them, as streams."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from parvis_contract import Phase
from parvis_contract.site import Microphone, Point, Site, Unit
from parvis_edge.analysers.microphone import MicrophoneSense
from parvis_edge.bundle import Bundle
from parvis_edge.capture.container import Tally
from parvis_edge.capture.sound import read_sound
from parvis_edge.capture.source import SourceError, parse_source
from parvis_edge.hearing.ear import Ear
from parvis_edge.hearing.tagger import Tagger
from parvis_edge.perception import AudioBlock

from .photographs import DataError

#: Classes of Parvis by the names that data sets give them.
CLASS_OF = {
    "gun_shot": "gunshot",
    "gunshot": "gunshot",
    "explosion": "explosion",
    "glass_break": "glass_breaking",
    "glass_breaking": "glass_breaking",
    "fireworks": "firework",
    "firework": "firework",
    "crash": "crash",
    "siren": "siren",
    "fire_alarm": "fire_alarm",
    "smoke_alarm": "fire_alarm",
    "car_horn": "vehicle_horn",
    "vehicle_horn": "vehicle_horn",
}
#: Names that may mean more than one class: such a sound is neither an example nor a counterexample of any of them.
UNSURE = {"alarm_siren": frozenset({"siren", "fire_alarm", "vehicle_horn"}), "alarm": frozenset({"siren", "fire_alarm", "vehicle_horn"})}
#: The label in the list's column "ground_truth"; the word alone says that the file's folder is named after it.
_LABEL = re.compile(r"\bclass\b(?:=([a-z_]+))?")
#: Levels play no part in the tagger's scores; the ear wants one.
_FULL_SCALE_DB = 120.0


@dataclass(frozen=True, slots=True)
class Recording:
    """A sound file and its class.

    Attributes:
        path: Of the file.
        label: As the list has it.
        sound_class: Of Parvis; None for a sound that is none of them.
        unsure: Classes of Parvis that it may be.
    """

    path: Path
    label: str
    sound_class: str | None
    unsure: frozenset[str]


def read_recordings(folder: Path) -> list[Recording]:
    """Reads the list `SOURCES.tsv` of a folder of sounds.

    Its columns are "file" and "ground_truth"; the latter has in it "class=NAME", or "class" where the name is the folder's.

    Args:
        folder: With the list and the files.

    Raises:
        DataError: There is no list, a column is missing, or a file is.
    """
    path = folder / "SOURCES.tsv"
    if not path.is_file():
        raise DataError(f"{path}: not here; --data names a folder that has audio/SOURCES.tsv")
    recordings = []
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        if not {"file", "ground_truth"} <= set(rows.fieldnames or ()):
            raise DataError(f"{path}: needs the columns file and ground_truth, has {', '.join(rows.fieldnames or ())}")
        for row in rows:
            found = _LABEL.search(row["ground_truth"] or "")
            if found is None:
                raise DataError(f"{path}:{rows.line_num}: ground_truth {row['ground_truth']!r} names no class; write class=NAME, or class")
            sound = folder / row["file"]
            if not sound.is_file():
                raise DataError(f"{path}:{rows.line_num}: {sound} is not here")
            label = found[1] or sound.parent.name
            recordings.append(Recording(sound, label, CLASS_OF.get(label), UNSURE.get(label, frozenset())))
    if not recordings:
        raise DataError(f"{path}: lists no sound")
    return recordings


@dataclass(frozen=True, slots=True)
class Scored:
    """What a tagger makes of a recording.

    Attributes:
        scores: ``(P, labels)`` float32, of each patch in order.
        duration_s: Of the recording.
    """

    scores: npt.NDArray[np.float32]
    duration_s: float


def score_all(bundle: Bundle, recordings: Sequence[Recording]) -> list[Scored]:
    """Plays each recording to the unit's ear.

    Raises:
        DataError: A file cannot be decoded.
    """
    tagger = Tagger(bundle)
    return [_score(tagger, recording.path) for recording in recordings]


def reported_all(bundle: Bundle, recordings: Sequence[Recording]) -> list[Counter[str]]:
    """Plays each recording to a microphone of a unit, and counts what it reports by class of sound: events, not scores.

    Raises:
        DataError: A file cannot be decoded.
    """
    return [_reported(bundle, recording.path) for recording in recordings]


def _score(tagger: Tagger, path: Path) -> Scored:
    ear = Ear(tagger, _FULL_SCALE_DB, impulses=False, levels=False)
    heard, duration_s = [], 0.0
    for block in _blocks(path):
        heard += ear.push(block)
        duration_s += block.samples.size / block.rate_hz
    heard += ear.finish()
    return Scored(np.array([tagged.scores for one in heard for tagged in one.tagged]), duration_s)


def _reported(bundle: Bundle, path: Path) -> Counter[str]:
    somewhere = Point(lon=0.0, lat=0.0)
    unit = Unit(position=somewhere, senses=("microphone",), microphone=Microphone(full_scale_db=_FULL_SCALE_DB))
    site = Site(site="evaluation", profile="lab", origin=somewhere, units={"u001": unit})
    sense = MicrophoneSense(site, "u001", frozenset({"sound.impulse", "sound.alarm"}), bundle)
    judged = [judgement for block in _blocks(path) for judgement in sense.process(block)] + sense.finish()
    return Counter(str(getattr(one.measure, "sound_class", "")) for one in judged if one.phase in (Phase.START, Phase.INSTANT))


def _blocks(path: Path) -> Iterator[AudioBlock]:
    try:
        yield from read_sound(parse_source(str(path), "microphone"), Tally(), start_s=0.0)
    except SourceError as error:
        raise DataError(str(error)) from None

"""A camera that is tampered with, tags that are printed and photographed, and months on a square: changed, rendered and computed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from parvis_edge.analysers.unit_tampered import CameraTamperingAnalyser
from parvis_edge.perception import Frame
from parvis_edge.vision.sight import Sight
from parvis_edge.vision.tags import TagReader

from tests.bench import level_bench, tags_bench
from tests.bench.senses.conditions import Film, Image, night
from tests.bench.senses.score import Score
from tests.bench.senses.seen import BEGAN_S, film
from tests.edge.analysers import weeks
from tests.edge.vision.rendered import THRESHOLDS, ColourDetector

#: When a camera is tampered with, and how long that is watched.
TAMPERED_S, UNTIL_S = 8.0, 18.0
#: Clips on which it is tampered with, and from which second on.
STREETS = ("abandoned/aboda_video4.avi", "intrusion/one-by-one-person-detection.mp4", "traffic/car-detection.mp4", "fall/chair_room.mp4")


def lines(material: Path, *, quick: bool, tell: Any) -> Iterator[list[Score]]:
    """Measures: after each kind of scene, the lines up to there; arguments as of `seen.lines`."""
    cv2.setNumThreads(1)
    tell("tampering")
    scores = _tampering(material, 2 if quick else len(STREETS))
    yield scores
    tell("tags")
    scores += _tags(material, 25 if quick else 100)
    yield scores
    tell("months")
    yield scores + _unusual(1 if quick else 2)


def _tampering(material: Path, count: int) -> list[Score]:
    """A clip that is covered, darkened, blurred, turned or frozen from a moment on; and as it is, by day and by night."""
    causes: dict[str, Callable[[Image], Image]] = {
        "covered": lambda image: cv2.GaussianBlur(np.full_like(image, 45), (0, 0), 3),
        "dark": lambda image: np.asarray(image * 0.06, np.uint8),
        "defocused": lambda image: np.asarray(cv2.GaussianBlur(image, (0, 0), image.shape[0] / 50), np.uint8),
        "moved": lambda image: np.ascontiguousarray(np.roll(image, (image.shape[0] // 4, image.shape[1] // 4), (0, 1))),
    }
    scores = []
    for conditions, play in (("by day", lambda pictures: pictures), ("night", night)):
        for cause in (*causes, "frozen"):
            score = Score("unit.tampered", f"camera {cause}, {count} clip{'s' * (count > 1)}", "composed", conditions)
            for name in STREETS[:count]:
                pictures = _tampered(play(film(material / name)), cause, causes.get(cause))  # type: ignore[no-untyped-call]
                score.add(_told_tampered(pictures), [(TAMPERED_S - 1.0, TAMPERED_S + 3.0)], UNTIL_S)
            scores.append(score)
    return scores


def _tampered(pictures: Film, cause: str, change: Callable[[Image], Image] | None) -> Iterator[tuple[float, Image]]:
    kept: Image | None = None
    for time_s, image in pictures:
        if time_s >= UNTIL_S:
            return
        if time_s >= TAMPERED_S:
            kept = image if kept is None else kept
            yield time_s, kept if cause == "frozen" or change is None else change(image)
        else:
            yield time_s, image


def _told_tampered(pictures: Film) -> list[tuple[float, float]]:
    """No cause asks who is in the picture, so no detector runs."""
    analyser, sight = CameraTamperingAnalyser(), None
    told = []
    for time_s, image in pictures:
        if sight is None:
            sight = Sight(ColourDetector(blind=True), THRESHOLDS, (image.shape[1], image.shape[0]))  # type: ignore[arg-type]
        scene = sight.look(Frame(BEGAN_S + time_s, image))
        if scene is not None:
            told += [(each.time_s - BEGAN_S, each.confidence) for each in analyser.judge(scene) if each.phase.value == "start"]
    return told


def _tags(material: Path, count: int) -> list[Score]:
    """Prints as a camera shows them, by size; photographs in which tags are; photographs in which none is."""
    reader = TagReader(range(587))
    scores = []
    for side_px in (10, 12, 16, 24):
        score = Score("tag.sighting", f"{side_px} px a side, straight on", "simulated", "lens, noise, JPEG", hours=None)
        for seed in range(count):
            number, picture = tags_bench.photographed(side_px, 0, seed)
            read = [tag.number for tag in reader.read(picture, [(0, 0, picture.shape[1], picture.shape[0])])]
            score.join(Score("", "", "simulated", found=number in read, truths=1, false=sum(each != number for each in read), hours=None))
        scores.append(score)
    truth = json.loads((material / "tags" / "ground_truth.json").read_text())
    real = Score("tag.sighting", "photographs with tags", "real", hours=None)
    for name, entry in truth.items():
        if isinstance(entry, dict) and "APRILTAG_36h11" in str(entry.get("dictionary")) and entry.get("ids"):
            whole = np.asarray(cv2.imread(str(material / "tags" / name)), np.uint8)
            read = {tag.number for tag in reader.read(whole, [(0, 0, whole.shape[1], whole.shape[0])])}
            there = set(entry["ids"])
            real.join(Score("", "", "real", found=len(read & there), truths=len(there), false=len(read - there), hours=None))
    return [*scores, real]


def _unusual(count: int) -> list[Score]:
    """Months on a square (tests/bench/level_bench.py): three times as many people for half an hour a day; and nothing unusual."""
    scores = []
    hours = (level_bench.WEEKS - level_bench.LEARNED) * 168.0
    for what, busy in (("busy square", 40.0), ("quiet lane", 6.0)):
        score = Score("level.unusual", f"people, {what}, nothing unusual", "simulated", "days that differ")
        for seed in range(count):
            said = weeks.starts(weeks.judged(weeks.minutes(level_bench.WEEKS, seed, busy, level_bench.GROWTH), weeks.watch()))
            score.add([(each.time_s, each.confidence) for each in said], [], hours * 3600)
        scores.append(score)
    score = Score("level.unusual", "three times 20 people or more, half an hour", "simulated", "days that differ", hours=None)
    for seed in range(count):
        whens = level_bench._whens(seed, 20.0)
        minutes = weeks.minutes(level_bench.WEEKS, seed, 40.0, level_bench.GROWTH, level_bench._twist(whens, 3.0))
        told = [each.time_s for each in weeks.starts(weeks.judged(minutes, weeks.watch()))]
        lasts_s = level_bench.LASTS.total_seconds()
        found = sum(any(0 <= time_s - when.timestamp() <= lasts_s for time_s in told) for when in whens)
        score.join(Score("", "", "simulated", found=found, truths=len(whens), hours=None))
    # What is told outside these half hours is counted on the weeks without them.
    return [*scores, score]

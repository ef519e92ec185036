"""What a camera's whole sense says of the real clips, as recorded and under other light, weather and coding."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from parvis_contract import EVENT_TYPES, ObjectClass, TrafficWrongWay
from parvis_edge.analysers.camera import CameraSense
from parvis_edge.bundle import Bundle, load_bundle
from parvis_edge.perception import Counted, Finding, Frame, Judgement

from tests.bench.senses.conditions import CONDITIONS, Film, Image
from tests.bench.senses.score import Score
from tests.edge.analysers.watching import plan

BEGAN_S = 1.7e9
#: Judged on all of every picture. No clip has a bag that stands alone, or somebody who lies, for the minute and the five seconds that a
#: site plan has unless told otherwise.
DWELL_S, LYING_S = 10.0, 1.0
EVERYWHERE = {
    "object.unattended": f"dwell {DWELL_S:.0f} s",
    "person.on_ground": f"lying {LYING_S:.0f} s",
    "crowd.surge": "no surge in them",
    "unit.tampered": "nobody tampers",
}
#: Frames a second that are fed at least; a unit looks at five, and at the one before for what flows.
LEAST_HZ = 10.0
QUICK = ("as recorded", "night")


@dataclass(frozen=True)
class Clip:
    """A real clip, what is watched in it, and what is true.

    Attributes:
        path: Of the file.
        truths: By type, from when to when each truth may be told to have begun, in seconds of the clip.
        entries: More zones and lanes than those on all of the picture.
        entered: How many people go into the zone ``track``; None where there is none.
    """

    path: Path
    truths: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    entered: int | None = None


def clips(material: Path) -> list[Clip]:
    """All of the development material, with the truths that stand beside it."""
    made = [_falls(path, truth) for path, truth in _truths(material / "fall")]
    for path, truth in _truths(material / "abandoned"):
        # Told to have begun when its owner has gone; both are known to within 0.3 s, and it takes steps to be gone.
        left = [(each["owner_stands_next_to_it_until_s"] - 2.0, each["owner_walks_off_s"] + 5.0) for each in truth["events"]]
        made.append(Clip(path, {"object.unattended": left}))
    for path, truth in _truths(material / "intrusion"):
        x, y, width, height = truth["zone_bbox"]
        track = {"kind": "closed", "polygon_px": _box(x, y, x + width, y + height)}
        visits = [(began_s - 1.0, began_s + 1.5) for began_s, _ in truth["zone_occupied_s"]]
        made.append(Clip(path, {"zone.intrusion": visits}, {"zones": {"track": track}}, len(visits)))
    for path, truth in _truths(material / "traffic"):
        drove = [(each["s"][0] - 0.5, each["s"][1] + 0.5) for each in truth["vehicles"]]
        lanes = {
            f"{side}-{way}": {"polygon_px": corners, "heading_px": [0, down if way == "legal" else -down]}
            for side, corners, down in (("left", _box(0, 0, 290, 432), 1), ("right", _box(290, 0, 768, 432), -1))
            for way in ("legal", "reversed")
        }
        made.append(Clip(path, {"traffic.wrong_way": drove}, {"lanes": lanes}))
    return made


def _truths(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for name, truth in json.loads((folder / "ground_truth.json").read_text()).items():
        if isinstance(truth, dict):
            yield folder / name, truth


def _falls(path: Path, truth: dict[str, Any]) -> Clip:
    return Clip(path, {"person.on_ground": [(each["fall_start_s"] - 0.3, each["on_ground_s"][1]) for each in truth["events"]]})


def _box(x0: float, y0: float, x1: float, y1: float) -> list[list[float]]:
    return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]


def film(path: Path) -> Iterator[tuple[float, Image]]:
    """A clip's pictures with their seconds, as many as a unit wants."""
    capture = cv2.VideoCapture(str(path))
    rate_hz = capture.get(cv2.CAP_PROP_FPS)
    step, index = max(1, int(rate_hz / LEAST_HZ)), 0
    while capture.grab():
        if index % step == 0:
            yield index / rate_hz, np.asarray(capture.retrieve()[1], np.uint8)
        index += 1


def watched(clip: Clip, pictures: Film, bundle: Bundle) -> tuple[list[Finding], float]:
    """What is said of a clip, at seconds of the clip, and how long it is."""
    capture = cv2.VideoCapture(str(clip.path))
    size = (int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))
    whole = _box(0, 0, *size)
    zones = {
        "watched": {"kind": "watched", "polygon_px": whole, "dwell_s": DWELL_S},
        "walked": {"kind": "walked", "polygon_px": whole, "after_s": LYING_S},
        "crowd": {"kind": "crowd", "polygon_px": whole},
        **clip.entries.get("zones", {}),
    }
    site = plan(size, zones=zones, lanes=clip.entries.get("lanes", {}))
    sense = CameraSense(site, "u1", frozenset(EVENT_TYPES) - {"level.unusual"} | {"flow.count"}, bundle)
    said: list[Finding] = []
    time_s = 0.0
    for time_s, image in pictures:
        said += sense.process(Frame(BEGAN_S + time_s, image))
    return said + sense.finish(), time_s


def scored(clip: Clip, pictures: Film, condition: str, bundle: Bundle, count: int) -> Iterator[Score]:
    """The lines of one clip, of so many, under one condition."""
    said, seconds = watched(clip, pictures, bundle)
    starts = [each for each in said if isinstance(each, Judgement) and each.phase.value == "start"]

    def line(name: str, what: str, told: Iterable[Judgement], truths: list[tuple[float, float]]) -> Score:
        score = Score(name, what, "real", condition)
        score.add([(each.time_s - BEGAN_S, each.confidence) for each in told], truths, seconds)
        return score

    for name, how in EVERYWHERE.items():
        yield line(name, f"{count} clips, {how}", [each for each in starts if each.type == name], clip.truths.get(name, []))
    if "zone.intrusion" in clip.truths:
        name = "zone.intrusion"
        yield line(name, "visits to a zone of one clip", [each for each in starts if each.type == name], clip.truths[name])
    if clip.entered is not None:
        entered = sum(
            each.entered for each in said if isinstance(each, Counted) and each.zone == "track" and each.object_class is ObjectClass.PERSON
        )
        most = min(entered, clip.entered)
        yield Score(
            "flow.count", "people who enter a zone of one clip", "real", condition, most, clip.entered, entered - most, seconds / 3600
        )
    if "traffic.wrong_way" in clip.truths:
        name = "traffic.wrong_way"
        for way, truths in (("reversed", clip.truths[name]), ("legal", [])):
            told = [each for each in starts if isinstance(each.measure, TrafficWrongWay) and str(each.measure.lane).endswith(way)]
            yield line(name, f"vehicles of one clip, lanes {way}", told, truths)


def lines(material: Path, *, quick: bool, tell: Any) -> Iterator[list[Score]]:
    """Measures: after each condition, the lines up to there.

    Args:
        material: Folder of the development material.
        quick: Every fourth clip and few conditions.
        tell: Called with what is being done.
    """
    cv2.setNumThreads(1)
    bundle = load_bundle("nanodet-g-416", threads=1)
    some = clips(material)[:: 4 if quick else 1]
    scores: dict[tuple[str, str, str], Score] = {}
    for condition in QUICK if quick else CONDITIONS:
        for clip in some:
            tell(f"{condition}: {clip.path.name}")
            for line in scored(clip, CONDITIONS[condition](film(clip.path)), condition, bundle, len(some)):
                key = (line.type, line.what, condition)
                if key in scores:
                    scores[key].join(line)
                else:
                    scores[key] = line
        yield sorted(scores.values(), key=lambda score: (score.type, score.what))

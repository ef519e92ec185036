"""The camera's sense on recorded material, and what it makes of a site plan and a legal profile."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from parvis_contract import EVENT_TYPES, Site
from parvis_edge.analysers.camera import CameraSense
from parvis_edge.bundle import load_bundle
from parvis_edge.perception import Frame, Judgement

from tests.edge.analysers.watching import plan
from tests.edge.vision.rendered import Street

EVERYTHING = frozenset(EVENT_TYPES)
BEGAN_S = 1_700_000_000.0


def whole(width: int, height: int) -> list[list[int]]:
    return [[0, 0], [width, 0], [width, height], [0, height]]


def watch(path: Path, site: Site, from_s: float, until_s: float, step: int = 1) -> list[Judgement]:
    """What is said of a stretch of a clip, every ``step``-th frame of it; times are seconds of the clip."""
    sense = CameraSense(site, "u1", EVERYTHING, load_bundle("nanodet-g-416"))
    capture = cv2.VideoCapture(str(path))
    rate_hz = capture.get(cv2.CAP_PROP_FPS)
    said: list[Judgement] = []
    for index in range(int(until_s * rate_hz)):
        if not capture.grab():
            break
        if index / rate_hz >= from_s and index % step == 0:
            _, image = capture.retrieve()
            said += judgements(sense.process(Frame(BEGAN_S + index / rate_hz, np.asarray(image, np.uint8))))
    return said + judgements(sense.finish())


def judgements(found: Iterable[object]) -> list[Judgement]:
    """Events alone: counts and the like are tested elsewhere."""
    return [finding for finding in found if isinstance(finding, Judgement)]


def starts(said: list[Judgement], name: str) -> list[float]:
    return [judgement.time_s - BEGAN_S for judgement in said if judgement.type == name and judgement.phase.value == "start"]


ZONES: dict[str, dict[str, Any]] = {
    "watched": {"kind": "watched", "polygon_px": whole(640, 360)},
    "closed": {"kind": "closed", "polygon_px": whole(640, 360)},
    "walked": {"kind": "walked", "polygon_px": whole(640, 360)},
    "crowd": {"kind": "crowd", "polygon_px": whole(640, 360), "area_m2": 50.0},
    "unmeasured": {"kind": "crowd", "polygon_px": whole(640, 360)},
    "on-map": {"kind": "closed", "polygon": [[5.37, 43.296], [5.371, 43.296], [5.371, 43.297]]},
}
LANES = {"lane": {"polygon_px": whole(640, 360), "heading_px": [0, 1]}}


def sense_of(allowed: frozenset[str]) -> CameraSense:
    sense = CameraSense(plan(zones=ZONES, lanes=LANES), "u1", allowed, load_bundle("nanodet-g-416"))
    sense.process(Frame(BEGAN_S, Street().picture()))
    return sense


@pytest.mark.parametrize(
    ("allowed", "made"),
    [
        (frozenset(), set()),
        (frozenset({"zone.intrusion"}), {"ZoneIntrusionAnalyser"}),
        (frozenset({"unit.tampered", "object.unattended"}), {"CameraTamperingAnalyser", "UnattendedObjectAnalyser"}),
        (frozenset({"sound.impulse"}), set()),
    ],
)
def test_what_the_profile_does_not_allow_is_never_made(allowed: frozenset[str], made: set[str]) -> None:
    assert {type(analyser).__name__ for analyser in sense_of(allowed)._analysers} == made


def test_what_cannot_be_judged_is_said_with_what_would_help() -> None:
    lines = sense_of(EVERYTHING).unjudged
    assert any(line.startswith("zones.on-map: zone.intrusion") and "ground_plane" in line for line in lines)
    assert any(line.startswith("zones.unmeasured: crowd.density") and "area_m2" in line for line in lines)
    assert [line for line in lines if line.startswith("zones.on-map: level.unusual")]
    assert len(lines) == 3


def test_a_unit_without_a_camera_is_refused() -> None:
    site = plan(unit={"senses": ["microphone"]})
    with pytest.raises(ValueError, match="no camera"):
        CameraSense(site, "u1", EVERYTHING, load_bundle("nanodet-g-416"))


def test_a_stream_that_changes_its_size_starts_anew() -> None:
    sense = sense_of(EVERYTHING)
    assert sense.analysed == 1
    small = cv2.resize(Street().picture(), (320, 180))
    sense.process(Frame(BEGAN_S + 1, np.asarray(small, np.uint8)))
    assert sense.analysed == 2
    assert judgements(sense.finish()) == []


def test_nothing_is_said_of_nothing() -> None:
    sense = CameraSense(plan(zones=ZONES), "u1", EVERYTHING, load_bundle("nanodet-g-416"))
    assert judgements(sense.finish()) == []
    assert sense.inference_ms is None


def test_judgements_carry_no_track_and_a_bounded_confidence(material: Path) -> None:
    size = (768, 432)
    lanes = {"up": {"polygon_px": whole(*size), "heading_px": [0, 1]}}
    said = watch(material / "traffic" / "car-detection.mp4", plan(size, lanes=lanes), 3.0, 10.0)
    assert len(starts(said, "traffic.wrong_way")) == 1
    for judgement in said:
        assert set(judgement.measure.model_dump()) == set(EVENT_TYPES[judgement.type].measure.model_fields)
        assert 0.0 <= judgement.confidence <= 1.0


@pytest.mark.parametrize("reversed_lanes", [False, True])
def test_each_vehicles_direction(material: Path, reversed_lanes: bool) -> None:
    sign = -1 if reversed_lanes else 1
    size = (768, 432)
    lanes = {
        "left": {"polygon_px": [[0, 0], [290, 0], [290, 432], [0, 432]], "heading_px": [0, sign]},
        "right": {"polygon_px": [[290, 0], [768, 0], [768, 432], [290, 432]], "heading_px": [0, -sign]},
    }
    said = watch(material / "traffic" / "car-detection.mp4", plan(size, lanes=lanes), 0.0, 30.2)
    assert len(starts(said, "traffic.wrong_way")) == (4 if reversed_lanes else 0)
    assert starts(said, "unit.tampered") == []


def test_each_visit_to_a_closed_zone(material: Path) -> None:
    zones = {"track": {"kind": "closed", "polygon_px": [[330, 60], [560, 60], [560, 400], [330, 400]]}}
    path = material / "intrusion" / "one-by-one-person-detection.mp4"
    # Every second frame: five a second, which is what is looked at anyway.
    said = watch(path, plan((768, 432), zones=zones), 0.0, 54.0, step=2)
    assert starts(said, "zone.intrusion") == [pytest.approx(6.3, abs=1.0), pytest.approx(23.0, abs=1.0), pytest.approx(50.6, abs=1.0)]
    assert starts(said, "unit.tampered") == []


def test_an_abandoned_bag_is_found(material: Path) -> None:
    zones = {"square": {"kind": "watched", "polygon_px": whole(720, 480), "dwell_s": 10}}
    said = watch(material / "abandoned" / "aboda_video4.avi", plan((720, 480), zones=zones), 5.0, 39.0, step=3)
    (began_s,) = starts(said, "object.unattended")
    # Its owner walks off at 19.2 s; it is told ten seconds after it was alone, and fifteen at the latest after that.
    assert 17.0 <= began_s <= 19.2 + 15.0 - 10.0


@pytest.mark.parametrize(("name", "size"), [("airport_suitcases_moving.mp4", (640, 360)), ("carousel_bags.mp4", (1280, 720))])
def test_luggage_that_moves_and_people_are_not_abandoned(material: Path, name: str, size: tuple[int, int]) -> None:
    zones = {"hall": {"kind": "watched", "polygon_px": whole(*size), "dwell_s": 5}}
    said = watch(material / "abandoned" / name, plan(size, zones=zones), 0.0, 20.0, step=3)
    assert starts(said, "object.unattended") == []
    assert starts(said, "unit.tampered") == []


def test_falls_are_found_and_nobody_else(material: Path) -> None:
    truth = json.loads((material / "fall" / "ground_truth.json").read_text())
    found, false = 0, []
    names = [name for name in truth if name.endswith(".mp4")]
    for name in names:
        capture = cv2.VideoCapture(str(material / "fall" / name))
        size = (int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))
        step = max(1, int(capture.get(cv2.CAP_PROP_FPS) // 10))
        zones = {"path": {"kind": "walked", "polygon_px": whole(*size), "after_s": 1}}
        began_s = starts(watch(material / "fall" / name, plan(size, zones=zones), 0.0, 60.0, step=step), "person.on_ground")
        event = truth[name]["events"][0]
        falls = [time_s for time_s in began_s if event["fall_start_s"] - 0.3 <= time_s <= event["on_ground_s"][1]]
        found += bool(falls)
        false += [(name, time_s) for time_s in began_s if time_s not in falls]
    # Seven of eight when this was written; the goal on such clips is four of five.
    assert found >= 0.75 * len(names)
    assert false == []

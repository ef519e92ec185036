from __future__ import annotations

import numpy as np
import pytest
from parvis_edge.vision.detector import Detections
from parvis_edge.vision.regions import Box
from parvis_edge.vision.tracker import FORGOTTEN_AFTER_S, LOST_AFTER_S, Track, Tracker

WHOLE: list[Box] = [(0, 0, 640, 360)]


def step(  # noqa: PLR0917
    tracker: Tracker,
    time_s: float,
    boxes: list[list[float]],
    kinds: list[str] | None = None,
    strong: bool = True,
    looked: list[Box] = WHOLE,
) -> list[Track]:
    tracker.predict(time_s)
    found = Detections(np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), 0.6, np.float32), np.zeros(len(boxes), np.int64))
    return tracker.update(found, np.full(len(boxes), 0.7), kinds or ["person"] * len(boxes), np.full(len(boxes), strong), looked)


def walker(time_s: float, x: float = 50.0, speed: float = 60.0) -> list[float]:
    left = x + speed * time_s
    return [left, 100.0, left + 40.0, 220.0]


def test_a_walker_is_one_track_with_the_right_speed() -> None:
    tracker = Tracker((640, 360))
    for index in range(20):
        tracks = step(tracker, index / 5, [walker(index / 5)])
    assert [track.hits for track in tracks] == [20]
    assert tracks[0].speed_px_s[0] == pytest.approx(60, abs=3)
    assert tracks[0].foot_px == pytest.approx((50 + 60 * 3.8 + 20, 220), abs=3)
    assert tracks[0].confidence == pytest.approx(0.7)


def test_two_who_cross_keep_their_tracks() -> None:
    tracker = Tracker((640, 360))
    for index in range(40):
        time_s = index / 5
        left, right = walker(time_s, 40, 50), [440 - 50 * time_s, 130, 480 - 50 * time_s, 250]
        tracks = step(tracker, time_s, [left, right])
    assert len(tracks) == 2
    assert tracks[0].speed_px_s[0] > 30
    assert tracks[1].speed_px_s[0] < -30


def test_a_gap_in_detection_does_not_break_a_track() -> None:
    tracker = Tracker((640, 360))
    for index in range(30):
        missed = 10 <= index < 14
        tracks = step(tracker, index / 5, [] if missed else [walker(index / 5, speed=30)])
    assert [track.number for track in tracks] == [1]


def test_weak_boxes_prolong_a_track_and_start_none() -> None:
    tracker = Tracker((640, 360))
    assert step(tracker, 0.0, [walker(0)], strong=False) == []
    step(tracker, 0.2, [walker(0.2)])
    for index in range(2, 30):
        tracks = step(tracker, index / 5, [walker(index / 5)], strong=False)
    assert len(tracks) == 1
    assert tracks[0].hits == 29
    assert len(tracks[0].scores) == 1


@pytest.mark.parametrize(
    ("looked", "lasts_s"), [(WHOLE, LOST_AFTER_S), ([], FORGOTTEN_AFTER_S), ([(400, 200, 640, 360)], FORGOTTEN_AFTER_S)]
)
def test_a_track_is_missed_only_where_the_detector_looked(looked: list[Box], lasts_s: float) -> None:
    tracker = Tracker((640, 360))
    standing = [100.0, 100.0, 140.0, 220.0]
    for index in range(5):
        step(tracker, index / 5, [standing])
    assert step(tracker, 0.8 + lasts_s - 0.1, [], looked=looked)
    assert not step(tracker, 0.8 + lasts_s + 0.3, [], looked=looked)


def test_kinds_do_not_mix() -> None:
    tracker = Tracker((640, 360))
    step(tracker, 0.0, [walker(0)], ["person"])
    assert {track.kind for track in step(tracker, 0.2, [walker(0.2)], ["vehicle"])} == {"person", "vehicle"}


def test_who_has_left_the_picture_is_no_track() -> None:
    tracker = Tracker((640, 360))
    for index in range(6):
        step(tracker, index / 5, [[600.0 + 20 * index - 40, 100.0, 640.0 + 20 * index - 40, 220.0]])
    assert step(tracker, 2.4, [], looked=[]) == []


def test_a_clock_that_goes_back_moves_nobody() -> None:
    tracker = Tracker((640, 360))
    for index in range(5):
        step(tracker, 100 + index / 5, [walker(index / 5)])
    box = tracker.tracks[0].box_px.copy()
    tracker.predict(50.0)
    assert np.array_equal(tracker.tracks[0].box_px, box)

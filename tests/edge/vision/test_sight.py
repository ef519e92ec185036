from __future__ import annotations

import numpy as np
import pytest
from parvis_edge.perception import Frame
from parvis_edge.vision.sight import RATE_HZ

from tests.edge.vision.rendered import BEGAN_S, CAR, PERSON, ColourDetector, Street, scenes, sight_of


def walker(s: float) -> list[tuple]:
    return [(40 + 60 * s, 120, 80 + 60 * s, 240, PERSON)]


def test_frames_are_chosen_by_their_own_times() -> None:
    street, detector = Street(), ColourDetector()
    sight = sight_of(street, detector)
    image = street.picture()
    taken = [sight.look(Frame(BEGAN_S + index / 30, image)) is not None for index in range(90)]
    assert sum(taken) == 3 * RATE_HZ
    # Recordings are read faster than they were made: nothing but the frames' times counts.
    assert taken[0]


def test_a_still_picture_is_looked_at_in_full_at_once() -> None:
    street, detector = Street(), ColourDetector()
    (scene,) = scenes(sight_of(street, detector), lambda _: street.picture(walker(1.0)), 0.2)
    assert scene.count == 1
    assert scene.looked_px[0] == (0, 0, 640, 360)
    assert [track.kind for track in scene.tracks] == ["person"]
    assert scene.change is None


def test_an_empty_street_is_hardly_looked_at() -> None:
    street, detector = Street(), ColourDetector()
    seen = list(scenes(sight_of(street, detector), lambda _: street.picture(), 30.0))
    assert len(seen) == 30 * RATE_HZ
    assert sum(bool(scene.looked_px) for scene in seen) <= 4


def test_who_walks_is_looked_at_in_every_frame_once_and_followed() -> None:
    street, detector = Street(), ColourDetector()
    seen = list(scenes(sight_of(street, detector), lambda s: street.picture(walker(s)), 8.0))[3:]
    assert all(len(scene.looked_px) == 1 for scene in seen)
    assert {track.number for scene in seen for track in scene.tracks if track.seen_s == scene.time_s and track.hits > 3} == {1}
    assert max(max(shape) for shape in detector.parts[6:]) < 640 or detector.runs < 60


def test_somebody_who_stands_still_is_looked_at_again() -> None:
    street, detector = Street(), ColourDetector()

    def paint(s: float) -> np.ndarray:
        x = 40 + 60 * min(s, 4.0)
        return street.picture([(x, 120, x + 40, 240, PERSON)])

    seen = list(scenes(sight_of(street, detector), paint, 20.0))
    later = [scene for scene in seen if scene.time_s > BEGAN_S + 8]
    assert all(scene.tracks for scene in later)
    assert sum(bool(scene.looked_px) for scene in later) < 0.5 * len(later)


def test_a_parked_car_costs_little() -> None:
    street, detector = Street(), ColourDetector()
    car = [(200.0, 200.0, 300.0, 260.0, CAR)]
    seen = list(scenes(sight_of(street, detector), lambda _: street.picture(car), 30.0))
    assert sum(bool(scene.looked_px) for scene in seen) <= 4


def test_identical_frames_are_noticed() -> None:
    street = Street()
    frozen = street.picture()
    seen = list(scenes(sight_of(street), lambda s: street.picture() if s < 1 else frozen, 2.0))
    assert [scene.identical for scene in seen] == [False] * 6 + [True] * 4


def test_a_track_number_is_not_in_what_is_told() -> None:
    """What a track knows of a person: a place, a size, a speed, and numbers of one run; no picture, no descriptor."""
    street = Street()
    *_, last = scenes(sight_of(street), lambda s: street.picture(walker(s)), 3.0)
    (track,) = last.tracks
    values = {name: getattr(track, name) for name in type(track).__slots__}
    arrays = [value for value in values.values() if isinstance(value, np.ndarray)]
    assert max(value.size for value in arrays) <= 4
    assert all(isinstance(entry, float | int) for point in track.path for entry in point)


def packed(s: float, at_once: bool) -> list[tuple]:
    """Sixty people side by side in three rows, who come one after the other or all at once, and shift from foot to foot."""
    random = np.random.default_rng(5)
    things = []
    for index in range(60):
        row, column = divmod(index, 20)
        x = 32 * column + 1.5 * np.sin(1.3 * s + index)
        # The detector knows four of them, and once all are there none.
        colour = PERSON if index in {3, 8, 12, 17} else tuple(random.integers(0, 255, 3).tolist())
        if s >= (4.0 if at_once else 4.0 + 0.15 * index):
            things.append((x, 20 + 110 * row, x + 28, 130 + 110 * row, colour))
    return things


@pytest.mark.parametrize("at_once", [False, True])
def test_a_crowd_that_comes_and_stands_for_two_minutes_does_not_become_the_street_and_a_new_scene_does(at_once: bool) -> None:
    street, detector = Street(), ColourDetector()

    def paint(s: float) -> np.ndarray:
        detector.blind = s > 14.0
        return street.picture(packed(s, at_once))

    seconds = 40.0 if at_once else 135.0
    *_, last = scenes(sight_of(street, detector), paint, seconds, rate_hz=1.0)
    assert last.change is not None
    assert (last.change.changed.mean() > 0.7) == (not at_once)

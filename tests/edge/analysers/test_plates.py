"""Nobody is in the one picture that leaves a unit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from parvis_contract import ObjectUnattended, Phase
from parvis_contract.webp import webp_size
from parvis_edge.analysers.plates import PlateMaker
from parvis_edge.perception import Frame, Judgement, PlateMade
from parvis_edge.vision.plate import drawn

from tests.edge.analysers.watching import SIZE
from tests.edge.vision.rendered import BEGAN_S, BOX, PERSON, ColourDetector, Image, Street, sight_of

STILL_S = 6.0
MEASURE = ObjectUnattended(dwell_s=5.0, area_m2=None, nearest_person_m=None)


def plate_at(
    paint: Callable[[Street, float], Image], seconds: float, detector: ColourDetector | None = None, box: Any = (300.0, 220.0, 340.0, 260.0)
) -> tuple[Image, PlateMaker]:
    """The plate of an event that starts at the end, and who made it."""
    detector = detector or ColourDetector()
    street = Street(SIZE)
    sight = sight_of(street, detector)
    maker = PlateMaker(detector, SIZE, sight.cells, STILL_S)  # type: ignore[arg-type]
    start = Judgement("object.unattended", Phase.START, 1, BEGAN_S, 0.9, MEASURE, box_px=box)
    made: list[PlateMade] = []
    for index in range(round(seconds * 5)):
        frame = Frame(BEGAN_S + index / 5 + 0.01, paint(street, index / 5))
        scene = sight.look(frame)
        assert scene is not None
        made = maker.see(frame, scene, [start] if index == round(seconds * 5) - 1 else [])
    (plate,) = made
    assert webp_size(plate.webp)[0] <= 640
    return np.asarray(cv2.imdecode(np.frombuffer(plate.webp, np.uint8), cv2.IMREAD_COLOR), np.uint8), maker


def hatched(plate: Image, box: tuple[float, float, float, float]) -> float:
    """Share of a place of the stream that the plate does not show, by its two greys."""
    scale = plate.shape[1] / SIZE[0]
    x0, y0, x1, y1 = (round(side * scale) for side in box)
    part = plate[y0:y1, x0:x1].astype(int)
    return float(((np.ptp(part, axis=2) < 12) & (np.abs(part.mean(axis=2) - 116) < 26)).mean())


def test_a_known_scene_is_shown_with_a_rectangle_where_it_changed() -> None:
    plate, maker = plate_at(lambda street, _: street.picture(), 10)
    assert maker.scene.known.mean() > 0.95
    ground = cv2.resize(Street(SIZE).ground, (plate.shape[1], plate.shape[0]))
    assert np.abs(plate[20:150].astype(int) - ground[20:150]).mean() < 20
    # The rectangle's bright line is where the change is, and nowhere else.
    bright = cv2.inRange(plate, (0, 150, 190), (90, 255, 255))
    x, y, width, height = cv2.boundingRect(bright)
    assert (x, y) == (pytest.approx(294, abs=4), pytest.approx(214, abs=4))
    assert (width, height) == (pytest.approx(52, abs=6), pytest.approx(52, abs=6))


def test_a_young_scene_is_not_shown() -> None:
    plate, maker = plate_at(lambda street, _: street.picture(), 4)
    assert not maker.scene.known.any()
    assert hatched(plate, (0, 0, 640, 200)) > 0.95


PLACE = (120, 150, 160, 270)


def stands(street: Street, _: float) -> Image:
    return street.picture([(*PLACE, PERSON)])


def sits_from(begins_s: float) -> Callable[[Street, float], Image]:
    return lambda street, s: street.picture([(*PLACE, PERSON)] if s >= begins_s else [])


def walks(street: Street, s: float) -> Image:
    x = 60 + 35 * s % 500
    return street.picture([(x, 150, x + 40, 270, PERSON)])


@pytest.mark.parametrize("paint", [stands, walks], ids=["stands", "walks"])
def test_who_is_there_the_whole_time_is_not_shown(paint: Callable[[Street, float], Image]) -> None:
    plate, _ = plate_at(paint, 16)
    red = (plate[..., 2].astype(int) - plate[..., 1] > 70) & (plate[..., 2].astype(int) - plate[..., 0] > 70)
    assert red.mean() < 0.001
    if paint is stands:
        assert hatched(plate, PLACE) > 0.95


def test_of_where_somebody_came_the_scene_before_is_shown() -> None:
    # Not the place itself, for there the detector sees somebody now; but what is around it.
    plate, maker = plate_at(sits_from(9), 20)
    assert maker.scene.known.mean() > 0.7
    assert hatched(plate, PLACE) > 0.95


class Forgetful(ColourDetector):
    """Sees somebody once, at the beginning, and then no more."""

    def detect(self, image: Image, score_floor: float = 0.05) -> Any:
        self.blind = self.runs > 6
        return super().detect(image, score_floor)


def test_who_was_seen_once_and_never_moves_is_not_shown() -> None:
    plate, _ = plate_at(stands, 20, Forgetful())
    assert hatched(plate, PLACE) > 0.95


def test_who_was_never_seen_and_shows_life_is_not_shown() -> None:
    def fidgets(street: Street, s: float) -> Image:
        arm = [(150, 190, 172, 206, PERSON)] if int(s) % 5 == 0 else []
        return street.picture([(*PLACE, PERSON), *arm])

    plate, _ = plate_at(fidgets, 20, ColourDetector(blind=True))
    assert hatched(plate, (122, 152, 158, 262)) > 0.95


def test_what_belonged_to_the_scene_and_went_is_forgotten_at_once() -> None:
    # Nobody ever recognised them; they sat as still as a stone, and have just left.
    def paint(street: Street, s: float) -> Image:
        return street.picture([(*PLACE, BOX)] if s < 10 else [])

    plate, maker = plate_at(paint, 14, ColourDetector(blind=True))
    assert maker.scene.known.mean() > 0.4
    assert hatched(plate, PLACE) > 0.95


def test_the_thing_itself_is_not_shown_but_what_was_there_before() -> None:
    def paint(street: Street, s: float) -> Image:
        return street.picture([(300, 220, 340, 260, (10, 10, 10))] if s >= 9 else [])

    plate, _ = plate_at(paint, 14, ColourDetector(blind=True))
    inside = plate[228:252, 308:332]
    before = Street(SIZE).ground[228:252, 308:332]
    assert np.abs(inside.mean(axis=(0, 1)) - before.mean(axis=(0, 1))).max() < 15


def test_what_is_not_shown_leaves_no_trace_in_what_is() -> None:
    shown = np.ones((90, 160), np.bool_)
    shown[30:60, 40:80] = False
    one, other = np.full((90, 160, 3), 90, np.uint8), np.full((90, 160, 3), 90, np.uint8)
    other[~shown] = np.random.default_rng(1).integers(0, 255, (1200, 3))
    args = (shown, (400.0, 200.0, 450.0, 250.0), SIZE)
    assert np.array_equal(drawn(one, *args), drawn(other, *args))

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from parvis_contract import SurfaceMarked
from parvis_edge.analysers.surface_marked import SurfaceMarkedAnalyser
from parvis_edge.perception import Judgement

from tests.edge.analysers.watching import judged, phases, plan
from tests.edge.vision.rendered import PERSON, Image, Street

WALL = [[160, 60], [480, 60], [480, 220], [160, 220]]
SITE = plan(assets={"wall": {"kind": "surface", "polygon_px": WALL, "after_s": 6.0}})


def marked(image: Image, colour: tuple[int, int, int] = (30, 160, 210)) -> Image:
    drawn = image.copy()
    cv2.polylines(drawn, [np.array([[220, 180], [250, 100], [290, 170], [330, 95], [370, 175]])], False, colour, 9)
    return drawn


def plain(street: Street) -> Image:
    """The street with a plastered wall in it."""
    image = street.picture()
    wall = image[60:220, 160:480].astype(np.float32)
    image[60:220, 160:480] = np.clip(150 + 0.2 * (wall - wall.mean()), 0, 255)
    return image


def said_of(paint: Any, seconds: float = 30, site: Any = SITE) -> list[Judgement]:
    return judged(SurfaceMarkedAnalyser, site, paint, seconds, rate_hz=2.0)


def test_a_mark_is_told_once_and_ends_when_it_is_washed_off() -> None:
    said = said_of(lambda street, s: marked(plain(street)) if 12 <= s < 32 else plain(street), 48)
    ((_, start_s), (_, end_s)) = phases(said)
    assert start_s == pytest.approx(12, abs=4)
    assert end_s == pytest.approx(32, abs=8)
    assert {each.phase.value for each in said} == {"start", "end"}
    measure = said[0].measure
    assert isinstance(measure, SurfaceMarked)
    assert measure.asset == "wall"
    # 9 pixels wide and some 340 long, of 320 by 160.
    assert measure.changed_fraction == pytest.approx(0.06, abs=0.03)
    assert measure.changed_area_m2 is None
    box = said[0].box_px
    assert box is not None
    assert box[0] < 230
    assert box[2] > 360


def test_a_mark_that_is_taken_for_somebody_is_told_since_nothing_of_it_moves() -> None:
    said = said_of(lambda street, s: marked(plain(street), PERSON) if s >= 12 else plain(street), 36)
    assert [name for name, _ in phases(said)] == ["start", "end"]


def test_its_size_is_told_where_the_plan_gives_the_wall_one() -> None:
    site = plan(assets={"wall": {"kind": "surface", "polygon_px": WALL, "after_s": 6.0, "area_m2": 20.0}})
    said = said_of(lambda street, s: marked(plain(street)) if s >= 12 else plain(street), 28, site)
    measure = said[0].measure
    assert isinstance(measure, SurfaceMarked)
    assert measure.changed_area_m2 == pytest.approx(20.0 * measure.changed_fraction)


def shaded(image: Image, edge_px: float, factor: float = 0.5) -> Image:
    out = image.astype(np.float32)
    out[:, : max(0, round(edge_px))] *= factor
    return out.astype(np.uint8)


def walker(image: Image, s: float) -> Image:
    out = image.copy()
    x = round(40 * s) % 900 - 100
    cv2.rectangle(out, (x, 90), (x + 60, 300), PERSON, -1)
    return out


def stander(image: Image, s: float) -> Image:
    out = image.copy()
    if s >= 10:
        x = 300 + round(3 * np.sin(s))
        cv2.rectangle(out, (x, 90), (x + 60, 300), PERSON, -1)
    return out


@pytest.mark.parametrize(
    "happens",
    [
        lambda image, _: image,
        lambda image, s: shaded(image, 160 + 6 * s),
        lambda image, s: shaded(image, 300 if s >= 12 else 0),
        lambda image, s: cv2.convertScaleAbs(image, alpha=1.0 - 0.012 * s),
        walker,
        stander,
        lambda image, s: cv2.GaussianBlur(image, (9, 9), 0) if 14 <= s < 17 else image,
    ],
    ids=["nothing", "moving-shadow", "shadow-falls", "dusk", "walkers", "stands-before-it", "focus"],
)
def test_what_is_no_mark_is_not_told(happens: Any) -> None:
    assert said_of(lambda street, s: happens(plain(street), s)) == []


def test_who_stands_before_a_mark_does_not_end_it() -> None:
    said = said_of(lambda street, s: stander(marked(plain(street)), s - 20) if s >= 12 else plain(street), 44)
    assert [name for name, _ in phases(said)] == ["start", "end"]
    assert phases(said)[1][1] == pytest.approx(44, abs=1)


def test_a_grey_mark_that_light_could_have_made_takes_longer() -> None:
    def paint(street: Street, s: float) -> Image:
        return marked(plain(street), (95, 95, 95)) if s >= 12 else plain(street)

    assert said_of(paint, 24) == []
    (start, *_) = said_of(paint, 42)
    assert start.confidence < 0.7

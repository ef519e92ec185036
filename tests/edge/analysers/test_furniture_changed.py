from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from parvis_contract import FurnitureChanged
from parvis_edge.analysers.furniture_changed import FurnitureChangedAnalyser
from parvis_edge.perception import Judgement

from tests.edge.analysers.test_surface_marked import shaded, stander, walker
from tests.edge.analysers.watching import judged, phases, plan
from tests.edge.vision.rendered import PERSON, UNKNOWN, Image, Street, UprightDetector

BENCH = [[240, 170], [400, 170], [400, 250], [240, 250]]
SITE = plan(assets={"bench": {"kind": "furniture", "polygon_px": BENCH, "after_s": 6.0}})


def bench(image: Image, x: int = 240, y: int = 170, share: float = 1.0) -> Image:
    out = image.copy()
    right = round(x + 160 * share)
    for row in (y, y + 22, y + 44):
        cv2.rectangle(out, (x, row), (right, row + 12), (40, 70, 110), -1)
    for column in (x + 6, x + 145):
        if column < right:
            cv2.rectangle(out, (column, y), (column + 8, y + 80), (25, 30, 30), -1)
    return out


def said_of(paint: Callable[[Street, float], Image], seconds: float = 34) -> list[Judgement]:
    return judged(FurnitureChangedAnalyser, SITE, paint, seconds, rate_hz=2.0)


@pytest.mark.parametrize(
    ("after", "change"),
    [
        (lambda image: image, "missing"),
        (lambda image: bench(image, 275, 176), "moved"),
        (lambda image: bench(image, share=0.5), "altered"),
    ],
    ids=["missing", "moved", "altered"],
)
def test_what_became_of_a_bench_is_told(after: Callable[[Image], Image], change: str) -> None:
    said = said_of(lambda street, s: after(street.picture()) if s >= 12 else bench(street.picture()))
    assert [name for name, _ in phases(said)] == ["start", "end"]
    assert phases(said)[0][1] == pytest.approx(12, abs=4)
    measure = said[0].measure
    assert isinstance(measure, FurnitureChanged)
    assert (measure.asset, measure.change.value) == ("bench", change)


def test_it_ends_when_the_bench_is_back() -> None:
    said = said_of(lambda street, s: street.picture() if 12 <= s < 30 else bench(street.picture()), 46)
    ((_, _), (_, end_s)) = phases(said)
    assert end_s == pytest.approx(30, abs=8)


def bag(image: Image, s: float) -> Image:
    out = image.copy()
    if s >= 12:
        cv2.rectangle(out, (290, 165), (335, 205), UNKNOWN, -1)
    return out


def sitter(image: Image, s: float) -> Image:
    """Somebody sits on it for the rest of the time."""
    out = image.copy()
    if s >= 12:
        cv2.rectangle(out, (285, 110), (335, 250), PERSON, -1)
    return out


def sleeper(image: Image, s: float) -> Image:
    """Somebody lies down on it, and does not move any more: upright, the detector does not know them."""
    out = bench(image, share=0.5) if s >= 12 else bench(image)
    if s >= 12:
        cv2.rectangle(out, (300, 175), (430, 215), PERSON, -1)
    return out


@pytest.mark.parametrize("detector", [None, UprightDetector()], ids=["seen as they lie", "seen only upright"])
def test_somebody_who_sleeps_on_it_is_no_change_of_it(detector: UprightDetector | None) -> None:
    said = judged(FurnitureChangedAnalyser, SITE, lambda street, s: sleeper(street.picture(), s), 34, detector, rate_hz=2.0)
    assert said == []


def crate(image: Image, s: float) -> Image:
    """Something large stands before it."""
    out = image.copy()
    if s >= 12:
        cv2.rectangle(out, (225, 150), (415, 300), (150, 160, 170), -1)
    return out


@pytest.mark.parametrize(
    "happens",
    [
        lambda image, _: image,
        bag,
        sitter,
        crate,
        walker,
        stander,
        lambda image, s: shaded(image, 200 + 5 * s),
        lambda image, s: shaded(image, 320 if s >= 12 else 0),
        lambda image, s: cv2.convertScaleAbs(image, alpha=1.0 - 0.012 * s),
        lambda image, s: cv2.GaussianBlur(image, (9, 9), 0) if 14 <= s < 17 else image,
        lambda image, s: np.roll(image, round(np.sin(7 * s)), axis=1),
    ],
    ids=["nothing", "bag-on-it", "sits", "crate", "walkers", "stands", "moving-shadow", "shadow-falls", "dusk", "focus", "sway"],
)
def test_what_is_no_change_of_the_bench_is_not_told(happens: Callable[[Image, float], Image]) -> None:
    assert said_of(lambda street, s: happens(bench(street.picture()), s)) == []

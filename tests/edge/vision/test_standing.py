from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import cv2
import numpy as np
import pytest
from parvis_edge.vision.background import Change, shrink
from parvis_edge.vision.standing import Nature, nature_of

from tests.edge.vision.rendered import BEGAN_S, UNKNOWN, ColourDetector, Image, Street, scenes, sight_of

THING = (300.0, 200.0, 350.0, 250.0, UNKNOWN)
PALE = (300.0, 200.0, 350.0, 250.0, (210, 215, 220))


def shaded(street: Street, strength: float = 0.6) -> Image:
    """A soft shadow over a part of the picture."""
    mask = np.zeros(street.ground.shape[:2], np.float32)
    cv2.rectangle(mask, (260, 150), (420, 280), 1.0, -1)
    soft = cv2.GaussianBlur(mask, (0, 0), 6)[..., None]
    return np.clip(street.picture() * (1 - (1 - strength) * soft), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("thing", [THING, PALE])
@pytest.mark.parametrize("seed", range(5))
def test_added_and_gone_are_told_apart(thing: tuple, seed: int) -> None:
    street = Street(seed=seed)
    empty, full = shrink(street.picture(), 1), shrink(street.picture([thing]), 1)
    mask = np.zeros(empty.shape[:2], bool)
    mask[100:126, 150:176] = True
    assert nature_of(mask, full, empty, np.ones(3, np.float32)) is Nature.ADDED
    assert nature_of(mask, empty, full, np.ones(3, np.float32)) is Nature.GONE


@pytest.mark.parametrize("strength", [0.5, 0.7])
def test_a_shadow_is_light(strength: float) -> None:
    street = Street()
    mask = np.zeros((180, 320), bool)
    mask[78:138, 133:207] = True
    assert nature_of(mask, shrink(shaded(street, strength), 1), shrink(street.picture(), 1), np.ones(3, np.float32)) is Nature.LIGHT


def standing_at_the_end(street: Street, paint: Callable[[float], Image], seconds: float) -> list[tuple[int, ...]]:
    *_, last = scenes(sight_of(street, ColourDetector()), paint, seconds)
    assert isinstance(last.change, Change)
    return [tuple(side * last.cell_px for side in region.box) for region in last.standing]


def test_what_has_been_put_down_stands() -> None:
    street = Street()
    ((x0, y0, x1, y1),) = standing_at_the_end(street, lambda s: street.picture([THING] if s >= 3 else []), 8.0)
    assert (x0, y0, x1, y1) == pytest.approx((300, 200, 350, 250), abs=6)


def test_it_knows_since_when() -> None:
    street = Street()
    *_, last = scenes(sight_of(street), lambda s: street.picture([THING] if s >= 3 else []), 8.0)
    assert last.standing[0].since_s == pytest.approx(BEGAN_S + 3.0, abs=0.5)


@pytest.mark.parametrize(
    ("name", "paint"),
    [
        ("taken away again", lambda street, s: street.picture([THING] if 3 <= s < 7 else [])),
        ("gone for good", lambda street, s: street.picture([THING] if s < 4 else [])),
        ("a shadow", lambda street, s: shaded(street) if s >= 3 else street.picture()),
        ("moving on", lambda street, s: street.picture([(100 + 25 * s, 200, 160 + 25 * s, 250, UNKNOWN)])),
        ("darker by a third", lambda street, s: street.picture(light=1.0 if s < 4 else 0.67)),
    ],
)
def test_nothing_stands_after(name: str, paint: Callable[[Street, float], Image]) -> None:
    street = Street()
    assert standing_at_the_end(street, lambda s: paint(street, s), 12.0) == [], name


def test_a_thing_hidden_for_a_moment_is_the_same_thing() -> None:
    street = Street()
    passer = [(280.0, 120.0, 370.0, 300.0, (60, 120, 60))]
    seen = list(scenes(sight_of(street), lambda s: street.picture([THING] * (s >= 3) + passer * (8 <= s < 8.8)), 12.0))
    before = next(scene for scene in seen if scene.time_s >= BEGAN_S + 7)
    assert [region.number for region in seen[-1].standing] == [region.number for region in before.standing]
    assert seen[-1].standing[0].since_s == pytest.approx(BEGAN_S + 3.0, abs=0.5)


def test_a_region_is_held_against_the_empty_scene_and_nothing_of_its_look_is_kept() -> None:
    street = Street()

    def paint(s: float) -> Image:
        passing = [(s * 90 - 600, 120, s * 90 - 540, 260, (60, 90, 60))]
        return street.picture([THING if s < 9.0 else PALE] * (s >= 3) + passing)

    numbers = [[region.number for region in scene.standing] for scene in scenes(sight_of(street), paint, 16.0)]
    # Another thing in its place is the same region: whether it looks the same is not asked.
    assert numbers[-1] == numbers[35] == [1]
    *_, last = scenes(sight_of(street), lambda s: street.picture([THING] if s >= 3 else []), 8.0)
    arrays = [value for field in fields(last.standing[0]) if isinstance(value := getattr(last.standing[0], field.name), np.ndarray)]
    assert [(array.ndim, array.dtype) for array in arrays] == [(2, np.bool_)]

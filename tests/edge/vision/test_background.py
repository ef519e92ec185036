from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parvis_edge.vision.background import LEAST_CELLS, Background, halvings, shrink

from tests.edge.vision.rendered import UNKNOWN, Street


@given(st.integers(16, 8000), st.integers(16, 8000))
def test_the_working_size_is_the_smallest_that_is_large_enough(width: int, height: int) -> None:
    times = halvings(width, height)
    assert times == 0 or (width >> times) * (height >> times) >= LEAST_CELLS
    assert (width >> (times + 1)) * (height >> (times + 1)) < LEAST_CELLS


def test_shrinking_averages_and_drops_an_odd_edge() -> None:
    image = np.zeros((5, 7, 3), np.uint8)
    image[:2, :2] = [[[0], [40]], [[80], [120]]]
    small = shrink(image, 1)
    assert small.shape == (2, 3, 3)
    assert small[0, 0].tolist() == [60, 60, 60]


def watched(street: Street, seconds: float = 4.0) -> tuple[Background, float]:
    background = Background(shrink(street.picture(), 1), 0.0)
    for index in range(1, round(seconds * 5)):
        change = background.compare(shrink(street.picture(), 1), index / 5)
        background.learn(change, None)
    return background, seconds


def test_noise_is_no_change() -> None:
    street = Street()
    background, now_s = watched(street)
    change = background.compare(shrink(street.picture(), 1), now_s)
    assert not change.changed.any()
    assert not change.moving.any()


def test_a_thing_differs_and_its_arrival_moves() -> None:
    street = Street()
    background, now_s = watched(street)
    thing = (200, 200, 260, 300, UNKNOWN)
    change = background.compare(shrink(street.picture([thing]), 1), now_s)
    assert change.changed[110:140, 105:125].mean() > 0.9
    assert change.moving[110:140, 105:125].mean() > 0.9
    outside = change.changed.copy()
    outside[95:155, 95:135] = False
    assert not outside.any()


@pytest.mark.parametrize("light", [0.6, 0.8, 1.25])
def test_another_exposure_is_no_change(light: float) -> None:
    street = Street()
    background, now_s = watched(street)
    change = background.compare(shrink(street.picture(light=light), 1), now_s)
    assert change.changed.mean() < 0.01
    assert change.gain == pytest.approx(np.full(3, light), rel=0.05)


def test_what_stands_does_not_sink_into_the_background_and_dusk_does() -> None:
    street = Street()
    background, now_s = watched(street)
    thing = (200, 200, 260, 300, UNKNOWN)
    for index in range(150):
        light = 1.0 - 0.002 * index
        change = background.compare(shrink(street.picture([thing], light=light), 1), now_s + index / 5)
        background.learn(change, None)
    assert change.changed[110:140, 105:125].mean() > 0.9
    assert change.changed.mean() < 0.05
    assert background.picture[120, 115].mean() > 60


def test_nothing_is_learned_where_people_are() -> None:
    street = Street()
    background, now_s = watched(street)
    before = background.picture.astype(int)
    people = np.zeros(before.shape[:2], bool)
    people[:, :100] = True
    for index in range(100):
        change = background.compare(shrink(street.picture(light=1 + 0.001 * index), 1), now_s + index / 5)
        background.learn(change, people)
    after = background.picture.astype(int)
    assert np.array_equal(after[:, :100], before[:, :100])
    assert not np.array_equal(after[:, 100:], before[:, 100:])


def test_where_people_were_at_first_nothing_differs_until_they_have_gone() -> None:
    street = Street()
    person = (200, 150, 250, 300, UNKNOWN)
    background = Background(shrink(street.picture([person]), 1), 0.0)
    where = np.zeros((180, 320), bool)
    where[70:155, 95:130] = True
    background.doubt(where)
    for index in range(1, 20):
        change = background.compare(shrink(street.picture(), 1), index / 5)
        assert not change.changed.any()
        background.settle_doubts(change, np.zeros_like(where), 2.0)
    assert np.abs(background.picture[80:145, 105:120].astype(int) - shrink(street.ground, 1)[80:145, 105:120]).mean() < 5

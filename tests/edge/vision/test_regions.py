from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parvis_edge.vision.regions import WHOLE_EVERY_IDLE_S, Gaze, crops, tiles

NONE = np.zeros((0, 4))
SIDES = st.integers(64, 4000)


@given(SIDES, SIDES)
def test_tiles_cover_the_picture_and_stay_inside(width: int, height: int) -> None:
    covered = np.zeros((height // 8 + 1, width // 8 + 1), bool)
    side = min(width, height)
    for x0, y0, x1, y1 in tiles(width, height):
        assert 0 <= x0 < x1 <= width
        assert 0 <= y0 < y1 <= height
        assert x1 - x0 == y1 - y0 == side
        covered[y0 // 8 : -(-y1 // 8), x0 // 8 : -(-x1 // 8)] = True
    # A picture that is nearly square has one tile, and a twentieth on each side is left out.
    share = covered[: height // 8, : width // 8].mean()
    assert share >= (0.88 if max(width, height) <= side * 1.1 else 1.0)


@given(st.lists(st.tuples(st.floats(0, 1200), st.floats(0, 650), st.floats(4, 300), st.floats(4, 300)), min_size=1, max_size=12))
def test_every_box_is_inside_one_part(boxes: list[tuple[float, float, float, float]]) -> None:
    corners = np.array([[x, y, min(x + w, 1280), min(y + h, 720)] for x, y, w, h in boxes])
    parts = crops(corners, (1280, 720), 416)
    assert all(0 <= x0 < x1 <= 1280 and 0 <= y0 < y1 <= 720 for x0, y0, x1, y1 in parts)
    for box in corners:
        assert any(x0 <= box[0] + 1 and y0 <= box[1] + 1 and box[2] <= x1 + 1 and box[3] <= y1 + 1 for x0, y0, x1, y1 in parts)


@pytest.mark.parametrize(
    ("boxes", "count"),
    [
        ([[100, 100, 140, 200]], 1),
        ([[100, 100, 140, 200], [160, 100, 200, 200]], 1),
        ([[100, 100, 140, 200], [1500, 800, 1540, 900]], 2),
        # Everywhere: the whole picture at once.
        ([[x, y, x + 200, y + 200] for x in range(0, 1700, 280) for y in range(0, 880, 280)], 1),
    ],
)
def test_boxes_are_looked_at_together_where_they_fit(boxes: list[list[float]], count: int) -> None:
    assert len(crops(np.array(boxes, float), (1920, 1080), 416)) == count


def test_small_things_are_enlarged_but_not_for_ever() -> None:
    ((x0, y0, x1, y1),) = crops(np.array([[300.0, 300.0, 304.0, 310.0]]), (1920, 1080), 416)
    assert x1 - x0 == y1 - y0 == 260


def test_the_first_frame_is_looked_at_in_full_and_later_ones_once() -> None:
    gaze = Gaze((1920, 1080), 416)
    first = gaze.choose(0.0, NONE, NONE)
    assert first[0] == (0, 0, 1920, 1080)
    assert len(first) > 4
    busy = np.array([[100.0, 100, 200, 300], [1500.0, 700, 1600, 900]])
    assert all(len(gaze.choose(index / 5, busy, NONE)) == 1 for index in range(1, 60))


def test_parts_that_move_take_turns() -> None:
    gaze = Gaze((1920, 1080), 416)
    gaze.choose(0.0, NONE, NONE)
    busy = np.array([[100.0, 100, 200, 300], [1500.0, 700, 1600, 900]])
    looks = [gaze.choose(0.2 + index / 5, busy, NONE)[0] for index in range(4)]
    left = [look[2] < 1000 for look in looks]
    assert left in ([True, False, True, False], [False, True, False, True])


def test_where_nothing_moves_the_whole_picture_is_looked_at_now_and_then() -> None:
    gaze = Gaze((640, 360), 416)
    gaze.choose(0.0, NONE, NONE)
    looked = [index / 5 for index in range(1, 301) if gaze.choose(index / 5, NONE, NONE)]
    assert len(looked) == 60 / WHOLE_EVERY_IDLE_S

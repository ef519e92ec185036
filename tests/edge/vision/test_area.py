from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parvis_contract import ClosedZone
from parvis_edge.vision.area import NotSeen, place, polygon_area_m2, scaled
from parvis_edge.vision.ground_plane import GroundPlane

from tests.edge.vision.test_ground_plane import FOUR, PLANE, calibrated

SIZE, CELLS = (1280, 720), (320, 180)
SIDES = st.integers(16, 5000)


def in_picture(*polygon: tuple[float, float], size: tuple[int, int] = SIZE) -> ClosedZone:
    return ClosedZone.model_validate({"kind": "closed", "unit": "u1", "image_size": size, "polygon_px": polygon})


def on_map(corners_m: np.ndarray) -> ClosedZone:
    corners = [tuple(map(float, corner)) for corner in PLANE.to_degrees(corners_m)]
    return ClosedZone.model_validate({"kind": "closed", "polygon": corners})


@given(st.lists(st.tuples(st.floats(0, 4000), st.floats(0, 4000)), min_size=3, max_size=8), SIDES, SIDES, SIDES, SIDES)
def test_scaling_goes_there_and_back(polygon: list[tuple[float, float]], w0: int, h0: int, w1: int, h1: int) -> None:
    there = scaled(polygon, (w0, h0), (w1, h1))
    assert np.allclose(scaled(there, (w1, h1), (w0, h0)), polygon, atol=1e-6)


def test_a_polygon_is_scaled_from_its_picture_to_the_stream() -> None:
    one = place(in_picture((0, 0), (640, 0), (640, 720), (0, 720)), SIZE, CELLS, None)
    other = place(in_picture((0, 0), (320, 0), (320, 360), (0, 360), size=(640, 360)), SIZE, CELLS, None)
    assert np.array_equal(one.mask, other.mask)
    assert one.mask.sum() == 160 * 180
    assert one.contains([(10, 10), (639, 719), (641, 10), (1279, 10)]).tolist() == [True, True, False, False]
    assert one.box_px == (0, 0, 640, 720)
    assert one.area_m2 is None


@pytest.mark.parametrize(
    ("box", "share"), [([0, 0, 640, 720], 1.0), ([320, 0, 960, 720], 0.5), ([640, 0, 1280, 720], 0.0), ([5000, 0, 6000, 5], 0.0)]
)
def test_share_of_a_box(box: list[float], share: float) -> None:
    area = place(in_picture((0, 0), (640, 0), (640, 720), (0, 720)), SIZE, CELLS, None)
    assert area.shares([box])[0] == pytest.approx(share, abs=0.01)


def test_feet_cut_off_by_the_pictures_edge_are_in_the_nearest_pixel() -> None:
    area = place(in_picture((0, 600), (1280, 600), (1280, 720), (0, 720)), SIZE, CELLS, None)
    assert area.contains([(400, 720), (1280, 725)]).all()


def test_a_zone_on_the_map_is_seen_through_the_ground_plane() -> None:
    ground = GroundPlane(calibrated(FOUR), PLANE, SIZE)
    square = np.array([[-3.0, 9.0], [3.0, 9.0], [3.0, 15.0], [-3.0, 15.0]])
    area = place(on_map(square), SIZE, CELLS, ground)
    inside, outside = ground.to_picture_px([(0, 12)]), ground.to_picture_px([(0, 17)])
    assert area.on_map
    assert area.area_m2 == pytest.approx(36.0, rel=1e-6)
    assert area.contains(inside).all()
    assert not area.contains(outside).any()


def test_a_zone_in_the_picture_has_an_area_where_the_ground_is_known() -> None:
    ground = GroundPlane(calibrated(FOUR), PLANE, SIZE)
    corners = [tuple(map(float, corner)) for corner in ground.to_picture_px([(-2, 9), (2, 9), (2, 14), (-2, 14)])]
    assert place(in_picture(*corners), SIZE, CELLS, ground).area_m2 == pytest.approx(20.0, rel=1e-6)


@pytest.mark.parametrize(
    ("calibration", "corners", "says"),
    [
        (False, np.array([[-3.0, 9.0], [3.0, 9.0], [3.0, 15.0]]), "no `ground_plane`"),
        (True, np.array([[-3.0, -30.0], [3.0, -30.0], [3.0, -20.0]]), "no pixel"),
    ],
)
def test_what_is_not_seen_says_why(calibration: bool, corners: np.ndarray, says: str) -> None:
    ground = GroundPlane(calibrated(FOUR), PLANE, SIZE) if calibration else None
    with pytest.raises(NotSeen, match=says):
        place(on_map(corners), SIZE, CELLS, ground)


def test_area_does_not_depend_on_the_direction_round() -> None:
    corners = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 3.0], [0.0, 3.0]])
    assert polygon_area_m2(corners) == polygon_area_m2(corners[::-1]) == 12.0

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parvis_edge.vision.close_look import MOST_ENLARGED, CloseLook, turned_back

from tests.edge.vision.rendered import PERSON, SUITCASE, ColourDetector, Street, UprightDetector

STREET = Street()
KINDS = {"person": "person", "suitcase": "bag"}


@given(
    st.sampled_from([0, 1, 3]),
    st.tuples(st.integers(0, 20), st.integers(0, 10), st.integers(1, 9), st.integers(1, 9)),
    st.tuples(st.integers(30, 60), st.integers(20, 60)),
)
def test_a_box_found_in_a_turned_picture_is_where_it_was(turns: int, where: tuple[int, int, int, int], size: tuple[int, int]) -> None:
    x, y, width, height = where
    picture = np.zeros(size[::-1], np.uint8)
    picture[y : y + height, x : x + width] = 1
    rows, columns = np.nonzero(np.rot90(picture, turns))
    box = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], np.float32)
    assert turned_back(box, turns, size).tolist() == [[x, y, x + width, y + height]]


@pytest.mark.parametrize(("box", "seen"), [((300, 200, 330, 280), 1), ((300, 230, 380, 260), 2)], ids=["upright", "lying"])
def test_who_lies_is_seen_by_a_detector_that_knows_people_upright(box: tuple[int, int, int, int], seen: int) -> None:
    image = STREET.picture([(*box, PERSON)])
    found, kinds = CloseLook(UprightDetector(), image, KINDS).at(np.array(box, np.float64), 60.0, 0.2)  # type: ignore[arg-type]
    # Upright, it is in the picture as it is; lying, in both that are turned.
    assert kinds == ("person",) * seen
    assert np.abs(found.boxes_px - np.array(box)).max() <= 3


def test_a_look_is_enlarged_no_more_than_tells_something_and_names_what_is_known() -> None:
    detector = ColourDetector()
    image = STREET.picture([(300, 200, 330, 240, SUITCASE), (340, 200, 370, 240, (40, 200, 40))])
    _, kinds = CloseLook(detector, image, KINDS).at(np.array([300.0, 200.0, 330.0, 240.0]), 20.0, 0.2)  # type: ignore[arg-type]
    assert set(kinds) == {"bag"}
    assert {min(part) for part in detector.parts} == {detector.input_px / MOST_ENLARGED}

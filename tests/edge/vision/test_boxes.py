from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from parvis_edge.vision.boxes import areas_px2, ious, non_maximum_suppression

CORNERS = arrays(np.float64, (5, 4), elements=st.floats(0, 500))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([0, 0, 10, 10], [0, 0, 10, 10], 1.0),
        ([0, 0, 10, 10], [10, 0, 20, 10], 0.0),
        ([0, 0, 10, 10], [5, 0, 15, 10], 1 / 3),
        ([0, 0, 10, 10], [2, 2, 7, 7], 0.25),
        ([0, 0, 0, 0], [0, 0, 0, 0], 0.0),
    ],
)
def test_overlap(one: list[float], other: list[float], expected: float) -> None:
    assert ious(np.array([one], float), np.array([other], float))[0, 0] == pytest.approx(expected)


@given(CORNERS, CORNERS)
def test_overlap_is_symmetric_and_bounded(one: np.ndarray, other: np.ndarray) -> None:
    boxes = [np.concatenate([np.minimum(c[:, :2], c[:, 2:]), np.maximum(c[:, :2], c[:, 2:])], axis=1) for c in (one, other)]
    overlap = ious(*boxes)
    assert np.allclose(overlap, ious(*boxes[::-1]).T)
    assert ((overlap >= 0) & (overlap <= 1 + 1e-9)).all()
    assert (areas_px2(boxes[0]) >= 0).all()


def test_suppression_keeps_the_strongest_of_each_class() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [1, 0, 11, 10], [50, 50, 60, 60]], np.float32)
    scores = np.array([0.5, 0.9, 0.8, 0.3], np.float32)
    classes = np.array([0, 0, 1, 0])
    assert non_maximum_suppression(boxes, scores, classes, 0.5).tolist() == [1, 2, 3]


@given(CORNERS, arrays(np.float64, 5, elements=st.floats(0, 1)))
def test_suppression_of_what_is_kept_changes_nothing(corners: np.ndarray, scores: np.ndarray) -> None:
    boxes = np.concatenate([np.minimum(corners[:, :2], corners[:, 2:]), np.maximum(corners[:, :2], corners[:, 2:])], axis=1)
    classes = np.zeros(5, np.int64)
    kept = non_maximum_suppression(boxes, scores, classes, 0.6)
    again = non_maximum_suppression(boxes[kept], scores[kept], classes[kept], 0.6)
    assert again.tolist() == list(range(len(kept)))
    assert (np.diff(scores[kept]) <= 0).all()

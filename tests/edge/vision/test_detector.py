from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from parvis_edge.bundle import Bundle, BundleError, load_bundle
from parvis_edge.vision.detector import Detections, Detector, cell_centres_px


class Cells:
    """A session whose output is written by hand: one cell of the coarsest stride sees something."""

    def __init__(self, cells: int, labels: int, hot: dict[int, tuple[int, float, tuple[float, float, float, float]]]) -> None:
        self.scores = np.zeros((1, cells, labels), np.float32)
        self.boxes = np.zeros((1, cells, 4), np.float32)
        self.seen: np.ndarray | None = None
        for cell, (label, score, sides) in hot.items():
            self.scores[0, cell, label] = score
            self.boxes[0, cell] = sides

    def run(self, _names: list[str], feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        (self.seen,) = feed.values()
        return [self.scores, self.boxes]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle("nanodet-g-416")


def with_cells(bundle: Bundle, hot: dict[int, tuple[int, float, tuple[float, float, float, float]]]) -> tuple[Detector, Cells]:
    session: Any = Cells(3549, 80, hot)
    return Detector(Bundle(bundle.card, session)), session


def test_cells_lie_stride_by_stride_row_by_row() -> None:
    centres = cell_centres_px(416, 416, (8, 16, 32), 0.5)
    assert centres.shape == (3549, 2)
    assert centres[0].tolist() == [4, 4]
    assert centres[1].tolist() == [12, 4]
    assert centres[52 * 52].tolist() == [8, 8]
    assert centres[-1].tolist() == [400, 400]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((416, 416), [108, 58, 308, 258]),
        # Halved, with a bar of 91 pixels above.
        ((468, 832), [216, -66, 616, 334]),
        # Enlarged by two.
        ((208, 208), [54, 29, 154, 129]),
    ],
)
def test_a_cell_becomes_a_box_in_the_picture(bundle: Bundle, shape: tuple[int, int], expected: list[float]) -> None:
    # Whatever the card says of its reference point, the box is about that point.
    detector, session = with_cells(bundle, {})
    cell = 2704 + 676 + 4 * 13 + 6
    x, y = detector._centres[cell]
    session.scores[0, cell, 0] = 0.9
    session.boxes[0, cell] = (x - 108, y - 58, 308 - x, 258 - y)
    found = detector.detect(np.zeros((*shape, 3), np.uint8))
    height, width = shape
    clipped = np.clip(np.array(expected, float), 0, [width, height, width, height])
    assert found.boxes_px.tolist() == [pytest.approx(clipped.tolist(), abs=1.0)]
    assert found.scores.tolist() == [pytest.approx(0.9)]


def test_the_bars_of_the_letterbox_are_grey_and_the_picture_is_in_the_middle(bundle: Bundle) -> None:
    detector, session = with_cells(bundle, {})
    for shape in ((100, 416), (416, 100), (100, 416)):
        detector.detect(np.full((*shape, 3), 255, np.uint8))
        assert session.seen is not None
        picture = session.seen[0, 0]
        assert picture[0, 0] == bundle.card.input.pad_value  # type: ignore[union-attr]
        assert picture[208, 208] == 255
        assert (picture == 255).sum() == 41_600


def test_classes_that_parvis_does_not_use_are_never_decoded(bundle: Bundle) -> None:
    detector, _ = with_cells(bundle, {3000: (14, 0.99, (20, 20, 20, 20)), 3100: (2, 0.5, (20, 20, 20, 20))})
    found = detector.detect(np.zeros((416, 416, 3), np.uint8))
    assert [detector.labels[index] for index in found.classes] == ["car"]


def test_the_stronger_of_two_boxes_of_one_thing_is_kept(bundle: Bundle) -> None:
    detector, session = with_cells(bundle, {})
    for cell, score in ((2704, 0.6), (2705, 0.7)):
        x, y = detector._centres[cell]
        session.scores[0, cell, 0] = score
        session.boxes[0, cell] = (x, y, 60 - x, 90 - y)
    found = detector.detect(np.zeros((416, 416, 3), np.uint8))
    assert found.scores.tolist() == [pytest.approx(0.7)]


def test_a_tagger_is_no_detector() -> None:
    with pytest.raises(BundleError, match="not a detector"):
        Detector(load_bundle("yamnet"))


def test_the_real_model_finds_nothing_in_grey_and_counts_its_runs(bundle: Bundle) -> None:
    detector = Detector(bundle)
    assert detector.inference_ms is None
    found = detector.detect(np.full((300, 500, 3), 127, np.uint8), 0.3)
    assert len(found) == 0
    assert detector.runs == 1
    assert detector.inference_ms is not None
    assert detector.inference_ms > 0


def test_joining_and_moving_keep_everything() -> None:
    one = Detections(np.array([[0, 0, 5, 5]], np.float32), np.array([0.5], np.float32), np.array([1]))
    both = Detections.joined([one, one.moved(10, 20), Detections.none()])
    assert both.boxes_px.tolist() == [[0, 0, 5, 5], [10, 20, 15, 25]]
    assert len(Detections.joined([])) == 0

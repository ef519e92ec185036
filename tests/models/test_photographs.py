from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from parvis_edge.vision.detector import Detections
from parvis_models.photographs import DataError, Matches, Photograph, average_precisions, match, read_photographs

CLASSES = {"person": 0, "car": 2, "bus": 5}


def photograph(*boxes: tuple[int, float, float, float, float]) -> Photograph:
    return Photograph(
        Path("picture.jpg"),
        (640, 480),
        np.array([box[1:] for box in boxes], np.float32).reshape(-1, 4),
        np.array([box[0] for box in boxes], np.int64),
    )


def found(*boxes: tuple[int, float, float, float, float, float]) -> Detections:
    """Class, score, left, top, right, bottom."""
    return Detections(
        np.array([box[2:] for box in boxes], np.float32).reshape(-1, 4),
        np.array([box[1] for box in boxes], np.float32),
        np.array([box[0] for box in boxes], np.int64),
    )


BOX = (100.0, 100.0, 200.0, 200.0)
AWAY = (300.0, 300.0, 400.0, 400.0)
#: Shares 80 of 120 with BOX: overlap two thirds, true at 0.50, 0.55, 0.60 and 0.65 of the ten overlaps.
ASIDE = (120.0, 100.0, 220.0, 200.0)


@pytest.mark.parametrize(
    ("truth", "results", "person"),
    [
        ([[(0, *BOX)]], [[(0, 0.9, *BOX)]], 100.0),
        ([[(0, *BOX)]], [[]], 0.0),
        ([[(0, *BOX)]], [[(0, 0.9, *ASIDE)]], 40.0),
        # A false one above the true one halves the precision at every recall.
        ([[(0, *BOX)]], [[(0, 0.9, *AWAY), (0, 0.8, *BOX)]], 50.0),
        # One of two: precision 1 at the 51 of 101 recalls up to one half.
        ([[(0, *BOX), (0, *AWAY)]], [[(0, 0.9, *BOX)]], 100 * 51 / 101),
        # In another picture it is false.
        ([[(0, *BOX)], []], [[], [(0, 0.9, *BOX)]], 0.0),
        # Another class does not count.
        ([[(0, *BOX)]], [[(2, 0.95, *BOX), (0, 0.9, *BOX)]], 100.0),
    ],
)
def test_average_precision_of_sets_with_a_known_one(
    truth: list[list[tuple[int, float, float, float, float]]],
    results: list[list[tuple[int, float, float, float, float, float]]],
    person: float,
) -> None:
    averages = average_precisions([photograph(*boxes) for boxes in truth], [found(*boxes) for boxes in results], CLASSES)
    assert averages["person"] == pytest.approx(person, abs=0.01)
    assert averages["bus"] is None


def test_each_example_is_found_once_and_by_the_strongest() -> None:
    matches = match([photograph((0, *BOX), (0, *AWAY))], [found((0, 0.6, *BOX), (0, 0.9, *BOX), (2, 0.8, *AWAY))], 0)
    assert matches.scores.tolist() == pytest.approx([0.9, 0.6])
    assert matches.true.tolist() == [True, False]
    assert matches.examples == 2
    assert matches.found_at.tolist() == pytest.approx([0.9, 0.0])
    assert matches.heights_px.tolist() == [100.0, 100.0]


def test_without_examples_all_is_false() -> None:
    matches = match([photograph()], [found((0, 0.6, *BOX))], 0)
    assert (matches.true.tolist(), matches.examples) == ([False], 0)
    assert Matches.joined([matches, matches]).scores.size == 2


def material_folder(folder: Path, lines: str | None) -> Path:
    (folder / "images").mkdir()
    (folder / "labels").mkdir()
    cv2.imwrite(str(folder / "images" / "one.jpg"), np.zeros((100, 200, 3), np.uint8))
    if lines is not None:
        (folder / "labels" / "one.txt").write_text(lines, encoding="utf-8")
    return folder


def test_boxes_are_read_in_pixels(tmp_path: Path) -> None:
    (one,) = read_photographs(material_folder(tmp_path, "1 0.5 0.5 0.5 0.2\n"), ("a", "b"))
    assert one.size_px == (200, 100)
    np.testing.assert_allclose(one.boxes_px, [[50, 40, 150, 60]], atol=1e-4)
    assert one.classes.tolist() == [1]


def test_a_picture_without_boxes_is_empty(tmp_path: Path) -> None:
    (one,) = read_photographs(material_folder(tmp_path, None), ("a", "b"))
    assert one.boxes_px.shape == (0, 4)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("1 0.5 0.5 0.5 0.2\n1 0.5 0.5 0.5\n", r"one\.txt:2: expected a class's number"),
        ("person 0.5 0.5 0.5 0.2\n", r"one\.txt:1: expected"),
        ("7 0.5 0.5 0.5 0.2\n", r"one\.txt:1: class 7; the model has 0 to 1"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, lines: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_photographs(material_folder(tmp_path, lines), ("a", "b"))


def test_a_folder_without_photographs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no photograph here; --data"):
        read_photographs(tmp_path, ("a",))

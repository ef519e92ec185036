"""Reading printed tags: rendered ones, and photographs."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from parvis_edge.vision.tags import TagReader

EVERY_NUMBER = range(587)
Picture = npt.NDArray[np.uint8]


def rendered(
    number: int,
    side_px: float,
    *,
    turned_deg: float = 0.0,
    seed: int = 0,
    size_px: int = 160,
    dictionary: int = cv2.aruco.DICT_APRILTAG_36h11,
) -> Picture:
    """A print in the middle of a grey picture: a little blurred, noisy, compressed."""
    random = np.random.default_rng(seed)
    family = cv2.aruco.getPredefinedDictionary(dictionary)
    paper = cv2.copyMakeBorder(cv2.aruco.generateImageMarker(family, number, 320), 80, 80, 80, 80, cv2.BORDER_CONSTANT, value=255)
    turn = cv2.getRotationMatrix2D((240, 240), turned_deg, 4 * side_px / 320)
    turn[:, 2] += 2 * size_px - 240
    sharp = cv2.warpAffine(paper, turn, (4 * size_px, 4 * size_px), flags=cv2.INTER_AREA, borderValue=150)
    small = cv2.resize(sharp, (size_px, size_px), interpolation=cv2.INTER_AREA).astype(np.float64)
    seen = cv2.GaussianBlur(small, (0, 0), 0.5) * 0.7 + 30 + random.normal(0, 3, small.shape)
    coded = cv2.imencode(".jpg", np.clip(seen, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    return cv2.cvtColor(cv2.imdecode(coded, 0), cv2.COLOR_GRAY2BGR)


@pytest.mark.parametrize(("number", "side_px", "turned_deg"), [(0, 16, 0), (17, 16, 20), (300, 24, -35), (586, 60, 170)])
def test_a_print_is_read_where_it_is(number: int, side_px: float, turned_deg: float) -> None:
    (tag,) = TagReader([number]).read(rendered(number, side_px, turned_deg=turned_deg), [(0, 0, 160, 160)])
    assert tag.number == number
    assert tag.centre_px == pytest.approx((79.5, 79.5), abs=1.0)
    assert tag.side_px == pytest.approx(side_px, abs=2.0)


def test_most_prints_of_twelve_pixels_are_read_and_none_is_read_wrong() -> None:
    reader = TagReader(EVERY_NUMBER)
    right = wrong = 0
    for seed in range(60):
        number = (37 * seed) % 587
        tags = reader.read(rendered(number, 12, turned_deg=7.0 * (seed % 8) - 25, seed=seed), [(0, 0, 160, 160)])
        right += any(tag.number == number for tag in tags)
        wrong += any(tag.number != number for tag in tags)
    assert right >= 56
    assert wrong == 0


@pytest.mark.parametrize(
    "dictionary", ["DICT_APRILTAG_16h5", "DICT_APRILTAG_25h9", "DICT_APRILTAG_36h10", "DICT_ARUCO_ORIGINAL", "DICT_6X6_1000"]
)
@pytest.mark.parametrize("side_px", [13, 40])
def test_prints_of_other_families_are_no_tags(dictionary: str, side_px: float) -> None:
    reader = TagReader(EVERY_NUMBER)
    for seed in range(20):
        picture = rendered(seed, side_px, turned_deg=11.0 * seed, seed=seed, dictionary=getattr(cv2.aruco, dictionary))
        assert reader.read(picture, [(0, 0, 160, 160)]) == []


@pytest.mark.parametrize("turned_deg", [0, 80, 170, 260])
def test_corners_begin_at_the_tags_own_upper_left_however_small_it_is(turned_deg: float) -> None:
    for side_px in (13.0, 60.0):
        (tag,) = TagReader([17]).read(rendered(17, side_px, turned_deg=turned_deg), [(0, 0, 160, 160)])
        first_x, first_y = tag.corners_px[0] - tag.centre_px
        # In a picture, y goes down: the upper left is at 135 degrees, and turns with the print.
        assert (np.degrees(np.arctan2(-first_y, first_x)) - 135 - turned_deg + 180) % 360 - 180 == pytest.approx(0, abs=8)


def test_what_is_not_allowed_is_not_read() -> None:
    assert TagReader([1, 2]).read(rendered(17, 40), [(0, 0, 160, 160)]) == []


def test_a_print_in_two_parts_is_one_and_two_prints_are_two() -> None:
    picture = rendered(17, 24)
    assert len(TagReader([17]).read(picture, [(0, 0, 160, 160), (40, 40, 120, 120)])) == 1
    assert len(TagReader([17]).read(np.hstack([picture, picture]), [(0, 0, 320, 160)])) == 2


def test_noise_and_windows_are_no_tags() -> None:
    random = np.random.default_rng(1)
    noise = random.integers(0, 256, (480, 640, 3), dtype=np.uint8)
    blocks = cv2.resize(random.integers(0, 2, (40, 54), dtype=np.uint8) * 255, (640, 480), interpolation=cv2.INTER_NEAREST)
    reader = TagReader(EVERY_NUMBER)
    assert reader.read(noise, [(0, 0, 640, 480)]) == []
    assert reader.read(cv2.cvtColor(blocks, cv2.COLOR_GRAY2BGR), [(0, 0, 640, 480)]) == []


def test_photographs_are_read_as_they_were_annotated(material: Path) -> None:
    truth = json.loads((material / "tags" / "ground_truth.json").read_text())
    missed: list[object] = []
    for name, about in truth.items():
        if name == "_" or about.get("dictionary") != "DICT_APRILTAG_36h11" or "ids" not in about:
            continue
        picture = cv2.imread(str(material / "tags" / name))
        read = {tag.number for tag in TagReader(EVERY_NUMBER).read(picture, [(0, 0, picture.shape[1], picture.shape[0])])}
        assert read <= set(about["ids"]), name
        missed += [(name, number) for number in set(about["ids"]) - read]
    assert missed == []

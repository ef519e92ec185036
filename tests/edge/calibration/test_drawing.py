"""The line drawing: what stays is in it, to the pixel; who walks through, or was found, is not."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from parvis_edge.calibration.drawing import draw

NOBODY = np.zeros((0, 4))
Image = npt.NDArray[np.uint8]


def place(noise: float = 4.0, seed: int = 0) -> Image:
    """Paving, a wall, and the noise of a sensor."""
    image = np.full((240, 320, 3), 120, np.uint8)
    cv2.rectangle(image, (40, 30), (140, 100), (180, 180, 180), -1)
    cv2.line(image, (10, 200), (310, 150), (60, 60, 60), 3)
    shaken = image + np.random.default_rng(seed).normal(0, noise, image.shape)
    return np.clip(shaken, 0, 255).astype(np.uint8)


def walker(image: Image, x: int) -> Image:
    walked = image.copy()
    cv2.ellipse(walked, (x, 130), (9, 30), 0, 0, 360, (30, 30, 200), -1)
    cv2.circle(walked, (x, 92), 8, (140, 170, 220), -1)
    return walked


def test_what_stays_is_drawn_where_it_is() -> None:
    drawing = draw([place(seed=seed) for seed in range(8)], lambda _: NOBODY)
    assert drawing.size_px == (320, 240)
    y, x = np.nonzero(drawing.lines[40:90, 20:160])
    # The wall's left and right edge.
    assert np.isin(x + 20, [38, 39, 40, 41, 139, 140, 141, 142]).mean() > 0.95
    assert len(y) >= 80
    assert drawing.lines.mean() < 0.06


def test_who_walks_through_is_in_no_line() -> None:
    empty = draw([place(seed=seed) for seed in range(8)], lambda _: NOBODY)
    crossed = draw([walker(place(seed=seed), 170 + 18 * seed) for seed in range(8)], lambda _: NOBODY)
    body = np.s_[80:162, 160:310]
    assert crossed.lines[body].sum() <= empty.lines[body].sum() + 20


@pytest.mark.parametrize("pictures", [1, 8])
def test_who_stands_still_is_left_out_if_found(pictures: int) -> None:
    images = [walker(place(seed=seed), 220) for seed in range(pictures)]
    drawing = draw(images, lambda _: np.array([[209.0, 82.0, 231.0, 162.0]]))
    assert not drawing.lines[75:168, 206:234].any()
    assert drawing.blanked == pictures
    # And one who went away is forgotten.
    later = draw(
        [*images, *[place(seed=9)] * (2 * pictures)], lambda image: NOBODY if (image == place(seed=9)).all() else np.array([[0, 0, 1, 1]])
    )
    assert later.lines[160:205, 206:234].any()


def test_the_png_holds_one_bit_a_pixel_and_no_grey() -> None:
    content = draw([place()], lambda _: NOBODY).png()
    assert content[24] == 1, "bits per sample"
    values = np.unique(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED))
    assert set(values.tolist()) == {0, 255}


def test_without_a_picture_there_is_no_drawing() -> None:
    with pytest.raises(ValueError, match="no picture"):
        draw([], lambda _: NOBODY)

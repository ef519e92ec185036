"""Whether a picture is dark but for reflectors: rendered dark ones, and whatever shows more."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from parvis_edge.vision.darkness import darkness

from tests.edge.vision.rendered import PERSON, Street
from tests.edge.vision.test_tags import rendered

Picture = npt.NDArray[np.uint8]


def dark(seed: int = 0, *, black: float = 2.0, noise: float = 3.0, tags: int = 1) -> Picture:
    """What a blind lens shows: noise about black, and prints that throw the lamp's light back."""
    random = np.random.default_rng(seed)
    image = np.clip(random.normal(black, noise, (360, 640, 3)), 0, 255).astype(np.uint8)
    for number in range(tags):
        image[60:100, 40 + 60 * number : 80 + 60 * number] = np.maximum(rendered(number, 20, size_px=40), 60) - 50
    return cv2.GaussianBlur(image, (0, 0), 0.5).astype(np.uint8)


@pytest.mark.parametrize("options", [{}, {"tags": 0}, {"tags": 8}, {"black": 16.0, "noise": 6.0}, {"noise": 0.0}], ids=str)
def test_reflectors_on_black_are_dark(options: dict[str, float]) -> None:
    assert darkness(dark(**options)).dark, str(darkness(dark(**options)))  # type: ignore[arg-type]


@pytest.mark.parametrize("light", [1.0, 0.3, 0.1, 0.05])
def test_a_street_is_not_dark_however_dim(light: float) -> None:
    somebody = (300.0, 100.0, 360.0, 300.0, PERSON)
    assert not darkness(Street().picture([somebody], light=light)).dark


def test_somebody_who_is_barely_lit_is_seen() -> None:
    picture = dark().astype(np.int16)
    picture[150:330, 400:470] += 5
    assert not darkness(np.clip(picture, 0, 255).astype(np.uint8)).dark


def test_too_much_light_is_not_dark() -> None:
    picture = dark()
    picture[:, 300:] = 250
    assert not darkness(picture).dark
    assert not darkness(np.full((360, 640), 255, np.uint8)).dark


def test_no_photograph_is_dark(material: Path) -> None:
    photographs = sorted((material / "coco" / "images").iterdir())
    for name in photographs:
        picture = cv2.imread(str(name))
        assert not darkness(picture).dark, name
        # Nor with a fifth of the light.
        assert not darkness(cv2.convertScaleAbs(picture, alpha=0.2)).dark, name

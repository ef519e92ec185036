from __future__ import annotations

import cv2
import numpy as np
import pytest
from parvis_edge.vision.background import Mask, Picture
from parvis_edge.vision.crowd_flow import CrowdFlow

H, W = 180, 320


def texture(random: np.random.Generator, contrast: float) -> Picture:
    """Of all sizes, as real ones have."""
    layers = [cv2.GaussianBlur(random.normal(0, 1, (H, W, 3)), (0, 0), sigma) * sigma for sigma in (1.0, 3.0, 8.0)]
    return np.asarray(np.clip(127 + contrast * sum(layers), 0, 255), np.uint8)  # type: ignore[arg-type]


def with_people(ground: Picture, look: Picture, x: float) -> tuple[Picture, Mask]:
    """Five textured blobs, of a person's shape, that have come ``x`` pixels across; and where they are."""
    image, people = ground.copy(), np.zeros((H, W), np.bool_)
    for index in range(5):
        part = look[:50, index * 20 : index * 20 + 20]
        into = np.array([[1, 0, 20 + 55 * index + x], [0, 1, 40 + 15 * (index % 4)]], np.float64)
        cover = cv2.warpAffine(np.ones(part.shape, np.float32), into, (W, H))
        image = np.asarray(image * (1 - cover) + cv2.warpAffine(part, into, (W, H)) * cover, np.uint8)
        people |= cover[..., 0] > 0.5
    return image, people


@pytest.mark.parametrize("pixels", [2.0, 4.0])
@pytest.mark.parametrize("sway", [(0, 0), (2, -1), (-3, 0)])
def test_people_flow_and_a_swaying_camera_is_taken_out(pixels: float, sway: tuple[int, int]) -> None:
    random = np.random.default_rng(4)
    ground, look = texture(random, 50.0), texture(random, 90.0)  # A street is duller than people.
    earlier, _ = with_people(ground, look, 0.0)
    now, people = (np.roll(part, sway, (1, 0)) for part in with_people(ground, look, pixels))
    moving = np.abs(now.astype(int) - earlier).max(axis=2) > 12
    flow = CrowdFlow().between(earlier, now, 0.1, people, changed=people, moving=moving)
    assert flow.shape == (np.count_nonzero(people), 2)
    assert np.median(flow, axis=0) == pytest.approx([pixels / 0.1, 0.0], abs=0.25 * pixels / 0.1 + 3)

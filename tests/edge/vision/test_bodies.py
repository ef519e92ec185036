from __future__ import annotations

import numpy as np
import pytest
from parvis_edge.vision.bodies import BODY_M, BODY_WIDTH_M, FILL, bodies

from tests.edge.scenes.crowd import SIZE, Camera, Floats

CELLS, PX_PER_CELL = (SIZE[0] // 2, SIZE[1] // 2), (2.0, 2.0)


def ground_of(camera: Camera):  # noqa: ANN201 - a function from pixels to metres
    """The inverse of the pinhole's projection of the ground."""
    plane = np.array([[1.0, 0.0], [0.0, 8.0], [3.0, 14.0], [-4.0, 20.0]])
    pixels = camera.pixels(np.column_stack([plane, np.zeros(4)]))
    rows = []
    for (x, y), (east, north) in zip(pixels, plane, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -east * x, -east * y, -east], [0, 0, 0, x, y, 1, -north * x, -north * y, -north]]
    h = np.linalg.svd(np.array(rows))[2][-1].reshape(3, 3)
    h *= np.sign(h[2] @ (*pixels[1], 1.0))

    def to_ground(at_px: Floats) -> Floats:
        at = np.column_stack([at_px, np.ones(len(at_px))]) @ h.T
        at[at[:, 2] <= 1e-9] = np.nan
        return np.asarray(at[:, :2] / at[:, 2:])

    return to_ground


@pytest.mark.parametrize("camera", [Camera(6.0, 25.0, 500.0), Camera(9.0, 40.0, 600.0), Camera(4.0, 15.0, 450.0), Camera(8.0, 46.0, 500.0)])
def test_whose_feet_are_where_and_how_large_they_are(camera: Camera) -> None:
    found = bodies(ground_of(camera), CELLS, PX_PER_CELL)
    checked = 0
    for east in (-2.0, 0.0, 2.0):
        for north in np.linspace(3.0, 22.0, 9):
            feet, middle, head, left, right = camera.pixels(
                np.array(
                    [
                        [east, north, 0.0],
                        [east, north, BODY_M / 2],
                        [east, north, BODY_M],
                        [east - BODY_WIDTH_M / 2, north, 0.0],
                        [east + BODY_WIDTH_M / 2, north, 0.0],
                    ]
                )
            )
            cell = (middle / 2).astype(int)
            height = float(np.linalg.norm(head - feet))
            if not (4 <= cell[0] < CELLS[0] - 4 and 4 <= cell[1] < CELLS[1] - 4) or height < 20 or feet[1] > SIZE[1]:
                continue
            checked += 1
            x, y = cell
            # Perspective makes the half nearer to the camera larger; a tenth of the height is what it leaves.
            assert np.linalg.norm(found.foot_px[y, x] - feet) < 0.12 * height + 3
            expected = FILL * height * float(right[0] - left[0]) / 4
            assert found.cells[y, x] == pytest.approx(expected, rel=0.3)
            assert np.linalg.norm(found.ground_m[y, x] - (east, north)) < 0.12 * north + 0.3
            step = camera.pixels(np.array([[east + 0.05, north, 0.0]]))[0] - feet
            assert found.m_per_cell[y, x] @ (step / 2) == pytest.approx([0.05, 0.0], abs=0.02)
    assert checked >= 3


def test_nobody_is_above_the_horizon() -> None:
    found = bodies(ground_of(Camera(5.0, 5.0, 500.0)), CELLS, PX_PER_CELL)
    assert np.isnan(found.cells[:40]).all()
    assert np.isfinite(found.cells[-40:, 40:-40]).all()

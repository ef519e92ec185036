"""What people who stand on the ground cover of a picture: at each of its pixels, whose feet are where, and how large they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
#: From ``(N, 2)`` pixels of the stream to ``(N, 2)`` metres on the ground; not a number where there is none.
ToGround = Callable[[Floats], Floats]

#: Stature, and width with clothes and swinging arms, from whatever side (Fruin's body ellipse, 1971, is 0.61 m by 0.46 m).
BODY_M, BODY_WIDTH_M = 1.7, 0.54
#: Share of a standing body's box that the body fills.
FILL = 0.6
#: What a body covers that is one long: its stature in pixels is the root of what it covers over this.
BODY_SHAPE = FILL * BODY_WIDTH_M / BODY_M
#: Nobody is judged who is lower than this in the picture: a handful of working pixels.
LEAST_HEIGHT_PX = 12.0
#: Geometry is computed for every so many working pixels, and interpolated.
_STRIDE = 4


@dataclass(frozen=True, slots=True)
class Bodies:
    """For each working pixel, the person whose middle it may show; float32, not a number where nobody can be.

    Attributes:
        foot_px: ``(h, w, 2)``: where that person's feet are, in pixels of the stream.
        cells: ``(h, w)``: how many working pixels such a person covers, unhidden.
        ground_m: ``(h, w, 2)``: where the feet are on the ground.
        m_per_cell: ``(h, w, 2, 2)``: how far the feet move on the ground when what is seen moves by a working pixel, across and down.
    """

    foot_px: Floats
    cells: Floats
    ground_m: Floats
    m_per_cell: Floats


def bodies(to_ground: ToGround, cells: tuple[int, int], px_per_cell: tuple[float, float]) -> Bodies:
    """Works out what bodies cover.

    How large a body is follows from the plane alone: of two lengths on the ground, the one that points at the camera is seen
    foreshortened, by the sine of the angle at which the camera looks down there; an upright length is, by its cosine. Pixels are square.
    Bodies are taken to be upright in the picture, which holds to a tenth of their height for cameras that look down by 45 degrees at most.

    Args:
        to_ground: Of the stream's pixels.
        cells: Width and height of the working picture.
        px_per_cell: Width and height of a working pixel, in pixels of the stream.
    """
    width, height = cells
    x = np.arange(-(-width // _STRIDE), dtype=np.float64) * _STRIDE + _STRIDE / 2
    y = np.arange(-(-height // _STRIDE), dtype=np.float64) * _STRIDE + _STRIDE / 2
    middles = np.stack(np.meshgrid(x * px_per_cell[0], y * px_per_cell[1]), axis=-1).reshape(-1, 2)
    feet = middles.copy()
    # Begin where there is ground for sure: the middle of somebody near may be above the horizon.
    feet[:, 1] = height * px_per_cell[1]
    upright: Floats = np.zeros(len(feet))
    across: Floats = np.zeros(len(feet))
    for _ in range(8):
        slopes = _slopes(to_ground, feet)
        across, upright = _scales(slopes)
        feet[:, 1] = np.where(np.isfinite(upright), middles[:, 1] + BODY_M / 2 * upright, np.nan)
    slopes = _slopes(to_ground, feet)
    across, upright = _scales(slopes)
    covered = FILL * BODY_M * upright * BODY_WIDTH_M * across / (px_per_cell[0] * px_per_cell[1])
    none = ~(BODY_M * upright >= LEAST_HEIGHT_PX)
    table = np.concatenate(
        [feet, covered[:, None], to_ground(feet), (slopes * np.array(px_per_cell)[None, None, :]).reshape(-1, 4)], axis=1
    ).astype(np.float32)
    table[none] = np.nan
    coarse = table.reshape(len(y), len(x), 9)
    fine = np.stack([_enlarged(coarse[..., index], cells) for index in range(9)], axis=-1)
    return Bodies(fine[..., :2], fine[..., 2], fine[..., 3:5], fine[..., 5:].reshape(height, width, 2, 2))


def _enlarged(coarse: Floats, cells: tuple[int, int]) -> Floats:
    whole = cv2.resize(coarse, None, fx=_STRIDE, fy=_STRIDE, interpolation=cv2.INTER_LINEAR)
    return np.asarray(whole[: cells[1], : cells[0]])


def _slopes(to_ground: ToGround, at_px: Floats) -> Floats:
    """``(N, 2, 2)``: metres on the ground (rows) per pixel across and down (columns)."""
    columns = [(to_ground(at_px + step) - to_ground(at_px - step)) / 2 for step in ((1.0, 0.0), (0.0, 1.0))]
    return np.stack(columns, axis=-1)


def _scales(slopes: Floats) -> tuple[Floats, Floats]:
    """Pixels per metre across the view, and upright."""
    # Singular values of a matrix of two by two, from its squares' sum and its determinant.
    squares = (slopes**2).sum(axis=(1, 2))
    product = np.abs(slopes[:, 0, 0] * slopes[:, 1, 1] - slopes[:, 0, 1] * slopes[:, 1, 0])
    spread = np.sqrt(np.maximum(squares**2 - 4 * product**2, 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        across = 1 / np.sqrt((squares - spread) / 2)
        sine = product / ((squares + spread) / 2)
    return across, across * np.sqrt(np.maximum(1 - sine**2, 0))

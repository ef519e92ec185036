"""Axis-aligned boxes: overlap and non-maximum suppression."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]


def areas_px2(boxes: Floats) -> Floats:
    """Areas of ``(N, 4)`` boxes (left, top, right, bottom); 0 for one whose sides are the wrong way round."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return np.asarray(sides[:, 0] * sides[:, 1])


def intersections_px2(one: Floats, other: Floats) -> Floats:
    """``(N, M)``: the area that each of ``(N, 4)`` boxes shares with each of ``(M, 4)``."""
    # Side by side rather than as (N, M, 2): several times as fast, and this runs for every frame.
    across = np.minimum(one[:, None, 2], other[None, :, 2])
    across -= np.maximum(one[:, None, 0], other[None, :, 0])
    down = np.minimum(one[:, None, 3], other[None, :, 3])
    down -= np.maximum(one[:, None, 1], other[None, :, 1])
    return np.asarray(np.maximum(across, 0, out=across) * np.maximum(down, 0, out=down))


def ious(one: Floats, other: Floats) -> Floats:
    """``(N, M)`` intersection over union, in [0, 1]; 0 where both boxes are empty."""
    shared = intersections_px2(one, other)
    union = areas_px2(one)[:, None] + areas_px2(other)[None, :] - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


def non_maximum_suppression(boxes: Floats, scores: Floats, classes: npt.NDArray[np.int64], iou: float) -> npt.NDArray[np.int64]:
    """Keeps of overlapping boxes of one class the strongest.

    Args:
        boxes: ``(N, 4)``, left, top, right, bottom.
        scores: ``(N,)``, above 0.
        classes: ``(N,)``; boxes of different classes do not suppress each other.
        iou: Overlap above which the weaker of two goes.

    Returns:
        Indices of the kept boxes, strongest first; equal scores in the order given.
    """
    # OpenCV wants left, top, width, height.
    placed = np.array(boxes, np.float64)
    placed[:, 2:] -= placed[:, :2]
    kept = cv2.dnn.NMSBoxesBatched(placed, scores.astype(np.float32), classes.astype(np.int32), 0.0, iou)  # type: ignore[arg-type]
    return np.array(kept, np.int64)

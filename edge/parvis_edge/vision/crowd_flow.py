"""How the picture flows: dense optical flow between two working pictures a tenth of a second apart, the camera's own sway taken out.

A field, not trajectories: each pixel's motion at one moment, followed to nowhere.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .background import Mask, Picture

Floats = npt.NDArray[np.floating[Any]]

#: Scale of the finest flow: halves. Quarters are four times as fast and lose a third of a walker's speed to the ground beside him.
_FINEST = 1
#: Patches every six pixels, six steps of descent each: half the cost of every four and twelve, and the same flow to 2 % at the median.
_STRIDE, _STEPS = 6, 6
#: What surrounds the moving part, in working pixels: further than a runner comes in a tenth of a second.
_MARGIN = 16
#: The camera sways if so much of the street moves, anywhere in the picture, of those of its pixels that are away from people and have
#: texture (least difference between neighbours, of 255); and so many of them must be seen beside the people.
_TEXTURE, _SWAYING, _LEAST_TEXTURED = 30, 0.6, 64


class CrowdFlow:
    """Measures flow (dense inverse search: Kroeger et al., ECCV 2016; OpenCV's, without variational refinement)."""

    def __init__(self) -> None:
        self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._search.setFinestScale(_FINEST)
        self._search.setPatchStride(_STRIDE)
        self._search.setGradientDescentIterations(_STEPS)

    def between(self, earlier: Picture, now: Picture, passed_s: float, wanted: Mask, *, changed: Mask, moving: Mask) -> Floats:
        """Flow where it is wanted.

        Args:
            earlier: ``(h, w, 3)`` uint8, a working picture.
            now: And a later one.
            passed_s: Between them.
            wanted: ``(h, w)`` bool, not empty.
            changed: ``(h, w)`` bool: where the later picture shows something else than the street.
            moving: ``(h, w)`` bool: where it differs from a picture shortly before.

        Returns:
            ``(N, 2)`` working pixels per second across and down, at the ``N`` wanted pixels, row by row.
        """
        height, width = wanted.shape
        x, y, w, h = cv2.boundingRect(wanted.view(np.uint8))
        rows = slice(max(0, y - _MARGIN), min(height, y + h + _MARGIN))
        columns = slice(max(0, x - _MARGIN), min(width, x + w + _MARGIN))
        before, after = (cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) for picture in (earlier, now))
        parts = (np.ascontiguousarray(grey[rows, columns]) for grey in (before, after))
        flow = self._search.calc(*parts, None)  # type: ignore[call-overload]
        away = cv2.dilate(changed.view(np.uint8), np.ones((9, 9), np.uint8)) == 0
        # Flow spreads from people over the street between them: that the street moves is believed where its texture is seen to change.
        street = away & (cv2.morphologyEx(before, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) >= _TEXTURE)
        textured = np.count_nonzero(street)
        street &= moving
        sways = np.count_nonzero(street) > _SWAYING * textured and np.count_nonzero(street[rows, columns]) >= _LEAST_TEXTURED
        sway = np.median(flow[street[rows, columns]], axis=0) if sways else np.zeros(2)
        return np.asarray((flow[wanted[rows, columns]] - sway) / passed_s)

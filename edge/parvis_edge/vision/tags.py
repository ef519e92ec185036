"""Reads the printed tags of people who asked for a route: AprilTag 36h11 (Olson 2011; Wang and Olson 2016), by OpenCV.

A number that is not allowed is dropped here, before it has a name, a place or a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .regions import Box

#: Tags of the family differ in 11 bits or more. Mending two leaves a chance of one in 40,000 that a square of noise is read as some
#: tag (587 · 4 · 667 of 2^36), a twentieth of that as one of thirty allowed; mending the five that could be would leave one in sixty.
_MENDED_BITS_SHARE = 2 / 5
#: Shown twice as large: cells of a pixel and a half are then still squares. Measured on the development photographs: 41 of 46 tags
#: are read as they are, 46 at twice the size, no more beyond.
_ENLARGED = 2
#: Smaller squares than this (sides of 8 px) cannot be read at all; looking for them costs most of the time.
_LEAST_SIDE_PX = 8.0


@dataclass(frozen=True, slots=True)
class ReadTag:
    """An allowed tag in the picture.

    Attributes:
        number: In the family, 0 to 586.
        corners_px: ``(4, 2)``, in pixels of the picture.
    """

    number: int
    corners_px: npt.NDArray[np.float64]

    @property
    def centre_px(self) -> tuple[float, float]:
        """Of the tag, x and y."""
        x, y = self.corners_px.mean(axis=0)
        return float(x), float(y)

    @property
    def side_px(self) -> float:
        """Mean length of its sides."""
        return float(np.linalg.norm(self.corners_px - np.roll(self.corners_px, 1, axis=0), axis=1).mean())


class TagReader:
    """Finds allowed tags.

    Attributes:
        allow: Numbers that may be read.
    """

    def __init__(self, allow: Iterable[int]) -> None:
        self.allow = frozenset(allow)
        self._detectors: dict[int, cv2.aruco.ArucoDetector] = {}

    def read(self, image: npt.NDArray[np.uint8], parts_px: Sequence[Box]) -> list[ReadTag]:
        """Reads parts of a picture.

        Args:
            image: ``(H, W, 3)`` uint8 or ``(H, W)``.
            parts_px: Left, top, right, bottom of each; the whole picture is one part.

        Returns:
            The allowed tags, each once however many parts show it; two prints of one number are two.
        """
        found: list[ReadTag] = []
        for part in parts_px:
            for tag in self._read_part(image, part):
                near = [other for other in found if other.number == tag.number]
                if not any(np.hypot(*(np.subtract(other.centre_px, tag.centre_px))) < tag.side_px for other in near):
                    found.append(tag)
        return found

    def _read_part(self, image: npt.NDArray[np.uint8], part: Box) -> list[ReadTag]:
        left, top, right, bottom = part
        patch = image[top:bottom, left:right]
        if min(patch.shape[:2]) < _LEAST_SIDE_PX:
            return []
        grey = cv2.cvtColor(patch, cv2.COLOR_BGR2GRAY) if patch.ndim == 3 else patch
        large = cv2.resize(grey, None, fx=_ENLARGED, fy=_ENLARGED, interpolation=cv2.INTER_CUBIC)
        found: tuple[Any, Any, Any] = self._detector(max(large.shape)).detectMarkers(large)
        corners, numbers, _ = found
        if numbers is None:
            return []
        return [
            ReadTag(int(number), np.add(_at_home(square), (left, top)))
            for number, square in zip(np.ravel(numbers), corners, strict=True)
            if int(number) in self.allow
        ]

    def _detector(self, side_px: int) -> cv2.aruco.ArucoDetector:
        if side_px not in self._detectors:
            if len(self._detectors) > 64:
                self._detectors.clear()
            parameters = cv2.aruco.DetectorParameters()
            parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
            parameters.errorCorrectionRate = _MENDED_BITS_SHARE
            parameters.minMarkerPerimeterRate = max(0.005, 4 * _LEAST_SIDE_PX * _ENLARGED / side_px)
            parameters.perspectiveRemovePixelPerCell = 8
            family = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h11)
            self._detectors[side_px] = cv2.aruco.ArucoDetector(family, parameters)
        return self._detectors[side_px]


def _at_home(square: Any) -> npt.NDArray[np.float64]:
    """Corners in the enlarged picture to the original's: pixel centres, not edges, are what is enlarged about."""
    return np.asarray((np.asarray(square, np.float64).reshape(4, 2) + 0.5) / _ENLARGED - 0.5)

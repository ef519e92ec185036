"""Looks at one place of one frame once more, closely, as it is and lying on either side.

Detectors learn from people who stand. Somebody who lies is upright once the picture has been turned by a quarter. A look is of the
frame of the moment alone: nothing of what it shows is kept, and no two are compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .boxes import Floats
from .detector import Detections, Detector
from .regions import square

#: Quarter turns against the clock.
TURNS = (0, 1, 3)
#: A place is not enlarged more than this: what is coarser than the detector's own cells tells it nothing.
MOST_ENLARGED = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class CloseLook:
    """What may be seen closely of one frame.

    Args:
        detector: Finds things.
        image: ``(H, W, 3)`` uint8: the frame, at the stream's full resolution.
        kinds: What the detector's labels are to the analysers; others are not returned.
    """

    detector: Detector
    image: npt.NDArray[np.uint8]
    kinds: Mapping[str, str]

    def at(self, box_px: Floats, reach_px: float, least_score: float) -> tuple[Detections, tuple[str, ...]]:
        """Shows the detector a place, three times.

        Args:
            box_px: ``(4,)``: the middle of what is looked at.
            reach_px: How far on each side of it the look goes, at least.
            least_score: Of what is returned.

        Returns:
            What was found, in pixels of the stream, with its kinds. What is seen in two ways is in it twice.
        """
        height, width = self.image.shape[:2]
        wide = [*(box_px[:2] - reach_px).tolist(), *(box_px[2:] + reach_px).tolist()]
        x0, y0, x1, y1 = square(wide, self.detector.input_px / MOST_ENLARGED, (width, height))
        part = self.image[y0:y1, x0:x1]
        looks = []
        for turns in TURNS:
            found = self.detector.detect(np.ascontiguousarray(np.rot90(part, turns)), least_score)
            upright = Detections(turned_back(found.boxes_px, turns, (x1 - x0, y1 - y0)), found.scores, found.classes)
            looks.append(upright.moved(x0, y0))
        found = Detections.joined(looks)
        kinds = [self.kinds.get(self.detector.labels[index], "") for index in found.classes]
        known = [index for index, kind in enumerate(kinds) if kind]
        return found[np.array(known, np.int64)], tuple(kinds[index] for index in known)


def turned_back(boxes_px: npt.NDArray[np.float32], turns: int, size_px: tuple[int, int]) -> npt.NDArray[np.float32]:
    """``(N, 4)`` boxes of a picture that :func:`numpy.rot90` turned 0, 1 or 3 times, in the picture before, of that width and height."""
    x0, y0, x1, y1 = boxes_px.T
    width, height = size_px
    sides = {0: (x0, y0, x1, y1), 1: (width - y1, x0, width - y0, x1), 3: (y0, height - x1, y1, height - x0)}[turns]
    return np.stack(sides, axis=1)

"""Whether a picture shows nothing but what throws the camera's own light back: what blind optics promise, measured. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

#: A reflector or a lamp: this far above the picture's black, grey levels.
_BRIGHT = 40
#: At most so much of the picture may be bright: thirty tags of 40 px with their margins are 5 % of 1280 × 720.
MOST_BRIGHT_SHARE = 0.05
#: The picture's black, and what is above it where nothing is bright, grey levels. Video in limited range has its black at 16.
_MOST_BLACK = 24.0
#: Differences of the means of 8 × 8 pixels, which noise hardly moves: with more than these, shapes can be made out.
MOST_STRUCTURE = 2.0
_BLOCK = 8
#: Light spills over this many blocks about a reflector.
_SPILL = 2


@dataclass(frozen=True, slots=True)
class Darkness:
    """What was measured of a picture.

    Attributes:
        bright_share: Of its pixels, how many are bright.
        black: Grey level of the dark part: the median of its blocks.
        structure: How much its blocks differ, from the 2nd to the 98th percentile, grey levels.
    """

    bright_share: float
    black: float
    structure: float

    @property
    def dark(self) -> bool:
        """Whether nothing can be made out in it but reflectors."""
        return self.bright_share <= MOST_BRIGHT_SHARE and self.black <= _MOST_BLACK and self.structure <= MOST_STRUCTURE

    def __str__(self) -> str:
        return f"{100 * self.bright_share:.1f} % bright, black at {self.black:.0f}, shapes of {self.structure:.1f} levels"


def darkness(image: npt.NDArray[np.uint8]) -> Darkness:
    """Measures a picture.

    Args:
        image: ``(H, W, 3)`` or ``(H, W)`` uint8.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
    height, width = (max(1, side // _BLOCK) for side in grey.shape)
    blocks = cv2.resize(grey.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    bright = (grey > np.median(blocks) + _BRIGHT).astype(np.float32)
    lit = cv2.resize(bright, (width, height), interpolation=cv2.INTER_AREA) > 0
    spilt = cv2.dilate(lit.astype(np.uint8), np.ones((2 * _SPILL + 1,) * 2, np.uint8)) > 0
    rest = blocks[~spilt]
    if not rest.size:
        return Darkness(float(bright.mean()), 255.0, 255.0)
    low, middle, high = np.percentile(rest, [2, 50, 98])
    return Darkness(float(bright.mean()), float(middle), float(high - low))

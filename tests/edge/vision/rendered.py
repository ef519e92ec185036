"""A rendered street, and a simulator of the detector that finds what is painted in three colours.

The simulator stands at the real detector's place, so that everything behind it runs as on a unit: red is a person, green a car, blue a
suitcase. What is painted in any other colour, it does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt
from parvis_contract.card import Calibration, Threshold
from parvis_edge.perception import Frame
from parvis_edge.vision.detector import Detections
from parvis_edge.vision.sight import Scene, Sight

LABELS = ("person", "car", "suitcase")
PERSON, CAR, SUITCASE, BOX = (40, 40, 220), (40, 200, 40), (220, 60, 40), (190, 190, 200)
#: A stranger to the detector; darker than the street.
UNKNOWN = (25, 22, 20)
BEGAN_S = 1_700_000_000.0

Image = npt.NDArray[np.uint8]
#: Left, top, right, bottom, colour.
Thing = tuple[float, float, float, float, tuple[int, int, int]]


def threshold(label: str) -> Threshold:
    sure = Calibration(slope=5.0, intercept=0.0)
    return Threshold(labels=(label,), score=0.35, calibration=sure, chosen_on="rendered", reason="simulated")


THRESHOLDS = {label: threshold(label) for label in LABELS}


@dataclass
class ColourDetector:
    """Finds red, green and blue things of a hundred pixels or more; ``blind`` makes it miss all."""

    labels: tuple[str, ...] = LABELS
    input_px: int = 416
    runs: int = 0
    inference_ms: float | None = None
    blind: bool = False
    score: float = 0.8
    parts: list[tuple[int, int]] = field(default_factory=list)

    def detect(self, image: Image, score_floor: float = 0.05) -> Detections:
        self.runs += 1
        self.parts.append(image.shape[:2])
        found = []
        for index, colour in enumerate((PERSON, CAR, SUITCASE)):
            near = cv2.inRange(np.ascontiguousarray(image), tuple(c - 25 for c in colour), tuple(c + 25 for c in colour))
            near = cv2.morphologyEx(near, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
            count, _, stats, _ = cv2.connectedComponentsWithStats(near)
            found += [(x, y, x + w, y + h, index) for x, y, w, h, area in stats[1:count] if area >= 100]
        if self.blind or self.score < score_floor or not found:
            return Detections.none()
        table = np.array(found, np.float32)
        return Detections(table[:, :4], np.full(len(found), self.score, np.float32), table[:, 4].astype(np.int64))


@dataclass
class UprightDetector(ColourDetector):
    """Knows people as detectors do: upright. Who is wider than high, it does not see."""

    def detect(self, image: Image, score_floor: float = 0.05) -> Detections:
        found = super().detect(image, score_floor)
        sides = found.boxes_px[:, 2:] - found.boxes_px[:, :2]
        return found[(found.classes != LABELS.index("person")) | (sides[:, 1] > sides[:, 0])]


class Street:
    """A street of textured grey, seen by a camera with noise.

    Args:
        size: Width and height in pixels.
        seed: Of the texture and the noise.
    """

    def __init__(self, size: tuple[int, int] = (640, 360), seed: int = 3) -> None:
        self.size = size
        self._random = np.random.default_rng(seed)
        width, height = size
        coarse = cv2.resize(self._random.integers(70, 170, (height // 12, width // 12, 3)).astype(np.uint8), size)
        fine = cv2.GaussianBlur(self._random.integers(0, 60, (height, width, 3)).astype(np.uint8), (3, 3), 0)
        self.ground: Image = cv2.add(coarse, fine)
        # Seven of them, in turn: no two pictures that follow each other are the same.
        self._noise = np.rint(self._random.normal(0, 2.0, (7, height, width, 3))).astype(np.int16)
        self._turn = 0

    def picture(self, things: Iterable[Thing] = (), light: float = 1.0, noise: bool = True) -> Image:
        image = self.ground.copy()
        for x0, y0, x1, y1, colour in things:
            cv2.rectangle(image, (round(x0), round(y0)), (round(x1), round(y1)), colour, -1)
        lit = image if light == 1.0 else cv2.convertScaleAbs(image, alpha=light)
        if not noise:
            return np.asarray(lit, np.uint8)
        self._turn += 1
        return np.clip(lit + self._noise[self._turn % len(self._noise)], 0, 255).astype(np.uint8)


def sight_of(street: Street, detector: ColourDetector | None = None) -> Sight:
    return Sight(detector or ColourDetector(), THRESHOLDS, street.size)  # type: ignore[arg-type]


def scenes(
    sight: Sight, paint: Callable[[float], Image | None], seconds: float, rate_hz: float = 5.0, start_s: float = 0.0
) -> Iterable[Scene]:
    """What the sight makes of pictures painted for each moment since the beginning."""
    for index in range(round(seconds * rate_hz)):
        passed_s = start_s + index / rate_hz
        image = paint(passed_s)
        if image is None:
            continue
        # A little into the slot: rounding must not move a frame into the one before.
        scene = sight.look(Frame(BEGAN_S + passed_s + 0.01, image))
        if scene is not None:
            yield scene

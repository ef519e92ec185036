"""Runs the detector: a picture is fitted into the model's input, and the model's cells become boxes in the picture."""

from __future__ import annotations

import math
import time
from collections.abc import Collection
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from parvis_contract.card import BoxesOutput, ImageInput

from parvis_edge.bundle import Bundle, BundleError

from .background import shrink
from .boxes import non_maximum_suppression

#: Below this a score says nothing: on photographs the boxes under it are almost all false.
SCORE_FLOOR = 0.05
#: Strongest cells of a picture that go on to non-maximum suppression.
MOST_CELLS = 600


@dataclass(frozen=True, slots=True)
class Detections:
    """What was found in one picture.

    Attributes:
        boxes_px: ``(N, 4)`` float32, left, top, right, bottom in pixels of the picture, inside it.
        scores: ``(N,)`` float32 in [0, 1], as the model gives them.
        classes: ``(N,)`` int64, index into the card's labels.
    """

    boxes_px: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    classes: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, which: npt.NDArray[np.bool_] | npt.NDArray[np.int64] | slice) -> Detections:
        return Detections(self.boxes_px[which], self.scores[which], self.classes[which])

    def moved(self, x_px: float, y_px: float) -> Detections:
        """The same, seen from a picture in which this one's corner lies at ``(x_px, y_px)``."""
        return Detections(self.boxes_px + np.array([x_px, y_px, x_px, y_px], np.float32), self.scores, self.classes)

    @classmethod
    def none(cls) -> Detections:
        """Nothing found."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))

    @classmethod
    def joined(cls, parts: Collection[Detections]) -> Detections:
        """All of several, one after another."""
        if not parts:
            return cls.none()
        return cls(
            np.concatenate([part.boxes_px for part in parts]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.classes for part in parts]),
        )


def cell_centres_px(width_px: int, height_px: int, strides_px: Collection[int], centre: float) -> npt.NDArray[np.float32]:
    """Reference points of a detector's cells.

    Args:
        width_px: Of the model's input.
        height_px: Of the model's input.
        strides_px: In the order of the output.
        centre: Where in its cell the point lies, in cells: 0.5 is the middle.

    Returns:
        ``(cells, 2)`` float32, x and y in pixels of the input; stride by stride, row by row.
    """
    parts = []
    for stride in strides_px:
        y, x = np.mgrid[0 : height_px // stride, 0 : width_px // stride]
        parts.append(np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32) * stride + centre * stride)
    return np.concatenate(parts)


class Detector:
    """The detector of a bundle, for the classes that Parvis uses and no others.

    Args:
        bundle: A model whose input is a picture and whose output are boxes.
        classes: Which of the card's thresholds to look for; None takes all of them. A class that is not looked for is never decoded.

    Attributes:
        labels: The card's.
        input_px: The longer side of the model's input.
        runs: How many times the model has been run.
        inference_ms: A smoothed time of one run (last ten, about); None before the first.

    Raises:
        BundleError: The bundle's card is not that of a detector of single pictures.
    """

    def __init__(self, bundle: Bundle, classes: Collection[str] | None = None) -> None:
        self.labels = bundle.card.labels
        self._classes = classes
        self._padded: tuple[int, int] | None = None
        self.runs = 0
        self._put_in(bundle)

    def _put_in(self, bundle: Bundle) -> None:
        card = bundle.card
        if not isinstance(card.input, ImageInput) or not isinstance(card.output, BoxesOutput):
            raise BundleError(f"{card.name}: not a detector, its card says {card.task!r}; name one whose output is boxes")
        batch, channels, height, width = card.input.shape
        if batch not in (1, "N") or channels != 3 or not isinstance(height, int) or not isinstance(width, int):
            raise BundleError(f"{card.name}: its input is {card.input.shape}; one picture of three colours is expected")
        self._session = bundle.session
        self._input = card.input
        self._output = card.output
        self._size = (width, height)
        self._centres = cell_centres_px(width, height, card.output.strides, card.output.cell_centre)
        self.input_px = max(self._size)
        wanted = card.thresholds if self._classes is None else {name: card.thresholds[name] for name in self._classes}
        names = {label for threshold in wanted.values() for label in threshold.labels}
        self._columns = np.array([index for index, label in enumerate(card.labels) if label in names], np.int64)
        self._tensor = np.zeros((1, 3, height, width), np.float32)
        self._padded = None
        self.inference_ms: float | None = None

    def exchange(self, bundle: Bundle) -> bool:
        """Detects with another model from the next picture on.

        Returns:
            False if it sees in another way (its input or its labels differ); then nothing has changed, and what looks through this
            detector has to begin anew.

        Raises:
            BundleError: It is not a detector's.
        """
        if (bundle.card.input, bundle.card.labels) != (self._input, self.labels):
            Detector(bundle, self._classes)
            return False
        self._put_in(bundle)
        return True

    def detect(self, image: npt.NDArray[np.uint8], score_floor: float = SCORE_FLOOR) -> Detections:
        """Finds the things of the wanted classes in a picture.

        Args:
            image: ``(H, W, 3)`` uint8, blue-green-red; a slice of a larger picture will do.
            score_floor: Boxes below are not returned.
        """
        tensor, scale, left, top = self._fit(image)
        begun = time.perf_counter()
        scores, distances = self._session.run([self._output.scores.name, self._output.boxes.name], {self._input.name: tensor})
        took_ms = (time.perf_counter() - begun) * 1e3
        self.runs += 1
        self.inference_ms = took_ms if self.inference_ms is None else 0.9 * self.inference_ms + 0.1 * took_ms
        found = self._decode(scores[0], distances[0], score_floor)
        boxes = (found.boxes_px - np.array([left, top, left, top], np.float32)) / np.tile(scale, 2)
        height, width = image.shape[:2]
        boxes = np.clip(boxes, 0, np.array([width, height, width, height], np.float32))
        whole = ((boxes[:, 2] - boxes[:, 0]) >= 1) & ((boxes[:, 3] - boxes[:, 1]) >= 1)
        return Detections(boxes.astype(np.float32), found.scores, found.classes)[whole]

    def _fit(self, image: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], int, int]:
        """The model's input, the factors (x, y) that the picture was scaled by, and the left and upper bar's width in pixels."""
        width, height = self._size
        rows, columns = image.shape[:2]
        if self._input.fit == "letterbox":
            scale = min(width / columns, height / rows)
            size = (max(1, min(width, round(columns * scale))), max(1, min(height, round(rows * scale))))
        else:
            size = self._size
        # Averaging, where more than two pixels become one: a plain interpolation would leave some of them out. Halved first, since
        # averaging by a factor that is not whole takes ten times as long.
        fine = shrink(image, max(0, math.ceil(math.log2(min(columns / size[0], rows / size[1]))) - 1))
        resized = fine if size == fine.shape[1::-1] else cv2.resize(fine, size, interpolation=cv2.INTER_LINEAR)
        left, top = (width - size[0]) // 2, (height - size[1]) // 2
        low, high = self._input.value_range
        factor, shift = np.float32((high - low) / 255.0), np.float32(low)
        if self._padded != size:
            self._tensor[:] = self._input.pad_value * factor + shift
            self._padded = size
        for channel, plane in enumerate(cv2.split(resized)):
            self._tensor[0, channel, top : top + size[1], left : left + size[0]] = plane
        inside = self._tensor[0, :, top : top + size[1], left : left + size[0]]
        if (low, high) != (0.0, 255.0):
            inside *= factor
            inside += shift
        return self._tensor, np.array([size[0] / columns, size[1] / rows], np.float32), left, top

    def _decode(self, scores: npt.NDArray[np.float32], distances: npt.NDArray[np.float32], floor: float) -> Detections:
        """Cells to boxes in pixels of the model's input, after non-maximum suppression within each class."""
        wanted = scores[:, self._columns]
        cells, columns = np.nonzero(wanted >= floor)
        if len(cells) == 0:
            return Detections.none()
        values = wanted[cells, columns]
        if len(values) > MOST_CELLS:
            best = np.argpartition(values, -MOST_CELLS)[-MOST_CELLS:]
            cells, columns, values = cells[best], columns[best], values[best]
        centres, sides = self._centres[cells], distances[cells]
        boxes = np.concatenate([centres - sides[:, :2], centres + sides[:, 2:]], axis=1)
        classes = self._columns[columns]
        kept = non_maximum_suppression(boxes, values, classes, self._output.nms_iou)
        return Detections(boxes[kept], values[kept], classes[kept])

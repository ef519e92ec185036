"""Photographs with boxes, and how well a detector finds them: average precision by COCO's protocol, and matches at one overlap."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from faster_coco_eval import COCO, COCOeval_faster
from parvis_edge.vision.boxes import ious
from parvis_edge.vision.detector import Detections, Detector

#: Boxes below this score are not asked for: they would add nothing to an average precision but their number.
SCORE_FLOOR = 0.01
#: Overlap from which on a detection is true, when precision and recall are told at one threshold.
MATCH_IOU = 0.5


class DataError(Exception):
    """The data to measure on cannot be used; the message says where, and what was expected."""


@dataclass(frozen=True, slots=True)
class Photograph:
    """A picture and what is in it.

    Attributes:
        path: Of the picture.
        size_px: Width and height.
        boxes_px: ``(N, 4)`` float32, left, top, right, bottom.
        classes: ``(N,)`` int64, index into the labels.
    """

    path: Path
    size_px: tuple[int, int]
    boxes_px: npt.NDArray[np.float32]
    classes: npt.NDArray[np.int64]

    def image(self) -> npt.NDArray[np.uint8]:
        """``(H, W, 3)`` uint8, blue-green-red."""
        return np.asarray(cv2.imread(str(self.path), cv2.IMREAD_COLOR), np.uint8)


def read_photographs(folder: Path, labels: Sequence[str]) -> list[Photograph]:
    """Reads `images/*.jpg` and, beside them, `labels/*.txt`: per line a class's number and a box's centre and size, as shares.

    Args:
        folder: With both.
        labels: Of the classes' numbers.

    Raises:
        DataError: There is no picture, or a line is none of a box.
    """
    paths = sorted((folder / "images").glob("*.jpg"))
    if not paths:
        raise DataError(f"{folder / 'images'}: no photograph here; --data names a folder that has coco/images and coco/labels")
    return [_read_photograph(path, folder / "labels" / f"{path.stem}.txt", len(labels)) for path in paths]


def _read_photograph(path: Path, boxes_path: Path, labels: int) -> Photograph:
    image = cv2.imread(str(path))
    if image is None:
        raise DataError(f"{path}: not a picture")
    height, width = image.shape[:2]
    boxes, classes = [], []
    # A photograph without a file of boxes has nothing in it.
    lines = boxes_path.read_text(encoding="utf-8").splitlines() if boxes_path.exists() else []
    for number, line in enumerate(lines, start=1):
        try:
            label, *values = line.split()
            x, y, w, h = (float(value) for value in values)
            index = int(label)
        except ValueError:
            raise DataError(f"{boxes_path}:{number}: expected a class's number, x, y, width and height, found {line!r}") from None
        if not 0 <= index < labels:
            raise DataError(f"{boxes_path}:{number}: class {index}; the model has 0 to {labels - 1}")
        boxes.append([(x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height])
        classes.append(index)
    return Photograph(path, (width, height), np.array(boxes, np.float32).reshape(-1, 4), np.array(classes, np.int64))


def detect_all(detector: Detector, photographs: Sequence[Photograph]) -> list[Detections]:
    """What the unit's own detector finds in each photograph, down to `SCORE_FLOOR`."""
    return [detector.detect(photograph.image(), SCORE_FLOOR) for photograph in photographs]


def average_precisions(
    photographs: Sequence[Photograph], found: Sequence[Detections], classes: Mapping[str, int]
) -> dict[str, float | None]:
    """Average precision per class: COCO's mean over overlaps of 0.50, 0.55 … 0.95, all sizes, at most 100 boxes a picture.

    Args:
        photographs: With the truth.
        found: In each of them.
        classes: Index into the labels, by name.

    Returns:
        In per cent, by name; None where no photograph has the class.
    """
    truth, results = _coco_truth(photographs, classes), _coco_results(found, classes)
    names = {index: name for name, index in classes.items()}
    if not results:
        there = {int(index) for photograph in photographs for index in photograph.classes}
        return {name: 0.0 if index in there else None for name, index in classes.items()}
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(truth)
        evaluation = COCOeval_faster(coco, coco.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    # Overlap, recall, class, size (all of them first), most boxes (100 last).
    precision = evaluation.eval["precision"][:, :, :, 0, -1]
    averages: dict[str, float | None] = {}
    for place, index in enumerate(evaluation.params.catIds):
        values = precision[:, :, place]
        averages[names[int(index)]] = float(values.mean() * 100) if (values > -1).all() else None
    return {name: averages[name] for name in classes}


def _coco_truth(photographs: Sequence[Photograph], classes: Mapping[str, int]) -> dict[str, list[dict[str, object]]]:
    annotations: list[dict[str, object]] = []
    wanted = set(classes.values())
    for number, photograph in enumerate(photographs, start=1):
        for box, index in zip(photograph.boxes_px, photograph.classes, strict=True):
            if int(index) in wanted:
                place = {"id": len(annotations) + 1, "image_id": number, "category_id": int(index), "iscrowd": 0}
                annotations.append(place | {"bbox": _corner_and_size(box), "area": float((box[2] - box[0]) * (box[3] - box[1]))})
    return {
        "images": [
            {"id": number, "width": one.size_px[0], "height": one.size_px[1], "file_name": one.path.name}
            for number, one in enumerate(photographs, start=1)
        ],
        "annotations": annotations,
        "categories": [{"id": index, "name": name} for name, index in classes.items()],
    }


def _coco_results(found: Sequence[Detections], classes: Mapping[str, int]) -> list[dict[str, object]]:
    wanted = set(classes.values())
    return [
        {"image_id": number, "category_id": int(index), "score": float(score), "bbox": _corner_and_size(box)}
        for number, detections in enumerate(found, start=1)
        for box, score, index in zip(detections.boxes_px, detections.scores, detections.classes, strict=True)
        if int(index) in wanted
    ]


def _corner_and_size(box: npt.NDArray[np.float32]) -> list[float]:
    left, top, right, bottom = (float(side) for side in box)
    return [left, top, right - left, bottom - top]


@dataclass(frozen=True, slots=True)
class Matches:
    """Detections of one class, each true or false at `MATCH_IOU`.

    Attributes:
        scores: ``(N,)`` float64.
        true: ``(N,)`` bool.
        examples: How many of the class there are.
        heights_px: ``(examples,)`` height of each example, in pixels of its photograph.
        found_at: ``(examples,)`` score of the detection that found it; 0 where none did.
    """

    scores: npt.NDArray[np.float64]
    true: npt.NDArray[np.bool_]
    examples: int
    heights_px: npt.NDArray[np.float64]
    found_at: npt.NDArray[np.float64]

    @classmethod
    def joined(cls, parts: Sequence[Matches]) -> Matches:
        """Of several classes together."""
        return cls(
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.true for part in parts]),
            sum(part.examples for part in parts),
            np.concatenate([part.heights_px for part in parts]),
            np.concatenate([part.found_at for part in parts]),
        )


def match(photographs: Sequence[Photograph], found: Sequence[Detections], index: int) -> Matches:
    """Matches detections to examples, strongest first, each example once.

    Args:
        photographs: With the truth.
        found: In each of them.
        index: Of the class.
    """
    scores: list[float] = []
    true: list[bool] = []
    heights: list[float] = []
    found_at: list[float] = []
    for photograph, detections in zip(photographs, found, strict=True):
        examples = photograph.boxes_px[photograph.classes == index]
        mine = detections[detections.classes == index]
        mine = mine[np.argsort(-mine.scores, kind="stable")]
        overlap = ious(mine.boxes_px, examples)
        at = np.zeros(len(examples))
        for row, score in enumerate(mine.scores):
            free = np.where(at == 0, overlap[row], 0.0)
            best = int(np.argmax(free)) if len(examples) else 0
            hit = bool(len(examples)) and bool(free[best] >= MATCH_IOU)
            if hit:
                at[best] = score
            scores.append(float(score))
            true.append(hit)
        heights += [float(height) for height in examples[:, 3] - examples[:, 1]]
        found_at += [float(score) for score in at]
    return Matches(np.array(scores), np.array(true, np.bool_), len(heights), np.array(heights), np.array(found_at))

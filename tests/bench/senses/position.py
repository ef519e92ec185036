"""How far the position of somebody is off, and how often it is within what the unit says of it.

Cameras, people and the points that an installer measures are computed: people stand at known places, and their boxes have the errors that
the detector's boxes have on the photographs with ground truth. The ground plane and the position are the unit's own code.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from parvis_contract import Position
from parvis_edge.analysers.view import FOOT_ERROR, View
from parvis_edge.bundle import load_bundle
from parvis_edge.vision.boxes import ious
from parvis_edge.vision.detector import Detections, Detector
from parvis_models.photographs import MATCH_IOU, Photograph, detect_all, read_photographs

from tests.bench.senses.page import table
from tests.bench.senses.score import share
from tests.edge.analysers.watching import plan
from tests.edge.calibration.scene import FOUR, PLANE, SIX, Camera, known

Floats = npt.NDArray[np.float64]
COLUMNS = ("who, and where", "places", "within 1 sigma", "within 2 sigma", "median error", "median sigma")
CAMERAS, PEOPLE, RANGE_M = 200, 25, 60.0
#: Height of people and how it varies, and their width, in metres.
HEIGHT_M, HEIGHTS_M, WIDTH_M = 1.7, 0.09, 0.5
#: Up to how far away, in metres; and those whose feet are below the picture, wherever they are.
BANDS = {"whole, under 10 m": 10.0, "whole, 10 to 20 m": 20.0, "whole, 20 to 60 m": RANGE_M}
CUT = "cut off by the lower edge"
#: Smaller people than this in the picture are not found.
LEAST_PX = 25.0


@dataclass(frozen=True, slots=True)
class BoxErrors:
    """Of the boxes of people, each as shares of the true box's height.

    Attributes:
        right, below: How far the middle of the lower side is off.
        taller: How much taller the box is.
    """

    right: Floats
    below: Floats
    taller: Floats


def detected(material: Path, labels: tuple[str, ...]) -> tuple[list[Photograph], list[Detections]]:
    """What the detector finds in the photographs."""
    photographs = read_photographs(material / "coco", labels)
    return photographs, detect_all(Detector(load_bundle("nanodet-g-416", threads=1)), photographs)


def box_errors(material: Path) -> BoxErrors:
    """Of people who are whole in the picture and found at the detector's threshold."""
    card = load_bundle("nanodet-g-416", threads=1).card
    person, least = card.labels.index("person"), card.thresholds["person"].score
    errors = []
    for photograph, found in zip(*detected(material, card.labels), strict=True):
        width, height = photograph.size_px
        true = photograph.boxes_px[photograph.classes == person]
        boxes = found.boxes_px[(found.classes == person) & (found.scores >= least)]
        for box, overlaps in zip(boxes, ious(boxes, true), strict=True):
            if not len(true) or overlaps.max() < MATCH_IOU:
                continue
            x0, y0, x1, y1 = true[int(overlaps.argmax())]
            if x0 > 2 and x1 < width - 2 and y1 < height - 2:
                tall = y1 - y0
                errors.append(((box[0] + box[2] - x0 - x1) / 2 / tall, (box[3] - y1) / tall, (box[3] - box[1]) / tall - 1))
    return BoxErrors(*np.array(errors, np.float64).T)


@dataclass(slots=True)
class Off:
    """Errors and what was said of them, in metres."""

    error_m: list[float]
    sigma_m: list[float]

    def add(self, place: Position | None, true_m: Floats) -> None:
        """Counts a position; none where the unit says none."""
        if place is not None:
            self.error_m.append(float(np.linalg.norm(PLANE.to_metres([(place.lon, place.lat)])[0] - true_m)))
            self.sigma_m.append(place.uncertainty_m)

    def cells(self, what: str) -> tuple[str, ...]:
        """A line in the order of :data:`COLUMNS`."""
        error, sigma = np.array(self.error_m), np.array(self.sigma_m)
        within = (share(int((error <= times * sigma).sum()), len(error)) for times in (1, 2))
        return what, f"{len(error):,}", *within, f"{np.median(error):.2f} m", f"{np.median(sigma):.2f} m"


def views(count: int, random: np.random.Generator) -> Iterator[tuple[Camera, View]]:
    """Cameras of a street, each calibrated with four or six points that were pointed at and measured with errors."""
    for number in range(count):
        camera = Camera(
            height_m=random.uniform(3.5, 8.0),
            heading_deg=random.uniform(0, 360),
            tilt_deg=random.uniform(15, 40),
            focal_px=random.uniform(700, 1300),
        )
        points = known(camera, SIX if number % 2 else FOUR, random)
        points_px = [{"px": list(point.px), "at": {"lon": point.at.lon, "lat": point.at.lat}} for point in points]
        site = plan(camera.size_px, {"ground_plane": {"image_size": list(camera.size_px), "points": points_px}, "range_m": RANGE_M})
        yield camera, View(site, "u1", camera.size_px, (camera.size_px[0] // 2, camera.size_px[1] // 2), "none")


def person_px(camera: Camera, at_m: Floats, height_m: float) -> tuple[Floats, float]:
    """Where somebody's feet are in the picture, and how tall they are there, in pixels."""
    right, down, ahead = camera.rotation @ np.array([*at_m, height_m - camera.height_m])
    head = camera.focal_px * np.array([right, down]) / ahead + np.array(camera.size_px) / 2
    feet = camera.see(at_m)[0]
    return feet, float(feet[1] - head[1])


def text(material: Path, *, quick: bool, write: bool, tell: Any) -> str:
    """Measures, and gives the table; arguments as of `seen.lines`. There is nothing to draw."""
    del write
    cv2.setNumThreads(1)
    tell("boxes of people in photographs")
    errors = box_errors(material)
    tell("cameras")
    random = np.random.default_rng(5)
    off = {name: Off([], []) for name in (*BANDS, CUT)}
    for camera, view in views(CAMERAS // 10 if quick else CAMERAS, random):
        for _ in range(PEOPLE):
            _stand(camera, view, errors, random, off)
    whole = Off([each for name in BANDS for each in off[name].error_m], [each for name in BANDS for each in off[name].sigma_m])
    rms = math.sqrt(float((errors.below**2).mean()))
    spread = 1.4826 * float(np.median(np.abs(errors.below - np.median(errors.below))))
    told = (
        f"The lower side of {errors.below.size} boxes of whole people in photographs is off by {rms:.3f} of their height (root mean "
        f"square; {spread:.3f} from the median absolute deviation): the unit takes {FOOT_ERROR:g}."
    )
    rows = [each.cells(name) for name, each in (*off.items(), ("whole, all distances", whole))]
    return f"{told}\n\n{table(COLUMNS, rows)}"


def _stand(camera: Camera, view: View, errors: BoxErrors, random: np.random.Generator, off: dict[str, Off]) -> None:
    """Somebody stands somewhere in the picture, or a little below its lower edge."""
    width, height = camera.size_px
    at_m = camera.at([(random.uniform(40, width - 40), random.uniform(200, height + 250))])[0]
    far_m = float(np.linalg.norm(at_m))
    feet, tall = person_px(camera, at_m, random.normal(HEIGHT_M, HEIGHTS_M))
    if tall < LEAST_PX or camera.depth_m(at_m)[0] <= 0 or far_m > RANGE_M:
        return
    drawn = int(random.integers(errors.below.size))
    x, bottom = feet[0] + errors.right[drawn] * tall, feet[1] + errors.below[drawn] * tall
    top = bottom - (1 + errors.taller[drawn]) * tall
    if min(bottom, height) - max(top, 0.0) < LEAST_PX:
        return
    half = WIDTH_M / HEIGHT_M * tall / 2
    place = view.position((x - half, max(top, 0.0), x + half, min(bottom, float(height))))
    name = CUT if feet[1] > height else next(name for name, farthest_m in BANDS.items() if far_m <= farthest_m)
    off[name].add(place, at_m)

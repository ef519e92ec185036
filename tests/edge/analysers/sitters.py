"""People who sit, stand or lie still beside their bags, and people who walk off without, composed at run time.

They are cut out of photographs with ground truth (GrabCut within their box, with the bags that touch them), and put on an empty
street at a size that fits it. They come in from the side, upright, stay as good as still or lie down, and their bags stand beside them.
What others leave behind is cut out of photographs too, or drawn. Composed: edges and light are not those of a real scene.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from parvis_edge.analysers.camera import CameraSense
from parvis_edge.analysers.view import PERSON_M
from parvis_edge.bundle import Bundle
from parvis_edge.perception import Frame, Judgement
from parvis_edge.vision.boxes import intersections_px2

from tests.edge.analysers.watching import plan

Image = npt.NDArray[np.uint8]

PERSON, BAGS = 0, (24, 26, 28)
#: What may be left behind, of the photographs' classes, and its height in metres: a backpack, a handbag, a suitcase; and, for want of
#: photographs of these, a chair, a plant, a television, a laptop, an oven and a refrigerator in the size of a parcel, a vase.
LEFT_M = {24: 0.55, 26: 0.4, 28: 0.7, 56: 0.8, 58: 0.7, 62: 0.5, 63: 0.35, 69: 0.6, 72: 0.7, 75: 0.45}
SIZE = (720, 480)
#: Frames a second; when they come in, stand, lie down, and walk off if they do; the zone's dwell; when it is to be told at the latest.
RATE_HZ, COMES_S, STAYS_S, LIES_S, LEAVES_S, DWELL_S, LATE_S = 2.5, 2.0, 6.0, 8.0, 10.0, 9.0, 15.0
#: When the scene of somebody who stays is over.
UNTIL_S = 30.0
BEGAN_S = 1.7e9
#: Photographs are reduced until what is cut out has no side above, before it is: it is pasted at less.
CUT_PX = 300
#: The share of the box around it that a cut keeps, at least, and of either side: less is a piece of cloth, or a cap.
LEAST_CUT, LEAST_SIDE = 0.25, 0.85
#: The empty street is that of this clip, before anybody comes.
EMPTY = "abandoned/aboda_video4.avi"


@dataclass(frozen=True, slots=True)
class Cutout:
    """Somebody out of a photograph.

    Attributes:
        name: Of the photograph.
        image: ``(H, W, 3)`` uint8.
        alpha: ``(H, W)`` float32 in [0, 1].
    """

    name: str
    image: Image
    alpha: npt.NDArray[np.float32]


def cutouts(coco: Path, most: int) -> list[Cutout]:
    """People who are whole and large in the photographs, the first of them, with what they hold."""
    return [cut for _, cut in islice(_found(coco, (PERSON,), 110.0), most)]


def things(coco: Path) -> list[tuple[Cutout, float]]:
    """Things that may be left behind, with their heights in metres: those of the photographs that nobody touches, and drawn ones."""
    cut = [(cutout, LEFT_M[label]) for label, cutout in _found(coco, tuple(LEFT_M), 40.0)]
    return cut + [drawn(seed) for seed in range(12)]


def _found(coco: Path, wanted: tuple[int, ...], least_px: float) -> Iterator[tuple[int, Cutout]]:
    """What is whole and large enough in the photographs; of things, what no person's box covers a tenth of."""
    for labels in sorted((coco / "labels").glob("*.txt")):
        rows = np.loadtxt(labels, ndmin=2)
        image = cv2.imread(str(coco / "images" / f"{labels.stem}.jpg"))
        if image is None or not np.isin(rows[:, 0], wanted).any():
            continue
        height, width = image.shape[:2]
        boxes = np.concatenate([rows[:, 1:3] - rows[:, 3:5] / 2, rows[:, 1:3] + rows[:, 3:5] / 2], axis=1) * (width, height, width, height)
        people = boxes[rows[:, 0] == PERSON]
        for index in np.flatnonzero(np.isin(rows[:, 0], wanted)):
            label, box = int(rows[index, 0]), boxes[index]
            if not (box[:2] > 3).all() or box[2] >= width - 3 or box[3] >= height - 3 or box[3] - box[1] < least_px:
                continue
            if label == PERSON:
                # What they hold comes along.
                for other in boxes[np.isin(rows[:, 0], BAGS)]:
                    if (other[:2] < box[2:]).all() and (other[2:] > box[:2]).all():
                        box = np.concatenate([np.minimum(box[:2], other[:2]), np.maximum(box[2:], other[2:])])
            elif len(people) and intersections_px2(box[None], people).max() > 0.1 * (box[2:] - box[:2]).prod():
                continue
            cut = _cut(labels.stem, np.asarray(image, np.uint8), box)
            if cut is not None:
                yield label, cut


def _cut(name: str, image: Image, box: npt.NDArray[np.float64]) -> Cutout | None:
    scale = min(1.0, CUT_PX / float((box[2:] - box[:2]).max()))
    image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    x0, y0, x1, y1 = (box * scale).round().astype(int).tolist()
    margin = 12
    part = image[max(0, y0 - margin) : y1 + margin, max(0, x0 - margin) : x1 + margin].copy()
    mask = np.zeros(part.shape[:2], np.uint8)
    cv2.setRNGSeed(1)
    inside = (min(margin, x0), min(margin, y0), x1 - x0, y1 - y0)
    cv2.grabCut(part, mask, inside, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_RECT)
    kept = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    # No empty border: what is seen has the height that is asked for.
    x, y, width, height = cv2.boundingRect(kept.astype(np.uint8))
    if kept.sum() < LEAST_CUT * (x1 - x0) * (y1 - y0) or width < LEAST_SIDE * (x1 - x0) or height < LEAST_SIDE * (y1 - y0):
        return None
    where = slice(y, y + height), slice(x, x + width)
    return Cutout(name, part[where], np.asarray(cv2.GaussianBlur(kept, (3, 3), 0)[where], np.float32))


def drawn(seed: int) -> tuple[Cutout, float]:
    """A parcel with tape and a label, a bag or a suitcase with a handle, and its height in metres."""
    random = np.random.default_rng(seed)
    width, height = ((180, 240), (270, 180), (240, 240), (150, 270), (300, 150), (210, 150))[seed % 6]
    colour = np.array([90, 130, 170]) * random.uniform(0.7, 1.2) if seed % 3 == 0 else random.integers(15, 200, 3).astype(np.float64)
    folds = cv2.resize(random.normal(0, 18, (8, 8)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    shade = np.linspace(1.15, 0.75, height)[:, None] * np.linspace(1.05, 0.9, width)
    body = (colour * shade[..., None] + folds[..., None]).clip(0, 255).astype(np.uint8)
    image, alpha = np.full((height + 40, width, 3), 20, np.uint8), np.zeros((height + 40, width), np.float32)
    dark = tuple(float(side) for side in 0.6 * colour)
    if seed % 3 == 0:
        alpha[40:] = 1.0
        cv2.line(body, (0, height // 3), (width, height // 3), (60, 90, 130), 6)
        cv2.rectangle(body, (width // 2, height // 2), (width - 20, height - 30), (230, 230, 230), -1)
    else:
        cv2.rectangle(alpha, (30, 70), (width - 30, height + 9), 1.0, 60)
        cv2.rectangle(alpha, (30, 70), (width - 30, height + 9), 1.0, -1)
        cv2.rectangle(alpha, (width // 2 - 30, 8), (width // 2 + 50, 44), 1.0, 9)
        for y in range(30, height, 45 if seed % 3 == 1 else 90):
            cv2.line(body, (0, y), (width, y), dark, 4)
    image[40:] = body
    return Cutout(f"drawn {seed}", image, np.asarray(cv2.GaussianBlur(alpha, (3, 3), 0), np.float32)), float(random.uniform(0.35, 0.8))


def empty_street(material: Path) -> Image:
    """The street with nobody on it."""
    capture = cv2.VideoCapture(str(material / EMPTY))
    capture.set(cv2.CAP_PROP_POS_MSEC, 4_000)
    _, image = capture.read()
    return np.asarray(cv2.resize(image, SIZE), np.uint8)


@dataclass(frozen=True, slots=True)
class Sitting:
    """One composed scene.

    Attributes:
        who: Is in it.
        lying: Turned on their side.
        height_px: Of somebody upright.
        bags: Bags of theirs beside them, at so many heights' distance.
        light: How much it changes over the scene, as a share.
        noise: Standard deviation, of 255.
        jpeg: Quality of compression, of 100.
        left: What they have set down when they walk off, and its height in metres; None: they stay.
    """

    who: Cutout
    lying: bool
    height_px: int
    bags: tuple[float, ...]
    light: float
    noise: float
    jpeg: int
    left: tuple[Cutout, float] | None = None

    @property
    def until_s(self) -> float:
        """When it is over."""
        return UNTIL_S if self.left is None else LEAVES_S + DWELL_S + LATE_S

    def frames(self, street: Image) -> Iterator[Frame]:
        """The scene, from an empty street to its end."""
        # Five of them, in turn: no two pictures that follow each other are the same.
        noise = np.random.default_rng(7).normal(0.0, self.noise, (5, *street.shape)).astype(np.float32)
        upright = _scaled(self.who, self.height_px)
        lying = tuple(cv2.rotate(each, cv2.ROTATE_90_CLOCKWISE) for each in upright)
        middle, foot = SIZE[0] // 2, 400
        for index in range(round(self.until_s * RATE_HZ)):
            passed_s = index / RATE_HZ
            picture = street.astype(np.float32)
            away = max(0.0, (STAYS_S - passed_s) / (STAYS_S - COMES_S))
            if self.left is not None:
                away = max(away, (passed_s - LEAVES_S) / (STAYS_S - COMES_S))
            image, alpha = lying if self.lying and passed_s >= LIES_S else upright
            if passed_s >= STAYS_S:
                self._put_bags(picture, middle, foot, image.shape[1])
            if passed_s >= COMES_S:
                # They breathe, and shift a little now and then.
                sway = round(1.5 * np.sin(passed_s / 3.0)) if index % 20 < 4 else 0
                x = round(middle - image.shape[1] / 2 - away * (middle + image.shape[1])) + sway
                _paste(picture, image, alpha, x, foot - image.shape[0])
            picture *= 1.0 + self.light * passed_s / self.until_s
            picture += noise[index % 5]
            coded = cv2.imencode(".jpg", picture.clip(0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, self.jpeg])[1]
            yield Frame(BEGAN_S + passed_s + 0.01, np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8))

    def _put_bags(self, picture: npt.NDArray[np.float32], middle: int, foot: int, width: int) -> None:
        if self.left is not None:
            image, alpha = _scaled(self.left[0], round(self.left[1] / PERSON_M * self.height_px))
            _paste(picture, image, alpha, middle + width // 2, foot - image.shape[0])
            return
        for number, distance in enumerate(self.bags):
            side = round(0.28 * self.height_px)
            x = (
                round(middle + width / 2 + distance * self.height_px)
                if number % 2 == 0
                else round(middle - width / 2 - distance * self.height_px - side)
            )
            cv2.rectangle(picture, (x, foot - side), (x + round(0.8 * side), foot), (50 + 60 * number, 40, 45), -1)
            cv2.rectangle(picture, (x + side // 4, foot - side - side // 5), (x + side // 2, foot - side), (35, 30, 30), 2)


def _scaled(cutout: Cutout, height_px: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    scale = height_px / cutout.image.shape[0]
    image, alpha = (cv2.resize(each, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) for each in (cutout.image, cutout.alpha))
    return image, alpha


def _paste(picture: npt.NDArray[np.float32], image: npt.NDArray[np.generic], alpha: npt.NDArray[np.generic], x: int, y: int) -> None:
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + image.shape[1], picture.shape[1]), min(y + image.shape[0], picture.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    there = (slice(y0 - y, y1 - y), slice(x0 - x, x1 - x))
    share = np.asarray(alpha[there], np.float32)[..., None]
    part = picture[y0:y1, x0:x1]
    part += share * (np.asarray(image[there], np.float32) - part)


def sittings(who: list[Cutout], count: int, *, lying: bool) -> list[Sitting]:
    """People who stay, in scenes that vary in all that they can."""
    return [
        Sitting(
            who=who[index % len(who)],
            lying=lying,
            height_px=(110, 150, 190)[(index + index // 3) % 3],
            bags=((0.1,), (0.1, 0.25), ())[index // 3 % 3],
            light=(0.0, 0.15, -0.15, 0.3)[index % 4],
            noise=(1.5, 4.0, 7.0)[index // 2 % 3],
            jpeg=(90, 60, 35)[(index // 2 + index) % 3],
        )
        for index in range(count)
    ]


def leavings(who: list[Cutout], left: list[tuple[Cutout, float]], count: int) -> list[Sitting]:
    """The same people, who set something down and walk off without it."""
    return [replace(each, left=left[index % len(left)]) for index, each in enumerate(sittings(who, count, lying=False))]


def told(scene: Sitting, street: Image, bundle: Bundle) -> Judgement | None:
    """What is first said of it as `object.unattended`; None where nothing is."""
    width, height = SIZE
    zones = {"street": {"kind": "watched", "polygon_px": [[0, 0], [width, 0], [width, height], [0, height]], "dwell_s": DWELL_S}}
    sense = CameraSense(plan(SIZE, zones=zones), "u1", frozenset({"object.unattended"}), bundle)
    said = (found for frame in scene.frames(street) for found in sense.process(frame) if isinstance(found, Judgement))
    return next(said, None)

"""People who sit, stand or lie still beside their bags, composed at run time from photographs and an empty street.

They are cut out of photographs with ground truth (GrabCut within their box, with the bags that touch them), and put on the empty
street at a size that fits it. They come in from the side, upright, stay as good as still or lie down, and their bags stand beside them.
Composed: edges and light are not those of a real scene.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from parvis_edge.analysers.camera import CameraSense
from parvis_edge.bundle import Bundle
from parvis_edge.perception import Frame, Judgement

from tests.edge.analysers.watching import plan

Image = npt.NDArray[np.uint8]

PERSON, BAGS = 0, (24, 26, 28)
SIZE = (720, 480)
#: Frames a second; when they come in, and when the scene is over; the zone's dwell.
RATE_HZ, COMES_S, STAYS_S, UNTIL_S, DWELL_S = 2.5, 4.0, 8.0, 50.0, 15.0
BEGAN_S = 1.7e9
#: Somebody's share of the box around them, at least.
LEAST_CUT = 0.25
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
    """People who are whole and large in the photographs, the first of them."""
    found: list[Cutout] = []
    for labels in sorted((coco / "labels").glob("*.txt")):
        image = cv2.imread(str(coco / "images" / f"{labels.stem}.jpg"))
        if image is None:
            continue
        height, width = image.shape[:2]
        rows = np.loadtxt(labels, ndmin=2)
        low, high = (rows[:, 1:3] - rows[:, 3:5] / 2) * (width, height), (rows[:, 1:3] + rows[:, 3:5] / 2) * (width, height)
        for index in np.flatnonzero(rows[:, 0] == PERSON):
            box = np.concatenate([low[index], high[index]])
            whole = (box[:2] > 3).all() and box[2] < width - 3 and box[3] < height - 3
            if not whole or box[3] - box[1] < 110 or len(found) >= most:
                continue
            # What they hold comes along.
            for other in np.flatnonzero(np.isin(rows[:, 0], BAGS)):
                if (low[other] < box[2:]).all() and (high[other] > box[:2]).all():
                    box = np.concatenate([np.minimum(box[:2], low[other]), np.maximum(box[2:], high[other])])
            cut = _cut(labels.stem, np.asarray(image, np.uint8), box.round().astype(int))
            # Where hardly anything is left, they could not be told from what is behind them.
            if cut.alpha.mean() > LEAST_CUT:
                found.append(cut)
    return found


def _cut(name: str, image: Image, box: npt.NDArray[np.int_]) -> Cutout:
    x0, y0, x1, y1 = box.tolist()
    margin = 12
    part = image[max(0, y0 - margin) : y1 + margin, max(0, x0 - margin) : x1 + margin].copy()
    mask = np.zeros(part.shape[:2], np.uint8)
    cv2.setRNGSeed(1)
    inside = (min(margin, x0), min(margin, y0), x1 - x0, y1 - y0)
    cv2.grabCut(part, mask, inside, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_RECT)
    kept = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    return Cutout(name, part, cv2.GaussianBlur(kept, (3, 3), 0))  # type: ignore[arg-type]


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
        leaves_s: When they walk off and leave their bags; None: they stay.
    """

    who: Cutout
    lying: bool
    height_px: int
    bags: tuple[float, ...]
    light: float
    noise: float
    jpeg: int
    leaves_s: float | None = None

    def frames(self, street: Image) -> Iterator[Frame]:
        """The scene, from an empty street to its end."""
        # Five of them, in turn: no two pictures that follow each other are the same.
        noise = np.random.default_rng(7).normal(0.0, self.noise, (5, *street.shape)).astype(np.float32)
        scale = self.height_px / self.who.image.shape[0]
        image, alpha = (
            cv2.resize(each, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) for each in (self.who.image, self.who.alpha)
        )
        middle, foot = SIZE[0] // 2, 400
        for index in range(round(UNTIL_S * RATE_HZ)):
            passed_s = index / RATE_HZ
            picture = street.astype(np.float32)
            away = 0.0 if passed_s >= STAYS_S else (STAYS_S - passed_s) / (STAYS_S - COMES_S)
            if self.leaves_s is not None and passed_s > self.leaves_s:
                away = (passed_s - self.leaves_s) / (STAYS_S - COMES_S)
            if self.lying and STAYS_S <= passed_s < STAYS_S + 1.0 / RATE_HZ:
                image, alpha = cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE), cv2.rotate(alpha, cv2.ROTATE_90_CLOCKWISE)
            if passed_s >= COMES_S:
                # They breathe, and shift a little now and then.
                sway = round(1.5 * np.sin(passed_s / 3.0)) if index % 20 < 4 else 0
                x = round(middle - image.shape[1] / 2 - away * (middle + image.shape[1])) + sway
                if passed_s >= STAYS_S:
                    self._put_bags(picture, middle, foot, image.shape[1])
                _paste(picture, image, alpha, x, foot - image.shape[0])
            picture *= 1.0 + self.light * passed_s / UNTIL_S
            picture += noise[index % 5]
            coded = cv2.imencode(".jpg", picture.clip(0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, self.jpeg])[1]
            yield Frame(BEGAN_S + passed_s + 0.01, np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8))

    def _put_bags(self, picture: npt.NDArray[np.float32], middle: int, foot: int, width: int) -> None:
        for number, distance in enumerate(self.bags):
            side = round(0.28 * self.height_px)
            x = (
                round(middle + width / 2 + distance * self.height_px)
                if number % 2 == 0
                else round(middle - width / 2 - distance * self.height_px - side)
            )
            cv2.rectangle(picture, (x, foot - side), (x + round(0.8 * side), foot), (50 + 60 * number, 40, 45), -1)
            cv2.rectangle(picture, (x + side // 4, foot - side - side // 5), (x + side // 2, foot - side), (35, 30, 30), 2)


def _paste(picture: npt.NDArray[np.float32], image: npt.NDArray[np.generic], alpha: npt.NDArray[np.generic], x: int, y: int) -> None:
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + image.shape[1], picture.shape[1]), min(y + image.shape[0], picture.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    there = (slice(y0 - y, y1 - y), slice(x0 - x, x1 - x))
    share = np.asarray(alpha[there], np.float32)[..., None]
    part = picture[y0:y1, x0:x1]
    part += share * (np.asarray(image[there], np.float32) - part)


def sittings(who: list[Cutout], count: int) -> list[Sitting]:
    """Scenes that vary in all that they can."""
    return [
        Sitting(
            who=who[index % len(who)],
            lying=index % 3 == 2,
            height_px=(110, 150, 190)[index % 3 if index % 2 else (index // 3) % 3],
            bags=((0.1,), (0.1, 0.25), ())[index // 3 % 3],
            light=(0.0, 0.15, -0.15, 0.3)[index % 4],
            noise=(1.5, 4.0, 7.0)[index // 2 % 3],
            jpeg=(90, 60, 35)[(index // 2 + index) % 3],
        )
        for index in range(count)
    ]


def told(scene: Sitting, street: Image, bundle: Bundle) -> list[Judgement]:
    """What is said of it as `object.unattended`."""
    width, height = SIZE
    zones = {"street": {"kind": "watched", "polygon_px": [[0, 0], [width, 0], [width, height], [0, height]], "dwell_s": DWELL_S}}
    sense = CameraSense(plan(SIZE, zones=zones), "u1", frozenset({"object.unattended"}), bundle)
    return [found for frame in scene.frames(street) for found in sense.process(frame) if isinstance(found, Judgement)]

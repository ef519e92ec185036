"""People of photographs who pass or stand before what a composed scene shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from tests.edge.scenes.weather import Floats

PERSON = 0


def people_of(material: Path) -> list[tuple[Path, tuple[float, float, float, float]]]:
    """People in photographs, upright and large enough to be cut out: the photograph and the box, as shares of its sides."""
    people = []
    for label in sorted((material / "coco" / "labels").glob("*.txt")):
        picture = material / "coco" / "images" / f"{label.stem}.jpg"
        for line in label.read_text().splitlines():
            kind, x, y, wide, tall = (float(cell) for cell in line.split())
            if kind == PERSON and tall > 0.45 and tall > 1.2 * wide:
                people.append((picture, (x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2)))
    return people


class Passers:
    """People of other photographs: one walks past from time to time, and in some scenes one stays before the asset."""

    def __init__(
        self,
        people: Sequence[tuple[Path, tuple[float, float, float, float]]],
        place: Floats,
        size_px: tuple[int, int],
        seconds: float,
        random: np.random.Generator,
    ) -> None:
        self._size = size_px
        low, right = float(place[:, 1].max()), float(place[:, 0].max())
        middle = float(place[:, 0].mean())
        self._walks: list[tuple[float, float, float, Floats, Floats]] = []
        self._stays: tuple[float, float, float, Floats, Floats] | None = None
        if not people:
            self.says = "none"
            return
        tall = float(np.clip(1.5 * (low - float(place[:, 1].min())), 90, 0.8 * size_px[1]))
        for start_s in np.arange(float(random.uniform(2, 12)), seconds, float(random.uniform(12, 30))):
            picture, cover = _cut_out(people[int(random.integers(len(people)))], tall)
            speed = float(random.uniform(60, 120)) * (1 if random.random() < 0.5 else -1)
            self._walks.append((float(start_s), speed, min(low + float(random.uniform(-10, 30)), size_px[1] - 1), picture, cover))
        self.says = "walk"
        if random.random() < 0.5:
            picture, cover = _cut_out(people[int(random.integers(len(people)))], tall)
            begins = float(random.uniform(0.05, 0.5)) * seconds
            at = middle if random.random() < 0.5 else min(right, size_px[0] - 30)
            self._stays = (begins, begins + float(random.uniform(8, 25)), at, picture, cover)
            self._foot = min(low + 8, size_px[1] - 1)
            self.says = "walk and stand"

    def before(self, scene: Floats, time_s: float) -> Floats:
        """The scene with whoever is there at a moment."""
        width = self._size[0]
        for start_s, speed, foot, picture, cover in self._walks:
            gone = abs(speed) * (time_s - start_s)
            if 0 <= gone < width + picture.shape[1]:
                x = gone - picture.shape[1] / 2 if speed > 0 else width - gone + picture.shape[1] / 2
                scene = _before(scene, picture, cover, x, foot + 2 * np.sin(time_s * 9))
        if self._stays is not None and self._stays[0] <= time_s < self._stays[1]:
            _, _, at, picture, cover = self._stays
            scene = _before(scene, picture, cover, at + 2.5 * np.sin(time_s * 1.3), self._foot)
        return scene


def _cut_out(person: tuple[Path, tuple[float, float, float, float]], tall: float) -> tuple[Floats, Floats]:
    """A person of a photograph, so tall, with a soft border."""
    picture = cv2.imread(str(person[0]))
    if picture is None:
        raise FileNotFoundError(person[0])
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = (round(side * length) for side, length in zip(person[1], (width, height, width, height), strict=True))
    cut = picture[max(0, y0) : y1, max(0, x0) : x1].astype(np.float32)
    size = (max(8, round(tall * cut.shape[1] / cut.shape[0])), max(8, round(tall)))
    cover = np.zeros((size[1], size[0]), np.float32)
    cv2.ellipse(cover, (size[0] // 2, size[1] // 2), (round(size[0] * 0.46), round(size[1] * 0.49)), 0, 0, 360, 1.0, -1)
    return cv2.resize(cut, size), cv2.GaussianBlur(cover, (7, 7), 0)


def _before(scene: Floats, picture: Floats, cover: Floats, middle: float, foot: float) -> Floats:
    height, width = cover.shape
    left, top = round(middle - width / 2), round(foot - height)
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(scene.shape[1], left + width), min(scene.shape[0], top + height)
    if x1 <= x0 or y1 <= y0:
        return scene
    part = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    share = cover[part][..., None]
    out = scene.copy()
    out[y0:y1, x0:x1] = scene[y0:y1, x0:x1] * (1 - share) + picture[part] * share
    return out

"""Composed scenes of a listed bench, bin or sign that changes, and of a wall that is marked: no real clip shows either.

The ground is a real photograph without people. What happens to the asset is drawn into it, with perspective and shading: furniture stands
from the beginning and is taken away, moved, overturned or bent, a mark is sprayed in strokes. Light, a shadow's edge, rain, noise,
sway, focus and compression vary from seed to seed, and people of other photographs walk past, stand or sit before it. The same seed
gives the same frames. Whatever is measured on these scenes is measured on composed scenes: say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Literal

import av
import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Kind = Literal["furniture", "surface"]

#: Width of a scene; the height follows the photograph.
WIDTH_PX = 640
PERSON = 0
#: Photographs that look at a place as a unit does, without people: rooms, a road, a plain. Close-ups and animals are no scene of a unit.
PLACES = ("000000000632", "000000000802", "000000001532", "000000002923", "000000004495", "000000006818", "000000010977")
#: And moments of clips at which nobody is there.
MOMENTS = (("abandoned/aboda_video4.avi", 5.0), ("intrusion/one-by-one-person-detection.mp4", 0.0))
#: What happens to an asset; ``nothing`` and ``bag`` (a thing put on it or before it) are no change of it.
FURNITURE_CHANGES = ("missing", "moved", "overturned", "bent")
NO_CHANGES = ("nothing", "bag")


@dataclass(frozen=True, slots=True)
class Truth:
    """What a composed scene shows.

    Attributes:
        kind: Of the asset.
        polygon_px: Its outline, in the scene's pixels.
        size_px: Width and height.
        change: What happens: of :data:`FURNITURE_CHANGES`, ``marked``, or of :data:`NO_CHANGES`.
        changed_s: When, in seconds since the beginning; None where nothing does.
        undone_s: When it is as it was again; None where it stays.
        fraction: Of a mark: the share of the surface that it covers.
        conditions: What else varies, for the report.
    """

    kind: Kind
    polygon_px: list[list[float]]
    size_px: tuple[int, int]
    change: str
    changed_s: float | None
    undone_s: float | None
    fraction: float
    conditions: dict[str, str]


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


def places_of(material: Path) -> list[Image]:
    """Places without people."""
    pictures = [cv2.imread(str(material / "coco" / "images" / f"{name}.jpg")) for name in PLACES]
    for name, at_s in MOMENTS:
        film = cv2.VideoCapture(str(material / name))
        film.set(cv2.CAP_PROP_POS_MSEC, at_s * 1e3)
        pictures.append(film.read()[1])
    if any(picture is None for picture in pictures):
        raise FileNotFoundError(f"{material}: a picture that the scenes are made of cannot be read")
    return [np.asarray(picture, np.uint8) for picture in pictures]


def composed(
    material: Path, kind: Kind, seed: int, *, change: str | None = None, seconds: float = 90.0, rate_hz: float = 5.0
) -> tuple[Iterator[tuple[float, Image]], Truth]:
    """One scene.

    Args:
        material: The development material's folder.
        kind: Of the asset.
        seed: Everything that varies follows from it.
        change: What happens; None lets the seed choose among the changes of the kind.
        seconds: How long it is.
        rate_hz: Frames per second.

    Returns:
        Frames, each with its time in seconds since the beginning, and what they show.
    """
    random = np.random.default_rng((seed, kind == "surface"))
    ground = _ground(places_of(material), random)
    people = people_of(material)
    height = ground.shape[0]
    changes = FURNITURE_CHANGES if kind == "furniture" else ("marked",)
    what = change or changes[int(random.integers(len(changes)))]
    before, after, polygon, fraction = (_furniture if kind == "furniture" else _surface)(ground, what, random)
    begins = round(float(random.uniform(0.2, 0.3)) * seconds, 1) if what != "nothing" else None
    # A third of the changes is undone in time to be told so.
    undone = round(0.75 * seconds, 1) if begins is not None and what in ("marked", "missing") and random.random() < 1 / 3 else None
    weather = _Weather(random, (WIDTH_PX, height), seconds)
    passers = _Passers(people, polygon, (WIDTH_PX, height), seconds, random)
    truth = Truth(
        kind=kind,
        polygon_px=polygon.tolist(),
        size_px=(WIDTH_PX, height),
        change=what,
        changed_s=begins,
        undone_s=undone,
        fraction=fraction,
        conditions={**weather.conditions, "people": passers.says},
    )

    def frames() -> Iterator[tuple[float, Image]]:
        taken = random.spawn(1)[0]
        pictures = (
            (index / rate_hz, _moment(index / rate_hz, truth, before, after, weather, passers, taken))
            for index in range(round(seconds * rate_hz))
        )
        yield from (_as_video(pictures, rate_hz) if weather.compression == "H.264" else pictures)

    return frames(), truth


def _moment(  # noqa: PLR0917 - what a moment is made of
    time_s: float, truth: Truth, before: Floats, after: Floats, weather: _Weather, passers: _Passers, random: np.random.Generator
) -> Image:
    changed = truth.changed_s is not None and time_s >= truth.changed_s and (truth.undone_s is None or time_s < truth.undone_s)
    scene = passers.before(after if changed else before, time_s)
    return weather.taken(scene, time_s, random)


def _ground(places: Sequence[Image], random: np.random.Generator) -> Floats:
    picture = places[int(random.integers(len(places)))]
    height = round(picture.shape[0] * WIDTH_PX / picture.shape[1] / 2) * 2
    # Not much higher than wide: the rest of an upright photograph is not needed.
    resized = cv2.resize(picture, (WIDTH_PX, height))[: WIDTH_PX * 3 // 4]
    return resized[: resized.shape[0] // 2 * 2].astype(np.float32)


def _quad(left: float, top: float, width: float, height: float, slant: float) -> Floats:
    """A rectangle seen at a slant: its far side is shorter."""
    less = slant * height / 2
    near, far = (0.0, less) if slant > 0 else (-less, 0.0)
    return np.array(
        [[left, top + near], [left + width, top + far], [left + width, top + height - far], [left, top + height - near]], np.float32
    )


# --- furniture ----------------------------------------------------------------------------------------------------------------


def _furniture(ground: Floats, change: str, random: np.random.Generator) -> tuple[Floats, Floats, Floats, float]:
    height = ground.shape[0]
    wide, tall = float(random.uniform(90, 170)), float(random.uniform(60, 110))
    shape = ("bench", "bin", "sign")[int(random.integers(3))]
    if shape != "bench":
        wide = tall * float(random.uniform(0.55, 0.8))
    left = float(random.uniform(40, WIDTH_PX - 80 - wide))
    top = float(random.uniform(0.4, 0.9)) * (height - tall - 20)
    slant = float(random.uniform(-0.25, 0.25))
    colour = random.uniform(30, 220, 3).astype(np.float32)
    # A listed thing that can hardly be told from what is behind it is no test of anything.
    behind = ground[int(top) : int(top + tall), int(left) : int(left + wide)].reshape(-1, 3).mean(axis=0)
    if float(np.abs(colour - behind).max()) < 50:
        colour = np.where(behind > 128, behind - 90, behind + 90).astype(np.float32)
    place = _quad(left, top, wide, tall, slant)
    drawing, cover = _drawn(shape, colour, random)
    before = _put(ground, drawing, cover, place)
    outline = _outline(cover, place)
    fraction = 1.0
    if change == "missing":
        after = ground.copy()
    elif change == "moved":
        by = float(random.uniform(0.15, 0.3)) * wide * (1 if left < WIDTH_PX / 2 else -1)
        after = _put(ground, drawing, cover, place + np.array([by, random.uniform(-3, 6)], np.float32))
    elif change == "overturned":
        after = _put(ground, cv2.rotate(drawing, cv2.ROTATE_90_CLOCKWISE), cv2.rotate(cover, cv2.ROTATE_90_CLOCKWISE), _lying(place))
    elif change == "bent":
        part = cover.copy()
        part[:, : part.shape[1] // 2] = 0
        after, fraction = _put(ground, drawing, part, place), 0.5
    elif change == "bag":
        bag = _quad(left + wide * 0.3, top + tall * 0.25, min(40.0, wide * 0.45), tall * 0.4, 0.0)
        after, fraction = _put(before, *_drawn("bag", random.uniform(10, 120, 3).astype(np.float32), random), bag), 0.0
    else:
        after, fraction = before, 0.0
    return before, after, outline, fraction


def _outline(cover: Floats, place: Floats) -> Floats:
    """As an installer draws it: around the thing itself."""
    contours, _ = cv2.findContours((cover > 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    around = cv2.approxPolyDP(max(contours, key=cv2.contourArea), 4.0, closed=True).reshape(-1, 1, 2).astype(np.float32)
    height, width = cover.shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    return cv2.perspectiveTransform(around, cv2.getPerspectiveTransform(corners, place)).reshape(-1, 2)


def _lying(place: Floats) -> Floats:
    (left, top), (right, bottom) = place.min(axis=0), place.max(axis=0)
    wide, tall = right - left, bottom - top
    return _quad(float(left), float(bottom - 0.7 * wide), float(tall), float(0.7 * wide), 0.0)


def _drawn(shape: str, colour: Floats, random: np.random.Generator) -> tuple[Floats, Floats]:
    """A thing and where it is, ``(160, 240)``, shaded from above."""
    cover = np.zeros((160, 240), np.float32)
    if shape == "bench":
        for row in (10, 38, 66):
            cv2.rectangle(cover, (6, row), (234, row + 18), 1.0, -1)
        cv2.rectangle(cover, (0, 92), (240, 112), 1.0, -1)
        for column in (20, 110, 205):
            cv2.rectangle(cover, (column, 0), (column + 14, 159), 1.0, -1)
    elif shape == "sign":
        cv2.circle(cover, (120, 55), 54, 1.0, -1)
        cv2.rectangle(cover, (110, 100), (130, 159), 1.0, -1)
    else:
        cover[4:156, 12:228] = 1.0
    thing = np.tile(colour, (160, 240, 1)).astype(np.float32)
    if shape == "sign":
        cv2.circle(thing, (120, 55), 34, (235, 235, 235), -1)
        cv2.rectangle(thing, (80, 48), (160, 62), tuple(float(each) for each in colour), -1)
    elif shape == "bin":
        for row in range(20, 150, 26):
            cv2.line(thing, (0, row), (240, row), tuple(float(each) * 0.55 for each in colour), 7)
    thing *= np.linspace(1.15, 0.7, 160, dtype=np.float32)[:, None, None]
    thing += random.normal(0, 6, (160, 240, 1)).astype(np.float32)
    return thing, cover


def _put(scene: Floats, thing: Floats, cover: Floats, place: Floats) -> Floats:
    """A thing seen at a place, with soft edges."""
    height, width = cover.shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    warp = cv2.getPerspectiveTransform(corners, place.astype(np.float32))
    size = (scene.shape[1], scene.shape[0])
    share = cv2.GaussianBlur(cv2.warpPerspective(cover, warp, size), (3, 3), 0)[..., None]
    return np.asarray(scene * (1 - share) + cv2.warpPerspective(thing, warp, size) * share, np.float32)


# --- surfaces -----------------------------------------------------------------------------------------------------------------


def _surface(ground: Floats, change: str, random: np.random.Generator) -> tuple[Floats, Floats, Floats, float]:
    height = ground.shape[0]
    wide, tall = float(random.uniform(180, 340)), float(random.uniform(0.35, 0.5)) * height
    left, top = float(random.uniform(20, WIDTH_PX - 20 - wide)), float(random.uniform(10, height * 0.9 - tall))
    place = _quad(left, top, wide, tall, float(random.uniform(-0.3, 0.3)))
    wall, cover = _wall(random)
    # Half of the walls are the photograph itself; half are rendered into it: plaster, brick or a shutter.
    before = ground if random.random() < 0.5 else _put(ground, wall, cover, place)
    if change == "nothing":
        return before, before, place, 0.0
    if change == "bag":
        low = float(place[:, 1].max())
        thing = _quad(left + wide * 0.4, low - 50, 45, min(70.0, height - low + 48), 0.0)
        return before, _put(before, *_drawn("bag", random.uniform(10, 120, 3).astype(np.float32), random), thing), place, 0.0
    strokes = np.zeros((160, 240), np.float32)
    for _ in range(int(random.integers(1, 5))):
        points = np.cumsum(random.normal(0, 13, (14, 2)), axis=0)
        points += random.uniform([50, 40], [190, 120]) - points.mean(axis=0)
        drawn = [np.clip(points, [14, 12], [226, 148]).astype(np.int32)]
        cv2.polylines(strokes, drawn, isClosed=False, color=1.0, thickness=int(random.integers(5, 12)), lineType=cv2.LINE_AA)
    colour = random.uniform(0, 255, 3).astype(np.float32)
    inside = cv2.fillPoly(np.zeros(ground.shape[:2], np.uint8), [place.astype(np.int32)], 1) > 0
    mean = before[inside].mean(axis=0)
    if float(np.abs(colour - mean).max()) < 60:
        colour = np.where(mean > 128, mean - 100, mean + 100).astype(np.float32)
    paint = np.tile(colour, (160, 240, 1)).astype(np.float32)
    after = _put(before, paint, strokes * float(random.uniform(0.75, 1.0)), place)
    fraction = float((np.abs(after - before).max(axis=2)[inside] > 15).mean())
    return before, after, place, fraction


def _wall(random: np.random.Generator) -> tuple[Floats, Floats]:
    wall = np.tile(random.uniform(90, 210, 3).astype(np.float32), (160, 240, 1))
    kind = int(random.integers(3))
    if kind == 1:
        for row in range(0, 160, 10):
            cv2.line(wall, (0, row), (240, row), (80, 85, 90), 1)
            for column in range(row % 20, 240, 20):
                cv2.line(wall, (column, row), (column, row + 10), (80, 85, 90), 1)
    elif kind == 2:
        wall[::8] *= 0.6
        wall[1::8] *= 0.8
    wall += random.normal(0, 5, (*wall.shape[:2], 1)).astype(np.float32)
    return wall.astype(np.float32), np.ones((160, 240), np.float32)


# --- what varies --------------------------------------------------------------------------------------------------------------


class _Weather:
    """Light, shadow, rain, noise, sway, focus and compression."""

    def __init__(self, random: np.random.Generator, size_px: tuple[int, int], seconds: float) -> None:
        self._size, self._seconds = size_px, seconds
        self._light = ("steady", "dusk", "clouds")[int(random.integers(3))]
        self._shadow = ("none", "edge", "pole", "cloud")[int(random.integers(4))]
        self._rain = random.random() < 0.3
        self._noise = float(random.choice([1.0, 3.0, 6.0]))
        self._sway = float(random.choice([0.0, 0.0, 0.7]))
        self._hunts = random.random() < 0.25
        self.compression = ("none", "JPEG", "H.264")[int(random.integers(3))]
        self._quality = int(random.integers(30, 80))
        self._angle, self._start = float(random.uniform(0, np.pi)), float(random.uniform(-0.3, 0.3))
        # The sun moves a shadow by a pixel or two in a minute; a cloud's sweeps.
        self._speed_px_s = float(random.uniform(0.01, 0.06)) * (1 if random.random() < 0.5 else -1)
        self._depth = np.array([0.55, 0.5, 0.45], np.float32) + np.float32(random.uniform(-0.08, 0.15))
        self._phase = float(random.uniform(0, 6))
        y, x = np.mgrid[0 : size_px[1], 0 : size_px[0]].astype(np.float32)
        self._along = (x - size_px[0] / 2) * np.float32(np.cos(self._angle)) + (y - size_px[1] / 2) * np.float32(np.sin(self._angle))
        self.conditions = {
            "light": self._light,
            "shadow": self._shadow,
            "rain": "rain" if self._rain else "dry",
            "noise": f"{self._noise:.0f}",
            "sway": f"{self._sway}",
            "focus": "hunts" if self._hunts else "still",
            "compression": self.compression,
        }

    def taken(self, scene: Floats, time_s: float, random: np.random.Generator) -> Image:
        """What a camera takes of a scene at a moment."""
        picture = scene * self._gain(time_s) * self._shade(time_s)
        if self._sway:
            by = random.normal(0, self._sway, 2)
            picture = cv2.warpAffine(picture, np.array([[1, 0, by[0]], [0, 1, by[1]]]), self._size, borderMode=cv2.BORDER_REPLICATE)
        if self._hunts and time_s % 20 < 1.6:
            picture = cv2.GaussianBlur(picture, (0, 0), 1 + 2 * np.sin(np.pi * (time_s % 20) / 1.6) ** 2)
        if self._rain:
            picture = picture * 0.93 + 8
            for _ in range(90):
                x, y = random.uniform(0, self._size[0]), random.uniform(0, self._size[1])
                cv2.line(picture, (int(x), int(y)), (int(x - 3), int(y + random.uniform(10, 26))), (200, 200, 200), 1)
        picture = picture + random.standard_normal(picture.shape, np.float32) * np.float32(self._noise)
        image = np.clip(picture, 0, 255).astype(np.uint8)
        if self.compression == "JPEG":
            encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, self._quality])[1]
            image = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
        return image

    def _gain(self, time_s: float) -> float:
        if self._light == "dusk":
            return 1.0 - 0.35 * time_s / self._seconds
        if self._light == "clouds":
            return 0.85 + 0.15 * float(np.tanh(3 * np.sin(time_s / 11 + self._phase)))
        return 1.0

    def _shade(self, time_s: float) -> Floats:
        if self._shadow == "none":
            return np.ones((1, 1, 3), np.float32)
        along = self._along - np.float32(self._start * self._size[0] + self._speed_px_s * (400 if self._shadow == "cloud" else 1) * time_s)
        if self._shadow == "pole":
            share = 1 / (1 + np.exp(np.clip(np.abs(along) - 9, -30, 30) / 1.2))
        else:
            share = 1 / (1 + np.exp(np.clip(along / (40 if self._shadow == "cloud" else 1.5), -30, 30)))
        return np.asarray(1 - share[..., None] * (1 - self._depth), np.float32)


class _Passers:
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


def _as_video(pictures: Iterator[tuple[float, Image]], rate_hz: float) -> Iterator[tuple[float, Image]]:
    """Through H.264 and back, at a street camera's bit rate."""
    file, times = BytesIO(), []
    with av.open(file, "w", format="matroska") as container:
        stream = None
        for time_s, image in pictures:
            if stream is None:
                stream = container.add_stream(
                    "libx264", rate=Fraction(rate_hz).limit_denominator(1000), options={"crf": "29", "preset": "veryfast"}
                )
                stream.width, stream.height, stream.pix_fmt = image.shape[1], image.shape[0], "yuv420p"
            times.append(time_s)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        if stream is not None:
            container.mux(stream.encode())
    file.seek(0)
    with av.open(file) as container:
        for time_s, frame in zip(times, container.decode(video=0), strict=True):
            yield time_s, np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)

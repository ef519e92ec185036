"""Composed scenes of a listed bench, bin or sign that changes, and of a wall that is marked: no real clip shows either.

The ground is a real photograph without people. What happens to the asset is drawn into it, with perspective and shading: furniture stands
from the beginning and is taken away, moved, overturned or bent, a mark is sprayed in strokes. Light, a shadow's edge, rain, noise,
sway, focus and compression vary from seed to seed, and people of other photographs walk past, stand or sit before it. The same seed
gives the same frames. Whatever is measured on these scenes is measured on composed scenes: say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from tests.edge.scenes.passers import Passers, people_of
from tests.edge.scenes.weather import Floats, Image, Weather, as_video

Kind = Literal["furniture", "surface"]

#: Width of a scene; the height follows the photograph.
WIDTH_PX = 640
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
    weather = Weather(random, (WIDTH_PX, height), seconds)
    passers = Passers(people, polygon, (WIDTH_PX, height), seconds, random)
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
        yield from (as_video(pictures, rate_hz) if weather.compression == "H.264" else pictures)

    return frames(), truth


def _moment(  # noqa: PLR0917 - what a moment is made of
    time_s: float, truth: Truth, before: Floats, after: Floats, weather: Weather, passers: Passers, random: np.random.Generator
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

"""Composed scenes of crowds: photographs of people, cut out, walk and run on a ground plane of known geometry before a real view.

No real clip of a surge's onset exists. Here its beginning, its speed and every place are known exactly. People are cut from the
development photographs when the scene is made (grab cut inside the labelled box); backgrounds are the median of real clips. Bodies
are flat pictures that bob and change their width with their steps; light, cast shadows, a cloud's shadow, rain, noise, blur by motion and
JPEG compression are rendered and differ from seed to seed. The view's own geometry is not the camera's that is simulated. Nothing of
it is ever written to disk.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

SIZE = (640, 360)
RATE_HZ = 10.0
BEGAN_S = 1_700_000_000.0
#: The street is empty for this long, so that the unit knows it; then people are there.
EMPTY_S = 1.0
ORIGIN = (5.37, 43.296)
#: Metres per degree of longitude and latitude at the origin, near enough for a square.
M_PER_DEGREE = np.array([111_320.0 * math.cos(math.radians(ORIGIN[1])), 111_320.0])
#: Real views: file, and the seconds that the median is taken over.
VIEWS = (
    ("abandoned/aboda_video4.avi", 30.0),
    ("traffic/car-detection.mp4", 20.0),
    ("abandoned/airport_suitcases_moving.mp4", 20.0),
)
PERSON_LABEL, VEHICLE_LABELS = 0, (2, 5, 7)


@dataclass(frozen=True, slots=True)
class Sprite:
    """Something cut out: ``bgr`` ``(h, w, 3)`` and how much of each pixel it covers, ``alpha`` ``(h, w)`` float32 in [0, 1].

    ``smaller`` is the same at half the size, or None where that would be tiny: shrunk by less than half, nothing flickers.
    """

    bgr: Image
    alpha: npt.NDArray[np.float32]
    smaller: Sprite | None

    @classmethod
    def of(cls, bgr: Image, alpha: npt.NDArray[np.float32]) -> Sprite:
        """With all its smaller ones."""
        smaller = cls.of(cv2.pyrDown(bgr), cv2.pyrDown(alpha)) if min(bgr.shape[:2]) > 12 else None
        return cls(bgr, alpha, smaller)

    @property
    def slimness(self) -> float:
        """Width over height."""
        return self.bgr.shape[1] / self.bgr.shape[0]


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole at ``height_m`` above the origin of the ground, looking north and down.

    Ground coordinates are metres east and north of the point below the camera.
    """

    height_m: float
    down_deg: float
    focal_px: float

    def pixels(self, points_m: Floats) -> Floats:
        """``(N, 2)`` pixels of ``(N, 3)`` metres east, north, up."""
        east, north, up = np.asarray(points_m, np.float64).reshape(-1, 3).T
        sin, cos = math.sin(math.radians(self.down_deg)), math.cos(math.radians(self.down_deg))
        below = self.height_m - up
        ahead = north * cos + below * sin
        down = below * cos - north * sin
        return np.stack([SIZE[0] / 2 + self.focal_px * east / ahead, SIZE[1] / 2 + self.focal_px * down / ahead], axis=1)


@dataclass(slots=True)
class Truth:
    """What is so at one frame.

    Attributes:
        time_s: Of the frame.
        inside: People whose feet are in the zone.
        speed_m_s: Median speed of those people; 0 if there are none.
        surging: True while a surge is going on with people in the zone.
    """

    time_s: float
    inside: int
    speed_m_s: float
    surging: bool


@dataclass
class Scene:
    """A scene, before it is played.

    Attributes:
        name: Of its kind.
        camera: That sees it.
        zone_m: ``(4, 2)``: corners of the zone on the ground.
        surge_s: Seconds after the beginning at which the surge begins; None where there is none.
        seconds: How long it is.
    """

    name: str
    seed: int
    camera: Camera
    zone_m: Floats
    surge_s: float | None
    seconds: float
    density_p_m2: float
    play: Callable[[], Iterator[tuple[float, Image, Truth]]] = field(repr=False)

    @property
    def area_m2(self) -> float:
        """Of the zone."""
        low, high = self.zone_m.min(axis=0), self.zone_m.max(axis=0)
        return float(np.prod(high - low))

    def plan(self, *, calibrated: bool = True, **zone: Any) -> dict[str, Any]:
        """A site plan in which this zone is a crowd zone, and the camera's ground plane is known to 5 cm (or not at all)."""
        random = np.random.default_rng(self.seed)
        unit: dict[str, Any] = {"position": {"lon": ORIGIN[0], "lat": ORIGIN[1]}, "senses": ["camera"], "height_m": self.camera.height_m}
        if calibrated:
            corners = np.concatenate([self.zone_m, [self.zone_m.mean(axis=0), self.zone_m[:2].mean(axis=0)]])
            pixels = self.camera.pixels(np.column_stack([corners, np.zeros(len(corners))]))
            known = self.degrees(corners + random.normal(0, 0.05, corners.shape))
            unit["ground_plane"] = {
                "image_size": list(SIZE),
                "points": [
                    {"px": px, "at": {"lon": lon, "lat": lat}} for px, (lon, lat) in zip(pixels.tolist(), known.tolist(), strict=True)
                ],
            }
        pixels = self.camera.pixels(np.column_stack([self.zone_m, np.zeros(4)]))
        drawn = {"unit": "u1", "image_size": list(SIZE), "polygon_px": pixels.tolist()}
        square = {"kind": "crowd", **({"polygon": self.degrees(self.zone_m).tolist()} if calibrated else drawn), **zone}
        if not calibrated:
            square.setdefault("area_m2", self.area_m2)
        return {
            "site": "composed",
            "profile": "lab",
            "origin": {"lon": ORIGIN[0], "lat": ORIGIN[1]},
            "units": {"u1": unit},
            "zones": {"square": square},
        }

    @staticmethod
    def degrees(points_m: Floats) -> Floats:
        """``(N, 2)`` longitude and latitude."""
        return np.asarray(np.array(ORIGIN) + points_m / M_PER_DEGREE)


@cache
def people(material: Path) -> tuple[Sprite, ...]:
    """Whole, upright people of the photographs, and each the other way round."""
    cut = [
        sprite for sprite in _cut(material, (PERSON_LABEL,), least_px=80, shape=(1.9, 4.5)) if 0.35 <= float(sprite.alpha.mean()) <= 0.85
    ]
    turned = [Sprite.of(np.ascontiguousarray(sprite.bgr[:, ::-1]), np.ascontiguousarray(sprite.alpha[:, ::-1])) for sprite in cut]
    return (*cut, *turned)


@cache
def vehicles(material: Path) -> tuple[Sprite, ...]:
    """Vehicles of the photographs, from whatever side."""
    return tuple(sprite for sprite in _cut(material, VEHICLE_LABELS, least_px=60, shape=(0.3, 1.1)) if float(sprite.alpha.mean()) >= 0.5)


def _cut(material: Path, labels: tuple[int, ...], least_px: int, shape: tuple[float, float]) -> Iterator[Sprite]:
    for path in sorted((material / "coco" / "labels").glob("*.txt")):
        image = cv2.imread(str(material / "coco" / "images" / f"{path.stem}.jpg"))
        if image is None:
            continue
        height, width = image.shape[:2]
        rows = np.loadtxt(path, ndmin=2)
        sides = rows[:, 1:5] * (width, height, width, height)
        boxes = np.concatenate([sides[:, :2] - sides[:, 2:] / 2, sides[:, :2] + sides[:, 2:] / 2], axis=1)
        for index in np.flatnonzero(np.isin(rows[:, 0], labels)):
            x0, y0, x1, y1 = boxes[index]
            w, h = x1 - x0, y1 - y0
            whole = x0 > 2 and y0 > 2 and x1 < width - 2 and y1 < height - 2
            if not whole or h < least_px or not shape[0] <= h / w <= shape[1]:
                continue
            sprite = _cut_out(image, (round(x0), round(y0), round(w), round(h)))
            if sprite is not None:
                yield sprite


def _cut_out(image: Image, box: tuple[int, int, int, int]) -> Sprite | None:
    # No larger than it will be drawn: cutting takes its time.
    scale = min(1.0, 160 / box[3])
    image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    x, y, w, h = (round(side * scale) for side in box)
    margin = max(8, h // 6)
    left, top = max(0, x - margin), max(0, y - margin)
    part = np.ascontiguousarray(image[top : y + h + margin, left : x + w + margin])
    mask = np.zeros(part.shape[:2], np.uint8)
    cv2.setRNGSeed(1)
    cv2.grabCut(part, mask, (x - left, y - top, w, h), np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_RECT)
    inside = ((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(inside)
    if len(stats) < 2:
        return None
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    bx, by, bw, bh, _ = stats[largest]
    if bh < 0.85 * h or bw < 0.5 * w:
        return None  # A part of it was lost.
    corner = (slice(by, by + bh), slice(bx, bx + bw))
    alpha = cv2.GaussianBlur((labels[corner] == largest).astype(np.float32), (3, 3), 0)
    return Sprite.of(np.ascontiguousarray(part[corner]), np.asarray(alpha, np.float32))


@cache
def view(material: Path, number: int) -> Image:
    """The empty scene of a real clip, at the size of these scenes."""
    name, seconds = VIEWS[number % len(VIEWS)]
    capture = cv2.VideoCapture(str(material / name))
    step = max(1, int(seconds * capture.get(cv2.CAP_PROP_FPS) / 25))
    kept, index = [], 0
    while len(kept) < 25 and capture.grab():
        if index % step == 0:
            kept.append(cv2.resize(capture.retrieve()[1], SIZE, interpolation=cv2.INTER_AREA))
        index += 1
    capture.release()
    return np.asarray(np.median(np.stack(kept), axis=0), np.uint8)


def _view_of_zone(random: np.random.Generator, side_m: float) -> tuple[Camera, Floats]:
    """A camera, and a square about the point that it looks at, all of which is in its picture, heads too."""
    while True:
        camera = Camera(random.uniform(6.0, 10.0), random.uniform(25.0, 42.0), SIZE[0] * random.uniform(0.7, 0.95))
        middle = np.array([0.0, camera.height_m / math.tan(math.radians(camera.down_deg))])
        corners = middle + side_m / 2 * np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
        pixels = camera.pixels(np.concatenate([np.column_stack([corners, np.full(4, up)]) for up in (0.0, 1.9)]))
        if (pixels >= 2).all() and (pixels < np.array(SIZE) - 2).all():
            return camera, corners


def _about(zone_m: Floats, margin_m: float) -> Floats:
    """A square larger on all sides than a zone."""
    return np.asarray(zone_m + margin_m * np.sign(zone_m - zone_m.mean(axis=0)))


@dataclass
class Crowd:
    """People on the ground; every array has one row a person."""

    at_m: Floats
    going_m_s: Floats
    pace_m_s: Floats
    stature_m: Floats
    sprite: npt.NDArray[np.int64]
    phase: Floats
    delay_s: Floats
    random: np.random.Generator

    @classmethod
    def of(cls, count: int, zone_m: Floats, sprites: int, random: np.random.Generator) -> Crowd:
        """People spread over a zone, nobody nearer to another than crowding allows."""
        low, high = zone_m.min(axis=0), zone_m.max(axis=0)
        at = random.uniform(low, high, (count, 2))
        apart = 0.7 * math.sqrt(float(np.prod(high - low)) / max(count, 1))
        for _ in range(40):
            gap = at[:, None] - at[None]
            distance = np.linalg.norm(gap, axis=2) + np.eye(count) * 9
            push = np.where(distance < apart, (apart - distance) / 2, 0.0)
            at = np.clip(at + (gap / distance[..., None] * push[..., None]).sum(axis=1) * 0.5, low, high)
        heading = random.uniform(0, 2 * math.pi, count)
        pace = np.clip(random.normal(1.34, 0.26, count), 0.7, 2.0)
        return cls(
            at,
            np.stack([np.cos(heading), np.sin(heading)], axis=1) * pace[:, None],
            pace,
            random.normal(1.7, 0.09, count).clip(1.45, 1.95),
            random.integers(0, sprites, count),
            random.uniform(0, 2 * math.pi, count),
            random.uniform(0.0, 0.8, count),
            random,
        )

    def step(self, passed_s: float) -> None:
        """Everybody goes on."""
        self.at_m = self.at_m + self.going_m_s * passed_s
        self.phase = self.phase + 2 * math.pi * passed_s * (1.0 + 0.5 * self.speed_m_s)

    @property
    def speed_m_s(self) -> Floats:
        return np.asarray(np.linalg.norm(self.going_m_s, axis=1))

    def turned_back(self, zone_m: Floats) -> None:
        """Who comes to the zone's edge turns round."""
        low, high = zone_m.min(axis=0), zone_m.max(axis=0)
        for axis in range(2):
            out_low, out_high = self.at_m[:, axis] < low[axis], self.at_m[:, axis] > high[axis]
            self.going_m_s[out_low, axis] = np.abs(self.going_m_s[out_low, axis])
            self.going_m_s[out_high, axis] = -np.abs(self.going_m_s[out_high, axis])


#: People are spread this far around the zone.
BEYOND_M = 3.0
#: So many walk about before a crowd comes.
FEW = 5
#: Changes where people go at each step: crowd, the square that they are spread over, seconds since the beginning.
Motion = Callable[[Crowd, Floats, float], None]
SURGE_S = 8.0


def standing(crowd: Crowd, zone_m: Floats, _time_s: float) -> None:
    """Everybody stands, and shifts from foot to foot."""
    crowd.going_m_s = crowd.random.normal(0, 0.1, crowd.at_m.shape)
    crowd.turned_back(zone_m)


def walking(crowd: Crowd, zone_m: Floats, _time_s: float) -> None:
    """Everybody walks about."""
    crowd.turned_back(zone_m)


def streams(crowd: Crowd, zone_m: Floats, _time_s: float) -> None:
    """Two streams cross, and who has left comes in again on the other side."""
    even = np.arange(len(crowd.pace_m_s)) % 2 == 0
    crowd.going_m_s = np.where(even[:, None], [1.0, 0.0], [-0.6, 0.8]) * crowd.pace_m_s[:, None]
    low, high = zone_m.min(axis=0) - 1, zone_m.max(axis=0) + 1
    crowd.at_m = low + np.mod(crowd.at_m - low, high - low)


def gently(crowd: Crowd, zone_m: Floats, time_s: float) -> None:
    """Everybody's walk grows from a stroll to a brisk one."""
    speed = np.interp(time_s, [2.0, 12.0], [0.7, 1.8])
    crowd.going_m_s = crowd.going_m_s / np.maximum(crowd.speed_m_s, 0.1)[:, None] * speed * (crowd.pace_m_s / 1.34)[:, None]
    crowd.turned_back(zone_m)


def _run(crowd: Crowd, towards: Floats, time_s: float) -> None:
    """Who has understood runs; speed is reached within half a second."""
    running = np.clip((time_s - SURGE_S - crowd.delay_s) / 0.5, 0.0, 1.0)[:, None]
    direction = towards / np.maximum(np.linalg.norm(towards, axis=1), 0.1)[:, None]
    fast = direction * (crowd.pace_m_s * 2.6)[:, None]
    crowd.going_m_s = np.where(running > 0, crowd.going_m_s * (1 - running) + fast * running, crowd.going_m_s)


def apart(crowd: Crowd, zone_m: Floats, time_s: float) -> None:
    """People walk, then run away from one place."""
    if time_s < SURGE_S:
        crowd.turned_back(zone_m)
    _run(crowd, crowd.at_m - zone_m.mean(axis=0) - np.array([0.8, 0.5]), time_s)


def together(crowd: Crowd, zone_m: Floats, time_s: float) -> None:
    """People walk, wide apart, then run to one place and stop around it."""
    middle = zone_m.mean(axis=0)
    if time_s < SURGE_S:
        crowd.turned_back(zone_m)
        return
    _run(crowd, middle - crowd.at_m, time_s)
    there = np.linalg.norm(crowd.at_m - middle, axis=1) < 0.18 * math.sqrt(len(crowd.at_m)) + 0.5
    crowd.going_m_s[there] *= 0.3


def stampede(crowd: Crowd, zone_m: Floats, time_s: float) -> None:
    """People stand, then all run one way, others behind them."""
    if time_s < SURGE_S:
        standing(crowd, zone_m, time_s)
        return
    _run(crowd, np.tile([1.0, -0.35], (len(crowd.at_m), 1)), time_s)


def runner(crowd: Crowd, zone_m: Floats, time_s: float) -> None:
    """Everybody walks about, and one runs through."""
    crowd.turned_back(zone_m)
    low, high = zone_m.min(axis=0), zone_m.max(axis=0)
    across = (time_s * 4.5) % (3 * (high[0] - low[0]))
    crowd.at_m[0] = low[0] - 1 + across, zone_m[:, 1].mean()
    crowd.going_m_s[0] = 4.5, 0.0


SURGES: dict[str, Motion] = {"apart": apart, "together": together, "stampede": stampede}
#: Scenes without a surge. A bus, a camera that shakes and a cloud's shadow are rendered over people who walk or stand.
CALM: dict[str, Motion] = {
    "standing": standing,
    "walking": walking,
    "streams": streams,
    "gently": gently,
    "runner": runner,
    "bus": walking,
    "shake": walking,
    "cloud": standing,
}


def scene(
    material: Path, name: str, seed: int, *, density_p_m2: float | None = None, seconds: float = 13.0, before_s: float = 0.0
) -> Scene:
    """A scene of one kind.

    Args:
        material: The development material.
        name: Of :data:`SURGES` or :data:`CALM`.
        seed: Of everything that differs from scene to scene.
        density_p_m2: How many people; None: 0.15 to 0.5, by the seed.
        seconds: How long.
        before_s: For so long after :data:`EMPTY_S` a few people walk about, apart from each other; then the crowd is there.
    """
    random = np.random.default_rng([seed, *name.encode()])
    camera, zone_m = _view_of_zone(random, random.uniform(9.0, 12.0) if density_p_m2 is None else 7.0)
    about_m = _about(zone_m, BEYOND_M)
    density = random.uniform(0.15, 0.5) if density_p_m2 is None else density_p_m2
    number = round(density * float(np.prod(about_m.max(axis=0) - about_m.min(axis=0))))
    play = _Play(material, name, seed, camera, zone_m, number, seconds, before_s)
    return Scene(name, seed, camera, zone_m, SURGE_S if name in SURGES else None, seconds, density, play)


@dataclass
class _Play:
    """Renders a scene, frame by frame, always the same."""

    material: Path
    name: str
    seed: int
    camera: Camera
    zone_m: Floats
    count: int
    seconds: float
    before_s: float = 0.0

    def __call__(self) -> Iterator[tuple[float, Image, Truth]]:
        random = np.random.default_rng([self.seed, *self.name.encode(), 1])
        sprites = people(self.material)
        # A crowd does not end where its zone does.
        about = _about(self.zone_m, BEYOND_M)
        crowd = Crowd.of(self.count, about, len(sprites), random)
        motion = {**SURGES, **CALM}[self.name]
        air = _Air.of(random)
        few = Crowd.of(FEW, about, len(sprites), random) if self.before_s else None
        ground = view(self.material, self.seed)
        for index in range(round(self.seconds * RATE_HZ)):
            time_s = index / RATE_HZ
            motion(crowd, about, time_s)
            crowd.step(1 / RATE_HZ)
            image = ground.astype(np.float32)
            if few is not None and EMPTY_S <= time_s < EMPTY_S + self.before_s:
                walking(few, about, time_s)
                few.step(1 / RATE_HZ)
                self._draw(image, few, sprites, air)
            elif time_s >= EMPTY_S:
                self._draw(image, crowd, sprites, air)
            if self.name == "bus":
                self._draw_bus(image, time_s)
            if self.name == "cloud":
                image *= _cloud(time_s)[..., None]
            shift = random.uniform(-3, 3, 2) if self.name == "shake" and int(time_s) % 4 in (2, 3) else (0, 0)
            yield BEGAN_S + time_s, air.seen(image, time_s, shift, random), self._truth(time_s, crowd)

    def _truth(self, time_s: float, crowd: Crowd) -> Truth:
        low, high = self.zone_m.min(axis=0), self.zone_m.max(axis=0)
        inside = ((crowd.at_m >= low) & (crowd.at_m <= high)).all(axis=1) & (time_s >= EMPTY_S)
        speed = float(np.median(crowd.speed_m_s[inside])) if inside.any() else 0.0
        surging = self.name in SURGES and time_s >= SURGE_S and bool(inside.sum() >= 8) and speed > 2.5
        return Truth(BEGAN_S + time_s, int(inside.sum()), speed, surging)

    def _draw(self, image: npt.NDArray[np.float32], crowd: Crowd, sprites: tuple[Sprite, ...], air: _Air) -> None:
        feet = self.camera.pixels(np.column_stack([crowd.at_m, np.zeros(len(crowd.at_m))]))
        heads = self.camera.pixels(np.column_stack([crowd.at_m, crowd.stature_m]))
        for index in np.argsort(-crowd.at_m[:, 1]):
            if crowd.at_m[index, 1] < 1.0:
                continue
            pace = min(float(crowd.speed_m_s[index]) / 1.34, 2.0)
            swing = math.sin(float(crowd.phase[index]))
            height = (feet[index, 1] - heads[index, 1]) * (1 + 0.01 * pace * swing)
            sprite = sprites[crowd.sprite[index]]
            width = height * sprite.slimness * (1 + 0.12 * min(pace, 1.0) * swing)
            if air.shadow > 0:
                _shade(image, feet[index], height, air)
            _paste(image, sprite, feet[index], (width, height), blur_px=0.02 * float(crowd.speed_m_s[index]) * height / 1.7)

    def _draw_bus(self, image: npt.NDArray[np.float32], time_s: float) -> None:
        found = vehicles(self.material)
        sprite = found[self.seed % len(found)]
        low, high = self.zone_m.min(axis=0), self.zone_m.max(axis=0)
        run_m = 2 * (high[0] - low[0]) + 16
        east = low[0] - 8 + (time_s * 7.0) % run_m
        north = self.zone_m[:, 1].mean()
        foot, head = self.camera.pixels(np.array([[east, north, 0.0], [east, north, 2.9]]))
        height = foot[1] - head[1]
        _paste(image, sprite, foot, (height * sprite.slimness, height), blur_px=3.0)


def _paste(image: npt.NDArray[np.float32], sprite: Sprite, foot_px: Floats, size: tuple[float, float], blur_px: float) -> None:
    """Puts a sprite on its feet, to a fraction of a pixel."""
    width, height = size
    if height < 4 or width < 2:
        return
    x0, y0 = foot_px[0] - width / 2, foot_px[1] - height
    left, top = math.floor(x0) - 3, math.floor(y0)
    right, bottom = math.ceil(x0 + width) + 3, math.ceil(y0 + height) + 1
    while sprite.smaller is not None and sprite.smaller.bgr.shape[0] >= height:
        sprite = sprite.smaller
    into = np.array([[width / sprite.bgr.shape[1], 0, x0 - left], [0, height / sprite.bgr.shape[0], y0 - top]])
    shape = (right - left, bottom - top)
    drawn, cover = cv2.warpAffine(sprite.bgr, into, shape, borderMode=cv2.BORDER_REPLICATE), cv2.warpAffine(sprite.alpha, into, shape)
    if blur_px >= 1.0:
        cover = cv2.blur(cover, (round(blur_px) // 2 * 2 + 1, 1))
    x_from, y_from = max(left, 0), max(top, 0)
    x_to, y_to = min(right, image.shape[1]), min(bottom, image.shape[0])
    if x_from >= x_to or y_from >= y_to:
        return
    part = (slice(y_from - top, y_to - top), slice(x_from - left, x_to - left))
    share = cover[part][..., None]
    there = image[y_from:y_to, x_from:x_to]
    there += share * (drawn[part] - there)


def _shade(image: npt.NDArray[np.float32], foot_px: Floats, height_px: float, air: _Air) -> None:
    """Darkens the ground beside somebody: a slanted, flat ellipse."""
    length, x, y = height_px * 0.7, float(foot_px[0]), float(foot_px[1])
    box = [int(x - length - 4), int(y - length - 4), int(x + length + 5), int(y + length + 5)]
    box[:2], box[2:] = [max(0, side) for side in box[:2]], [min(box[2], image.shape[1]), min(box[3], image.shape[0])]
    if box[0] >= box[2] or box[1] >= box[3]:
        return
    mask = np.zeros((box[3] - box[1], box[2] - box[0]), np.float32)
    slant = math.radians(air.sun_deg)
    middle = (round(x + math.cos(slant) * length / 2 - box[0]), round(y + math.sin(slant) * length / 4 - box[1]))
    axes = (max(1, round(length / 2)), max(1, round(length / 9)))
    flat_deg = math.degrees(math.atan2(math.sin(slant) / 2, math.cos(slant)))
    cv2.ellipse(mask, middle, axes, flat_deg, 0, 360, air.shadow, -1)
    image[box[1] : box[3], box[0] : box[2]] *= (1 - cv2.GaussianBlur(mask, (5, 5), 0))[..., None]


def _cloud(time_s: float) -> npt.NDArray[np.float32]:
    """``(H, W)`` brightness under the shadow of a cloud that comes over every eight seconds at a run's pace."""
    x = np.arange(SIZE[0], dtype=np.float32)
    edge = ((time_s % 8.0) - 1.0) * 160.0
    row = 1 - 0.45 / (1 + np.exp((x - edge) / 25)) + 0.45 / (1 + np.exp((x - edge + 420) / 25))
    return np.tile(row, (SIZE[1], 1)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Air:
    """Light, weather and camera of one scene."""

    brightness: float
    drift: float
    shadow: float
    sun_deg: float
    rain: int
    noise: float
    quality: int

    @classmethod
    def of(cls, random: np.random.Generator) -> _Air:
        return cls(
            brightness=random.uniform(0.5, 1.2),
            drift=random.uniform(-0.006, 0.006),
            shadow=random.choice([0.0, 0.25, 0.5]),
            sun_deg=random.uniform(0, 360),
            rain=int(random.choice([0, 0, 60, 200])),
            noise=random.uniform(1.0, 6.0),
            quality=int(random.integers(35, 90)),
        )

    def seen(self, image: npt.NDArray[np.float32], time_s: float, shift: Any, random: np.random.Generator) -> Image:
        """What the camera makes of it."""
        if shift[0] or shift[1]:
            into = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float64)
            image = cv2.warpAffine(image, into, SIZE, borderMode=cv2.BORDER_REPLICATE)
        image = image * np.float32(self.brightness + self.drift * time_s)
        noise = random.standard_normal((SIZE[1] // 2, SIZE[0]), np.float32) * np.float32(self.noise)
        image[::2] += noise[..., None]
        image[1::2] += noise[:, ::-1, None]
        taken = np.clip(image, 0, 255).astype(np.uint8)
        for x, y, length in random.integers((0, 0, 6), (SIZE[0], SIZE[1], 22), (self.rain, 3)):
            taken[y : y + length, x] = cv2.add(taken[y : y + length, x], 30)  # A drop lets most of what is behind it through.
        _, packed = cv2.imencode(".jpg", taken, [cv2.IMWRITE_JPEG_QUALITY, self.quality])
        return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)

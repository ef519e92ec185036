"""What varies while a composed scene is taken: light, shadow, rain, noise, sway, focus and compression."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO

import av
import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


class Weather:
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


def as_video(pictures: Iterator[tuple[float, Image]], rate_hz: float) -> Iterator[tuple[float, Image]]:
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

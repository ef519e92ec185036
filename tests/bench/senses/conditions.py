"""Light, weather and coding that a real clip is put through, picture by picture, as a camera would have had it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from tests.edge.scenes.weather import as_video

Image = npt.NDArray[np.uint8]
Film = Iterable[tuple[float, Image]]


def night(film: Film) -> Iterator[tuple[float, Image]]:
    """Values at 0.4 of theirs, an eighth of the light at a display's gamma, and the noise of a high gain: 7 grey levels, 1 sigma."""
    for number, (time_s, image) in enumerate(film):
        dark = image.astype(np.float32) * 0.4 + _noise(image.shape, number, 7.0)
        yield time_s, np.clip(dark, 0, 255).astype(np.uint8)


def glare(film: Film) -> Iterator[tuple[float, Image]]:
    """Overexposed: half as much light again, clipped."""
    for time_s, image in film:
        yield time_s, np.asarray(cv2.convertScaleAbs(image, alpha=1.5, beta=20), np.uint8)


def shadow(film: Film) -> Iterator[tuple[float, Image]]:
    """A cloud's shadow, half as bright, that crosses the picture in 12 s again and again; its edge is a tenth of the picture wide."""
    for time_s, image in film:
        width = image.shape[1]
        edge = ((time_s / 12.0) % 1.0) * 2.4 * width - 1.2 * width
        inside = np.clip((np.arange(width) - edge) / (0.1 * width), 0, 1) - np.clip((np.arange(width) - edge - width) / (0.1 * width), 0, 1)
        yield time_s, np.asarray(image * (1.0 - 0.5 * inside[None, :, None]), np.uint8)


def rain(film: Film) -> Iterator[tuple[float, Image]]:
    """Three hundred streaks to a picture of 640 × 360, each through which most of what is behind it shines."""
    for number, (time_s, image) in enumerate(film):
        height, width = image.shape[:2]
        random = np.random.default_rng(number)
        streaks = np.zeros((height, width), np.uint8)
        length = max(6, height // 24)
        for x, y in random.integers((0, 0), (width, height), (300 * height * width // (640 * 360), 2)).tolist():
            cv2.line(streaks, (x, y), (x + length // 6, y + length), 40, 1)
        haze = image.astype(np.float32) * 0.85 + 18 + cv2.GaussianBlur(streaks, (0, 0), 0.6)[..., None]
        yield time_s, np.clip(haze, 0, 255).astype(np.uint8)


def blur(film: Film) -> Iterator[tuple[float, Image]]:
    """Out of focus, or a wet lens: 1 sigma of a 250th of the picture's height."""
    for time_s, image in film:
        yield time_s, np.asarray(cv2.GaussianBlur(image, (0, 0), image.shape[0] / 250), np.uint8)


def jpeg(film: Film) -> Iterator[tuple[float, Image]]:
    """Compressed picture by picture, quality 20 of 100."""
    for time_s, image in film:
        coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 20])[1]
        yield time_s, np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)


def h264(film: Film) -> Iterator[tuple[float, Image]]:
    """Compressed as a film, at a street camera's bit rate."""
    # With a constant quality, the rate that the file states changes nothing.
    yield from as_video(iter(film), 12.0)


#: Each by the name that the report gives it.
CONDITIONS: dict[str, Callable[[Film], Iterable[tuple[float, Image]]]] = {
    "as recorded": lambda film: film,
    "night": night,
    "glare": glare,
    "shadow": shadow,
    "rain": rain,
    "blur": blur,
    "JPEG": jpeg,
    "H.264": h264,
}


def _noise(shape: tuple[int, ...], number: int, sigma: float) -> npt.NDArray[np.float32]:
    """Of one picture: one field of noise, shifted from picture to picture, for drawing one anew takes long."""
    return np.roll(_field(shape, sigma), (number * 37 % shape[0], number * 101 % shape[1]), (0, 1))


@lru_cache(maxsize=2)
def _field(shape: tuple[int, ...], sigma: float) -> npt.NDArray[np.float32]:
    return np.random.default_rng(7).normal(0.0, sigma, shape).astype(np.float32)

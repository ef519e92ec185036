"""The long-term background of a scene, and what differs from it: the empty street, kept small and without people.

The background holds what has not changed for a long time. It learns only where the picture agrees with it, so that what has been
put down, or somebody who stands still, does not sink into it; what has *gone* is told apart elsewhere (:mod:`.standing`) and
adopted at once. All of it is at a working size of some 300 pixels' width, which a street's largest share of pixels, nothing
happening, is too dull to deserve more than.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Gain = npt.NDArray[np.float32]

#: A working picture has at least this many pixels: below, a bag twenty metres away is a single one.
LEAST_CELLS = 32_000
#: How fast the background follows slow changes of light, as a time constant. Dusk halves the light in some ten minutes.
LEARNING_S = 20.0
#: How often it follows them.
LEARN_EVERY_S = 0.8
#: Least difference that counts, of 255: what lossy compression leaves after a few pixels are averaged.
LEAST_CHANGE = 12.0
#: A mast in the wind moves the picture by up to half a working pixel; a difference that such a shift explains is none.
SWAY_CELLS = 0.5
#: Differences are compared with so many standard deviations of the picture's own noise.
NOISE_SIGMAS = 5.0


def halvings(width_px: int, height_px: int) -> int:
    """How often a picture is halved to its working size."""
    count = 0
    while (width_px >> (count + 1)) * (height_px >> (count + 1)) >= LEAST_CELLS:
        count += 1
    return count


def shrink(image: Picture, times: int) -> Picture:
    """Halves a picture so many times, averaging; an odd last row or column is left out (exact halving is ten times as fast)."""
    for _ in range(times):
        height, width = image.shape[0] // 2, image.shape[1] // 2
        image = cv2.resize(image[: height * 2, : width * 2], (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return image


def brightened(picture: npt.NDArray[np.floating[Any]] | Picture, gain: Gain) -> Picture:
    """A picture under another exposure and white balance, rounded to whole numbers."""
    height, width = picture.shape[:2]
    # Row by row rather than colour by colour: numpy and OpenCV are slow where the last axis is short.
    under = picture.reshape(height, width * 3) * np.tile(gain, width)
    return np.asarray(cv2.convertScaleAbs(under), np.uint8).reshape(height, width, 3)


@dataclass(frozen=True, slots=True)
class Change:
    """How a picture differs from the background and from the one before.

    Attributes:
        moving: ``(h, w)`` bool: differs from the picture before.
        changed: ``(h, w)`` bool: differs from the background.
        calm_s: ``(h, w)`` float32: for how long the pixel has not moved.
        settled_s: ``(h, w)`` float32: for how long it has both differed from the background and not moved; 0 where it does not.
        gain: ``(3,)`` by how much brighter the picture's blue, green and red are than the background's, as factors: the camera's
            exposure and white balance. They are allowed for.
    """

    moving: Mask
    changed: Mask
    calm_s: npt.NDArray[np.float32]
    settled_s: npt.NDArray[np.float32]
    gain: Gain


class Background:
    """The background of one camera.

    Args:
        first: ``(h, w, 3)`` uint8, the first working picture. Whoever is in it will be found out when leaving.
        time_s: When it was taken.
    """

    def __init__(self, first: Picture, time_s: float) -> None:
        self._mean = first.astype(np.float32)
        self._last = first
        self._time_s = self._learned_s = time_s
        self._noise = 1.0
        self._calm_s = np.zeros(first.shape[:2], np.float32)
        self._settled_s = np.zeros(first.shape[:2], np.float32)
        self._gain: Gain = np.ones(3, np.float32)
        self._limit_at_s = -np.inf
        self._limit: Picture = np.zeros_like(first)
        self._set_limit(time_s)
        self._open = np.ones((3, 3), np.uint8)
        self._doubtful: Mask = np.zeros(first.shape[:2], np.bool_)

    @property
    def picture(self) -> Picture:
        """``(h, w, 3)`` uint8: the background, at its own brightness."""
        return cv2.convertScaleAbs(self._mean)  # type: ignore[return-value]

    @property
    def noise(self) -> float:
        """Mean difference of two pictures where nothing moves, of 255."""
        return self._noise

    def compare(self, small: Picture, time_s: float) -> Change:
        """Compares the next working picture with the background and with the one before."""
        passed_s = max(0.0, time_s - self._time_s)
        self._set_limit(time_s)
        since = cv2.absdiff(small, self._last)
        moving = self._above(since)
        self._gain = self._brightness(small)
        changed = self._above(cv2.absdiff(small, brightened(self._mean, self._gain)))
        changed &= ~self._doubtful
        self._calm_s += np.float32(passed_s)
        np.copyto(self._calm_s, 0.0, where=moving)
        self._settled_s += np.float32(passed_s)
        np.copyto(self._settled_s, 0.0, where=moving | ~changed)
        quiet = np.ascontiguousarray(~moving[::4, ::4]).view(np.uint8)
        if quiet.any():
            colours = cv2.mean(np.ascontiguousarray(since[::4, ::4]), mask=quiet)
            self._noise += 0.05 * (sum(colours) / 3 - self._noise)
        self._last, self._time_s = small, time_s
        return Change(moving, changed, self._calm_s, self._settled_s, self._gain)

    def doubt(self, where: Mask) -> None:
        """Marks where the first picture shows people: until they have gone and something else has come to rest, nothing differs there."""
        self._doubtful = where.copy()

    def settle_doubts(self, change: Change, people: Mask, calm_s: float) -> None:
        """Adopts, where people were in the first picture, what is seen now that they have gone."""
        freed = self._doubtful & ~people & (change.calm_s >= calm_s)
        if freed.any():
            self.adopt(freed)
            self._doubtful &= ~freed

    def learn(self, change: Change, keep_out: Mask | None) -> None:
        """Follows the last picture, slowly, where it agrees with the background.

        Args:
            change: What :meth:`compare` said of it.
            keep_out: ``(h, w)`` bool: where people are or were; nothing is learned there.
        """
        passed_s = self._time_s - self._learned_s
        if 0.0 <= passed_s < LEARN_EVERY_S:
            return
        self._learned_s = self._time_s
        share = 1.0 - float(np.exp(-max(passed_s, 0.0) / LEARNING_S))
        agrees = ~(change.changed | change.moving)
        if keep_out is not None:
            agrees &= ~keep_out
        cv2.accumulateWeighted(self._last, self._mean, share, mask=agrees.view(np.uint8))

    def adopt(self, where: Mask) -> None:
        """Takes the last picture for the background: there, it shows what was behind something that has gone."""
        cv2.copyTo(self._last.astype(np.float32), where.view(np.uint8), self._mean)
        self._limit_at_s = -np.inf

    def _above(self, difference: npt.NDArray[Any]) -> Mask:
        """Where any colour is above its limit, without lone pixels."""
        channels = cv2.compare(difference, self._limit, cv2.CMP_GT)
        # The grey of a pixel with any channel at 255 is at least 0.114 × 255, blue's share.
        any_channel = cv2.cvtColor(channels, cv2.COLOR_BGR2GRAY)
        return cv2.morphologyEx(any_channel, cv2.MORPH_OPEN, self._open) > 0

    def _brightness(self, small: Picture) -> Gain:
        """The camera's exposure against the background's: the median ratio, over pixels that are neither black nor clipped."""
        now = small[::8, ::8].reshape(-1, 3).astype(np.float32)
        then = self._mean[::8, ::8].reshape(-1, 3)
        usable = ((now > 20) & (now < 235) & (then > 20) & (then < 235)).all(axis=1)
        if np.count_nonzero(usable) < 0.1 * len(now):
            return np.ones(3, np.float32)
        return np.asarray(np.clip(np.median(now[usable] / then[usable], axis=0), 0.25, 4.0), np.float32)

    def _set_limit(self, time_s: float) -> None:
        """Per pixel and colour, the difference that counts: noise, and what a sway of the camera explains."""
        if 0.0 <= time_s - self._limit_at_s < 2.0:
            return
        self._limit_at_s = time_s
        base = max(LEAST_CHANGE, NOISE_SIGMAS * 1.25 * self._noise)  # A normal deviate's mean size is 0.8 sigma.
        # Sobel's kernel sums to 8 times the slope per pixel.
        across, down = cv2.Sobel(self._mean, cv2.CV_32F, 1, 0), cv2.Sobel(self._mean, cv2.CV_32F, 0, 1)
        slope = np.maximum(np.abs(across, out=across), np.abs(down, out=down), out=across)
        slope *= np.float32(SWAY_CELLS / 8.0)
        slope += np.float32(base)
        self._limit = np.minimum(slope, 120, out=slope).astype(np.uint8)

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
#: How often the limits of what counts as a difference are set anew.
LIMIT_EVERY_S = 2.0
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
        expected: ``(h, w, 3)`` uint8: the background under the picture's exposure, which it was compared with.
        sums: ``(h + 1, w + 1)`` int32: how many pixels above and left of each have changed, so that four of them count any box's.
    """

    moving: Mask
    changed: Mask
    calm_s: npt.NDArray[np.float32]
    settled_s: npt.NDArray[np.float32]
    gain: Gain
    expected: Picture
    sums: npt.NDArray[np.int32]


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
        self._limit_at_s = time_s
        self._limit = self._limit_of(self._mean)
        self._open = np.ones((3, 3), np.uint8)
        self._doubtful: Mask = np.zeros(first.shape[:2], np.bool_)
        self._doubts = _part_of(self._doubtful)

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
        if not 0.0 <= time_s - self._limit_at_s < LIMIT_EVERY_S:
            self._limit_at_s = time_s
            self._limit = self._limit_of(self._mean)
        since = cv2.absdiff(small, self._last)
        moving = self._above(since)
        gain = self._brightness(small)
        expected = brightened(self._mean, gain)
        changed = self._above(cv2.absdiff(small, expected))
        changed[self._doubts] &= ~self._doubtful[self._doubts]
        self._calm_s += np.float32(passed_s)
        np.copyto(self._calm_s, 0.0, where=moving)
        self._settled_s += np.float32(passed_s)
        np.copyto(self._settled_s, 0.0, where=moving | ~changed)
        quiet = np.ascontiguousarray(~moving[::4, ::4]).view(np.uint8)
        if quiet.any():
            colours = cv2.mean(np.ascontiguousarray(since[::4, ::4]), mask=quiet)
            self._noise += 0.05 * (sum(colours) / 3 - self._noise)
        self._last, self._time_s = small, time_s
        sums = cv2.integral(changed.view(np.uint8))
        return Change(moving, changed, self._calm_s, self._settled_s, gain, expected, sums)  # type: ignore[arg-type]

    def doubt(self, where: Mask) -> None:
        """Marks where the first picture shows people: until they have gone and something else has come to rest, nothing differs there."""
        self._doubtful = where.copy()
        self._doubts = _part_of(where)

    def settle_doubts(self, change: Change, people: Mask, calm_s: float) -> None:
        """Adopts, where people were in the first picture, what is seen now that they have gone."""
        part = self._doubts
        freed: Mask = np.zeros(people.shape, np.bool_)
        freed[part] = self._doubtful[part] & ~people[part] & (change.calm_s[part] >= calm_s)
        if freed[part].any():
            self.adopt(freed)
            self._doubtful &= ~freed
            self._doubts = _part_of(self._doubtful)

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
        part = _part_of(where)
        np.copyto(self._mean[part], self._last[part], where=where[part][..., None])
        # A slope is that of a pixel's neighbours.
        outer, inner = _wider(part, 2), _wider(part, 1)
        within = tuple(slice(one.start - other.start, one.stop - other.start) for one, other in zip(inner, outer, strict=True))
        self._limit[inner] = self._limit_of(self._mean[outer])[within]

    def _above(self, difference: npt.NDArray[Any]) -> Mask:
        """Where any colour is above its limit, without lone pixels."""
        channels = cv2.compare(difference, self._limit, cv2.CMP_GT)
        # The grey of a pixel with any channel at 255 is at least 0.114 × 255, blue's share.
        any_channel = cv2.cvtColor(channels, cv2.COLOR_BGR2GRAY)
        return cv2.morphologyEx(any_channel, cv2.MORPH_OPEN, self._open) > 0

    def _brightness(self, small: Picture) -> Gain:
        """The camera's exposure against the background's: the median ratio, over pixels that are neither black nor clipped."""
        # Colour by colour in a row each: numpy is slow where the last axis is short.
        now = np.ascontiguousarray(small[::8, ::8].reshape(-1, 3).T, np.float32)
        then = np.ascontiguousarray(self._mean[::8, ::8].reshape(-1, 3).T)
        usable = (np.minimum(now, then).min(axis=0) > 20) & (np.maximum(now, then).max(axis=0) < 235)
        count = np.count_nonzero(usable)
        if count < 0.1 * usable.size:
            return np.ones(3, np.float32)
        ratios = np.partition(now[:, usable] / then[:, usable], count // 2, axis=1)
        return np.clip(ratios[:, count // 2], 0.25, 4.0)

    def _limit_of(self, mean: npt.NDArray[np.float32]) -> Picture:
        """Per pixel and colour, the difference that counts: noise, and what a sway of the camera explains."""
        base = max(LEAST_CHANGE, NOISE_SIGMAS * 1.25 * self._noise)  # A normal deviate's mean size is 0.8 sigma.
        # Sobel's kernel sums to 8 times the slope per pixel.
        across, down = cv2.Sobel(mean, cv2.CV_32F, 1, 0), cv2.Sobel(mean, cv2.CV_32F, 0, 1)
        slope = np.maximum(np.abs(across, out=across), np.abs(down, out=down), out=across)
        slope *= np.float32(SWAY_CELLS / 8.0)
        slope += np.float32(base)
        return np.minimum(slope, 120, out=slope).astype(np.uint8)


def _part_of(mask: Mask) -> tuple[slice, slice]:
    """Rows and columns that hold all of a mask; none for an empty one."""
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    return slice(y, y + height), slice(x, x + width)


def _wider(part: tuple[slice, slice], margin: int) -> tuple[slice, slice]:
    rows, columns = (slice(max(0, along.start - margin), along.stop + margin) for along in part)
    return rows, columns

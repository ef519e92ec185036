"""How a listed thing looked when it was learnt, and what of its structure is lost, new or merely lit otherwise since.

What counts is *structure*: where edges run, by local correlation with a reference, so that another exposure, a cast shadow's darkness or
evening light change nothing. The reference is learnt of each working pixel by itself while nobody is before it, and follows slowly
where the structure is what it was. It lives in memory; when the program starts again, what it then sees is the reference.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from .background import Mask, Picture

#: Looks at a pixel, nobody before it, that make its reference; and looks after somebody has gone until it is judged again.
LEARN_LOOKS, FREE_LOOKS = 5, 3
#: Share of each look in the picture that is compared: it lets rain and noise through for a fifth.
NEWEST = 0.35
#: How fast the reference follows the light where the structure is the same, as a time constant.
FOLLOW_S = 60.0
#: Side of the window of local correlation, in working pixels: wider than a stroke, narrower than a bench.
WINDOW = 7
#: Side of the window over which light is taken to be even, in working pixels: wider than a mark's strokes.
SHADE = 41
#: Least standard deviation, of 255, that is structure; and in standard deviations of the picture's noise.
STRUCTURE, STRUCTURE_NOISE = 4.0, 1.5
#: Correlation below which structure is other; and share of a reference's contrast, under the same light, below which it is lost.
OTHER, KEPT = 0.5, 0.4
#: Of 255: least difference of a colour, brightness as a whole allowed for.
DIFFERS = 14.0

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Compared:
    """What has become of a reference; all ``(h, w)`` bool but the gain.

    Attributes:
        judged: Learnt, and nobody before it.
        lost: Structure of the reference that the picture has no longer.
        new: Structure of the picture that the reference has not.
        structured: Where the reference has structure.
        differs: Where a colour differs by more than light as a whole explains.
        gain: ``(3,)`` by how much brighter the asset's colours are than the reference's.
    """

    judged: Mask
    lost: Mask
    new: Mask
    structured: Mask
    differs: Mask
    gain: Floats


class Reference:
    """The reference of one part of a view.

    Args:
        inside: ``(h, w)`` bool: the part's pixels that belong to the listed thing; its light is told by these.
    """

    def __init__(self, inside: Mask) -> None:
        self._inside = inside
        shape = (*inside.shape, 3)
        self._reference: Floats = np.zeros(shape, np.float32)
        self._now: Floats = np.zeros(shape, np.float32)
        self._looks = np.zeros(inside.shape, np.int16)
        self._free = np.zeros(inside.shape, np.int16)
        self._structured: Mask = np.zeros(inside.shape, np.bool_)
        self._noise = 1.0

    @property
    def picture(self) -> Floats:
        """``(h, w, 3)``: the reference."""
        return self._reference

    @property
    def structured(self) -> Mask:
        """``(h, w)`` bool: where it has structure, seen now or not."""
        return self._structured

    @property
    def now(self) -> Floats:
        """``(h, w, 3)``: what is compared with it, the mean of the last looks."""
        return self._now

    def look(self, part: Picture, hidden: Mask) -> None:
        """Takes the next look.

        Args:
            part: ``(h, w, 3)`` uint8.
            hidden: ``(h, w)`` bool: where somebody or something passes or stands before it; nothing there is taken.
        """
        first = ~hidden & (self._free == 0)
        self._free = np.where(hidden, 0, np.minimum(self._free + 1, 100)).astype(np.int16)
        seen = self._free > 1
        apart = cv2.absdiff(part[::3, ::3].astype(np.float32), np.ascontiguousarray(self._now[::3, ::3]))[seen[::3, ::3]]
        if apart.size:
            self._noise += 0.2 * (float(apart.mean()) - self._noise)
        # After somebody has gone, what was seen before them is no part of the mean.
        cv2.copyTo(part.astype(np.float32), first.view(np.uint8), self._now)
        cv2.accumulateWeighted(part, self._now, NEWEST, mask=seen.view(np.uint8))
        learning = seen & (self._looks < LEARN_LOOKS)
        if learning.any():
            self._looks[learning] += 1
            self._reference[learning] += (part[learning] - self._reference[learning]) / self._looks[learning][:, None]

    def compare(self, changed: Mask) -> Compared | None:
        """Compares what is seen with the reference; None while too little of the thing can be judged.

        Args:
            changed: ``(h, w)`` bool: what is known to be other; the thing's light is told by the rest.
        """
        judged = (self._looks >= LEARN_LOOKS) & (self._free >= FREE_LOOKS)
        if np.count_nonzero(judged & self._inside) < 0.3 * np.count_nonzero(self._inside):
            return None
        reference, now = (np.asarray(cv2.GaussianBlur(each, (3, 3), 0), np.float32) for each in (self._reference, self._now))
        weight = judged.astype(np.float32)
        lost, new, self._structured = self._structures(_light_and_tint(reference), _light_and_tint(now), judged)
        structured = self._structured & judged
        gain = self._light(self._inside & judged & ~changed)
        # A cloud's shadow and the evening shade one part more than another: light is even over a window, whatever the mark.
        expected = reference * gain
        size, wide = (weight.shape[1], weight.shape[0]), (SHADE // 4, SHADE // 4)
        sums = [
            cv2.blur(cv2.resize(picture * weight[..., None], (0, 0), fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA), wide) + 1.0
            for picture in (now, expected)
        ]
        shade = cv2.resize(np.clip(sums[0] / sums[1], 0.3, 3.0), size)
        # What differs does so from both: what surrounds a mark is as it was, and under a cloud all has changed alike.
        limit = DIFFERS + 2.0 * self._noise * NEWEST
        differs = judged & _above(np.abs(now - expected), limit) & _above(np.abs(now - expected * shade), limit)
        return Compared(judged, lost, new, structured, differs, gain)

    def _structures(self, reference: Floats, now: Floats, judged: Mask) -> tuple[Mask, Mask, Mask]:
        """What structure is lost, what is new, and where the reference has any; of ``(h, w, 2)`` pictures."""
        weight = judged.astype(np.float32)
        share = (cv2.blur(weight, (WINDOW, WINDOW)) + np.float32(1e-6))[..., None]

        def mean(values: Floats) -> Floats:
            return np.asarray(cv2.blur(values * weight[..., None], (WINDOW, WINDOW)) / share, np.float32)

        mean_reference, mean_now = mean(reference), mean(now)
        var_reference = np.maximum(_sum(mean(reference * reference) - mean_reference * mean_reference), 0.0)
        var_now = np.maximum(_sum(mean(now * now) - mean_now * mean_now), 0.0)
        together = _sum(mean(reference * now) - mean_reference * mean_now)
        least = max(STRUCTURE, STRUCTURE_NOISE * self._noise * NEWEST) ** 2
        alike = together / np.sqrt(var_reference * var_now + np.float32(1e-3))
        # Hidden parts keep what was last known of them.
        structured = np.where(judged, var_reference > least, self._structured)
        # Light is a factor: under half of it, half of the contrast is all of the structure.
        light = np.clip(mean_now[..., 0] / (mean_reference[..., 0] + np.float32(1.0)), 0.25, 4.0)
        lost = judged & structured & (together < KEPT * light * var_reference) & (alike < 0.8)
        return lost, judged & (var_now > least) & (alike < OTHER), structured

    def follow(self, where: Mask, passed_s: float) -> None:
        """Follows the light where the structure is what it was.

        Args:
            where: ``(h, w)`` bool.
            passed_s: Since it was last followed.
        """
        share = 1.0 - float(np.exp(-max(passed_s, 0.0) / FOLLOW_S))
        cv2.accumulateWeighted(self._now, self._reference, share, mask=where.view(np.uint8))

    def _light(self, where: Mask) -> Floats:
        """Brightness of the colours against the reference's: the median ratio over pixels that are neither black nor clipped."""
        # Every third row and column tell it as well.
        now, then = self._now[::3, ::3][where[::3, ::3]], self._reference[::3, ::3][where[::3, ::3]]
        usable = ((now > 15) & (now < 245) & (then > 15) & (then < 245)).all(axis=1)
        if np.count_nonzero(usable) < 0.1 * max(len(now), 1) or not len(now):
            return np.ones(3, np.float32)
        return np.asarray(np.clip(np.median(now[usable] / then[usable], axis=0), 0.25, 4.0), np.float32)


def _light_and_tint(picture: Floats) -> Floats:
    """``(h, w, 2)``: grey, and half of how much redder than blue: paint as bright as its wall has edges in colour alone."""
    return np.asarray(cv2.transform(picture, np.array([[0.114, 0.587, 0.299], [-0.5, 0.0, 0.5]], np.float32)), np.float32)


def _sum(values: Floats) -> Floats:
    return np.asarray(values[..., 0] + values[..., 1], np.float32)


def _above(difference: Floats, limit: float) -> Mask:
    """Where any colour differs by more than a limit."""
    channels = cv2.threshold(difference, limit, 255.0, cv2.THRESH_BINARY)[1]
    return np.asarray(cv2.cvtColor(channels, cv2.COLOR_BGR2GRAY) > 0)

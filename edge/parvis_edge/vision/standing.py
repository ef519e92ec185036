"""What has changed in the scene and then stayed as it is: something added, something gone, or merely another light.

A region differs from the long-term background and does not move. Three things look like that:

- *added*: something stands there. Its outline is an edge of the picture and not of the background.
- *gone*: the background remembers what stood there. The outline is an edge of the background and not of the picture.
- *light*: a shadow or a lamp. The background's texture is still there under another brightness, or, where there is none, all
  colours have changed by one factor and the outline is soft.

Whether a region is still there is asked of the empty scene alone: its place differs from it, and does not move. How the region looked is
not kept and not compared with anything, since nobody can be sure that it is not somebody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

import cv2
import numpy as np
import numpy.typing as npt

from .background import Change, Gain, Mask, Picture

#: A pixel that has not moved for this long has settled. Somebody who sets a thing down has taken the hand away by then.
SETTLED_S = 2.0
#: Smallest region, in working pixels: about 5 by 5, below which its outline says nothing.
LEAST_CELLS = 25
#: Share of a region that must differ from the background to say that it is still there, or agree with it to say that it has gone.
SAME = 0.5
#: A region that has been hidden for longer is forgotten.
HIDDEN_S = 120.0
#: Of 255: above the noise of a picture that compression has smoothed.
FAINT = 10
#: What a region is, is decided again after this time.
AGAIN_S = 4.0
#: Where more of the picture differs, the light or the camera has changed, and no region means anything.
MOST_CHANGED = 0.5
#: Share of a region's surroundings that may still move.
MOVING_EDGE = 0.2
#: One side's outline must be this much stronger for a decision between added and gone.
CLEARLY = 1.25
#: Least correlation with the background's texture under another light; and least texture, of 255, that can be compared.
TEXTURE_KEPT, FINE = 0.75, 2.5


class Nature(Enum):
    """What a standing region is."""

    ADDED = "added"
    GONE = "gone"
    LIGHT = "light"


@dataclass(slots=True, eq=False)
class Standing:
    """A region that changed and stayed.

    Attributes:
        number: Tells the regions of one run apart.
        mask: ``(h, w)`` bool, in working pixels.
        since_s: From when on it has been still.
        seen_s: When it was last seen to be there.
        nature: What it is.
        judged_s: When that was last decided.
        box: Left, top, right, bottom in working pixels.
        cells: Its size in working pixels.
    """

    number: int
    mask: Mask
    since_s: float
    seen_s: float
    nature: Nature
    judged_s: float = 0.0
    box: tuple[int, int, int, int] = field(init=False)
    cells: int = field(init=False)

    def __post_init__(self) -> None:
        x, y, width, height = _rectangle(self.mask)
        self.box = x, y, x + width, y + height
        self.cells = int(np.count_nonzero(self.mask))


class StandingRegions:
    """Keeps the standing regions of one view."""

    def __init__(self) -> None:
        self._regions: list[Standing] = []
        self._number = 0

    @property
    def regions(self) -> list[Standing]:
        """Those that are there now, or hidden for a moment."""
        return list(self._regions)

    def update(self, time_s: float, small: Picture, background: Picture, change: Change, people: Mask) -> Mask | None:
        """Takes the next working picture.

        Args:
            time_s: When it was taken.
            small: ``(h, w, 3)`` uint8.
            background: ``(h, w, 3)`` uint8.
            change: How the picture differs from the background.
            people: ``(h, w)`` bool: where people are; nothing there is decided upon.

        Returns:
            What the background should adopt (gone things, other light), or None.
        """
        self._regions = [region for region in self._regions if self._still_there(region, time_s, change)]
        fresh = (change.settled_s >= SETTLED_S) & ~people
        for region in self._regions:
            x0, y0, x1, y1 = region.box
            fresh[y0:y1, x0:x1] &= ~region.mask[y0:y1, x0:x1]
        adopt = self._reconsidered(time_s, small, background, change, people)
        if np.count_nonzero(fresh) < LEAST_CELLS or np.count_nonzero(change.changed) > MOST_CHANGED * change.changed.size:
            return adopt
        faint: Mask | None = None
        for component in _components(fresh):
            if _is_edge_moving(component, change):
                continue
            if faint is None:
                faint = faintly(small, change.expected) & ~people
            mask = _grown(component, faint)
            since_s = time_s - float(np.median(change.settled_s[mask]))
            reach = _around(_rectangle(mask), 3)
            near = cv2.dilate(np.ascontiguousarray(mask[reach]).view(np.uint8), np.ones((7, 7), np.uint8)).view(np.bool_)
            parts = [region for region in self._regions if (region.mask[reach] & near).any()]
            for part in parts:
                # It was half hidden when it was first seen: its owner stood before it.
                mask = mask | part.mask
                since_s = min(since_s, part.since_s)
            nature = nature_of(mask, small, background, change.gain)
            if nature is Nature.ADDED:
                self._regions = [region for region in self._regions if region not in parts]
                self._number += 1
                number = parts[0].number if parts else self._number
                self._regions.append(Standing(number, mask, since_s, time_s, nature, time_s))
            else:
                adopt = mask if adopt is None else adopt | mask
                self._regions = [region for region in self._regions if region not in parts]
        return adopt

    def _reconsidered(self, time_s: float, small: Picture, background: Picture, change: Change, people: Mask) -> Mask | None:
        """Looks again at what regions are, now that whoever made them has gone from before them; what the background should adopt."""
        adopt: Mask | None = None
        for region in list(self._regions):
            due = time_s - region.judged_s >= AGAIN_S and region.seen_s == time_s
            if not due or (people & region.mask).any() or _is_edge_moving(region.mask, change):
                continue
            region.judged_s = time_s
            if nature_of(region.mask, small, background, change.gain) is not Nature.ADDED:
                self._regions.remove(region)
                adopt = region.mask if adopt is None else adopt | region.mask
        return adopt

    @staticmethod
    def _still_there(region: Standing, time_s: float, change: Change) -> bool:
        x0, y0, x1, y1 = region.box
        where = (slice(y0, y1), slice(x0, x1))
        there = change.changed[where] & region.mask[where]
        if np.count_nonzero(there) <= (1.0 - SAME) * region.cells:
            return False
        if np.count_nonzero(there & ~change.moving[where]) >= SAME * region.cells:
            region.seen_s = time_s
        # Otherwise something passes before it.
        return time_s - region.seen_s <= HIDDEN_S


def _rectangle(mask: Mask) -> Sequence[int]:
    """Left, top, width and height of what a mask holds."""
    return cv2.boundingRect(mask.view(np.uint8))


def _components(fresh: Mask) -> Iterator[Mask]:
    """The connected parts of a mask that are large enough to say something, each as a mask of its own."""
    part = _around(_rectangle(fresh), 0)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(fresh[part]).view(np.uint8), connectivity=8)
    for index in range(1, count):
        if stats[index, cv2.CC_STAT_AREA] >= LEAST_CELLS:
            mask = np.zeros(fresh.shape, np.bool_)
            mask[part] = labels == index
            yield mask


def _is_edge_moving(mask: Mask, change: Change) -> bool:
    """True if a region is the plain inside of something that moves: what surrounds it has not settled."""
    near = _around(_rectangle(mask), 4)
    own = mask[near]
    ring = cv2.dilate(np.ascontiguousarray(own).view(np.uint8), np.ones((7, 7), np.uint8)).view(np.bool_) & ~own
    stirred = change.moving[near] | (change.changed[near] & (change.settled_s[near] < SETTLED_S / 2))
    return int(np.count_nonzero(ring & stirred)) > MOVING_EDGE * int(np.count_nonzero(ring))


def _around(rectangle: Sequence[int], margin: int) -> tuple[slice, slice]:
    """Rows and columns of a rectangle (left, top, width, height) and a margin."""
    x, y, width, height = rectangle
    return slice(max(0, y - margin), y + height + margin), slice(max(0, x - margin), x + width + margin)


def faintly(small: Picture, expected: Picture) -> Mask:
    """Where a picture differs even a little from what is expected: the parts of a dark thing that lie before something dark."""
    channels = cv2.threshold(cv2.absdiff(small, expected), FAINT, 255, cv2.THRESH_BINARY)[1]
    return np.asarray(cv2.cvtColor(channels, cv2.COLOR_BGR2GRAY) > 0)


def _grown(mask: Mask, faint: Mask) -> Mask:
    """A region with what differs faintly and touches it, within a quarter of its own size."""
    rectangle = _rectangle(mask)
    reach = max(2, min(rectangle[2:]) // 4)
    part = _around(rectangle, reach + 2)
    own = np.ascontiguousarray(mask[part])
    near = cv2.dilate(own.view(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)).view(np.bool_)
    opened = cv2.morphologyEx((faint[part] & near).view(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    count, labels = cv2.connectedComponents(opened, connectivity=8)
    touched = np.zeros(count, np.bool_)
    touched[labels[own]] = True
    touched[0] = False
    grown = mask.copy()
    grown[part] |= touched[labels]
    return grown


def nature_of(mask: Mask, small: Picture, background: Picture, gain: Gain) -> Nature:
    """Tells added, gone and light apart.

    Args:
        mask: ``(h, w)`` bool, a region that differs.
        small: ``(h, w, 3)`` uint8, the picture.
        background: ``(h, w, 3)`` uint8.
        gain: ``(3,)`` by which factors the picture's colours are brighter as a whole.
    """
    part = _around(_rectangle(mask), 6)
    region = mask[part]
    now = small[part].astype(np.float32)
    then = background[part].astype(np.float32) * gain
    if _is_light(region, now, then):
        return Nature.LIGHT
    ours, theirs = _along_outline(region, now, then)
    return Nature.GONE if theirs > CLEARLY * ours else Nature.ADDED


def _along_outline(region: Mask, *pictures: npt.NDArray[np.float32]) -> list[float]:
    """How strong an edge of each picture runs along a region's outline: the mean slope across it.

    Only the slope's part at right angles to the outline counts, so that lines of the scene that a thing covers, and which
    run into its outline, do not speak for or against it.
    """
    smooth_mask = cv2.GaussianBlur(region.astype(np.float32), (7, 7), 0)
    across_x, across_y = cv2.Sobel(smooth_mask, cv2.CV_32F, 1, 0), cv2.Sobel(smooth_mask, cv2.CV_32F, 0, 1)
    steep = max(float(np.hypot(across_x, across_y).sum()), 1e-6)
    strong = []
    for picture in pictures:
        smooth = cv2.GaussianBlur(picture, (5, 5), 0)
        down_x, down_y = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
        # Both slopes multiplied weigh the outline most where the mask is steepest: on it.
        slope = np.abs(down_x * across_x[..., None] + down_y * across_y[..., None])
        strong.append(float(slope.sum()) / steep)
    return strong


def _is_light(region: Mask, now: npt.NDArray[np.float32], then: npt.NDArray[np.float32]) -> bool:
    fine_now, fine_then = _texture(now)[region], _texture(then)[region]
    fine_now -= fine_now.mean()
    fine_then -= fine_then.mean()
    contrast_now, contrast = (float(np.sqrt(fine.dot(fine) / fine.size)) for fine in (fine_now, fine_then))
    # Noise of the picture alone stays below; light leaves at least a third of the contrast.
    if contrast > FINE and contrast_now > 0.3 * contrast:
        correlation = float(fine_now.dot(fine_then)) / (fine_now.size * contrast_now * contrast)
        if correlation >= TEXTURE_KEPT:
            return True
    inside_now, inside_then = now[region], then[region]
    usable = ((inside_then > 15) & (inside_then < 245) & (inside_now < 245)).all(axis=1)
    if usable.mean() < 0.5:
        return False
    factors = (inside_now[usable] + 1.0) / (inside_then[usable] + 1.0)
    of_colours = np.median(factors, axis=0)
    # A shadow leaves a third to nine tenths of the light, to all colours alike, and varies little across itself.
    alike = float(of_colours.max() - of_colours.min()) < 0.08 * float(of_colours.mean())
    even = float(factors.mean(axis=1).std()) < 0.12 * float(of_colours.mean())
    return alike and even and 0.33 < float(of_colours.mean()) < 0.95 and _is_soft(region, now, then)


def _texture(picture: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """A picture without its shading: grey, less its mean over some pixels around."""
    grey = cv2.transform(picture, np.full((1, 3), 1 / 3, np.float32))
    return np.asarray(grey - cv2.blur(grey, (9, 9)), np.float32)


def _is_soft(region: Mask, now: npt.NDArray[np.float32], then: npt.NDArray[np.float32]) -> bool:
    """True if the change fades out over some pixels, as a shadow's does, rather than ending at an edge."""
    difference = np.abs(now - then).mean(axis=2)
    inside = float(np.median(difference[region]))
    kernel = np.ones((3, 3), np.uint8)
    around = cv2.dilate(region.view(np.uint8), kernel, iterations=2).view(np.bool_) & ~region
    if not around.any() or inside <= 0:
        return False
    return float(np.median(difference[around])) > 0.25 * inside

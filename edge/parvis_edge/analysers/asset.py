"""A listed thing of the site plan in one camera's view: when it can be judged, how long each part of it has been other, and since when.

Shared by `furniture.changed` and `surface.marked`, which say what of a change counts.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from parvis_contract import Asset

from parvis_edge.vision.area import Area
from parvis_edge.vision.background import Mask
from parvis_edge.vision.reference import Compared, Reference
from parvis_edge.vision.sight import Scene

from .view import NEW_SHARE, View

#: A listed thing is looked at this often: what happens to it lasts.
EVERY_S = 1.0
#: What surrounds it is looked at as well, this share of its longer side on each side, within so many working pixels.
AROUND, LEAST_AROUND, MOST_AROUND = 0.35, 6, 28
#: People and vehicles hide what is around their boxes too, this share of the box's height.
HIDES = 0.15
#: A box over more of the picture than this is no person before an asset, but the scene misread.
LARGEST_SHARE = 0.35
#: Nor is a box of which less than this share has moved for so long: who lives moves, a mark that looks like somebody does not. Of what is
#: hardly recognised, a moment without motion is enough.
RIGID_SHARE, RIGID_S, RIGID_WEAK_S = 0.02, 6.0, 1.5
#: Share of the picture that differs from the background from which on the light, the camera or a crowd is what changes.
MOST_CHANGED = 0.5
#: Of 255: in less light than this nothing is judged.
DARK = 22.0
#: A part that is as it was for one look takes so many looks of change back: what flickers never lasts.
TAKEN_BACK = 2.0
#: And it may flicker for so long before what has stood long enough is in doubt again.
FORGIVEN_S = 10.0
#: So long is more than a passing flicker.
MOMENT_S = 2.0
#: As it was for this share of `after_s`, and for so long at least, a change is over.
OVER_SHARE, OVER_LEAST_S = 1 / 3, 5.0
#: A change has to fall below this share of what started it to be over.
OVER_FRACTION = 0.5
#: An open event is told again this often, for a mark may stay for days; and at once if so many times as much of it is seen to be changed.
TOLD_EVERY_S, GROWN = 60.0, 1.25
#: Of what is changed now, this share has stood long enough before anything is said: what it comes to is known by then.
SETTLED = 0.8


class AssetWatch:
    """Looks at one listed thing.

    Args:
        asset: Of the site plan.
        area: Where it is in the picture.

    Attributes:
        inside: ``(h, w)`` bool: of the part looked at, what belongs to it.
        reference: How it looked.
        passed_s: Between the last two looks at which it could be judged.
    """

    def __init__(self, asset: Asset, area: Area) -> None:
        self.asset = asset
        rows, columns = np.flatnonzero(area.mask.any(axis=1)), np.flatnonzero(area.mask.any(axis=0))
        self.box_px = area.box_px
        height, width = area.mask.shape
        margin = min(max(LEAST_AROUND, round(AROUND * max(len(rows), len(columns)))), MOST_AROUND)
        top, left = max(0, rows[0] - margin), max(0, columns[0] - margin)
        self._where = slice(top, min(height, rows[-1] + 1 + margin)), slice(left, min(width, columns[-1] + 1 + margin))
        self.inside: Mask = np.ascontiguousarray(area.mask[self._where])
        self.reference = Reference(self.inside)
        self._sure_s = np.zeros(self.inside.shape, np.float32)
        self._changed_s = np.zeros(self.inside.shape, np.float32)
        self._looked_s: float | None = None
        self.passed_s = 0.0
        self._since_s = np.inf
        self._as_it_was_s: float | None = None
        self._told_fraction = 0.0

    def look(self, scene: Scene) -> Compared | None:
        """Compares it with its reference; None where it is not its turn, or it cannot be judged."""
        if self._looked_s is not None and 0.0 <= scene.time_s - self._looked_s < EVERY_S - 0.05:
            return None
        # What stood before a gap in the pictures is not known to have stood through it.
        self.passed_s = 0.0 if self._looked_s is None else min(max(scene.time_s - self._looked_s, 0.0), 5.0 * EVERY_S)
        self._looked_s = scene.time_s
        part = scene.small[self._where]
        change = scene.change
        if change is not None and np.count_nonzero(change.changed) > MOST_CHANGED * change.changed.size:
            return None
        if float(part[::2, ::2].mean()) < DARK:
            return None
        self.reference.look(part, self._hidden(scene))
        return self.reference.compare(self.stirred)

    def _hidden(self, scene: Scene) -> Mask:
        """Where people are before it, vehicles that came, and whatever moves.

        A box in which nothing moves is left out: an asset, or a mark on it, may itself look like a person.
        """
        hidden: Mask = np.zeros(self.inside.shape, np.bool_)
        boxes = [(track.box_px, RIGID_S) for track in scene.tracks if track.kind == "person" or track.changed_share >= NEW_SHARE]
        people = [index for index, kind in enumerate(scene.kinds) if kind == "person"]
        boxes += [(scene.detections.boxes_px[index], RIGID_S if scene.strong[index] else RIGID_WEAK_S) for index in people]
        for box, rigid_s in boxes:
            if _area_share(box, scene) > LARGEST_SHARE or _is_rigid(box, scene, rigid_s):
                continue
            x0, y0, x1, y1 = np.asarray(box, np.float64) / scene.cell_px
            margin = HIDES * (y1 - y0)
            top, left = self._where[0].start, self._where[1].start
            low = max(0, int(y0 - margin) - top), max(0, int(x0 - margin) - left)
            hidden[low[0] : max(0, int(y1 + margin) + 1 - top), low[1] : max(0, int(x1 + margin) + 1 - left)] = True
        if scene.change is not None:
            moving = np.ascontiguousarray(scene.change.moving[self._where]).view(np.uint8)
            hidden |= cv2.dilate(moving, np.ones((5, 5), np.uint8)).view(np.bool_)
        return hidden

    def stand(self, sure: Mask, doubtful: Mask, judged: Mask, *, doubtful_after_s: float) -> Mask:
        """Counts for how long each pixel has been changed, while it could be judged.

        Args:
            sure: Changed.
            doubtful: Changed, and perhaps only by light.
            judged: Where either could be said.
            doubtful_after_s: How long a doubtful change has to stand; a sure one, `after_s` of the site plan.

        Returns:
            ``(h, w)`` bool: what has stood for long enough.
        """
        changed, after_s = sure | doubtful, self.asset.after_s
        for counted_s, counts, enough_s in ((self._sure_s, sure, after_s), (self._changed_s, changed, doubtful_after_s)):
            counted_s[judged & counts] += self.passed_s
            counted_s[judged & ~changed] -= TAKEN_BACK * self.passed_s
            # Enough is enough: what has stood for days is washed off in a moment.
            np.clip(counted_s, 0.0, enough_s + FORGIVEN_S, out=counted_s)
        return np.asarray((self._sure_s >= after_s) | (self._changed_s >= doubtful_after_s))

    @property
    def stirred(self) -> Mask:
        """``(h, w)`` bool: what has been changed for a moment at least."""
        return np.asarray(self._changed_s >= MOMENT_S)

    def follow(self, changed: Mask, judged: Mask) -> None:
        """Lets the reference follow the light where nothing is changed."""
        near = cv2.dilate((changed | self.stirred).view(np.uint8), np.ones((3, 3), np.uint8)).view(np.bool_)
        self.reference.follow(judged & ~near, self.passed_s)

    def since_s(self, fraction: float, least: float, time_s: float) -> float:
        """Since when it has been changed by ``least`` or more, now included; infinity while it is not."""
        if fraction < OVER_FRACTION * least:
            self._since_s = np.inf
        elif fraction >= least:
            self._since_s = min(self._since_s, time_s)
        return self._since_s

    def is_over(self, fraction: float, least: float, time_s: float) -> float | None:
        """Since when it has been as it was, if it has for long enough."""
        if fraction >= OVER_FRACTION * least:
            self._as_it_was_s = None
            return None
        self._as_it_was_s = time_s if self._as_it_was_s is None else self._as_it_was_s
        enough_s = max(OVER_LEAST_S, OVER_SHARE * self.asset.after_s)
        return self._as_it_was_s if time_s - self._as_it_was_s >= enough_s else None

    def has_grown(self, fraction: float) -> bool:
        """True if much more is changed than when this last was."""
        grown = fraction > GROWN * self._told_fraction
        if grown:
            self._told_fraction = fraction
        return grown

    def area_px2(self, view: View) -> float:
        """Its area in the picture, in pixels of the stream."""
        return np.count_nonzero(self.inside) * view.size_px[0] / view.cells[0] * view.size_px[1] / view.cells[1]

    def box_of(self, mask: Mask, view: View) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of what a mask shows, in pixels of the stream."""
        x, y, width, height = cv2.boundingRect(np.ascontiguousarray(mask).view(np.uint8))
        across, down = view.size_px[0] / view.cells[0], view.size_px[1] / view.cells[1]
        left, top = self._where[1].start + x, self._where[0].start + y
        return left * across, top * down, (left + width) * across, (top + height) * down


def _area_share(box_px: npt.ArrayLike, scene: Scene) -> float:
    x0, y0, x1, y1 = np.asarray(box_px, np.float64)
    return float((x1 - x0) * (y1 - y0)) / (scene.size_px[0] * scene.size_px[1])


def _is_rigid(box_px: npt.ArrayLike, scene: Scene, rigid_s: float) -> bool:
    """True if next to nothing in a box has moved for so long."""
    if scene.change is None:
        return False
    x0, y0, x1, y1 = (max(0, round(float(side) / scene.cell_px)) for side in np.asarray(box_px))
    calm_s = scene.change.calm_s[y0:y1, x0:x1]
    return bool(np.count_nonzero(calm_s < rigid_s) < RIGID_SHARE * calm_s.size)


def components(mask: Mask, least: int) -> list[Mask]:
    """The connected parts of a mask that have at least so many pixels."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(mask).view(np.uint8), connectivity=8)
    return [np.asarray(labels == index) for index in range(1, count) if stats[index, cv2.CC_STAT_AREA] >= least]

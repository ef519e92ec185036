"""The scene without people, as far as it is known for certain: what an evidence plate is made of.

This is stricter than the background that the analysers work with, since a picture of it leaves the unit. A working pixel becomes known
when, for minutes, nothing has moved at it or near it, it has not differed from the background, it has kept its colour, and nobody, not
even somebody hardly recognised, was detected on or near it. Until then it is not known, and is not shown. Somebody who comes later, and
differs from the background while there, is not written into it: what is known stays what it was before. Where the detector takes a part
of the background itself for somebody, or something that belonged to the background has gone, what was known is forgotten at once.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .background import Mask, Picture
from .sight import Scene

#: A pixel becomes known after this long: minutes, as the contract has it.
STILL_S = 120.0
#: Somebody who has been part of the background was seen here: nothing is believed until nobody has been for this long.
HELD_S = 600.0
#: Near somebody is within this share of the height of their box. Near what moves is half a body, where a body fills a third of the
#: picture: a hand that moves may belong to somebody whom nobody recognised. Near what differs, so many working pixels.
NEAR, NEAR_MOVING_CELLS, NEAR_CELLS = 0.3, 30, 8
#: A detection of which less than this share differs from the background is part of it.
NEW_SHARE = 0.2
#: Score from which on somebody may be there. And a weak box over more than this share of the picture is the scene misread: somebody so
#: large is recognised.
WEAK_SCORE, SURE_SCORE, LARGEST_SHARE = 0.2, 0.5, 0.35
#: How often what was seen meanwhile is taken in.
EVERY_S = 2.0
#: How fast a colour is averaged, as a time constant; and by how much, of 255 beside the noise, it may differ from its average.
AVERAGED_S, KEPT_COLOUR = 20.0, 8.0


class KnownScene:
    """What is known of one camera's scene.

    Args:
        cells: Width and height of the working picture.
        still_s: After how long a pixel becomes known.

    Attributes:
        picture: ``(h, w, 3)`` uint8; means something only where known.
        known: ``(h, w)`` bool.
    """

    def __init__(self, cells: tuple[int, int], still_s: float = STILL_S) -> None:
        shape = cells[::-1]
        self._still_s = still_s
        self._mean = np.zeros((*shape, 3), np.float32)
        self._age_s = np.full(shape, -1.0, np.float32)
        self._held_until_s = np.full(shape, -np.inf)
        self._moved: Mask = np.zeros(shape, np.bool_)
        self._people: Mask = np.zeros(shape, np.bool_)
        self._taken_s: float | None = None
        self.picture: Picture = np.zeros((*shape, 3), np.uint8)
        self.known: Mask = np.zeros(shape, np.bool_)

    def see(self, scene: Scene) -> None:
        """Takes the next scene."""
        self._note_people(scene)
        if scene.adopted is not None:
            # What was known there has gone, or was never background: perhaps somebody who sat there all along.
            self.known &= ~_grown(scene.adopted, NEAR_CELLS)
            self._moved |= scene.adopted
        if scene.change is not None:
            self._moved |= scene.change.moving
        if self._taken_s is not None and 0.0 <= scene.time_s - self._taken_s < EVERY_S:
            return
        # After a gap, or a clock that was set, nothing is known to have stood still.
        passed_s = scene.time_s - self._taken_s if self._taken_s is not None else 0.0
        broken = not 0.0 <= passed_s <= 5.0 * EVERY_S
        self._taken_s = scene.time_s
        self._take(scene, 0.0 if broken else passed_s, broken=broken)

    def _note_people(self, scene: Scene) -> None:
        boxes = [
            (track.box_px, track.changed_share >= NEW_SHARE or track.kind != "person")
            for track in scene.tracks
            if not is_scene_misread(track.box_px, track.score, scene.size_px)
        ]
        boxes += [
            (box, kind != "person" or _share(box, scene) >= NEW_SHARE)
            for box, kind, score in zip(scene.detections.boxes_px, scene.kinds, scene.detections.scores.tolist(), strict=True)
            if kind != "bag" and score >= WEAK_SCORE and not is_scene_misread(box, score, scene.size_px)
        ]
        for box, is_new in boxes:
            where = around(box, scene.cell_px, NEAR)
            self._people[where] = True
            if not is_new:
                self._held_until_s[where] = scene.time_s + HELD_S
                self.known[where] = False

    def _take(self, scene: Scene, passed_s: float, *, broken: bool) -> None:
        small = scene.small.astype(np.float32)
        apart = cv2.absdiff(small, self._mean)
        calm = self._age_s >= 0.0
        few = apart[::4, ::4][calm[::4, ::4]]
        noise = float(np.median(few)) if few.size else 0.0
        other = cv2.threshold(apart, KEPT_COLOUR + 4.0 * noise, 255.0, cv2.THRESH_BINARY)[1]
        differs = calm & (cv2.cvtColor(other, cv2.COLOR_BGR2GRAY) > 0)
        disturbed = _grown(self._moved, NEAR_MOVING_CELLS) | _grown(differs, 1) | self._people | (self._held_until_s > scene.time_s)
        if broken or scene.change is None:
            disturbed[:] = True
        else:
            disturbed |= _grown(scene.change.changed, NEAR_CELLS)
        fresh, going_on = ~disturbed & ~calm, ~disturbed & calm
        cv2.copyTo(small, fresh.view(np.uint8), self._mean)
        share = 1.0 - float(np.exp(-passed_s / AVERAGED_S))
        cv2.accumulateWeighted(small, self._mean, share, mask=going_on.view(np.uint8))
        self._age_s[going_on] += np.float32(passed_s)
        self._age_s[fresh], self._age_s[disturbed] = 0.0, -1.0
        sure = self._age_s >= self._still_s
        cv2.copyTo(cv2.convertScaleAbs(self._mean), sure.view(np.uint8), self.picture)
        self.known |= sure
        self._moved[:] = False
        self._people[:] = False


def is_scene_misread(box_px: npt.NDArray[np.floating[Any]], score: float, size_px: tuple[int, int]) -> bool:
    """True for a weak detection so large that it is nobody."""
    x0, y0, x1, y1 = (float(side) for side in box_px)
    return score < SURE_SCORE and (x1 - x0) * (y1 - y0) > LARGEST_SHARE * size_px[0] * size_px[1]


def around(box_px: npt.NDArray[np.floating[Any]], cell_px: float, margin: float) -> tuple[slice, slice]:
    """Rows and columns of a box and a margin, a share of its height, in working pixels."""
    x0, y0, x1, y1 = (float(side) / cell_px for side in box_px)
    more = margin * (y1 - y0)
    return (
        slice(max(0, int(y0 - more)), max(0, int(np.ceil(y1 + more)))),
        slice(max(0, int(x0 - more)), max(0, int(np.ceil(x1 + more)))),
    )


def _share(box_px: npt.NDArray[np.floating[Any]], scene: Scene) -> float:
    """How much of a box differs from the background."""
    part = scene.change.changed[around(box_px, scene.cell_px, 0.0)] if scene.change is not None else None
    return float(part.mean()) if part is not None and part.size else 0.0


def _grown(mask: Mask, by: int) -> Mask:
    if not mask.any():
        return mask
    return cv2.dilate(np.ascontiguousarray(mask).view(np.uint8), np.ones((2 * by + 1, 2 * by + 1), np.uint8)).view(np.bool_)

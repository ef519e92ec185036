"""How many people the foreground of a zone amounts to: what a detector cannot separate, counted by what it covers.

How much of a picture a body covers follows from where it stands; how much of that is seen to differ from the empty scene, with its
shadow and without what is dressed like the street, is learned from people who stand or walk apart from others.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np

from parvis_edge.vision.area import Area
from parvis_edge.vision.background import Mask
from parvis_edge.vision.bodies import BODY_M, Bodies, Floats, bodies
from parvis_edge.vision.boxes import intersections_px2
from parvis_edge.vision.sight import Scene

from .view import View
from .yardstick import Yardstick

#: People apart from others that are remembered as a measure, at most; and how many there must be.
KEPT, LEAST_LEARNED = 200, 10
#: What a body covers against the geometry, and how far that can be wrong: before anybody has been seen apart, and after.
PRIOR, PRIOR_ERROR, LEARNED_ERROR = 1.0, 0.35, 0.2
#: Share of the pixels of a body that differ from the empty scene: before and at least; below it the background shows the crowd itself.
SEEN, LEAST_SEEN = 0.9, 0.3
#: How exact a covered share is: clothes, shadows and compression.
COVER_ERROR = 0.05
#: Nothing is told apart beyond this covered share: as many people again, or three times as many, look the same.
MOST_COVERED = 0.97
#: Without a ground plane: the distance of the picture from the eye, in its own width. A lens of 53 degrees.
FOCAL_WIDTHS = 1.0
#: Without a ground plane, what bodies cover is worked out anew this often, as more people are seen.
REFIT_S = 15.0


@dataclass(frozen=True, slots=True)
class Crowding:
    """What the foreground says of a zone.

    Attributes:
        people: As many would cover as much, some hiding others.
        error: 1 sigma of it, as a share of it.
        layers: How many bodies lie one behind the other at a pixel, on average. Of so many, a share of ``(1 - exp(-layers)) / layers``
            is not hidden.
    """

    people: float
    error: float
    layers: float


class Occupancy:
    """Knows what bodies cover in one view, and learns how much of that is seen.

    Args:
        view: The camera's.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._yardstick = Yardstick(view)
        self._fitted_s = -math.inf
        self._covers: deque[float] = deque(maxlen=KEPT)
        self._seen: deque[float] = deque(maxlen=KEPT)
        self._masks: dict[int, Mask] = {}
        self.bodies: Bodies | None = None
        if view.ground is not None:
            self.bodies = bodies(view.ground.to_ground_m, view.cells, self._px_per_cell)

    @property
    def _px_per_cell(self) -> tuple[float, float]:
        return self._view.size_px[0] / self._view.cells[0], self._view.size_px[1] / self._view.cells[1]

    @property
    def learned(self) -> bool:
        """True once enough people have been seen apart."""
        return len(self._covers) >= LEAST_LEARNED

    @property
    def cover(self) -> float:
        """Foreground that goes with one unhidden person, as a share of what the geometry gives for a body."""
        return float(np.median(self._covers)) if self.learned else PRIOR

    @property
    def seen(self) -> float:
        """Share of a body's pixels that differ from the empty scene."""
        return float(np.median(self._seen)) if self.learned else SEEN

    def learn(self, scene: Scene) -> None:
        """Takes the measure of people who stand or walk apart in a scene."""
        if self._view.ground is None:
            self._yardstick.learn(scene)
            if scene.time_s - self._fitted_s >= REFIT_S and self._yardstick.standing_px(0.0) is not None:
                self._fitted_s = scene.time_s
                self.bodies = bodies(self._by_stature, self._view.cells, self._px_per_cell)
                self._masks.clear()
        if self.bodies is None or scene.change is None:
            return
        people = scene.of_kind("person")
        boxes = np.array([track.box_px for track in people], np.float64).reshape(-1, 4)
        others = np.concatenate([boxes, scene.detections.boxes_px[[kind == "person" for kind in scene.kinds]]])
        for track in people:
            if track.seen_s < scene.time_s or track.hits < 3 or track.score < 0.5 or not self._is_apart(track.box_px, others):
                continue
            self._learn_from(track.box_px, scene.change.changed, self.bodies)

    def _is_apart(self, box_px: Floats, others: Floats) -> bool:
        x0, y0, x1, y1 = box_px.tolist()
        width, height = self._view.size_px
        w, h = x1 - x0, y1 - y0
        around = np.array([[x0 - 0.4 * w, y0 - 0.1 * h, x1 + 0.4 * w, y1 + 0.1 * h]])
        if around[0, 0] < 2 or around[0, 1] < 2 or around[0, 2] > width - 2 or around[0, 3] > height - 2 or h < 1.7 * w:
            return False
        own = intersections_px2(np.asarray(box_px)[None], others)[0] >= 0.5 * w * h
        return not (intersections_px2(around, others[~own]) > 0).any()

    def _learn_from(self, box_px: Floats, changed: Mask, geometry: Bodies) -> None:
        x0, y0, x1, y1 = (np.asarray(box_px) / np.tile(self._px_per_cell, 2)).tolist()
        w, h = x1 - x0, y1 - y0
        expected = float(geometry.cells[int((y0 + y1) / 2), int((x0 + x1) / 2)])
        core = changed[int(y0 + 0.2 * h) : int(y0 + 0.7 * h), int(x0 + w / 3) : math.ceil(x1 - w / 3)]
        part = changed[int(max(0, y0 - 0.1 * h)) : math.ceil(y1 + 0.1 * h), int(max(0, x0 - 0.4 * w)) : math.ceil(x1 + 0.4 * w)]
        if np.isfinite(expected) and core.size:
            self._seen.append(float(core.mean()))
            self._covers.append(float(np.count_nonzero(part)) / expected)

    def where(self, area: Area) -> Mask:
        """``(h, w)`` bool: pixels that are the middle of a body whose feet would be in the zone."""
        if id(area) not in self._masks:
            geometry = self.bodies
            if geometry is None:
                return np.zeros(area.mask.shape, np.bool_)
            known = np.isfinite(geometry.cells)
            mask = np.zeros(area.mask.shape, np.bool_)
            # What is drawn in the picture may be meant of the ground or of what is seen before it: the ground, here.
            feet = np.nan_to_num(geometry.foot_px, nan=-1.0).reshape(-1, 2)
            inside = (feet >= 0).all(axis=1) & (feet < np.array(self._view.size_px)).all(axis=1)
            mask.reshape(-1)[inside] = area.contains(feet[inside])
            self._masks[id(area)] = mask & known
        return self._masks[id(area)]

    def crowding(self, area: Area, scene: Scene) -> Crowding | None:
        """What the foreground says of a zone; None where it says nothing.

        Where bodies stand without regard to each other, a share ``1 - exp(-layers)`` of the picture is covered (the Boolean model: Chiu,
        Stoyan, Kendall and Mecke, Stochastic Geometry, 3rd ed., section 3.1). The share is taken over the neighbourhood of a body.
        """
        if self.bodies is None or scene.change is None:
            return None
        where, seen = self.where(area), self.seen
        if not where.any() or seen < LEAST_SEEN:
            return None
        tall = math.sqrt(float(np.median(self.bodies.cells[where])) / 0.18)
        window = (max(3, round(tall) | 1), max(3, round(1.5 * tall) | 1))
        share = cv2.blur((scene.change.changed & ~vehicles(scene)).astype(np.float32), window)[where]
        covered = np.minimum(share / seen, MOST_COVERED)
        layers = -np.log1p(-covered)
        people = float((layers * seen / (self.bodies.cells[where] * self.cover)).sum())
        mean = float(layers.mean())
        if mean <= 0.0:
            return Crowding(0.0, PRIOR_ERROR, 0.0)
        steepness = float(np.exp(layers).mean()) / max(mean, 0.05)
        return Crowding(people, math.hypot(LEARNED_ERROR if self.learned else PRIOR_ERROR, COVER_ERROR * steepness), mean)

    def _by_stature(self, pixels: Floats) -> Floats:
        """A ground on which people are as large as they have been seen: of flat ground and a level camera, up to its focal length."""
        at = np.asarray(pixels, np.float64)
        rows = np.arange(0, self._view.size_px[1] * 2, 8)
        known = np.array([self._yardstick.standing_px(float(row)) for row in rows], np.float64)
        m_per_px = BODY_M / np.interp(at[:, 1], rows, known)
        width = self._view.size_px[0]
        return np.stack([(at[:, 0] - width / 2) * m_per_px, FOCAL_WIDTHS * width * m_per_px], axis=1)


def vehicles(scene: Scene) -> Mask:
    """``(h, w)`` bool: working pixels in the boxes of vehicles and bicycles."""
    mask = np.zeros(scene.small.shape[:2], np.bool_)
    for track in scene.of_kind("vehicle", "bicycle"):
        x0, y0, x1, y1 = (max(0, round(float(side) / scene.cell_px)) for side in track.box_px)
        mask[y0:y1, x0:x1] = True
    return mask

"""How many people the foreground of a zone amounts to: what a detector cannot separate, counted by what it covers.

How much of a picture a body covers follows from where it stands; how much of that is seen to differ from the empty scene, with its
shadow and without what is dressed like the street, is learned from people who stand or walk apart from others.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from weakref import WeakKeyDictionary

import cv2
import numpy as np
import numpy.typing as npt

from parvis_edge.vision.area import Area
from parvis_edge.vision.background import Mask
from parvis_edge.vision.bodies import BODY_M, BODY_SHAPE, Bodies, Floats, bodies
from parvis_edge.vision.boxes import intersections_px2
from parvis_edge.vision.sight import Scene

from .view import View
from .yardstick import Yardstick

#: Looks at people apart from others that are remembered, at most, and how often one is taken.
KEPT, LEARN_EVERY_S = 200, 1.0
#: What a body covers against the geometry, and how far that can be wrong: before anybody has been seen apart, and after many. What is
#: presumed weighs as much as so many looks.
PRIOR, PRIOR_ERROR, LEARNED_ERROR, PRESUMED_LOOKS = 1.0, 0.4, 0.2, 5
#: A look tells nothing where one person covers less or more than this of what the geometry gives, or is not of this height: it was not one.
LEAST_COVER, MOST_COVER, LEAST_TALL, MOST_TALL = 0.4, 3.0, 0.7, 1.35
#: Share of a crowd's pixels that differ from the empty scene, where nothing of the ground is left to be seen: these are as likely as
#: each other; and the middle one.
SEENS, SEEN = (0.9, 0.95, 1.0), 0.95
#: Of the pixels of people apart, at least; below it the background shows the crowd itself.
LEAST_SEEN = 0.3
#: How exact a covered share is, as a share of it: clothes, shadows and compression.
COVER_ERROR = 0.06
#: Nobody stands closer than this, in people per m² (Fruin, Pedestrian Planning and Design, 1971: crowds at rest): what bounds the
#: number where nothing of the ground is left to be seen.
DENSEST_P_M2 = 7.0
#: A share is taken around every so many working pixels, over the part of the zone within a square with a side of so many statures:
#: over less, it is chance, and what chance covers more counts more than what it covers less.
PROBE_EVERY, PROBE_STATURES = 4, 4.0
#: Without a ground plane: the distance of the picture from the eye, in its own width. A lens of 53 degrees.
FOCAL_WIDTHS = 1.0
#: Without a ground plane, what bodies cover is worked out anew this often, as more people are seen.
REFIT_S = 15.0


_Sides = npt.NDArray[np.int64]


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


@dataclass(frozen=True, slots=True)
class _Probes:
    """Where the covered share of a zone is taken; arrays have a row a place.

    Attributes:
        top, bottom, left, right: Of the square around each place, in working pixels.
        size: Working pixels of the zone in that square.
        bodies: One over what a body covers, times the working pixels that a place stands for: people for one layer.
        most_layers: What covers the ground at :data:`DENSEST_P_M2`, if one body covers what the geometry says; the median.
    """

    top: _Sides
    bottom: _Sides
    left: _Sides
    right: _Sides
    size: _Sides
    bodies: Floats
    most_layers: float


class Occupancy:
    """Knows what bodies cover in one view, and learns how much of that is seen.

    Args:
        view: The camera's.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._yardstick = Yardstick(view)
        self._fitted_s = -math.inf
        self._learned_s = -math.inf
        self._covers: deque[float] = deque(maxlen=KEPT)
        self._seen: deque[float] = deque(maxlen=KEPT)
        self._masks: dict[int, Mask] = {}
        self._probes: dict[int, _Probes | None] = {}
        self.bodies: Bodies | None = None
        if view.ground is not None:
            self.bodies = bodies(view.ground.to_ground_m, view.cells, self._px_per_cell)

    @property
    def _px_per_cell(self) -> tuple[float, float]:
        return self._view.size_px[0] / self._view.cells[0], self._view.size_px[1] / self._view.cells[1]

    @property
    def cover(self) -> float:
        """Foreground that goes with one unhidden person, as a share of what the geometry gives for a body."""
        # The mean, not the median: what many people cover is the sum.
        return (sum(self._covers) + PRESUMED_LOOKS * PRIOR) / (len(self._covers) + PRESUMED_LOOKS)

    @property
    def error(self) -> float:
        """1 sigma of :attr:`cover`, as a share of it."""
        return LEARNED_ERROR + (PRIOR_ERROR - LEARNED_ERROR) * PRESUMED_LOOKS / (len(self._covers) + PRESUMED_LOOKS)

    @property
    def seen(self) -> float:
        """Share of the pixels of people apart that differ from the empty scene."""
        return (sum(self._seen) + PRESUMED_LOOKS * SEEN) / (len(self._seen) + PRESUMED_LOOKS)

    def learn(self, scene: Scene) -> None:
        """Takes the measure of people who stand or walk apart in a scene."""
        if self._view.ground is None:
            self._yardstick.learn(scene)
            if scene.time_s - self._fitted_s >= REFIT_S and self._yardstick.standing_px(0.0) is not None:
                self._fitted_s = scene.time_s
                self.bodies = bodies(self._by_stature, self._view.cells, self._px_per_cell)
                self._masks.clear()
                self._probes.clear()
        if self.bodies is None or scene.change is None or 0 <= scene.time_s - self._learned_s < LEARN_EVERY_S - 0.01:
            return
        people = scene.of_kind("person")
        boxes = np.array([track.box_px for track in people], np.float64).reshape(-1, 4)
        others = np.concatenate([boxes, scene.detections.boxes_px[[kind == "person" for kind in scene.kinds]]])
        for track in people:
            if track.seen_s < scene.time_s or track.hits < 3 or not self._is_apart(track.box_px, others):
                continue
            self._learn_from(track.box_px, scene.change.changed, self.bodies)
            self._learned_s = scene.time_s

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
        if not LEAST_TALL <= h / math.sqrt(expected / BODY_SHAPE) <= MOST_TALL:  # Not a number is neither.
            return
        left, top = int(max(0, x0 - 0.7 * h)), int(max(0, y0 - 0.2 * h))
        around = changed[top : math.ceil(y1 + 0.4 * h), left : math.ceil(x1 + 0.7 * h)]
        _, labels = cv2.connectedComponents(np.ascontiguousarray(around).view(np.uint8))
        core = labels[int(y0 + 0.2 * h) - top : int(y0 + 0.7 * h) - top, int(x0 + w / 3) - left : math.ceil(x1 - w / 3) - left]
        own = np.isin(labels, core[core > 0])
        cover = float(np.count_nonzero(own)) / expected
        # With the shadow; not where it runs into something else.
        if not (own[0].any() or own[-1].any() or own[:, 0].any() or own[:, -1].any()) and LEAST_COVER <= cover <= MOST_COVER:
            self._covers.append(cover)
            self._seen.append(float((core > 0).mean()))

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
        Stoyan, Kendall and Mecke, Stochastic Geometry, 3rd ed., section 3.1). The share is taken around places all over the zone.
        """
        if id(area) not in self._probes:
            self._probes[id(area)] = self._probes_of(area)
        probes = self._probes[id(area)]
        if probes is None or scene.change is None or self.seen < LEAST_SEEN:
            return None
        changed = scene.change.changed & self.where(area)
        if scene.of_kind("vehicle", "bicycle"):
            changed &= ~vehicles(scene)
        share = np.rint(_within(changed, probes.top, probes.bottom, probes.left, probes.right) / probes.size * 100).astype(np.int64)
        layers, sigmas = layers_of(max(round(probes.most_layers * self.cover / SEEN, 1), 0.5))
        bodies_per_layer = SEEN / self.cover * probes.bodies
        people = layers[share] * bodies_per_layer
        number = float(people.sum())
        if number <= 0.0:
            return Crowding(0.0, self.error, 0.0)
        # All squares are wrong the same way.
        spread = float((sigmas[share] * bodies_per_layer).sum()) / number
        return Crowding(number, math.hypot(self.error, spread), float(layers[share].mean()))

    def _probes_of(self, area: Area) -> _Probes | None:
        geometry, where = self.bodies, self.where(area)
        if geometry is None or not where.any():
            return None
        every = PROBE_EVERY if np.count_nonzero(where) > 100 * PROBE_EVERY**2 else 1
        rows, columns = (along * every for along in np.nonzero(where[::every, ::every]))
        cells = geometry.cells[rows, columns]
        reach = np.maximum(2, np.rint(PROBE_STATURES / 2 * np.sqrt(cells / BODY_SHAPE)).astype(np.int64))
        height, width = where.shape
        steps = geometry.m_per_cell[rows, columns]
        m2_per_cell = np.abs(steps[:, 0, 0] * steps[:, 1, 1] - steps[:, 0, 1] * steps[:, 1, 0])
        around = (
            np.maximum(rows - reach, 0),
            np.minimum(rows + reach + 1, height),
            np.maximum(columns - reach, 0),
            np.minimum(columns + reach + 1, width),
        )
        bodies_a_layer = np.count_nonzero(where) / len(rows) / cells
        return _Probes(*around, _within(where, *around), bodies_a_layer, float(np.median(m2_per_cell * cells)) * DENSEST_P_M2)

    def _by_stature(self, pixels: Floats) -> Floats:
        """A ground on which people are as large as they have been seen: of flat ground and a level camera, up to its focal length."""
        at = np.asarray(pixels, np.float64)
        rows = np.arange(0, self._view.size_px[1] * 2, 8)
        known = np.array([self._yardstick.standing_px(float(row)) for row in rows], np.float64)
        m_per_px = BODY_M / np.interp(at[:, 1], rows, known)
        width = self._view.size_px[0]
        return np.stack([(at[:, 0] - width / 2) * m_per_px, FOCAL_WIDTHS * width * m_per_px], axis=1)


def _within(mask: Mask, top: _Sides, bottom: _Sides, left: _Sides, right: _Sides) -> _Sides:
    """How many pixels of a mask are in each of some rectangles."""
    sums = cv2.integral(mask.view(np.uint8))
    return np.asarray(sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left], np.int64)


_SHARED: WeakKeyDictionary[View, Occupancy] = WeakKeyDictionary()


def occupancy_of(view: View) -> Occupancy:
    """The one of a view, which all share who judge its crowds."""
    return _SHARED.setdefault(view, Occupancy(view))


@lru_cache(maxsize=64)
def layers_of(most: float) -> tuple[Floats, Floats]:
    """How many bodies lie one behind the other where a share of the picture has changed.

    Bayes' rule on a grid: twice as many are half as likely, up to the most that there can be, and the share is normally distributed about
    ``seen * (1 - exp(-layers))``, with ``seen`` of :data:`SEENS`. As the ground vanishes, it comes to say no more than what the bounds do.

    Args:
        most: Layers of the densest crowd.

    Returns:
        Two ``(101,)``, for each per cent of the share: the median, and the root mean square of what it may be off.
    """
    layers = np.geomspace(0.01, most, 200)
    share = np.arange(101)[:, None] / 100
    likely = np.zeros((101, len(layers)))
    for seen in SEENS:
        expected = seen * (1 - np.exp(-layers))
        sigma = np.maximum(COVER_ERROR * expected, 0.005)
        likely += np.exp(-0.5 * ((share - expected) / sigma) ** 2) / sigma
    likely /= layers
    likely /= likely.sum(axis=1, keepdims=True)
    middle = layers[(np.cumsum(likely, axis=1) >= 0.5).argmax(axis=1)]
    middle[0] = 0.0
    return middle, np.sqrt((likely * (layers - middle[:, None]) ** 2).sum(axis=1))


def vehicles(scene: Scene) -> Mask:
    """``(h, w)`` bool: working pixels in the boxes of vehicles and bicycles."""
    mask = np.zeros(scene.small.shape[:2], np.bool_)
    for track in scene.of_kind("vehicle", "bicycle"):
        x0, y0, x1, y1 = (max(0, round(float(side) / scene.cell_px)) for side in track.box_px)
        mask[y0:y1, x0:x1] = True
    return mask

"""Joins what sees: chooses frames and where to look in them, and hands what it found to those who judge."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from parvis_contract.card import Threshold

from parvis_edge.perception import Frame

from .background import Background, Change, Mask, Picture, halvings, shrink
from .boxes import non_maximum_suppression
from .close_look import CloseLook
from .detector import Detections, Detector
from .regions import Box, Gaze
from .standing import SETTLED_S, Standing, StandingRegions
from .tracker import Track, Tracker

#: Frames looked at per second. A walker moves a third of a step meanwhile; more costs and adds nothing.
RATE_HZ = 5.0
#: What the detector's classes are to the analysers.
KINDS = {
    "person": "person",
    "bicycle": "bicycle",
    "car": "vehicle",
    "motorcycle": "vehicle",
    "bus": "vehicle",
    "truck": "vehicle",
    "backpack": "bag",
    "handbag": "bag",
    "suitcase": "bag",
}
#: Boxes of one kind but of different classes (a van is a car and a truck) that overlap by more are one thing.
ONE_THING_IOU = 0.6
#: Where the background says already that something is there, a weaker score will do to say what: what is
#: left to be told apart is one thing from another. And the share of the box that has to differ.
FOREGROUND_SCORE, FOREGROUND_SHARE = 0.23, 0.3
#: Boxes below this are not even followed.
LEAST_SCORE = 0.15
#: A moving region has at least this many working pixels, about 3 by 5.
LEAST_MOVING_CELLS = 16
#: At most so many moving regions are told apart; the largest.
MOST_REGIONS = 12
#: At most so many still things are looked at again with what moves; those unseen for longest.
MOST_AGAIN = 3
#: How often things are looked at again that differ from the background and stand still; and people who are part of it.
AGAIN_S, AGAIN_STILL_S = 1.0, 4.0
#: Where flow is wanted, the frame this far before the next look is kept for it: a runner comes half a metre meanwhile, his own width.
EARLIER_S = 0.1
#: A picture that differs nearly everywhere for this long is a new scene: the camera was turned, or the lights went on.
NEW_SCENE_SHARE, NEW_SCENE_S = 0.7, 12.0
#: Unless it has filled little by little, longer than this from half as much on, with so many people recognised at once meanwhile: a crowd.
AT_ONCE_S, CROWD = 2.0, 3


@dataclass(frozen=True, slots=True)
class Earlier:
    """The working picture ``small`` of a frame taken at ``time_s``, shortly before a scene."""

    time_s: float
    small: Picture


@dataclass(frozen=True, slots=True)
class Scene:
    """What is known at one moment.

    Attributes:
        time_s: When the frame was taken.
        size_px: Width and height of the stream.
        cell_px: Side of a working pixel, in pixels of the stream.
        count: Scenes so far, this one among them: 1 for a still picture or the first frame.
        identical: The frame is, bit for bit in the sampled pixels, the one before.
        looked_px: Parts that the detector was shown; none where nothing moves.
        detections: What it found there, in pixels of the stream, weak ones too.
        kinds: Of the detections: ``person``, ``bicycle``, ``vehicle``, ``bag``.
        confidences: ``(N,)`` of the detections, in [0, 1]: the share of such detections that are true, as the card's calibration says.
        strong: ``(N,)`` bool of the detections: above the card's threshold, or a little less where the background is hidden.
        tracks: People, bicycles and vehicles that are being followed.
        change: Against the background and the frame before; None for the first frame.
        standing: Regions that changed and stayed.
        small: ``(h, w, 3)`` uint8: the working picture.
        closely: Looks at a place of this frame once more, for who wants to be sure.
        earlier: The one about :data:`EARLIER_S` before, where it is wanted and something moves; else None.
        adopted: ``(h, w)`` bool: what the background took over from the picture, since what was there has gone or another light has
            come; None where nothing.
    """

    time_s: float
    size_px: tuple[int, int]
    cell_px: int
    count: int
    identical: bool
    looked_px: tuple[Box, ...]
    detections: Detections
    kinds: tuple[str, ...]
    confidences: npt.NDArray[np.float64]
    strong: npt.NDArray[np.bool_]
    tracks: tuple[Track, ...]
    change: Change | None
    standing: tuple[Standing, ...]
    small: Picture
    closely: CloseLook
    earlier: Earlier | None = None
    adopted: Mask | None = None

    def confidence_of(self, track: Track) -> float:
        """Probability that a track is what it is taken for.

        The detector's probability, and the background's as a second witness: half of the doubt goes where all of the box differs
        from the empty scene. Half, because something being there does not say what it is.
        """
        return 1.0 - (1.0 - track.confidence) * (1.0 - 0.5 * track.changed_share)

    def of_kind(self, *kinds: str) -> list[Track]:
        """The tracks of some kinds."""
        return [track for track in self.tracks if track.kind in kinds]


class Sight:
    """Perceives one stream of one size.

    Args:
        detector: Finds the things of its classes.
        thresholds: The card's, by class.
        size_px: Width and height of the stream.

    Attributes:
        wants_flow: True keeps, for each look, the frame shortly before it.
    """

    def __init__(self, detector: Detector, thresholds: dict[str, Threshold], size_px: tuple[int, int]) -> None:
        self._detector = detector
        self.judge_by(thresholds)
        self.size_px = size_px
        self._halvings = halvings(*size_px)
        self.cell_px = 2**self._halvings
        #: Width and height of the working picture.
        self.cells = (size_px[0] // self.cell_px, size_px[1] // self.cell_px)
        self._gaze = Gaze(size_px, detector.input_px)
        self._tracker = Tracker(size_px)
        self._standing = StandingRegions()
        self._background: Background | None = None
        self._count = 0
        self._slot: int | None = None
        self._sample: npt.NDArray[np.uint8] | None = None
        self._looked_at_s: dict[int, float] = {}
        self._other_since_s: float | None = None
        self._filled_from_s, self._most_people = -np.inf, 0
        self.wants_flow = False
        self._between: Frame | None = None
        self._last_look: Earlier | None = None

    def judge_by(self, thresholds: dict[str, Threshold]) -> None:
        """Takes the thresholds of a card, by class: the detector's first, and those of another one that it has been exchanged for."""
        self._by_label = {label: threshold for threshold in thresholds.values() for label in threshold.labels}

    def look(self, frame: Frame) -> Scene | None:
        """Perceives a frame; None where it is not this frame's turn (:data:`RATE_HZ`, by the frames' own times)."""
        slot = int(np.floor(frame.time_s * RATE_HZ))
        if slot == self._slot:
            if self.wants_flow and self._between is None and (slot + 1) / RATE_HZ - frame.time_s <= EARLIER_S + 0.005:
                self._between = frame
            return None
        self._slot = slot
        small = shrink(frame.image, self._halvings)
        sample = frame.image[:: self.cell_px * 4, :: self.cell_px * 4].copy()
        identical = self._sample is not None and np.array_equal(sample, self._sample)
        self._sample = sample
        time_s = frame.time_s
        self._count += 1
        change = None if self._background is None else self._background.compare(small, time_s)
        if self._background is None:
            self._background = Background(small, time_s)
        tracks = self._tracker.predict(time_s)
        busy, again = self._wanted(time_s, change, tracks)
        looked = self._gaze.choose(time_s, busy, again)
        self._note_looks(time_s, looked)
        detections, kinds, confidences = self._detect(frame.image, looked)
        strong = self._strong(detections, change)
        moving = np.array([index for index, kind in enumerate(kinds) if kind != "bag"], np.int64)
        tracks = self._tracker.update(detections[moving], confidences[moving], [kinds[index] for index in moving], strong[moving], looked)
        if change is not None and tracks:
            shares = _shares(change, np.array([track.box_px for track in tracks]), self.cell_px)
            for track, share in zip(tracks, shares.tolist(), strict=True):
                track.changed_share = share
        adopted = self._remember(time_s, small, change, tracks)
        earlier = self._shortly_before(time_s) if change is not None and change.moving.any() else None
        self._between = None
        if self.wants_flow:
            self._last_look = Earlier(time_s, small)
        return Scene(
            time_s=time_s,
            size_px=self.size_px,
            cell_px=self.cell_px,
            count=self._count,
            identical=identical,
            looked_px=tuple(looked),
            detections=detections,
            kinds=kinds,
            confidences=confidences,
            strong=strong,
            tracks=tuple(tracks),
            change=change,
            standing=tuple(self._standing.regions),
            small=small,
            closely=CloseLook(self._detector, frame.image, KINDS),
            earlier=earlier,
            adopted=adopted,
        )

    def _shortly_before(self, time_s: float) -> Earlier | None:
        """The frame before this one to compare it with; of a slow stream, the one that was looked at last."""
        if self._between is not None:
            earlier = Earlier(self._between.time_s, shrink(self._between.image, self._halvings))
        elif self._last_look is not None:
            earlier = self._last_look
        else:
            return None
        return earlier if 0.0 < time_s - earlier.time_s <= 2.5 * EARLIER_S else None

    def _wanted(self, time_s: float, change: Change | None, tracks: list[Track]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """What moves, and what should be looked at again; boxes in pixels of the stream."""
        none = np.zeros((0, 4))
        if change is None:
            return none, none
        busy = self._moving_boxes(change).tolist()
        for track in tracks:
            left, top, right, bottom = track.box_px.tolist()
            # Of somebody who waves, all is looked at.
            for box in busy:
                if left < box[2] and top < box[3] and right > box[0] and bottom > box[1]:
                    box[:] = min(box[0], left), min(box[1], top), max(box[2], right), max(box[3], bottom)
        again: list[tuple[float, npt.NDArray[np.float64]]] = []
        for track in tracks:
            still = track.changed_share < FOREGROUND_SHARE / 2
            if still and track.kind != "person":
                continue
            if time_s - track.seen_s >= (AGAIN_STILL_S if still else AGAIN_S):
                again.append((track.seen_s, np.asarray(track.box_px, np.float64)))
        for region in self._standing.regions:
            looked_s = self._looked_at_s.get(region.number, -np.inf)
            if time_s - looked_s >= AGAIN_STILL_S:
                again.append((looked_s, np.array(region.box, np.float64) * self.cell_px))
        again.sort(key=lambda entry: entry[0])
        return np.array(busy, np.float64).reshape(-1, 4), np.array([box for _, box in again[:MOST_AGAIN]], np.float64).reshape(-1, 4)

    def _moving_boxes(self, change: Change) -> npt.NDArray[np.float64]:
        stirred = change.moving | (change.changed & (change.settled_s < SETTLED_S))
        if np.count_nonzero(stirred) < LEAST_MOVING_CELLS:
            return np.zeros((0, 4), np.float64)
        joined = cv2.dilate(stirred.view(np.uint8), np.ones((5, 5), np.uint8))
        # Nothing is lost between every second pixel: dilation has made all regions wider than that.
        count, _, stats, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(joined[::2, ::2]), connectivity=8)
        # Dilation by two on each side turns the least region, 3 by 5, into 7 by 9, of which a quarter is kept.
        kept = [stats[index] for index in range(1, count) if stats[index, cv2.CC_STAT_AREA] >= LEAST_MOVING_CELLS]
        kept.sort(key=lambda row: -int(row[cv2.CC_STAT_AREA]))
        boxes = [(row[0], row[1], row[0] + row[2], row[1] + row[3]) for row in kept[:MOST_REGIONS]]
        return np.asarray(np.asarray(boxes, np.float64).reshape(-1, 4) * (2 * self.cell_px))

    def _note_looks(self, time_s: float, looked: list[Box]) -> None:
        regions = self._standing.regions
        self._looked_at_s = {region.number: self._looked_at_s.get(region.number, -np.inf) for region in regions}
        for region in regions:
            x0, y0, x1, y1 = (side * self.cell_px for side in region.box)
            if any(part[0] <= x0 and part[1] <= y0 and x1 <= part[2] and y1 <= part[3] for part in looked):
                self._looked_at_s[region.number] = time_s

    def _detect(self, image: npt.NDArray[np.uint8], looked: list[Box]) -> tuple[Detections, tuple[str, ...], npt.NDArray[np.float64]]:
        parts = []
        for part in looked:
            x0, y0, x1, y1 = part
            found = self._detector.detect(image[y0:y1, x0:x1], LEAST_SCORE).moved(x0, y0)
            parts.append(found[_uncut(found.boxes_px, part, self.size_px)])
        found = Detections.joined(parts)
        labels = [self._detector.labels[index] for index in found.classes]
        kinds = [KINDS.get(label, "") for label in labels]
        known = sorted(set(KINDS.values()))
        codes = np.array([known.index(kind) if kind else -1 for kind in kinds], np.int64)
        useful = np.flatnonzero(codes >= 0)
        kept = useful[non_maximum_suppression(found.boxes_px[useful], found.scores[useful], codes[useful], ONE_THING_IOU)]
        confidences = np.array([self._by_label[labels[index]].confidence(float(found.scores[index])) for index in kept], np.float64)
        return found[kept], tuple(kinds[index] for index in kept), confidences

    def _strong(self, detections: Detections, change: Change | None) -> npt.NDArray[np.bool_]:
        limits = np.array([self._by_label[self._detector.labels[index]].score for index in detections.classes], np.float64)
        if change is not None and len(detections):
            differs = _shares(change, detections.boxes_px, self.cell_px) >= FOREGROUND_SHARE
            limits = np.where(differs, np.minimum(limits, FOREGROUND_SCORE), limits)
        return np.asarray(detections.scores >= limits, np.bool_)

    def _remember(self, time_s: float, small: Picture, change: Change | None, tracks: list[Track]) -> Mask | None:
        """Lets the background and the standing regions follow, people left out; gives what the background took over."""
        background = self._background
        if background is None:
            return None
        people: Mask = np.zeros(self.cells[::-1], np.bool_)
        for track in tracks:
            if track.kind == "person":
                people[_cells(track.box_px, self.cell_px)] = True
        if change is None:
            background.doubt(people)
            return None
        background.learn(change, people)
        adopt = self._standing.update(time_s, small, background.picture, change, people)
        background.settle_doubts(change, people, SETTLED_S)
        if self._is_new_scene(time_s, change, sum(track.kind == "person" for track in tracks)):
            adopt = ~people
        if adopt is not None:
            adopt = adopt & ~people
            background.adopt(adopt)
        return adopt

    def _is_new_scene(self, time_s: float, change: Change, people: int) -> bool:
        """True if nearly all has been different for long, and not because a crowd has come."""
        share = np.count_nonzero(change.changed) / change.changed.size
        if share < NEW_SCENE_SHARE / 2:
            self._filled_from_s, self._most_people = time_s, 0
        self._most_people = max(self._most_people, people)
        if share < NEW_SCENE_SHARE:
            self._other_since_s = None
        elif self._other_since_s is None:
            self._other_since_s = time_s
        elif time_s - self._other_since_s >= NEW_SCENE_S:
            is_crowd = self._most_people >= CROWD and self._other_since_s - self._filled_from_s > AT_ONCE_S
            self._other_since_s = self._other_since_s if is_crowd else None
            return not is_crowd
        return False


def _cells(box_px: npt.NDArray[np.floating], cell_px: int) -> tuple[slice, slice]:
    x0, y0 = (max(0, int(side // cell_px)) for side in box_px[:2])
    x1, y1 = (max(0, -int(-side // cell_px)) for side in box_px[2:])
    return slice(y0, y1), slice(x0, x1)


def _shares(change: Change, boxes_px: npt.NDArray[np.floating], cell_px: int) -> npt.NDArray[np.float64]:
    """``(N,)`` in [0, 1]: how much of each of ``(N, 4)`` boxes has changed; 0 for a box outside the picture."""
    height, width = change.changed.shape
    sides = boxes_px / cell_px
    np.floor(sides[:, :2], out=sides[:, :2])
    np.ceil(sides[:, 2:], out=sides[:, 2:])
    x0, y0, x1, y1 = np.minimum(np.maximum(sides, 0.0), (width, height, width, height)).astype(np.int64).T
    cells = np.maximum(x1 - x0, 0) * np.maximum(y1 - y0, 0)
    # Sums over all boxes from the top left corner: any box is four of them (Crow, SIGGRAPH 1984).
    sums = change.sums
    return np.asarray(np.where(cells > 0, sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0], 0) / np.maximum(cells, 1))


def _uncut(boxes: npt.NDArray[np.floating], part: Box, size_px: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Boxes that do not end at an edge of the part at which the picture goes on: there a thing is cut in two."""
    inner = np.array([part[0] > 0, part[1] > 0, part[2] < size_px[0], part[3] < size_px[1]])
    at_edge = np.abs(boxes - np.array(part)) <= 2.0
    return np.asarray(~(at_edge & inner).any(axis=1))

"""Follows boxes from frame to frame, inside one view and for seconds: a Kalman filter per box, matched by overlap.

The low-score boxes of a frame prolong tracks but start none (Zhang et al., ByteTrack, ECCV 2022). No appearance is used. A track's
number tells the tracks of one run of one unit apart; nothing outside the unit ever holds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from .boxes import ious
from .detector import Detections
from .regions import Box

Floats = npt.NDArray[np.float64]

#: A track that the detector looked for in vain for this long is over: longer than a passer-by hides somebody.
LOST_AFTER_S = 1.5
#: Nobody has looked where it is, for this long.
FORGOTTEN_AFTER_S = 6.0
#: Standard deviations, as shares of the box's height: of a detector's box, and of the acceleration per second squared. A walker of
#: 1.7 m who starts or stops within a second changes speed by 1.4 m/s, 0.8 heights; a car twice that.
BOX_ERROR, ACCELERATION = 0.05, 1.5
#: How much of a detection's size a track takes over at least.
SIZE_GAIN = 0.3
#: Speed of something new, in heights per second, 1 sigma.
FIRST_SPEED = 2.0
#: Least overlap for a match, of strong boxes and of weak ones.
STRONG_IOU, WEAK_IOU = 0.15, 0.4
#: How much of a longer-lived track's past is kept.
KEPT_S = 30.0


@dataclass(slots=True, eq=False)
class Track:
    """One thing that is being followed.

    Attributes:
        number: Of the track, in this run.
        kind: Of thing; tracks match boxes of their own kind only.
        box_px: ``(4,)`` left, top, right, bottom: where it is now, estimated.
        speed_px_s: ``(2,)``: of the box's centre, estimated.
        first_s: When it was first detected.
        seen_s: When it was last detected.
        scores: Of the detections so far that counted as strong, newest last, at most 50.
        confidences: The same detections' probabilities of being true.
        score: Median of ``scores``; 0 if there are none.
        confidence: Median of ``confidences``: the probability that what is followed is of its kind.
        changed_share: How much of its box differs from the empty scene now, in [0, 1]; 0 in the first frame.
        path: ``(time_s, foot x, foot y, centre x, centre y, height)`` of each detection of the last half minute.
        hits: Detections so far.
        missed_s: For how long the detector has looked for it in vain since.
    """

    number: int
    kind: str
    box_px: Floats
    first_s: float
    seen_s: float
    hits: int = 1
    missed_s: float = 0.0
    scores: list[float] = field(default_factory=list)
    confidences: list[float] = field(default_factory=list)
    score: float = 0.0
    confidence: float = 0.0
    changed_share: float = 0.0
    path: list[tuple[float, float, float, float, float, float]] = field(default_factory=list)
    speed_px_s: Floats = field(default_factory=lambda: np.zeros(2))
    #: Of place and speed, along either axis, in squares of the box's height: variance, covariance, variance.
    _cov: tuple[float, float, float] = (BOX_ERROR**2, 0.0, FIRST_SPEED**2)

    @property
    def height_px(self) -> float:
        """Of its box."""
        return float(self.box_px[3] - self.box_px[1])

    @property
    def foot_px(self) -> tuple[float, float]:
        """Where it stands: the middle of the box's lower side."""
        return (float(self.box_px[0] + self.box_px[2]) / 2, float(self.box_px[3]))

    def predict(self, passed_s: float) -> None:
        """Moves it on: constant velocity, white acceleration, constant size."""
        # Plain numbers: for matrices of two by two, numpy takes ten times as long, and this runs for every track of every frame.
        (x0, y0, x1, y1), (right, down) = self.box_px.tolist(), (self.speed_px_s * passed_s).tolist()
        self.box_px = np.array([x0 + right, y0 + down, x1 + right, y1 + down])
        place, both, speed = self._cov
        place += 2 * both * passed_s + speed * passed_s**2 + ACCELERATION**2 * passed_s**4 / 4
        both += speed * passed_s + ACCELERATION**2 * passed_s**3 / 2
        self._cov = place, both, speed + ACCELERATION**2 * passed_s**2

    def correct(self, box_px: Floats, score: float, confidence: float, strong: bool, time_s: float) -> None:
        """Takes a detection. Both axes are filtered alike, in units of the box's height, so that one covariance does."""
        place, both, speed = self._cov
        gain, speed_gain = place / (place + BOX_ERROR**2), both / (place + BOX_ERROR**2)
        size_gain = max(gain, SIZE_GAIN)
        low, high, off = [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]
        old, new = self.box_px.tolist(), box_px.tolist()
        for axis in range(2):
            middle, size = (old[axis] + old[axis + 2]) / 2, old[axis + 2] - old[axis]
            off[axis] = (new[axis] + new[axis + 2]) / 2 - middle
            middle += gain * off[axis]
            size += size_gain * (new[axis + 2] - new[axis] - size)
            low[axis], high[axis] = middle - size / 2, middle + size / 2
        self.box_px = np.array([*low, *high])
        self.speed_px_s = self.speed_px_s + np.multiply(speed_gain, off)
        self._cov = (1 - gain) * place, (1 - gain) * both, speed - speed_gain * both
        self.seen_s, self.missed_s = time_s, 0.0
        self.hits += 1
        self.remember(box_px, score, confidence, strong, time_s)

    def remember(self, box_px: Floats, score: float, confidence: float, strong: bool, time_s: float) -> None:
        """Keeps what the analysers ask for: strong scores, and the path of the last half minute."""
        if strong:
            self.scores = [*self.scores[-49:], score]
            self.confidences = [*self.confidences[-49:], confidence]
            self.score, self.confidence = _median(self.scores), _median(self.confidences)
        x0, y0, x1, y1 = box_px.tolist()
        while self.path and time_s - self.path[0][0] > KEPT_S:
            del self.path[0]
        self.path.append((time_s, (x0 + x1) / 2, y1, (x0 + x1) / 2, (y0 + y1) / 2, y1 - y0))


class Tracker:
    """Follows all boxes of one view.

    Args:
        size_px: Width and height of the view; a track whose middle has left it is over.
    """

    def __init__(self, size_px: tuple[int, int]) -> None:
        self._view: Box = (0, 0, *size_px)
        self._tracks: list[Track] = []
        self._number = 0
        self._time_s: float | None = None
        self._passed_s = 0.0

    @property
    def tracks(self) -> list[Track]:
        """Those alive, oldest first."""
        return list(self._tracks)

    def predict(self, time_s: float) -> list[Track]:
        """Moves all tracks to a later time; a clock that went back moves none."""
        passed_s = 0.0 if self._time_s is None else min(max(0.0, time_s - self._time_s), FORGOTTEN_AFTER_S)
        self._time_s = time_s
        if passed_s:
            for track in self._tracks:
                track.predict(passed_s)
        self._passed_s = passed_s
        return self.tracks

    def update(
        self,
        detections: Detections,
        confidences: npt.NDArray[np.float64],
        kinds: Sequence[str],
        strong: npt.NDArray[np.bool_],
        looked_px: Sequence[Box],
    ) -> list[Track]:
        """Matches the boxes of a frame, for whose time :meth:`predict` has been called.

        Args:
            detections: In the frame.
            confidences: ``(N,)``: of each, the probability that it is true.
            kinds: Of each.
            strong: ``(N,)``: good enough to start a track.
            looked_px: The parts of the picture that the detector has been shown. A track elsewhere was not missed.

        Returns:
            The tracks alive, oldest first.
        """
        time_s = self._time_s or 0.0
        free = list(range(len(kinds)))
        waiting = self.tracks
        boxes = np.asarray(detections.boxes_px, np.float64)
        for use_strong, least in ((True, STRONG_IOU), (False, WEAK_IOU)):
            chosen = [index for index in free if bool(strong[index]) == use_strong]
            for track, index in _matched(waiting, chosen, boxes, kinds, least):
                track.correct(boxes[index], float(detections.scores[index]), float(confidences[index]), use_strong, time_s)
                free.remove(index)
                waiting.remove(track)
        for track in waiting:
            if _inside(track.box_px, looked_px):
                track.missed_s += self._passed_s
        self._tracks = [
            track
            for track in self._tracks
            if track.missed_s <= LOST_AFTER_S and time_s - track.seen_s <= FORGOTTEN_AFTER_S and _inside(track.box_px, [self._view])
        ]
        for index in free:
            if strong[index]:
                self._number += 1
                track = Track(self._number, kinds[index], boxes[index], time_s, time_s)
                track.remember(boxes[index], float(detections.scores[index]), float(confidences[index]), strong=True, time_s=time_s)
                self._tracks.append(track)
        return self.tracks


def _matched(tracks: list[Track], chosen: list[int], boxes: Floats, kinds: Sequence[str], least: float) -> Iterable[tuple[Track, int]]:
    if not tracks or not chosen:
        return []
    overlap = ious(np.stack([track.box_px for track in tracks]), boxes[chosen])
    overlap[np.array([track.kind for track in tracks])[:, None] != np.array([kinds[index] for index in chosen])] = 0.0
    rows, columns = linear_sum_assignment(-overlap)
    return [(tracks[r], chosen[c]) for r, c in zip(rows, columns, strict=True) if overlap[r, c] >= least]


def _median(values: list[float]) -> float:
    """The upper of the two middle values, where there are two: exact enough, and numpy would take ten times as long."""
    return sorted(values)[len(values) // 2]


def _inside(box: Floats, parts: Sequence[Box]) -> bool:
    """True if the middle of a box lies in a part that the detector has been shown."""
    left, top, right, bottom = box.tolist()
    x, y = (left + right) / 2, (top + bottom) / 2
    return any(x0 <= x <= x1 and y0 <= y <= y1 for x0, y0, x1, y1 in parts)

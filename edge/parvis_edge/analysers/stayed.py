"""Who came to a place and has not been seen to leave it: what then stands still there is that person, whatever a detector says.

Somebody who walks in is seen upright and moving, as a detector knows people. Who then sits down, crouches or lies down is often not
found any more. His track ends in place, and something still appears there. Whoever sets a thing down walks off, and his track with him.
Only places and times of boxes are kept, for some seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from parvis_edge.vision.sight import Scene
from parvis_edge.vision.tracker import FORGOTTEN_AFTER_S, LOST_AFTER_S, Track

from .view import is_new

#: What stands still is known this long after somebody was last found there, at most: a track is given up after
#: :data:`~parvis_edge.vision.tracker.FORGOTTEN_AFTER_S` unseen, and what is no longer somebody's box then takes some seconds to settle.
KEPT_S = FORGOTTEN_AFTER_S + 4.0
#: Somebody is believed to have been there who was found so often.
LEAST_HITS = 3
#: A walker comes so many times 2 m, which is near, in a second.
NEARS_PER_S = 0.7


@dataclass(frozen=True, slots=True)
class Vanished:
    """Where somebody was found last, and when."""

    box_px: npt.NDArray[np.float64]
    time_s: float


class Stayed:
    """Remembers, for some seconds, where people were last seen."""

    def __init__(self) -> None:
        self._followed: dict[int, tuple[Vanished, int]] = {}
        self._vanished: list[Vanished] = []

    def see(self, scene: Scene) -> None:
        """Takes the next scene."""
        people = {track.number: track for track in scene.of_kind("person")}
        for number, (last, hits) in list(self._followed.items()):
            if number not in people:
                del self._followed[number]
                if hits >= LEAST_HITS and not any(_was_there(track, last) for track in people.values()):
                    self._vanished.append(last)
        for number, track in people.items():
            if track.seen_s == scene.time_s and is_new(track, scene):
                self._followed[number] = Vanished(np.array(track.box_px), scene.time_s), track.hits
        self._vanished = [each for each in self._vanished if 0.0 <= scene.time_s - each.time_s <= KEPT_S]

    def at(self, box_px: npt.NDArray[np.float64], least_share: float) -> Vanished | None:
        """Who vanished where a box is: at least so much of it lay in theirs. The latest; None where nobody did."""
        for each in reversed(self._vanished):
            low, high = np.maximum(each.box_px[:2], box_px[:2]), np.minimum(each.box_px[2:], box_px[2:])
            if np.maximum(high - low, 0).prod() >= least_share * (box_px[2:] - box_px[:2]).prod():
                return each
        return None

    def forget(self, vanished: Vanished | None) -> None:
        """Who vanished has been seen again, or has left."""
        self._vanished = [each for each in self._vanished if each is not vanished]


def _was_there(track: Track, vanished: Vanished) -> bool:
    """True if somebody still followed was found in the same box at the same time: one body, found twice."""
    x0, y0, x1, y1 = vanished.box_px
    return any(time_s == vanished.time_s and x0 <= x <= x1 and y0 <= y <= y1 for time_s, _, _, x, y, _ in track.path)


def has_walked_off(track: Track, vanished: Vanished, near_px: float) -> bool:
    """True of somebody who was first found after another vanished, no farther off than one walks meanwhile, and is now away.

    Args:
        track: Of somebody.
        vanished: Where and when the other was last found.
        near_px: What counts as near there, in pixels.
    """
    if track.first_s <= vanished.time_s or track.missed_s > 0 or not track.path:
        return False
    foot_px = ((vanished.box_px[0] + vanished.box_px[2]) / 2, vanished.box_px[3])
    walked_px = near_px * (1.0 + NEARS_PER_S * min(track.first_s - vanished.time_s, LOST_AFTER_S + 1.0))
    return math.dist(foot_px, track.path[0][1:3]) <= walked_px and math.dist(foot_px, track.foot_px) > near_px

"""`person.on_ground`: somebody is lying still where people walk.

Who stands has a height in the picture: that of the same person before, or of others who have stood there. Who lies is far below
it: sitting, bending and crouching leave half of it or more, lying leaves less, or leaves a box much wider than high. It is told when the
low posture has lasted for the zone's `after_s` with the body in its place. Detectors are poor at lying people, so that one or two
detections are enough to begin with, and afterwards the place counts as long as it is not empty again. Who is cut off by the picture's
edge has no height or breadth; there only a box is believed that is much wider than high, or than shoulders are. Only who differs from the
empty scene is judged: a drawing of a person, or a chair taken for one, does not fall.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import quantiles

import numpy as np
import numpy.typing as npt
from parvis_contract import PersonOnGround, Position, WalkedZone

from parvis_edge.perception import Judgement
from parvis_edge.vision.area import Area
from parvis_edge.vision.boxes import areas_px2, intersections_px2
from parvis_edge.vision.sight import Scene
from parvis_edge.vision.tracker import Track

from .view import Lasting, Occupied, View
from .yardstick import Yardstick

#: Height against that of standing: below the first, lying; below the second, lying if the box is also as wide as that. Sitting on the
#: ground leaves 0.52 of stature (Pheasant and Haslegrave, Bodyspace, 3rd ed., sitting height), on a chair three quarters.
LYING, LYING_WIDE, WIDE = 0.45, 0.62, 1.4
#: Whoever lies is at least as broad as this, in standing heights, whichever way: shoulders are a quarter of stature (same source).
BREADTH = 0.22
#: And both sides of the box together are at least this, foreshortened as the body may be: less is a bag or a head.
EXTENT = 0.6
#: Whoever is cut off by the picture's edge and shows head and shoulders alone is narrower than this.
CUT_BREADTH = 0.45
#: How far the middle of a lying body's box may move, in standing heights.
IN_PLACE = 0.3
#: Share of the box that differs from the empty scene.
NEW_SHARE = 0.2
#: Share of the smaller of two low boxes that lies in the other, if they are of the same body.
SAME_BODY = 0.4
#: Two low boxes nearer than this, in standing heights, are parts of one body.
ONE_BODY = 0.7
#: Share of a box that lies in a larger one of a person, if it shows a part of that person; and how much larger that one is.
PART, LARGER = 0.7, 1.3
#: Neither detected nor the place occupied for so long: no longer there. And at most so long by its place alone.
GONE_AFTER_S, BY_PLACE_S = 1.5, 60.0


@dataclass(slots=True)
class _Body:
    """Somebody in a low posture, in one place."""

    number: int
    box_px: npt.NDArray[np.float64]
    height_px: float
    since_s: float
    detected_s: float
    seen_s: float
    confidence: float
    position: Position | None
    last: Occupied | None
    hits: int = 1
    zone: str = ""
    confidences: list[float] = field(default_factory=list)


class PersonOnGroundAnalyser:
    """Judges the walked zones of one view.

    Args:
        zones: By name, with where they are in the picture.
        view: The camera's.
    """

    def __init__(self, zones: dict[str, tuple[WalkedZone, Area]], view: View) -> None:
        self._zones = zones
        self._view = view
        self._yardstick = Yardstick(view)
        self._lasting = Lasting("person.on_ground", view.model)
        self._bodies: list[_Body] = []
        self._count = 0

    def judge(self, scene: Scene) -> list[Judgement]:
        """Takes the next scene."""
        self._yardstick.learn(scene)
        if scene.change is None:
            return []
        upright = []
        people = [track for track in scene.of_kind("person") if track.missed_s == 0]
        for track, is_part in zip(people, _are_parts(people), strict=True):
            if track.changed_share < NEW_SHARE or is_part:
                continue
            standing_px = self._standing_px(track)
            if standing_px is None:
                continue
            if track.seen_s == scene.time_s and self._is_low(track, standing_px, scene):
                self._note(track, standing_px, scene)
            elif track.height_px > LYING_WIDE * standing_px:
                upright.append(track)
        return self._follow(upright, scene)

    def finish(self, time_s: float) -> list[Judgement]:
        """Ends what is open."""
        return self._lasting.finish(time_s)

    def _standing_px(self, track: Track) -> float | None:
        """Height that this person would have, standing where its box ends."""
        foot = track.foot_px[1]
        by_others = self._yardstick.standing_px(foot)
        # The ninth of nine tenths, by linear interpolation.
        own = quantiles((point[5] for point in track.path), n=10, method="inclusive")[-1] if len(track.path) >= 5 else 0.0
        if by_others is None:
            return own or None
        return max(own, by_others)

    @staticmethod
    def _is_low(track: Track, standing_px: float, scene: Scene) -> bool:
        x0, y0, x1, y1 = (float(side) for side in track.box_px)
        wide = (x1 - x0) / max(y1 - y0, 1.0) >= WIDE
        if x1 - x0 < BREADTH * standing_px or x1 - x0 + y1 - y0 < EXTENT * standing_px:
            return False
        cut = y1 >= scene.size_px[1] - 3 or x0 <= 2 or x1 >= scene.size_px[0] - 3
        share = (y1 - y0) / standing_px
        broad = not cut or x1 - x0 >= CUT_BREADTH * standing_px
        return (wide and share < LYING_WIDE) or (broad and share < LYING)

    def _note(self, track: Track, standing_px: float, scene: Scene) -> None:
        """Counts a low box to the body that lies there, or begins one."""
        box = np.asarray(track.box_px, np.float64)
        zone = next((name for name, (_, area) in self._zones.items() if _in(area, track)), None)
        if zone is None:
            return
        confidence = scene.confidence_of(track)
        body = next((body for body in self._bodies if _is_same(body, box)), None)
        if body is None:
            self._count += 1
            body = _Body(
                self._count, box, standing_px, scene.time_s, scene.time_s, scene.time_s, confidence, None, None, hits=0, zone=zone
            )  # fmt: skip
            self._bodies.append(body)
        moved = float(np.linalg.norm((box[:2] + box[2:] - body.box_px[:2] - body.box_px[2:]) / 2))
        if moved > IN_PLACE * standing_px:
            body.since_s, body.box_px, body.hits = scene.time_s, box, 0
        body.hits += 1
        body.confidences = [*body.confidences[-19:], confidence]
        body.confidence = float(np.median(body.confidences))
        body.detected_s = body.seen_s = scene.time_s
        body.position = self._view.position(box)
        body.last = Occupied.of(box, scene)

    def _follow(self, upright: list[Track], scene: Scene) -> list[Judgement]:
        said: list[Judgement] = []
        for body in list(self._bodies):
            by_place = body.last is not None and scene.time_s - body.detected_s <= BY_PLACE_S and body.last.is_still(scene)
            if by_place:
                body.seen_s = scene.time_s
            # Somebody who has got up stands where the body lay, and the place is empty otherwise.
            up = not by_place and any(_shared(body.box_px, track.box_px) >= SAME_BODY for track in upright)
            measure = PersonOnGround(duration_s=max(0.0, body.seen_s - body.since_s))
            if up or scene.time_s - body.seen_s > GONE_AFTER_S:
                self._bodies.remove(body)
                if body.number in self._lasting:
                    said.append(self._lasting.end(body.number, body.seen_s, measure))
            elif body.number in self._lasting:
                said += self._lasting.update(body.number, scene.time_s, body.confidence, measure, body.position)
            elif body.hits >= 2 and body.seen_s - body.since_s >= self._zones[body.zone][0].after_s:
                said.append(
                    self._lasting.start(body.number, body.since_s, scene.time_s, body.confidence, measure, body.position)
                )  # fmt: skip
        return said


def _in(area: Area, track: Track) -> bool:
    box = track.box_px
    middle = ((float(box[0]) + float(box[2])) / 2, (float(box[1]) + float(box[3])) / 2)
    return bool(area.contains([track.foot_px, middle]).any()) if not area.on_map else bool(area.contains([track.foot_px])[0])


def _is_same(body: _Body, box_px: npt.NDArray[np.float64]) -> bool:
    """True if a low box is of a body known: it overlaps, or is nearer than that body is long."""
    apart = float(np.linalg.norm((box_px[:2] + box_px[2:] - body.box_px[:2] - body.box_px[2:]) / 2))
    return _shared(body.box_px, box_px) >= SAME_BODY or apart < ONE_BODY * body.height_px


def _shared(one: npt.NDArray[np.floating], other: npt.NDArray[np.floating]) -> float:
    """Share of the smaller of two boxes that lies in the other."""
    smaller = min(float(areas_px2(one[None])[0]), float(areas_px2(other[None])[0]))
    return float(intersections_px2(one[None], other[None])[0, 0]) / max(smaller, 1.0)


def _are_parts(people: list[Track]) -> npt.NDArray[np.bool_]:
    """``(people,)``: whose box shows only a part of somebody: it lies in a larger person's box."""
    boxes = np.array([track.box_px for track in people]).reshape(-1, 4)
    areas = areas_px2(boxes)
    inside = intersections_px2(boxes, boxes) / np.maximum(areas, 1.0)[:, None]
    larger = areas[None, :] >= LARGER * areas[:, None]
    np.fill_diagonal(larger, val=False)
    return np.asarray((larger & (inside >= PART)).any(axis=1))

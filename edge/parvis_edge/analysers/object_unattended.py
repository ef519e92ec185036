"""`object.unattended`: a thing that was not there has stayed still, and nobody is near it.

Two witnesses are heard. The long-term background says that something has been added to the scene and has not moved since, whatever
it is; the detector says what is there. People come first: a region that the detector takes for somebody, in a fair share of its looks at
it, is never a thing, however still; nor is a vehicle. Nor is what a closer look takes for somebody, who may lie there; nor is what
appeared where somebody was lost from sight who has not been seen to walk off (:mod:`.stayed`). A thing is attended while somebody stands
near it, or still somebody is beside it, or it is part of what somebody holds or hides; who merely walks by does not attend it. It is told
when it has been unattended for the zone's `dwell_s`, and ends when it is gone or somebody has come to stand by it. Luggage that moves
never settles, a shadow keeps the background's texture, and what is revealed when a thing leaves has its outline in the background, not in
the picture (:mod:`parvis_edge.vision.standing`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt
from parvis_contract import ObjectUnattended, WatchedZone

from parvis_edge.perception import Judgement
from parvis_edge.vision.area import Area
from parvis_edge.vision.background import Mask
from parvis_edge.vision.boxes import areas_px2, intersections_px2, ious
from parvis_edge.vision.sight import Scene
from parvis_edge.vision.standing import SETTLED_S, Standing
from parvis_edge.vision.tracker import Track

from .stayed import Stayed, Vanished, has_walked_off
from .view import PERSON_M, Lasting, View, is_new
from .yardstick import Yardstick

#: Somebody who stands within this distance attends a thing: an arm's length and a step. Luggage rules speak of 1 to 3 m.
NEAR_M = 2.0
#: Slower than this is standing, in metres per second: half of a slow walk.
STANDING_M_S = 0.5
#: Somebody who stops for less than this does not attend it.
ATTENDED_AFTER_S = 3.0
#: Where nothing tells metres, near is within this share of the picture's height.
NEAR_SHARE = 0.2
#: Overlap above which a detection and a region are the same thing.
SAME_IOU = 0.35
#: A region whose box overlaps its earlier self by less has not stayed what and where it was.
STAYED_IOU = 0.5
#: Share of the rest of a person's box that must differ from the background, if the person is really there and new.
REST_SHARE = 0.25
#: A detection sure enough to count whatever the background says.
SURE_SCORE = 0.5
#: Share of looks that take a region for a person (or vehicle) from which on it is one.
TAKEN_FOR_SHARE = 0.3
#: Looks at a thing before it is told.
LEAST_LOOKS = 2
#: Closer looks during a thing's dwell, the last of them before it is told; none of them may find somebody.
CLOSE_LOOKS = 3
#: A closer look believes a person's box from this score on, if there is something: chosen on composed pictures, where it took
#: 52 of 54 people for such by any half of them, and none of 43 things (docs/adr/0022).
CLOSE_SCORE = 0.2
#: Share of the box of somebody still that moves, at most: who walks by moves nearly all of it.
STILL_SHARE = 0.15
#: Share of a place that differs from the empty scene, at most, if it is empty again.
EMPTY_SHARE = 0.2
#: A thing's longest side: more is a vehicle, a stall or a change of the scene. And, where nothing tells metres, its share of the picture.
LARGEST_M, LARGEST_SHARE = 2.5, 0.08
#: The longest side of what no detector has named a bag: the largest suitcases have 0.8 m, and lengths are known to a third. Whoever lies
#: on the ground and is not recognised is longer.
LARGEST_UNNAMED_M = 1.1
#: Working pixels around a thing that count as its own: their change is its edge, or its shadow.
_CLOSE = 3
#: A region that has vanished may come back under another number for this long.
VANISHED_S = 2.0
#: Probability that what passed all of the above is an abandoned thing, before a detector has named it.
UNNAMED_CONFIDENCE = 0.6


@dataclass(slots=True, eq=False)
class _Thing:
    """A standing region that may be an abandoned thing."""

    number: int
    zone: str
    region: Standing
    box_px: npt.NDArray[np.float64]
    alone_since_s: float
    seen_s: float
    settled_px: npt.NDArray[np.float64]
    attended_since_s: float | None = None
    looks: list[tuple[float, bool, bool]] = field(default_factory=list)
    named: float = 0.0
    known_s: float = 0.0
    close_looks: list[bool] = field(default_factory=list)
    close_turn: int = 0
    vanished: Vanished | None = None

    def begin_anew(self, time_s: float) -> None:
        """Forgets all looks: it is alone, or has been what and where it is, from now on."""
        self.alone_since_s, self.looks, self.close_looks, self.close_turn = time_s, [], [], 0


class UnattendedObjectAnalyser:
    """Judges the watched zones of one view.

    Args:
        zones: By name, with where they are in the picture.
        view: The camera's.
    """

    def __init__(self, zones: dict[str, tuple[WatchedZone, Area]], view: View) -> None:
        self._zones = zones
        self._view = view
        self._yardstick = Yardstick(view)
        self._lasting = Lasting("object.unattended", view.model)
        self._stayed = Stayed()
        self._things: list[_Thing] = []
        self._count = 0

    def judge(self, scene: Scene) -> list[Judgement]:
        """Takes the next scene."""
        self._yardstick.learn(scene)
        self._stayed.see(scene)
        self._follow(scene)
        people = [track for track in scene.of_kind("person") if track.missed_s == 0 and is_new(track, scene)]
        said: list[Judgement] = []
        for thing in list(self._things):
            if scene.time_s - thing.seen_s > VANISHED_S:
                self._things.remove(thing)
                if scene.change is not None and _share(scene.change.changed, thing.box_px, scene) <= EMPTY_SHARE:
                    # Whoever was lost from sight was this, and has left.
                    self._is_gone(thing.vanished)
                if thing.number in self._lasting:
                    said.append(self._lasting.end(thing.number, thing.seen_s))
                continue
            if scene.change is not None:
                said += self._judge_thing(thing, people, scene)
        return said

    def finish(self, time_s: float) -> list[Judgement]:
        """Ends what is open."""
        return self._lasting.finish(time_s)

    def _follow(self, scene: Scene) -> None:
        """Matches the scene's standing regions with the things known."""
        for region in scene.standing:
            box = np.array(region.box, np.float64) * scene.cell_px
            thing = next((thing for thing in self._things if thing.region.number == region.number), None)
            if thing is None:
                gone = [thing for thing in self._things if thing.seen_s < scene.time_s]
                thing = next((thing for thing in gone if float(ious(thing.box_px[None], box[None])[0, 0]) > SAME_IOU), None)
            if thing is not None:
                thing.region, thing.box_px, thing.seen_s = region, box, scene.time_s
                if float(ious(thing.settled_px[None], box[None])[0, 0]) < STAYED_IOU:
                    # It has moved on, or was only now seen whole.
                    thing.settled_px = box
                    thing.begin_anew(scene.time_s)
                continue
            zone = next((name for name, (_, area) in self._zones.items() if _shared_cells(region, area) >= 0.5 * region.cells), None)
            if zone is not None:
                self._count += 1
                # Until just now somebody stood before it, or it would have been seen to stand there.
                alone_s = max(region.since_s, scene.time_s - SETTLED_S)
                self._things.append(_Thing(self._count, zone, region, box, alone_s, scene.time_s, box, known_s=scene.time_s))

    def _judge_thing(self, thing: _Thing, people: list[Track], scene: Scene) -> list[Judgement]:
        self._look(thing, scene)
        nearest_m, attended = self._people(thing, people, scene)
        if not attended:
            thing.attended_since_s = None
        elif thing.attended_since_s is None:
            thing.attended_since_s = scene.time_s
        never_alone = thing.alone_since_s >= scene.time_s - ATTENDED_AFTER_S
        if attended and (never_alone or scene.time_s - (thing.attended_since_s or scene.time_s) >= ATTENDED_AFTER_S):
            thing.begin_anew(scene.time_s)
        dwell_s = scene.time_s - thing.alone_since_s
        area_m2 = self._area_m2(thing) if self._view.ground is not None else None
        measure = ObjectUnattended(
            dwell_s=max(dwell_s, 0.0), area_m2=area_m2, nearest_person_m=nearest_m if self._view.ground is not None else None
        )
        position = self._view.position(thing.box_px)
        confidence = 1.0 - (1.0 - UNNAMED_CONFIDENCE) * (1.0 - thing.named)
        if thing.number in self._lasting:
            if dwell_s <= 0.0 or self._taken_for_other(thing):
                return [self._lasting.end(thing.number, scene.time_s)]
            return self._lasting.update(thing.number, scene.time_s, confidence, measure, position)
        zone, _ = self._zones[thing.zone]
        self._ask_who_stayed(thing, people, scene)
        turn = int(CLOSE_LOOKS * dwell_s / zone.dwell_s)
        if turn > thing.close_turn:
            thing.close_turn = turn
            thing.close_looks = [*thing.close_looks[1 - CLOSE_LOOKS :], self._is_somebody_there(thing, scene)]
        ready = dwell_s >= zone.dwell_s and len(thing.looks) >= LEAST_LOOKS and not self._taken_for_other(thing)
        if not ready or not self._may_be_a_thing(thing, scene) or self._is_part_of_another(thing) or self._is_with_somebody(thing, scene):
            return []
        x0, y0, x1, y1 = thing.box_px.tolist()
        return [self._lasting.start(thing.number, thing.alone_since_s, scene.time_s, confidence, measure, position, (x0, y0, x1, y1))]

    def _look(self, thing: _Thing, scene: Scene) -> None:
        """Remembers for what the detector takes a thing, if it has been shown it."""
        x0, y0, x1, y1 = thing.box_px
        if not any(part[0] <= x0 and part[1] <= y0 and x1 <= part[2] + 2 and y1 <= part[3] + 2 for part in scene.looked_px):
            return
        person = other = False
        overlaps = ious(thing.box_px[None], scene.detections.boxes_px)[0]
        for index in np.flatnonzero(overlaps > 0):
            kind, box, overlap = scene.kinds[index], scene.detections.boxes_px[index], float(overlaps[index])
            if kind == "bag":
                if overlap >= SAME_IOU - 0.1:
                    thing.named = max(thing.named, float(scene.confidences[index]))
            elif not scene.strong[index]:
                continue
            elif kind == "person":
                covered = _covered(box, thing.box_px) >= 0.5
                person = person or (covered and _is_really_there(box, float(scene.detections.scores[index]), thing, scene))
            else:
                other = other or overlap >= SAME_IOU
        thing.looks = [*thing.looks[-99:], (scene.time_s, person, other)]

    def _ask_who_stayed(self, thing: _Thing, people: list[Track], scene: Scene) -> None:
        """Asks whether somebody was lost from sight where a thing appeared, and whether he has been seen to walk off."""
        if thing.vanished is None:
            found = self._stayed.at(thing.box_px, 0.5)
            # Who is lost from sight before something that stood there already is not it.
            thing.vanished = found if found is not None and found.time_s <= thing.known_s else None
        elif any(has_walked_off(track, thing.vanished, self._near_px(thing, scene)) for track in people):
            self._is_gone(thing.vanished)

    def _is_gone(self, vanished: Vanished | None) -> None:
        """Whoever was lost from sight is none of the things."""
        self._stayed.forget(vanished)
        for thing in self._things:
            if thing.vanished is vanished:
                thing.vanished = None

    def _is_somebody_there(self, thing: _Thing, scene: Scene) -> bool:
        """Looks closely: True if a thing may be somebody, or somebody still is beside it."""
        if scene.change is None:
            return False
        scale, longest = self._yardstick.px_per_m(thing.box_px), float((thing.box_px[2:] - thing.box_px[:2]).max())
        # Of whoever a thing may be a part of, all is to be seen, and not too large: more than that is looked at as a thing's picture.
        reach_px = max(PERSON_M * scale - longest / 2, 0.2 * longest) if scale else 1.5 * longest
        found, kinds = scene.closely.at(thing.box_px, reach_px, CLOSE_SCORE)
        near_px = self._near_px(thing, scene)
        for index in np.flatnonzero(np.array(kinds) == "person"):
            box, score = np.asarray(found.boxes_px[index], np.float64), float(found.scores[index])
            if _share(scene.change.moving, box, scene) > STILL_SHARE:
                continue
            is_it = _covered(box, thing.box_px) >= 0.5 and _is_really_there(box, score, thing, scene)
            if is_it or (_gaps_px(box[None], thing.box_px)[0] <= near_px and _rest_share(box, thing, scene) >= REST_SHARE):
                return True
        return False

    def _is_with_somebody(self, thing: _Thing, scene: Scene) -> bool:
        """True if it, or something beside it, is somebody: asleep, for instance, among what is theirs."""
        return any(
            other.vanished is not None or any(other.close_looks) or _share_of_people(other) >= TAKEN_FOR_SHARE
            for other in self._things
            if other is thing or _gaps_px(other.box_px[None], thing.box_px)[0] <= self._near_px(other, scene)
        )

    def _near_px(self, thing: _Thing, scene: Scene) -> float:
        """How far from a thing is near: by the yardstick, or by the height of who may be it, or by a share of the picture."""
        scale = self._yardstick.px_per_m(thing.box_px)
        if scale is None and thing.vanished is not None:
            scale = float(thing.vanished.box_px[3] - thing.vanished.box_px[1]) / PERSON_M
        return NEAR_M * scale if scale else NEAR_SHARE * scene.size_px[1]

    @staticmethod
    def _taken_for_other(thing: _Thing) -> bool:
        others = sum(other for _, _, other in thing.looks) / max(len(thing.looks), 1)
        return _share_of_people(thing) >= TAKEN_FOR_SHARE or (others > 0.5 and thing.named == 0.0)

    def _people(self, thing: _Thing, people: list[Track], scene: Scene) -> tuple[float | None, bool]:
        """Distance of the nearest person, where metres are known, and whether somebody attends the thing."""
        scale = self._yardstick.px_per_m(thing.box_px)
        near_px = self._near_px(thing, scene)
        nearest_px, attended = np.inf, False
        gaps = _gaps_px(np.array([track.box_px for track in people]).reshape(-1, 4), thing.box_px).tolist()
        for track, gap in zip(people, gaps, strict=True):
            if gap > min(nearest_px, 4 * near_px) and gap > near_px:
                continue
            if _is_phantom(track, thing, scene):
                continue
            nearest_px = min(nearest_px, gap)
            speed = float(np.linalg.norm(track.speed_px_s))
            stands = speed < STANDING_M_S * (track.height_px / 1.7)
            attended = attended or (gap <= near_px and stands)
        return (nearest_px / scale if scale and np.isfinite(nearest_px) else None), attended

    def _area_m2(self, thing: _Thing) -> float | None:
        scale = self._yardstick.px_per_m(thing.box_px)
        if not scale:
            return None
        cells = thing.region.cells * (thing.box_px[2] - thing.box_px[0]) / max(thing.region.box[2] - thing.region.box[0], 1) ** 2
        return float(cells * (thing.box_px[2] - thing.box_px[0])) / scale**2

    def _may_be_a_thing(self, thing: _Thing, scene: Scene) -> bool:
        if _is_cut(thing.box_px, scene):
            return False
        scale = self._yardstick.px_per_m(thing.box_px)
        if not self._yardstick.is_on_ground(thing.box_px):
            return False
        sides = thing.box_px[2:] - thing.box_px[:2]
        if scale:
            return float(sides.max()) <= (LARGEST_M if thing.named else LARGEST_UNNAMED_M) * scale
        return float(sides.prod()) <= LARGEST_SHARE * scene.size_px[0] * scene.size_px[1]

    def _is_part_of_another(self, thing: _Thing) -> bool:
        """True if something told already lies within half its size: a strap and its bag are one."""
        for other in self._things:
            if other is not thing and other.number in self._lasting:
                reach = 0.5 * float((other.box_px[2:] - other.box_px[:2]).max())
                if _gaps_px(other.box_px[None], thing.box_px)[0] <= reach:
                    return True
        return False


def _share_of_people(thing: _Thing) -> float:
    """Share of the looks at a thing that took it for somebody."""
    return sum(person for _, person, _ in thing.looks) / max(len(thing.looks), 1)


def _share(mask: Mask, box_px: npt.NDArray[np.floating], scene: Scene) -> float:
    """Share of a box in which a mask of working pixels holds."""
    x0, y0, x1, y1 = (max(0, int(side // scene.cell_px)) for side in box_px)
    part = mask[y0 : y1 + 1, x0 : x1 + 1]
    return int(np.count_nonzero(part)) / max(part.size, 1)


def _shared_cells(region: Standing, area: Area) -> int:
    """Working pixels of a region that lie in an area."""
    x0, y0, x1, y1 = region.box
    return int(np.count_nonzero(area.mask[y0:y1, x0:x1] & region.mask[y0:y1, x0:x1]))


def _is_cut(box_px: npt.NDArray[np.float64], scene: Scene) -> bool:
    """True for what the picture's edge cuts off: how large it is, and who stands beside it, is not seen."""
    x0, y0, x1, y1 = box_px.tolist()
    width, height = scene.size_px
    return bool(x0 <= 0 or y0 <= 0 or x1 > width - scene.cell_px or y1 > height - scene.cell_px)


def _gaps_px(boxes: npt.NDArray[np.floating], other: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """``(N,)``: how far ``(N, 4)`` boxes are from another: across by their sides, in depth, counted double, by their feet."""
    across = np.maximum(np.maximum(boxes[:, 0] - other[2], other[0] - boxes[:, 2]), 0.0)
    return np.asarray(np.hypot(across, 2.0 * (boxes[:, 3] - other[3])))


def _is_really_there(box_px: npt.NDArray[np.floating], score: float, thing: _Thing, scene: Scene) -> bool:
    """True unless a person's box is nothing but the thing, misread: beyond the thing, somebody new differs from the background too."""
    if score >= SURE_SCORE or float(ious(np.asarray(box_px, np.float64)[None], thing.box_px[None])[0, 0]) >= SAME_IOU:
        return True
    return _rest_share(box_px, thing, scene) >= REST_SHARE


def _is_phantom(track: Track, thing: _Thing, scene: Scene) -> bool:
    """True if a person's track is nothing but the thing itself, misread; what the thing is, its own looks decide."""
    if _covered(track.box_px, thing.box_px) == 0:
        return False
    if float(ious(np.asarray(track.box_px, np.float64)[None], thing.box_px[None])[0, 0]) >= SAME_IOU:
        return True
    return track.score < SURE_SCORE and _rest_share(track.box_px, thing, scene) < REST_SHARE


def _covered(box_px: npt.NDArray[np.floating], thing_px: npt.NDArray[np.floating]) -> float:
    """Share of the thing's box that lies in another."""
    shared_px2 = intersections_px2(box_px[None], thing_px[None])[0, 0]
    return float(shared_px2) / max(float(areas_px2(thing_px[None])[0]), 1.0)


def _rest_share(box_px: npt.NDArray[np.floating], thing: _Thing, scene: Scene) -> float:
    """How much of a box, the thing left out, differs from the background."""
    if scene.change is None:
        return 0.0
    x0, y0, x1, y1 = (max(0, int(side // scene.cell_px)) for side in box_px)
    where = slice(y0, y1 + 1), slice(x0, x1 + 1)
    left, top = max(0, x0 - _CLOSE), max(0, y0 - _CLOSE)
    region = np.ascontiguousarray(thing.region.mask[top : y1 + 1 + _CLOSE, left : x1 + 1 + _CLOSE]).view(np.uint8)
    known = cv2.dilate(region, np.ones((2 * _CLOSE + 1, 2 * _CLOSE + 1), np.uint8)).view(np.bool_)
    changed = scene.change.changed[where]
    rest = ~known[y0 - top :, x0 - left :][: changed.shape[0], : changed.shape[1]]
    return int(np.count_nonzero(changed & rest)) / max(int(np.count_nonzero(rest)), 1)

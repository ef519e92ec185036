"""`zone.intrusion`: presence in a closed zone.

A person, bicycle or vehicle that is detected inside is present. It stays present while it is tracked there, and, when the detector
loses somebody who stands still or turns away, for as long as the place where it was last detected is not empty again, or something as
large keeps moving in the zone: a visit interrupted by missed detections is one visit. What has been part of the scene all along (a
parked car, a sculpture that looks like a person) differs from nothing and has not moved, and is no visit. Presence counts from the
first moment inside, and is told when it has lasted for the zone's `after_s`. A zone is either empty or not: a second person who
joins the first is the same presence.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from parvis_contract import ClosedZone, ObjectClass, Position, ZoneIntrusion

from parvis_edge.perception import Judgement
from parvis_edge.vision.area import Area
from parvis_edge.vision.sight import Scene
from parvis_edge.vision.tracker import Track

from .view import Lasting, Occupied, View, is_new

#: Nothing was seen inside for this long: the visit is over. Longer than a detector's gaps, shorter than two visits' distance.
EMPTY_AFTER_S = 2.0
#: How long somebody undetected may count as present: while the place is occupied, and while something moves.
PLACE_HELD_S, MOVING_HELD_S = 20.0, 4.0
#: What moves must be this large against the visitor.
MOVING_SHARE = 0.25
#: Share of a box that lies in a zone drawn in the picture. What is drawn there may be the ground or what is seen before it.
INSIDE = 0.5


@dataclass(slots=True)
class _Presence:
    """What is known of one zone."""

    since_s: float | None = None
    seen_s: float = 0.0
    detected_s: float = 0.0
    classes: Counter[str] = field(default_factory=Counter)
    confidence: float = 0.0
    position: Position | None = None
    last: Occupied | None = None
    visit: int = 0


class ZoneIntrusionAnalyser:
    """Judges the closed zones of one view.

    Args:
        zones: By name, with where they are in the picture.
        view: The camera's.
    """

    def __init__(self, zones: dict[str, tuple[ClosedZone, Area]], view: View) -> None:
        self._zones = zones
        self._view = view
        self._lasting = Lasting("zone.intrusion", view.model)
        self._presence = {name: _Presence() for name in zones}
        self._first_inside_s: dict[tuple[str, int], float] = {}

    def judge(self, scene: Scene) -> list[Judgement]:
        """Takes the next scene."""
        alive = {track.number for track in scene.tracks}
        self._first_inside_s = {key: time_s for key, time_s in self._first_inside_s.items() if key[1] in alive}
        return [judgement for name in self._zones for judgement in self._judge_zone(name, scene)]

    def finish(self, time_s: float) -> list[Judgement]:
        """Ends what is open."""
        return self._lasting.finish(time_s)

    def _judge_zone(self, name: str, scene: Scene) -> list[Judgement]:
        zone, area = self._zones[name]
        state = self._presence[name]
        key = (name, state.visit)
        inside = self._inside(name, area, scene)
        if inside:
            self._note(name, state, inside, scene)
        elif state.since_s is not None and _held(state, area, scene):
            state.seen_s = scene.time_s
        if state.since_s is None:
            return []
        if scene.time_s - state.seen_s > EMPTY_AFTER_S:
            ended = [self._lasting.end(key, state.seen_s, self._measure(name, state))] if key in self._lasting else []
            self._presence[name] = _Presence(visit=state.visit + 1)
            return ended
        measure = self._measure(name, state)
        if key in self._lasting:
            return self._lasting.update(key, scene.time_s, state.confidence, measure, state.position)
        if inside and scene.time_s - state.since_s >= zone.after_s:
            return [self._lasting.start(key, state.since_s, scene.time_s, state.confidence, measure, state.position)]
        return []

    def _inside(self, name: str, area: Area, scene: Scene) -> list[Track]:
        """Tracks that are in the zone now, and are somebody or something new."""
        found = []
        present = [track for track in scene.of_kind("person", "bicycle", "vehicle") if track.seen_s >= scene.time_s or track.missed_s == 0]
        for track, stands_inside in zip(present, area.contains([track.foot_px for track in present]).tolist(), strict=True):
            if not stands_inside and (area.on_map or float(area.shares([track.box_px])[0]) < INSIDE):
                self._first_inside_s.pop((name, track.number), None)
                continue
            self._first_inside_s.setdefault((name, track.number), scene.time_s)
            if is_new(track, scene):
                found.append(track)
        return found

    def _note(self, name: str, state: _Presence, inside: list[Track], scene: Scene) -> None:
        first_s = min(self._first_inside_s[name, track.number] for track in inside)
        state.since_s = first_s if state.since_s is None else min(state.since_s, first_s)
        state.seen_s = state.detected_s = scene.time_s
        best = max(inside, key=lambda track: track.score)
        state.classes.update([best.kind])
        confidence = max(scene.confidence_of(track) for track in inside)
        state.confidence = confidence if state.confidence == 0.0 else 0.8 * state.confidence + 0.2 * confidence
        state.position = self._view.position(best.box_px)
        state.last = Occupied.of(best.box_px, scene)

    @staticmethod
    def _measure(name: str, state: _Presence) -> ZoneIntrusion:
        kind = ObjectClass(state.classes.most_common(1)[0][0])
        return ZoneIntrusion(zone=name, object_class=kind, duration_s=max(0.0, state.seen_s - (state.since_s or 0.0)))


def _held(state: _Presence, area: Area, scene: Scene) -> bool:
    """True if the visitor, not detected now, is still there."""
    if state.last is None or scene.change is None:
        return False
    for_s = scene.time_s - state.detected_s
    if for_s <= PLACE_HELD_S and state.last.is_still(scene):
        return True
    moving = np.count_nonzero(scene.change.moving & scene.change.changed & area.mask)
    return for_s <= MOVING_HELD_S and bool(moving >= MOVING_SHARE * np.count_nonzero(state.last.mask))

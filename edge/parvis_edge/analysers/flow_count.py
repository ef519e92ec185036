"""`flow.count`: how many people, bicycles and vehicles went into and out of each zone, minute by minute. No event.

Counted is who crosses a zone's border while being followed; who appears or vanishes inside is not, since a detector that loses somebody
and finds him again would else count him twice. A crossing counts when the other side has been kept for a moment: feet on a border go
to and fro.
"""

from __future__ import annotations

from dataclasses import dataclass

from parvis_contract import ObjectClass

from parvis_edge.perception import Counted
from parvis_edge.vision.area import Area
from parvis_edge.vision.sight import Scene

from .view import is_new

PERIOD_S = 60.0
#: The other side of a border counts when it has been kept for this long.
KEPT_S = 0.6


@dataclass(slots=True)
class _Side:
    """Which side of a border a track is on, and since when it seems to be on the other."""

    inside: bool
    other_since_s: float | None = None


class FlowCounter:
    """Counts at the borders of one view's zones.

    Args:
        areas: By zone.
    """

    def __init__(self, areas: dict[str, Area]) -> None:
        self._areas = areas
        self._sides: dict[tuple[str, int], _Side] = {}
        self._began_s: float | None = None
        self._counts: dict[tuple[str, ObjectClass], list[int]] = {}

    def see(self, scene: Scene) -> list[Counted]:
        """Takes the next scene; gives the counts of a minute that is over."""
        if self._began_s is None:
            self._begin(scene.time_s)
        told = []
        while scene.time_s - (self._began_s or 0.0) >= PERIOD_S:
            told += self._tell(PERIOD_S)
            self._begin((self._began_s or 0.0) + PERIOD_S)
            if scene.time_s - (self._began_s or 0.0) > 10 * PERIOD_S:
                # The stream was away: nothing was counted, and nothing is said of that time.
                self._begin(scene.time_s)
        alive = {track.number for track in scene.tracks}
        self._sides = {key: side for key, side in self._sides.items() if key[1] in alive}
        seen = [track for track in scene.tracks if track.seen_s == scene.time_s and is_new(track, scene)]
        for name, area in self._areas.items():
            for track, inside in zip(seen, area.contains([track.foot_px for track in seen]).tolist(), strict=True):
                self._cross(name, track.number, ObjectClass(track.kind), inside, scene.time_s)
        return told

    def finish(self, time_s: float) -> list[Counted]:
        """The counts of the minute that has begun."""
        if self._began_s is None or time_s <= self._began_s:
            return []
        return self._tell(round(time_s - self._began_s, 3))

    def _begin(self, time_s: float) -> None:
        self._began_s = time_s
        self._counts = {(name, kind): [0, 0] for name in self._areas for kind in ObjectClass}

    def _cross(self, name: str, number: int, kind: ObjectClass, inside: bool, time_s: float) -> None:
        side = self._sides.setdefault((name, number), _Side(inside))
        if inside == side.inside:
            side.other_since_s = None
            return
        if side.other_since_s is None:
            side.other_since_s = time_s
        if time_s - side.other_since_s >= KEPT_S:
            side.inside, side.other_since_s = inside, None
            self._counts[name, kind][0 if inside else 1] += 1

    def _tell(self, period_s: float) -> list[Counted]:
        began_s = self._began_s or 0.0
        return [Counted(began_s, period_s, name, kind, *counts) for (name, kind), counts in self._counts.items()]

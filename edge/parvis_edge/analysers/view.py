"""One camera's view as its analysers know it: where things in the picture are, and how to say that something lasts."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from parvis_contract import Measure, Phase, Position, Site

from parvis_edge.perception import BoxPx, Judgement
from parvis_edge.vision.area import Area, Drawn, place
from parvis_edge.vision.background import Mask
from parvis_edge.vision.ground_plane import GroundPlane, GroundPlaneError, LocalPlane
from parvis_edge.vision.sight import Scene
from parvis_edge.vision.tracker import Track

#: A detector's box ends so far from what it shows, 1 sigma, as a share of its height: the root mean square over the people found in
#: photographs with ground truth. Half of them are off by less than half of it, some by much more: with the errors' spread about their
#: median, 0.05, a sixth of all places would be farther off than two sigma (`python -m tests.bench.senses position`).
FOOT_ERROR = 0.1
#: What lasts is told again this often.
UPDATE_EVERY_S = 10.0
#: Height of a standing person, the yardstick where there is no ground plane: the mean of adults (NCD Risk Factor
#: Collaboration, eLife 2016: 1.71 m for men, 1.59 m for women), with shoes.
PERSON_M = 1.7
#: Share of the pixels of a place that must still differ from the empty scene to say that it is occupied.
OCCUPIED_SHARE = 0.6
#: Share of a box that differs from the background if what it shows is new here.
NEW_SHARE = 0.2
#: Score above which a person who is part of the first picture is believed without having moved.
SURE_SCORE = 0.6


class Analyser(Protocol):
    """Judges one type of event: from scenes to judgements, nothing else going in or out."""

    def judge(self, scene: Scene) -> list[Judgement]:
        """Takes the next scene, in order of time."""

    def finish(self, time_s: float) -> list[Judgement]:
        """Ends what is open: there will be no other scene."""


class View:
    """Where things are in one camera's picture.

    Args:
        site: The site plan.
        unit: Whose camera it is.
        size_px: Width and height of the stream.
        cells: Width and height of the working picture.
        model: Name of the detector's bundle.

    Attributes:
        ground: None where the unit has no calibration.
        flaw: Why there is no ground plane although the plan has points for one; None otherwise.
    """

    def __init__(self, site: Site, unit: str, size_px: tuple[int, int], cells: tuple[int, int], model: str) -> None:
        plan = site.units[unit]
        self.size_px, self.cells, self.model = size_px, cells, model
        self._range_m = plan.range_m
        self.ground: GroundPlane | None = None
        self.flaw: str | None = None
        if plan.ground_plane is not None:
            try:
                self.ground = GroundPlane(plan.ground_plane, LocalPlane(site.origin), size_px)
            except GroundPlaneError as error:
                self.flaw = f"units.{unit}.ground_plane: {error}"

    def area(self, drawn: Drawn) -> Area:
        """A zone or lane in this picture; raises :class:`~parvis_edge.vision.area.NotSeen` where it is not."""
        return place(drawn, self.size_px, self.cells, self.ground)

    def position(self, box_px: npt.ArrayLike) -> Position | None:
        """Where a thing with this box stands; None where the picture cannot tell better than the unit's own range."""
        x0, y0, x1, y1 = (float(side) for side in np.asarray(box_px))
        error = FOOT_ERROR * (y1 - y0) + 1.0
        foot = ((x0 + x1) / 2, y1)
        below = 0.0
        if self.ground is not None and y1 >= self.size_px[1] - 1:
            # The picture ends here: anything up to a person's height may be below it, of which this is the root mean square.
            below = PERSON_M * self.ground.px_per_m(foot) / math.sqrt(3.0)
        return self.position_of_ground(foot, (error, math.hypot(error, below)))

    def position_of_area(self, area: Area) -> Position | None:
        """The middle of a zone, and its spread as the error, for what is said of all of it; None as for :meth:`position`."""
        rows, columns = np.nonzero(area.mask)
        x, y = columns * area.px_per_cell[0], rows * area.px_per_cell[1]
        return self.position_of_ground((float(x.mean()), float(y.mean())), (float(x.std()) + 1.0, float(y.std()) + 1.0))

    def position_of_ground(self, pixel: tuple[float, float], error_px: tuple[float, float]) -> Position | None:
        """Where the ground that a pixel shows is, given the pixel's own error, 1 sigma of x and y; None as for :meth:`position`."""
        return None if self.ground is None else self.ground.position(pixel, error_px, self._range_m)

    def position_below(self, pixel: tuple[float, float], height_m: float, height_error_m: float) -> Position | None:
        """Where somebody stands who carries something, seen at a pixel, at a height above the ground; None as for :meth:`position`.

        Upright lengths are taken to be as large in the picture as lengths across the view at the same place, which is true for a
        camera that looks level, and too long by a tenth for one that looks down at 25 degrees.
        """
        if self.ground is None:
            return None
        x, y = pixel
        foot_y, scale = y, 0.0
        # The scale is that at the feet, which are not known before the scale is.
        for _ in range(4):
            scale = self.ground.px_per_m((x, foot_y))
            if not np.isfinite(scale):
                # The tag itself is above the horizon: begin at the bottom of the picture, where there is ground for sure.
                foot_y = float(self.size_px[1])
                continue
            foot_y = y + height_m * scale
        error_px = max(1.0, scale * height_error_m)
        return self.ground.position((x, foot_y), (2.0, error_px), self._range_m) if np.isfinite(scale) else None


@dataclass(frozen=True, slots=True)
class Occupied:
    """The place where somebody was last detected, for the seconds until the next detection: only to say that it is not empty again.

    What stood there is not kept and not compared with anything: the empty scene is what the place is held against.

    Attributes:
        where: Rows and columns of the box, in working pixels.
        mask: ``(rows, columns)`` bool: those of its pixels that differed from the empty scene.
    """

    where: tuple[slice, slice]
    mask: Mask

    @classmethod
    def of(cls, box_px: npt.ArrayLike, scene: Scene) -> Occupied | None:
        """Of a box in a scene; None where nothing in it differs from the empty scene."""
        if scene.change is None:
            return None
        x0, y0, x1, y1 = (max(0, round(float(side) / scene.cell_px)) for side in np.asarray(box_px))
        where = (slice(y0, y1), slice(x0, x1))
        mask = scene.change.changed[where].copy()
        return cls(where, mask) if mask.any() else None

    def is_still(self, scene: Scene) -> bool:
        """True if most of the place still differs from the empty scene."""
        return scene.change is not None and float(scene.change.changed[self.where][self.mask].mean()) >= OCCUPIED_SHARE


@dataclass(slots=True)
class _Open:
    said_s: float
    last: Judgement


class Lasting:
    """Keeps account of the open events of one type, so that each has one start, rare updates and one end.

    Args:
        type: Short name of the event type.
        model: Name of the bundle that sees; None where none is involved.
        every_s: How often an open event is told again.
    """

    def __init__(self, type: str, model: str | None, every_s: float = UPDATE_EVERY_S) -> None:
        self._type, self._model, self._every_s = type, model, every_s
        self._open: dict[Hashable, _Open] = {}

    def __contains__(self, key: Hashable) -> bool:
        return key in self._open

    @property
    def keys(self) -> list[Hashable]:
        """Of the open events."""
        return list(self._open)

    def start(  # noqa: PLR0917 - the fields of a judgement
        self,
        key: Hashable,
        began_s: float,
        now_s: float,
        confidence: float,
        measure: Measure,
        position: Position | None,
        box_px: BoxPx | None = None,
    ) -> Judgement:
        """Opens an event that began at ``began_s`` and is told at ``now_s``; ``box_px`` is where, for an evidence plate."""
        judgement = Judgement(self._type, Phase.START, key, began_s, _bounded(confidence), measure, position, self._model, box_px)
        self._open[key] = _Open(now_s, judgement)
        return judgement

    def update(
        self, key: Hashable, now_s: float, confidence: float, measure: Measure, position: Position | None, *, at_once: bool = False
    ) -> list[Judgement]:
        """Says how an open event stands: at once, or when it was told some time ago."""
        event = self._open[key]
        event.last = Judgement(self._type, Phase.UPDATE, key, now_s, _bounded(confidence), measure, position, self._model)
        if not at_once and now_s - event.said_s < self._every_s:
            return []
        event.said_s = now_s
        return [event.last]

    def end(self, key: Hashable, ended_s: float, measure: Measure | None = None) -> Judgement:
        """Closes an event, with its last measure unless another is given."""
        last = self._open.pop(key).last
        time_s = max(ended_s, last.time_s if last.phase is Phase.START else ended_s)
        return Judgement(self._type, Phase.END, key, time_s, last.confidence, measure or last.measure, last.position, self._model)

    def finish(self, time_s: float) -> list[Judgement]:
        """Closes all."""
        return [self.end(key, time_s) for key in self.keys]


def _bounded(confidence: float) -> float:
    return min(max(float(confidence), 0.0), 1.0)


def is_new(track: Track, scene: Scene) -> bool:
    """True if a track is not merely a part of the scene that looks like something."""
    if scene.count == 1:
        return True
    if track.hits < 2:
        return False
    if track.changed_share >= NEW_SHARE or (track.kind == "person" and track.score >= SURE_SCORE):
        return True
    return math.dist(track.path[0][3:5], track.path[-1][3:5]) > 0.5 * track.height_px

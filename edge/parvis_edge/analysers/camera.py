"""What a unit sees with: joins perception to the analysers that the site plan asks for and the legal profile permits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import structlog
from parvis_contract import ClosedZone, CrowdZone, Lane, ModelRef, NoiseZone, Site, WalkedZone, WatchedZone

from parvis_edge.bundle import Bundle
from parvis_edge.perception import Finding, Frame
from parvis_edge.vision.area import Area, NotSeen
from parvis_edge.vision.detector import Detector
from parvis_edge.vision.sight import Sight

from .crowd_density import CrowdDensityAnalyser
from .crowd_surge import CrowdSurgeAnalyser
from .flow_count import FlowCounter
from .furniture_changed import FurnitureChangedAnalyser
from .level_unusual import CameraLevels, CameraZone, Shelf
from .object_unattended import UnattendedObjectAnalyser
from .person_on_ground import PersonOnGroundAnalyser
from .plates import PlateMaker
from .surface_marked import SurfaceMarkedAnalyser
from .tag_sighting import TagSightings
from .traffic_wrong_way import WrongWayAnalyser
from .unit_tampered import CameraTamperingAnalyser
from .view import Analyser, View
from .zone_intrusion import ZoneIntrusionAnalyser

A = TypeVar("A", ClosedZone, CrowdZone, Lane, WalkedZone, WatchedZone)

_log = structlog.get_logger()

#: Which kind of zone each analyser judges, and how it is made.
_OF_ZONES: dict[str, tuple[type[Any], Callable[[dict[str, tuple[Any, Area]], View], Analyser]]] = {
    "object.unattended": (WatchedZone, UnattendedObjectAnalyser),
    "zone.intrusion": (ClosedZone, ZoneIntrusionAnalyser),
    "person.on_ground": (WalkedZone, PersonOnGroundAnalyser),
    "crowd.density": (CrowdZone, CrowdDensityAnalyser),
    "crowd.surge": (CrowdZone, CrowdSurgeAnalyser),
}
#: And each kind of asset.
_OF_ASSETS: dict[str, tuple[str, Callable[[dict[str, tuple[Any, Area]], View], Analyser]]] = {
    "furniture.changed": ("furniture", FurnitureChangedAnalyser),
    "surface.marked": ("surface", SurfaceMarkedAnalyser),
}
#: Those whose events an evidence plate may show.
_OF_THINGS = (UnattendedObjectAnalyser, FurnitureChangedAnalyser, SurfaceMarkedAnalyser)


class CameraSense:
    """From frames to findings.

    Args:
        site: The site plan.
        unit: Whose camera it is.
        allowed: Short names of the event types that the legal profile permits for a camera. An analyser of another type is never made.
        bundle: The detector.
        allowed_tags: The numbers of tags that may be read at this moment.
        shelf: Where what is usual is kept; None keeps it for this run alone.

    Attributes:
        model: The detector's name and version.
        analysed: Frames for which the detector has been run.
        unjudged: What of the site plan this unit cannot judge, and why, a line each; known from the first frame on.

    Raises:
        ValueError: The unit has no camera.
        BundleError: The bundle is not a detector's.
    """

    def __init__(  # noqa: PLR0917 - what a unit is given, in the order in which it was added
        self,
        site: Site,
        unit: str,
        allowed: frozenset[str],
        bundle: Bundle,
        allowed_tags: Callable[[], frozenset[int]] = frozenset,
        shelf: Shelf | None = None,
    ) -> None:
        if "camera" not in site.units[unit].senses:
            raise ValueError(f"{unit} has no camera; its `senses` in {site.path} are {', '.join(site.units[unit].senses)}")
        self._site, self._unit, self._allowed = site, unit, allowed
        self._allowed_tags, self._shelf = allowed_tags, shelf
        self._thresholds = bundle.card.thresholds
        self._detector = Detector(bundle)
        self._sight: Sight | None = None
        self._analysers: list[Analyser] = []
        self._counter: FlowCounter | None = None
        self._levels: CameraLevels | None = None
        self._tags: TagSightings | None = None
        self._plates: PlateMaker | None = None
        self._last_s: float | None = None
        self.model: ModelRef = bundle.ref
        self.analysed = 0
        self.unjudged: list[str] = []

    @property
    def inference_ms(self) -> float | None:
        """A smoothed time of one run of the detector; None before the first."""
        return self._detector.inference_ms

    def exchange(self, bundle: Bundle) -> bool:
        """Sees with another model from the next frame on; what is open stays open.

        Returns:
            False if it sees in another way; then nothing has changed, and the sense has to be made anew.

        Raises:
            BundleError: It is not a detector's.
        """
        if bundle.card.thresholds.keys() != self._thresholds.keys() or not self._detector.exchange(bundle):
            return False
        self._thresholds, self.model = bundle.card.thresholds, bundle.ref
        if self._sight is not None:
            self._sight.judge_by(self._thresholds)
        return True

    def process(self, item: Frame) -> list[Finding]:
        """Takes the next frame and says what follows from it.

        A stream whose picture changes its size starts anew: what was open ends.
        """
        said: list[Finding] = []
        height, width = item.image.shape[:2]
        if self._sight is None or self._sight.size_px != (width, height):
            said += self.finish()
            self._begin((width, height))
        if self._sight is None:
            return said
        self._last_s = item.time_s
        scene = self._sight.look(item)
        if scene is None:
            return said
        self.analysed += bool(scene.looked_px)
        for analyser in self._analysers:
            said += analyser.judge(scene)
        if self._plates is not None:
            said += self._plates.see(item, scene, said)
        if self._counter is not None:
            said += self._counter.see(scene)
        if self._levels is not None:
            said += self._levels.see(scene, said)
        if self._tags is not None:
            said += self._tags.see(item, scene)
        return said

    def finish(self) -> list[Finding]:
        """Ends whatever is still open, at the time of the last frame."""
        if self._last_s is None:
            return []
        said: list[Finding] = [judgement for analyser in self._analysers for judgement in analyser.finish(self._last_s)]
        if self._counter is not None:
            said += self._counter.finish(self._last_s)
        if self._levels is not None:
            said += self._levels.finish(self._last_s)
        return said

    def _begin(self, size_px: tuple[int, int]) -> None:
        self._sight = Sight(self._detector, self._thresholds, size_px)
        view = View(self._site, self._unit, size_px, self._sight.cells, self.model.name)
        self.unjudged = [view.flaw] if view.flaw else []
        self._analysers = []
        for name, (kind, make) in _OF_ZONES.items():
            zones = {key: zone for key, zone in self._site.zones_of(self._unit).items() if isinstance(zone, kind)}
            self._add(name, "zones", zones, view, make)
        self._add("traffic.wrong_way", "lanes", dict(self._site.lanes_of(self._unit)), view, WrongWayAnalyser)
        for name, (kind_of_asset, make) in _OF_ASSETS.items():
            assets = {key: asset for key, asset in self._site.assets_of(self._unit).items() if asset.kind == kind_of_asset}
            self._add(name, "assets", assets, view, make)
        self._sight.wants_flow = any(isinstance(analyser, CrowdSurgeAnalyser) for analyser in self._analysers)
        # Those whose events a plate may show have been added by now.
        of_things = any(isinstance(analyser, _OF_THINGS) for analyser in self._analysers)
        self._plates = PlateMaker(self._detector, size_px, self._sight.cells) if of_things else None
        if "unit.tampered" in self._allowed:
            self._analysers.append(CameraTamperingAnalyser())
        counted = {name: self._counted(view, name) for name in ("flow.count", "level.unusual") if name in self._allowed}
        self._counter = FlowCounter({name: area for name, (_, area) in seen.items()}) if (seen := counted.get("flow.count")) else None
        self._levels = CameraLevels(self._site, self._unit, counted.get("level.unusual", {}), view, self._shelf)
        self._tags = self._tag_reader(view) if "tag.sighting" in self._allowed else None
        for line in self.unjudged:
            _log.warning("not judged", unit=self._unit, what=line)

    def _counted(self, view: View, event: str) -> dict[str, tuple[CameraZone, Area]]:
        """The zones whose people and vehicles can be counted, for one type."""
        seen: dict[str, tuple[CameraZone, Area]] = {}
        for name, zone in self._site.zones_of(self._unit).items():
            if not isinstance(zone, NoiseZone):
                try:
                    seen[name] = (zone, view.area(zone))
                except NotSeen as reason:
                    self.unjudged.append(f"zones.{name}: {event}: {reason}")
        return seen

    def _tag_reader(self, view: View) -> TagSightings | None:
        if self._site.tags is None:
            return None
        if self._site.law.name != "lab" and not self._site.hub_keys:
            why = "`allow` counts under the profile lab only, and without `hub_keys` no signed allowlist can come"
            self.unjudged.append(f"tags: tag.sighting: {why}")
            return None
        return TagSightings(self._allowed_tags, view)

    def _add(
        self, name: str, key: str, drawn: dict[str, Any], view: View, make: Callable[[dict[str, tuple[Any, Area]], View], Analyser]
    ) -> None:
        if name not in self._allowed:
            return
        seen: dict[str, tuple[Any, Area]] = {}
        for place, plan in drawn.items():
            try:
                area = view.area(plan)
            except NotSeen as reason:
                self.unjudged.append(f"{key}.{place}: {name}: {reason}")
                continue
            if name == "crowd.density" and area.area_m2 is None and plan.area_m2 is None:
                self.unjudged.append(f"{key}.{place}: {name}: its area is not known; calibrate the unit, or give `area_m2`")
                continue
            seen[place] = (plan, area)
        if seen:
            self._analysers.append(make(seen, view))

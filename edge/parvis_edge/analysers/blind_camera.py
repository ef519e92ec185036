"""What a unit sees with a lens that is made blind: tags that throw light back, on black.

The exposure is so short that nothing else is visible. That is measured in every picture that is read; one that shows anything else is let
go of unread, and the unit says that it is not dark. No other analyser runs, and no detector is loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version

import structlog
from parvis_contract import ModelRef, Position, Site, StatusReason

from parvis_edge.perception import Finding, Frame
from parvis_edge.vision.darkness import darkness
from parvis_edge.vision.tags import ReadTag

from .tag_sighting import WORN_ERROR_M, WORN_M, TagSightings
from .view import View

_log = structlog.get_logger()

#: As often as a camera that sees is analysed.
_EVERY_S = 0.2


class BlindCameraSense:
    """From dark frames to sightings.

    Args:
        site: The site plan.
        unit: Whose camera it is.
        allowed: Short names of what the legal profile permits.
        allowed_tags: The numbers of tags that may be read at this moment.

    Attributes:
        model: The unit's program: no model is involved.
        analysed: Frames that were read.
        inference_ms: None: nothing is inferred.
        ailment: Why nothing is read: the picture is not dark. None if it is.
        unjudged: What of the site plan this camera does not judge, a line each.
    """

    inference_ms: float | None = None

    def __init__(self, site: Site, unit: str, allowed: frozenset[str], allowed_tags: Callable[[], frozenset[int]]) -> None:
        self._site, self._unit = site, unit
        self._allowed_tags = allowed_tags if "tag.sighting" in allowed else frozenset
        self._view: View | None = None
        self._sightings: TagSightings | None = None
        self._read_s: float | None = None
        self.model = ModelRef(name="parvis-edge", version=version("parvis-edge"))
        self.analysed = 0
        self.ailment: StatusReason | None = None
        drawn = [f"zones.{name}" for name in site.zones_of(unit)] + [f"lanes.{name}" for name in site.lanes_of(unit)]
        drawn += [f"assets.{name}" for name in site.assets_of(unit)]
        self.unjudged = [f"{name}: the camera is blind (`tags.retro_reflective`)" for name in drawn]

    def process(self, item: Frame) -> list[Finding]:
        """Takes the next frame and says which allowed tags it shows."""
        if self._read_s is not None and item.time_s - self._read_s < _EVERY_S:
            return []
        self._read_s = item.time_s
        measured = darkness(item.image)
        ailment = None if measured.dark else StatusReason.NOT_DARK
        if ailment != self.ailment:
            self.ailment = ailment
            tell = _log.info if measured.dark else _log.error
            tell("the picture is dark" if measured.dark else "the picture is not dark: nothing is read", measured=str(measured))
        if not measured.dark:
            return []
        self.analysed += 1
        height, width = item.image.shape[:2]
        if self._view is None or self._sightings is None or self._view.size_px != (width, height):
            self._view = View(self._site, self._unit, (width, height), (width, height), self.model.name)
            self._sightings = TagSightings(self._allowed_tags, self._view)
        view = self._view

        def place(tag: ReadTag) -> Position | None:
            return view.position_below(tag.centre_px, WORN_M, WORN_ERROR_M)

        return [*self._sightings.tell(item.time_s, item.image, [(0, 0, width, height)], place)]

    def finish(self) -> list[Finding]:
        """Nothing is ever open."""
        return []

"""What a unit sees with: joins perception to the analysers that the site plan asks for and the legal profile permits."""

from __future__ import annotations

from parvis_contract import ModelRef, Site

from parvis_edge.bundle import Bundle
from parvis_edge.perception import Frame, Judgement
from parvis_edge.vision.detector import Detector


class CameraSense:
    """From frames to judgements.

    Args:
        site: The site plan.
        unit: Whose camera it is.
        allowed: Short names of the event types that the legal profile permits for a camera. An analyser of another type is never made.
        bundle: The detector.

    Attributes:
        model: The detector's name and version.
        analysed: Frames for which the detector has been run.
        inference_ms: A smoothed time of one run of the detector; None before the first.
        unjudged: What of the site plan this unit cannot judge, and why; a line each.
    """

    def __init__(self, site: Site, unit: str, allowed: frozenset[str], bundle: Bundle) -> None:
        if "camera" not in site.units[unit].senses:
            raise ValueError(f"{unit} has no camera; its `senses` in {site.path} are {', '.join(site.units[unit].senses)}")
        self._allowed = allowed
        self._detector = Detector(bundle)
        self.model: ModelRef = bundle.ref
        self.analysed = 0
        self.inference_ms: float | None = None
        self.unjudged: list[str] = []

    def process(self, item: Frame) -> list[Judgement]:
        """Takes the next frame and says what follows from it."""
        del item
        return []

    def finish(self) -> list[Judgement]:
        """Ends whatever is still open, at the time of the last frame."""
        return []

"""`person.on_ground`: somebody is lying still where people walk."""

from __future__ import annotations

from parvis_contract import WalkedZone

from parvis_edge.perception import Judgement
from parvis_edge.vision.area import Area
from parvis_edge.vision.sight import Scene

from .view import Lasting, View


class PersonOnGroundAnalyser:
    """Judges the walked zones of one view."""

    def __init__(self, zones: dict[str, tuple[WalkedZone, Area]], view: View) -> None:
        self._zones = zones
        self._view = view
        self._lasting = Lasting("person.on_ground", view.model)

    def judge(self, scene: Scene) -> list[Judgement]:
        """Takes the next scene."""
        return []

    def finish(self, time_s: float) -> list[Judgement]:
        """Ends what is open."""
        return self._lasting.finish(time_s)

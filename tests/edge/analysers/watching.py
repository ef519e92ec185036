"""Puts one analyser before a rendered street."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from parvis_contract import Site, load_site
from parvis_edge.analysers.view import Analyser, View
from parvis_edge.perception import Judgement

from tests.edge.vision.rendered import BEGAN_S, ColourDetector, Image, Street, scenes, sight_of

SIZE = (640, 360)
WHOLE = [[0, 0], [640, 0], [640, 360], [0, 360]]


def plan(size: tuple[int, int] = SIZE, unit: dict[str, Any] | None = None, **entries: dict[str, Any]) -> Site:
    """A site plan with one camera; zones and lanes in its picture unless they have a `polygon`."""
    placed = {
        kind: {name: entry if "polygon" in entry else {"unit": "u1", "image_size": list(size), **entry} for name, entry in table.items()}
        for kind, table in entries.items()
    }
    whole = {
        "site": "test",
        "profile": "lab",
        "origin": {"lon": 5.37, "lat": 43.296},
        "units": {"u1": {"position": {"lon": 5.37, "lat": 43.296}, "senses": ["camera"], **(unit or {})}},
        **placed,
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "site.yaml"
        path.write_text(yaml.safe_dump(whole))
        return load_site(path)


def judged(
    make: Callable[[dict[str, Any], View], Analyser],
    site: Site,
    paint: Callable[[Street, float], Image | None],
    seconds: float,
    detector: ColourDetector | None = None,
    *,
    rate_hz: float = 5.0,
) -> list[Judgement]:
    """All that an analyser says of a street that is painted for each moment."""
    street = Street(SIZE)
    sight = sight_of(street, detector)
    view = View(site, "u1", SIZE, sight.cells, "colours")
    drawn = {**site.zones_of("u1"), **site.lanes_of("u1"), **site.assets_of("u1")}
    analyser = make({name: (entry, view.area(entry)) for name, entry in drawn.items()}, view)
    said: list[Judgement] = []
    for scene in scenes(sight, lambda s: paint(street, s), seconds, rate_hz):
        said += analyser.judge(scene)
    return said + analyser.finish(BEGAN_S + seconds)


def phases(said: list[Judgement]) -> list[tuple[str, float]]:
    """Starts and ends, with their seconds since the beginning."""
    return [(judgement.phase.value, round(judgement.time_s - BEGAN_S, 1)) for judgement in said if judgement.phase.value != "update"]

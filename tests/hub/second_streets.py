"""The second city's streets: walls between them, units with and without calibration, and the log of what they say."""

from __future__ import annotations

import json
import math
import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from parvis_contract import derived_id, format_time
from shapely import LineString, Polygon, STRtree

Point = tuple[float, float]
Node = tuple[int, int]

START = datetime(2026, 11, 1, 16, 0, tzinfo=UTC)
HOUR_S, BLOCK_M = 3_600.0, 85.0
#: On the far side of the 180th meridian's line, and of the equator.
LON, LAT = 179.9991, -41.29
AIR_C = 11.0
SPEED_M_S = 331.3 * math.sqrt(1.0 + AIR_C / 273.15)
_M_PER_DEG = math.pi / 180.0 * 6_378_137.0
#: WGS 84's curvature along the meridian and across it, at this latitude.
_BEND = 1.0 - 0.00669438 * math.sin(math.radians(LAT)) ** 2
_NORTH_M, _EAST_M = _M_PER_DEG * (1 - 0.00669438) / _BEND**1.5, _M_PER_DEG / math.sqrt(_BEND) * math.cos(math.radians(LAT))


def to_deg(place: Point) -> list[float]:
    """Metres east and north of the origin, as longitude and latitude."""
    lon = LON + place[0] / _EAST_M
    return [round(lon - 360.0 if lon > 180.0 else lon, 8), round(LAT + place[1] / _NORTH_M, 8)]


def to_m(lon: float, lat: float) -> Point:
    return ((lon - LON + 180.0) % 360.0 - 180.0) * _EAST_M, (lat - LAT) * _NORTH_M


@dataclass
class Unit:
    """A unit. A clock that runs free is off by up to three seconds, the same all hour, and says that it is free."""

    name: str
    place: Point
    height_m: float
    range_m: float
    senses: list[str]
    calibrated: bool
    source: str
    sigma_ms: float
    off_s: float
    #: How much farther off its places are than it says, and where to.
    bias: tuple[float, float]
    lines: int = 0


@dataclass
class Leg:
    """One walkway that a walker took, and when units saw a tag on it for certain."""

    walkway: str
    from_s: float
    to_s: float
    seen_s: list[float] = field(default_factory=list)


@dataclass
class City:
    """Streets, units, what happened and what was said of it."""

    rng: random.Random
    lines: dict[str, tuple[Node, Node]]
    corners: dict[Node, Point]
    walls: STRtree
    units: list[Unit]
    #: By type: of each event, the number of the thing that it is of.
    truth: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    #: Of each gunshot its place, and the units that heard it, by the thing's number.
    shots: dict[int, tuple[Point, set[str]]] = field(default_factory=dict)
    walks: dict[int, list[Leg]] = field(default_factory=dict)
    arrivals: list[tuple[float, int, str]] = field(default_factory=list)
    _things: int = 0

    def thing(self) -> int:
        self._things += 1
        return self._things

    def walls_between(self, one: Point, other: Point) -> int:
        return len(self.walls.query(LineString([one, other]), predicate="crosses"))

    def seeing(self, place: Point) -> list[Unit]:
        cameras = [unit for unit in self.units if "camera" in unit.senses and math.dist(unit.place, place) <= unit.range_m]
        return [unit for unit in cameras if not self.walls_between(unit.place, place)]

    def somewhere(self) -> Point:
        """On a street, a few metres from its middle."""
        one, other = (self.corners[node] for node in self.lines[self.rng.choice(sorted(self.lines))])
        share = self.rng.random()
        return tuple(a + (b - a) * share + self.rng.uniform(-3, 3) for a, b in zip(one, other, strict=True))  # type: ignore[return-value]

    def in_view(self) -> Point:
        return next(place for place in iter(self.somewhere, None) if self.seeing(place))

    def located(self, unit: Unit, place: Point, sigma_m: float) -> dict[str, float]:
        """Where a unit says that something is: its own place and range, where it is not calibrated."""
        said, known_m = unit.place, unit.range_m
        if unit.calibrated:
            noise = [sigma_m / math.sqrt(2) * (off + self.rng.gauss(0, 0.8)) for off in unit.bias]
            said, known_m = (place[0] + noise[0], place[1] + noise[1]), sigma_m
        lon, lat = to_deg(said)
        return {"lon": lon, "lat": lat, "uncertainty_m": round(known_m, 2)}

    def say(self, unit: Unit, kind: str, at_s: float, data: dict[str, Any], *, sent_s: float | None = None) -> str:
        """Puts a line into the log: late, twice now and then, in the unit's own time; its id is returned."""
        unit.lines += 1
        heard_s = at_s + unit.off_s + self.rng.gauss(0, min(unit.sigma_ms, 4.0) / 1e3)
        id_ = str(derived_id(START.timestamp() + heard_s, unit.name, str(unit.lines)))
        if data.get("phase") == "start":
            data = data | {"event": id_}
        whole = data | {"sequence": unit.lines, "clock": {"source": unit.source, "uncertainty_ms": round(unit.sigma_ms, 3)}}
        line = json.dumps(
            {
                "specversion": "1.0",
                "id": id_,
                "source": f"urn:parvis:second:{unit.name}",
                "type": f"org.parvis.{kind}.v1",
                "time": format_time(START + timedelta(seconds=heard_s)),
                "datacontenttype": "application/json",
                "data": whole,
            }
        )
        for _ in range(2 if self.rng.random() < 0.08 else 1):
            late_s = self.rng.expovariate(3.0) + (self.rng.uniform(1, 40) if self.rng.random() < 0.05 else 0.0)
            self.arrivals.append(((at_s if sent_s is None else sent_s) + late_s, len(self.arrivals), line))
        return id_

    def event(self, phase: str, position: dict[str, float], measure: dict[str, Any], event: str | None = None) -> dict[str, Any]:
        said = {"phase": phase, "position": position, "measure": measure, "confidence": round(self.rng.betavariate(8, 2), 3)}
        return said | {"model": {"name": "a-model", "version": "1.0.0"}} | ({"event": event} if event else {})

    def write(self, folder: Path) -> None:
        """The site plan and the walkways."""
        units = {
            unit.name: {
                "position": dict(zip(("lon", "lat"), to_deg(unit.place), strict=True)),
                "height_m": unit.height_m,
                "senses": unit.senses,
                "range_m": unit.range_m,
            }
            for unit in self.units
        }
        plan = {"site": "second", "profile": "lab", "timezone": "Pacific/Auckland", "origin": {"lon": LON, "lat": LAT}}
        plan |= {"temperature_c": AIR_C, "units": units, "walkways": "walkways.geojson"}
        (folder / "site.yaml").write_text(yaml.safe_dump(plan))
        features = [
            {
                "type": "Feature",
                "id": name,
                "properties": {},
                "geometry": {"type": "LineString", "coordinates": [to_deg(self.corners[node]) for node in nodes]},
            }
            for name, nodes in self.lines.items()
        ]
        (folder / "walkways.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))


def make_city(seed: int, *, units: int = 40) -> City:
    """Six by five corners; some streets are missing, some blocks are parks that one crosses."""
    rng = random.Random(seed)
    corners = {(i, j): (BLOCK_M * i + rng.uniform(-9, 9), BLOCK_M * j + rng.uniform(-9, 9)) for i in range(6) for j in range(5)}
    pairs = [(at, to) for at in corners for to in ((at[0] + 1, at[1]), (at[0], at[1] + 1)) if to in corners and rng.random() < 0.9]
    blocks = []
    for i, j in corners:
        around = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)]
        if not all(node in corners for node in around):
            continue
        if rng.random() < 0.2:
            pairs.append(((i, j), (i + 1, j + 1)))
            continue
        middle = tuple(sum(corners[node][k] for node in around) / 4.0 for k in (0, 1))
        blocks.append(Polygon([tuple(m + 0.78 * (c - m) for c, m in zip(corners[node], middle, strict=True)) for node in around]))
    city = City(rng, {f"w{k:03d}": pair for k, pair in enumerate(pairs)}, corners, STRtree(blocks), [])
    while len(city.units) < units:
        place = city.somewhere()
        if all(math.dist(place, unit.place) > 25.0 for unit in city.units):
            city.units.append(_unit(rng, f"u{len(city.units):03d}", place))
    return city


def _unit(rng: random.Random, name: str, place: Point) -> Unit:
    senses = rng.choices([["camera", "microphone"], ["microphone"], ["camera"]], [6, 2, 2])[0]
    free = rng.random() < 0.1
    off_s = rng.choice((-1, 1)) * math.exp(rng.uniform(math.log(0.05), math.log(3.0))) if free else 0.0
    # Of those that run free, some know how far off they may be and some do not.
    sigma_ms = rng.choice((20.0, 1_000.0 * abs(off_s))) if free else rng.uniform(0.3, 4.0)
    bold = 2.0 if rng.random() < 0.15 else 1.0
    bias = (bold * rng.gauss(0, 0.6), bold * rng.gauss(0, 0.6))
    source = "free" if free else rng.choice(("gnss", "ptp", "ntp"))
    calibrated = "camera" in senses and rng.random() < 0.7
    return Unit(
        name, place, round(rng.uniform(3, 6), 1), rng.choice((30.0, 40.0, 60.0, 80.0)), senses, calibrated, source, sigma_ms, off_s, bias
    )

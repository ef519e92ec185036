"""A city to test in: streets with units whose clocks are wrong in every way, and a log of what they say, with known truth.

What happens in it stands in :mod:`tests.hub.scenes`, what an answer is worth in :mod:`tests.hub.score`. ``python -m tests.hub.city``
prints the scores of the correlator over some cities, of one kind of scene after the other.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parvis_contract import (
    Clock,
    ClockSource,
    Envelope,
    EventData,
    Incident,
    Measure,
    ModelRef,
    Phase,
    Position,
    Site,
    derived_id,
    load_site,
    make_message,
    to_datetime,
    unit_source,
)
from parvis_hub.correlate import Correlator

from tests.hub.street import ORIGIN, SITE, START_S, to_deg

Point = tuple[float, float]


@dataclass(frozen=True)
class Unit:
    """One unit.

    Attributes:
        name, place_m: Which, and where.
        source, stated_ms: What its clock says of itself.
        sigma_ms, offset_s: What it is off by, each time anew and always.
        hears_m: How far away it hears, as its site plan says.
        calibrated: Whether it knows where on the ground it sees something.
    """

    name: str
    place_m: Point
    source: ClockSource
    stated_ms: float
    sigma_ms: float
    offset_s: float
    hears_m: float
    calibrated: bool


@dataclass(frozen=True)
class Truth:
    """One thing that happened: its number, type, and where it was at which times."""

    number: int
    type: str
    path: tuple[tuple[float, Point], ...]


@dataclass
class City:
    """Units and what they said.

    Attributes:
        messages: In order of arrival: late ones, lost ones, some twice.
        truth: For each event that has a message, the number of what happened.
        happened: What did, by number.
        echoes: Of which share of impulses that a unit hears it tells an echo besides.
    """

    rng: random.Random
    units: list[Unit]
    size_m: Point
    site: Site
    messages: list[Envelope[Any]] = field(default_factory=list)
    truth: dict[str, int] = field(default_factory=dict)
    happened: list[Truth] = field(default_factory=list)
    echoes: float = 0.0
    _sequences: dict[str, int] = field(default_factory=dict)
    _arrivals: list[tuple[float, int, Envelope[Any]]] = field(default_factory=list)

    def happens(self, type: str, path: Iterable[tuple[float, Point]]) -> int:
        """Notes something that happens; returns its number."""
        self.happened.append(Truth(len(self.happened), type, tuple(path)))
        return len(self.happened) - 1

    def anywhere(self, margin_m: float = 0.0) -> Point:
        return self.rng.uniform(-margin_m, self.size_m[0] + margin_m), self.rng.uniform(-margin_m, self.size_m[1] + margin_m)

    def near(self, place_m: Point, within_m: float) -> list[Unit]:
        """The units within so far, the nearest first."""
        return sorted((u for u in self.units if math.dist(u.place_m, place_m) <= within_m), key=lambda u: math.dist(u.place_m, place_m))

    def say(  # noqa: PLR0917
        self,
        unit: Unit,
        type: str,
        phase: Phase,
        at_s: float,
        measure: Measure,
        place_m: Point,
        sigma_m: float,
        number: int,
        event: Envelope[Any] | None = None,
        *,
        lossy: bool = True,
    ) -> Envelope[Any]:
        """One message, with the error of the unit's clock; where links are lossy it may be lost, late or sent twice."""
        heard_s = at_s + unit.offset_s + self.rng.gauss(0, unit.sigma_ms / 1e3)
        sequence = self._sequences.get(unit.name, 0)
        self._sequences[unit.name] = sequence + 1
        lon, lat = to_deg(*place_m)
        data: EventData[Any] = EventData[measure.__class__](  # type: ignore[name-defined]
            phase=phase,
            event=event.id if event is not None else None,
            sequence=sequence,
            confidence=round(self.rng.uniform(0.6, 0.95), 2),
            position=Position(lon=round(lon, 7), lat=round(lat, 7), uncertainty_m=round(sigma_m, 2)),
            clock=Clock(source=unit.source, uncertainty_ms=unit.stated_ms),
            model=ModelRef(name="a-model", version="1.0.0"),
            measure=measure,
        )
        message = make_message(
            type,
            source=unit_source(SITE, unit.name),
            time=to_datetime(heard_s),
            data=data,
            id=derived_id(heard_s, unit.name, str(sequence)),
        )
        if lossy and self.rng.random() < 0.03:
            return message
        for _ in range(2 if lossy and self.rng.random() < 0.05 else 1):
            late_s = self.rng.expovariate(1 / 0.1) + (self.rng.uniform(0, 120) if lossy and self.rng.random() < 0.05 else 0.0)
            self._arrivals.append((at_s + late_s, len(self._arrivals), message))
        self.truth[str(message.event_id)] = number
        return message

    def arrive(self) -> None:
        """Puts the messages in order of arrival, after all has happened."""
        self.messages = [message for _, _, message in sorted(self._arrivals, key=lambda arrival: arrival[:2])]


def make_city(seed: int, *, side: int = 6, spacing_m: float | None = None) -> City:
    """``side`` × ``side`` units on street corners and between; nothing has happened yet.

    One clock in ten runs free: half of those say so, by a fifth of a second to three, and half are off by more than they say. One more
    in fifty is kept by another and lies.
    """
    rng = random.Random(seed)
    spacing_m = spacing_m or rng.uniform(50.0, 100.0)
    units = [
        _unit(rng, f"u{index:03}", (index % side * spacing_m, index // side * spacing_m), spacing_m / 8.0) for index in range(side * side)
    ]
    extent_m = spacing_m * (side - 1)
    return City(rng, units, (extent_m, extent_m), _site(units))


def _unit(rng: random.Random, name: str, grid_m: Point, jitter_m: float) -> Unit:
    place_m = grid_m[0] + rng.uniform(-jitter_m, jitter_m), grid_m[1] + rng.uniform(-jitter_m, jitter_m)
    calibrated, hears_m = rng.random() < 0.85, 250.0
    kind = rng.random()
    if kind < 0.05:
        stated_ms = round(rng.choice([rng.uniform(20.0, 300.0), rng.uniform(300.0, 3_000.0)]), 1)
        return Unit(name, place_m, ClockSource.FREE, stated_ms, 1.0, rng.gauss(0, stated_ms / 1e3), hears_m, calibrated)
    if kind < 0.10:
        offset_s = rng.choice([-1, 1]) * rng.uniform(0.03, 0.6)
        return Unit(name, place_m, ClockSource.FREE, round(rng.uniform(1.0, 5.0), 2), 1.0, offset_s, hears_m, calibrated)
    if kind < 0.12:
        return Unit(name, place_m, ClockSource.NTP, 1.0, 1.0, rng.choice([-1, 1]) * rng.uniform(0.03, 0.1), hears_m, calibrated)
    sigma_ms = round(rng.uniform(0.3, 4.0), 2)
    return Unit(name, place_m, ClockSource.NTP, sigma_ms, sigma_ms, 0.0, hears_m, calibrated)


def _site(units: Iterable[Unit]) -> Site:
    lines = [f"site: {SITE}", "profile: lab", f"origin: {{lon: {ORIGIN[0]}, lat: {ORIGIN[1]}}}", "temperature_c: 15", "units:"]
    for unit in units:
        lon, lat = to_deg(*unit.place_m)
        lines += [
            f"  {unit.name}:",
            f"    position: {{lon: {lon:.7f}, lat: {lat:.7f}}}",
            "    senses: [camera, microphone]",
            f"    range_m: {unit.hears_m}",
        ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "site.yaml"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return load_site(path)


def answer(city: City) -> list[Incident]:
    """The incidents of a city's messages."""
    correlator = Correlator(city.site)
    for message in city.messages:
        correlator.add(message)
    correlator.advance(round((START_S + 1e6) * 1e6))
    return [change.incident for change in correlator.changes() if change.incident is not None]


def main() -> None:
    """Prints the scores over some cities, and how many messages a second were correlated."""
    from tests.hub.scenes import SCENES, random_city
    from tests.hub.score import Score

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--cities", type=int, default=6)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--scenes", type=int, default=12)
    parser.add_argument("--echoes", type=float, default=0.0)
    parser.add_argument("kinds", nargs="*", default=list(SCENES), help=f"of: {', '.join(SCENES)}")
    arguments = parser.parse_args()
    for kind in arguments.kinds:
        score, messages, spent_s = Score(), 0, 0.0
        for seed in range(arguments.first, arguments.first + arguments.cities):
            city = random_city(seed, kind, arguments.scenes, echoes=arguments.echoes)
            began_s = time.process_time()
            incidents = answer(city)
            spent_s += time.process_time() - began_s
            messages += len(city.messages)
            score.add(city, incidents)
        sys.stdout.write(f"{kind:12} {messages:6} messages {messages / spent_s:6.0f}/s  {score}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

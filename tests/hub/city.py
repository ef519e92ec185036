"""Cities of impulses with known truth, and what a correlator's answer is worth: ``python -m tests.hub.city``.

Walls give echoes, clocks are wrong by what they say or lie, guns fire bursts, fireworks go off elsewhere, arrivals are missing.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from parvis_contract import (
    Clock,
    ClockSource,
    Envelope,
    EventData,
    ImpulseClass,
    Incident,
    LocatedBy,
    ModelRef,
    Phase,
    Position,
    Site,
    SoundImpulse,
    derived_id,
    load_site,
    make_message,
    to_datetime,
    unit_source,
)
from parvis_hub.correlate import Correlator

from tests.hub.street import M_PER_DEG_EAST, M_PER_DEG_NORTH, ORIGIN, SITE, START_S, b_cubed, to_deg

Point = tuple[float, float]
_SOUND_M_S = 340.27
_HEIGHT_M = 3.0
_ECHO_SHARE, _MISSING_SHARE, _FREE_SHARE = 1 / 8, 0.08, 0.1


@dataclass(frozen=True)
class Unit:
    """One unit: its place, what its clock says of itself, and what it is off by."""

    name: str
    place_m: Point
    source: ClockSource
    stated_ms: float
    sigma_ms: float
    offset_s: float


@dataclass
class City:
    """Units and what they heard.

    Attributes:
        messages: All, in order of time.
        truth: For each event, the number of the sound.
        places_m: For each sound, where it was.
    """

    site: Site
    messages: list[Envelope[Any]] = field(default_factory=list)
    truth: dict[str, int] = field(default_factory=dict)
    places_m: list[Point] = field(default_factory=list)


#: What happens: single shots, several within a second, an automatic weapon's burst, a shot while fireworks go off elsewhere.
KINDS = ("shot", "shot", "shots", "burst", "fireworks")


def make_city(seed: int, *, side: int = 6, scenes: int = 30, kinds: Sequence[str] = KINDS) -> City:  # noqa: C901  # a script
    """A quarter of ``side`` × ``side`` units, 40 to 120 m apart, and a scene of sounds of these kinds every 20 s."""
    rng = random.Random(seed)
    spacing_m = rng.uniform(50.0, 100.0)
    units = [_unit(rng, f"u{index:03}", (index % side * spacing_m, index // side * spacing_m)) for index in range(side * side)]
    city = City(_site(units))
    sequences = dict.fromkeys((unit.name for unit in units), 0)

    def anywhere() -> Point:
        return rng.uniform(0, spacing_m * (side - 1)), rng.uniform(0, spacing_m * (side - 1))

    def sound(at_s: float, place_m: Point, kind: ImpulseClass, range_m: float) -> None:
        number = len(city.places_m)
        city.places_m.append(place_m)
        for unit in units:
            path_m = math.hypot(math.dist(place_m, unit.place_m), _HEIGHT_M)
            if path_m > range_m or rng.random() < _MISSING_SHARE:
                continue
            detour_m = rng.uniform(4.0, 50.0) if rng.random() < _ECHO_SHARE else 0.0
            onset_ms = rng.uniform(0.2, 1.0)
            heard_s = at_s + (path_m + detour_m) / _SOUND_M_S + unit.offset_s + rng.gauss(0, math.hypot(unit.sigma_ms, onset_ms) / 1e3)
            sequence = sequences[unit.name]
            sequences[unit.name] += 1
            lon, lat = to_deg(*unit.place_m)
            data: EventData[Any] = EventData[SoundImpulse](
                phase=Phase.INSTANT,
                event=None,
                sequence=sequence,
                confidence=round(rng.uniform(0.6, 0.95), 2),
                position=Position(lon=round(lon, 7), lat=round(lat, 7), uncertainty_m=250.0),
                clock=Clock(source=unit.source, uncertainty_ms=unit.stated_ms),
                model=ModelRef(name="a-model", version="1.0.0"),
                measure=SoundImpulse(
                    sound_class=kind,
                    lcpeak_db=round(150 - 20 * math.log10(path_m) + rng.gauss(0, 4), 1),
                    onset_uncertainty_ms=round(onset_ms, 2),
                ),
            )
            message = make_message(
                "sound.impulse",
                source=unit_source(SITE, unit.name),
                time=to_datetime(heard_s),
                data=data,
                id=derived_id(heard_s, unit.name, str(sequence)),
            )
            city.messages.append(message)
            city.truth[str(message.id)] = number

    for scene in range(scenes):
        at_s = START_S + 20.0 * scene + rng.uniform(0, 5)
        what, place_m, range_m = rng.choice(kinds), anywhere(), rng.uniform(150.0, 400.0)
        if what == "burst":
            for number in range(rng.randint(3, 6)):
                sound(at_s + 0.1 * number, place_m, ImpulseClass.GUNSHOT, range_m)
        elif what == "shots":
            for _ in range(rng.randint(2, 4)):
                sound(at_s + rng.uniform(0, 1), anywhere(), ImpulseClass.GUNSHOT, rng.uniform(150.0, 400.0))
        else:
            sound(at_s, place_m, ImpulseClass.GUNSHOT, range_m)
        if what == "fireworks":
            show_m = anywhere()
            for _ in range(4):
                sound(at_s + rng.uniform(-1, 2), show_m, ImpulseClass.FIREWORK, 250.0)
    city.messages.sort(key=lambda message: (message.time, message.id))
    return city


def _unit(rng: random.Random, name: str, grid_m: Point) -> Unit:
    place_m = grid_m[0] + rng.uniform(-10, 10), grid_m[1] + rng.uniform(-10, 10)
    if rng.random() >= _FREE_SHARE:
        sigma_ms = round(rng.uniform(0.3, 4.0), 2)
        return Unit(name, place_m, ClockSource.NTP, sigma_ms, sigma_ms, 0.0)
    if rng.random() < 0.5:
        stated_ms = round(rng.uniform(20.0, 200.0), 1)
        return Unit(name, place_m, ClockSource.FREE, stated_ms, 1.0, rng.gauss(0, stated_ms / 1e3))
    return Unit(name, place_m, ClockSource.FREE, round(rng.uniform(1.0, 5.0), 2), 1.0, rng.choice([-1, 1]) * rng.uniform(0.03, 0.6))


def _site(units: Iterable[Unit]) -> Site:
    lines = [f"site: {SITE}", "profile: lab", f"origin: {{lon: {ORIGIN[0]}, lat: {ORIGIN[1]}}}", "temperature_c: 15", "units:"]
    for unit in units:
        lon, lat = to_deg(*unit.place_m)
        lines += [f"  {unit.name}:", f"    position: {{lon: {lon:.7f}, lat: {lat:.7f}}}", "    senses: [microphone]", "    range_m: 250"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "site.yaml"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return load_site(path)


@dataclass
class Score:
    """What the answers are worth.

    Attributes:
        precision, recall: B-cubed, over events; one per city.
        errors_m: Of the incidents located that hold most of a sound heard by four or more.
        held: Whether twice the ellipse held each of them.
        unlocated: Of sounds heard by four or more, those not located.
        heard: How many there are.
    """

    precision: list[float] = field(default_factory=list)
    recall: list[float] = field(default_factory=list)
    errors_m: list[float] = field(default_factory=list)
    held: list[bool] = field(default_factory=list)
    unlocated: int = 0
    heard: int = 0

    def add(self, city: City, incidents: Iterable[Incident]) -> None:
        """Judges one city."""
        said = list(incidents)
        precision, recall = b_cubed(city.truth, [[str(event) for event in incident.events] for incident in said])
        self.precision.append(precision)
        self.recall.append(recall)
        of_event = {str(event): incident for incident in said for event in incident.events}
        for number, place_m in enumerate(city.places_m):
            events = [event for event, other in city.truth.items() if other == number]
            if len(events) < 4:
                continue
            self.heard += 1
            votes = [of_event[event] for event in events]
            incident = max(votes, key=lambda each: sum(other is each for other in votes))
            if incident.located_by is not LocatedBy.MULTILATERATION or incident.position.ellipse is None:
                self.unlocated += 1
                continue
            lon, lat = to_deg(*place_m)
            east_m = (incident.position.lon - lon) * M_PER_DEG_EAST
            north_m = (incident.position.lat - lat) * M_PER_DEG_NORTH
            ellipse = incident.position.ellipse
            turn = math.radians(ellipse.bearing_deg)
            along_m = east_m * math.sin(turn) + north_m * math.cos(turn)
            across_m = east_m * math.cos(turn) - north_m * math.sin(turn)
            self.errors_m.append(math.hypot(east_m, north_m))
            major_m, minor_m = max(ellipse.semi_major_m, 0.01), max(ellipse.semi_minor_m, 0.01)
            self.held.append(math.hypot(along_m / (2 * major_m), across_m / (2 * minor_m)) <= 1.0)

    def __str__(self) -> str:
        cities, errors_m = len(self.precision), sorted(self.errors_m)
        return (
            f"P {sum(self.precision) / cities:.4f}  R {sum(self.recall) / cities:.4f}  "
            f"median {median(errors_m):.2f} m  p90 {errors_m[int(0.9 * len(errors_m))]:.2f} m  "
            f"within 5 m {sum(error <= 5.0 for error in errors_m) / self.heard:.3f}  "
            f"covered {sum(self.held) / len(self.held):.3f}  unlocated {self.unlocated}/{self.heard}"
        )


def answer(city: City) -> list[Incident]:
    """The incidents of a city's messages."""
    correlator = Correlator(city.site)
    for message in city.messages:
        correlator.add(message)
    correlator.advance(round((START_S + 1e6) * 1e6))
    return [change.incident for change in correlator.changes() if change.incident is not None]


def main() -> None:
    """Prints the score and the rate over so many cities."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--cities", type=int, default=8)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--side", type=int, default=6)
    arguments = parser.parse_args()
    for kinds in (KINDS, *((kind,) for kind in dict.fromkeys(KINDS))):
        score, messages, spent_s = Score(), 0, 0.0
        for seed in range(arguments.first, arguments.first + arguments.cities):
            city = make_city(seed, side=arguments.side, kinds=kinds, scenes=10 if len(kinds) == 1 else 30)
            began_s = time.process_time()
            incidents = answer(city)
            spent_s += time.process_time() - began_s
            messages += len(city.messages)
            score.add(city, incidents)
        name = kinds[0] if len(kinds) == 1 else "all"
        sys.stdout.write(f"{name:10} {messages:6} arrivals {messages / spent_s:5.0f}/s  {score}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

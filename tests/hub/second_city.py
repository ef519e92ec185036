"""A second city, made apart from the first, from the contract alone: ``python -m tests.hub.second_city`` prints what the hub makes of it.

Streets with walls between them, units with and without calibration, one log of everything that happens in an hour: written out as a site
plan, walkways and lines of JSON, and told by what `parvis-hub replay` is made of. Nothing here is shared with the simulator of
`tests.hub.city` but the measure of grouping, so that a mistake in one of the two does not hide the same mistake in the hub.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from parvis_contract import Envelope, Incident, Route, load_site
from parvis_hub.consent.router import Router
from parvis_hub.intake.replay import Replayed, replay

from tests.hub.second_streets import HOUR_S, SPEED_M_S, START, City, Leg, Point, Unit, make_city, to_deg, to_m
from tests.hub.street import b_cubed


def bang(city: City, at_s: float, kind: str, loud_db: float) -> None:
    """Heard by whom its level reaches through the walls; one arrival in eight is an echo, in place of the direct sound or besides."""
    rng, place, thing = city.rng, city.somewhere(), city.thing()
    heard = set()
    for unit in city.units:
        away_m = math.hypot(math.dist(place, unit.place), unit.height_m - 1.5)
        level_db = loud_db - 20.0 * math.log10(away_m) - 12.0 * min(2, city.walls_between(place, unit.place)) + rng.gauss(0, 2)
        if "microphone" not in unit.senses or level_db < 78.0 or rng.random() < 0.08:
            continue
        heard.add(unit.name)
        echo_s = rng.uniform(0.005, 0.2) if rng.random() < 0.125 else 0.0
        for late_s in {echo_s} if rng.random() < 0.5 else {0.0, echo_s}:
            onset_ms = rng.uniform(0.3, 3.0)
            said = kind if rng.random() < 0.95 else rng.choice(("firework", "crash"))
            measure = {"sound_class": said, "lcpeak_db": round(level_db - 20.0 * late_s, 1), "onset_uncertainty_ms": round(onset_ms, 2)}
            lon, lat = to_deg(unit.place)
            data = city.event("instant", {"lon": lon, "lat": lat, "uncertainty_m": unit.range_m}, measure)
            id_ = city.say(unit, "sound.impulse", at_s + away_m / SPEED_M_S + late_s + rng.gauss(0, onset_ms / 1e3), data)
            city.truth["sound.impulse"][id_] = thing
    if kind == "gunshot":
        city.shots[thing] = place, heard


def lasting(
    city: City, kind: str, period_s: tuple[float, float], every_s: float, path: Callable[[float], Point], *, measure: Callable[[float], Any]
) -> None:
    """Whoever sees it says so, goes on saying so, and says when it is over or out of sight."""
    rng, thing, (at_s, end_s) = city.rng, city.thing(), period_s
    for unit in (unit for unit in city.units if "camera" in unit.senses and rng.random() > 0.08):
        time_s, event, place = at_s + rng.uniform(0, 2.5), None, path(at_s)
        while event is None or time_s <= end_s:
            visible = time_s <= end_s and unit in city.seeing(path(time_s))
            if not visible and (event is not None or time_s > end_s):
                break
            if visible:
                place = path(time_s)
                sigma_m = max(0.4, 0.03 * math.dist(unit.place, place)) if kind == "object.unattended" else 4.0
                data = city.event("update" if event else "start", city.located(unit, place, sigma_m), measure(time_s - at_s), event)
                said = city.say(unit, kind, time_s, data)
                event = event or said
                city.truth[kind][event] = thing
            time_s += every_s * rng.uniform(0.9, 1.1)
        if event is not None:
            over_s = min(time_s, end_s) + rng.uniform(0, 0.8)
            city.say(unit, kind, over_s, city.event("end", city.located(unit, place, 4.0), measure(over_s - at_s), event))


def bag(city: City, at_s: float, place: Point) -> None:
    def measure(age_s: float) -> dict[str, Any]:
        return {"dwell_s": round(60.0 + age_s, 1), "area_m2": None, "nearest_person_m": None}

    lasting(city, "object.unattended", (at_s, at_s + city.rng.uniform(60, 600)), 20.0, lambda _: place, measure=measure)


def surge(city: City, at_s: float) -> None:
    place, turn, speed_m_s = city.in_view(), city.rng.uniform(0, 2 * math.pi), city.rng.uniform(2.3, 4.5)
    measure = {"speed_m_s": round(speed_m_s, 1), "baseline_speed_m_s": 1.1, "divergence_per_s": 0.1, "area_m2": 80.0}

    def path(time_s: float) -> Point:
        gone_m = speed_m_s * (time_s - at_s)
        return place[0] + gone_m * math.cos(turn), place[1] + gone_m * math.sin(turn)

    lasting(city, "crowd.surge", (at_s, at_s + city.rng.uniform(12, 40)), 2.0, path, measure=lambda _: measure)


def walk(city: City, tag: int) -> None:
    """A quarter of an hour through the streets: a third of them unseen, pauses, misread numbers and now and then a lost tag in view."""
    rng = city.rng
    around = defaultdict(list)
    for name, (one, other) in city.lines.items():
        around[one].append((name, other))
        around[other].append((name, one))
    node, time_s, legs = rng.choice(sorted(around)), rng.uniform(0, HOUR_S / 2), city.walks.setdefault(tag, [])
    last, pace_m_s, end_s = "", rng.uniform(0.8, 1.6), time_s + 900.0
    while time_s < end_s:
        name, to = rng.choice([each for each in around[node] if each[0] != last] or around[node])
        origin, target = city.corners[node], city.corners[to]
        length_m, gone_m, leg, unseen = math.dist(origin, target), 0.0, Leg(name, time_s, time_s), rng.random() < 0.33
        while gone_m < length_m:
            place = tuple(a + (b - a) * gone_m / length_m for a, b in zip(origin, target, strict=True))
            for unit in [] if unseen else city.seeing(place):  # type: ignore[arg-type]
                if rng.random() < 0.5:
                    sighting(city, unit, tag, time_s, place)  # type: ignore[arg-type]
                    if unit.calibrated and unit.source != "free" and 10.0 < gone_m < length_m - 10.0:
                        leg.seen_s.append(time_s)
            time_s += rng.uniform(10, 60) if rng.random() < 0.003 else 1.0
            gone_m += pace_m_s * rng.uniform(0.9, 1.1)
        leg.to_s, last, node = time_s, name, to
        legs.append(leg)
    for many in rng.choice(((), (1,), (1, 1), (1, 10))):
        misread_s, place = rng.uniform(legs[0].from_s, end_s), city.in_view()
        for k in range(many):
            sighting(city, city.seeing(place)[0], tag, misread_s + k, place)


def sighting(city: City, unit: Unit, tag: int, time_s: float, place: Point) -> None:
    city.say(unit, "tag.sighting", time_s, {"tag": tag, "position": city.located(unit, place, 0.3 + 0.01 * math.dist(unit.place, place))})


def live(city: City) -> None:
    """An hour of everything."""
    rng = city.rng
    for _ in range(30):
        bang(city, rng.uniform(0, HOUR_S), "gunshot", rng.uniform(150, 158))
    for kind, loud_db, often in (("firework", 145.0, 10), ("explosion", 160.0, 5), ("glass_breaking", 112.0, 10)):
        for _ in range(often):
            bang(city, rng.uniform(0, HOUR_S), kind, loud_db)
    for number in range(24):
        at_s, place = rng.uniform(60, HOUR_S), city.in_view()
        bag(city, at_s, place)
        if number % 5 == 0:
            turn, apart_m = rng.uniform(0, 2 * math.pi), rng.uniform(4, 8)
            bag(city, at_s + rng.uniform(-40, 90), (place[0] + apart_m * math.cos(turn), place[1] + apart_m * math.sin(turn)))
    for k in range(6):
        surge(city, (k + rng.uniform(0, 0.6)) * HOUR_S / 6)
    for tag in range(1, 9):
        walk(city, tag)


def tell(city: City) -> Replayed:
    """Through files, as `parvis-hub replay` reads them."""
    with tempfile.TemporaryDirectory() as folder:
        city.write(Path(folder))
        site = load_site(Path(folder) / "site.yaml")
        log = [(f"log:{k}", line.encode()) for k, (_, _, line) in enumerate(sorted(city.arrivals))]

        def refuse(place: str, why: Exception) -> None:
            raise AssertionError(f"{place}: {why}")

        return replay(site, log, refuse, Router(site, city.walks))


@dataclass
class Score:
    """Over some cities: grouping by type, places of gunshots, walkways."""

    grouping: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    errors_m: list[float] = field(default_factory=list)
    held: list[bool] = field(default_factory=list)
    walkways: Counter[str] = field(default_factory=Counter)

    def add(self, city: City, said: Replayed) -> None:
        for kind, truth in city.truth.items():
            groups = [
                [str(event) for event in each.data.events if str(event) in truth] for each in said.incidents if each.data.type == kind
            ]
            self.grouping[kind].append(b_cubed(truth, groups))
        by_event = {str(event): incident.data for incident in said.incidents for event in incident.data.events}
        for thing, (place, heard) in city.shots.items():
            events = [event for event, of in city.truth["sound.impulse"].items() if of == thing]
            if len(heard) >= 4:
                self._place(
                    max((by_event[event] for event in events), key=lambda each: len(set(map(str, each.events)) & set(events))), place
                )
        for route in said.routes:
            self._route(city.walks[route.data.tag], route)

    def _place(self, incident: Incident, place: Point) -> None:
        off_m = math.dist(place, to_m(incident.position.lon, incident.position.lat))
        self.errors_m.append(off_m)
        self.held.append(off_m <= 2.0 * incident.position.uncertainty_m)

    def _route(self, legs: list[Leg], route: Envelope[Route]) -> None:
        told = [(each.walkway, (each.entered - START).total_seconds(), (each.left - START).total_seconds()) for each in route.data.segments]

        def met(leg: Leg, name: str, from_s: float, to_s: float) -> bool:
            return leg.walkway == name and leg.from_s - 12.0 <= to_s and from_s <= leg.to_s + 12.0

        self.walkways["told"] += len(told)
        self.walkways["right"] += sum(any(met(leg, *each) for leg in legs) for each in told)
        seen = [leg for leg in legs if leg.seen_s]
        self.walkways["seen"] += len(seen)
        self.walkways["found"] += sum(any(met(leg, *each) for each in told) for leg in seen)

    def lines(self) -> list[str]:
        """What it is, for people."""
        lines = [
            f"{kind}: B-cubed precision {min(p for p, _ in pairs):.3f}, recall {min(r for _, r in pairs):.3f} in the worst city"
            for kind, pairs in self.grouping.items()
        ]
        near = sum(error <= 5.0 for error in self.errors_m) / len(self.errors_m)
        held = sum(self.held) / len(self.held)
        lines.append(f"shots heard by four or more: {len(self.errors_m)}, median error {median(self.errors_m):.2f} m")
        lines.append(f"of them within 5 m: {near:.1%}; within twice the stated uncertainty: {held:.1%}")
        count = self.walkways
        lines.append(f"walkways: precision {count['right'] / count['told']:.4f}, recall of those seen {count['found'] / count['seen']:.4f}")
        return lines


def judge(seeds: range) -> Score:
    """Lives through some cities and scores what the hub says of them."""
    score = Score()
    for seed in seeds:
        city = make_city(seed)
        live(city)
        score.add(city, tell(city))
    return score


def main() -> None:
    """Prints what the hub makes of a few cities."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--cities", type=int, default=3)
    arguments = parser.parse_args()
    sys.stdout.write("\n".join(judge(range(arguments.cities)).lines()) + "\n")


if __name__ == "__main__":
    main()

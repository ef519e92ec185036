"""A street with units on a grid, and what happens there: whole events as their units would report them, with known truth."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parvis_contract import (
    AlarmClass,
    Clock,
    ClockSource,
    CrowdDensity,
    Envelope,
    EventData,
    ImpulseClass,
    Measure,
    ModelRef,
    ObjectUnattended,
    Phase,
    Position,
    Site,
    SoundAlarm,
    SoundImpulse,
    TamperCause,
    UnitTampered,
    derived_id,
    dump_message,
    load_site,
    make_message,
    to_datetime,
    unit_source,
)

SITE = "quay"
ORIGIN = (5.37, 43.296)
M_PER_DEG_NORTH = 111_112.0
M_PER_DEG_EAST = 111_320.0 * math.cos(math.radians(ORIGIN[1])) * 1.0018
START_S = 1_780_000_000.0
SPACING_M = 80.0


def write_site(path: Path, side: int = 4, *, dwell_s: float | None = None, profile: str = "lab", calibrated: bool = True) -> Site:
    """A site plan of ``side`` × ``side`` calibrated units, 80 m apart, as a file; and read. Without calibration it is a fifth as long."""
    lines = [f"site: {SITE}", f"profile: {profile}", f"origin: {{lon: {ORIGIN[0]}, lat: {ORIGIN[1]}}}", "temperature_c: 15", "units:"]
    for index in range(side * side):
        lon, lat = to_deg(*unit_place(index, side))
        corners = ", ".join(
            f"{{px: [{px}, {py}], at: {{lon: {lon + dx * 1e-4:.7f}, lat: {lat + dy * 1e-4:.7f}}}}}"
            for px, py, dx, dy in ((0, 0, -1, 1), (1279, 0, 1, 1), (0, 719, -1, -1), (1279, 719, 1, -1))
        )
        lines += [
            f"  {unit_name(index)}:",
            f"    position: {{lon: {lon:.7f}, lat: {lat:.7f}}}",
            "    senses: [camera, microphone]",
            "    range_m: 60",
            *([f"    ground_plane: {{image_size: [1280, 720], points: [{corners}]}}"] if calibrated else []),
        ]
    if dwell_s is not None:
        lines += ["zones:", f"  hall: {{kind: watched, polygon: [[5.36, 43.29], [5.38, 43.29], [5.38, 43.3]], dwell_s: {dwell_s}}}"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return load_site(path)


def unit_name(index: int) -> str:
    return f"u{index:03}"


def unit_place(index: int, side: int = 4) -> tuple[float, float]:
    return (index % side) * SPACING_M, (index // side) * SPACING_M


def to_deg(east_m: float, north_m: float) -> tuple[float, float]:
    return ORIGIN[0] + east_m / M_PER_DEG_EAST, ORIGIN[1] + north_m / M_PER_DEG_NORTH


@dataclass
class Street:
    """Makes messages, each unit with its own sequence numbers.

    Attributes:
        messages: All, in order of time.
        truth: For each event, the number of what happened.
    """

    rng: random.Random = field(default_factory=lambda: random.Random(1))
    side: int = 4
    messages: list[Envelope[Any]] = field(default_factory=list)
    truth: dict[str, int] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)
    happened: int = 0

    def say(  # noqa: PLR0917
        self,
        unit: str,
        name: str,
        phase: Phase,
        at_s: float,
        measure: Measure,
        place_m: tuple[float, float],
        *,
        sigma_m: float = 1.4,
        event: Envelope[Any] | None = None,
        confidence: float = 0.8,
        clock_ms: float = 2.0,
    ) -> Envelope[Any]:
        sequence = self.sequences.get(unit, 0)
        self.sequences[unit] = sequence + 1
        lon, lat = to_deg(*place_m)
        data: EventData[Any] = EventData[type(measure)](
            phase=phase,
            event=event.id if event is not None else None,
            sequence=sequence,
            confidence=confidence,
            position=Position(lon=round(lon, 7), lat=round(lat, 7), uncertainty_m=sigma_m),
            clock=Clock(source=ClockSource.NTP, uncertainty_ms=clock_ms),
            model=ModelRef(name="a-model", version="1.0.0"),
            measure=measure,
        )
        message = make_message(
            name, source=unit_source(SITE, unit), time=to_datetime(at_s), data=data, id=derived_id(at_s, unit, str(sequence))
        )
        self.messages.append(message)
        if event is None:
            self.truth[str(message.id)] = self.happened
        return message

    def _seen_by(self, place_m: tuple[float, float], within_m: float) -> list[int]:
        return [i for i in range(self.side**2) if math.dist(unit_place(i, self.side), place_m) <= within_m]

    def thing(self, at_s: float, place_m: tuple[float, float], lasts_s: float = 120.0, *, ends: bool = True) -> None:
        """An object is left; every unit within 60 m sees it, each a little elsewhere and a little later."""
        self.happened += 1
        for index in self._seen_by(place_m, 60.0):
            seen_m = (place_m[0] + self.rng.gauss(0, 1.0), place_m[1] + self.rng.gauss(0, 1.0))
            begun_s = at_s + self.rng.uniform(0, 3)
            unit = unit_name(index)

            def measure(dwell_s: float) -> ObjectUnattended:
                return ObjectUnattended(dwell_s=round(dwell_s, 1), area_m2=0.2, nearest_person_m=None)

            start = self.say(unit, "object.unattended", Phase.START, begun_s, measure(60.0), seen_m)
            for after_s in range(70, int(lasts_s), 20):
                self.say(unit, "object.unattended", Phase.UPDATE, begun_s + after_s, measure(after_s), seen_m, event=start)
            if ends:
                self.say(unit, "object.unattended", Phase.END, at_s + lasts_s, measure(lasts_s), seen_m, event=start)

    def shot(self, at_s: float, place_m: tuple[float, float], sound: ImpulseClass = ImpulseClass.GUNSHOT, within_m: float = 200.0) -> None:
        """An impulse; every unit within earshot hears it when the sound reaches it."""
        self.happened += 1
        for index in self._seen_by(place_m, within_m):
            distance_m = math.dist(unit_place(index, self.side), place_m)
            heard_s = at_s + distance_m / 340.27 + self.rng.gauss(0, 0.002)
            measure = SoundImpulse(
                sound_class=sound, lcpeak_db=round(150 - 20 * math.log10(max(1.0, distance_m)), 1), onset_uncertainty_ms=1.0
            )
            self.say(unit_name(index), "sound.impulse", Phase.INSTANT, heard_s, measure, unit_place(index, self.side), sigma_m=60.0)

    def alarm(self, at_s: float, place_m: tuple[float, float], lasts_s: float = 20.0) -> None:
        """A siren, heard within 120 m."""
        self.happened += 1
        for index in self._seen_by(place_m, 120.0):
            laeq_db = round(110 - 20 * math.log10(max(1.0, math.dist(unit_place(index, self.side), place_m))), 1)
            place = unit_place(index, self.side)
            heard_s = at_s + self.rng.uniform(0, 1)
            first = SoundAlarm(sound_class=AlarmClass.SIREN, laeq_db=laeq_db, duration_s=1.0)
            start = self.say(unit_name(index), "sound.alarm", Phase.START, heard_s, first, place, sigma_m=60.0)
            whole = SoundAlarm(sound_class=AlarmClass.SIREN, laeq_db=laeq_db, duration_s=lasts_s)
            self.say(unit_name(index), "sound.alarm", Phase.END, heard_s + lasts_s, whole, place, sigma_m=60.0, event=start)

    def crowd(self, at_s: float, place_m: tuple[float, float], lasts_s: float = 100.0) -> None:
        """A square fills and empties, seen by every unit within 60 m."""
        self.happened += 1
        for index in self._seen_by(place_m, 60.0):
            seen_m = (place_m[0] + self.rng.gauss(0, 3.0), place_m[1] + self.rng.gauss(0, 3.0))
            measure = CrowdDensity(density_p_m2=4.0, area_m2=200.0, count=800, los=None)
            begun_s = at_s + self.rng.uniform(0, 5)
            start = self.say(unit_name(index), "crowd.density", Phase.START, begun_s, measure, seen_m, sigma_m=3.0)
            self.say(unit_name(index), "crowd.density", Phase.END, begun_s + lasts_s, measure, seen_m, sigma_m=3.0, event=start)

    def tampered(self, at_s: float, index: int) -> None:
        """Somebody covers a unit."""
        self.happened += 1
        measure = UnitTampered(cause=TamperCause.COVERED)
        start = self.say(unit_name(index), "unit.tampered", Phase.START, at_s, measure, unit_place(index, self.side))
        self.say(unit_name(index), "unit.tampered", Phase.END, at_s + 15, measure, unit_place(index, self.side), event=start)

    def sorted(self) -> list[Envelope[Any]]:
        """The messages in order of time."""
        return sorted(self.messages, key=lambda message: (message.time, message.id))


def busy_street(seed: int, happenings: int = 12, over_s: float = 400.0, side: int = 4, start_s: float = START_S) -> Street:
    """Things of every kind, here and there."""
    rng = random.Random(seed)
    street = Street(rng, side)
    for _ in range(happenings):
        at_s = start_s + rng.uniform(0, over_s)
        place = (rng.uniform(0, SPACING_M * (side - 1)), rng.uniform(0, SPACING_M * (side - 1)))
        what = rng.choice(["thing", "thing", "shot", "shot", "alarm", "crowd", "tampered"])
        if what == "tampered":
            street.tampered(at_s, rng.randrange(side * side))
        elif what == "thing":
            street.thing(at_s, place, ends=rng.random() < 0.8)
        else:
            getattr(street, what)(at_s, place)
    return street


def lines(messages: list[Envelope[Any]]) -> bytes:
    """A log, one message per line."""
    return b"".join(dump_message(message) + b"\n" for message in messages)


def b_cubed(truth: dict[str, int], groups: list[list[str]]) -> tuple[float, float]:
    """Precision and recall of a grouping, over events (Bagga & Baldwin, 1998)."""
    of_event = {event: set(group) for group in groups for event in group}
    of_truth: dict[int, set[str]] = {}
    for event, number in truth.items():
        of_truth.setdefault(number, set()).add(event)
    precision = recall = 0.0
    for event, number in truth.items():
        common = len(of_event[event] & of_truth[number])
        precision += common / len(of_event[event])
        recall += common / len(of_truth[number])
    return precision / len(truth), recall / len(truth)

"""What the hub assumes of each type of event: how rare it is, how long it lasts and stays quiet, how it moves and how far it reaches."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from parvis_contract import EVENT_TYPES, AlarmClass


@dataclass(frozen=True, slots=True)
class Physics:
    """What is assumed of one type. Physical arguments, not tuned numbers.

    Attributes:
        rarity_per_m2: Other things of this type to the square metre, at one time, where there is one.
        lasts_s: How long one lasts, about.
        together_s: How far apart in time two units notice that the same begins, about.
        quiet_s: How long after its end it may begin again and still be the same.
        stale_s: How long after its last message an event without an end is taken to have ended: its unit may be dead.
        reach_m: The largest distance at which two reports can be of one thing, whatever their uncertainty.
        speed_m_s: How fast it moves where no unit says; 0 for what stays.
        extent_m: Its own size: how far apart two units may rightly say that it is, 1 sigma.
        identity: The field of the measure that must be equal in reports of one thing, or ``unit``: the unit itself; or None.
        worst: The field of the measure that says which report to show of an incident, the largest first; None for the most confident.
        spreads: It spreads or moves and is no person: an incident of it has a course.
        heard: Sensed by microphones, each of which knows no better than its own place.
        audible_m: How far away it is heard, whatever a unit's range is.
    """

    rarity_per_m2: float
    lasts_s: float
    together_s: float
    quiet_s: float
    stale_s: float
    reach_m: float
    speed_m_s: float = 0.0
    extent_m: float = 0.5
    identity: str | None = None
    worst: str | None = None
    spreads: bool = False
    heard: bool = False
    audible_m: float = 0.0

    @property
    def stays(self) -> bool:
        """Whether it stays where it is, or goes no farther than a person in a zone."""
        return self.speed_m_s < _RUNS_M_S


#: What is slower than this is told apart by where it is, what is faster by where it goes.
_RUNS_M_S = 2.0
#: Sound farther away than this is below the noise of a street even for a gunshot (160 dB at 1 m, 60 dB lower at 1 km, and screened).
AUDIBLE_M = 1_000.0

#: An alarm of 115 dB at 1 m is as loud there as a busy street, 70 dB.
_ALARM_M = 150.0

#: What moves turns or changes its speed within about this time.
TURNS_S = 20.0

#: A street's camera or microphone without calibration knows its own range, some 60 m: two of them are at most so far apart.
_TWO_RANGES_M = 150.0

#: An object, a person or a mark: one in a hundred metres square at a time. A crowd, a surge: one in a good part of a square kilometre.
#: An alarm: one in ten of those. Quiet times: how long a detector needs to find again what it has lost, or what moves to come into the
#: next unit's view.
PHYSICS: dict[str, Physics] = {
    "object.unattended": Physics(1e-4, 600.0, 3.0, 30.0, 1_800.0, _TWO_RANGES_M, worst="dwell_s"),
    "furniture.changed": Physics(1e-4, 3_600.0, 10.0, 60.0, 7_200.0, _TWO_RANGES_M, identity="asset", worst="changed_fraction"),
    "surface.marked": Physics(1e-4, 3_600.0, 10.0, 60.0, 7_200.0, _TWO_RANGES_M, identity="asset", worst="changed_fraction"),
    "crowd.density": Physics(1e-5, 600.0, 20.0, 60.0, 900.0, _TWO_RANGES_M, extent_m=5.0, worst="count", spreads=True),
    "crowd.surge": Physics(1e-6, 60.0, 3.0, 180.0, 120.0, 500.0, speed_m_s=3.0, extent_m=5.0, worst="speed_m_s", spreads=True),
    "person.on_ground": Physics(1e-4, 120.0, 3.0, 30.0, 600.0, _TWO_RANGES_M, extent_m=1.0, worst="duration_s"),
    "zone.intrusion": Physics(
        1e-4, 60.0, 3.0, 20.0, 300.0, _TWO_RANGES_M, speed_m_s=1.5, extent_m=1.0, identity="zone", worst="duration_s"
    ),
    "traffic.wrong_way": Physics(1e-6, 10.0, 2.0, 20.0, 60.0, 500.0, speed_m_s=10.0, extent_m=2.0),
    "level.unusual": Physics(1e-5, 3_600.0, 60.0, 300.0, 7_200.0, _TWO_RANGES_M, extent_m=10.0, identity="quantity"),
    "sound.impulse": Physics(1e-6, 1.0, 1.0, 5.0, 0.0, AUDIBLE_M, heard=True),
    "sound.alarm": Physics(
        1e-7,
        60.0,
        10.0,
        30.0,
        300.0,
        600.0,
        speed_m_s=10.0,
        extent_m=20.0,
        identity="sound_class",
        worst="laeq_db",
        spreads=True,
        heard=True,
        audible_m=_ALARM_M,
    ),
    "sound.level": Physics(1e-5, 600.0, 30.0, 120.0, 900.0, 300.0, worst="laeq_db", heard=True),
    "unit.tampered": Physics(1e-4, 60.0, 1.0, 30.0, 7_200.0, _TWO_RANGES_M, identity="unit"),
}
#: A fire alarm or a horn is heard from one place, and by all at once.
_STANDING_ALARM = replace(PHYSICS["sound.alarm"], speed_m_s=0.0, together_s=3.0)
assert PHYSICS.keys() == EVENT_TYPES.keys()  # noqa: S101  # a type without physics would otherwise be found in the street


def physics_of(type: str, identity: str) -> Physics:
    """What is assumed of reports of a type that have this in common: of alarms, a siren alone drives."""
    return _STANDING_ALARM if type == "sound.alarm" and identity != AlarmClass.SIREN else PHYSICS[type]


def speed_of_sound_m_s(temperature_c: float) -> float:
    """In dry air: ``331.3 √(1 + T/273.15)`` (Kinsler et al., Fundamentals of Acoustics); humidity changes it by less than 0.5 %."""
    return 331.3 * math.sqrt(1.0 + temperature_c / 273.15)


def extent_of(type: str, measure: Any) -> float:
    """How large the thing is, as a 1-sigma distance from its middle: of an area, the radius of its circle, halved."""
    physics = PHYSICS[type]
    area_m2 = getattr(measure, "area_m2", None)
    return max(physics.extent_m, 0.5 * math.sqrt(area_m2 / math.pi)) if area_m2 else physics.extent_m

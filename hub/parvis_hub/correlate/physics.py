"""What the hub assumes of each type of event: how long it stays quiet, how far it reaches, how rare it is.

Two reports are of one thing if that explains them better than two things do. If they are of one, the distance between them
follows a normal distribution with the variance of what both state, of the thing's own size, and of how far it can have moved;
if of two, the second may be anywhere, with so many things of the type to the square metre. The ratio of the two densities
decides (a likelihood ratio; Blackman & Popoli, Design and Analysis of Modern Tracking Systems, 1999, chapter 6). It follows that
a vague report joins nothing: a unit that knows no more than its own range cannot tell one thing from another.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from parvis_contract import EVENT_TYPES


@dataclass(frozen=True, slots=True)
class Physics:
    """What is assumed of one type. Physical arguments, not tuned numbers.

    Attributes:
        rarity_per_m2: Other things of this type to the square metre, at one time, where there is one.
        quiet_s: How long after its end it may begin again and still be the same.
        stale_s: How long after its last message an event without an end is taken to have ended: its unit may be dead.
        speed_m_s: How fast it moves, 1 sigma; 0 for what stays.
        extent_m: Its own size: how far apart two units may rightly say that it is, 1 sigma.
        identity: The field of the measure that must be equal in reports of one thing, or ``unit``: the unit itself; or None.
        worst: The field of the measure that says which report to show of an incident, the largest first; None for the most confident.
        heard: Sensed by microphones, each of which knows no better than its own place.
    """

    rarity_per_m2: float
    quiet_s: float
    stale_s: float
    speed_m_s: float = 0.0
    extent_m: float = 0.5
    identity: str | None = None
    worst: str | None = None
    heard: bool = False

    @property
    def reach_m(self) -> float:
        """The largest distance at which two reports can be of one thing, whatever their uncertainty.

        Where ``N(d; S) = rarity``, d² is ``2 S ln(1 / (2π S rarity))``, which is largest for ``S = 1 / (2π e rarity)``.
        """
        return math.sqrt(1.0 / (math.pi * math.e * self.rarity_per_m2))


#: Sound farther away than this is below the noise of a street even for a gunshot (160 dB at 1 m, 60 dB lower at 1 km, and screened).
AUDIBLE_M = 1_000.0
#: An incident of more events than this could not be written into one message of the contract; the next one begins another.
MAX_EVENTS = 1_000

#: An object, a person or a mark: one in a hundred metres square at a time. A crowd, a surge, a siren: one in a good part of a square
#: kilometre. Quiet times: how long a detector needs to find again what it has lost (things: a minute; what moves: seconds).
PHYSICS: dict[str, Physics] = {
    "object.unattended": Physics(1e-4, quiet_s=60.0, stale_s=1_800.0, worst="dwell_s"),
    "furniture.changed": Physics(1e-4, quiet_s=60.0, stale_s=7_200.0, identity="asset", worst="changed_fraction"),
    "surface.marked": Physics(1e-4, quiet_s=60.0, stale_s=7_200.0, identity="asset", worst="changed_fraction"),
    "crowd.density": Physics(1e-5, quiet_s=60.0, stale_s=900.0, speed_m_s=0.5, extent_m=10.0, worst="count"),
    "crowd.surge": Physics(1e-5, quiet_s=20.0, stale_s=120.0, speed_m_s=3.0, extent_m=10.0, worst="speed_m_s"),
    "person.on_ground": Physics(1e-4, quiet_s=30.0, stale_s=600.0, extent_m=1.0, worst="duration_s"),
    "zone.intrusion": Physics(1e-4, 20.0, 300.0, speed_m_s=1.5, extent_m=1.0, identity="zone", worst="duration_s"),
    "traffic.wrong_way": Physics(1e-5, quiet_s=20.0, stale_s=60.0, speed_m_s=10.0, extent_m=2.0),
    "level.unusual": Physics(1e-5, quiet_s=300.0, stale_s=7_200.0, extent_m=10.0, identity="quantity"),
    "sound.impulse": Physics(1.0 / (math.pi * math.e * AUDIBLE_M**2), quiet_s=5.0, stale_s=0.0, heard=True),
    "sound.alarm": Physics(1e-6, 30.0, 300.0, speed_m_s=10.0, extent_m=150.0, identity="sound_class", worst="laeq_db", heard=True),
    "sound.level": Physics(1e-5, quiet_s=120.0, stale_s=900.0, worst="laeq_db", heard=True),
    "unit.tampered": Physics(1e-4, quiet_s=30.0, stale_s=7_200.0, identity="unit"),
}
assert PHYSICS.keys() == EVENT_TYPES.keys()  # noqa: S101  # a type without physics would otherwise be found in the street


def speed_of_sound_m_s(temperature_c: float) -> float:
    """In dry air: ``331.3 √(1 + T/273.15)`` (Kinsler et al., Fundamentals of Acoustics); humidity changes it by less than 0.5 %."""
    return 331.3 * math.sqrt(1.0 + temperature_c / 273.15)


def extent_of(type: str, measure: Any) -> float:
    """How large the thing is, as a 1-sigma distance from its middle: of an area, the radius of its circle, halved."""
    physics = PHYSICS[type]
    area_m2 = getattr(measure, "area_m2", None)
    return max(physics.extent_m, 0.5 * math.sqrt(area_m2 / math.pi)) if area_m2 else physics.extent_m


def log_likelihood_ratio(distance_m: float, variance_m2: float, rarity_per_m2: float) -> float:
    """How much better one thing explains two reports than two things do, as a natural logarithm; 0 is as well.

    Args:
        distance_m: Between the two.
        variance_m2: Of that distance along one axis, if there is one thing.
        rarity_per_m2: Of other things.
    """
    return -math.log(2.0 * math.pi * variance_m2 * rarity_per_m2) - distance_m**2 / (2.0 * variance_m2)

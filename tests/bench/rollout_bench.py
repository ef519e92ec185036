"""How often a rollout is halted for nothing, and how often a jump of event rates is missed, on simulated fleets."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from parvis_hub.rollout.rates import HOUR_US, LOOKS, find_jump

from tests.bench.report import Row
from tests.hub.rollout.fleet import week

#: Events of one unit in an hour: a quiet corner's, and a busy square's.
TYPES = {"crowd.density": 0.6, "object.unattended": 0.1, "sound.impulse": 0.03, "zone.intrusion": 1.5}
SOAK_H, RINGS, ROLLOUTS = 24, (4, 20, 40), 100


class World(NamedTuple):
    """What is simulated.

    Attributes:
        what: In words.
        times: By what the rates change where something was taken.
        city: By what they change everywhere.
        feast: In the 24 hours from a random one of the rollout on; otherwise from the first ring on.
        clump: Mean size of the clumps in which events come.
        days_differ: Standard deviation of a unit's days.
    """

    what: str
    times: float = 1.0
    city: float = 1.0
    feast: bool = False
    clump: float = 3.0
    days_differ: float = 0.0


WORLDS = (
    World("nothing changes"),
    World("nothing changes, events one by one", clump=1.0),
    World("nothing changes, clumps of eight", clump=8.0),
    World("nothing changes, each unit's days differ by a half", days_differ=0.5),
    World("the whole city twice as busy", city=2.0),
    World("the whole city twice as busy for a day", city=2.0, feast=True),
    World("the whole city half as busy for a day", city=0.5, feast=True),
    World("twice as many events", times=2.0),
    World("twice as many events, the city twice as busy for a day", times=2.0, city=2.0, feast=True),
    World("twice as many events, each unit's days differ by a half", times=2.0, days_differ=0.5),
    World("three times as many", times=3.0),
    World("five times as many", times=5.0),
    World("a third as many", times=1 / 3),
    World("no event any more", times=0.0),
)


def halted(world: World, seed: int) -> int | None:
    """In which ring a simulated rollout of 40 units is halted; None if in none."""
    generator = np.random.default_rng(seed)
    begins_h = int(generator.integers(SOAK_H * len(RINGS))) if world.feast else 0
    ends_h = begins_h + 24 if world.feast else SOAK_H * len(RINGS)
    hours, taken = week(
        generator,
        TYPES,
        units=40,
        rings=RINGS,
        soak_h=SOAK_H,
        times=world.times,
        city=world.city,
        city_h=(begins_h, ends_h),
        clump=world.clump,
        days_differ=world.days_differ,
    )
    for number, count in enumerate(RINGS):
        asked = {unit: at_us for unit, at_us in taken.items() if int(unit[1:]) < count}
        ring = [unit for unit in asked if number == 0 or int(unit[1:]) >= RINGS[number - 1]]
        since = asked[ring[0]] // HOUR_US
        for look in range(1, LOOKS + 1):
            until = since + SOAK_H * look // LOOKS
            if find_jump([hour for hour in hours if hour.hour <= until], asked, ring, len(RINGS)) is not None:
                return number + 1
    return None


def rows() -> Iterator[Row]:
    """A hundred rollouts to each: 40 units in rings of 4, 20 and 40, a day each, looked at four times.

    With other seeds at every run, so that no threshold can have been chosen for them; the first line names them.
    """
    first_seed = random.SystemRandom().randrange(1_000_000, 1_000_000_000)
    yield Row("seeds from here on", first_seed, "")
    for world in WORLDS:
        rings = [halted(world, seed) for seed in range(first_seed, first_seed + ROLLOUTS)]
        by_ring = ", ".join(f"{rings.count(ring)} in ring {ring}" for ring in range(1, len(RINGS) + 1))
        yield Row(f"{world.what}: halted ({by_ring})", ROLLOUTS - rings.count(None), f"of {ROLLOUTS}")

"""How often a rollout is halted for nothing, and how often a jump of event rates is missed, on simulated fleets."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
from parvis_hub.rollout.rates import HOUR_US, LOOKS, find_jump

from tests.bench.report import Row
from tests.hub.rollout.fleet import week

#: Events of one unit in an hour: a quiet corner's, and a busy square's.
TYPES = {"crowd.density": 0.6, "object.unattended": 0.1, "sound.impulse": 0.03, "zone.intrusion": 1.5}
SOAK_H, RINGS, ROLLOUTS = 24, (4, 20, 40), 100


def _halts(seed: int, times: float, city: float, clump: float) -> str | None:
    """In which ring a simulated rollout of 40 units is halted; None if in none."""
    generator = np.random.default_rng(seed)
    for number, count in enumerate(RINGS):
        hours, taken = week(generator, TYPES, units=40, taken=count, soak_h=SOAK_H, times=times, city=city, clump=clump)
        since = min(taken.values()) // HOUR_US
        for look in range(1, LOOKS + 1):
            until = since + SOAK_H * look // LOOKS
            if find_jump([hour for hour in hours if hour.hour <= until], taken, len(RINGS)) is not None:
                return f"ring {number + 1}"
    return None


def rows() -> Iterator[Row]:
    """A hundred rollouts to each: 40 units in rings of 4, 20 and 40, a day each, looked at four times; one world after another.

    With other seeds at every run, so that no threshold can have been chosen for them; the first line names them.
    """
    first_seed = random.SystemRandom().randrange(1_000_000, 1_000_000_000)
    yield Row("seeds from here on", first_seed, "")
    worlds = (
        ("nothing changes", 1.0, 1.0, 3.0),
        ("nothing changes, events one by one", 1.0, 1.0, 1.0),
        ("nothing changes, clumps of eight", 1.0, 1.0, 8.0),
        ("the whole city twice as busy", 1.0, 2.0, 3.0),
        ("twice as many events", 2.0, 1.0, 3.0),
        ("three times as many", 3.0, 1.0, 3.0),
        ("five times as many", 5.0, 1.0, 3.0),
        ("a third as many", 1 / 3, 1.0, 3.0),
        ("no event any more", 0.0, 1.0, 3.0),
    )
    for what, times, city, clump in worlds:
        found = [_halts(seed, times, city, clump) for seed in range(first_seed, first_seed + ROLLOUTS)]
        halted = [ring for ring in found if ring is not None]
        first = f"; in the first ring {halted.count('ring 1')}" if halted else ""
        yield Row(f"{what}: halted{first}", len(halted), f"of {ROLLOUTS}")

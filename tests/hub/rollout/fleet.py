"""Simulated fleets: units that take what they are asked or not, and events that come in clumps, by day and night."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from parvis_contract import ModelRef, UnitState
from parvis_hub.rollout import Order, ReleaseTarget, Rollout, new_rollout
from parvis_hub.rollout.decide import Step, UnitNow, sent, step
from parvis_hub.rollout.rates import UnitHour


def _version(version: str) -> ReleaseTarget:
    return ReleaseTarget(model=ModelRef(name="eye", version=version), sha256=version[2] * 64)


OLD, NEW = _version("1.0.0"), _version("1.1.0")
SECOND_US, HOUR_US = 1_000_000, 3_600_000_000
START_US = 1_780_000_000 * SECOND_US


def rollout(count: int, soak_s: float = 3600.0, **more: object) -> Rollout:
    units = [f"u{number:03}" for number in range(count)]
    order = Order(NEW, OLD, units, soak_s=soak_s)
    return new_rollout(replace(order, **more), uuid.UUID(int=1), START_US)  # type: ignore[arg-type]


@dataclass
class Fleet:
    """Units that obey within a minute, but for those that a test changes."""

    rollout: Rollout
    now_us: int = START_US

    def __post_init__(self) -> None:
        healthy = UnitNow(present=True, state=UnitState.HEALTHY, versions={"eye": "1.0.0"}, inference_ms=20.0)
        self.units = dict.fromkeys(self.rollout.members, healthy)
        self.asked: list[str] = []
        self.acts: list[str] = []
        #: How a unit is once it has taken the new version.
        self.after: dict[str, UnitNow] = {}
        self.counter = 0

    def run(self, hours: float, every_s: float = 60.0) -> Rollout:
        """Goes on for so long."""
        for _ in range(max(1, round(hours * 3600 / every_s))):
            self.now_us += round(every_s * SECOND_US)
            self.take(step(self.rollout, self.units, self.now_us))
        return self.rollout

    def take(self, done: Step) -> None:
        """Does what a step asks."""
        self.rollout = done.rollout
        self.acts += [act.value for act in done.acts]
        for unit in done.send:
            self.asked.append(unit)
            self.counter += 1
            self.rollout = sent(self.rollout, unit, self.counter, self.units[unit], self.now_us)
            version = self.rollout.aim.model.version  # type: ignore[union-attr]
            taken = self.after.get(unit) if version == "1.1.0" else None
            taken = taken or replace(self.units[unit], versions={"eye": version}, acknowledged=True, refused=None)
            self.units[unit] = replace(taken, counter=self.counter)


def week(
    generator: np.random.Generator,
    rates_per_h: Mapping[str, float],
    *,
    units: int,
    rings: Sequence[int],
    soak_h: int,
    times: float = 1.0,
    city: float = 1.0,
    city_h: tuple[int, int] = (0, 10_000),
    clump: float = 3.0,
    days_differ: float = 0.0,
) -> tuple[list[UnitHour], dict[str, int]]:
    """Seven days, then units take something, ring by ring; nobody's rates change but as told.

    Events follow the day (three times as many at noon as at night), differ between units, and come in clumps of `clump` in the mean.

    Args:
        generator: Chance.
        rates_per_h: Of each type, mean of a unit.
        units: How many there are.
        rings: How many have taken something once a ring has.
        soak_h: Hours from one ring to the next, and after the last.
        times: By what the rates change where something was taken.
        city: By what they change everywhere in some hours.
        city_h: From when until when, since the first ring.
        clump: Mean size of the clumps; 1 is Poisson's.
        days_differ: Standard deviation of a unit's days, each by itself, as a share of their mean.
    """
    first = START_US // HOUR_US
    begun = first + 7 * 24
    since = {number: begun + soak_h * sum(number >= count for count in rings) for number in range(rings[-1])}
    all_hours = np.arange(first, begun + soak_h * len(rings) + 1)
    noon = 1.0 - 0.5 * np.cos(2 * math.pi * (all_hours % 24) / 24)
    busy = np.where((city_h[0] < all_hours - begun) & (all_hours - begun <= city_h[1]), city, 1.0)
    hours = []
    for number in range(units):
        own = generator.gamma(4.0, 0.25)
        of_day = generator.gamma(days_differ**-2, days_differ**2, len(all_hours) // 24 + 1) if days_differ else np.ones(len(all_hours))
        changed = np.where(all_hours > since.get(number, all_hours[-1]), times, 1.0)
        mean = own * noon * busy * changed * of_day[(all_hours - first) // 24]
        counts = {}
        for name, rate_per_h in rates_per_h.items():
            clumps = generator.poisson(rate_per_h * mean / clump)
            # So many clumps, each of a geometric number.
            counts[name] = clumps + np.where(clumps > 0, generator.negative_binomial(np.maximum(clumps, 1), 1 / clump), 0)
        hours += [
            UnitHour(f"u{number:03}", int(hour), 3600.0, {name: int(count[at]) for name, count in counts.items() if count[at]})
            for at, hour in enumerate(all_hours)
        ]
    return hours, {f"u{number:03}": at * HOUR_US for number, at in since.items()}

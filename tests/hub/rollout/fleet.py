"""Simulated fleets: units that take what they are asked or not, and events that come in clumps, by day and night."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
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
    taken: int,
    soak_h: int,
    times: float = 1.0,
    city: float = 1.0,
    clump: float = 3.0,
) -> tuple[list[UnitHour], dict[str, int]]:
    """Seven days, then `taken` units take something and soak for so long; nobody's rates change but as told.

    Events follow the day (three times as many at noon as at night), differ between units, and come in clumps of `clump` in the mean.

    Args:
        generator: Chance.
        rates_per_h: Of each type, mean of a unit.
        units, taken: How many there are, and have taken something.
        soak_h: Hours since.
        times: By what the rates change where something was taken.
        city: By what they change everywhere in these hours.
        clump: Mean size of the clumps; 1 is Poisson's.
    """
    first = START_US // HOUR_US
    hours, since = [], first + 7 * 24
    for number in range(units):
        own = generator.gamma(4.0, 0.25)
        for hour in range(first, since + soak_h + 1):
            day = 1.0 - 0.5 * math.cos(2 * math.pi * (hour % 24) / 24)
            events = {}
            for name, rate_per_h in rates_per_h.items():
                mean = rate_per_h * own * day * (city if hour > since else 1.0) * (times if hour > since and number < taken else 1.0)
                clumps = generator.poisson(mean / clump)
                events[name] = int(generator.geometric(1 / clump, clumps).sum()) if clumps else 0
            hours.append(UnitHour(f"u{number:03}", hour, 3600.0, {name: count for name, count in events.items() if count}))
    return hours, {f"u{number:03}": since * HOUR_US for number in range(taken)}

"""Weeks on a square, minute by minute, drawn at random: people who come and stay a while, and what is heard of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from parvis_contract import LevelQuantity, Phase
from parvis_contract.site import Unusual
from parvis_edge.analysers.baseline import Series
from parvis_edge.analysers.level_unusual import LevelWatch
from parvis_edge.perception import Judgement

PARIS = ZoneInfo("Europe/Paris")
#: A Monday; the clocks go forward on 29 March and back on 25 October 2026.
BEGAN = datetime(2026, 2, 2, tzinfo=PARIS)
#: How long people stay, in minutes, and how much one day differs from another of its kind: rain, school, trade fairs.
STAY_MIN, DAYS_DIFFER = 3, 0.2
#: Of quiet, and of each person present, in decibels; and how much a minute's level varies with the same people.
QUIET_DB, PERSON_DB, MINUTE_DB = 42.0, 48.0, 1.5

#: How many times as many people as usual come at a moment; None: nothing is seen.
Twist = Callable[[datetime], float | None]


def series(quantity: LevelQuantity = LevelQuantity.PERSON_COUNT, **other: str) -> Series:
    """The square's."""
    return Series(
        **({"site": "quay", "unit": "u001", "zone": "square", "timezone": "Europe/Paris", "drawn": "a"} | other), quantity=quantity
    )


def people(at: datetime, busy: float) -> float:
    """How many are there on average: nobody much at night, a peak at noon and in the evening, a market on Sunday morning."""
    hour = at.hour + at.minute / 60
    weekend = at.weekday() >= 5
    noon, evening = math.exp(-(((hour - 12.5) / 2.0) ** 2)), math.exp(-(((hour - 19.0) / 2.5) ** 2))
    market = 1.2 * math.exp(-(((hour - 10.0) / 1.5) ** 2)) if at.weekday() == 6 else 0.0
    return busy * (0.02 + (0.5 if weekend else 0.8) * noon + (1.0 if weekend else 0.7) * evening + market)


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute."""

    at: datetime
    time_s: float
    usual: float
    count: float
    laeq_db: float


def minutes(weeks: float, seed: int, busy: float = 40.0, growth: float = 0.0, twist: Twist = lambda _: 1.0) -> Iterator[Minute]:
    """The minutes that were seen.

    Args:
        weeks: How many.
        seed: Of what is drawn at random.
        busy: People at a peak.
        growth: Of the people, per week.
        twist: What is not usual.
    """
    draw = np.random.default_rng(seed)
    hours = range(-1, math.ceil(weeks * 168))
    began = BEGAN.astimezone(UTC)
    local = [(began + timedelta(hours=hour)).astimezone(PARIS) for hour in hours]
    ats = [at.replace(minute=minute) for at in local for minute in range(60)]
    usual = np.array([people(at, busy) for at in ats]) * (1.0 + growth) ** ((np.arange(len(ats)) - 60) / 10_080)
    days = {at.date(): float(draw.lognormal(0.0, DAYS_DIFFER)) for at in local}
    times = [twist(at) for at in ats]
    mean = usual * np.array([days[at.date()] for at in local]).repeat(60) * np.array([1.0 if each is None else each for each in times])
    # Whoever comes stays for as long as everybody: at any moment, a Poisson number is there.
    present = np.convolve(draw.poisson(mean / STAY_MIN), np.ones(STAY_MIN, np.int64))[: len(ats)]
    present[mean == 0.0] = 0
    laeq_db = 10 * np.log10(10 ** (QUIET_DB / 10) + present * 10 ** (PERSON_DB / 10)) + draw.normal(0.0, MINUTE_DB, len(ats))
    for index in range(60, len(ats)):
        if times[index] is not None:
            time_s = began.timestamp() + (index - 60) * 60.0
            yield Minute(ats[index], time_s, float(usual[index]), float(present[index]), float(laeq_db[index]))


def watch(shelf: object = None, thresholds: Unusual | None = None, quantity: LevelQuantity = LevelQuantity.PERSON_COUNT) -> LevelWatch:
    """What judges the square."""
    return LevelWatch(series(quantity), thresholds or Unusual(), shelf, None, None)  # type: ignore[arg-type]


def judged(over: Iterator[Minute], by: LevelWatch, quantity: LevelQuantity = LevelQuantity.PERSON_COUNT) -> list[Judgement]:
    """All that is said of some minutes."""
    said = []
    for minute in over:
        said += by.judge(minute.time_s, minute.laeq_db if quantity is LevelQuantity.LAEQ_DB else minute.count)
    return said


def starts(said: list[Judgement]) -> list[Judgement]:
    """The starts alone."""
    return [judgement for judgement in said if judgement.phase is Phase.START]

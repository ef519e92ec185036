"""How often `level.unusual` is wrong, and what it finds, over simulated months on a square.

Simulated (`tests/edge/analysers/weeks.py`): days that differ by a fifth, weekends, a market, the clocks going forward, 1 % more people
every week. Two weeks are learned and twelve are judged, with the defaults of the site plan. Found is counted on half an hour a day, at a
random time, in which three times as many people come, or nobody.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np
import structlog
from parvis_contract import LevelQuantity
from scipy.stats import beta, chi2

from tests.bench.report import Row
from tests.edge.analysers.weeks import BEGAN, PARIS, Twist, judged, minutes, people, starts, watch

PEOPLE, SOUND = LevelQuantity.PERSON_COUNT, LevelQuantity.LAEQ_DB
WEEKS, LEARNED, SEEDS, GROWTH = 14, 2, 4, 0.01
MONTH_WEEKS = 365.25 / 12 / 7
LASTS = timedelta(minutes=30)


def rows() -> Iterator[Row]:
    """Simulates, and gives the lines."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    months = SEEDS * (WEEKS - LEARNED) / MONTH_WEEKS
    for what, busy, quantity in (
        ("busy square, people", 40.0, PEOPLE),
        ("quiet lane, people", 6.0, PEOPLE),
        ("busy square, sound", 40.0, SOUND),
    ):
        false = sum(len(starts(judged(minutes(WEEKS, seed, busy, GROWTH), watch(quantity=quantity), quantity))) for seed in range(SEEDS))
        low = chi2.ppf(0.025, 2 * false) / 2 / months if false else 0.0
        high = chi2.ppf(0.975, 2 * false + 2) / 2 / months
        yield Row(f"{what}: false alarms in {months:.0f} months", false / months, "a month", f"95 %: {low:.2f} to {high:.2f}")
    for what, times, least in (
        ("three times as many", 3.0, 20.0),
        ("three times as many", 3.0, 8.0),
        ("nobody", 0.0, 20.0),
        ("nobody", 0.0, 10.0),
    ):
        found, there = 0, 0
        for seed in range(SEEDS):
            whens = _whens(seed, least)
            said = [judgement.time_s for judgement in starts(judged(minutes(WEEKS, seed, 40.0, GROWTH, _twist(whens, times)), watch()))]
            there += len(whens)
            found += sum(any(0 <= time_s - when.timestamp() <= LASTS.total_seconds() for time_s in said) for when in whens)
        low, high = beta.ppf(0.025, found, there - found + 1), beta.ppf(0.975, found + 1, there - found)
        yield Row(
            f"{what}, half an hour, where {least:.0f} or more are usual: found of {there}",
            found / there,
            "",
            f"95 %: {low:.2f} to {high:.2f}",
        )


def _whens(seed: int, least: float) -> list[datetime]:
    """One time a day at which at least so many people, and at most twice as many, are usual."""
    draw = np.random.default_rng(1000 + seed)
    found = []
    for day in range(7 * LEARNED, 7 * WEEKS - 1):
        midnight = (BEGAN + timedelta(days=day)).astimezone(PARIS)
        usual = [at for minute in range(0, 1410, 10) if least <= people(at := midnight + timedelta(minutes=minute), 40.0) <= 2 * least]
        if usual:
            found.append(usual[int(draw.integers(len(usual)))])
    return found


def _twist(whens: list[datetime], times: float) -> Twist:
    by_day = {when.date(): when for when in whens}

    def twist(at: datetime) -> float:
        when = by_day.get(at.date())
        return times if when is not None and when <= at < when + LASTS else 1.0

    return twist

"""Cities of impulses: echoes, wrong clocks, sounds at nearly the same time; told apart, located, whatever the order of arrival."""

from __future__ import annotations

import random

import pytest
from parvis_hub.correlate import Correlator

from tests.hub.city import City, Score, answer, make_city


@pytest.mark.parametrize(
    ("kind", "least"),
    [("shot", 0.98), ("shots", 0.85), ("burst", 0.85), ("fireworks", 0.8)],
)
def test_sounds_are_told_apart_and_located(kind: str, least: float) -> None:
    score = Score()
    for seed in (11, 12):
        city = make_city(seed, side=5, scenes=6, kinds=(kind,))
        score.add(city, answer(city))
    assert min(sum(score.precision), sum(score.recall)) / 2 >= least, score
    errors_m = sorted(score.errors_m)
    assert errors_m[len(errors_m) // 2] <= 1.5, score
    assert sum(error_m <= 5.0 for error_m in errors_m) >= 0.85 * score.heard, score
    assert sum(score.held) >= 0.85 * len(score.held), score


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_arrival_makes_no_difference_in_a_city(seed: int) -> None:
    city = make_city(seed, side=4, scenes=4)
    expected = {incident.incident: incident for incident in answer(city)}
    rng = random.Random(seed)
    others = city.messages + rng.choices(city.messages, k=len(city.messages) // 3)
    rng.shuffle(others)
    correlator = Correlator(city.site)
    said = {}
    for number, message in enumerate(others):
        correlator.add(message)
        if number % 61 == 0:
            said |= {change.id: change.incident for change in correlator.changes()}
    correlator.advance(10**18)
    said |= {change.id: change.incident for change in correlator.changes()}
    assert {name: incident for name, incident in said.items() if incident is not None} == expected


def test_one_unit_is_in_an_incident_of_an_impulse_once() -> None:
    city: City = make_city(5, side=4, scenes=5)
    assert all(len(incident.units) == len(incident.events) for incident in answer(city))

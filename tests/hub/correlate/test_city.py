"""Cities of everything: echoes, wrong clocks, things side by side, crowds that run on; whatever the order of arrival."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from parvis_contract import ClockSource
from parvis_hub.correlate import Correlator

from tests.hub.city import City, answer, make_city
from tests.hub.scenes import play, random_city
from tests.hub.score import Score


@pytest.mark.parametrize(
    ("kind", "least"),
    [("shot", 0.98), ("shots", 0.95), ("burst", 0.92), ("pistol", 0.98), ("fireworks", 0.95)],
)
def test_sounds_are_told_apart_and_located(kind: str, least: float) -> None:
    score = Score()
    city = random_city(11, kind, 6, side=5)
    score.add(city, answer(city))
    assert min(*score.precision, *score.recall) >= least, score
    errors_m = sorted(score.errors_m)
    assert errors_m[len(errors_m) // 2] <= 1.5, score
    assert sum(error_m <= 5.0 for error_m in errors_m) >= 0.85 * len(errors_m), score
    assert sum(score.held) >= 0.85 * len(score.held), score


@pytest.mark.parametrize(
    ("kind", "least"),
    [
        ("object", 0.98),
        ("pair", 0.95),
        ("replaced", 0.98),
        ("fallen", 0.95),
        ("surge", 0.98),
        ("surges", 0.95),
        ("crowd", 0.98),
        ("siren", 0.98),
        ("sirens", 0.95),
    ],
)
def test_what_is_seen_and_what_moves_is_told_apart(kind: str, least: float) -> None:
    score = Score()
    for seed in (21, 22, 23):
        city = random_city(seed, kind, 6, side=5)
        score.add(city, answer(city))
    assert min(sum(score.precision), sum(score.recall)) / 3 >= least, score


@pytest.mark.parametrize("kind", ["shots", "pair", "surges", "sirens"])
def test_the_order_of_arrival_makes_no_difference_in_a_city(kind: str) -> None:
    city = random_city(7, kind, 4, side=4)
    expected = {incident.incident: incident for incident in answer(city)}
    rng = random.Random(3)
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


def test_one_unit_is_in_an_incident_of_an_impulse_once_and_with_its_echoes() -> None:
    city: City = random_city(5, "shots", 5, side=4)
    said = {str(message.id): message for message in city.messages}
    for incident in answer(city):
        first: dict[str, float] = {}
        for event in sorted(map(str, incident.events), key=lambda event: said[event].time):
            message = said[event]
            assert message.time.timestamp() - first.setdefault(message.unit, message.time.timestamp()) <= 0.25


def test_an_echo_told_of_besides_is_of_the_sound_and_moves_it_nowhere() -> None:
    alone, echoing = (random_city(3, "shot", 5, side=5, echoes=echoes) for echoes in (0.0, 0.3))
    score = Score()
    score.add(echoing, answer(echoing))
    assert len(echoing.truth) > 1.1 * len(alone.truth)
    assert min(*score.precision, *score.recall) >= 0.98, score
    assert sorted(score.errors_m)[len(score.errors_m) // 2] <= 1.5, score


@pytest.mark.parametrize("offset_s", [-4.0, 0.4, 2.5])
def test_a_clock_that_is_always_wrong_by_the_same_is_found_by_what_it_heard(offset_s: float) -> None:
    city = make_city(1, side=5)
    wrong = next(unit for unit in city.units if unit.source is ClockSource.NTP)
    city.units = [replace(unit, offset_s=offset_s) if unit is wrong else unit for unit in city.units]
    play(city, "shot", 8)
    score = Score()
    score.add(city, answer(city))
    assert min(*score.precision, *score.recall) >= 0.99, score


def test_what_comes_after_a_clock_was_learned_is_taken_by_it_too() -> None:
    city = make_city(1, side=5)
    wrong = next(unit for unit in city.units if unit.source is ClockSource.NTP)
    city.units = [replace(unit, offset_s=0.4) if unit is wrong else unit for unit in city.units]
    play(city, "shot", 8)
    expected = {incident.incident: incident for incident in answer(city)}
    correlator = Correlator(city.site)
    said = {}
    for number, message in enumerate(city.messages):
        correlator.add(message)
        if number % 20 == 0:
            said |= {change.id: change.incident for change in correlator.changes()}
    correlator.advance(10**18)
    said |= {change.id: change.incident for change in correlator.changes()}
    assert {name: incident for name, incident in said.items() if incident is not None} == expected

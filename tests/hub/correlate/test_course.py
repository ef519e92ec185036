"""The course of what moves: known ways, seen by one unit after the other."""

from __future__ import annotations

import pytest
from parvis_hub.correlate.physics import PHYSICS

from tests.hub.city import answer
from tests.hub.scenes import random_city
from tests.hub.score import Score


# Of a siren each unit knows no more than that it is within earshot.
@pytest.mark.parametrize(("kind", "within_m", "speed_off", "held"), [("surge", 5.0, 0.2, 0.95), ("siren", 100.0, 0.9, 0.7)])
def test_a_course_is_where_and_as_fast_as_it_was(kind: str, within_m: float, speed_off: float, held: float) -> None:
    score = Score()
    for seed in (31, 32):
        city = random_city(seed, kind, 5, side=6)
        score.add(city, answer(city))
    errors_m, speeds = sorted(score.course_errors_m), sorted(score.speed_errors)
    assert errors_m[len(errors_m) // 2] <= within_m, score
    assert speeds[len(speeds) // 2] <= speed_off, score
    assert sum(score.held) >= held * len(score.held), score
    assert sum(score.speed_held) >= held * len(score.speed_held), score


@pytest.mark.parametrize("kind", ["surge", "crowd", "siren"])
def test_a_course_goes_with_time_and_is_short_enough_to_send(kind: str) -> None:
    for incident in answer(random_city(33, kind, 5, side=6)):
        times = [point.time for point in incident.course or ()]
        assert times == sorted(times)
        assert len(times) <= 100


@pytest.mark.parametrize("kind", ["object", "fallen", "shot"])
def test_what_stays_and_who_lies_has_none(kind: str) -> None:
    assert all(incident.course is None for incident in answer(random_city(33, kind, 4, side=4)))


def test_a_person_in_a_closed_zone_has_no_course() -> None:
    assert {name for name, physics in PHYSICS.items() if physics.spreads} == {"crowd.surge", "crowd.density", "sound.alarm"}

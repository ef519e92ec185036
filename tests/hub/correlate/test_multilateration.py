"""Locating a sound: against simulated arrivals whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from parvis_hub.correlate.multilateration import TWO_SIGMA_95, Arrival, Place, multilaterate, speed_of_sound_m_s

AIR_C = 20.0


def heard(
    source_m: tuple[float, float],
    units_m: list[tuple[float, float]],
    *,
    seed: int = 0,
    sigma_s: float = 0.001,
    echoes: dict[int, float] | None = None,
    offsets: dict[int, float] | None = None,
) -> list[Arrival]:
    random = np.random.default_rng(seed)
    speed = speed_of_sound_m_s(AIR_C)
    arrivals = []
    for index, (x, y) in enumerate(units_m):
        path_m = float(np.hypot(np.hypot(source_m[0] - x, source_m[1] - y), 3.0)) + (echoes or {}).get(index, 0.0)
        time_s = 1_782_000_000.0 + path_m / speed + float(random.normal(0.0, sigma_s)) + (offsets or {}).get(index, 0.0)
        arrivals.append(Arrival(x, y, 4.4, time_s, sigma_s))
    return arrivals


def error_m(place: Place, source_m: tuple[float, float]) -> float:
    return float(np.hypot(place.x_m - source_m[0], place.y_m - source_m[1]))


SQUARE = [(-60.0, -50.0), (55.0, -60.0), (60.0, 50.0), (-50.0, 60.0), (0.0, 70.0), (80.0, 5.0)]


def test_the_speed_of_sound_is_the_published_one() -> None:
    assert speed_of_sound_m_s(0.0) == pytest.approx(331.3)
    assert speed_of_sound_m_s(20.0) == pytest.approx(343.2, abs=0.1)


@pytest.mark.parametrize("source_m", [(0.0, 0.0), (20.0, -30.0), (-45.0, 40.0)])
def test_good_clocks_give_a_place_within_its_own_uncertainty(source_m: tuple[float, float]) -> None:
    (place, *_) = multilaterate(heard(source_m, SQUARE), temperature_c=AIR_C)
    assert error_m(place, source_m) < 2.0
    assert place.checked
    assert place.share > 0.95
    assert 0.05 < place.ellipse()[0] < 3.0


@pytest.mark.parametrize(("index", "detour_m"), [(0, 8.0), (3, 25.0), (5, 40.0)])
def test_an_echo_is_found_and_left_out(index: int, detour_m: float) -> None:
    source_m = (10.0, 5.0)
    (place, *_) = multilaterate(heard(source_m, SQUARE, echoes={index: detour_m}), temperature_c=AIR_C)
    assert error_m(place, source_m) < 2.5
    assert place.trusted[index] < 0.2
    assert min(trust for other, trust in enumerate(place.trusted) if other != index) > 0.5


@pytest.mark.parametrize("offset_s", [-0.8, -0.05, 0.4])
def test_a_clock_that_lies_is_found_and_left_out(offset_s: float) -> None:
    source_m = (-10.0, 12.0)
    (place, *_) = multilaterate(heard(source_m, SQUARE, offsets={1: offset_s}), temperature_c=AIR_C)
    assert error_m(place, source_m) < 2.5
    assert place.trusted[1] < 0.2


def test_three_units_give_a_place_that_nothing_checks() -> None:
    places = multilaterate(heard((5.0, 5.0), SQUARE[:3]), temperature_c=AIR_C)
    assert not places[0].checked


def test_two_places_where_the_geometry_allows_two() -> None:
    row = [(-60.0, 0.0), (-20.0, 0.0), (20.0, 0.0), (60.0, 0.0)]
    places = multilaterate(heard((10.0, 40.0), row), temperature_c=AIR_C)
    best = sorted(places, key=lambda place: -place.share)[:2]
    assert {round(place.y_m / 40.0) for place in best} == {-1, 1}
    assert best[0].share < 0.7


def test_of_two_places_one_is_likelier_where_units_around_the_other_heard_nothing() -> None:
    row = [(-60.0, 0.0), (-20.0, 0.0), (20.0, 0.0), (60.0, 0.0)]
    silent = [(-40.0, -60.0), (10.0, -50.0), (50.0, -40.0)]
    best = multilaterate(heard((10.0, 40.0), row), temperature_c=AIR_C, silent_m=silent)[0]
    assert best.y_m == pytest.approx(40.0, abs=3.0)
    assert best.share > 0.6


def test_a_clock_that_follows_no_other_is_doubted_sooner() -> None:
    source_m, wrong = (10.0, 5.0), {1: 0.02}
    said, free = (
        multilaterate([replace(each, free=k == 1 and follows_none) for k, each in enumerate(arrivals)], temperature_c=AIR_C)[0]
        for arrivals in [heard(source_m, SQUARE[:5], offsets=wrong, sigma_s=0.004)]
        for follows_none in (False, True)
    )
    assert free.trusted[1] < said.trusted[1]


def test_fewer_than_three_arrivals_give_none() -> None:
    assert multilaterate(heard((0.0, 0.0), SQUARE[:2]), temperature_c=AIR_C) == []


def test_a_sigma_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match="sigma_s"):
        multilaterate([Arrival(0, 0, 4, 0, 0.0), Arrival(9, 0, 4, 0, 0.1), Arrival(0, 9, 4, 0, 0.1)], temperature_c=AIR_C)


def test_twice_the_ellipse_holds_the_truth_nine_times_in_ten() -> None:
    random = np.random.default_rng(4)
    held, errors = 0, []
    runs = 60
    for seed in range(runs):
        source_m = (float(random.uniform(-60, 60)), float(random.uniform(-60, 60)))
        units_m = [(float(x), float(y)) for x, y in random.uniform(-90, 90, (7, 2))]
        echoes = {index: float(random.uniform(5, 50)) for index in range(7) if random.random() < 1 / 8}
        place = multilaterate(heard(source_m, units_m, seed=seed, sigma_s=0.002, echoes=echoes), temperature_c=AIR_C)[0]
        offset = np.array([place.x_m - source_m[0], place.y_m - source_m[1]])
        held += bool(offset @ np.linalg.solve(np.array(place.covariance_m2) * TWO_SIGMA_95**2, offset) < 4.0)
        errors.append(float(np.hypot(*offset)))
    assert held / runs >= 0.9
    assert np.median(errors) < 1.5


def test_the_same_arrivals_give_the_same_place_to_the_last_bit() -> None:
    arrivals = heard((12.0, -7.0), SQUARE)
    assert multilaterate(arrivals, temperature_c=AIR_C) == multilaterate(arrivals, temperature_c=AIR_C)

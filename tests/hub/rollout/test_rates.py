"""The test of event rates: what it must see, what it must not mind, and what it says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from parvis_hub.rollout.rates import Jump, UnitHour, find_jump

from .fleet import START_US, week

TYPES = {"crowd.density": 0.6, "object.unattended": 0.3, "zone.intrusion": 1.5}
HOUR_US = 3_600_000_000
#: Of forty units, the rings so far: others have not taken it, others took it a day ago, there are no others.
WITHOUT, EARLIER, NOBODY = (8,), (8, 40), (40,)


def found(seed: int, rings: Sequence[int], times: float = 1.0, city: float = 1.0) -> Jump | None:
    """After the last ring's day: in which the city is as busy as told, too."""
    begins_h = 24 * (len(rings) - 1)
    hours, taken = week(
        np.random.default_rng(seed), TYPES, units=40, rings=rings, soak_h=24, times=times, city=city, city_h=(begins_h, begins_h + 24)
    )
    ring = [unit for unit in taken if len(rings) == 1 or int(unit[1:]) >= rings[-2]]
    return find_jump(hours, taken, ring, rings=4)


@pytest.mark.parametrize("rings", [WITHOUT, EARLIER])
@pytest.mark.parametrize(("times", "city"), [(3.0, 1.0), (10.0, 1.0), (3.0, 2.0), (4.0, 0.3)])
def test_a_jump_is_seen_with_its_figures_whatever_the_city_does(rings: Sequence[int], times: float, city: float) -> None:
    jump = found(1, rings, times, city)
    assert jump is not None
    here, there = (
        after.rate_per_h / before.rate_per_h for before, after in ((jump.before, jump.after), (jump.others_before, jump.others_after))
    )
    assert here > 2 * there
    assert 0.6 * city < there < 1.6 * city
    assert jump.p < jump.limit < 0.001


@pytest.mark.parametrize("rings", [WITHOUT, EARLIER, NOBODY])
def test_silence_is_a_jump_too(rings: Sequence[int]) -> None:
    jump = found(2, rings, times=0.0)
    assert jump is not None
    assert jump.after.events == 0


@pytest.mark.parametrize("rings", [WITHOUT, EARLIER])
@pytest.mark.parametrize("city", [0.2, 2.0, 6.0])
def test_what_the_whole_city_does_is_no_jump_while_there_are_others(rings: Sequence[int], city: float) -> None:
    assert found(3, rings, city=city) is None


@pytest.mark.parametrize(("times", "is_one"), [(2.0, False), (0.5, False), (8.0, True), (0.1, True)])
def test_without_others_what_a_feast_may_do_is_no_jump(times: float, is_one: bool) -> None:
    assert (found(4, NOBODY, times) is not None) is is_one


def test_day_and_night_are_no_jump() -> None:
    hours, taken = week(np.random.default_rng(4), {"zone.intrusion": 20.0}, units=10, rings=(10,), soak_h=6, clump=1.0)
    assert find_jump(hours, taken, taken, rings=4) is None


def test_without_a_past_nothing_is_said() -> None:
    since = START_US // HOUR_US
    hours = [UnitHour("u001", since + hour, 3600.0, {"zone.intrusion": 50}) for hour in range(1, 12)]
    assert find_jump(hours, {"u001": since * HOUR_US}, ["u001"], rings=4) is None


@pytest.mark.parametrize("others", [(), ("u002", "u003")])
def test_a_type_that_was_never_seen_before_is_a_jump_once_there_is_enough_of_it(others: Sequence[str]) -> None:
    since = START_US // HOUR_US + 48
    past = [UnitHour(unit, since - hour, 3600.0) for hour in range(48) for unit in ("u001", *others)]
    past += [UnitHour(unit, since + 1, 3600.0) for unit in others]
    few, many = ([*past, UnitHour("u001", since + 1, 3600.0, {"sound.impulse": count})] for count in (1, 40))
    assert find_jump(few, {"u001": since * HOUR_US}, ["u001"], rings=4) is None
    assert find_jump(many, {"u001": since * HOUR_US}, ["u001"], rings=4) is not None


def test_a_storm_of_what_was_never_seen_before_is_no_jump() -> None:
    since = START_US // HOUR_US + 48
    units = ("u001", "u002", "u003")
    hours = [UnitHour(unit, since - hour, 3600.0) for hour in range(48) for unit in units]
    hours += [UnitHour(unit, since + 1, 3600.0, {"sound.impulse": 40}) for unit in units]
    assert find_jump(hours, {"u001": since * HOUR_US}, ["u001"], rings=4) is None

"""The test of event rates: what it must see, what it must not mind, and what it says."""

from __future__ import annotations

import numpy as np
import pytest
from parvis_hub.rollout.rates import UnitHour, find_jump

from .fleet import START_US, week

TYPES = {"crowd.density": 0.6, "object.unattended": 0.3, "zone.intrusion": 1.5}
HOUR_US = 3_600_000_000


@pytest.mark.parametrize("times", [6.0, 10.0])
def test_a_jump_is_seen_with_its_figures(times: float) -> None:
    hours, taken = week(np.random.default_rng(1), TYPES, units=40, taken=8, soak_h=24, times=times)
    jump = find_jump(hours, taken, rings=4)
    assert jump is not None
    assert jump.after.rate_per_h > 2 * jump.before.rate_per_h
    assert jump.others_after.rate_per_h < 2 * jump.others_before.rate_per_h
    assert jump.p < jump.limit < 0.001


def test_silence_is_a_jump_too() -> None:
    hours, taken = week(np.random.default_rng(2), TYPES, units=40, taken=20, soak_h=24, times=0.0)
    jump = find_jump(hours, taken, rings=4)
    assert jump is not None
    assert jump.after.events == 0


def test_what_the_whole_city_does_is_no_jump_while_there_are_others() -> None:
    hours, taken = week(np.random.default_rng(3), TYPES, units=40, taken=8, soak_h=24, city=6.0)
    assert find_jump(hours, taken, rings=4) is None


def test_day_and_night_are_no_jump() -> None:
    hours, taken = week(np.random.default_rng(4), {"zone.intrusion": 20.0}, units=10, taken=10, soak_h=6, clump=1.0)
    assert find_jump(hours, taken, rings=4) is None


def test_without_a_past_nothing_is_said() -> None:
    since = START_US // HOUR_US
    hours = [UnitHour("u001", since + hour, 3600.0, {"zone.intrusion": 50}) for hour in range(1, 12)]
    assert find_jump(hours, {"u001": since * HOUR_US}, rings=4) is None


def test_a_type_that_was_never_seen_before_is_a_jump_once_there_is_enough_of_it() -> None:
    since = START_US // HOUR_US + 48
    past = [UnitHour("u001", since - hour, 3600.0) for hour in range(48)]
    few, many = ([*past, UnitHour("u001", since + 1, 3600.0, {"sound.impulse": count})] for count in (1, 40))
    assert find_jump(few, {"u001": since * HOUR_US}, rings=4) is None
    assert find_jump(many, {"u001": since * HOUR_US}, rings=4) is not None

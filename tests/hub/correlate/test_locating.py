"""Whether a place is told: by how likely it is against others, and how well it is known itself."""

from __future__ import annotations

import math

import pytest
from parvis_hub.correlate.explaining import Heard
from parvis_hub.correlate.locating import Located, _locate

from tests.hub.correlate.test_multilateration import AIR_C, heard

TRUTH_M = (10.0, 40.0)


def located(bend_m: float) -> Located:
    """A shot beside four units in a row, every other one so far off the line."""
    row = [(-60.0, 0.0), (-20.0, bend_m), (20.0, 0.0), (60.0, bend_m)]
    arrivals = heard(TRUTH_M, row)
    found = _locate(
        tuple(
            Heard(f"u{k}", each.x_m, each.y_m, each.time_s, each.sigma_s, free=False, level_db=math.nan) for k, each in enumerate(arrivals)
        ),
        tuple(each.z_m for each in arrivals),
        (),
        AIR_C,
    )
    assert found is not None
    return found


def test_a_place_that_is_twice_as_likely_as_another_is_told_with_the_doubt_between_them() -> None:
    place = located(bend_m=8.0)
    assert (place.east_m, place.north_m) == pytest.approx(TRUTH_M, abs=3.0)
    assert place.known_to_m < 3.0
    # The other place is 400 m away and has a third of the probability.
    assert place.semi_major_m > 100.0


def test_of_two_places_that_are_about_as_likely_none_is_known() -> None:
    place = located(bend_m=0.0)
    assert place.known_to_m == place.semi_major_m > 30.0

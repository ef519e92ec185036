"""Who hears a sound, and how loud: which of two places explains it better."""

from __future__ import annotations

import numpy as np
import pytest
from parvis_hub.correlate.audibility import log_audibility

HERE, THERE = (0.0, 0.0), (0.0, 400.0)
#: Two units near the one place, two near the other.
NEAR_HERE, NEAR_THERE = [(-30.0, 0.0), (40.0, 10.0)], [(-30.0, 400.0), (40.0, 390.0)]


def ahead(heard: list[tuple[float, float]], level_db: list[float], silent: list[tuple[float, float]]) -> float:
    """How much better one place explains it than the other, as a logarithm."""
    here, there = log_audibility(np.array([HERE, THERE]), np.array(heard), np.array(level_db), np.array(silent).reshape(-1, 2))
    return float(here - there)


@pytest.mark.parametrize(
    ("heard", "level_db", "silent", "least", "most"),
    [
        # Loud at the units near the one place, 20 dB less at those near the other.
        (NEAR_HERE + NEAR_THERE, [110.0, 108.0, 90.0, 91.0], [], 0.5, 4.0),
        (NEAR_HERE + NEAR_THERE, [90.0, 91.0, 110.0, 108.0], [], -4.0, -0.5),
        # As loud everywhere: overloaded, or no level at all.
        (NEAR_HERE + NEAR_THERE, [120.0] * 4, [], -0.1, 0.1),
        (NEAR_HERE + NEAR_THERE, [np.nan] * 4, [], -0.1, 0.1),
        # Units near the other place did not hear it.
        (NEAR_HERE, [np.nan] * 2, NEAR_THERE, 1.0, 9.0),
        # One dead unit beside the source is no proof, with others that hear it.
        ([*NEAR_HERE, (60.0, 60.0)], [np.nan] * 3, [(5.0, 5.0)], 0.2, 9.0),
    ],
)
def test_a_place_is_likelier_by_who_heard_it_and_how_loud(
    heard: list[tuple[float, float]], level_db: list[float], silent: list[tuple[float, float]], least: float, most: float
) -> None:
    assert least < ahead(heard, level_db, silent) < most


def test_levels_that_follow_no_distance_count_for_little() -> None:
    # However wild they are, they are worth no more than one in five of not saying anything.
    assert abs(ahead(NEAR_HERE + NEAR_THERE, [140.0, 60.0, 60.0, 140.0], [])) < np.log(5.0) + 0.1


def test_units_that_hear_nothing_at_all_outvote_nobody() -> None:
    # A quarter without power around the source: so many silent units are worth no more than that being the case, one in fifty.
    dark = [(20.0 * i, 20.0 * j) for i in range(-4, 5) for j in range(-4, 5)]
    assert ahead(NEAR_HERE, [np.nan] * 2, dark) > -np.log(50.0) - 0.5

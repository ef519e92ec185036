"""What ails a unit, and whether it is worse: by its state, and by what its senses say."""

from __future__ import annotations

import pytest
from parvis_contract import SenseStatus, StatusReason, StreamState, UnitState, UnitStatus, ailments, is_worse

HEALTHY, DEGRADED, FAILED = UnitState.HEALTHY, UnitState.DEGRADED, UnitState.FAILED


def status(state: UnitState, reason: StatusReason | None = None, camera: StatusReason | None = None) -> UnitStatus:
    seen = SenseStatus(state=StreamState.FAILED if camera else StreamState.HEALTHY, reason=camera)
    return UnitStatus(state=state, reason=camera or reason, camera=seen, software="0.2.0")


@pytest.mark.parametrize(
    ("told", "ails"),
    [
        (status(HEALTHY), set()),
        (status(DEGRADED, camera=StatusReason.PROFILE_FORBIDS), {"camera: profile_forbids"}),
        (status(DEGRADED, camera=StatusReason.LOW_RATE), {"camera: source"}),
        (status(DEGRADED, camera=StatusReason.SOURCE_MISSING), {"camera: source"}),
        (status(DEGRADED, StatusReason.NOT_DARK), {"unit: not_dark"}),
        (status(DEGRADED, StatusReason.CLOCK_UNSYNCHRONISED), set()),
    ],
)
def test_what_ails_a_unit(told: UnitStatus, ails: set[str]) -> None:
    assert ailments(told) == ails


@pytest.mark.parametrize(
    ("before", "now", "worse"),
    [
        (status(HEALTHY), status(HEALTHY), False),
        (status(HEALTHY), status(DEGRADED, StatusReason.OVERHEATED), True),
        (status(DEGRADED, StatusReason.OVERHEATED), status(DEGRADED, StatusReason.CLOCK_JUMPED), False),
        (status(DEGRADED, StatusReason.CLOCK_JUMPED), status(DEGRADED, camera=StatusReason.PROFILE_FORBIDS), True),
        (status(DEGRADED, camera=StatusReason.TAMPERED), status(HEALTHY), False),
        (status(DEGRADED), status(UnitState.STARTING), True),
        (status(FAILED, camera=StatusReason.NO_DATA), status(FAILED, camera=StatusReason.RECONNECTING), False),
        (status(FAILED, camera=StatusReason.NO_DATA), status(FAILED, camera=StatusReason.PROFILE_FORBIDS), True),
    ],
)
def test_worse_is_a_worse_state_or_another_ailment(before: UnitStatus, now: UnitStatus, worse: bool) -> None:
    assert is_worse(now.state, ailments(now), before.state, ailments(before)) is worse

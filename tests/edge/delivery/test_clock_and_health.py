from __future__ import annotations

from pathlib import Path

import pytest
from parvis_contract import ClockSource, SenseStatus, StatusReason, StreamState, UnitState
from parvis_edge.delivery.clock import UNKEPT, judge_clock, read_clock
from parvis_edge.delivery.health import memory_bytes, temperature_c
from parvis_edge.delivery.report import unit_state

#: Return value, status, maxerror and esterror in µs, as read from machines in each condition.
READINGS = {
    "chrony, well kept": ((0, 0x2001, 1_250, 310), ClockSource.NTP, 0.31),
    "systemd-timesyncd, just corrected": ((0, 0x2001, 0, 0), ClockSource.NTP, 5.0),
    "systemd-timesyncd, 1,000 s after": ((0, 0x2001, 500_000, 0), ClockSource.NTP, 25.0),
    "nobody": ((5, 0x0040, 16_000_000, 16_000_000), ClockSource.FREE, 3_600_000.0),
    "kept once, not any more": ((5, 0x2041, 16_000_000, 400), ClockSource.FREE, 3_600_000.0),
    "a system that will not say": ((-1, 0, 0, 0), ClockSource.FREE, 3_600_000.0),
}


@pytest.mark.parametrize("case", READINGS)
def test_what_the_kernel_says_of_its_clock(case: str) -> None:
    reading, source, uncertainty_ms = READINGS[case]
    clock = judge_clock(*reading)
    assert (clock.source, clock.uncertainty_ms) == (source, uncertainty_ms)


def test_this_machines_clock_can_be_asked() -> None:
    clock = read_clock()
    assert clock == UNKEPT or clock.source is ClockSource.NTP


def test_memory_and_heat(tmp_path: Path) -> None:
    assert (memory_bytes() or 0) > 1_000_000
    assert memory_bytes(tmp_path / "absent") is None
    assert temperature_c(tmp_path) is None
    for name, text in (("thermal_zone0", "51200\n"), ("thermal_zone1", "48000\n"), ("thermal_zone2", "-274000"), ("thermal_zone3", "hot")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "temp").write_text(text)
    assert temperature_c(tmp_path) == 51.2


HEALTHY, STALLED, FAILED = (
    SenseStatus(state=StreamState.HEALTHY),
    SenseStatus(state=StreamState.STALLED, reason=StatusReason.NO_DATA),
    SenseStatus(state=StreamState.FAILED, reason=StatusReason.MODEL_FAILED),
)
STATES = {
    "starting": ([STALLED], [], False, UnitState.STARTING, None),
    "well": ([HEALTHY, HEALTHY], [], True, UnitState.HEALTHY, None),
    "one stalled": ([HEALTHY, STALLED], [], True, UnitState.DEGRADED, StatusReason.NO_DATA),
    "one failed": ([HEALTHY, FAILED], [], True, UnitState.DEGRADED, StatusReason.MODEL_FAILED),
    "all failed": ([FAILED, FAILED], [], True, UnitState.FAILED, StatusReason.MODEL_FAILED),
    "a full disk": ([HEALTHY], [StatusReason.DISK_FULL, StatusReason.OVERHEATED], True, UnitState.DEGRADED, StatusReason.DISK_FULL),
}


@pytest.mark.parametrize("case", STATES)
def test_the_state_of_a_unit(case: str) -> None:
    senses, wrong, started, state, reason = STATES[case]
    assert unit_state({str(index): sense for index, sense in enumerate(senses)}, wrong, started=started) == (state, reason)

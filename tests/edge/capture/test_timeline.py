from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parvis_edge.capture.timeline import FileTimeline, LiveTimeline, SampleClock, WallClock

START = 1_000_000.0

FILE = {
    "even": ([0.0, 0.04, 0.08], [0.0, 0.04, 0.08]),
    "uneven": ([0.0, 0.5, 0.51, 3.0], [0.0, 0.5, 0.51, 3.0]),
    "missing ones follow by a period": ([0.0, None, None, 0.12], [0.0, 0.04, 0.08, 0.12]),
    "missing from the start": ([None, None, None], [0.0, 0.04, 0.08]),
    "a little out of order is held": ([0.0, 0.08, 0.04, 0.12], [0.0, 0.08, 0.080001, 0.12]),
    "a counter that begins again": ([0.0, 10.0, 0.0, 0.04], [0.0, 10.0, 10.04, 10.08]),
    "a leap of a day": ([0.0, 86_400.0, 86_400.04], [0.0, 0.04, 0.08]),
}


@pytest.mark.parametrize("case", FILE)
def test_file(case: str) -> None:
    stamps, expected = FILE[case]
    timeline = FileTimeline(START)
    assert [timeline.time_s(stamp) - START for stamp in stamps] == pytest.approx(expected, abs=1e-6)


def test_a_file_counts_from_its_containers_beginning() -> None:
    assert FileTimeline(START, origin_s=1.4).time_s(1.48) == pytest.approx(START + 0.08)


@given(st.lists(st.none() | st.floats(-1e6, 1e6), max_size=50))
def test_a_files_times_always_rise(stamps: list[float | None]) -> None:
    timeline = FileTimeline(START)
    times = [timeline.time_s(stamp) for stamp in stamps]
    assert all(later > earlier for earlier, later in itertools.pairwise(times))


@given(
    st.lists(st.floats(0.0, 0.5), min_size=20, max_size=100),
    st.floats(-1e-4, 1e-4),
    st.floats(-1e5, 1e5),
)
def test_a_late_packet_moves_no_live_time(jitter_s: list[float], drift: float, epoch_s: float) -> None:
    """Jitter is worked out to within the least that occurred lately and what two quartz clocks drift apart in a minute."""
    timeline = LiveTimeline()
    errors = []
    jitter_s[::10] = [0.0] * len(jitter_s[::10])
    for index, late_s in enumerate(jitter_s):
        true_s = START + index * 0.04
        stamp_s = epoch_s + index * 0.04 * (1 + drift)
        errors.append(timeline.time_s(stamp_s, true_s + late_s) - true_s)
    # One packet in ten is not delayed. A stamp that runs fast is followed at each of them; one that runs slow, within a minute.
    assert all(-0.0065 <= error <= 1e-3 for error in errors)


def test_a_slow_drift_is_followed_for_hours() -> None:
    timeline = LiveTimeline()
    for second in range(4 * 3_600):
        time_s = timeline.time_s(second * (1 - 5e-5), START + second + (second % 7) * 0.01)
    assert time_s - (START + second) == pytest.approx(0.0, abs=0.01)


@given(st.lists(st.tuples(st.none() | st.floats(-1e5, 1e5), st.floats(0.0, 10.0)), max_size=60))
def test_live_times_rise_and_are_never_in_the_future(items: list[tuple[float | None, float]]) -> None:
    timeline, arrival_s, last_s = LiveTimeline(), START, -1.0
    for stamp_s, step_s in items:
        arrival_s += step_s
        time_s = timeline.time_s(stamp_s, arrival_s)
        assert time_s > last_s
        assert time_s <= arrival_s + 1e-3
        last_s = time_s


def test_a_live_counter_that_begins_again_is_anchored_again() -> None:
    timeline = LiveTimeline()
    timeline.time_s(500.0, START)
    assert timeline.time_s(0.0, START + 1.0) == pytest.approx(START + 1.0)
    assert timeline.time_s(0.04, START + 1.3) == pytest.approx(START + 1.04)


def test_a_clock_that_is_set_is_noticed_and_one_that_is_kept_is_not() -> None:
    clock = WallClock(1_000.0, 0.0)
    assert clock.update(1_010.05, 10.0) == pytest.approx(1_000.05)
    assert clock.steps == 0
    clock.update(4_620.0, 20.0)
    assert clock.steps == 1


SAMPLES = {
    "whole": ([0.0, 0.1, 0.2], [0.0, 0.1, 0.2], 0),
    "stamps coarser than samples": ([0.0, 0.102, 0.199], [0.0, 0.1, 0.2], 0),
    "a gap": ([0.0, 0.1, 0.7], [0.0, 0.1, 0.7], 1),
    "a clock set back": ([100.0, 100.1, 40.0], [100.0, 100.1, 40.0], 1),
    "an overlap": ([0.0, 0.1, 0.15], [0.0, 0.1, 0.2], 0),
}


@pytest.mark.parametrize("case", SAMPLES)
def test_samples_are_counted_and_gaps_show(case: str) -> None:
    stamps, expected, gaps = SAMPLES[case]
    clock = SampleClock()
    assert [clock.time_s(stamp, 0.1) for stamp in stamps] == pytest.approx(expected, abs=2.1e-4)
    assert clock.gaps == gaps


def test_a_sound_cards_drift_is_followed_without_a_jump() -> None:
    clock = SampleClock()
    times = [clock.time_s(index * 0.1 * (1 + 1e-4), 0.1) for index in range(36_000)]
    steps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert max(steps) < 0.1002
    assert times[-1] == pytest.approx(3_599.9 * (1 + 1e-4), abs=0.001)
    assert clock.gaps == 0

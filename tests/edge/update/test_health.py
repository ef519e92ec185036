"""When a model is given back: a table, each line of which can be argued."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parvis_edge.update.health import SLOW_S, TRIAL_S, Vitals, fault, is_over, is_slow

HOUR = Vitals(time_s=3_600.0, runs=7_200, events=6, items=90_000, dropped=900, inference_ms=20.0)


def after(**changes: object) -> Vitals:
    usual = {"time_s": 600.0, "runs": 1_200, "events": 1, "items": 15_000, "dropped": 150, "inference_ms": 22.0}
    return Vitals(**(usual | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (HOUR, after(), None),
        (HOUR, after(failure="InvalidArgument: x", runs=0), "InvalidArgument"),
        (HOUR, after(dropped=3_000), None),
        (HOUR, after(dropped=3_200), "21% of what came was dropped"),
        # A busy quarter of an hour is no fault of the model: one in ten minutes, then nine.
        (HOUR, after(events=9), None),
        (HOUR, after(events=40), "too often"),
        (HOUR, after(events=0), None),
        (Vitals(3_600.0, 7_200, 600, 90_000, 900, 20.0), after(events=40), None),
        (Vitals(3_600.0, 7_200, 600, 90_000, 900, 20.0), after(events=1), "too rarely"),
        # Nothing to compare with: just started.
        (Vitals(), after(events=500, inference_ms=500.0, dropped=100), None),
        (Vitals(time_s=599.0), after(events=500), None),
        # A silent hour says something, and then fifty.
        (Vitals(3_600.0, 7_200, 0, 90_000, 900, 20.0), after(events=9), None),
        (Vitals(3_600.0, 7_200, 0, 90_000, 900, 20.0), after(events=50), "too often"),
    ],
)
def test_faults(before: Vitals, now: Vitals, said: str | None) -> None:
    why = fault(before, now)
    assert (why is None) is (said is None), why
    assert said is None or said in str(why)


@pytest.mark.parametrize(
    ("now", "slow"),
    # The first runs are slow: caches are cold.
    [({"inference_ms": 79.0}, False), ({"inference_ms": 81.0}, True), ({"inference_ms": 500.0, "runs": 99}, False)],
)
def test_a_run_that_takes_four_times_as_long_is_slow(now: dict[str, object], slow: bool) -> None:
    assert is_slow(HOUR, after(**now)) is slow
    assert not is_slow(Vitals(), after(**now))


def test_what_is_slow_for_a_minute_is_a_fault_and_what_is_for_a_moment_is_not() -> None:
    now = after(inference_ms=81.0)
    assert fault(HOUR, now, SLOW_S - 1.0) is None
    assert "81.0 ms" in str(fault(HOUR, now, SLOW_S))


@pytest.mark.parametrize(
    ("now", "over"), [(after(), True), (after(time_s=TRIAL_S - 1), False), (after(runs=99), False), (after(time_s=9e9, runs=0), False)]
)
def test_a_trial_lasts_long_enough_and_sees_enough(now: Vitals, over: bool) -> None:
    assert is_over(now) is over


@given(events=st.integers(0, 10_000), share=st.floats(0.05, 1.0))
def test_the_same_rate_is_never_a_fault(events: int, share: float) -> None:
    before = Vitals(3_600.0, 7_200, events, 90_000, 0, 20.0)
    assert fault(before, Vitals(3_600.0 * share, 500, round(events * share), 10_000, 0, 20.0)) is None


@given(first=st.integers(0, 5_000), second=st.integers(0, 5_000), more=st.integers(1, 500))
def test_more_events_never_make_too_many_fewer(first: int, second: int, more: int) -> None:
    before = Vitals(3_600.0, 7_200, first, 90_000, 0, 20.0)
    if "too often" in str(fault(before, after(events=second))):
        assert "too often" in str(fault(before, after(events=second + more)))


def test_since_takes_apart_what_was_counted() -> None:
    begun = Vitals(100.0, 10, 1, 500, 5, 20.0)
    assert Vitals(700.0, 1_210, 4, 15_500, 6, 30.0).since(begun) == Vitals(600.0, 1_200, 3, 15_000, 1, 30.0)

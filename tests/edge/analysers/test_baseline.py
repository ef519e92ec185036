"""What is usual at an hour of the week: learned in the site's own time, whatever the order and the restarts, and hard to poison."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parvis_contract import LevelQuantity
from parvis_edge.analysers.baseline import HOURS, LEAST_MINUTES, Baseline, NoBaseline, from_scale, to_scale

from tests.edge.analysers.weeks import BEGAN, PARIS, minutes, series

SOUND = LevelQuantity.LAEQ_DB


def hours_of(baseline: Baseline) -> list[list[float] | None]:
    return json.loads(baseline.dump())["hours"]  # type: ignore[no-any-return]


def hour_of_week(time_s: float) -> int:
    local = datetime.fromtimestamp(time_s, PARIS)
    return local.weekday() * 24 + local.hour


def feed_hours(baseline: Baseline, begin_s: float, levels: list[float]) -> None:
    """Hours of a steady level each, and the first minute of one more, which ends the last."""
    for hour, level in enumerate([*levels, 0.0]):
        for minute in range(1 if hour == len(levels) else 60):
            baseline.learn(begin_s + 3600.0 * hour + 60.0 * minute, level)


@pytest.mark.parametrize("changes", [datetime(2026, 3, 29, tzinfo=PARIS), datetime(2026, 10, 25, tzinfo=PARIS)])
def test_an_hour_is_the_clocks_hour_when_the_clocks_change(changes: datetime) -> None:
    baseline = Baseline(series(SOUND), learn_weeks=2)
    begin_s = (changes - timedelta(days=15)).timestamp()
    times = [begin_s + 3600.0 * hour for hour in range(24 * 30)]
    feed_hours(baseline, begin_s, [float(hour_of_week(time_s)) for time_s in times])
    learned = hours_of(baseline)
    assert [None if hour is None else hour[0] for hour in learned] == [float(index) for index in range(HOURS)]
    # Two hours of one name are one hour of that day, and one that is left out is none: nothing is counted twice or made up.
    sunday_at_two = learned[6 * 24 + 2]
    assert sunday_at_two is not None
    assert sunday_at_two[2] == sum(
        datetime.fromtimestamp(time_s, PARIS).strftime("%a %H") == "Sun 02" and datetime.fromtimestamp(time_s, PARIS).fold == 0
        for time_s in times
    )


def test_in_summer_and_winter_the_same_hour_on_the_clock_is_usual() -> None:
    baseline = Baseline(series(SOUND), learn_weeks=2)
    feed_hours(baseline, datetime(2026, 3, 1, tzinfo=PARIS).timestamp(), [60.0 if 8 <= hour % 24 < 18 else 40.0 for hour in range(24 * 21)])
    for day in (datetime(2026, 3, 27, tzinfo=PARIS), datetime(2026, 4, 3, tzinfo=PARIS), datetime(2026, 12, 4, tzinfo=PARIS)):
        usual = [baseline.usual(day.replace(hour=hour, minute=30).timestamp()) for hour in (5, 13, 21)]
        assert [round(each.centre) if each else None for each in usual] == [40, 60, 40]


@settings(max_examples=8, deadline=None)
@given(cuts=st.lists(st.integers(0, 3 * 24 * 60), max_size=6), seed=st.integers(0, 1000))
def test_a_restart_at_any_moment_changes_nothing(cuts: list[int], seed: int) -> None:
    whole, restarted = (Baseline(series(), learn_weeks=1) for _ in range(2))
    for index, minute in enumerate(minutes(3 / 7, seed)):
        whole.learn(minute.time_s, minute.count)
        if index in cuts:
            kept = restarted.dump()
            restarted = Baseline(series(), learn_weeks=1)
            restarted.load(kept)
        restarted.learn(minute.time_s, minute.count)
    assert restarted.dump() == whole.dump()


@settings(max_examples=8, deadline=None)
@given(st.permutations(range(7)), st.integers(0, 1000))
def test_the_days_of_a_week_may_be_learned_in_any_order(order: list[int], seed: int) -> None:
    days: list[list[tuple[float, float]]] = [[] for _ in range(7)]
    for minute in minutes(1, seed):
        days[minute.at.weekday()].append((minute.time_s, minute.count))
    learned = []
    for each in (range(7), order):
        baseline = Baseline(series(), learn_weeks=1)
        for day in each:
            for time_s, count in days[day]:
                baseline.learn(time_s, count)
        baseline.learn(BEGAN.timestamp() + 30 * 86_400, 0.0)
        learned.append(hours_of(baseline))
    assert learned[0] == learned[1]


@given(levels=st.lists(st.floats(-20.0, 140.0), min_size=1, max_size=12))
def test_a_centre_lies_among_what_was_heard_and_the_spread_is_never_too_small(levels: list[float]) -> None:
    baseline = Baseline(series(SOUND), learn_weeks=1)
    for week, level in enumerate(levels):
        feed_hours(baseline, (BEGAN + timedelta(weeks=week)).timestamp(), [level])
    usual = baseline.usual(BEGAN.timestamp() + 1800)
    assert usual is not None
    assert min(levels) - 1e-9 <= usual.centre <= max(levels) + 1e-9
    assert usual.spread >= 1.5


@given(st.floats(0.0, 1e5))
def test_a_count_on_the_scale_and_back(count: float) -> None:
    assert from_scale(LevelQuantity.PERSON_COUNT, to_scale(LevelQuantity.PERSON_COUNT, count)) == pytest.approx(count, abs=1e-6)
    assert from_scale(SOUND, to_scale(SOUND, -12.5)) == -12.5


def weekly(levels: list[float]) -> Baseline:
    """Mondays between midnight and one, one a week."""
    baseline = Baseline(series(), learn_weeks=2)
    for week, level in enumerate(levels):
        feed_hours(baseline, (BEGAN + timedelta(weeks=week)).timestamp(), [level])
    return baseline


def centre(baseline: Baseline) -> float:
    hour = hours_of(baseline)[0]
    assert hour is not None
    return hour[0]


def test_one_festival_moves_an_hour_by_less_than_a_spread() -> None:
    assert centre(weekly([10.0] * 6 + [30.0])) - 10.0 < 1.0


def test_a_lasting_change_is_usual_after_some_weeks() -> None:
    assert centre(weekly([10.0] * 8 + [16.0] * 26)) == pytest.approx(16.0, abs=1.0)


def test_a_slow_drift_is_followed() -> None:
    drifting = [10.0 + 0.1 * week for week in range(40)]
    assert drifting[-1] - centre(weekly(drifting)) < 1.0


def test_too_little_of_an_hour_teaches_nothing() -> None:
    baseline = Baseline(series(), learn_weeks=1)
    for minute in range(LEAST_MINUTES - 1):
        baseline.learn(BEGAN.timestamp() + 60.0 * minute, 5.0)
    assert baseline.learn(BEGAN.timestamp() + 3600.0, 5.0)
    assert hours_of(baseline)[0] is None


def test_days_learned_are_told_and_silence_is_kept_until_then() -> None:
    baseline = weekly([10.0])
    assert (baseline.days, baseline.usual(BEGAN.timestamp())) == ((pytest.approx(1 / 24), 14), None)
    assert weekly([10.0, 10.0]).usual(BEGAN.timestamp()) is not None


def test_an_hour_with_a_short_history_borrows_and_is_the_less_sure_the_more_it_differs() -> None:
    def usual(night: float) -> tuple[float, float]:
        baseline = Baseline(series(SOUND), learn_weeks=2)
        for week in range(2):
            feed_hours(baseline, (BEGAN + timedelta(weeks=week)).timestamp(), [50.0, night, 50.0])
        found = baseline.usual(BEGAN.timestamp() + 3600 + 1770)
        assert found is not None
        return found.centre, found.spread

    assert usual(50.0)[0] == pytest.approx(50.0)
    assert usual(62.0)[0] == pytest.approx(58.0, abs=0.2)
    assert usual(62.0)[1] > usual(50.0)[1] + 1.0


def damaged(**other: object) -> bytes:
    return json.dumps(json.loads(weekly([10.0, 12.0]).dump()) | other).encode()


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "damaged"),
        (b"\x00\xff\x00", "damaged"),
        (weekly([10.0]).dump()[:-40], "damaged"),
        (b"[]", "damaged"),
        (b"[" * 100_000, "damaged"),
        (damaged(hours=[None] * 5), "not a week"),
        (damaged(hours=[[1.0, 1.0]] * HOURS), "damaged"),
        (damaged(hours=[[math.nan, 1.0, 3]] * HOURS), "damaged"),
        (damaged(hours=[[1.0, 1.0, 0]] * HOURS), "damaged"),
        (damaged(running=[1, 99]), "damaged"),
        (damaged(minutes=["many"]), "damaged"),
        (damaged(version=2), "another version"),
        (damaged(unit="u002"), "another unit"),
        (damaged(timezone="UTC"), "another timezone"),
        (damaged(drawn="b"), "another drawing of the zone"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_used_is_refused_with_the_reason_and_changes_nothing(raw: bytes, said: str) -> None:
    baseline = weekly([10.0, 10.0])
    before = baseline.dump()
    with pytest.raises(NoBaseline, match=said):
        baseline.load(raw)
    assert baseline.dump() == before


def test_what_is_kept_is_numbers_and_what_they_are_of_without_the_order_of_the_minutes() -> None:
    baseline = weekly([10.0])
    for minute, count in enumerate([3.0, 1.0, 2.0]):
        baseline.learn(datetime(2026, 3, 2, 12, minute, tzinfo=UTC).timestamp(), count)
    kept = json.loads(baseline.dump())
    assert set(kept) == {"version", "site", "unit", "zone", "quantity", "timezone", "drawn", "running", "minutes", "hours"}
    assert kept["minutes"] == [1.0, 2.0, 3.0]
    assert len(baseline.dump()) < 20_000

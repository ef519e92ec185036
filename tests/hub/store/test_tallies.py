"""Counts by month agree with the store and the log while the rows are there, stay when they are gone, and end with the log."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from parvis_contract import Site, Verdict, to_datetime
from parvis_hub import governance
from parvis_hub.governance import RowsExpired, VerdictGiven
from parvis_hub.store import REASONS, Batch, DecisionReason
from parvis_hub.store.records import Seen
from parvis_hub.store.tallies import Month, Outcome, bounds_us, month_of, months, read_month
from sqlalchemy import text

from tests.hub.store.test_store import AT, Keeping
from tests.hub.street import START_S, Street, write_site

MONTH = "2026-05"
HOUR_S = 3600.0


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return write_site(tmp_path / "site.yaml")


@pytest.fixture
def keeping(site: Site, store_url: str) -> Iterator[Keeping]:
    keeping = Keeping(site, store_url)
    keeping.store.started()
    yield keeping
    keeping.database.close()


def read(keeping: Keeping, month: str = MONTH) -> Month:
    with keeping.database.read() as connection:
        return read_month(connection, month, "UTC")


def three_shots(keeping: Keeping) -> list[str]:
    """Three incidents: one false alarm, one confirmed, one that nobody decided on."""
    street = Street()
    for number in range(3):
        street.shot(START_S + 100.0 * number, (40.0, 40.0), within_m=100.0)
    keeping.keep(street)
    names = [str(row.message.data.incident) for row in keeping.desk.incidents()]
    assert len(names) == 3
    keeping.desk.decide(uuid.UUID(names[0]), Verdict.DISMISSED, DecisionReason.FALSE_ALARM, "operator-1", AT)
    keeping.desk.decide(uuid.UUID(names[1]), Verdict.DISMISSED, DecisionReason.TEST, "operator-1", AT)
    keeping.desk.decide(uuid.UUID(names[1]), Verdict.CONFIRMED, DecisionReason.SEEN_ON_SITE, "operator-1", AT)
    return names


def test_they_agree_with_the_store_and_the_log(keeping: Keeping) -> None:
    three_shots(keeping)
    month = read(keeping)
    assert month.types == {"sound.impulse": {Outcome.FALSE_ALARM: 1, Outcome.CONFIRMED: 1, Outcome.UNCONFIRMED: 1}}
    for unit, outcomes in month.units.items():
        told = [row for row in keeping.desk.incidents() if unit in row.message.data.units]
        assert outcomes.total() == len(told) > 0
    with keeping.database.read() as connection:
        logged = [entry.about for entry in governance.entries(connection) if isinstance(entry.about, VerdictGiven)]
    assert sum(month.verdicts.values()) == len(logged) == keeping.rows("decisions") == 3
    assert month.verdicts == {Verdict.DISMISSED: 2, Verdict.CONFIRMED: 1}


def test_they_outlast_the_rows_that_they_are_of(keeping: Keeping) -> None:
    three_shots(keeping)
    keeping.close(START_S + HOUR_S)
    before = read(keeping)
    keeping.now_s = START_S + 73 * HOUR_S
    deleted = keeping.store.purge()
    assert deleted["incidents"] == 3
    assert keeping.rows("incidents") == keeping.rows("decisions") == 0
    after = read(keeping)
    assert (after.types, after.units, after.verdicts) == (before.types, before.units, before.verdicts)
    assert before.deleted == {}
    assert after.deleted == {name: count for name, count in deleted.items() if count}
    assert keeping.store.purge()["incidents"] == 0
    assert read(keeping).types == before.types, "nothing is counted twice"


def test_what_expires_in_turns_is_added_up(keeping: Keeping) -> None:
    three_shots(keeping)
    keeping.close(START_S + HOUR_S)
    before = read(keeping)
    with keeping.database.write() as connection:
        connection.execute(text("UPDATE incidents SET expires_us = 1 WHERE verdict = 'dismissed'"))
    assert keeping.store.purge()["incidents"] == 1
    assert (read(keeping).types, read(keeping).units) == (before.types, before.units)
    keeping.now_s = START_S + 73 * HOUR_S
    assert keeping.store.purge()["incidents"] == 2
    assert (read(keeping).types, read(keeping).units) == (before.types, before.units)


def test_an_alert_that_is_still_open_is_counted_once(keeping: Keeping) -> None:
    three_shots(keeping)
    keeping.now_s = START_S + 73 * HOUR_S
    assert keeping.store.purge()["incidents"] == 0
    assert read(keeping).types["sound.impulse"].total() == 3


def test_a_dismissal_whose_reason_is_gone_is_no_false_alarm(keeping: Keeping) -> None:
    three_shots(keeping)
    with keeping.database.write() as connection:
        connection.execute(text("DELETE FROM decisions"))
    assert read(keeping).types["sound.impulse"] == {Outcome.REASON_NOT_KEPT: 1, Outcome.CONFIRMED: 1, Outcome.UNCONFIRMED: 1}


def test_a_unit_s_hours_are_those_in_which_it_was_heard_from(keeping: Keeping) -> None:
    def look(at_s: float, *heard: str) -> None:
        keeping.now_s = at_s
        keeping.store.commit(Batch(units={unit: Seen(last_seen_us=int(at_s * 1e6)) for unit in heard}))
        keeping.store.purge()

    for minute in range(61):
        # The second falls silent after half an hour, which is noticed 90 seconds later.
        look(START_S + 60.0 * minute, "u000", *(["u001"] if minute <= 30 else []))
    look(START_S + 10 * HOUR_S, "u000")
    hours = read(keeping).heard_h
    assert hours["u000"] == pytest.approx(1.0), "the nine hours in which the hub stood still are nobody's"
    assert hours["u001"] == pytest.approx(31 / 60)


def test_counters_are_those_of_the_month(keeping: Keeping) -> None:
    keeping.store.commit(Batch(counts={"received": 10, "too_late": 2, "refused.malformed": 3}))  # type: ignore[arg-type]
    keeping.now_s = bounds_us("2026-06", "UTC")[0] / 1e6 + 5
    keeping.store.purge()
    keeping.store.commit(Batch(counts={"received": 7, "refused.wrong_topic": 1}))  # type: ignore[arg-type]
    may, june = read(keeping), read(keeping, "2026-06")
    assert (may.received, may.too_late, may.refused) == (10, 2, {"malformed": 3})
    assert (june.received, june.too_late, june.refused) == (7, 0, {"wrong_topic": 1})
    assert read(keeping, "2026-04").counted_from_us is None


def test_they_end_with_the_log(keeping: Keeping, site: Site) -> None:
    three_shots(keeping)
    keeping.close(START_S + HOUR_S)
    keeping.now_s = START_S + 73 * HOUR_S
    keeping.store.purge()
    with keeping.database.read() as connection:
        assert months(connection) == [MONTH]
    keeping.now_s = bounds_us("2026-06", "UTC")[0] / 1e6 + site.law.retention.audit_h * HOUR_S + 60
    keeping.store.purge()
    with keeping.database.read() as connection:
        assert months(connection) == ["2027-06"]
        assert read_month(connection, MONTH, "UTC").types == {}


def test_a_log_that_no_longer_reaches_back_is_told(keeping: Keeping) -> None:
    three_shots(keeping)
    with keeping.database.write() as connection:
        governance.prune(connection, int((START_S + 60) * 1e6), int((START_S + 30) * 1e6))
    month = read(keeping)
    assert month.verdicts == {}
    assert month.log_from_us == int((START_S + 60) * 1e6)


def test_the_deletions_are_the_log_s(keeping: Keeping) -> None:
    with keeping.database.write() as connection:
        empty = {name: 0 for name, field in RowsExpired.model_fields.items() if field.is_required()}
        for flows in (2, 5):
            governance.append(connection, int(START_S * 1e6), "hub", RowsExpired(**empty | {"flows": flows}))
    assert read(keeping).deleted == {"flows": 7}
    assert read(keeping, "2026-06").deleted == {}


@pytest.mark.parametrize(
    ("month", "zone", "begins", "ends"),
    [
        ("2026-11", "UTC", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
        ("2026-12", "Europe/Paris", "2026-11-30T23:00:00Z", "2026-12-31T23:00:00Z"),
        ("2026-10", "Europe/Paris", "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z"),
    ],
)
def test_a_month_is_the_site_s(month: str, zone: str, begins: str, ends: str) -> None:
    from_us, until_us = bounds_us(month, zone)
    assert [datetime.fromisoformat(each) for each in (begins, ends)] == [to_datetime(us / 1e6) for us in (from_us, until_us)]
    assert month_of(from_us, zone) == month_of(until_us - 1, zone) == month
    assert month_of(until_us, zone) != month


@pytest.mark.parametrize("month", ["2026-13", "2026", "november", "2026-11-01"])
def test_what_is_no_month_is_refused(month: str) -> None:
    with pytest.raises(ValueError, match=r"does not match|unconverted"):
        bounds_us(month, "UTC")


def test_every_reason_to_dismiss_is_an_outcome() -> None:
    assert {reason.value for reason in REASONS[Verdict.DISMISSED]} <= {outcome.value for outcome in Outcome}

"""What is kept, for how long; what is decided, and that it follows its event; what is still to be published; notices."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from parvis_contract import IncidentState, Site, Verdict, dump_message, new_id, to_datetime, to_posix_s
from parvis_hub.cli import app
from parvis_hub.correlate import Correlator, incident_message, incident_text
from parvis_hub.store import (
    REASONS,
    Arrived,
    BadDecision,
    Batch,
    Database,
    DecisionReason,
    Desk,
    Notice,
    Notices,
    Store,
    StoreError,
    UnknownIncident,
)
from parvis_hub.store.notices import MAX_WAITING, RESYNC
from sqlalchemy import text
from typer.testing import CliRunner

from tests.hub.street import START_S, Street, busy_street, lines, write_site

AT = datetime(2026, 6, 21, 18, 0, tzinfo=UTC)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return write_site(tmp_path / "site.yaml")


class Keeping:
    """A store, its desk, and a correlator that writes to it."""

    def __init__(self, site: Site, url: str) -> None:
        self.now_s = START_S
        self.database = Database(url, site.site)
        self.store = Store(self.database, site, lambda: int(self.now_s * 1e6))
        self.desk = Desk(self.store, site, Notices())
        self.correlator = Correlator(site)

    def keep(self, street: Street, only: slice = slice(None)) -> list[str]:
        batch = Batch()
        for message, line in list(zip(street.sorted(), lines(street.sorted()).splitlines(), strict=True))[only]:
            batch.arrived.append(Arrived.of(message, line.decode(), int(self.now_s * 1e6)))
            self.correlator.add(message)
        return self.close(0.0, batch)

    def close(self, at_s: float, batch: Batch | None = None) -> list[str]:
        batch = batch or Batch()
        self.correlator.advance(int(at_s * 1e6))
        batch.incidents = self.correlator.changes()
        return self.store.commit(batch)

    def rows(self, table: str) -> int:
        with self.database.read() as connection:
            return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


@pytest.fixture
def keeping(site: Site, store_url: str) -> Iterator[Keeping]:
    keeping = Keeping(site, store_url)
    yield keeping
    keeping.database.close()


def a_shot() -> Street:
    street = Street()
    street.shot(START_S, (40.0, 40.0), within_m=100.0)
    return street


def test_an_incident_is_shown_with_what_it_rests_on(keeping: Keeping) -> None:
    street = a_shot()
    (name,) = keeping.keep(street)
    detail = keeping.desk.incident(uuid.UUID(name))
    assert detail is not None
    assert list(detail.events) == street.sorted()
    assert detail.decisions == ()
    assert keeping.desk.incidents() == [detail.row]
    assert keeping.desk.incidents(state=IncidentState.CLOSED) == []
    assert keeping.desk.incident(new_id()) is None


def test_an_incident_is_kept_as_its_message_is_written(site: Site) -> None:
    correlator = Correlator(site)
    for message in busy_street(1).sorted():
        correlator.add(message)
    changed = [change.incident for change in correlator.changes() if change.incident is not None]
    assert len({incident.type for incident in changed}) == 5
    for incident in changed:
        assert incident_text(site.site, incident).encode() == dump_message(incident_message(site.site, incident))


def test_the_same_state_is_no_new_revision(keeping: Keeping, site: Site) -> None:
    keeping.keep(a_shot())
    again = Correlator(site)
    for message in a_shot().messages:
        again.add(message)
    assert keeping.store.commit(Batch(incidents=again.changes())) == []
    assert [row.revision for row in keeping.desk.incidents()] == [1]


def test_decisions_are_kept_and_the_last_one_stands(keeping: Keeping) -> None:
    (name,) = keeping.keep(a_shot())
    incident = uuid.UUID(name)
    row = keeping.desk.decide(incident, Verdict.CONFIRMED, DecisionReason.SEEN_ON_SITE, "operator-2", AT)
    assert (row.revision, row.message.data.operator.verdict, row.message.data.operator.by) == (2, Verdict.CONFIRMED, "operator-2")
    keeping.desk.decide(incident, Verdict.UNCONFIRMED, DecisionReason.MISTAKEN_DECISION, "operator-3", AT)
    row = keeping.desk.decide(incident, Verdict.DISMISSED, DecisionReason.TEST, "operator-3", AT)
    detail = keeping.desk.incident(incident)
    assert detail is not None
    assert [each.reason for each in detail.decisions] == ["seen_on_site", "mistaken_decision", "test"]
    assert keeping.desk.incidents(verdict=Verdict.DISMISSED) == [row]
    assert keeping.desk.incidents(verdict=Verdict.CONFIRMED) == []


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_verdict_has_its_own_reasons(keeping: Keeping, verdict: Verdict) -> None:
    (name,) = keeping.keep(a_shot())
    for reason in DecisionReason:
        if reason in REASONS[verdict]:
            keeping.desk.decide(uuid.UUID(name), verdict, reason, "operator-2", AT)
        else:
            with pytest.raises(BadDecision, match="choose one of"):
                keeping.desk.decide(uuid.UUID(name), verdict, reason, "operator-2", AT)


def test_a_decision_about_nothing_is_refused(keeping: Keeping) -> None:
    with pytest.raises(UnknownIncident):
        keeping.desk.decide(new_id(), Verdict.CONFIRMED, DecisionReason.SEEN_ON_SITE, "operator-2", AT)
    (name,) = keeping.keep(a_shot())
    with pytest.raises(ValueError, match="pattern"):
        keeping.desk.decide(uuid.UUID(name), Verdict.CONFIRMED, DecisionReason.SEEN_ON_SITE, "A Name With Spaces", AT)
    with pytest.raises(BadDecision, match="zone"):
        keeping.desk.decide(uuid.UUID(name), Verdict.CONFIRMED, DecisionReason.SEEN_ON_SITE, "operator-2", AT.replace(tzinfo=None))
    assert keeping.desk.incidents(verdict=Verdict.CONFIRMED) == []


def test_a_verdict_follows_its_event_when_an_earlier_one_takes_the_incident_over(keeping: Keeping, site: Site) -> None:
    street = a_shot()
    (old,) = keeping.keep(street, slice(1, None))
    keeping.desk.decide(uuid.UUID(old), Verdict.CONFIRMED, DecisionReason.SEEN_ON_SITE, "operator-2", AT)
    assert set(keeping.keep(street, slice(0, 1))) > {old}
    (row,) = keeping.desk.incidents()
    assert str(row.message.data.incident) != old
    assert row.message.data.operator.by == "operator-2"
    detail = keeping.desk.incident(uuid.UUID(old))
    assert detail is not None
    assert detail.row == row
    assert len(detail.decisions) == 1
    # The one that is no more is still to be cleared at the broker, as closed.
    gone = next(each for each in keeping.store.unpublished() if each.id == old)
    assert (gone.superseded, gone.open) == (True, False)
    # Another process knows the same.
    again = Store(keeping.database, site)
    assert [each.id for each in again.unpublished()] == [each.id for each in keeping.store.unpublished()]


def test_what_the_broker_has_confirmed_is_not_published_again(keeping: Keeping) -> None:
    (name,) = keeping.keep(a_shot())
    assert [(each.id, each.revision, each.open) for each in keeping.store.unpublished()] == [(name, 1, True)]
    keeping.store.commit(Batch(published=[(name, 1)]))
    assert keeping.store.unpublished() == []
    assert [each.id for each in keeping.store.unpublished(also_open=True)] == [name]
    keeping.close(START_S + 100)
    assert [(each.revision, each.open) for each in keeping.store.unpublished()] == [(2, False)]
    keeping.store.commit(Batch(published=[(name, 1)]))
    assert len(keeping.store.unpublished()) == 1, "an old confirmation says nothing of a new revision"
    keeping.store.commit(Batch(published=[(name, 2)]))
    assert [(each.id, each.open) for each in keeping.store.unpublished(also_open=True)] == [(name, False)], "a broker may have gone back"
    keeping.now_s += 3_601
    assert keeping.store.unpublished(also_open=True) == []


def test_a_decision_is_known_for_as_long_as_its_incident(keeping: Keeping, site: Site) -> None:
    (name,) = keeping.keep(a_shot())
    keeping.desk.decide(uuid.UUID(name), Verdict.CONFIRMED, DecisionReason.SEEN_ON_SITE, "operator-2", AT)
    keeping.now_s += site.law.retention.incidents_h * 3600 - 1
    # Revised late, so it expires later than the decision would by itself.
    keeping.close(START_S + 100)
    keeping.now_s += 2
    keeping.store.purge()
    assert (keeping.rows("incidents"), keeping.rows("decisions"), keeping.rows("members")) == (1, 1, 4)


def test_every_row_goes_when_its_time_has_come_but_an_open_incident_keeps_its_events(keeping: Keeping, site: Site) -> None:
    (name,) = keeping.keep(a_shot())
    keeping.desk.decide(uuid.UUID(name), Verdict.CONFIRMED, DecisionReason.SEEN_ON_SITE, "operator-2", AT)
    keeping.now_s += site.law.retention.events_h * 3600 - 1
    assert not any(keeping.store.purge().values())
    keeping.now_s += 2
    keeping.store.purge()
    assert (keeping.rows("events"), keeping.rows("incidents")) == (4, 1)
    keeping.close(START_S + 100)
    keeping.store.purge()
    keeping.now_s += site.law.retention.incidents_h * 3600 + 1
    keeping.store.purge()
    for table in ("events", "incidents", "members", "decisions"):
        assert keeping.rows(table) == 0, table
    assert keeping.desk.incidents() == []


def test_a_store_of_another_site_is_refused(site: Site, store_url: str) -> None:
    Database(store_url, site.site).close()
    with pytest.raises(StoreError, match="store of its own"):
        Database(store_url, "elsewhere")


@pytest.mark.parametrize(
    ("url", "passing"),
    [
        ("sqlite:////no/such/folder/hub.sqlite", False),
        ("not a url", False),
        ("sqlite:////dev/full", True),
        ("postgresql://nobody@/nothing?host=/no/such/folder", True),
    ],
)
def test_a_store_that_cannot_be_opened_says_so_and_a_supervisor_tries_again_what_may_pass(site: Site, url: str, passing: bool) -> None:
    with pytest.raises(StoreError, match="cannot be opened") as raised:
        Database(url, "quay")
    assert raised.value.passing is passing
    command = ["run", "--site", str(site.path), "--store", url, "--data-dir", str(site.path.parent / "data"), "--no-console"]
    done = CliRunner().invoke(app, command)
    assert (done.exit_code, "cannot be opened" in done.stderr) == (1 if passing else 2, True)


def test_what_sqlite_keeps_is_for_its_owner_alone(site: Site, tmp_path: Path) -> None:
    before = os.umask(0o022)
    keeping = Keeping(site, f"sqlite:///{tmp_path / 'kept.sqlite'}")
    keeping.keep(busy_street(1))
    os.umask(before)
    files = sorted(tmp_path.glob("kept.sqlite*"))
    assert [path.name for path in files] == ["kept.sqlite", "kept.sqlite-shm", "kept.sqlite-wal"]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    keeping.database.close()


def test_another_process_that_reads_and_ends_leaves_sqlite_to_the_hub(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "kept.sqlite"
    keeping = Keeping(site, f"sqlite:///{file}")
    with keeping.database.read(), keeping.database.read():  # the pool opens more than one connection
        used = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM events').fetchone()[0])"
        counted = [sys.executable, "-c", used, str(file)]
        assert subprocess.run(counted, capture_output=True, check=True).stdout == b"0\n"
    keeping.keep(busy_street(1))
    assert int(subprocess.run(counted, capture_output=True, check=True).stdout) == keeping.rows("events") > 0
    keeping.database.close()


def test_readers_hear_of_each_change_once_and_a_slow_one_is_told_to_read_again() -> None:
    notices = Notices()
    woken: list[int] = []
    reader, slow = notices.subscribe(lambda: woken.append(1)), notices.subscribe()
    notices.tell(Notice("incident", "a"), Notice("unit", "u001"))
    notices.tell(Notice("incident", "a"))
    assert reader.take() == [Notice("incident", "a"), Notice("unit", "u001")]
    assert reader.take() == []
    assert len(woken) == 2
    for number in range(MAX_WAITING + 1):
        notices.tell(Notice("incident", str(number)))
    notices.tell(Notice("incident", "one more"))
    assert slow.take(timeout_s=1.0) == [RESYNC]
    slow.close()
    slow.close()
    notices.tell(Notice("unit", "u002"))
    assert slow.take(timeout_s=0.01) == []


def test_times_are_kept_to_the_microsecond(keeping: Keeping) -> None:
    (name,) = keeping.keep(a_shot())
    at = AT + timedelta(microseconds=1)
    row = keeping.desk.decide(uuid.UUID(name), Verdict.CONFIRMED, DecisionReason.SEEN_ON_SITE, "operator-2", at)
    assert row.message.data.operator.at == at == to_datetime(to_posix_s(at))

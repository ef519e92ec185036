"""The accountability log: what is recorded, with what it records or not at all, and that tampering of each kind is named."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from parvis_contract import Site, Verdict, load_site, new_id
from parvis_hub import governance
from parvis_hub.cli import app
from parvis_hub.governance import Broken, Fault, Head, PlateViewed, RowsExpired, Sound, What
from parvis_hub.store import BadDecision, Database, DecisionReason, Desk, Notices, Store
from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from typer.testing import CliRunner

from tests.hub.store.test_store import AT, Keeping, a_shot
from tests.hub.street import START_S, write_site

HOUR_S = 3600.0
NOBODY = "0" * 64


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return write_site(tmp_path / "site.yaml")


@pytest.fixture
def keeping(site: Site, store_url: str) -> Keeping:
    return Keeping(site, store_url)


def entries(database: Database) -> list[governance.Entry]:
    with database.read() as connection:
        return list(governance.entries(connection))


def check(database: Database, noted: Head | None = None) -> Sound | Broken:
    with database.read() as connection:
        return governance.verify(connection, noted)


def fill(database: Database, count: int, at_s: float = START_S) -> None:
    with database.write() as connection:
        for number in range(count):
            about = PlateViewed(incident=uuid.UUID(int=number), plate=uuid.UUID(int=number))
            governance.append(connection, int((at_s + number) * 1e6), "operator-1", about)


def sql(database: Database, *statements: str) -> None:
    with database.write() as connection:
        for statement in statements:
            connection.execute(text(statement))


def decide(keeping: Keeping, incident: str, by: str = "a-martin") -> None:
    keeping.desk.decide(uuid.UUID(incident), Verdict.CONFIRMED, DecisionReason.SEEN_ON_SITE, by, AT)


# --- what is recorded ---------------------------------------------------------------------------------------------------------


def test_a_start_and_a_verdict_are_recorded(keeping: Keeping, site: Site) -> None:
    head = keeping.store.started()
    (incident,) = keeping.keep(a_shot())
    decide(keeping, incident)
    start, verdict = entries(keeping.database)
    assert (start.number, start.by, start.what, start.previous) == (1, "hub", What.HUB_STARTED, NOBODY)
    assert start.about == governance.digest_of_configuration(site)
    assert start.head == head
    assert (verdict.number, verdict.by, verdict.what, verdict.previous) == (2, "a-martin", What.VERDICT_GIVEN, head.digest)
    assert verdict.about.model_dump(mode="json") == {"incident": incident, "verdict": "confirmed", "reason": "seen_on_site"}
    assert verdict.at_us == int(START_S * 1e6)
    assert check(keeping.database) == Sound(2, 1, verdict.head)
    assert keeping.desk.audit_head() == verdict.head


def test_another_configuration_has_another_digest(site: Site, tmp_path: Path) -> None:
    before = governance.digest_of_configuration(site)
    assert governance.digest_of_configuration(load_site(tmp_path / "site.yaml")) == before
    colder = site.model_copy(update={"temperature_c": site.temperature_c - 1.0})
    after = governance.digest_of_configuration(colder)
    assert (after.site == before.site, after.profile == before.profile) == (False, True)


@pytest.mark.parametrize("by", ["hub", "console"])
def test_nobody_decides_under_a_programs_name(keeping: Keeping, by: str) -> None:
    (incident,) = keeping.keep(a_shot())
    with pytest.raises(BadDecision, match="program"):
        decide(keeping, incident, by)
    assert entries(keeping.database) == []


def test_an_entry_takes_no_free_text(keeping: Keeping) -> None:
    with pytest.raises(ValidationError), keeping.database.write() as connection:
        governance.append(connection, 0, "Alice Martin, 06 12", PlateViewed(incident=new_id(), plate=new_id()))
    assert check(keeping.database) == Sound(0, 1, Head(number=0, digest=NOBODY))


def test_what_expired_is_recorded_with_its_number_of_rows(keeping: Keeping) -> None:
    keeping.keep(a_shot())
    keeping.close(START_S + 10 * HOUR_S)
    keeping.store.purge()
    assert entries(keeping.database) == []
    keeping.now_s += 100_000 * HOUR_S
    deleted = keeping.store.purge()
    (entry,) = entries(keeping.database)
    assert deleted["events"] > 0
    assert (entry.by, entry.about) == ("hub", RowsExpired(**deleted))


# --- in one transaction -------------------------------------------------------------------------------------------------------


def test_without_its_entry_there_is_no_decision(keeping: Keeping) -> None:
    (incident,) = keeping.keep(a_shot())
    sql(keeping.database, "ALTER TABLE audit RENAME TO away")
    with pytest.raises(SQLAlchemyError):
        decide(keeping, incident)
    assert keeping.rows("decisions") == 0
    assert keeping.desk.incidents()[0].message.data.operator.verdict is Verdict.UNCONFIRMED
    sql(keeping.database, "ALTER TABLE away RENAME TO audit")
    decide(keeping, incident)
    assert (keeping.rows("decisions"), keeping.rows("audit")) == (1, 1)


_DECIDING = """
import sys, uuid
from datetime import datetime, UTC
from pathlib import Path
from parvis_contract import Verdict, load_site
from parvis_hub.store import *
plan, url, incident = Path(sys.argv[1]), sys.argv[2], uuid.UUID(sys.argv[3])
site = load_site(plan)
desk = Desk(Store(Database(url, site.site), site), site, Notices())
while True:
    desk.decide(incident, Verdict.CONFIRMED, DecisionReason.SEEN_ON_SITE, "a-martin", datetime.now(UTC))
    print("decided", flush=True)
"""


def test_a_kill_leaves_no_decision_without_its_entry(keeping: Keeping, site: Site, store_url: str) -> None:
    (incident,) = keeping.keep(a_shot())
    for wait_s in (0.0, 0.013, 0.031):
        command = [sys.executable, "-c", _DECIDING, str(site.path), store_url, incident]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as deciding:
            assert deciding.stdout is not None
            assert deciding.stdout.readline()
            time.sleep(wait_s)
            deciding.kill()
        assert keeping.rows("decisions") == keeping.rows("audit") > 0
        assert isinstance(check(keeping.database), Sound)


def test_two_consoles_decide_at_once(keeping: Keeping, site: Site, store_url: str) -> None:
    (incident,) = keeping.keep(a_shot())
    desks = [Desk(Store(Database(store_url, site.site), site), site, Notices()) for _ in range(2)]

    def work(desk: Desk, by: str) -> None:
        for _ in range(20):
            desk.decide(uuid.UUID(incident), Verdict.CONFIRMED, DecisionReason.SEEN_ON_SITE, by, AT)

    # Two desks of one store, and one of a database of its own: another process would be no different.
    threads = [threading.Thread(target=work, args=(desk, f"operator-{n}")) for n, desk in enumerate((desks[0], desks[0], desks[1]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert keeping.rows("decisions") == 60
    found = check(keeping.database)
    assert isinstance(found, Sound)
    assert found.count == 60
    assert {entry.by for entry in entries(keeping.database)} == {"operator-0", "operator-1", "operator-2"}


# --- tampering ----------------------------------------------------------------------------------------------------------------

_SWAP = (
    "UPDATE audit SET number = 99 WHERE number = 4",
    "UPDATE audit SET number = 4 WHERE number = 7",
    "UPDATE audit SET number = 7 WHERE number = 99",
)
_CUT = "DELETE FROM audit WHERE number > 8"
_CUT_HEAD = "UPDATE audit_head SET number = 8, digest = (SELECT digest FROM audit WHERE number = 8)"
TAMPERED: dict[str, tuple[tuple[str, ...], int, Fault]] = {
    "another name": (("UPDATE audit SET \"by\" = 'operator-9' WHERE number = 5",), 5, Fault.ALTERED),
    "another time": (("UPDATE audit SET at_us = at_us + 1 WHERE number = 1",), 1, Fault.ALTERED),
    "another incident": (("UPDATE audit SET about = replace(about, '00000005', '00000006') WHERE number = 6",), 6, Fault.ALTERED),
    "another act": (("UPDATE audit SET what = 'verdict_given' WHERE number = 3",), 3, Fault.ALTERED),
    "prose": (("UPDATE audit SET about = 'seen with a red hat' WHERE number = 3",), 3, Fault.ALTERED),
    "the last": (("UPDATE audit SET \"by\" = 'operator-9' WHERE number = 10",), 10, Fault.ALTERED),
    "another digest": ((f"UPDATE audit SET digest = '{'a' * 64}' WHERE number = 5",), 5, Fault.ALTERED),
    "one taken out": (("DELETE FROM audit WHERE number = 5",), 5, Fault.MISSING),
    "the first taken out": (("DELETE FROM audit WHERE number <= 2",), 1, Fault.MISSING),
    "two swapped": (_SWAP, 4, Fault.REORDERED),
    "cut off": ((_CUT,), 9, Fault.TRUNCATED),
    "all gone": (("DELETE FROM audit",), 1, Fault.TRUNCATED),
    "head gone": (("DELETE FROM audit_head",), 11, Fault.TRUNCATED),
    "head moved back": ((_CUT_HEAD,), 10, Fault.ALTERED),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_tampering_is_named(keeping: Keeping, case: str) -> None:
    statements, number, fault = TAMPERED[case]
    fill(keeping.database, 10)
    assert isinstance(check(keeping.database), Sound)
    sql(keeping.database, *statements)
    found = check(keeping.database)
    assert isinstance(found, Broken)
    assert (found.number, found.fault) == (number, fault), found.why


def forge(database: Database, first: int) -> None:
    """Writes the chain anew from an entry on, as somebody would who knows how it is made; the head is left."""
    kept = entries(database)
    sql(
        database,
        f"DELETE FROM audit WHERE number >= {first}",
        f"UPDATE audit_head SET number = {first - 1}, digest = '{kept[first - 2].digest}'",
    )
    with database.write() as connection:
        for entry in kept[first - 1 :]:
            governance.append(connection, entry.at_us, "operator-9", entry.about)


def test_an_entry_that_was_written_anew_with_its_digest_is_named_by_the_next(keeping: Keeping) -> None:
    fill(keeping.database, 10)
    entry = entries(keeping.database)[4]
    made = governance.sealed(Head(number=4, digest=entry.previous), entry.at_us, "operator-9", entry.about)
    sql(keeping.database, f"UPDATE audit SET \"by\" = 'operator-9', digest = '{made.digest}' WHERE number = 5")
    found = check(keeping.database)
    assert isinstance(found, Broken)
    assert (found.number, found.fault) == (5, Fault.ALTERED)


def test_what_fits_together_is_found_by_the_head_that_was_noted_and_by_nothing_else(keeping: Keeping) -> None:
    fill(keeping.database, 10)
    noted = entries(keeping.database)[-1].head
    assert isinstance(check(keeping.database, noted), Sound)
    forge(keeping.database, 6)
    assert isinstance(check(keeping.database), Sound)
    assert check(keeping.database, noted) == Broken(10, Fault.ALTERED, "its digest is not the one that was noted")
    sql(keeping.database, _CUT, _CUT_HEAD)
    assert isinstance(check(keeping.database), Sound)
    found = check(keeping.database, noted)
    assert isinstance(found, Broken)
    assert (found.number, found.fault) == (9, Fault.TRUNCATED)


def test_what_was_cut_off_stays_missing_when_the_hub_goes_on(keeping: Keeping) -> None:
    fill(keeping.database, 10)
    sql(keeping.database, _CUT)
    fill(keeping.database, 2)
    found = check(keeping.database)
    assert isinstance(found, Broken)
    assert (found.number, found.fault) == (9, Fault.MISSING)


# --- pruning ------------------------------------------------------------------------------------------------------------------


def prune(database: Database, at_s: float, before_s: float) -> governance.Entry | None:
    with database.write() as connection:
        return governance.prune(connection, int(at_s * 1e6), int(before_s * 1e6))


def test_the_chain_survives_pruning_and_a_log_at_rest_stays_at_rest(keeping: Keeping) -> None:
    fill(keeping.database, 10)
    fourth = entries(keeping.database)[3]
    closing = prune(keeping.database, START_S + 100, START_S + 4)
    assert closing is not None
    assert closing.about == governance.LogPruned(upto=4, digest=fourth.digest)
    assert check(keeping.database, fourth.head) == Sound(7, 5, closing.head)
    assert prune(keeping.database, START_S + 100, START_S + 4) is None
    assert prune(keeping.database, START_S + 300, START_S + 200) is not None
    assert [entry.number for entry in entries(keeping.database)] == [12]
    assert prune(keeping.database, START_S + 900, START_S + 800) is None
    assert isinstance(check(keeping.database), Sound)
    fill(keeping.database, 1, START_S + 900)
    sql(keeping.database, "DELETE FROM audit WHERE number = 12")
    found = check(keeping.database)
    assert isinstance(found, Broken)
    assert found.fault is Fault.MISSING


def test_more_taken_than_was_recorded_is_named(keeping: Keeping) -> None:
    fill(keeping.database, 10)
    prune(keeping.database, START_S + 100, START_S + 4)
    sql(keeping.database, "DELETE FROM audit WHERE number IN (5, 6)")
    found = check(keeping.database)
    assert isinstance(found, Broken)
    assert (found.number, found.fault) == (5, Fault.MISSING)


def test_a_clock_that_was_set_back_leaves_no_hole(keeping: Keeping) -> None:
    fill(keeping.database, 3)
    fill(keeping.database, 3, START_S - HOUR_S)
    assert prune(keeping.database, START_S + 100, START_S - 60) is None
    assert isinstance(check(keeping.database), Sound)


def test_the_log_is_kept_for_the_profiles_time(keeping: Keeping, site: Site) -> None:
    keep = site.law.retention
    keeping.store.started()
    keeping.now_s += keep.audit_h * HOUR_S - 1
    keeping.store.purge()
    assert [entry.what for entry in entries(keeping.database)] == [What.HUB_STARTED]
    keeping.now_s += 2
    keeping.store.purge()
    assert [entry.what for entry in entries(keeping.database)] == [What.LOG_PRUNED]


def test_ten_thousand_entries(keeping: Keeping) -> None:
    fill(keeping.database, 10_000)
    found = check(keeping.database)
    assert isinstance(found, Sound)
    assert (found.count, found.head.number) == (10_000, 10_000)
    sql(keeping.database, "UPDATE audit SET \"by\" = 'operator-9' WHERE number = 7777")
    broken = check(keeping.database)
    assert isinstance(broken, Broken)
    assert broken.number == 7777


# --- the command --------------------------------------------------------------------------------------------------------------


def audit(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["audit", *words])
    return result.exit_code, result.stdout, result.stderr


def test_the_command_says_what_it_found(keeping: Keeping, store_url: str) -> None:
    fill(keeping.database, 10)
    where = ("--store", store_url)
    head = str(entries(keeping.database)[-1].head)
    code, out, _ = audit("verify", *where)
    assert (code, f"head: {head}" in out, "No noted head" in out) == (0, True, True)
    code, out, _ = audit("verify", *where, "--head", head)
    assert (code, "No noted head" in out) == (0, False)
    sql(keeping.database, "DELETE FROM audit WHERE number = 5")
    code, out, _ = audit("verify", *where)
    assert (code, out) == (1, "BROKEN: entry 5 is missing: after entry 4 comes entry 6\n")


def test_an_export_can_be_checked_without_the_program(keeping: Keeping, store_url: str) -> None:
    fill(keeping.database, 5)
    code, out, _ = audit("export", "--store", store_url)
    assert code == 0
    previous = NOBODY
    for number, line in enumerate(out.splitlines(), 1):
        entry: dict[str, Any] = json.loads(line)
        bare, _, _ = line.rpartition(',"digest"')
        assert hashlib.sha256(f"{bare}}}".encode()).hexdigest() == entry["digest"]
        assert (entry["number"], entry["previous"]) == (number, previous)
        previous = entry["digest"]
    assert number == 5


@pytest.mark.parametrize("words", [("verify", "--head", "ten"), ("verify",), ("export",)])
def test_what_cannot_be_checked_is_said(words: tuple[str, ...], tmp_path: Path) -> None:
    code, _, err = audit(*words, "--data-dir", str(tmp_path / "nowhere"))
    assert code == 2
    assert "--data-dir" in err or "NUMBER:DIGEST" in err
    assert not (tmp_path / "nowhere").exists()

"""A backup has what the store had at one moment, becomes a store of either database again, and is refused if it is not whole."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from parvis_contract import Site, Verdict
from parvis_hub import governance
from parvis_hub.cli import app
from parvis_hub.governance import BackupMade, Sound, StoreRestored
from parvis_hub.store import Database, DecisionReason, Desk, Notices, Store
from parvis_hub.store.backup import BackupError, backup, restore
from sqlalchemy import text
from typer.testing import CliRunner

from tests.hub.store.test_store import AT, Keeping, a_shot
from tests.hub.street import START_S, busy_street, write_site

NOW_US = int(START_S * 1e6)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return write_site(tmp_path / "site.yaml")


@pytest.fixture
def keeping(site: Site, store_url: str) -> Iterator[Keeping]:
    """A store with incidents, one of them decided, and the sighting of a tag."""
    keeping = Keeping(site, store_url)
    keeping.store.started()
    names = keeping.keep(busy_street(3))
    keeping.desk.decide(uuid.UUID(names[0]), Verdict.CONFIRMED, DecisionReason.SEEN_ON_SITE, "operator-2", AT)
    with keeping.database.write() as connection:
        connection.execute(text("INSERT INTO sightings (id, expires_us, message) VALUES ('x', 2, '{}')"))
    yield keeping
    keeping.database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def other_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'restored.sqlite'}"
    return str(request.getfixturevalue("postgresql").database())


def test_what_was_kept_is_kept_again(keeping: Keeping, site: Site, other_url: str, tmp_path: Path) -> None:
    file = tmp_path / "backup.jsonl.gz"
    count = backup(keeping.database, site.site, NOW_US, "a-martin", file)
    was = keeping.desk.incidents()
    # The hub goes on; what comes after the backup is not in it.
    keeping.keep(a_shot())
    assert restore(other_url, site.site, NOW_US + 5, file) == count
    database = Database(other_url, site.site)
    desk = Desk(Store(database, site), site, Notices())
    assert desk.incidents() == was
    assert [desk.incident(row.message.data.incident) for row in was] == [
        keeping.desk.incident(row.message.data.incident) for row in keeping.desk.incidents() if row in was
    ]
    with database.read() as connection:
        assert isinstance(governance.verify(connection), Sound)
        made, restored = list(governance.entries(connection))[-2:]
        assert connection.execute(text("SELECT count(*) FROM sightings")).scalar_one() == 0
    assert (made.by, made.about) == ("a-martin", BackupMade())
    assert restored.about == StoreRestored(made_us=NOW_US, rows=count)
    # It can be written to, with numbers that go on from those it came with.
    again = Keeping(site, other_url)
    assert again.keep(a_shot())
    database.close()
    again.database.close()


def test_the_file_is_for_its_owner_alone_and_overwrites_nothing(keeping: Keeping, site: Site, tmp_path: Path) -> None:
    file = tmp_path / "backup.jsonl.gz"
    backup(keeping.database, site.site, NOW_US, "hub", file)
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        backup(keeping.database, site.site, NOW_US, "hub", file)


def _lines(file: Path) -> list[bytes]:
    return gzip.decompress(file.read_bytes()).splitlines(keepends=True)


def _changed(lines: list[bytes]) -> bytes:
    return gzip.compress(b"".join(line.replace(b"gunshot", b"firework") for line in lines))


def _newer(lines: list[bytes]) -> bytes:
    header = json.loads(lines[0]) | {"schema_version": "9999"}
    body = [json.dumps(header).encode() + b"\n", *lines[1:-1]]
    footer = json.loads(lines[-1]) | {"sha256": hashlib.sha256(b"".join(body)).hexdigest()}
    return gzip.compress(b"".join([*body, json.dumps(footer).encode() + b"\n"]))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda lines: gzip.compress(b"".join(lines))[:-100], "not all of one"),
        (lambda lines: gzip.compress(b"".join(lines[:-1])), "not all of one"),
        (lambda lines: gzip.compress(b"".join(lines[:3] + lines[-1:])), "damaged"),
        (_changed, "damaged"),
        (_newer, "of version 9999"),
        (lambda _: b"", "no backup"),
        (lambda _: b"PK\x03\x04 something else", "no backup"),
    ],
)
def test_what_is_no_whole_backup_is_refused_and_nothing_is_made(spoil, says: str, site: Site, tmp_path: Path) -> None:  # noqa: ANN001
    keeping = Keeping(site, f"sqlite:///{tmp_path / 'hub.sqlite'}")
    keeping.keep(busy_street(3))
    file = tmp_path / "backup.jsonl.gz"
    backup(keeping.database, site.site, NOW_US, "hub", file)
    file.write_bytes(spoil(_lines(file)))
    target = f"sqlite:///{tmp_path / 'restored.sqlite'}"
    with pytest.raises(BackupError, match=says):
        restore(target, site.site, NOW_US, file)
    empty = Keeping(site, target)
    assert empty.desk.incidents() == []


def test_a_backup_of_another_site_or_over_a_store_is_refused(keeping: Keeping, site: Site, store_url: str, tmp_path: Path) -> None:
    file = tmp_path / "backup.jsonl.gz"
    backup(keeping.database, site.site, NOW_US, "hub", file)
    with pytest.raises(BackupError, match="of the site quay"):
        restore(f"sqlite:///{tmp_path / 'restored.sqlite'}", "elsewhere", NOW_US, file)
    with pytest.raises(BackupError, match="a store already"):
        restore(store_url, site.site, NOW_US, file)


def test_a_pipe_is_refused(site: Site, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(BackupError, match="is no file"):
        restore(f"sqlite:///{tmp_path / 'restored.sqlite'}", site.site, NOW_US, pipe)


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["store", *words])
    return result.exit_code, result.output


def test_the_commands(keeping: Keeping, site: Site, store_url: str, other_url: str, tmp_path: Path) -> None:
    plan, file = ("--site", str(site.path)), str(tmp_path / "backup.jsonl.gz")
    code, said = run("backup", *plan, "--store", store_url, "--by", "a-martin", file)
    assert (code, " rows in " in said) == (0, True), said
    code, said = run("backup", *plan, "--store", store_url, file)
    assert (code, "not overwritten" in said) == (2, True)
    code, said = run("backup", *plan, "--data-dir", str(tmp_path / "nowhere"), file)
    assert (code, "no store" in said) == (2, True)
    code, said = run("restore", *plan, "--data-dir", str(tmp_path / "new"), file)
    assert (code, "rows restored" in said) == (0, True), said
    code, said = run("restore", *plan, "--store", other_url, file)
    assert (code, "rows restored" in said) == (0, True), said
    # The sighting of this store has expired, and no hub runs that would delete it.
    code, said = run("retention", *plan, "--store", store_url)
    assert (code, "overdue" in said) == (1, True), said
    keeping.now_s = time.time()
    keeping.close(keeping.now_s)
    keeping.store.purge()
    code, said = run("retention", *plan, "--store", store_url)
    assert code == 0, said

"""Commands in the store: issued, said until acknowledged, forgotten; and what a sighting needs to be kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from parvis_contract import CommandRefusal, CommandStatus, Site, UnitState, UnitStatus, load_site, parse_message
from parvis_contract.signing import SigningKey, is_signed, key_digest
from parvis_hub.store import Command, CommandStore, Database, NotIssued, issue_allowlist

KEY = SigningKey.make()
NOW = datetime(2026, 6, 21, 18, tzinfo=UTC)
NOW_US = round(NOW.timestamp() * 1e6)
HOUR_US = 3_600_000_000
PLAN = f"""\
site: quay
profile: lab
origin: {{lon: 5.37, lat: 43.296}}
units:
  u001: {{position: {{lon: 5.3701, lat: 43.2961}}, senses: [camera]}}
  u002: {{position: {{lon: 5.3702, lat: 43.2962}}, senses: [camera]}}
  u003: {{position: {{lon: 5.3702, lat: 43.2962}}, senses: [microphone]}}
hub_keys: [{KEY.public_key}]
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "site.yaml").write_text(PLAN)
    return load_site(tmp_path / "site.yaml")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'hub.sqlite'}", "quay")
    yield opened
    opened.close()


def issue(
    database: Database, site: Site, *tags: int, units: tuple[str, ...] = ("u001",), hours: float = 1.0, now: datetime = NOW
) -> list[Command]:
    return issue_allowlist(database, site, KEY, units=units, tags=tags, until=now + timedelta(hours=hours), now=now)


def status(counter: int | None, refused: CommandRefusal | None = None) -> UnitStatus:
    return UnitStatus(state=UnitState.HEALTHY, software="0.1.0", commands=CommandStatus(allowlist=counter, refused=refused))


def test_each_unit_has_its_own_signed_list_and_a_later_one_counts_higher(database: Database, site: Site) -> None:
    first = issue(database, site, 1, 2, units=("u001", "u002"))
    assert [command.unit for command in first] == ["u001", "u002"]
    for command in first:
        message = parse_message(command.message)
        assert message.data.unit == command.unit
        assert is_signed(command.message, message.data.signature, {key_digest(KEY.public_key): KEY.public_key})
    # Also by a clock that was set back.
    again = issue(database, site, 3, now=NOW - timedelta(minutes=5))
    assert again[0].counter == first[0].counter + 1
    assert [command.tags for command in CommandStore(database).all()] == [{3}, {1, 2}]


def test_a_list_is_waiting_until_its_unit_names_it_and_again_when_it_has_lost_it(database: Database, site: Site) -> None:
    store = CommandStore(database)
    [command] = issue(database, site, 1)
    assert [each.counter for each in store.unacknowledged(NOW_US)] == [command.counter]
    assert store.heard("u001", status(None, CommandRefusal.CLOCK_BEHIND), NOW_US)[0].refused is CommandRefusal.CLOCK_BEHIND
    assert len(store.unacknowledged(NOW_US)) == 1
    assert store.heard("u001", status(command.counter, CommandRefusal.REPLAYED), NOW_US)[0].acknowledged == NOW
    assert store.heard("u001", status(command.counter), NOW_US + 1) == []
    assert store.unacknowledged(NOW_US) == []
    # A new card in the unit.
    assert store.heard("u001", UnitStatus(state=UnitState.STARTING, software="0.1.0"), NOW_US)[0].acknowledged is None
    assert len(store.unacknowledged(NOW_US)) == 1
    assert store.unacknowledged(NOW_US + HOUR_US) == []
    store.forget(NOW_US + 26 * HOUR_US)
    assert store.all() == []


@pytest.mark.parametrize(
    ("seen", "kept"),
    [(("u001", 1, NOW_US), True), (("u001", 3, NOW_US), False), (("u002", 1, NOW_US), False), (("u001", 1, NOW_US + HOUR_US), False)],
)
def test_a_sighting_is_kept_only_of_a_tag_on_its_units_list_while_it_lasts(
    database: Database, site: Site, seen: tuple[str, int, int], kept: bool
) -> None:
    issue(database, site, 1)
    assert CommandStore(database).lists().allow(*seen) is kept
    issue(database, site, now=NOW + timedelta(seconds=1))
    assert not CommandStore(database).lists().allow(*seen)


def test_what_cannot_be_issued_is_told_and_nothing_is_kept(database: Database, site: Site) -> None:
    with pytest.raises(NotIssued, match="no unit u009"):
        issue(database, site, 1, units=("u001", "u009"))
    with pytest.raises(NotIssued, match="no camera"):
        issue(database, site, 1, units=("u003",))
    with pytest.raises(NotIssued, match="31 days"):
        issue(database, site, 1, hours=32 * 24)
    with pytest.raises(NotIssued, match="after now"):
        issue(database, site, 1, hours=-1)
    with pytest.raises(NotIssued, match="follow each other"):
        issue(database, site, *range(0, 40, 2))
    with pytest.raises(NotIssued, match="hub_keys"):
        issue_allowlist(database, site, SigningKey.make(), units=["u001"], tags=[1], until=NOW + timedelta(hours=1), now=NOW)
    assert CommandStore(database).all() == []

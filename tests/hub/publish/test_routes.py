"""What the broker retains of routes: that of a consent while it is in force, and nothing of one that is no more."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from parvis_contract import parse_message
from parvis_hub.consent.consents import Status
from parvis_hub.intake import Broker
from parvis_hub.publish import RouteKeeper
from parvis_hub.publish import routes as publishing
from parvis_hub.store import CommandStore, ConsentStore
from sqlalchemy import text
from structlog.testing import capture_logs

from tests.hub.consent.participants import HOUR_US, Square, walk

TOPIC = "parvis/v1/square/route/"


class Retaining:
    """A broker that remembers what it retains, and how often it was told so."""

    def __init__(self) -> None:
        self.connected = threading.Event()
        self.connections = 0
        self.retained: dict[str, bytes] = {}
        self.told = 0

    def connect(self) -> None:
        self.connections += 1
        self.connected.set()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        assert retain
        self.told += 1
        self.retained.pop(topic, None)
        if payload:
            self.retained[topic] = payload
        return self.told


class Kept:
    """A square whose hub keeps routes."""

    def __init__(self, folder: Path) -> None:
        self.square = Square(folder, f"sqlite:///{folder / 'hub.sqlite'}")
        self.broker = Retaining()
        self.broker.connect()
        square = self.square
        self.keeper = RouteKeeper(square.site, square.store, cast("Broker", self.broker), square.key, lambda: square.now_us)

    def walkways(self, participant: str = "steward-07") -> list[str] | None:
        payload = self.broker.retained.get(TOPIC + participant)
        return None if payload is None else [segment.walkway for segment in parse_message(payload).data.segments]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path)
    yield made
    made.square.database.close()


def test_a_route_is_told_once_and_again_when_it_changes_or_the_broker_is_another(kept: Kept) -> None:
    kept.square.enrol()
    kept.keeper.turn()
    assert kept.walkways() is None
    kept.square.receive(walk(17)[:40], later_s=60)
    kept.keeper._rested_s = 0.0
    kept.keeper.turn()
    assert kept.walkways() == ["w001"]
    told = kept.broker.told
    kept.keeper.turn()
    assert kept.broker.told == told
    kept.square.receive(walk(17)[40:], later_s=90)
    kept.keeper._rested_s = 0.0
    kept.keeper.turn()
    assert kept.walkways() == ["w001", "w002"]
    kept.broker.retained.clear()
    kept.broker.connect()
    kept.keeper.turn()
    assert kept.walkways() == ["w001", "w002"]


def test_nothing_of_an_ended_consent_is_left_also_where_another_has_begun(kept: Kept) -> None:
    kept.square.enrol()
    kept.keeper.turn()
    kept.square.receive(walk(17), later_s=90)
    kept.keeper._rested_s = 0.0
    kept.keeper.turn()
    assert kept.walkways() == ["w001", "w002"]
    kept.square.store.consents.withdraw("steward-07", "a-martin")
    kept.square.enrol(tag=18)
    # However long it rests.
    kept.keeper._rested_s = float("inf")
    kept.keeper.turn()
    assert kept.broker.retained == {}


def test_who_withdraws_while_routes_are_told_has_none_published(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.square.enrol()
    kept.keeper.turn()
    kept.square.receive(walk(17), later_s=90)
    kept.keeper._rested_s = 0.0
    tell = publishing.routes_now

    def slowly(site: Any, consents: ConsentStore, register: Any) -> Any:
        found = tell(site, consents, register)
        assert found["steward-07"].route is not None
        consents.withdraw("steward-07", "a-martin")
        return found

    monkeypatch.setattr(publishing, "routes_now", slowly)
    kept.keeper.turn()
    assert kept.broker.retained == {}


def test_lists_follow_the_register_and_are_renewed_halfway(kept: Kept) -> None:
    commands = CommandStore(kept.square.database)

    def tags() -> list[frozenset[int]]:
        return [command.tags for command in commands.all()]

    kept.square.allow(3)
    kept.keeper.turn()
    assert tags() == [{3}], "while nobody was ever enrolled, a list that was issued by hand stands"
    kept.square.enrol(days=2)
    kept.square.enrol("steward-08", 18, since_h=24)
    kept.keeper.turn()
    assert tags() == [{17}]
    (first,) = commands.all()
    kept.square.now_us += 11 * HOUR_US
    kept.keeper.turn()
    assert commands.all() == [first]
    kept.square.now_us += 2 * HOUR_US
    kept.keeper.turn()
    assert commands.all()[0].counter > first.counter
    kept.square.now_us += 11 * HOUR_US
    kept.keeper.turn()
    assert tags() == [{17, 18}]
    # The first consent's time is over.
    kept.square.now_us += 24 * HOUR_US
    kept.keeper.turn()
    assert tags() == [{18}]
    assert {consent.status for consent in kept.square.store.consents.all() if consent.tag == 17} == {Status.EXPIRED}


def test_a_sighting_that_was_altered_is_named_and_the_rest_is_told(kept: Kept) -> None:
    consent = kept.square.enrol()
    kept.keeper.turn()
    kept.square.receive(walk(17)[:40], later_s=60)
    with kept.square.database.write() as connection:
        connection.execute(text("UPDATE sightings SET message = 'AAAA' WHERE row = 3"))
    kept.keeper._rested_s = 0.0
    with capture_logs() as said:
        kept.keeper.turn()
        kept.keeper._state = None
        kept.keeper._rested_s = 0.0
        kept.keeper.turn()
    assert [(entry["consent"], entry["rows"]) for entry in said if "cannot be read" in entry["event"]] == [(consent.id, [3])]
    assert kept.walkways() == ["w001"]
    told = publishing.route_of(kept.square.site, kept.square.store.consents, "steward-07")
    assert (len(told.sightings), told.damaged) == (39, (3,))

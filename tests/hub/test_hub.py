"""The running hub: from a real broker to the store and back, and killed in between."""

from __future__ import annotations

import json
import random
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from parvis_contract import Envelope, IncidentState, Operator, Site, Verdict, dump_message, parse_message, topic_of
from parvis_hub.intake import Broker as Connection
from parvis_hub.intake import BrokerAddress, Delivery, Intake
from parvis_hub.intake.replay import replay
from parvis_hub.publish import Publisher
from parvis_hub.store import Database, DecisionReason, Desk, Notices, Store, default_url

from tests.broker import Broker, Subscriber
from tests.hub.running import BROKER_SETTINGS, Publishing, RunningHub, gist, open_desk, wait_for
from tests.hub.street import Street, busy_street, lines, write_site


def now_us() -> int:
    return time.time_ns() // 1000


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return write_site(tmp_path / "site.yaml")


def expected(site: Site, street: Street) -> list[object]:
    log = ((str(number), line) for number, line in enumerate(lines(street.sorted()).splitlines()))
    incidents = replay(site, log, lambda place, refused: pytest.fail(f"{place}: {refused}")).incidents
    return sorted(str(gist(message.data)) for message in incidents)


def found(site: Site, folder: Path) -> list[object]:
    return sorted(str(gist(row.message.data)) for row in open_desk(site, folder).incidents(limit=10_000))


def test_what_units_publish_becomes_incidents_in_the_store_and_on_the_broker(site: Site, mosquitto: Path, tmp_path: Path) -> None:
    street = busy_street(7, start_s=time.time() - 600)
    with Broker(mosquitto, BROKER_SETTINGS) as broker, RunningHub(site, broker.port, tmp_path / "hub") as hub:
        with Subscriber(broker.port, "parvis/v1/quay/incident/+") as control_room, Publishing(broker.port) as units:
            wait_for(lambda: "connected" in hub.log)
            units.messages(street.sorted())
            wait_for(lambda: open_desk(site, hub.folder).counters().stored == len(street.messages))
            published = {}
            for topic, payload, _ in control_room.messages():
                if payload:
                    message = parse_message(payload)
                    published[topic] = message
                    assert topic == f"parvis/v1/quay/incident/{message.data.incident}"
            rows = open_desk(site, hub.folder).incidents(limit=1000)
            for row in rows:
                assert published[f"parvis/v1/quay/incident/{row.message.data.incident}"] == row.message
        assert found(site, hub.folder) == expected(site, street)
        assert hub.end(signal.SIGTERM) == 0
        assert "Traceback" not in hub.log
        # Whoever comes later finds the open ones only.
        retained = {}
        with Subscriber(broker.port, "parvis/v1/quay/incident/+", name="later") as later:
            retained = {topic: json.loads(payload) for topic, payload, kept in later.messages() if kept and payload}
        open_ones = {str(row.message.data.incident) for row in rows if row.message.data.state is IncidentState.OPEN}
        assert {topic.rpartition("/")[2] for topic in retained} == open_ones
        assert all(message["data"]["state"] == "open" for message in retained.values())


def test_nothing_is_lost_or_counted_twice_when_the_hub_is_killed(site: Site, mosquitto: Path, tmp_path: Path) -> None:
    rng = random.Random(5)
    street = busy_street(8, happenings=40, start_s=time.time() - 600)
    messages = street.sorted()
    with (
        Broker(mosquitto, BROKER_SETTINGS) as broker,
        RunningHub(site, broker.port, tmp_path / "hub") as hub,
        Publishing(broker.port) as units,
    ):
        wait_for(lambda: "connected" in hub.log)
        for at in range(0, len(messages), 40):
            # Every message twice, as a unit does that was killed before it noted the broker's answer.
            units.messages([*messages[at : at + 40], *messages[at : at + 40]], pause_s=0.002)
            hub.end(signal.SIGKILL)
            time.sleep(rng.uniform(0, 0.3))
            hub.start()
            time.sleep(rng.uniform(0, 1.5))
        desk = open_desk(site, hub.folder)
        wait_for(lambda: desk.counters().stored == len(messages))
        wait_for(lambda: found(site, hub.folder) == expected(site, street))
        assert desk.counters().stored == len(messages)
        assert all(unit.missing == 0 for unit in desk.units())


def test_what_comes_while_the_hub_is_down_waits_at_the_broker(site: Site, mosquitto: Path, tmp_path: Path) -> None:
    street = busy_street(9, start_s=time.time() - 600)
    with (
        Broker(mosquitto, BROKER_SETTINGS) as broker,
        RunningHub(site, broker.port, tmp_path / "hub") as hub,
        Publishing(broker.port) as units,
    ):
        wait_for(lambda: "connected" in hub.log)
        assert hub.end(signal.SIGTERM) == 0
        units.messages(street.sorted())
        hub.start()
        wait_for(lambda: open_desk(site, hub.folder).counters().stored == len(street.messages))
        wait_for(lambda: found(site, hub.folder) == expected(site, street))


def test_a_verdict_is_published_and_stays_through_what_comes_after(site: Site, mosquitto: Path, tmp_path: Path) -> None:
    street = Street()
    street.thing(time.time() - 400, (40.0, 40.0), lasts_s=200.0, ends=False)
    messages = street.sorted()
    early, late = messages[:6], messages[6:]
    database = Database(default_url(tmp_path), site.site)
    store = Store(database, site)
    desk = Desk(store, site, Notices())
    with Broker(mosquitto, BROKER_SETTINGS) as server, Subscriber(server.port, "parvis/v1/quay/incident/+") as control_room:
        broker = Connection(BrokerAddress("127.0.0.1", server.port), site.site)
        intake, publisher = Intake(site, store), Publisher(site.site, store, broker)
        broker.start()
        assert broker.connected.wait(10)

        def turn(several: list[Envelope[Any]]) -> None:
            deliveries = [Delivery(topic_of(message), dump_message(message), now_us()) for message in several]
            store.commit(intake.prepare(deliveries, now_us()).batch)
            publisher.publish()

        turn(early)
        (row,) = desk.incidents()
        at = datetime.now(UTC).replace(microsecond=0)
        desk.decide(row.message.data.incident, Verdict.CONFIRMED, DecisionReason.SEEN_ON_SITE, "operator-2", at)
        publisher.publish()
        turn(late)
        heard = [parse_message(payload).data.operator for _, payload, _ in control_room.messages() if payload]
        broker.stop()
    confirmed = Operator(verdict=Verdict.CONFIRMED, by="operator-2", at=at)
    assert heard == [row.message.data.operator, confirmed, confirmed]
    assert [each.message.data.operator for each in desk.incidents(verdict=Verdict.CONFIRMED)] == [confirmed]
    assert [incident.id for incident in store.unpublished()] == [str(row.message.data.incident)], (
        "the last is not yet known to have arrived"
    )

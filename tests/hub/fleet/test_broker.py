"""The real mosquitto, configured by the hub: who gets in, and what they can do there."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from parvis_contract.topics import ROOT
from parvis_hub.fleet import Authority, Kind

from tests.hub.fleet.town import Town

BRANCH = f"{ROOT}/vieux-port"
NOT_AUTHORISED = 0x87


class Client:
    """A client with a certificate."""

    def __init__(
        self, town: Town, pem: Path | None, name: str, *, will: str | None = None, port: int | None = None, lasting: bool = False
    ) -> None:
        self.got: Queue[int] = Queue()
        self.came: Queue[paho.MQTTMessage] = Queue()
        self.granted: Queue[int] = Queue()
        self.ended: Queue[Any] = Queue()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=paho.MQTTv5, reconnect_on_failure=False)
        if pem is None:
            self.client.tls_set(str(town.folder.path / "ca.pem"))
        else:
            self.client.tls_set(str(town.folder.path / "ca.pem"), str(pem), str(pem))
        if will:
            self.client.will_set(will, b"gone", qos=1, retain=True)
        self.client.on_publish = lambda _client, _data, _mid, reason, _properties: self.got.put(reason.value)
        self.client.on_message = lambda _client, _data, message: self.came.put(message)
        self.client.on_subscribe = lambda _client, _data, _mid, reasons, _properties: self.granted.put(reasons[0].value)
        self.client.on_disconnect = lambda _client, _data, _flags, reason, _properties: self.ended.put(reason)
        session: dict[str, Any] = {}
        if lasting:
            # What comes while it is away waits for it.
            session = {"clean_start": False, "properties": Properties(PacketTypes.CONNECT)}
            session["properties"].SessionExpiryInterval = 3_600
        self.client.connect("localhost", port or town.broker_port, **session)
        self.client.loop_start()
        until_s = time.monotonic() + 5
        while not self.client.is_connected() and self.ended.empty() and time.monotonic() < until_s:
            time.sleep(0.01)

    def publish(self, topic: str, payload: bytes = b"{}", *, retain: bool = False) -> int:
        """The broker's answer; below 128 it has been taken."""
        self.client.publish(topic, payload, qos=1, retain=retain)
        return self.got.get(timeout=10)

    def subscribe(self, topic: str) -> int:
        self.client.subscribe(topic, qos=1)
        return self.granted.get(timeout=10)

    def hears(self, within_s: float = 10.0) -> tuple[str, bytes] | None:
        try:
            message = self.came.get(timeout=within_s)
        except Empty:
            return None
        return message.topic, message.payload

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, mosquitto: Path) -> Iterator[Town]:
    town = Town.build(tmp_path_factory.mktemp("town"))
    room = town.member("pc-vieux-port", Kind.CONTROL_ROOM)
    maintainer = town.member("m-petit", Kind.MAINTAINER)
    town.tell_broker()
    room.rename(town.path / "room.pem")
    maintainer.rename(town.path / "maintainer.pem")
    with town.broker(mosquitto):
        yield town
    town.database.close()


@pytest.fixture(scope="module")
def hub(town: Town) -> Iterator[Client]:
    hub = Client(town, town.folder.path / "hub.pem", "the-hub")
    assert hub.subscribe(f"{BRANCH}/#") == 1
    yield hub
    hub.close()


@pytest.fixture(scope="module")
def unit(town: Town) -> Iterator[Client]:
    unit = Client(town, town.member("u017"), "u017")
    yield unit
    unit.close()


@pytest.mark.parametrize("branch", ["event/sound.impulse", "flow", "tag", "evidence", "status", "telemetry"])
def test_a_unit_writes_its_own_branch(hub: Client, unit: Client, branch: str) -> None:
    payload = os.urandom(8)
    assert unit.publish(f"{BRANCH}/u017/{branch}", payload) < 128
    assert hub.hears() == (f"{BRANCH}/u017/{branch}", payload)


@pytest.mark.parametrize(
    "topic",
    [
        f"{BRANCH}/u018/event/sound.impulse",
        f"{BRANCH}/u018/status",
        f"{BRANCH}/u017/command",
        f"{BRANCH}/u018/command",
        f"{BRANCH}/incident/01937a5c-8f3e-7c2a-9d41-5b0c2e6f1a77",
        f"{BRANCH}/route/steward-07",
        f"{BRANCH}/rejected",
        f"{BRANCH}/u017/event/a/b",
        f"{ROOT}/other-site/u017/status",
        f"{BRANCH}/U017/status",
        f"{BRANCH}//u017/status",
        f"/{BRANCH}/u017/status",
        "$SYS/broker/version",
        "$CONTROL/dynamic-security/v1",
        "homeassistant/x",
    ],
)
def test_a_unit_writes_nothing_else(hub: Client, unit: Client, topic: str) -> None:
    assert unit.publish(topic, retain=True) == NOT_AUTHORISED
    assert hub.hears(0.05) is None


def test_a_unit_reads_its_own_commands_and_nothing_else(town: Town, hub: Client) -> None:
    unit = Client(town, town.member("u018"), "u018")
    for topic in (
        f"{BRANCH}/u018/command",
        f"{BRANCH}/+/command",
        f"{BRANCH}/#",
        "#",
        f"{BRANCH}/u017/command",
        f"{BRANCH}/incident/+",
        "$SYS/#",
    ):
        unit.subscribe(topic)
    for topic in (f"{BRANCH}/u017/command", f"{BRANCH}/incident/x", f"{BRANCH}/u018/command"):
        assert hub.publish(topic, topic.encode()) < 128
    # Messages of one publisher come in order: had the others been let through, they would have come first.
    heard = {unit.hears(), *(message for message in [unit.hears(0.3)] if message)}
    assert heard == {(f"{BRANCH}/u018/command", f"{BRANCH}/u018/command".encode())}
    unit.close()
    while hub.hears(0.2):
        pass


def test_a_control_room_reads_and_writes_nothing(town: Town, hub: Client, unit: Client) -> None:
    room = Client(town, town.path / "room.pem", "room")
    assert room.subscribe(f"{BRANCH}/#") < 128
    assert unit.publish(f"{BRANCH}/u017/telemetry") < 128
    for topic in (f"{BRANCH}/incident/x", f"{BRANCH}/route/y"):
        assert hub.publish(topic) < 128
        assert room.hears() == (topic, b"{}")
    for topic in (f"{BRANCH}/incident/x", f"{BRANCH}/u017/status", f"{BRANCH}/u017/command"):
        assert room.publish(topic) == NOT_AUTHORISED
    room.close()
    while hub.hears(0.2):
        pass


def test_a_maintainer_reads_what_was_refused_and_no_incident(town: Town, hub: Client) -> None:
    maintainer = Client(town, town.path / "maintainer.pem", "maintainer")
    assert maintainer.subscribe(f"{BRANCH}/#") < 128
    assert hub.publish(f"{BRANCH}/incident/x") < 128
    assert hub.publish(f"{BRANCH}/rejected") < 128
    assert maintainer.hears() == (f"{BRANCH}/rejected", b"{}")
    assert maintainer.publish(f"{BRANCH}/rejected") == NOT_AUTHORISED
    maintainer.close()
    while hub.hears(0.2):
        pass


def test_a_will_on_anothers_topic_is_not_published(town: Town, hub: Client) -> None:
    unit = Client(town, town.member("u018"), "u018-will", will=f"{BRANCH}/u017/status")
    with_own = Client(town, town.member("u018"), "u018-own", will=f"{BRANCH}/u018/status")
    for each in (unit, with_own):
        each.client.loop_stop()
        each.client.socket().close()  # type: ignore[union-attr]
    assert hub.hears() == (f"{BRANCH}/u018/status", b"gone")
    assert hub.hears(0.3) is None


def _let_in(town: Town, pem: Path | None) -> Client | None:
    try:
        client = Client(town, pem, "somebody")
    except OSError:
        return None
    if client.client.is_connected():
        return client
    client.close()
    return None


def _getting_in(town: Town, pem: Path | None) -> str:
    client = _let_in(town, pem)
    if client is None:
        return "shut out"
    client.close()
    return "in"


def test_nobody_gets_in_without_a_certificate_that_is_in_force(town: Town) -> None:
    stranger, now = Authority.make("vieux-port", datetime.now(UTC)), datetime.now(UTC)
    assert _getting_in(town, town.member("u017")) == "in"
    for pem in (
        None,
        town.member("u017", authority=stranger),
        town.member("u017", now=now - timedelta(days=91)),
        town.member("u017", now=now + timedelta(days=2)),
        # For a server alone.
        town.folder.broker / "both.pem",
    ):
        if pem is not None and pem.name == "both.pem":
            pem.write_bytes((town.folder.broker / "broker.key").read_bytes() + (town.folder.broker / "broker.pem").read_bytes())
        assert _getting_in(town, pem) == "shut out", pem


def test_a_certificate_from_before_the_site_plan_lost_the_unit_does_nothing(town: Town) -> None:
    nobody = Client(town, town.member("u999"), "u999")
    assert nobody.publish(f"{BRANCH}/u999/status") == NOT_AUTHORISED
    nobody.close()


def test_without_tls_nothing_is_said(town: Town) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5, reconnect_on_failure=False)
    client.connect("localhost", town.broker_port)
    client.loop_start()
    time.sleep(0.3)
    assert not client.is_connected()
    client.loop_stop()


def test_what_is_larger_than_any_message_ends_the_connection_of_its_sender_alone(town: Town, hub: Client) -> None:
    unit = Client(town, town.member("u018"), "u018-large")
    assert unit.publish(f"{BRANCH}/u018/evidence", bytes(131_072)) < 128
    unit.client.publish(f"{BRANCH}/u018/evidence", bytes(1_000_000), qos=1)
    assert unit.ended.get(timeout=10)
    unit.close()
    assert hub.hears() == (f"{BRANCH}/u018/evidence", bytes(131_072))
    assert hub.hears(0.3) is None
    assert hub.client.is_connected()


def test_one_units_flood_does_not_hold_back_anothers_event(town: Town, hub: Client, unit: Client) -> None:
    flood = Client(town, town.member("u018"), "u018-flood")
    for _ in range(3_000):
        flood.client.publish(f"{BRANCH}/u018/telemetry", bytes(900), qos=0)
    begun_s = time.monotonic()
    assert unit.publish(f"{BRANCH}/u017/event/sound.impulse", b"heard") < 128
    while (message := hub.hears(30)) != (f"{BRANCH}/u017/event/sound.impulse", b"heard"):
        assert message is not None, f"not heard within {time.monotonic() - begun_s:.1f} s"
    flood.close()
    while hub.hears(0.3):
        pass


def test_all_that_units_say_waits_for_a_hub_that_is_away(town: Town, unit: Client) -> None:
    # Unless it is told otherwise, mosquitto keeps 1,000 messages, and says of the rest that it has them.
    count, came = 1_500, Queue[int]()
    while not unit.got.empty():
        unit.got.get()
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 3_600
    pem = str(town.folder.path / "hub.pem")
    for away in (True, False):
        hub = paho.Client(CallbackAPIVersion.VERSION2, client_id="a-hub-that-is-away", protocol=paho.MQTTv5)
        hub.tls_set(str(town.folder.path / "ca.pem"), pem, pem)
        subscribed: Queue[object] = Queue()
        hub.on_subscribe = lambda *_, told=subscribed: told.put(None)
        hub.on_message = lambda _client, _data, message: came.put(int(message.payload))
        hub.connect("localhost", town.broker_port, clean_start=False, properties=properties)
        hub.loop_start()
        if away:
            hub.subscribe(f"{BRANCH}/u017/flow", qos=1)
            subscribed.get(timeout=10)
            hub.disconnect()
            hub.loop_stop()
            for number in range(count):
                unit.client.publish(f"{BRANCH}/u017/flow", str(number).encode(), qos=1)
            assert all(unit.got.get(timeout=10) < 128 for _ in range(count))
    assert [came.get(timeout=10) for _ in range(count)] == list(range(count))
    hub.disconnect()
    hub.loop_stop()


def test_who_is_revoked_can_do_nothing_on_an_open_connection_nor_come_back_and_the_others_can(tmp_path: Path, mosquitto: Path) -> None:
    town = Town.build(tmp_path)
    with town.broker(mosquitto):
        stolen, other = town.member("u017"), town.member("u018")
        hub = Client(town, town.folder.path / "hub.pem", "hub", lasting=True)
        hub.subscribe(f"{BRANCH}/#")
        thief: Client | None = Client(town, stolen, "thief")
        assert thief.publish(f"{BRANCH}/u017/status", b"before") < 128
        town.fleet.revoke("u017", "a-martin")
        town.tell_broker()
        # It goes on and on, on its open connection and on new ones; a second from now, nothing may come through any more.
        told_s, ended = time.monotonic(), 0
        while (since_s := time.monotonic() - told_s) < 3.0:
            if thief is None or not thief.ended.empty():
                ended += thief is not None
                thief = _let_in(town, stolen)
            if thief is not None:
                thief.client.publish(f"{BRANCH}/u017/status", b"late" if since_s > 1.0 else b"soon", qos=1)
            time.sleep(0.02)
        assert ended > 0, "its connection was ended"
        hub.close()
        _until_in(town, other)
        assert Client(town, other, "u018").publish(f"{BRANCH}/u018/status", b"over") < 128
        heard = _heard(hub)
        hub = Client(town, town.folder.path / "hub.pem", "hub", lasting=True)
        while b"over" not in heard:
            message = hub.hears()
            assert message is not None
            heard.append(message[1])
        hub.close()
        assert heard[0] == b"before"
        assert b"late" not in heard
        assert _getting_in(town, stolen) == "shut out"
        # A new claim lets the unit in again; its old certificate stays out.
        new = tmp_path / "new.pem"
        town.member("u017").rename(new)
        town.tell_broker()
        _until_in(town, new)
        until_s = time.monotonic() + 20
        while True:
            again = Client(town, new, "u017")
            answer = again.publish(f"{BRANCH}/u017/status")
            again.close()
            if answer < 128:
                break
            assert time.monotonic() < until_s, "the new certificate does not count"
        assert _getting_in(town, stolen) == "shut out"
    town.database.close()


def _heard(client: Client) -> list[bytes]:
    """What has come until now."""
    return [client.came.get_nowait().payload for _ in range(client.came.qsize())]


def _until_in(town: Town, pem: Path) -> None:
    until_s = time.monotonic() + 20
    while _getting_in(town, pem) != "in":
        assert time.monotonic() < until_s, "the broker does not come back"
        time.sleep(0.1)

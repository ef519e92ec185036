"""The hub and a real broker, in the clear and under TLS: what comes is what was sent, and comes again until it is acknowledged."""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from parvis_hub.intake import Broker as Connection
from parvis_hub.intake import BrokerAddress, Delivery, TlsFiles

from tests.broker import Broker, Subscriber
from tests.edge.doctor.authority import Authority
from tests.hub.running import wait_for

SETTINGS = "max_inflight_messages 1000\nmax_queued_messages 0\nautosave_on_changes false\nautosave_interval 1800\n"
#: Of no bytes, of more than a packet's length has in one byte, in two and in three, and of more than is fetched at once.
SIZES = (0, 1, 100, 200, 1_000, 20_000, 131_072, 3, 70_000)


@dataclass
class Way:
    """A broker and how one gets to it."""

    broker: Broker
    tls: TlsFiles | None

    def connection(self) -> Connection:
        """Connected, as the hub is."""
        connection = Connection(BrokerAddress("localhost", self.broker.port, self.tls), "quay")
        connection.start()
        assert connection.connected.wait(10)
        return connection

    def publish(self, messages: list[tuple[str, bytes, int, Properties | None]]) -> None:
        """Until the broker has them all."""
        client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        if self.tls is not None:
            client.tls_set_context(ssl.create_default_context(cafile=self.tls.authority))
        there = threading.Event()
        client.on_connect = lambda *_: there.set()
        client.connect("localhost", self.broker.port)
        client.loop_start()
        assert there.wait(10)
        for info in [client.publish(topic, body, qos, properties=properties) for topic, body, qos, properties in messages]:
            info.wait_for_publish(30)
        client.disconnect()
        client.loop_stop()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, tuple[Path, Path]]:
    made = Authority(tmp_path_factory.mktemp("certificates"))
    return made, made.issue("broker")


@pytest.fixture(params=["clear", "tls"])
def way(request: pytest.FixtureRequest, mosquitto: Path, authority: tuple[Authority, tuple[Path, Path]]) -> Iterator[Way]:
    if request.param == "clear":
        with Broker(mosquitto, SETTINGS) as broker:
            yield Way(broker, None)
        return
    own, (certificate, key) = authority
    files = {"broker.pem": certificate.read_text(), "broker.key": key.read_text()}
    # Started by root, it would become a user who may not read its key.
    user = "user root\n" if os.geteuid() == 0 else ""
    with Broker(mosquitto, f"{user}certfile {{folder}}/broker.pem\nkeyfile {{folder}}/broker.key\n{SETTINGS}", files) as broker:
        yield Way(broker, TlsFiles(own.certificate))


def _take(connection: Connection, count: int) -> list[Delivery]:
    taken: list[Delivery] = []
    wait_for(lambda: taken.extend(connection.take(500, 0.1)) or len(taken) >= count, 20.0)
    return taken


def _labelled() -> Properties:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.ContentType = "application/cloudevents+json"
    properties.UserProperty = [("a", "b" * 300)]
    return properties


def test_what_comes_is_what_was_sent(way: Way) -> None:
    connection = way.connection()
    topic = "parvis/v1/quay/u000/event/crowd.surge"
    sent = [(topic, os.urandom(size), 1, properties) for size in SIZES for properties in (None, _labelled())]
    way.publish([*sent, ("parvis/v1/quay/u000/telemetry", b"{}", 0, None)])
    came = _take(connection, len(sent) + 1)
    assert [(each.topic, each.payload) for each in came if each.ticket is not None] == [(where, body) for where, body, _, _ in sent]
    (telemetry,) = [each for each in came if each.ticket is None]
    assert (telemetry.topic, telemetry.payload, telemetry.retained) == ("parvis/v1/quay/u000/telemetry", b"{}", False)
    connection.stop()


def test_what_is_not_acknowledged_comes_again_and_what_is_does_not(way: Way) -> None:
    connection = way.connection()
    sent = [("parvis/v1/quay/u000/event/crowd.surge", str(number).encode(), 1, None) for number in range(3_000)]
    publishing = threading.Thread(target=way.publish, args=(sent,))
    publishing.start()
    # No more come than may wait for their acknowledgement: the rest comes as these are acknowledged.
    kept = _take(connection, 1_000)
    connection.acknowledge(kept)
    publishing.join()
    left = _take(connection, 1_000)
    connection.acknowledge(left[:300])
    # The broker takes things in order: when it has this, it has the acknowledgements.
    number = connection.publish("parvis/v1/quay/rejected", b"{}")
    wait_for(lambda: number in connection.confirmed(), 20.0)
    connection.stop()
    again = way.connection()
    # One that came by the earlier connection says nothing of this one.
    again.acknowledge(left[300:])
    rest = [int(each.payload) for each in _take(again, 1_000)]
    assert rest == list(range(1_300, 1_300 + len(rest)))
    again.stop()


def test_it_publishes_and_hears_that_the_broker_has_it(way: Way) -> None:
    connection = way.connection()
    # More than may be under way at once.
    sizes = SIZES + (300,) * 500
    numbers = [connection.publish(f"parvis/v1/quay/incident/{at}", os.urandom(size), retain=True) for at, size in enumerate(sizes)]
    heard: list[int] = []
    wait_for(lambda: heard.extend(connection.confirmed()) or len(heard) == len(numbers), 20.0)
    assert sorted(heard) == sorted(numbers)
    connection.stop()


def test_what_is_published_while_there_is_no_broker_is_there_in_the_end_in_order(mosquitto: Path) -> None:
    with Broker(mosquitto, SETTINGS) as broker, Subscriber(broker.port, "parvis/v1/quay/incident/+") as control_room:
        connection = Way(broker, None).connection()
        broker.stop()
        numbers = [connection.publish("parvis/v1/quay/incident/x", str(number).encode()) for number in range(500)]
        broker.start()
        heard: list[int] = []
        wait_for(lambda: heard.extend(connection.confirmed()) or len(heard) == len(numbers), 30.0)
        assert heard == numbers
        connection.stop()
        came = [(int(payload), topic) for topic, payload, _ in control_room.messages()]
        assert list(dict.fromkeys(came)) == [(number, "parvis/v1/quay/incident/x") for number in range(500)]


def test_what_the_broker_refuses_is_said_and_not_confirmed(mosquitto: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = f"{SETTINGS}acl_file {{folder}}/acl\n"
    with Broker(mosquitto, settings, {"acl": "topic readwrite parvis/v1/quay/incident/+\n"}) as broker:
        connection = Way(broker, None).connection()
        connection.publish("parvis/v1/quay/rejected", b"{}")
        number = connection.publish("parvis/v1/quay/incident/x", b"{}")
        heard: list[int] = []
        wait_for(lambda: heard.extend(connection.confirmed()) or number in heard, 20.0)
        assert heard == [number]
        connection.stop()
    assert "Not authorized" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_breaks_down_is_noticed(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Connection, "_receive", broken)
    connection = way.connection()
    way.publish([("parvis/v1/quay/u001/status", b"{}", 1, None)])

    def said() -> bool:
        try:
            return bool(connection.take(10, 0.05))
        except RuntimeError as error:
            return isinstance(error.__cause__, ZeroDivisionError)

    wait_for(said)
    connection.stop()

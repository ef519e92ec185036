from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from parvis_contract import StatusReason, UnitState, UnitStatus, UnitTelemetry, UnitTopic, parse_message
from parvis_edge.delivery.clock import GIVEN
from parvis_edge.delivery.connection import Broker as Address
from parvis_edge.delivery.connection import BrokerError, Connection
from parvis_edge.delivery.deliverer import Announcer, Deliverer
from parvis_edge.delivery.outbox import Outbox, OutboxError
from parvis_edge.delivery.report import body_of

from tests.broker import Broker, Subscriber, free_port
from tests.edge.doctor.authority import Authority

from .test_outbox import event

STATUS = "parvis/v1/quay/u001/status"


def status(state: UnitState) -> bytes:
    return body_of("unit.status", "quay", "u001", time.time(), UnitStatus(state=state, software="0.1.0"))


def telemetry() -> bytes:
    numbers = dict.fromkeys(
        ("captured_fps", "analysed_fps", "vision_inference_ms", "hearing_inference_ms", "memory_bytes", "temperature_c")
    )
    counts = dict.fromkeys(("queue_frames", "dropped_frames", "outbox_messages", "outbox_shed"), 0)
    data = UnitTelemetry(uptime_s=1.0, outbox_oldest_s=0.0, clock=GIVEN, **numbers, **counts)  # type: ignore[arg-type]
    return body_of("unit.telemetry", "quay", "u001", time.time(), data)


@contextmanager
def delivering(outbox: Outbox, port: int, client_id: str = "parvis-quay-u001") -> Iterator[Deliverer]:
    announcer = Announcer(STATUS, lambda: status(UnitState.LOST), str(UnitTopic.of("quay", "u001", "unit.telemetry")), telemetry, 0.5)
    announcer.status(status(UnitState.HEALTHY))
    deliverer = Deliverer(outbox, Address("127.0.0.1", port), client_id, announcer)
    deliverer.start()
    try:
        yield deliverer
    finally:
        deliverer.stop(0.0)
        deliverer.join(20)


def until(true: Callable[[], bool], within_s: float = 30.0) -> None:
    end_s = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end_s, "it did not come true"
        time.sleep(0.02)


def events(subscriber: Subscriber, count: int) -> list[int]:
    """Sequences of events as they arrive, until so many different ones have."""
    found: list[int] = []
    for topic, body, _ in subscriber.messages(quiet_s=20.0):
        if "/event/" in topic:
            found.append(parse_message(body).data.sequence)
        if len(set(found)) == count:
            break
    return found


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "outbox.sqlite")


def test_hours_without_a_broker_then_everything_in_order(mosquitto: Path, outbox: Outbox) -> None:
    outbox.put([event() for _ in range(500)])
    with Broker(mosquitto) as broker, Subscriber(broker.port) as subscriber:
        broker.stop()
        with delivering(outbox, broker.port) as deliverer:
            until(lambda: deliverer.reason is StatusReason.CONNECTION_LOST)
            outbox.put([event() for _ in range(500)])
            broker.start()
            assert events(subscriber, 1_000) == list(range(1_000))
            until(lambda: outbox.fill().messages == 0)
            assert deliverer.reason is None


def test_a_broker_killed_again_and_again_loses_nothing(mosquitto: Path, outbox: Outbox) -> None:
    with Broker(mosquitto) as broker, Subscriber(broker.port) as subscriber, delivering(outbox, broker.port):
        for round_ in range(4):
            outbox.put([event() for _ in range(150)])
            time.sleep(0.05 * round_)
            broker.restart()
        assert set(events(subscriber, 600)) == set(range(600))
        until(lambda: outbox.fill().messages == 0)


def test_where_nobody_subscribes_an_event_waits_for_somebody(mosquitto: Path, outbox: Outbox) -> None:
    outbox.put([event() for _ in range(5)])
    with Broker(mosquitto) as broker, delivering(outbox, broker.port):
        time.sleep(1.0)
        assert outbox.fill().messages == 5
        with Subscriber(broker.port) as subscriber:
            assert events(subscriber, 5) == [0, 1, 2, 3, 4]
        until(lambda: outbox.fill().messages == 0)


def test_a_refused_message_is_kept_apart_and_the_rest_goes_on(mosquitto: Path, outbox: Outbox) -> None:
    """MQTT 5 says what an access list forbids; 3.1.1 would call it a success."""
    rights = "topic readwrite #\n"
    forbidden = rights + "topic deny parvis/v1/quay/u001/event/unit.tampered\n"
    settings = "acl_file {folder}/acl"
    with Broker(mosquitto, settings, {"acl": forbidden}) as broker, Subscriber(broker.port, STATUS) as subscriber:
        outbox.put([event(), event()])
        with delivering(outbox, broker.port) as deliverer:
            until(lambda: outbox.fill().refused == 2)
            assert deliverer.reason is StatusReason.BROKER_REFUSES
            assert next(iter(subscriber.messages(quiet_s=10.0)))[0] == STATUS
        (broker.folder / "acl").write_text(rights)
        broker.restart()
        with Subscriber(broker.port, "parvis/v1/quay/u001/event/#", "other") as repaired, delivering(outbox, broker.port):
            assert events(repaired, 2) == [0, 1]


def test_status_is_retained_and_the_will_is_said_when_the_unit_is_gone(mosquitto: Path, outbox: Outbox) -> None:
    with Broker(mosquitto) as broker:
        with Subscriber(broker.port, STATUS) as subscriber, delivering(outbox, broker.port):
            _, body, _ = next(iter(subscriber.messages(quiet_s=10.0)))
            assert parse_message(body).data.state is UnitState.HEALTHY
            # Another of the same name takes the connection over: the broker ends ours without a good-bye.
            with delivering(Outbox(outbox.path.with_name("other.sqlite")), broker.port):
                _, body, _ = next(iter(subscriber.messages(quiet_s=10.0)))
                assert parse_message(body).data.state is UnitState.LOST
        with Subscriber(broker.port, STATUS, "late") as late:
            assert next(iter(late.messages(quiet_s=10.0)))[2] is True


def test_telemetry_is_said_at_its_time(mosquitto: Path, outbox: Outbox) -> None:
    with (
        Broker(mosquitto) as broker,
        Subscriber(broker.port, "parvis/v1/quay/u001/telemetry") as subscriber,
        delivering(outbox, broker.port),
    ):
        stream = subscriber.messages(quiet_s=10.0)
        assert [parse_message(next(stream)[1]).name for _ in range(3)] == ["unit.telemetry"] * 3


def test_a_broker_that_will_not_have_us_is_told_from_one_that_is_not_there(mosquitto: Path, outbox: Outbox) -> None:
    with Broker(mosquitto, "allow_anonymous false") as broker, delivering(outbox, broker.port) as deliverer:
        until(lambda: deliverer.reason is StatusReason.BROKER_REFUSES)
    with delivering(outbox, free_port()) as deliverer:
        time.sleep(0.3)
        assert deliverer.reason is StatusReason.CONNECTION_LOST


def test_a_port_that_speaks_another_language_refuses_nobody(mosquitto: Path, outbox: Outbox, tmp_path: Path) -> None:
    files = {path.suffix: path.read_text() for path in Authority(tmp_path).issue("broker")}
    with Broker(mosquitto, "certfile {folder}/.pem\nkeyfile {folder}/.key", files) as broker:
        connection = Connection(Address("127.0.0.1", broker.port), "parvis-quay-u001")
        with pytest.raises(BrokerError, match="speak plain MQTT") as failure:
            connection.open()
        assert not failure.value.refused
        with delivering(outbox, broker.port) as deliverer:
            time.sleep(0.5)
            assert deliverer.reason is StatusReason.CONNECTION_LOST


def test_a_full_disk_does_not_keep_what_is_on_it_from_being_sent(mosquitto: Path, outbox: Outbox) -> None:
    outbox.put([event() for _ in range(50)])
    real, full = outbox._write, OutboxError("database or disk is full")

    def write(*_: object) -> None:
        raise full

    outbox._write = write  # type: ignore[method-assign]
    with Broker(mosquitto) as broker, Subscriber(broker.port) as subscriber, delivering(outbox, broker.port) as deliverer:
        assert events(subscriber, 50) == list(range(50))
        until(lambda: deliverer.reason is StatusReason.DISK_FULL)
        assert outbox.fill().messages == 50
        outbox._write = real  # type: ignore[method-assign]
        until(lambda: outbox.fill().messages == 0)
        until(lambda: deliverer.reason is None)

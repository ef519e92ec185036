"""What a control room hears, over a real broker; what becomes of incidents that join; and how they look."""

from __future__ import annotations

import io
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from parvis_contract import (
    ImpulseClass,
    Incident,
    IncidentPosition,
    IncidentState,
    LocatedBy,
    LocatedImpulse,
    Operator,
    StatusReason,
    UnitState,
    UnitStatus,
    Verdict,
    dump_message,
    hub_source,
    incident_topic,
    make_message,
    new_id,
    unit_source,
)
from rich.console import Console

from parvis import view
from parvis.broker import HOST, BrokerPorts
from parvis.children import Family, wait_for_port
from parvis.control_room import ControlRoom, Heard

NOON = datetime(2026, 6, 21, 12, tzinfo=UTC)


def incident(events: list[uuid.UUID], id: uuid.UUID | None = None, **changed: Any) -> Incident:
    values: dict[str, Any] = {
        "incident": id or new_id(),
        "type": "sound.impulse",
        "state": IncidentState.OPEN,
        "first_observed": NOON,
        "last_observed": NOON + timedelta(seconds=1),
        "position": IncidentPosition(lon=5.37, lat=43.296, uncertainty_m=2.1),
        "located_by": LocatedBy.MULTILATERATION,
        "units": ("u001", "u002", "u003"),
        "events": tuple(events),
        "confidence": 0.93,
        "measure": LocatedImpulse(sound_class=ImpulseClass.GUNSHOT, lcpeak_db=117.26),
        "course": None,
        "operator": Operator(verdict=Verdict.UNCONFIRMED),
    }
    return Incident(**values | changed)


def test_incidents_that_have_become_part_of_another_are_left_out() -> None:
    first, second, third, other = (new_id() for _ in range(4))
    alone, joined, apart = incident([first]), incident([first, second, third]), incident([other])
    heard = Heard()
    for each in (alone, apart, joined):
        heard.incidents[each.incident] = each
    assert heard.living() == [apart, joined]


def test_of_two_on_the_same_events_the_newer_tells() -> None:
    event, ids = new_id(), sorted([new_id(), new_id()])
    heard = Heard({each: incident([event], each) for each in ids})
    assert [each.incident for each in heard.living()] == ids[1:]


@pytest.fixture
def ports(tmp_path: Path) -> Iterator[BrokerPorts]:
    found = BrokerPorts.free()
    with Family(tmp_path) as family:
        wait_for_port(family.start("broker", found.command()), HOST, found.mqtt5, 20.0)
        yield found


def publisher(port: int) -> mqtt.Client:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.connect(HOST, port)
    client.loop_start()
    return client


def heard_by(room: ControlRoom, count: int) -> Heard:
    until_s = time.monotonic() + 20.0
    while time.monotonic() < until_s:
        changes, heard = room.heard()
        if changes >= count:
            return heard
        time.sleep(0.02)
    raise AssertionError(f"{changes} of {count} messages came")


def test_incidents_and_states_arrive_retained_ones_too_and_nothing_else_is_believed(ports: BrokerPorts) -> None:
    client = publisher(ports.mqtt5)
    said = incident([new_id()])
    status = UnitStatus(state=UnitState.HEALTHY, software="0.1.0")
    incident_body = dump_message(make_message("incident", source=hub_source("demo"), time=NOON, data=said))
    status_body = dump_message(make_message("unit.status", source=unit_source("demo", "u001"), time=NOON, data=status))
    client.publish(incident_topic("demo", said), incident_body, qos=1, retain=True).wait_for_publish(10)
    room = ControlRoom(HOST, ports.mqtt5, "demo")
    try:
        heard_by(room, 1)
        client.publish("parvis/v1/demo/u001/status", status_body, qos=1, retain=True)
        client.publish("parvis/v1/demo/incident/nonsense", b'{"specversion": "1.0"}', qos=1)
        client.publish(incident_topic("demo", said), b"", qos=1, retain=True)
        heard = heard_by(room, 3)
    finally:
        room.close()
        client.disconnect()
        client.loop_stop()
    assert heard.incidents == {said.incident: said}
    assert heard.units == {"u001": status}
    assert heard.refused == 1


@pytest.mark.parametrize(
    ("name", "value", "reads"),
    [
        ("lcpeak_db", 117.26, "lcpeak 117.3 dB"),
        ("density_p_m2", 0.0712, "density 0.07 /m²"),
        ("speed_m_s", 2.0, "speed 2 m/s"),
        ("heading_error_deg", 171.2, "heading error 171.2 °"),
        ("count", 12, "count 12"),
        ("zone", "lawn", "zone lawn"),
        ("area_m2", None, ""),
        ("onset_uncertainty_ms", 0.4, "onset uncertainty 0.40 ms"),
    ],
)
def test_a_quantity_reads_with_its_unit(name: str, value: object, reads: str) -> None:
    assert view.quantity(name, value) == reads


def test_the_table_says_what_where_when_who_how_sure_and_what_was_measured() -> None:
    console = Console(width=240, record=True, file=io.StringIO())
    console.print(view.incidents_table([incident([new_id()])], UTC))
    text = console.export_text()
    for wanted in (
        "12:00:00",
        "sound.impulse",
        "43.29600, 5.37000 ± 2.1 m",
        "by multilateration",
        "u001 u002",
        "u003",
        "0.93",
        "sound class gunshot, lcpeak 117.3 dB",
        "open",
    ):
        assert wanted in text


def test_the_units_line_gives_the_reason() -> None:
    known = {"u001": UnitStatus(state=UnitState.DEGRADED, reason=StatusReason.NO_DATA, software="0.1.0")}
    assert view.units_line(["u001", "u002"], known).plain.split("   ")[:2] == ["u001 degraded (no data)", "u002 starting"]

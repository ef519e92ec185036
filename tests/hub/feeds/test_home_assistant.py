"""What Home Assistant is told: a device for each unit, whose templates read fields that messages have; retained, again after a loss."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from jinja2 import Environment
from parvis_contract import Clock, ClockSource, SenseStatus, Site, StatusReason, StreamState, UnitState, UnitStatus, UnitTelemetry
from parvis_hub.feeds.home_assistant import discovery
from parvis_hub.intake import Broker as Connection
from parvis_hub.intake import BrokerAddress
from parvis_hub.publish import Standing

from tests.broker import Broker, Subscriber
from tests.hub.console.hub import write_plan
from tests.hub.running import BROKER_SETTINGS, wait_for


def test_templates_read_what_messages_have(tmp_path: Path) -> None:
    site: Site = write_plan(tmp_path)
    told = {topic: json.loads(payload) for topic, payload in discovery(site).items()}
    assert list(told) == [f"homeassistant/device/parvis_vieux-port_{unit}/config" for unit in site.units]
    identities: set[str] = set()
    for unit, config in zip(site.units, told.values(), strict=True):
        assert config["device"]["identifiers"] == [f"parvis_vieux-port_{unit}"]
        senses = {name for name in config["components"] if name in ("camera", "microphone")}
        assert senses == set(site.units[unit].senses)
        for component in config["components"].values():
            branch = component["state_topic"].rpartition("/")
            assert branch[0] == f"parvis/v1/vieux-port/{unit}"
            model = {"status": UnitStatus, "telemetry": UnitTelemetry}[branch[2]]
            fields = re.findall(r"value_json\.data\.(\w+)", component["value_template"])
            assert fields
            assert set(fields) <= set(model.model_fields)
            identities.add(component["unique_id"])
    assert len(identities) == sum(len(config["components"]) for config in told.values())


#: Of each class of device of a sensor, in which units it may be (https://www.home-assistant.io/integrations/sensor/#device-class).
UNITS_OF = {"temperature": {"°C", "°F", "K"}, "data_size": {"bit", "B", "kB", "MB", "KiB", "MiB"}, "frequency": {"Hz", "kHz", "MHz", "GHz"}}


def test_home_assistant_s_own_template_language_makes_states_of_what_a_unit_says(tmp_path: Path) -> None:
    """As Home Assistant would: Jinja's templates, on the messages as they travel."""
    site = write_plan(tmp_path)
    said: dict[str, Any] = {
        "status": UnitStatus(
            state=UnitState.DEGRADED,
            reason=StatusReason.LOW_RATE,
            camera=SenseStatus(state=StreamState.DEGRADED, reason=StatusReason.LOW_RATE),
            microphone=None,
            software="0.1.0",
            models=(),
        ),
        "telemetry": UnitTelemetry(
            uptime_s=60.0,
            captured_fps=25.0,
            analysed_fps=12.5,
            vision_inference_ms=40.0,
            hearing_inference_ms=None,
            queue_frames=0,
            dropped_frames=0,
            outbox_messages=3,
            outbox_oldest_s=1.0,
            outbox_shed=0,
            memory_bytes=300_000_000,
            temperature_c=54.5,
            clock=Clock(source=ClockSource.NTP, uncertainty_ms=3.0),
        ),
    }
    made: dict[str, str] = {}
    for component in json.loads(discovery(site)["homeassistant/device/parvis_vieux-port_u011/config"])["components"].values():
        message = {"data": json.loads(said[component["state_topic"].rpartition("/")[2]].model_dump_json())}
        made[component["name"]] = Environment(autoescape=False).from_string(component["value_template"]).render(value_json=message)
        if options := component.get("options"):
            # "None" is how a sensor hears that nothing is known.
            assert made[component["name"]] in [*options, "None"]
        if unit := component.get("unit_of_measurement"):
            assert unit in UNITS_OF[component["device_class"]]
        if component.get("state_class"):
            float(made[component["name"]])
    assert made["State"] == made["Camera"] == "degraded"
    assert (made["Reason"], made["Problem"], made["Microphone"], made["Temperature"]) == ("low_rate", "ON", "None", "54.5")


def test_it_is_retained_and_given_again_to_a_broker_that_has_lost_it(mosquitto: Path, tmp_path: Path) -> None:
    messages = discovery(write_plan(tmp_path))
    with Broker(mosquitto, BROKER_SETTINGS) as server:
        broker = Connection(BrokerAddress("127.0.0.1", server.port), "vieux-port")
        standing = Standing(broker, messages)
        broker.start()
        try:
            for _ in range(2):
                wait_for(broker.connected.is_set)
                standing.turn()
                standing.turn()
                taken: list[int] = []
                wait_for(lambda heard=taken: heard.extend(broker.confirmed()) or len(heard) == len(messages))
                with Subscriber(server.port, "homeassistant/#", name="ha") as listening:
                    retained = {topic: payload for topic, payload, kept in listening.messages() if kept}
                assert retained == messages
                server.kill()
                wait_for(lambda: not broker.connected.is_set())
                server.start()
        finally:
            broker.stop()

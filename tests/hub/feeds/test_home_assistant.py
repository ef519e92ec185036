"""What Home Assistant is told: a device for each unit, whose templates read fields that messages have; retained, again after a loss."""

from __future__ import annotations

import json
import re
from pathlib import Path

from parvis_contract import Site, UnitStatus, UnitTelemetry
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
                wait_for(lambda: len(broker.confirmed()) == len(messages))
                with Subscriber(server.port, "homeassistant/#", name="ha") as listening:
                    retained = {topic: payload for topic, payload, kept in listening.messages() if kept}
                assert retained == messages
                server.kill()
                wait_for(lambda: not broker.connected.is_set())
                server.start()
        finally:
            broker.stop()

"""From a claim to the first event over a real broker, and after the revocation: the real programs, two units, recorded sound."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from parvis_contract import load_site
from parvis_contract.topics import ROOT

from parvis import sounds
from parvis.children import Family
from tests.hub.fleet.test_broker import Client
from tests.hub.fleet.town import Town
from tests.hub.running import RunningHub, wait_for

SITE = """\
site: vieux-port
profile: lab
origin: {lon: 5.37, lat: 43.296}
units:
  u017: {position: {lon: 5.36985, lat: 43.29641}, senses: [microphone]}
  u018: {position: {lon: 5.36995, lat: 43.29641}, senses: [microphone]}
"""
#: A shot every so often, over so long.
EVERY_S, LASTS_S = 1.5, 60.0
EVENTS = f"{ROOT}/vieux-port/+/event/#"


class Ear:
    """Who, with the hub's certificate, hears of events what the hub hears: how many of each unit."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self.heard: Counter[str] = Counter()
        self.connections = 0
        self._client: Client | None = None

    def listen(self) -> Counter[str]:
        """What has come by now; comes back where the broker has ended the connection."""
        if self._client is not None and not self._client.ended.empty():
            self._client.close()
            self._client = None
        if self._client is None and self._town.answers():
            self._client = Client(self._town, self._town.folder.path / "hub.pem", "ear")
            if self._client.client.is_connected():
                self._client.subscribe(EVENTS)
                self.connections += 1
        while self._client is not None and (said := self._client.hears(0.01)):
            self.heard[said[0].split("/")[3]] += 1
        return self.heard

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


def edge(*arguments: object) -> list[str]:
    return [sys.executable, "-c", "from parvis_edge.cli import app; app()", *map(str, arguments)]


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    town = Town.build(tmp_path)
    (tmp_path / "site.yaml").write_text(SITE)
    town.site = load_site(tmp_path / "site.yaml")
    town.tell_broker()
    yield town
    town.database.close()


@pytest.mark.timeout(240)
def test_from_claim_to_first_event_and_to_silence(town: Town, mosquitto: Path, tmp_path: Path) -> None:
    shots = [
        sounds.Source(sounds.gunshot(np.random.default_rng(number)), 2.0 + EVERY_S * number, 150.0, sounds.still(4.0, 6.0))
        for number in range(int((LASTS_S - 4.0) / EVERY_S))
    ]
    sounds.write_wav(tmp_path / "shots.wav", sounds.heard(shots, (0.0, 0.0), LASTS_S, 15.0, 1))
    own = town.folder.path / "hub.pem"
    secure = ["--tls-ca", town.folder.path / "ca.pem", "--tls-cert", own, "--tls-key", own]
    fleet = ["--fleet-dir", town.folder.path, "--fleet-listen", f"127.0.0.1:{town.hub_port}"]
    ear = Ear(town)
    with (
        Family(tmp_path) as family,
        town.broker(mosquitto),
        RunningHub(town.site, town.broker_port, tmp_path, *map(str, [*secure, *fleet])) as hub,
    ):
        wait_for(lambda: '"event": "connected"' in hub.log)
        for unit in town.site.units:
            claim, identity = tmp_path / f"{unit}-claim.json", tmp_path / unit
            claim.write_text(town.claim(unit).model_dump_json())
            enrol = family.start(f"enrol-{unit}", edge("enrol", "--claim", claim, "--identity", identity, "--wait-s", 30))
            assert enrol.wait(60.0) == 0, enrol.last_lines(20)
        for unit in town.site.units:
            data = ["--audio", tmp_path / "shots.wav", "--pace", "real", "--data-dir", tmp_path / f"{unit}-data"]
            family.start(unit, edge("watch", "--identity", tmp_path / unit, *data))
        wait_for(lambda: min(ear.listen()["u017"], ear.listen()["u018"]) >= 1)

        _take_over(town, tmp_path / "u017", hub, family)

        town.fleet.revoke("u017", "a-martin")
        town.tell_broker()
        # The broker has ended all connections, and lets back who may come.
        connections = ear.connections
        wait_for(lambda: ear.listen() and ear.connections > connections)
        before = Counter(ear.heard)
        wait_for(lambda: ear.listen()["u018"] >= before["u018"] + 2)
        assert ear.heard["u017"] == before["u017"]
        # It goes on hearing, and keeps what nobody takes; the hub came back by itself, its session kept.
        assert family.children["u017"].returncode is None
        wait_for(lambda: '"session_kept": true' in hub.log)
        ear.close()


def _take_over(town: Town, identity: Path, hub: RunningHub, family: Family) -> None:
    """Whoever holds a unit's key ends nobody's connection, whatever names they guess: those that count are random, and not to be read."""
    guesses = ("hub", "parvis-hub", "parvis-hub-vieux-port", "u018", "parvis-u018", "parvis-vieux-port-u018", "parvis-vieux-port-hub")
    for name in guesses:
        thief = Client(town, identity / "unit.pem", name)
        assert thief.client.is_connected()
        for topic in ("$SYS/#", "#"):
            thief.subscribe(topic)
        while said := thief.hears(0.1):
            assert said[0].endswith("/u017/command")
        thief.close()
    assert hub.log.count('"event": "connected"') == 1
    assert "no broker" not in family.children["u018"].log.read_text()

"""The whole path, nothing in it replaced: sound files, units, a broker, the hub, its console, and a control room on MQTT."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
import numpy as np
import pytest
from parvis_contract import Incident, UnitState, Verdict, format_time

from parvis import corner, sounds
from parvis.broker import HOST, free_ports
from parvis.children import Family, wait_for_port
from parvis.control_room import ControlRoom, Heard
from tests.e2e.brokers import BrokerUnderTest, embedded_broker, mosquitto_broker

T = TypeVar("T")
SCENE_S = 18.0
SHOT_M = (4.0, 6.0)
#: The name and the header with which the console's own page speaks.
PAGE = {"x-parvis-console": "1"}


@pytest.fixture(params=["mosquitto", "iotcore"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> BrokerUnderTest:
    if request.param == "iotcore":
        return embedded_broker()
    return mosquitto_broker(request.getfixturevalue("mosquitto"), tmp_path / "broker")


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What each unit's microphone hears: a shot, then a siren that passes."""
    sources = [
        sounds.Source(sounds.gunshot(np.random.default_rng(1)), 3.0, 150.0, sounds.still(*SHOT_M)),
        sounds.Source(sounds.siren(9.0), 7.0, 123.0, sounds.driving((-40.0, -32.0), (11.0, 0.0), 7.0)),
    ]
    folder = tmp_path_factory.mktemp("audio")
    for seed, (unit, place_m) in enumerate(corner.PLACES_M.items()):
        sounds.write_wav(folder / f"{unit}.wav", sounds.heard(sources, place_m, SCENE_S, corner.TEMPERATURE_C, seed))
    return {unit: folder / f"{unit}.wav" for unit in corner.PLACES_M}


class Installation:
    """Broker, hub with console and a control room, running."""

    def __init__(self, folder: Path, broker: BrokerUnderTest, family: Family) -> None:
        self.folder, self.broker, self.family = folder, broker, family
        self.site = folder / "site.yaml"
        self.site.write_text(corner.site_plan(None))
        [port] = free_ports(1)
        self.console = httpx.Client(base_url=f"http://{HOST}:{port}", timeout=20.0, trust_env=False)
        wait_for_port(family.start("broker", broker.command(), used=True), HOST, broker.port, 30.0)
        self.room = ControlRoom(HOST, broker.port, corner.SITE)
        data = ["--data-dir", str(folder / "hub")]
        hub = ["run", "--site", str(self.site), "--broker", f"{HOST}:{broker.port}", "--listen", f"{HOST}:{port}", *data]
        wait_for_port(
            family.start("hub", [sys.executable, "-c", "from parvis_hub.cli import app; app()", *hub], used=True), HOST, port, 60.0
        )

    def play(self, audio: dict[str, Path], start: datetime) -> None:
        """Runs every unit over its sound, to its end."""
        for unit, path in audio.items():
            watch = [
                "watch",
                "--site",
                str(self.site),
                "--unit",
                unit,
                "--audio",
                str(path),
                "--start",
                format_time(start),
                "--pace",
                "fast",
            ]
            where = ["--broker", f"{HOST}:{self.broker.port}", "--data-dir", str(self.folder / unit)]
            self.family.start(unit, [sys.executable, "-c", "from parvis_edge.cli import app; app()", *watch, *where])
        for unit in audio:
            child = self.family.children[unit]
            if child.wait(120.0) != 0:
                raise child.died()

    def heard(self, found: Callable[[Heard], T | None]) -> T:
        """Waits until the control room has heard something."""
        until_s = time.monotonic() + 60.0
        while time.monotonic() < until_s:
            if (value := found(self.room.heard()[1])) is not None:
                return value
            time.sleep(0.05)
        raise AssertionError(f"not heard of; the hub said:\n{self.family.children['hub'].last_lines(20)}")

    def ask(self, path: str) -> Any:
        """What the console answers."""
        return self.console.get(path).raise_for_status().json()


@pytest.fixture
def installation(tmp_path: Path, broker: BrokerUnderTest) -> Iterator[Installation]:
    with Family(tmp_path) as family:
        running = Installation(tmp_path, broker, family)
        try:
            yield running
        finally:
            running.room.close()
            running.console.close()


def of_type(heard: Heard, type: str, units: int) -> Incident | None:
    return next((each for each in heard.living() if each.type == type and len(each.units) >= units), None)


@pytest.mark.timeout(300)
def test_from_sound_to_a_confirmed_incident(installation: Installation, audio: dict[str, Path]) -> None:
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=SCENE_S)
    installation.play(audio, start)

    shot = installation.heard(lambda heard: of_type(heard, "sound.impulse", 4))
    assert shot.measure.sound_class == "gunshot"
    assert shot.units == tuple(corner.PLACES_M)
    assert shot.located_by == "multilateration"
    place = corner.Place.of(*SHOT_M)
    off_m = math.hypot((shot.position.lon - place.lon) * 81_000.0, (shot.position.lat - place.lat) * 111_000.0)
    assert off_m < 5.0, "where the shot was"
    assert off_m < 3.0 * max(1.0, shot.position.uncertainty_m), "and how well that is known"
    first_s = (shot.first_observed - start).total_seconds()
    nearest_m = min(math.dist(SHOT_M, each) for each in corner.PLACES_M.values())
    assert first_s == pytest.approx(3.0 + nearest_m / sounds.speed_of_sound_m_s(corner.TEMPERATURE_C), abs=0.05)

    siren = installation.heard(lambda heard: of_type(heard, "sound.alarm", 3))
    listed = {each["incident"]["incident"]: each["incident"] for each in installation.ask("/api/incidents")["incidents"]}
    assert {str(shot.incident), str(siren.incident)} <= listed.keys()
    detail = installation.ask(f"/api/incidents/{siren.incident}")
    assert detail["models"][0]["name"] == "yamnet"

    decision = {"verdict": "confirmed", "reason": installation.ask("/api/site")["reasons"]["confirmed"][0], "by": "operator-7"}
    answer = installation.console.post(f"/api/incidents/{siren.incident}/verdict", json=decision, headers=PAGE)
    assert answer.status_code == 200, answer.text

    def decided(heard: Heard) -> Incident | None:
        found = heard.incidents.get(siren.incident)
        return found if found and found.operator.verdict is Verdict.CONFIRMED else None

    confirmed = installation.heard(decided)
    assert confirmed.operator.by == "operator-7"
    assert confirmed.operator.at is not None

    # Whoever comes later finds what is open, with the decision, and how each unit was last.
    newcomer = ControlRoom(HOST, installation.broker.port, corner.SITE)
    try:
        until_s = time.monotonic() + 20.0
        while time.monotonic() < until_s and (len(newcomer.heard()[1].units) < 4 or siren.incident not in newcomer.heard()[1].incidents):
            time.sleep(0.05)
        told = newcomer.heard()[1]
    finally:
        newcomer.close()
    assert told.incidents[siren.incident].operator.verdict is Verdict.CONFIRMED
    assert {unit: status.state for unit, status in told.units.items()} == dict.fromkeys(corner.PLACES_M, UnitState.STOPPED)
    assert told.refused == 0

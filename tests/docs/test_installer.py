"""The installer's page, followed as written: the site plan, the certificates, and a broker that keeps each unit in its branch."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue
from typing import Any, get_args

import numpy as np
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode
from parvis_contract import EVENT_TYPES, Site, Unit, load_site, parse_message
from parvis_contract.channels import CHANNELS
from parvis_contract.site import Microphone
from pydantic import BaseModel

from tests.broker import free_port
from tests.docs.pages import ROOT, Block, blocks, commands

PAGE = ROOT / "docs" / "installer.md"


def _block(beginning: str) -> Block:
    (found,) = [block for block in blocks(PAGE) if block.text.startswith(beginning)]
    return found


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's site plan as a file."""
    path = tmp_path_factory.mktemp("site") / "site.yaml"
    path.write_text(_block("site: vieux-port").text, encoding="utf-8")
    return path


def test_the_site_plan_is_one(plan: Path) -> None:
    site = load_site(plan)
    assert set(site.units) == {"u017", "u018"}
    assert {zone.kind for zone in site.zones.values()} == {"closed", "crowd", "noise"}


def test_the_table_of_zones_has_every_kind_and_its_default() -> None:
    from parvis_contract import ClosedZone, CrowdZone, NoiseZone, WalkedZone, WatchedZone

    text = PAGE.read_text(encoding="utf-8")
    for model, default in (
        (WatchedZone, f"{WatchedZone.model_fields['dwell_s'].default:g} s"),
        (ClosedZone, f"{ClosedZone.model_fields['after_s'].default:g} s"),
        (WalkedZone, f"{WalkedZone.model_fields['after_s'].default:g} s"),
        (CrowdZone, "2.0, 3.5 and 5.0"),
        (NoiseZone, "required"),
    ):
        kind = model.model_fields["kind"].annotation.__args__[0]  # type: ignore[union-attr]
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{kind}` |")]
        assert default in row
    assert CrowdZone.model_fields["density_steps_p_m2"].default == (2.0, 3.5, 5.0)


def _keys(model: Any, found: set[str]) -> set[str]:
    if isinstance(model, type) and issubclass(model, BaseModel):
        for name, field in model.model_fields.items():
            found.add(name)
            _keys(field.annotation, found)
    for part in get_args(model):
        _keys(part, found)
    return found


def test_every_key_of_a_site_plan_is_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    missing = {key for key in _keys(Site, set()) if f"`{key}`" not in text and not re.search(rf"[{{ ]{key}: ", text)}
    assert missing == set()


def test_a_unit_judges_every_type_as_the_page_says() -> None:
    assert "A unit judges every type of the contract." in PAGE.read_text(encoding="utf-8")
    analysers = {path.stem for path in (ROOT / "edge" / "parvis_edge" / "analysers").glob("*.py")}
    assert {name for name in EVENT_TYPES if name.replace(".", "_") not in analysers} == set()


def test_the_defaults_of_the_page_are_those_of_the_models() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for model, key in (
        (Site, "temperature_c"),
        (Site, "timezone"),
        (Unit, "height_m"),
        (Unit, "heading_deg"),
        (Unit, "range_m"),
        (Microphone, "full_scale_db"),
    ):
        default = model.model_fields[key].default
        assert f"`{key}` ({default if isinstance(default, str) else f'{default:g}'})" in text, key


class _Site:
    """The page's hub, broker and unit, made by the page's commands, with free ports of this machine in place of the page's."""

    def __init__(self, folder: Path, plan: Path, port: int, hub_port: int) -> None:
        self.folder, self.port = folder, port
        self.fleet, self.claim, self.identity = folder / "fleet", folder / "claim.json", folder / "identity"
        self.here = {
            "site.yaml": str(plan),
            "hub.local:8883": f"localhost:{port}",
            "https://hub.local:8884": f"https://localhost:{hub_port}",
            "0.0.0.0:8884": f"127.0.0.1:{hub_port}",
            "u017-claim.json": str(self.claim),
            "identity": str(self.identity),
            "deploy/mosquitto/keep.sh": str(ROOT / "deploy" / "mosquitto" / "keep.sh"),
        }
        for name in ("ca.pem", "hub.pem", "broker"):
            self.here[f"/var/lib/parvis/fleet/{name}"] = str(self.fleet / name)
        self.here |= {"/var/lib/parvis/fleet": str(self.fleet), "/var/lib/parvis/hub": str(folder / "hub")}

    def call(self, beginning: str) -> list[str]:
        """A command of the page."""
        return _call(beginning, self.here)

    def client(self, name: str) -> tuple[paho.Client, Queue[ReasonCode], Queue[paho.MQTTMessage]]:
        """A client with the hub's certificate or the unit's: itself, what publishes got, what came."""
        own = str(self.fleet / "hub.pem" if name == "hub" else self.identity / "unit.pem")
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=paho.MQTTv5)
        client.tls_set(str(self.fleet / "ca.pem"), own, own)
        got: Queue[ReasonCode] = Queue()
        came: Queue[paho.MQTTMessage] = Queue()
        client.on_publish = lambda _client, _data, _mid, reason, _properties: got.put(reason)
        client.on_message = lambda _client, _data, message: came.put(message)
        client.connect("localhost", self.port)
        client.loop_start()
        return client, got, came


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _until(ready: Callable[[], bool], log: Path) -> None:
    until_s = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < until_s, log.read_text()
        time.sleep(0.05)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, plan: Path, mosquitto: Path) -> Iterator[_Site]:
    """Follows the page: authority, broker in its keeper, hub, claim, enrolment."""
    folder = tmp_path_factory.mktemp("site")
    site = _Site(folder, plan, free_port(), free_port())
    begun = subprocess.run([*site.call("parvis-hub fleet init"), "--broker-data", str(folder)], capture_output=True, text=True, check=False)
    assert begun.returncode == 0, begun.stderr
    if os.geteuid() == 0:
        # Root would become a user who may not look into a test's folder.
        with (site.fleet / "broker" / "mosquitto.conf").open("a") as settings:
            settings.write("user root\n")
    keeper = [site.here.get(word, word) for word in shlex.split(_block("sh deploy/mosquitto/keep.sh").text)]
    with (folder / "broker.log").open("wb") as broker_log, (folder / "hub.log").open("wb") as hub_log:
        broker = subprocess.Popen([*keeper, str(mosquitto)], stdout=broker_log, stderr=broker_log)
        hub = subprocess.Popen([*site.call("parvis-hub run"), "--listen", "127.0.0.1:0"], stdout=hub_log, stderr=hub_log)
        try:
            _until(lambda: _answers(site.port), folder / "broker.log")
            _until(lambda: '"connected"' in (folder / "hub.log").read_text(), folder / "hub.log")
            claimed = subprocess.run(site.call("parvis-hub fleet claim"), capture_output=True, text=True, check=False)
            assert claimed.returncode == 0, claimed.stderr
            enrolled = subprocess.run(site.call("parvis-edge enrol --claim u017-claim.json"), capture_output=True, text=True, check=False)
            assert enrolled.returncode == 0, enrolled.stdout
            shown = [block for block in blocks(PAGE) if block.text.startswith("claim        ok")]
            assert [line.split()[:2] for line in enrolled.stdout.splitlines()] == [line.split()[:2] for line in shown[0].text.splitlines()]
            yield site
        finally:
            hub.terminate()
            broker.terminate()
            assert hub.wait(30) == 0, (folder / "hub.log").read_text()
            broker.wait(30)


def test_the_broker_keeps_a_unit_in_its_own_branch(site: _Site) -> None:
    hub, _, came = site.client("hub")
    hub.subscribe("parvis/v1/vieux-port/#", qos=1)
    unit, got, _ = site.client("u017")
    own = [c.address.format(site="vieux-port", unit="u017", type="sound.impulse") for c in CHANNELS if c.sender == "unit"]
    others = [topic.replace("u017", "u018") for topic in own]
    others += ["parvis/v1/vieux-port/u017/command", "parvis/v1/vieux-port/incident/x", "parvis/v1/vieux-port/rejected"]
    others += ["parvis/v1/other/u017/status", "elsewhere"]
    try:
        time.sleep(0.5)
        for topic in own:
            unit.publish(topic, b"x", qos=1)
            assert not got.get(timeout=10).is_failure, topic
        for topic in others:
            unit.publish(topic, b"x", qos=1)
            assert got.get(timeout=10).is_failure, topic
        heard: list[str] = []
        with suppress(Empty):
            while True:
                # The hub says what it makes of them.
                message = came.get(timeout=10 if len(heard) < len(own) else 0.5)
                heard += [message.topic] if message.payload == b"x" else []
        assert sorted(heard) == sorted(own)
    finally:
        for client in (hub, unit):
            client.disconnect()
            client.loop_stop()


def test_without_a_certificate_nobody_gets_in(site: _Site) -> None:
    stranger = paho.Client(CallbackAPIVersion.VERSION2, client_id="u017", protocol=paho.MQTTv5)
    stranger.tls_set(str(site.fleet / "ca.pem"))
    refused: Queue[bool] = Queue()
    stranger.on_connect = lambda _client, _data, _flags, reason, _properties: refused.put(reason.is_failure)
    stranger.on_disconnect = lambda _client, _data, _flags, _reason, _properties: refused.put(True)
    try:
        stranger.connect("localhost", site.port)
        stranger.loop_start()
        assert refused.get(timeout=10)
    except OSError:
        pass  # the handshake itself was refused
    finally:
        stranger.disconnect()
        stranger.loop_stop()


def _wave(path: Path) -> Path:
    """Two seconds of faint noise."""
    noise = np.random.default_rng(1).normal(0.0, 30.0, 32_000).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(noise.tobytes())
    return path


def _call(beginning: str, changes: dict[str, str]) -> list[str]:
    """A command of the page, with some of its words replaced; run as the module of this environment."""
    (found,) = [each for each in commands(PAGE) if " ".join(each.words).startswith(beginning)]
    words = [changes.get(word, word) for word in found.words]
    module = found.words[0].replace("-", "_")
    return [sys.executable, "-c", f"from {module}.cli import app; app()", *words[1:]]


def test_unit_and_hub_meet_at_the_page_s_broker_until_the_unit_is_revoked(site: _Site, tmp_path: Path) -> None:
    sound = str(_wave(tmp_path / "noise.wav"))
    room, _, came = site.client("hub")
    room.subscribe("parvis/v1/vieux-port/+/status", qos=1)
    unit = _call("parvis-edge watch --identity identity", site.here | {"mic": sound})
    at = unit.index("--video")
    unit = [*unit[:at], *unit[at + 2 :], "--data-dir", str(tmp_path / "unit"), "--drain-s", "5"]
    try:
        done = subprocess.run(unit, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        states = []
        while "stopped" not in states:
            states.append(parse_message(came.get(timeout=20).payload).data.state)
        revoked = subprocess.run(site.call("parvis-hub fleet revoke"), capture_output=True, text=True, check=False)
        assert (revoked.returncode, revoked.stdout) == (0, "u017: 1 certificates revoked; the broker has been told\n")
        _until(lambda: site.port > 0 and _answers(site.port), site.folder / "broker.log")
        time.sleep(1.0)
        _until(lambda: _answers(site.port), site.folder / "broker.log")
        while not came.empty():
            came.get()
        late = subprocess.run(unit, capture_output=True, text=True, timeout=120, check=False)
        assert "no broker; events are kept" in late.stderr
        with pytest.raises(Empty):
            came.get(timeout=0.5)
    finally:
        room.disconnect()
        room.loop_stop()


def test_the_recording_of_the_page_is_judged_and_its_messages_are_of_the_contract(plan: Path, tmp_path: Path) -> None:
    sound = str(_wave(tmp_path / "noise.wav"))
    here = {"site.yaml": str(plan), "street.mp4": sound}
    unit = _call("parvis-edge watch --site site.yaml --unit u017 --stdout", here)
    at = unit.index("--video")
    done = subprocess.run([*unit[:at], *unit[at + 2 :]], capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    log = tmp_path / "messages.jsonl"
    log.write_bytes(done.stdout)
    check = subprocess.run(_call("parvis-contract check", {"messages.jsonl": str(log)}), capture_output=True, text=True, check=False)
    assert (check.returncode, check.stdout) == (0, "")

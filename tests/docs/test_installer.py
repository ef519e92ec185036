"""The installer's page, followed as written: the site plan, the certificates, and a broker that keeps each unit in its branch."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import wave
from collections.abc import Iterator
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
    """The page's broker on a free port, with the page's certificates, configuration and access list."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port

    def client(self, name: str) -> tuple[paho.Client, Queue[ReasonCode], Queue[paho.MQTTMessage]]:
        """A client with the certificate of that name: itself, what publishes got, what came."""
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=paho.MQTTv5)
        client.tls_set(str(self.folder / "ca.pem"), str(self.folder / f"{name}.pem"), str(self.folder / f"{name}.key"))
        got: Queue[ReasonCode] = Queue()
        came: Queue[paho.MQTTMessage] = Queue()
        client.on_publish = lambda _client, _data, _mid, reason, _properties: got.put(reason)
        client.on_message = lambda _client, _data, message: came.put(message)
        client.connect("localhost", self.port)
        client.loop_start()
        return client, got, came


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, mosquitto: Path) -> Iterator[_Site]:
    """Follows the page: certificates, access list, configuration, broker."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is missing: apt install openssl")
    folder = tmp_path_factory.mktemp("broker")
    folder.chmod(0o755)
    subprocess.run(["sh", "-e", "-c", _block("openssl req").text], cwd=folder, check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "acl").write_text(_block("user hub").text, encoding="utf-8")
    settings = (
        _block("listener 8883").text.replace("listener 8883", f"listener {port} 127.0.0.1").replace("/etc/mosquitto/parvis", str(folder))
    )
    user = "user root\n" if os.geteuid() == 0 else ""
    (folder / "parvis.conf").write_text(user + settings, encoding="utf-8")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([mosquitto, "-c", folder / "parvis.conf"], stdout=log, stderr=log)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
        yield _Site(folder, port)
    finally:
        process.terminate()
        process.wait(10)


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
        assert sorted(came.get(timeout=10).topic for _ in own) == sorted(own)
        with pytest.raises(Empty):
            came.get(timeout=0.5)
    finally:
        for client in (hub, unit):
            client.disconnect()
            client.loop_stop()


def test_without_a_certificate_nobody_gets_in(site: _Site) -> None:
    stranger = paho.Client(CallbackAPIVersion.VERSION2, client_id="u017", protocol=paho.MQTTv5)
    stranger.tls_set(str(site.folder / "ca.pem"))
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


def test_unit_and_hub_meet_at_the_page_s_broker(site: _Site, plan: Path, tmp_path: Path) -> None:
    here = {name: str(site.folder / name) for name in ("ca.pem", "hub.pem", "hub.key", "u017.pem", "u017.key")}
    here |= {"site.yaml": str(plan), "hub.local:8883": f"localhost:{site.port}", "/var/lib/parvis/hub": str(tmp_path / "hub")}
    sound = str(_wave(tmp_path / "noise.wav"))
    room, _, came = site.client("hub")
    room.subscribe("parvis/v1/vieux-port/+/status", qos=1)
    with (tmp_path / "log").open("wb") as log:
        hub = subprocess.Popen([*_call("parvis-hub run", here), "--listen", "127.0.0.1:0"], stdout=log, stderr=log)
        try:
            unit = _call("parvis-edge watch --site site.yaml --unit u017 --video rtsp", here | {"mic": sound})
            at = unit.index("--video")
            unit = [*unit[:at], *unit[at + 2 :], "--data-dir", str(tmp_path / "unit")]
            done = subprocess.run(unit, capture_output=True, text=True, timeout=120, check=False)
            assert done.returncode == 0, done.stderr
            states = []
            while "stopped" not in states:
                states.append(parse_message(came.get(timeout=20).payload).data.state)
            until_s = time.monotonic() + 30
            while "connected" not in (tmp_path / "log").read_text() and time.monotonic() < until_s:
                time.sleep(0.1)
            assert "connected" in (tmp_path / "log").read_text()
        finally:
            hub.terminate()
            assert hub.wait(30) == 0, (tmp_path / "log").read_text()
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

"""A signed allowlist from the hub's command line to the tags that a unit reads: a real broker, a real hub, a real unit on a photograph."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import pytest
from parvis_contract import CommandRefusal, CommandStatus, Site, load_site, parse_message
from parvis_contract.signing import SigningKey

from tests.broker import Broker, Subscriber
from tests.edge.clips import write_film
from tests.edge.commands.orders import STRANGER, allowlist
from tests.edge.program import finish, start
from tests.hub.running import Publishing, RunningHub, open_desk, wait_for

PROFILE = """\
name: test
title: {en: Test, fr: Essai}
jurisdiction: none; a photograph of toys
basis: {text: "Nobody is in the picture."}
valid_from: 2020-01-01
valid_to: 2100-01-01
camera: {allow: [tag.sighting], source: {text: "A photograph of toys."}}
sound_with_image: {allow: false, source: {text: "Not needed."}}
retention: {events_h: 1, incidents_h: 1, evidence_h: 1, sightings_h: 1, audit_h: 1, source: {text: "A test."}}
"""
PLAN = """\
site: quay
profile: profile.yaml
origin: {{lon: 5.37, lat: 43.296}}
units:
  u001: {{position: {{lon: 5.3701, lat: 43.2961}}, senses: [camera]}}
tags: {{size_m: 0.065, allow: [22]}}
hub_keys: [{key}]
"""
#: On the photograph; 22 is in the site plan's `allow`, which counts in the lab alone.
SHOWN = {22, 24, 58, 85, 144, 198}


class Heard:
    """What a unit says, from the broker."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber
        self.commands: CommandStatus | None = None
        self.tags: list[int] = []
        self.since = datetime.fromtimestamp(0, UTC)

    def listen(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Listens for so long, or until something is true; whether it was."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s and not until():
            for topic, body, _ in self._subscriber.messages(quiet_s=0.1, within_s=0.2):
                message: Any = parse_message(body) if topic.endswith(("/status", "/tag")) else None
                if topic.endswith("/tag"):
                    self.tags += [message.data.tag] if message.time > self.since else []
                elif message is not None and message.data.state != "lost":
                    self.commands = message.data.commands
        return until()

    def refuses(self, why: CommandRefusal, counter: int) -> bool:
        return self.listen(20, lambda: self.commands == CommandStatus(allowlist=counter, refused=why))

    def sees(self, *tags: int) -> bool:
        """Whether these, and no others, are told from now on."""
        self.tags.clear()
        return self.listen(60, lambda: set(self.tags) >= set(tags)) and set(self.tags) == set(tags)


class Unit:
    """`parvis-edge watch` on the photograph, shown for two minutes."""

    def __init__(self, folder: Path, site: Path, film: Path, port: int) -> None:
        self._arguments = ["--site", site, "--unit", "u001", "--video", film, "--pace", "real", "--broker", f"127.0.0.1:{port}"]
        self._arguments += ["--data-dir", folder / "unit", "--telemetry-s", "60"]
        self._log = (folder / "unit.log").open("ab")
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return start(*self._arguments, small_senses=False, stdout=subprocess.DEVNULL, stderr=self._log)

    def kill_and_start(self) -> None:
        self.process.kill()
        self.process.wait(10)
        self.process = self._start()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        finish(self.process)


@pytest.fixture
def site(tmp_path: Path, key: SigningKey) -> Site:
    (tmp_path / "profile.yaml").write_text(PROFILE)
    (tmp_path / "site.yaml").write_text(PLAN.format(key=key.public_key))
    return load_site(tmp_path / "site.yaml")


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    command("keys", "new", tmp_path / "hub.key")
    return SigningKey.load(tmp_path / "hub.key")


def command(*arguments: object) -> str:
    """The hub's command line; what it prints."""
    program = [sys.executable, "-c", "from parvis_hub.cli import app; app()"]
    done = subprocess.run([*program, *(str(each) for each in arguments)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def unit(tmp_path: Path, site: Site, material: Path, broker: Broker) -> Iterator[Unit]:
    photograph = cv2.imread(str(material / "tags" / "duckietown" / "test_image_multiple_04.png"))
    film = write_film(tmp_path / "film.avi", [photograph] * 120, range(0, 120_000, 1000), codec="mjpeg")
    running = Unit(tmp_path, site.path, film, broker.port)
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def broker(mosquitto: Path) -> Iterator[Broker]:
    with Broker(mosquitto) as running:
        yield running


@pytest.mark.timeout(240)
def test_a_list_is_issued_obeyed_acknowledged_kept_and_withdrawn(
    tmp_path: Path, site: Site, key: SigningKey, broker: Broker, unit: Unit
) -> None:
    def issue(tags: str) -> int:
        said = command("allowlist", "issue", "--site", site.path, "--key", tmp_path / "hub.key", "--tags", tags, "--until", "1h", *data)
        assert "not acknowledged yet" in said
        return int(said.split("counter ")[1].split(":")[0])

    data = ["--data-dir", tmp_path / "hub"]
    with Subscriber(broker.port) as subscriber, RunningHub(site, broker.port, tmp_path / "hub") as hub:
        heard = Heard(subscriber)
        counter = issue("24,58,300")
        assert heard.listen(60, lambda: heard.commands == CommandStatus(allowlist=counter))
        assert heard.sees(24, 58)
        desk = open_desk(site, tmp_path / "hub")
        wait_for(lambda: desk.units()[0].allowlist is not None and desk.units()[0].allowlist.acknowledged, 20)
        assert "acknowledged 20" in command("allowlist", "show", "--site", site.path, *data)
        assert "a unit has taken a command" in hub.log

        now_s = time.time()
        with Publishing(broker.port) as stranger:
            for raw, why in [
                (allowlist(counter + 5, 85, key=STRANGER, issued_s=now_s), CommandRefusal.UNKNOWN_KEY),
                (allowlist(counter - 1, 85, key=key, issued_s=now_s), CommandRefusal.REPLAYED),
                (allowlist(counter + 5, 85, key=key, issued_s=now_s - 60, lasts_s=59), CommandRefusal.EXPIRED),
                (allowlist(counter + 5, 85, key=key, issued_s=now_s, unit="u002"), CommandRefusal.NOT_FOR_THIS_UNIT),
                (allowlist(counter + 5, 85, key=key, issued_s=now_s)[:-9], CommandRefusal.MALFORMED),
                (b"x" * 20_000, CommandRefusal.TOO_LARGE),
            ]:
                stranger.raw([("parvis/v1/quay/u001/command", raw)])
                assert heard.refuses(why, counter), why
            assert str(CommandRefusal.UNKNOWN_KEY) in (tmp_path / "unit.log").read_text()
            # What is beyond all measure, the broker keeps to itself.
            stranger.raw([("parvis/v1/quay/u001/command", b"x" * 200_000)])

        # The hub is away, the unit is killed: it goes on with what is on its disk.
        hub.end(signal.SIGKILL)
        unit.kill_and_start()
        heard.commands = None
        assert heard.listen(60, lambda: heard.commands == CommandStatus(allowlist=counter))
        assert heard.sees(24, 58)

        hub.start()
        later = issue("none")
        assert heard.listen(60, lambda: heard.commands == CommandStatus(allowlist=later))
        # What was seen before may be said again; nothing is seen from now on.
        heard.since = datetime.now(UTC)
        heard.tags.clear()
        heard.listen(4.0)
        assert heard.tags == []

"""Nobody's trace: a unit watches people, and nothing but contract messages leaves its memory.

The real program runs on a real clip under four watches at once: Python's audit events, the system calls (where strace is
installed), every folder that it could write to, and the wire to the broker. A program that leaks shows that the watches see.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from parvis_contract import parse_message

from tests.broker import Broker, Subscriber, free_port

from .clips import Image, write_film, write_sound
from .program import ROOT
from .wiretap import CONNECT, DISCONNECT, PINGREQ, PUBACK, PUBLISH, SUBSCRIBE, Wiretap

PLAN = """\
site: quay
profile: lab
origin: {lon: 5.37, lat: 43.296}
units:
  u001: {position: {lon: 5.37, lat: 43.296}, senses: [camera, microphone]}
zones:
  track: {kind: closed, unit: u001, image_size: [768, 432], polygon_px: [[0, 0], [768, 0], [768, 432], [0, 432]], after_s: 0.2}
"""
#: Devices that hold nothing.
_HOLDS_NOTHING = {"/dev/null", "/dev/tty"}


class Place:
    """Folders of a run: all that a program could write to by name, each of its own and empty; and the logs of its watches."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plan = folder / "site.yaml"
        self.plan.write_text(PLAN)
        self.data = folder / "data"
        self.elsewhere = folder / "elsewhere"
        for name in ("home", "tmp", "here"):
            (self.elsewhere / name).mkdir(parents=True)
        self.audit = folder / "audit.log"
        self.calls = folder / "calls.log"

    def run(self, *arguments: object, program: Iterable[str] = ("-m", "tests.edge.watched")) -> subprocess.CompletedProcess[bytes]:
        home, tmp = str(self.elsewhere / "home"), str(self.elsewhere / "tmp")
        environment = {"PATH": os.environ["PATH"], "HOME": home, "TMPDIR": tmp, "PYTHONPATH": str(ROOT)}
        strace = shutil.which("strace")
        names = (
            "open,openat,openat2,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,connect,memfd_create,execve"
        )
        tracing = [strace, "-f", "-qq", "--seccomp-bpf", "-s", "200", "-e", f"trace={names}", "-o", self.calls] if strace else []
        command = [*tracing, sys.executable, "-B", *program, str(self.audit), "watch", "--site", self.plan, "--unit", "u001", *arguments]
        return subprocess.run(
            [str(each) for each in command], capture_output=True, cwd=self.elsewhere / "here", env=environment, timeout=240, check=False
        )

    def leaks(self, ports: set[int]) -> list[str]:
        """Everything that the watches saw beside the outbox and the broker."""
        found = [f"left in a folder: {path}" for path in self.elsewhere.rglob("*") if path.is_file()]
        for line in self.audit.read_text().splitlines():
            event, *what = json.loads(line)
            if event in {"open", "sqlite3.connect", "os.mkdir"}:
                found += [] if self._ours(what[0]) else [f"{event}: {what}"]
            elif event == "os.rename":
                found += [] if self._ours(what[0]) and self._ours(what[1]) else [f"{event}: {what}"]
            elif event == "socket.connect":
                found += [] if what[-1][0] == "127.0.0.1" and what[-1][1] in ports else [f"{event}: {what}"]
            elif event != "own pair":
                found.append(f"{event}: {what}")
        return found + (self._leaking_calls(ports) if self.calls.exists() else [])

    def _leaking_calls(self, ports: set[int]) -> list[str]:
        found, programs = [], 0
        for line in self.calls.read_text(errors="replace").splitlines():
            if re.search(r" = -1 E|resumed>|<unfinished", line) and "openat" not in line:
                continue
            path = re.search(r'"((?:[^"\\]|\\.)*)"', line)
            if re.search(r"\bopen(at2?)?\(", line):
                writes = re.search(r"O_WRONLY|O_RDWR|O_CREAT", line)
                found += [line] if writes and path and not self._ours(path[1]) else []
            elif "connect(" in line and "AF_INET" in line:
                port = re.search(r"sin6?_port=htons\((\d+)\)", line)
                local = "127.0.0.1" in line
                # A library's own pair of sockets is known from the audit; its port lies outside those that were given.
                found += [] if local and port and (int(port[1]) in ports or self._own_pairs()) else [line]
            elif "execve(" in line:
                programs += 1
            elif re.search(r"\b(creat|rename|link|symlink|memfd_create)", line) and path and not self._ours(path[1]):
                found.append(line)
        return found + ([f"{programs} programs were run"] if programs > 1 else [])

    def _own_pairs(self) -> bool:
        return '"own pair"' in self.audit.read_text()

    def _ours(self, path: str) -> bool:
        return path in {*_HOLDS_NOTHING, str(self.audit), str(self.data)} or path.startswith(f"{self.data}/")

    def stored(self) -> list[bytes]:
        """Everything that the outbox holds; an error if there is anything in it that has no place there."""
        bodies = []
        for path in self.data.rglob("*"):
            if path.suffix == ".lock":
                assert path.read_bytes() == b""
            elif path.suffix == ".session":
                assert re.fullmatch(rb"parvis-[0-9a-f]{32}\n", path.read_bytes())
            elif path.suffix == ".sqlite":
                with sqlite3.connect(path) as database:
                    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
                    assert tables == {"messages", "numbers", "open_events"}
                    bodies += [body for (body,) in database.execute("SELECT body FROM messages UNION ALL SELECT body FROM open_events")]
                    for topic, refused in database.execute("SELECT topic, refused FROM messages"):
                        assert topic.startswith("parvis/v1/quay/u001/")
                        assert refused is None
                    assert all(isinstance(value, int) for (value,) in database.execute("SELECT value FROM numbers"))
                database.close()
            else:
                assert path.is_dir() or path.name.endswith((".sqlite-wal", ".sqlite-shm")), path
        return bodies


@pytest.fixture
def people(tmp_path: Path, material: Path) -> Path:
    """Nine seconds of a real clip in which a person walks through the picture, packets untouched."""
    path = tmp_path / "people.mp4"
    with av.open(str(material / "intrusion" / "one-by-one-person-detection.mp4")) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is not None and float(packet.dts * packet.time_base) < 9.0:
                packet.stream = copy
                target.mux(packet)
    return path


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """A drawn street: a textured ground, somebody made of ellipses who walks, and then a hand before the lens."""
    ground = np.random.default_rng(3).integers(90, 150, (216, 384, 3)).astype(np.uint8)
    ground = cv2.GaussianBlur(ground, (5, 5), 0)

    def picture(index: int) -> Image:
        if index >= 60:
            return np.full_like(ground, 6)
        image = ground.copy()
        x = 30 + 4 * index
        cv2.ellipse(image, (x, 120), (14, 38), 0, 0, 360, (40, 40, 180), -1)
        cv2.circle(image, (x, 70), 11, (120, 150, 200), -1)
        return image

    return write_film(tmp_path / "drawn.mp4", map(picture, range(110)), range(0, 11_000, 100))


@pytest.fixture
def voices(tmp_path: Path) -> Path:
    """Something like a voice (a buzz with two formants), and a bang."""
    time_s = np.arange(16_000 * 6) / 16_000
    buzz = sum(np.sin(2 * np.pi * 120 * n * time_s) / n for n in range(1, 20)) * (1 + np.sin(2 * np.pi * 4 * time_s)) / 10
    bang = np.zeros_like(time_s)
    bang[48_000:52_000] = np.random.default_rng(4).normal(size=4_000) * np.exp(-np.arange(4_000) / 600)
    return write_sound(tmp_path / "voices.wav", np.clip(buzz + bang, -1, 1).astype(np.float32))


def only_messages(bodies: Iterable[bytes]) -> list[str]:
    """The types of what should all be messages; an error if one is not."""
    return [parse_message(body).name for body in bodies]


@pytest.mark.parametrize("clip", ["people", "drawn"])
def test_nothing_but_messages_leaves_memory(
    clip: str, request: pytest.FixtureRequest, voices: Path, mosquitto: Path, tmp_path: Path
) -> None:
    film: Path = request.getfixturevalue(clip)
    place = Place(tmp_path)
    what = ("--video", film, "--audio", voices, "--start", "2026-06-21T18:00:00Z", "--pace", "fast", "--data-dir", place.data)
    with Broker(mosquitto) as broker, Subscriber(broker.port), Wiretap(broker.port) as wire:
        done = place.run(*what, "--broker", f"127.0.0.1:{wire.port}", "--telemetry-s", "0.5")
        assert done.returncode == 0, done.stderr.decode()
        sent = wire.packets()
        ports = {wire.port}
    assert {packet.kind for packet in sent} <= {CONNECT, PUBLISH, PUBACK, SUBSCRIBE, PINGREQ, DISCONNECT}
    assert all(packet.size <= 4 for packet in sent if packet.kind not in {CONNECT, PUBLISH, SUBSCRIBE})
    # What it asks for is the hub's commands to itself, and tells nothing.
    assert {packet.topic for packet in sent if packet.kind == SUBSCRIBE} == {"parvis/v1/quay/u001/command"}
    said = only_messages(packet.payload for packet in sent if packet.kind in {CONNECT, PUBLISH})
    assert "unit.status" in said
    assert "zone.intrusion" in said or clip != "people"
    assert place.leaks(ports) == []
    assert done.stdout == b""
    # What is told to a person is short lines about the program, never content.
    assert all(len(line) < 1_000 and isinstance(json.loads(line), dict) for line in done.stderr.splitlines())
    # Without a broker, what is kept is messages too; and what is printed.
    nowhere = free_port()
    done = place.run(*what, "--broker", f"127.0.0.1:{nowhere}", "--drain-s", "0")
    assert done.returncode == 0, done.stderr.decode()
    only_messages(place.stored())
    done = place.run("--video", film, "--audio", voices, "--stdout")
    assert done.returncode == 0, done.stderr.decode()
    only_messages(done.stdout.splitlines())
    assert place.leaks(ports | {nowhere}) == []


LEAKS = {
    "a picture by a library in C": "import cv2; cv2.imwrite({tmp!r} + '/frame.jpg', item.image)",
    "a picture in a file": "open({tmp!r} + '/frame', 'wb').write(item.image.tobytes())",
    "a picture over the network": "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('127.0.0.2', 9))",
    "another program": "import subprocess; subprocess.run(['true'])",
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_unit_that_leaks_is_caught(leak: str, drawn: Path, tmp_path: Path) -> None:
    place = Place(tmp_path)
    program = tmp_path / "leaking.py"
    body = LEAKS[leak].format(tmp=str(place.elsewhere / "tmp"))
    program.write_text(
        "import sys\nfrom tests.edge.watched import install\ninstall(sys.argv.pop(1))\n"
        "import parvis_edge.unit\nfrom tests.edge.senses import Darkness\nfrom parvis_edge.cli import app\n"
        f"class Leaking(Darkness):\n    def process(self, item):\n        {body}\n        return super().process(item)\n"
        "parvis_edge.unit.default_makers = lambda *_: {'camera': lambda *_: Leaking()}\napp()\n"
    )
    done = place.run("--video", drawn, "--stdout", program=[str(program)])
    assert done.returncode == 0, done.stderr.decode()
    assert place.leaks(set()) != []


#: The program with its tracks numbered from elsewhere, its analysers' keys changed, and perhaps a leak.
_NUMBERED = """\
import sys
from dataclasses import replace
sys.argv.pop(1)
FIRST = {first}
from parvis_edge.analysers.camera import CameraSense
from parvis_edge.vision.tracker import Tracker
begin, process, finish = Tracker.__init__, CameraSense.process, CameraSense.finish
def numbered(self, *arguments):
    begin(self, *arguments)
    self._number = FIRST
def keyed(findings):
    return [replace(each, key=(FIRST, each.key){leak}) if hasattr(each, "key") else each for each in findings]
Tracker.__init__ = numbered
CameraSense.process = lambda self, item: keyed(process(self, item))
CameraSense.finish = lambda self: keyed(finish(self))
from parvis_edge.cli import app
app()
"""


def said_on_the_wire(film: Path, folder: Path, mosquitto: Path, first: int, leak: str = "") -> list[tuple[str, bytes]]:
    """Topic and bytes of all that is published of events and counts, with tracks numbered from ``first``."""
    folder.mkdir()
    place = Place(folder)
    program = folder / "numbered.py"
    program.write_text(_NUMBERED.format(first=first, leak=leak))
    with Broker(mosquitto) as broker, Subscriber(broker.port), Wiretap(broker.port) as wire:
        what = ("--video", film, "--start", "2026-06-21T18:00:00Z", "--pace", "fast", "--data-dir", place.data)
        done = place.run(*what, "--broker", f"127.0.0.1:{wire.port}", program=[str(program)])
        assert done.returncode == 0, done.stderr.decode()
        assert not any(str(first).encode() in sent for sent in wire.sent if first)
        return sorted((packet.topic, packet.payload) for packet in wire.packets() if packet.kind == PUBLISH and "/event/" in packet.topic)


def test_no_tracks_number_and_no_analysers_key_leaves_a_trace(people: Path, mosquitto: Path, tmp_path: Path) -> None:
    said = said_on_the_wire(people, tmp_path / "from nought", mosquitto, 0)
    assert "zone.intrusion" in only_messages(body for _, body in said)
    # Were any byte made from such a number, plainly or through a digest, it would be another now.
    assert said_on_the_wire(people, tmp_path / "from elsewhere", mosquitto, 73_902_157) == said
    # And where one is made from it, in whatever disguise, it shows: here in the far digits of a confidence.
    leak = ", confidence=each.confidence * (1 - FIRST / 1e10)"
    assert said_on_the_wire(people, tmp_path / "leaking", mosquitto, 73_902_157, leak) != said

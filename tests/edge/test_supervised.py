"""What a unit tells systemd: ready, alive, how it is, stopping; and nothing more once one of its threads hangs."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from parvis_contract import StatusReason
from parvis_edge.advice import ADVICE
from parvis_edge.heartbeat import Heartbeat
from parvis_edge.supervisor import Supervisor

from .clips import grey, write_film
from .program import OPEN_PROFILE, finish, start, write_plan
from .rtsp import Camera


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    """Systemd's end of the line."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        yield listening


def said(systemd: socket.socket, quiet_s: float) -> Iterator[str]:
    """What is said, until nothing is for a while."""
    systemd.settimeout(quiet_s)
    while True:
        try:
            yield systemd.recv(4_096).decode()
        except TimeoutError:
            return


def environment(tmp_path: Path, patience_s: float) -> dict[str, str]:
    return dict(os.environ) | {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": f"{patience_s * 1e6:.0f}"}


def test_a_run_from_its_beginning_to_its_end(tmp_path: Path, systemd: socket.socket) -> None:
    film = write_film(tmp_path / "film.mp4", [grey(200)] * 40, range(0, 1_600, 40))
    arguments = ("--site", write_plan(tmp_path), "--unit", "u001", "--video", film, "--stdout", "--pace", "real")
    code, _, error = finish(start(*arguments, env=environment(tmp_path, 0.4)))
    assert code == 0, error
    lines = list(said(systemd, 0.1))
    assert lines.count("READY=1") == lines.count("STOPPING=1") == 1
    assert lines.index("READY=1") < lines.index("WATCHDOG=1") < lines.index("STOPPING=1")
    assert "STATUS=healthy [camera healthy]" in lines


def test_a_sense_that_hangs_is_not_vouched_for(tmp_path: Path, systemd: socket.socket) -> None:
    with Camera() as camera:
        arguments = ("--site", write_plan(tmp_path, OPEN_PROFILE), "--unit", "u001", "--video", camera.url, "--stdout")
        log = (tmp_path / "log").open("wb")
        process = start(*arguments, hanging=True, env=environment(tmp_path, 1.0), stdout=subprocess.DEVNULL, stderr=log)
        assert "READY=1" in itertools.takewhile(lambda line: line != "WATCHDOG=1", said(systemd, 60.0))
        # Systemd would restart it after a second of silence; the other threads go on.
        lines = list(said(systemd, 4.0))
        assert process.poll() is None
        process.kill()
        process.wait()
        log.close()
    assert lines.count("WATCHDOG=1") >= 3
    assert "perceive-camera" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("settings", "patience_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, None),
        ({"NOTIFY_SOCKET": "/nowhere"}, None),
        ({"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "30000000"}, 30.0),
        ({"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "often"}, None),
    ],
)
def test_who_minds_and_how_long(settings: dict[str, str], patience_s: float | None) -> None:
    supervisor = Supervisor(settings)
    assert supervisor.patience_s == patience_s
    # Nobody listens there: that is nobody's fault.
    supervisor.ready()
    supervisor.alive(1.0)


def test_a_socket_without_a_file_and_a_status_said_once(tmp_path: Path) -> None:
    name = f"parvis-{os.getpid()}-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}")
        supervisor = Supervisor({"NOTIFY_SOCKET": f"@{name}", "WATCHDOG_USEC": "4000000"})
        for _ in range(2):
            supervisor.status("well")
        for now_s in (0.0, 0.5, 1.0, 1.2):
            supervisor.alive(now_s)
        assert list(said(listening, 0.1)) == ["STATUS=well", "WATCHDOG=1", "WATCHDOG=1"]


def test_a_heart_that_beats_rests_or_hangs() -> None:
    heart = Heartbeat(allowed_s=10.0)
    now_s = time.monotonic()
    assert not heart.hangs(now_s + 1e6, 0.0)
    heart.beat()
    assert not heart.hangs(time.monotonic() + 14.0, 5.0)
    assert heart.hangs(time.monotonic() + 15.1, 5.0)
    heart.rest()
    assert not heart.hangs(time.monotonic() + 1e6, 5.0)


def test_every_reason_has_its_advice() -> None:
    assert set(ADVICE) == set(StatusReason)
    assert all(text and "\n" not in text for text in ADVICE.values())

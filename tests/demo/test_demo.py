"""The demonstration as a whole, short and without a film: it plays, shows, ends cleanly, and says what went wrong."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import psutil
import pytest
from typer.testing import CliRunner

from parvis import corner, sounds, stage
from parvis.broker import HOST, free_ports
from parvis.cli import app
from parvis.material import Obtained, Recording


def nothing_to_be_had(recordings: Sequence[Recording], cache: Path, say: Callable[[str], None]) -> list[Obtained]:
    del cache, say
    return [Obtained(each, None, "no network") for each in recordings]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Eight seconds with a shot in them, and no film."""
    monkeypatch.setattr(stage, "obtain", nothing_to_be_had)
    monkeypatch.setattr(stage, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(corner, "SCENE_S", 8.0)
    shot = sounds.Source(sounds.gunshot(np.random.default_rng(1)), 2.0, 150.0, sounds.still(4.0, 6.0))
    monkeypatch.setattr(corner, "scene", lambda: [shot])


def descendants() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


@pytest.mark.usefixtures("short")
@pytest.mark.timeout(300)
def test_once_plays_to_the_end_and_shows_the_incidents(tmp_path: Path) -> None:
    before = descendants()
    result = CliRunner(env={"COLUMNS": "160"}).invoke(app, ["demo", "--once", "--keep", str(tmp_path / "run")])
    assert result.exit_code == 0, result.output
    assert "vtest.avi cannot be had: no network" in result.output
    assert "microphones only" in result.output
    assert "sound.impulse" in result.output
    assert "sound class gunshot" in result.output
    assert descendants() <= before
    assert {path.name for path in (tmp_path / "run").glob("*.log")} == {
        "broker.log",
        "hub.log",
        *(f"{unit}.log" for unit in corner.PLACES_M),
    }


@pytest.mark.usefixtures("short")
@pytest.mark.timeout(300)
def test_a_process_that_dies_is_reported_and_the_others_end(tmp_path: Path) -> None:
    before = descendants()
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        port = str(taken.getsockname()[1])
        result = CliRunner(env={"COLUMNS": "160"}).invoke(app, ["demo", "--once", "--port", port, "--keep", str(tmp_path / "run")])
    assert result.exit_code == 1
    assert "hub ended with status" in result.output
    assert "hub.log" in result.output
    assert descendants() <= before


@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_it_is_told_to(tmp_path: Path, number: signal.Signals) -> None:
    [port] = free_ports(1)
    program = (
        "import numpy as np; from parvis import corner, sounds, stage\n"
        "from parvis.material import Obtained\n"
        "stage.obtain = lambda recordings, cache, say: [Obtained(each, None, 'no network') for each in recordings]\n"
        f"from pathlib import Path; stage.cache_folder = lambda: Path({str(tmp_path / 'cache')!r})\n"
        "corner.SCENE_S = 8.0; corner.scene = lambda: []\n"
        f"from parvis.cli import app; app(['demo', '--no-browser', '--port', '{port}'])"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as demo:
        until_s = time.monotonic() + 120.0
        while len(psutil.Process(demo.pid).children()) < 2 + len(corner.PLACES_M):
            assert time.monotonic() < until_s, "it did not start"
            assert demo.poll() is None
            time.sleep(0.05)
        children = psutil.Process(demo.pid).children(recursive=True)
        os.kill(demo.pid, number)
        said, _ = demo.communicate(timeout=60)
    assert demo.returncode == 0
    assert f"Console: http://{HOST}:{port}/" in said
    assert "every process has ended" in said
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)

"""The shipped service files: systemd reads them, they shut in what they start, and what they start works shut in."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.edge.clips import write_film, write_sound
from tests.edge.program import ROOT, ask, write_plan

FILES = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
#: Those that start a program of ours, which; the broker is mosquitto, in its keeper.
PROGRAMS = {
    name: Path(sys.executable).with_name(program)
    for name, program in (
        ("parvis-edge@.service", "parvis-edge"),
        ("parvis-hub.service", "parvis-hub"),
        ("parvis-refresh.service", "parvis-models"),
    )
}
OURS = [path for path in FILES if path.name in PROGRAMS]
#: What runs for as long as the machine; the other is over after a moment.
LASTING = [path for path in FILES if path.name != "parvis-refresh.service"]
#: prctl(2): from now on no memory that is or was writable can be executed. It is what MemoryDenyWriteExecute= asks of newer kernels.
_SET_MDWE, _NO_EXECUTE_GAIN = 65, 1


def options(path: Path) -> dict[str, list[str]]:
    """What a service file sets."""
    found: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def analyze(*arguments: object) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is missing: apt install systemd")
    return subprocess.run([program, *(str(each) for each in arguments)], capture_output=True, text=True, check=False)


def test_there_are_these() -> None:
    assert [path.name for path in FILES] == ["parvis-broker.service", *PROGRAMS]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_systemd_reads_it(path: Path, tmp_path: Path) -> None:
    installed = tmp_path / path.name
    program = PROGRAMS.get(path.name)
    text = path.read_text()
    installed.write_text(text.replace(f"/opt/parvis/bin/{program.name}", str(program)) if program else text)
    done = analyze("verify", "--man=no", installed)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_is_shut_in(path: Path) -> None:
    # Of 10, which is no sandbox; a usual service has 9.
    # The unit has devices; what is left to hub and broker is the network, and the machine's own root directory.
    most = 25 if path.name == "parvis-edge@.service" else 15
    done = analyze("security", "--offline=true", f"--threshold={most}", path)
    assert done.returncode == 0, done.stdout
    # The sum above would forgive one of these.
    without = {"LimitCORE": "0", "NoNewPrivileges": "yes", "CapabilityBoundingSet": "", "MemoryDenyWriteExecute": "yes"}
    assert {name: options(path)[name] for name in without} == {name: [value] for name, value in without.items()}


@pytest.mark.parametrize("path", LASTING, ids=lambda path: path.name)
def test_it_writes_to_its_own_folder_and_is_started_again(path: Path) -> None:
    found = options(path)
    assert found["StateDirectory"] == [found["User"][0]]
    assert "ReadWritePaths" not in found
    assert found["Restart"] == ["always"]
    assert path.name not in PROGRAMS or found["RestartPreventExitStatus"] == ["2"]


def test_the_repository_is_refreshed_twice_a_day_and_nothing_else_is_written() -> None:
    refresh, timer = (options(ROOT / "deploy" / "systemd" / f"parvis-refresh.{kind}") for kind in ("service", "timer"))
    assert refresh["ReadWritePaths"] == [refresh["ExecStart"][0].split()[3]]
    assert timer["Persistent"] == ["yes"]
    calendar = analyze("calendar", "--iterations=3", "--base-time=2026-06-21 00:00:00 UTC", timer["OnCalendar"][0])
    assert re.findall(r"(\S+) UTC", calendar.stdout) == ["05:17:00", "17:17:00", "05:17:00"]


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_it_starts_what_there_is(path: Path) -> None:
    program, command, *arguments = options(path)["ExecStart"][0].split()
    assert program == f"/opt/parvis/bin/{PROGRAMS[path.name].name}"
    shown = subprocess.run(
        [PROGRAMS[path.name], command, "--help"], capture_output=True, text=True, check=True, env={"COLUMNS": "200", "PATH": ""}
    ).stdout
    for option in [each for each in arguments if each.startswith("--")]:
        assert option in shown


def test_a_unit_is_watched_and_restarted() -> None:
    found = options(ROOT / "deploy" / "systemd" / "parvis-edge@.service")
    assert found["Type"] == ["notify"]
    assert int(found["WatchdogSec"][0]) >= 10
    assert found["Restart"] == ["always"]
    assert found["DeviceAllow"] == ["char-video4linux rw", "char-alsa rw"]


def test_the_models_run_without_memory_that_is_written_and_executed(tmp_path: Path) -> None:
    def shut_in() -> None:
        ctypes.CDLL(None).prctl(_SET_MDWE, _NO_EXECUTE_GAIN, 0, 0, 0)

    if subprocess.run(
        [sys.executable, "-c", f"import ctypes; raise SystemExit(ctypes.CDLL(None).prctl({_SET_MDWE}, {_NO_EXECUTE_GAIN}, 0, 0, 0) != 0)"],
        check=False,
    ).returncode:
        pytest.skip("this kernel does not know PR_SET_MDWE (Linux 6.3)")
    rng = np.random.default_rng(1)
    film = write_film(tmp_path / "film.mp4", [rng.integers(0, 255, (144, 256, 3), np.uint8)] * 10, range(0, 1_000, 100))
    sound = write_sound(tmp_path / "sound.wav", rng.normal(0, 0.1, 24_000).astype(np.float32))
    code, _, error = ask(
        *("watch", "--site", write_plan(tmp_path), "--unit", "u001", "--video", film, "--audio", sound, "--stdout"), preexec_fn=shut_in
    )
    assert code == 0, error

"""`parvis-edge calibrate` as an installer runs it; and that nothing of the view is ever written to a disk."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from parvis_contract import load_site
from parvis_edge.cli import app
from typer.testing import CliRunner

from tests.edge.clips import write_sound, write_still
from tests.edge.program import ROOT, ask

from .scene import SIX, Camera, known, write_plan

CAMERA = Camera()
POINTS = [f"{point.px[0]},{point.px[1]}={point.at.lon:.8f},{point.at.lat:.8f}" for point in known(CAMERA, SIX)]
GIVEN = [word for point in POINTS for word in ("--point", point)]


@pytest.fixture
def view(tmp_path: Path) -> Path:
    rng = np.random.default_rng(3)
    image = cv2.resize(rng.integers(0, 255, (18, 32, 3), np.uint8), CAMERA.size_px, interpolation=cv2.INTER_NEAREST)
    (tmp_path / "pictures").mkdir()
    return write_still(tmp_path / "pictures" / "view.png", np.asarray(image, np.uint8))


calibrate = partial(ask, "calibrate")


def test_points_give_a_block_to_paste(tmp_path: Path, view: Path) -> None:
    plan = write_plan(tmp_path, law=None)
    before = plan.read_text()
    code, out, error = calibrate("--site", plan, "--unit", "u001", "--video", view, *GIVEN)
    assert code == 0, error
    assert "clock: " in error
    assert "good enough for units.u001" in error
    assert plan.read_text() == before
    plan.write_text(before.replace("    range_m: 40\n", f"    range_m: 40\n{out}"))
    written = load_site(plan).units["u001"].ground_plane
    assert written is not None
    assert len(written.points) == 6


def test_points_are_written_into_the_plan(tmp_path: Path, view: Path) -> None:
    plan = write_plan(tmp_path, law=None)
    before = plan.read_text()
    code, _, error = calibrate("--site", plan, "--unit", "u001", "--video", view, *GIVEN, "--write")
    assert code == 0, error
    assert f"written to {plan}" in error
    assert load_site(plan).units["u001"].ground_plane is not None
    assert [line for line in plan.read_text().splitlines() if line in before.splitlines()] == before.splitlines()


def test_what_is_refused_changes_nothing(tmp_path: Path, view: Path) -> None:
    plan = write_plan(tmp_path, law=None)
    before = plan.read_text()
    code, out, error = calibrate("--site", plan, "--unit", "u001", "--video", view, *GIVEN[:6], "--write")
    assert (code, out) == (1, "")
    assert "refused: 3 of at least four points" in error
    assert plan.read_text() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--unit", "u001", "--video", "rtsp://127.0.0.1:1/view"), r"lab\.yaml:\d+: profile lab allows recorded files only"),
        (("--unit", "u002", "--video", "VIEW"), r"units\.u002\.senses is \[microphone\]"),
        (("--unit", "u009", "--video", "VIEW"), "no unit u009; there are u001, u002"),
        (("--unit", "u001"), "give --video, --audio or both"),
        (("--unit", "u001", "--video", "none.jpg"), "give an existing file"),
        (("--unit", "u001", "--video", "VIEW", "--point", "1,2"), "write px,py=lon,lat"),
        (("--unit", "u001", "--video", "VIEW", "--board", "1x1"), "two tags to a hundred"),
    ],
)
def test_the_law_and_the_plan_are_asked_before_anything_is_opened(
    tmp_path: Path, view: Path, arguments: tuple[str, ...], said: str
) -> None:
    plan = write_plan(tmp_path, law=None)
    result = CliRunner().invoke(app, ["calibrate", "--site", str(plan), *(str(view) if word == "VIEW" else word for word in arguments)])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert re.search(said, result.stderr), result.stderr


def test_a_port_that_is_taken_is_told(tmp_path: Path, view: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        arguments = ["--site", str(write_plan(tmp_path, law=None)), "--unit", "u001", "--video", str(view), "--port", str(port)]
        result = CliRunner().invoke(app, ["calibrate", *arguments])
    assert result.exit_code == 2
    assert f"--port {port}: Address already in use; give another" in result.stderr


def test_a_calibrator_gives_full_scale(tmp_path: Path) -> None:
    plan = write_plan(tmp_path, law=None)
    tone = (0.1 * np.sin(2 * np.pi * 1_000 * np.arange(8 * 16_000) / 16_000)).astype(np.float32)
    sound = write_sound(tmp_path / "tone.wav", tone)
    code, out, error = calibrate("--site", plan, "--unit", "u001", "--audio", sound, "--reference-db", 94, "--write")
    assert code == 0, error
    # A sine of 0.1 lies 23.01 dB below a sample of 1.
    assert out.strip() == "microphone: {full_scale_db: 117.0}"
    assert "the site plan has 120, so levels were told 3.0 dB too high" in error
    assert load_site(plan).units["u001"].microphone.full_scale_db == 117.0
    noise = write_sound(tmp_path / "noise.wav", np.random.default_rng(1).normal(0, 0.1, 8 * 16_000).astype(np.float32))
    code, out, error = calibrate("--site", plan, "--unit", "u001", "--audio", noise)
    assert (code, out) == (1, "")
    assert "refused: no calibrator is heard" in error


def _writes(calls: str, mine: Path) -> list[str]:
    """Files that the system calls of a run opened for writing, made or renamed, beside what is expected."""
    found = []
    for line in calls.splitlines():
        path = re.search(r'"((?:[^"\\]|\\.)*)"', line)
        if path is None or " = -1 E" in line:
            continue
        writes = re.search(r"\bopen(at2?)?\(", line) and re.search(r"O_WRONLY|O_RDWR|O_CREAT", line)
        if (writes or re.search(r"\b(creat|rename\w*|link\w*|symlink\w*|memfd_create)\(", line)) and path[1] not in (
            "/dev/null",
            "/dev/tty",
        ):
            found += [] if path[1] == str(mine) else [line]
    return found


def test_nothing_of_the_view_is_ever_written(tmp_path: Path, view: Path) -> None:
    """The page is opened, used in every way that it can be, and ended; Python's own audit, the system calls and all folders are watched."""
    plan = write_plan(tmp_path, law=None)
    audit, calls, elsewhere = tmp_path / "audit.log", tmp_path / "calls.log", tmp_path / "elsewhere"
    for name in ("home", "tmp", "here"):
        (elsewhere / name).mkdir(parents=True)
    names = "open,openat,openat2,creat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,memfd_create"
    strace = shutil.which("strace")
    tracing = [strace, "-f", "-qq", "--seccomp-bpf", "-s", "300", "-e", f"trace={names}", "-o", calls] if strace else []
    command = [
        *tracing,
        sys.executable,
        "-B",
        "-m",
        "tests.edge.watched",
        audit,
        "calibrate",
        "--site",
        plan,
        "--unit",
        "u001",
        "--video",
        view,
    ]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(elsewhere / "home"),
        "TMPDIR": str(elsewhere / "tmp"),
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }
    process = subprocess.Popen(
        [str(each) for each in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=elsewhere / "here",
        env=environment,
    )
    assert process.stderr is not None
    try:
        url = ""
        for line in process.stderr:
            if found := re.search(r"Open (http://127\.0\.0\.1:\d+/\S+/)", line):
                url = found[1]
                break
        assert url, "the page was not opened"
        for name in ("", "page.js", "page.css", "view.json", "lines.png"):
            with urllib.request.urlopen(url + name, timeout=20) as answer:
                assert answer.status == 200
                assert answer.headers["Cache-Control"] == "no-store"
        points = {"points": [{"px": list(p.px), "lon": p.at.lon, "lat": p.at.lat} for p in known(CAMERA, SIX)]}
        for name, body in (("assess", points), ("look", {}), ("done", points)):
            request = urllib.request.Request(url + name, json.dumps(body).encode(), {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=30) as answer:
                assert answer.status == 200
        out, error = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait(10)
    assert process.returncode == 0, error
    assert out.startswith("    ground_plane:")
    assert [path for path in elsewhere.rglob("*") if path.is_file()] == []
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file() and path not in (audit, calls)) == ["site.yaml"]
    assert [path.name for path in view.parent.iterdir()] == ["view.png"]
    events = [json.loads(line) for line in audit.read_text().splitlines()]
    assert [event for event in events if event[0] == "open" and event[1] not in ("/dev/null", "/dev/tty")] == []
    assert {event[0] for event in events} <= {"open", "own pair"}, events
    if strace:
        assert _writes(calls.read_text(errors="replace"), audit) == []


def test_the_watch_itself_would_see_a_picture(tmp_path: Path) -> None:
    """That the test above has teeth: the same reading of system calls finds a picture that OpenCV writes."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is missing: apt install strace")
    code = f"import cv2, numpy; cv2.imwrite({str(tmp_path / 'leak.png')!r}, numpy.zeros((8, 8), 'uint8'))"
    calls = tmp_path / "calls.log"
    subprocess.run([strace, "-f", "-qq", "-e", "trace=open,openat,creat", "-o", str(calls), sys.executable, "-B", "-c", code], check=True)
    assert any("leak.png" in line for line in _writes(calls.read_text(errors="replace"), tmp_path / "audit.log"))

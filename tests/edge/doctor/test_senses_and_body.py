"""Camera, microphone, clock, disk, heat: what is measured, and what to do where it fails."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
from parvis_contract import Clock, ClockSource, parse_message
from parvis_edge.delivery.outbox import Outbox
from parvis_edge.doctor.body import check_clock, check_disk, check_heat, waiting_messages
from parvis_edge.doctor.finding import STEPS, Finding, Outcome, closing_lines, failed, first_failure, ok, skipped
from parvis_edge.doctor.senses import check_camera, check_microphone, open_or_not

from tests.contract.examples import example
from tests.edge.calibration.scene import make_site
from tests.edge.clips import grey, write_film, write_sound, write_still
from tests.edge.rtsp import Camera

RNG = np.random.default_rng(4)


def _picture() -> np.ndarray:
    return RNG.integers(0, 255, (48, 64, 3), np.uint8)


def test_a_film_s_rate_and_size(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", [_picture()] * 40, range(0, 4_000, 100))
    source = open_or_not(make_site(tmp_path), "u001", "camera", str(film))
    assert not isinstance(source, Finding)
    seen = check_camera(source)
    assert seen.finding.outcome is Outcome.OK
    assert seen.finding.measured["size_px"] == [64, 48]
    assert seen.finding.measured["frames_per_s"] == pytest.approx(10.0, abs=0.1)
    assert seen.picture is not None


@pytest.mark.parametrize(
    ("images", "step_ms", "said"),
    [([grey(120)] * 30, 100, "lens covered"), ([_picture()] * 5, 2_500, "raise the camera's rate")],
)
def test_a_camera_that_shows_nothing_or_too_little(tmp_path: Path, images: list[np.ndarray], step_ms: int, said: str) -> None:
    film = write_film(tmp_path / "film.mp4", images, range(0, len(images) * step_ms, step_ms))
    source = open_or_not(make_site(tmp_path), "u001", "camera", str(film))
    assert not isinstance(source, Finding)
    finding = check_camera(source).finding
    assert finding.outcome is Outcome.FAILED
    assert said in str(finding.advice)


def test_a_live_camera_is_measured_as_it_comes_and_its_password_is_not_shown(tmp_path: Path) -> None:
    with Camera(lambda _: _picture()) as camera:
        source = open_or_not(make_site(tmp_path), "u001", "camera", camera.url)
        assert not isinstance(source, Finding)
        finding = check_camera(source, 1.5).finding
    assert finding.outcome is Outcome.OK
    assert 5 < finding.measured["frames_per_s"] < 40
    gone = check_camera(source).finding
    assert gone.outcome is Outcome.FAILED
    assert "is it switched on" in str(gone.advice)
    assert "secret" not in repr(gone)


def test_the_law_is_asked_before_a_source_is_opened(tmp_path: Path) -> None:
    site = make_site(tmp_path, law=None)
    # Nothing listens there: had it been opened, the row would say so.
    row = open_or_not(site, "u001", "camera", "rtsp://127.0.0.1:1/view")
    assert isinstance(row, Finding)
    assert row.outcome is Outcome.FAILED
    assert "lab.yaml:" in row.said
    assert "allows recorded files only, and this source is live" in row.said


@pytest.mark.parametrize(
    ("unit", "text", "outcome", "said"),
    [
        ("u001", None, Outcome.SKIPPED, "give --video"),
        ("u002", None, Outcome.SKIPPED, "gives this unit none"),
        ("u002", "x.mp4", Outcome.FAILED, "units.u002.senses is [microphone]"),
        ("u001", "missing.mp4", Outcome.FAILED, "No such file"),
    ],
)
def test_what_is_not_there_is_said(tmp_path: Path, unit: str, text: str | None, outcome: Outcome, said: str) -> None:
    row = open_or_not(make_site(tmp_path), unit, "camera", text)
    assert isinstance(row, Finding)
    assert row.outcome is outcome
    assert said in row.said


def test_a_picture_that_is_none_fails(tmp_path: Path) -> None:
    (tmp_path / "view.jpg").write_bytes(b"no picture")
    source = open_or_not(make_site(tmp_path), "u001", "camera", str(tmp_path / "view.jpg"))
    assert not isinstance(source, Finding)
    assert "is the file whole" in str(check_camera(source).finding.advice)
    write_still(tmp_path / "good.png", _picture())
    good = open_or_not(make_site(tmp_path), "u001", "camera", str(tmp_path / "good.png"))
    assert not isinstance(good, Finding)
    assert check_camera(good).finding.said.startswith("a still picture, 64 × 48")


def _listen(tmp_path: Path, samples: np.ndarray) -> Finding:
    file = write_sound(tmp_path / "sound.wav", samples.astype(np.float32), 48_000)
    source = open_or_not(make_site(tmp_path), "u001", "microphone", str(file))
    assert not isinstance(source, Finding)
    return check_microphone(source, 120.0)


def test_a_tone_has_its_level(tmp_path: Path) -> None:
    tone = 0.1 * np.sin(2 * np.pi * 1_000 * np.arange(96_000) / 48_000)
    row = _listen(tmp_path, tone)
    # 120 dB for a sample of 1: a sine of 0.1 lies 20 and 3 dB below.
    assert row.measured["laeq_db"] == pytest.approx(97.0, abs=0.2)
    assert row.measured["peak_dbfs"] == pytest.approx(-20.0, abs=0.1)
    assert row.advice is None


@pytest.mark.parametrize(
    ("samples", "outcome", "advice"),
    [
        (np.zeros(96_000), Outcome.FAILED, "unmute it"),
        (np.clip(3 * np.sin(np.arange(96_000) / 8), -1, 1), Outcome.OK, "lower the gain"),
        (np.resize([0, 0, 1 / 32_768, 0], 96_000), Outcome.OK, "raise the gain"),
    ],
)
def test_a_microphone_that_hears_badly(tmp_path: Path, samples: np.ndarray, outcome: Outcome, advice: str) -> None:
    row = _listen(tmp_path, samples)
    assert row.outcome is outcome
    assert advice in str(row.advice)


@pytest.mark.parametrize(
    ("clock", "recorded", "outcome", "said"),
    [
        (Clock(source=ClockSource.NTP, uncertainty_ms=5.0), False, Outcome.OK, "1.7 m for a sound"),
        (Clock(source=ClockSource.FREE, uncertainty_ms=3.6e6), False, Outcome.FAILED, "nothing keeps it"),
        (Clock(source=ClockSource.FREE, uncertainty_ms=3.6e6), True, Outcome.SKIPPED, "recordings have their own"),
    ],
)
def test_a_clock(clock: Clock, *, recorded: bool, outcome: Outcome, said: str) -> None:
    row = check_clock(clock, recorded=recorded)
    assert row.outcome is outcome
    assert said in row.said
    assert (row.advice is not None) is (outcome is Outcome.FAILED)
    assert check_clock(Clock(source=ClockSource.NTP, uncertainty_ms=80.0), recorded=False).advice


def test_a_disk_is_measured_and_left_as_it_was(tmp_path: Path) -> None:
    row = check_disk(tmp_path / "not" / "yet", tmp_path / "outbox.sqlite")
    assert row.outcome is Outcome.OK
    assert row.measured["folder"] == str(tmp_path)
    assert row.measured["free_bytes"] > 0
    assert row.measured["durable_write_ms"] > 0
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    row = check_disk(tmp_path / "data" / "parvis", tmp_path / "x")
    assert row.outcome is Outcome.FAILED
    assert "has a file where a folder should be; give another folder with --data-dir" in str(row.advice)


@pytest.mark.skipif(not Path("/proc/sys").is_dir(), reason="no /proc")
def test_a_folder_that_nobody_can_write_in(tmp_path: Path) -> None:
    row = check_disk(Path("/proc/parvis"), tmp_path / "x")
    assert row.outcome is Outcome.FAILED
    assert "--data-dir" in str(row.advice)


@pytest.mark.parametrize(
    ("number", "said"), [(errno.ENOSPC, "make room"), (errno.EROFS, "read-only"), (errno.EIO, "replace it"), (errno.EACCES, "chown")]
)
def test_a_disk_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str) -> None:
    def fails(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("parvis_edge.doctor.body.os.fsync", fails)
    row = check_disk(tmp_path, tmp_path / "x")
    assert row.outcome is Outcome.FAILED
    assert said in str(row.advice)
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


def test_little_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parvis_edge.doctor.body.LEAST_FREE_BYTES", 1 << 60)
    assert "make room" in str(check_disk(tmp_path, tmp_path / "x").advice)


def test_an_outbox_is_only_read_whether_in_use_or_not(tmp_path: Path) -> None:
    messages = [parse_message(json.dumps(example(name))) for name in ("sound.impulse", "object.unattended", "sound.alarm")]
    outbox = Outbox(tmp_path / "u001.outbox.sqlite")
    outbox.put(messages)
    kept = outbox.waiting(-1, 10)
    outbox.acknowledged([kept[0].sequence])
    for open_still in (True, False):
        if not open_still:
            outbox.close()
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if not path.name.endswith("-shm")}
        waiting = waiting_messages(outbox.path)
        assert waiting is not None
        assert (waiting.messages, waiting.shed) == (2, 0)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if not path.name.endswith("-shm")} == before
        assert (tmp_path / "u001.outbox.sqlite-shm").exists() is open_still
    (tmp_path / "u001.outbox.sqlite-wal").write_bytes(b"left by a power cut")
    assert waiting_messages(outbox.path) is None
    assert not (tmp_path / "u001.outbox.sqlite-shm").exists()
    (tmp_path / "broken.sqlite").write_bytes(b"no database" * 100)
    assert waiting_messages(tmp_path / "broken.sqlite") is None


def _zone(folder: Path, heat_mc: int | None) -> Path:
    if heat_mc is not None:
        (folder / "thermal_zone0").mkdir(parents=True)
        (folder / "thermal_zone0" / "temp").write_text(f"{heat_mc}\n")
    return folder


@pytest.mark.parametrize(
    ("heat_mc", "word", "outcome", "said"),
    [
        (48_000, None, Outcome.OK, "48 °C"),
        (48_000, "0", Outcome.OK, "not slowed down"),
        (48_000, "50000", Outcome.OK, "not slowed down"),  # it was, and is no more
        (90_000, None, Outcome.FAILED, "shade, air"),
        (84_000, "e", Outcome.FAILED, "heat sink"),
        (50_000, "5", Outcome.FAILED, "a supply and cable"),
        (None, None, Outcome.SKIPPED, "tells no temperature"),
    ],
)
def test_heat(tmp_path: Path, heat_mc: int | None, word: str | None, outcome: Outcome, said: str) -> None:
    firmware = tmp_path / "throttled"
    if word is not None:
        firmware.write_text(word)
    row = check_heat(_zone(tmp_path / "thermal", heat_mc), firmware)
    assert row.outcome is outcome, row
    assert said in f"{row.said} {row.advice}"


def test_the_first_failure_is_the_one_to_mend() -> None:
    rows = [
        ok("camera", "fine", advice="a little dark"),
        skipped("heat", "-"),
        failed("disk", "full", "make room"),
        failed("tcp", "x", "y"),
    ]
    assert first_failure(rows) is rows[2]
    assert closing_lines(rows, ["no ground_plane"]) == [
        "look at this: camera: a little dark",
        "site plan: no ground_plane",
        "do this first: disk: make room",
        "then look at: tcp",
    ]
    assert closing_lines(rows[:2], [])[-1] == "nothing failed"


def test_a_failure_without_advice_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="nothing says what to do"):
        Finding("disk", Outcome.FAILED, "full")
    with pytest.raises(ValueError, match="is no step"):
        ok("teeth", "fine")
    assert STEPS == ("camera", "microphone", "clock", "disk", "heat", "dns", "tcp", "tls", "mqtt", "publish")

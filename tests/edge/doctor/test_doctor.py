"""`parvis-edge doctor` as an installer runs it."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
from parvis_contract import GroundPlane, load_site
from parvis_edge.calibration.block import write_ground_plane
from parvis_edge.doctor.plan_notes import plan_notes

from tests.broker import Broker, free_port
from tests.edge.calibration.scene import SIX, Camera, known, write_plan
from tests.edge.clips import write_film, write_sound
from tests.edge.program import ask

ZONES = "zones:\n  square: {kind: crowd, polygon: [[5.37, 43.29606], [5.37006, 43.29608], [5.37006, 43.29614], [5.37, 43.29612]]}\n"


doctor = partial(ask, "doctor")


def _material(folder: Path) -> tuple[Path, Path]:
    rng = np.random.default_rng(2)
    film = write_film(folder / "film.mp4", [rng.integers(0, 255, (144, 256, 3), np.uint8)] * 40, range(0, 4_000, 100))
    return film, write_sound(folder / "sound.wav", rng.normal(0, 0.05, 48_000).astype(np.float32))


def test_all_is_well_and_the_rest_of_the_plan_is_told(tmp_path: Path, mosquitto: Path) -> None:
    plan = write_plan(tmp_path, more=ZONES, law=None)
    film, sound = _material(tmp_path)
    with Broker(mosquitto) as broker:
        code, out, error = doctor(
            "--site", plan, "--unit", "u001", "--video", film, "--audio", sound, "--broker", broker.address, "--data-dir", tmp_path / "data"
        )
    rows = [line.split()[:2] for line in out.splitlines()[:10]]
    assert [name for name, _ in rows] == ["camera", "microphone", "clock", "disk", "heat", "dns", "tcp", "tls", "mqtt", "publish"]
    outcomes = dict(rows)
    # Heat is the machine's own; everything else is the test's.
    del outcomes["heat"], outcomes["clock"]
    assert outcomes == dict.fromkeys(outcomes, "ok") | {"tls": "skipped"}, out
    assert "units.u001 has no ground_plane: areas, distances and speeds are null" in out
    assert "zones.square on the map cannot be judged; parvis-edge calibrate gives it one" in out
    assert "zones.square: crowd.density: it is on the map and the unit has no `ground_plane`" in out
    assert out.rstrip().endswith("nothing failed") == (code == 0)
    assert error == ""
    assert not (tmp_path / "data").exists()


def test_the_first_failure_for_a_program(tmp_path: Path) -> None:
    plan = write_plan(tmp_path, law=None)
    code, out, _ = doctor(
        "--site", plan, "--unit", "u001", "--video", tmp_path / "missing.mp4", "--broker", f"127.0.0.1:{free_port()}", "--json"
    )
    said = json.loads(out)
    assert code == 1
    assert said["first_failure"]["step"] == "camera"
    assert "give an existing file" in said["first_failure"]["advice"]
    assert [each["step"] for each in said["findings"] if each["outcome"] == "failed"][:2] != []
    assert next(each for each in said["findings"] if each["step"] == "tcp")["outcome"] == "failed"


def test_a_calibration_is_judged_again(tmp_path: Path) -> None:
    plan = write_plan(tmp_path, more=ZONES, law=None)
    write_ground_plane(plan, "u001", GroundPlane(image_size=(1280, 720), points=known(Camera(), SIX)))
    _, out, _ = doctor("--site", plan, "--unit", "u001", "--broker", f"127.0.0.1:{free_port()}")
    assert "units.u001.ground_plane is right to 0." in out
    assert "whoever stands nearest is seen with 157 pixels per metre" in out
    assert "has no ground_plane" not in out


def test_the_notes_know_the_law_and_the_size_of_the_pictures(tmp_path: Path) -> None:
    zone = "zones:\n  hall: {kind: watched, unit: u001, image_size: [1280, 720], polygon_px: [[0, 300], [1200, 300], [600, 700]]}\n"
    zone += "  square: {kind: crowd, unit: u001, image_size: [1280, 720], polygon_px: [[0, 300], [1200, 300], [600, 700]]}\n"
    plan = write_plan(tmp_path, more=zone, law='optical_cap: {px_per_m: 40.0, source: {text: "A test."}}')
    high = Camera(height_m=9.0, focal_px=540.0)
    write_ground_plane(plan, "u001", GroundPlane(image_size=(1280, 720), points=known(high, SIX)))
    site = load_site(plan)

    def notes(width: int, height: int) -> str:
        return "\n".join(plan_notes(site, "u001", np.full((height, width, 3), 90, np.uint8), recorded=True))

    law = f"{tmp_path / 'law.yaml'}:"
    assert f"zones.hall: object.unattended is not judged: {law}" in notes(640, 360)
    for event in ("object.unattended", "crowd.surge"):
        assert f"`camera.allow` does not name {event}" in notes(640, 360)
    # The calibration is of one picture, and the detail of the one that comes.
    assert "is right to 0." in notes(640, 360)
    assert "is seen with 31 pixels per metre" in notes(640, 360)
    assert "optical_cap.px_per_m is 40, and whoever stands nearest" in notes(1280, 720)
    assert "pictures of another shape come, 640 × 480: calibrate again with them" in notes(640, 480)


def test_a_camera_that_shows_more_than_the_law_allows_fails(tmp_path: Path) -> None:
    plan = write_plan(tmp_path, law='optical_cap: {px_per_m: 20.0, source: {text: "A test."}}')
    write_ground_plane(plan, "u001", GroundPlane(image_size=(1280, 720), points=known(Camera(), SIX)))
    film, _ = _material(tmp_path)
    code, out, _ = doctor("--site", plan, "--unit", "u001", "--video", film, "--broker", f"127.0.0.1:{free_port()}")
    assert code == 1
    assert f"camera      failed   {tmp_path / 'law.yaml'}:11: optical_cap.px_per_m is 20, and whoever stands nearest is seen with 31" in out
    assert "do this first: camera: hang the camera higher, turn it up, take a wider lens, or have it send pictures 164 pixels across" in out


def test_a_plan_or_a_unit_that_is_not_there(tmp_path: Path) -> None:
    code, _, error = doctor("--site", tmp_path / "none.yaml", "--unit", "u001")
    assert (code, "none.yaml:1" in error) == (2, True)
    code, _, error = doctor("--site", write_plan(tmp_path), "--unit", "u009")
    assert code == 2
    assert "no unit u009; there are u001, u002" in error

"""A calibrated camera that sees people in more detail than the profile allows is not watched."""

from __future__ import annotations

from pathlib import Path

import pytest
from parvis_contract import GroundPlane, load_site
from parvis_edge.calibration.block import write_ground_plane
from parvis_edge.calibration.cap import over_the_cap

from tests.edge.clips import grey, write_film
from tests.edge.program import finish, start

from .scene import SIX, Camera, known, write_plan

#: Whoever stands nearest is seen with 157 pixels per metre in pictures 1,280 pixels across.
CAMERA = Camera()


def plan(folder: Path, cap: float | None, *, calibrated: bool = True) -> Path:
    path = write_plan(folder, law="" if cap is None else f'optical_cap: {{px_per_m: {cap}, source: {{text: "A test."}}}}')
    if calibrated:
        write_ground_plane(path, "u001", GroundPlane(image_size=CAMERA.size_px, points=known(CAMERA, SIX)))
    return path


@pytest.mark.parametrize(
    ("cap", "calibrated", "width", "kept"),
    [
        (62.5, True, None, False),
        (62.5, True, 1280, False),
        (62.5, True, 512, False),
        # 157 × 480 / 1280 = 59.
        (62.5, True, 480, True),
        (None, True, 1280, True),
        (62.5, False, 1280, True),
    ],
)
def test_the_cap_and_the_size_of_the_pictures(tmp_path: Path, cap: float | None, calibrated: bool, width: int | None, kept: bool) -> None:
    site = load_site(plan(tmp_path, cap, calibrated=calibrated))
    excess = over_the_cap(site, "u001", None if width is None else (width, width * 720 // 1280))
    assert (excess is None) is kept
    if excess is not None:
        assert excess.startswith(f"{tmp_path / 'law.yaml'}:11: optical_cap.px_per_m is 62.5")


def watch(path: Path, width: int) -> tuple[int, bytes, str]:
    dark = write_film(path.with_name("film.mp4"), [grey(4, (width, width * 720 // 1280))] * 10, range(0, 400, 40))
    return finish(start("--site", path, "--unit", "u001", "--video", dark, "--stdout"))


def test_it_is_not_opened(tmp_path: Path) -> None:
    code, out, error = watch(plan(tmp_path, 62.5), 480)
    assert (code, out) == (2, b"")
    assert "the law allows this camera less detail, so it is not opened" in error
    assert "law.yaml:11: optical_cap.px_per_m is 62.5, and whoever stands nearest is seen with 157 pixels per metre" in error


def test_pictures_larger_than_the_calibrated_ones_are_not_judged(tmp_path: Path) -> None:
    path = plan(tmp_path, None)
    text = path.read_text()
    # The same calibration, as if it had been taken in small pictures: these come.
    small = Camera(size_px=(320, 180), focal_px=225.0)
    write_ground_plane(path, "u001", GroundPlane(image_size=small.size_px, points=known(small, [(x / 4, y / 4) for x, y in SIX])))
    assert path.read_text() != text
    law = tmp_path / "law.yaml"
    law.write_text(law.read_text() + 'optical_cap: {px_per_m: 50.0, source: {text: "A test."}}\n')
    code, out, error = watch(path, 320)
    assert (code, len(out.splitlines())) == (0, 11), error
    code, out, error = watch(path, 640)
    assert (code, out) == (1, b"")
    assert "the law allows no such detail; the sense is stopped" in error
    assert "is seen with 78 pixels per metre" in error


def test_one_that_is_not_calibrated_says_that_nobody_knows(tmp_path: Path) -> None:
    code, _, error = watch(plan(tmp_path, 62.5, calibrated=False), 480)
    assert code == 0, error
    assert "whether it keeps the profile's optical cap is not known" in error

"""A camera that is known exactly: the ground plane that its points give, the error that is stated, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from parvis_contract import Point, Site
from parvis_contract.site import GroundPoint
from parvis_edge.calibration.assess import Assessment, assess
from parvis_edge.calibration.geometry import grid_lines, picture_grid, px_per_m

from .scene import FOUR, SIX, Camera, known, make_site

SQUARE = "zones:\n  square: {kind: crowd, polygon: [[5.37, 43.29606], [5.37006, 43.29608], [5.37006, 43.29614], [5.37, 43.29612]]}\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return make_site(tmp_path_factory.mktemp("plan"))


def test_exact_points_give_the_camera_back(site: Site) -> None:
    camera = Camera()
    found = assess(known(camera, SIX), camera.size_px, site, "u001")
    assert found.good
    assert found.ground is not None
    assert found.camera is not None
    pixels = [(100.0, 700.0), (640.0, 360.0), (1200.0, 150.0)]
    np.testing.assert_allclose(found.ground.to_ground_m(pixels), camera.at(pixels), atol=1e-5)
    assert found.camera.height_m == pytest.approx(camera.height_m, abs=1e-3)
    assert found.camera.focal_px == pytest.approx(camera.focal_px, rel=1e-3)
    assert (found.camera.east_m, found.camera.north_m) == pytest.approx((0, 0), abs=1e-3)
    # The horizon of a camera tilted down by 25 degrees, in its own pinhole geometry.
    assert found.horizon == pytest.approx((360 - 900 * np.tan(np.radians(25)),) * 2, abs=0.1)
    assert all(check.left_out_m is not None and check.left_out_m < 1e-4 for check in found.checks)


def test_the_stated_error_covers_the_truth(site: Site) -> None:
    """Points pointed at to 2 px and measured to 5 cm, by 60 cameras: 2 sigma hold as many places as of a Gaussian."""
    rng = np.random.default_rng(11)
    inside = total = good = 0
    for _ in range(60):
        camera = Camera(
            height_m=rng.uniform(3, 8), tilt_deg=rng.uniform(15, 45), heading_deg=rng.uniform(0, 360), focal_px=rng.uniform(600, 1400)
        )
        cells = picture_grid(camera.size_px, 9)
        # On the ground, before the camera, within range, and not on the picture's very edge.
        clear = (cells[:, 1] > camera.size_px[1] / 2 - camera.focal_px * np.tan(np.radians(camera.tilt_deg)) + 5) & (cells > 8).all(axis=1)
        clear &= (cells < np.array(camera.size_px) - 8).all(axis=1)
        cells = cells[clear & (np.linalg.norm(camera.at(cells), axis=1) < 40)]
        points = known(camera, cells[rng.choice(len(cells), int(rng.integers(4, 9)), replace=False)], rng)
        found = assess(points, camera.size_px, site, "u001")
        if not found.good or found.ground is None:
            continue
        good += 1
        away_m = np.linalg.norm(found.ground.to_ground_m(cells) - camera.at(cells), axis=1)
        sigma_m = np.array([found.ground.uncertainty_m((float(x), float(y)), (0.0, 0.0)) for x, y in cells])
        inside += int((away_m <= 2 * sigma_m).sum())
        total += len(cells)
    assert good >= 50, "honest points are refused"
    # 1 - exp(-2) of a round Gaussian lies within 2 sigma; of one that is drawn out along the view, as here, up to 95 %.
    assert 0.865 <= inside / total <= 0.995


def _moved(points: tuple[GroundPoint, ...], number: int, east_m: float, north_m: float = 0.0) -> tuple[GroundPoint, ...]:
    point = points[number - 1]
    at = Point(lon=point.at.lon + east_m / 81_100, lat=point.at.lat + north_m / 111_100)
    return (*points[: number - 1], GroundPoint(px=point.px, at=at), *points[number:])


def _swapped(points: tuple[GroundPoint, ...]) -> tuple[GroundPoint, ...]:
    """Right and left taken for each other."""
    first, second, third, fourth = points
    return tuple(
        GroundPoint(px=point.px, at=other.at) for point, other in ((first, second), (second, first), (third, fourth), (fourth, third))
    )


_CAMERA = Camera()
REFUSED: dict[str, tuple[Any, str]] = {
    "too few": (known(_CAMERA, FOUR[:3]), r"^3 of at least four points"),
    "too close together": (known(_CAMERA, [(600, 400), (612, 401), (611, 409), (601, 408)]), "too close together"),
    "on a line": (known(_CAMERA, [(200, 600), (400, 500), (600, 400), (800, 300)]), "on a line"),
    "nearly on a line": (known(_CAMERA, [(200, 600), (400, 502), (600, 398), (800, 301), (300, 551)]), "on a line"),
    "on a line but for one": (known(_CAMERA, [(200, 600), (400, 500), (800, 300), (900, 600)]), "on a line"),
    "one place twice": (known(_CAMERA, [*FOUR, FOUR[0]]), "points 1 and 5 are the same place"),
    "outside the picture": (known(_CAMERA, [*FOUR, (1300.0, 500.0)]), r"point 5 \(1300, 500\) lies outside the picture of 1280 × 720"),
    "longitude and latitude exchanged": (
        (*known(_CAMERA, FOUR), GroundPoint(px=(640.0, 420.0), at=Point(lon=43.29606, lat=5.37001))),
        "km from unit u001: longitude comes first",
    ),
    "mirrored": (_swapped(known(_CAMERA, FOUR)), "mirrored"),
    "one of six wrong": (_moved(known(_CAMERA, SIX), 3, 1.5), r"point 3 contradicts the others: it is 1\.\d\d m"),
    "one of five wrong": (_moved(known(_CAMERA, SIX[:5]), 3, 1.5), "contradict one another.* A sixth point would tell which"),
    "two of six wrong": (_moved(_moved(known(_CAMERA, SIX), 3, 2.0), 1, -2.0), "contradict"),
    "a lens that bends": (
        known(_CAMERA, [*SIX, (60.0, 300.0), (1230.0, 320.0)]),
        "the lens bends straight lines.*switch on the camera's own lens correction",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_good_enough_is_refused_with_the_reason(site: Site, name: str) -> None:
    points, said = REFUSED[name]
    if name == "a lens that bends":
        wide = Camera(focal_px=700.0, k1=-0.25)
        straight = Camera(focal_px=700.0)
        points = tuple(
            GroundPoint(px=(float(x), float(y)), at=point.at)
            for point, (x, y) in zip(
                known(straight, [*SIX, (60.0, 300.0), (1230.0, 320.0)]),
                wide.see(straight.at([*SIX, (60.0, 300.0), (1230.0, 320.0)])),
                strict=True,
            )
        )
    found = assess(points, _CAMERA.size_px, site, "u001")
    assert not found.good
    assert any(re.search(said, refusal) for refusal in found.refusals), found.refusals


def _through(lens: Camera, pixels: list[tuple[float, float]], rng: np.random.Generator) -> tuple[GroundPoint, ...]:
    """Points of a camera like `_CAMERA` but for its bent lens, pointed at to 2 px."""
    seen = lens.see(_CAMERA.at(pixels)) + rng.normal(0, 2.0, (len(pixels), 2))
    return tuple(GroundPoint(px=(float(x), float(y)), at=point.at) for point, (x, y) in zip(known(_CAMERA, pixels), seen, strict=True))


ALL_OVER = [(x, y) for x in (90.0, 370.0, 640.0, 910.0, 1190.0) for y in (180.0, 400.0, 650.0)]


@pytest.mark.parametrize(("k1", "told"), [(0.0, False), (0.08, True), (-0.2, True), (0.2, True)])
def test_a_lens_that_bends_straight_lines_is_told_by_points_all_over_the_picture(site: Site, k1: float, *, told: bool) -> None:
    """By points on a ring it is not: there a bend is a longer focal length."""
    for seed in range(5):
        found = assess(_through(Camera(k1=k1), ALL_OVER, np.random.default_rng(seed)), _CAMERA.size_px, site, "u001")
        assert any("lens bends" in text for text in (*found.refusals, *found.warnings)) is told, found
        assert found.good or abs(k1) > 0.1


def test_four_points_are_taken_and_said_to_be_unchecked(site: Site) -> None:
    found = assess(known(_CAMERA, FOUR), _CAMERA.size_px, site, "u001")
    assert found.good
    assert any("four points leave nothing to check" in warning for warning in found.warnings)
    assert [check.left_out_m for check in found.checks] == [None] * 4


def test_a_camera_that_stands_elsewhere_than_the_plan_says_is_pointed_out(tmp_path: Path) -> None:
    camera = Camera(height_m=9.0)
    found = assess(known(camera, FOUR), camera.size_px, make_site(tmp_path), "u001")
    assert any("9.0 m above the ground, and units.u001.height_m is 4.5" in warning for warning in found.warnings)


def test_a_small_board_does_not_carry_to_a_far_zone(tmp_path: Path) -> None:
    site = make_site(
        tmp_path,
        more="zones:\n  far: {kind: crowd, polygon: [[5.37008, 43.29621], [5.37016, 43.2962], [5.37018, 43.29628], [5.3701, 43.29628]]}\n",
    )
    near = known(_CAMERA, [(600, 600), (700, 600), (705, 640), (598, 640)])
    found = assess(near, _CAMERA.size_px, site, "u001")
    assert not found.good
    assert any("zones.far" in refusal and "add points there" in refusal for refusal in found.refusals), found.refusals
    assert assess(known(_CAMERA, SIX), _CAMERA.size_px, site, "u001").good


@pytest.mark.parametrize(("kind", "refused"), [("crowd", True), ("walked", True), ("watched", True), ("closed", False)])
def test_a_zone_that_reaches_above_the_horizon(tmp_path: Path, kind: str, *, refused: bool) -> None:
    camera = Camera(tilt_deg=10.0)  # The horizon lies at y = 201.
    zone = (
        f"zones:\n  hall: {{kind: {kind}, unit: u001, image_size: [640, 360], polygon_px: [[50, 80], [600, 80], [600, 340], [50, 340]]}}\n"
    )
    pixels = [(x, max(y, 280.0)) for x, y in SIX[:4]] + [(500.0, 260.0)]
    found = assess(known(camera, pixels), camera.size_px, make_site(tmp_path, more=zone), "u001")
    texts = found.refusals if refused else found.warnings
    assert any("zones.hall reaches above the horizon" in text for text in texts), found
    assert found.good is not refused


@pytest.mark.parametrize(
    "camera",
    [
        Camera(),
        Camera(tilt_deg=8.0),  # a good part of the picture is sky
        Camera(tilt_deg=60.0, height_m=6.0),
        Camera(tilt_deg=89.5, height_m=6.0, focal_px=500.0),
    ],
)
def test_pixels_per_metre_are_those_of_the_pinhole(tmp_path: Path, camera: Camera) -> None:
    found = assess(known(camera, [(x, max(y, 300.0 + x / 50)) for x, y in SIX]), camera.size_px, make_site(tmp_path), "u001")
    assert found.ground is not None
    assert found.nearest is not None
    pixels = [(640.0, 700.0), (20.0, 710.0), (900.0, 300.0)]
    truth = camera.focal_px / camera.depth_m(camera.at(pixels))
    np.testing.assert_allclose(px_per_m(found.ground, pixels, camera.size_px), truth, rtol=2e-3)
    bottom = camera.focal_px / camera.depth_m(camera.at([(640.0, 719.0)]))[0]
    assert found.nearest.px_per_m == pytest.approx(bottom, rel=2e-3)


@pytest.mark.parametrize(("cap", "good"), [(62.5, False), (40.0, False), (20.0, False)])
def test_above_the_optical_cap_is_refused_with_file_and_a_way_out(tmp_path: Path, cap: float, *, good: bool) -> None:
    site = make_site(tmp_path, law=f'optical_cap: {{px_per_m: {cap}, source: {{text: "A test."}}}}')
    found = assess(known(_CAMERA, SIX), _CAMERA.size_px, site, "u001")
    assert found.good is good
    (refusal,) = found.refusals
    assert refusal.startswith(f"{tmp_path / 'law.yaml'}:11: optical_cap.px_per_m is {cap:g}")
    assert "is seen with 157 pixels per metre" in refusal
    # Pictures of the size that it names are allowed.
    width = int(refusal.rsplit("send pictures ", 1)[1].split()[0])
    smaller = Camera(size_px=(width, round(width * 720 / 1280)), focal_px=900.0 * width / 1280)
    pixels = [(x * width / 1280, y * width / 1280) for x, y in SIX]
    again = assess(known(smaller, pixels), smaller.size_px, site, "u001")
    assert not any("optical_cap" in each for each in again.refusals), again.refusals


def test_a_camera_that_hangs_high_is_below_the_cap(tmp_path: Path) -> None:
    site = make_site(tmp_path, law='optical_cap: {px_per_m: 62.5, source: {text: "A test."}}')
    camera = Camera(height_m=9.0, focal_px=540.0)
    found = assess(known(camera, SIX), camera.size_px, site, "u001")
    assert found.good, found.refusals
    assert found.nearest is not None
    assert found.nearest.px_per_m < 62.5 < (found.nearest.head_px_per_m or 0) * 2


def test_zones_on_the_map_are_seen_with_their_area(tmp_path: Path) -> None:
    found: Assessment = assess(known(_CAMERA, SIX), _CAMERA.size_px, make_site(tmp_path, more=SQUARE), "u001")
    (zone,) = found.zones
    assert zone.name == "zones.square"
    assert zone.area_m2 == pytest.approx(32.4, abs=1.0)
    assert zone.error_m == found.error_m


def test_the_grid_is_a_metre_apart(site: Site) -> None:
    found = assess(known(_CAMERA, SIX), _CAMERA.size_px, site, "u001")
    assert found.ground is not None
    lines = grid_lines(found.ground, _CAMERA.size_px, (0.0, 0.0), 40.0)
    assert len(lines) > 20
    for line in lines:
        places = _CAMERA.at(line)
        # One of the two coordinates is a whole number of metres all along.
        off_m = np.abs(places - places.round()).max(axis=0)
        assert off_m.min() < 0.15
        assert (np.array(line) >= 0).all()
        assert (np.array(line) <= np.array(_CAMERA.size_px)).all()

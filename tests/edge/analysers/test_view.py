"""Where a camera says that things are, and how far off it says that this may be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from parvis_edge.analysers.view import FOOT_ERROR, View

from tests.edge.analysers.watching import plan
from tests.edge.calibration.scene import PLANE, SIX, Camera, known

CAMERA = Camera()
WIDTH, HEIGHT = CAMERA.size_px


def view(seed: int | None = None, **entries: dict[str, object]) -> View:
    points = known(CAMERA, SIX, None if seed is None else np.random.default_rng(seed))
    ground = {
        "image_size": list(CAMERA.size_px),
        "points": [{"px": list(each.px), "at": {"lon": each.at.lon, "lat": each.at.lat}} for each in points],
    }
    site = plan(CAMERA.size_px, {"ground_plane": ground, "range_m": 60.0}, **entries)
    return View(site, "u1", CAMERA.size_px, (WIDTH // 2, HEIGHT // 2), "none")


def box(feet: tuple[float, float], tall: float) -> tuple[float, float, float, float]:
    return feet[0] - tall / 6, feet[1] - tall, feet[0] + tall / 6, feet[1]


def test_nine_of_ten_places_are_within_two_sigma_with_the_errors_that_boxes_and_points_have() -> None:
    random = np.random.default_rng(1)
    within = []
    for seed in range(40):
        seen = view(seed)
        for _ in range(10):
            feet, tall = random.uniform((60, 260), (WIDTH - 60, HEIGHT - 60)), 120.0
            place = seen.position(box(tuple(feet + random.normal(0, FOOT_ERROR * tall, 2)), tall))
            assert place is not None
            off_m = np.linalg.norm(PLANE.to_metres([(place.lon, place.lat)])[0] - CAMERA.at([feet])[0])
            within.append(off_m <= 2 * place.uncertainty_m)
    assert np.mean(within) >= 0.9


def test_who_is_cut_off_by_the_lower_edge_may_stand_below_it() -> None:
    seen = view()
    feet = CAMERA.see([CAMERA.at([(640.0, HEIGHT + 150.0)])[0]])[0]
    true_m = CAMERA.at([feet])[0]
    cut, whole = (seen.position((600.0, 420.0, 680.0, bottom)) for bottom in (float(HEIGHT), HEIGHT - 10.0))
    assert cut is not None
    assert whole is not None
    assert cut.uncertainty_m > 3 * whole.uncertainty_m
    assert np.linalg.norm(PLANE.to_metres([(cut.lon, cut.lat)])[0] - true_m) <= 2 * cut.uncertainty_m


def test_what_is_said_of_a_zone_may_be_anywhere_in_it() -> None:
    corners = [[400, 400], [900, 400], [900, 650], [400, 650]]
    seen = view(zones={"square": {"kind": "closed", "polygon_px": corners}})
    square = plan(CAMERA.size_px, zones={"square": {"kind": "closed", "polygon_px": corners}}).zones["square"]
    place = seen.position_of_area(seen.area(square))  # type: ignore[arg-type]
    assert place is not None
    middle_m = PLANE.to_metres([(place.lon, place.lat)])[0]
    assert middle_m == pytest.approx(CAMERA.at([(650, 525)])[0], abs=0.1)
    farthest_m = max(math.dist(middle_m, corner) for corner in CAMERA.at(corners))
    assert farthest_m / 3 <= place.uncertainty_m <= farthest_m


def test_without_a_ground_plane_there_is_no_place() -> None:
    plain = View(plan(), "u1", (640, 360), (320, 180), "none")
    assert plain.position((10.0, 10.0, 40.0, 90.0)) is None
    assert plain.flaw is None

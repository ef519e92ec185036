from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parvis_contract import GroundPlane as CalibratedPoints
from parvis_contract import Point
from parvis_edge.vision.ground_plane import GroundPlane, GroundPlaneError, LocalPlane

ORIGIN = Point(lon=5.37, lat=43.296)
PLANE = LocalPlane(ORIGIN)


def camera(height_m: float = 5.0, tilt_deg: float = 25.0, focal_px: float = 900.0) -> np.ndarray:
    """Homography from metres on the ground (east, north) to pixels, for a camera above the origin that looks north."""
    tilt = math.radians(tilt_deg)
    # Axes of the camera in the world: right is east; down and forward lie in the plane of north and up.
    right, down = np.array([1, 0, 0]), np.array([0, -math.sin(tilt), -math.cos(tilt)])
    forward = np.array([0, math.cos(tilt), -math.sin(tilt)])
    rotation = np.stack([right, down, forward])
    translation = rotation @ np.array([0, 0, -height_m])
    lens = np.array([[focal_px, 0, 640], [0, focal_px, 360], [0, 0, 1]])
    return lens @ np.column_stack([rotation[:, 0], rotation[:, 1], translation])


def seen(camera_h: np.ndarray, ground_m: np.ndarray) -> np.ndarray:
    points = np.column_stack([ground_m, np.ones(len(ground_m))]) @ camera_h.T
    return points[:, :2] / points[:, 2:]


def calibrated(ground_m: np.ndarray, noise_px: float = 0.0, seed: int = 0) -> CalibratedPoints:
    pixels = seen(camera(), ground_m) + np.random.default_rng(seed).normal(0, 1, (len(ground_m), 2)) * noise_px
    degrees = PLANE.to_degrees(ground_m)
    return CalibratedPoints.model_validate(
        {
            "image_size": (1280, 720),
            "points": [
                {"px": tuple(map(float, px)), "at": {"lon": float(at[0]), "lat": float(at[1])}}
                for px, at in zip(pixels, degrees, strict=True)
            ],
        }
    )


FOUR = np.array([[-5.0, 7.0], [5.0, 7.0], [7.0, 20.0], [-7.0, 20.0]])


@given(st.floats(-2000, 2000), st.floats(-2000, 2000))
def test_degrees_and_metres_go_there_and_back(east_m: float, north_m: float) -> None:
    metres = np.array([[east_m, north_m]])
    assert np.allclose(PLANE.to_metres(PLANE.to_degrees(metres)), metres, atol=1e-6)


def test_the_local_plane_agrees_with_the_geodesic() -> None:
    # 0.01° of longitude and of latitude at 43.296° N on WGS 84, by Vincenty's formula: 811.6 m and 1111.0 m.
    east, north = PLANE.to_metres([(5.38, 43.306)])[0]
    assert east == pytest.approx(811.5, abs=0.3)
    assert north == pytest.approx(1110.9, abs=0.3)


@settings(max_examples=50)
@given(st.floats(-8, 8), st.floats(6, 40))
def test_the_picture_and_the_ground_go_there_and_back(east_m: float, north_m: float) -> None:
    plane = GroundPlane(calibrated(FOUR), PLANE, (1280, 720))
    truth = np.array([[east_m, north_m]])
    pixel = seen(camera(), truth)
    assert np.allclose(plane.to_ground_m(pixel), truth, atol=1e-3)
    assert np.allclose(plane.to_picture_px(plane.to_ground_m(pixel)), pixel, atol=1e-3)


def test_a_stream_of_another_size_sees_the_same_places() -> None:
    large, small = (GroundPlane(calibrated(FOUR), PLANE, size) for size in ((1280, 720), (640, 360)))
    assert np.allclose(large.to_ground_m([(700, 600)]), small.to_ground_m([(350, 300)]), atol=1e-6)


def test_above_the_horizon_there_is_no_ground() -> None:
    plane = GroundPlane(calibrated(FOUR), PLANE, (1280, 720))
    horizon = 360 - 900 * math.tan(math.radians(25))
    assert np.isnan(plane.to_ground_m([(640, horizon - 5)])).all()
    assert plane.uncertainty_m((640, horizon - 5), (2, 2)) == math.inf
    assert plane.position((640, horizon - 5), (2, 2), 1e9) is None
    assert np.isfinite(plane.to_ground_m([(640, horizon + 40)])).all()


def test_uncertainty_grows_with_distance_and_with_the_error_of_the_feet() -> None:
    plane = GroundPlane(calibrated(FOUR), PLANE, (1280, 720))
    near, far = seen(camera(), np.array([[0, 8.0], [0, 40.0]]))
    assert plane.uncertainty_m(tuple(near), (3, 3)) < plane.uncertainty_m(tuple(far), (3, 3))
    assert plane.uncertainty_m(tuple(near), (3, 3)) < plane.uncertainty_m(tuple(near), (12, 12))
    assert plane.position(tuple(far), (3, 3), farthest_m=0.01) is None


def test_the_stated_uncertainty_is_the_error_that_is_made() -> None:
    """Six points marked with 2 px of error: two thirds of places are off by less than the stated sigma along one axis, or so."""
    six = np.vstack([FOUR, [[0.0, 10.0], [2.0, 16.0]]])
    within = []
    for seed in range(60):
        plane = GroundPlane(calibrated(six, noise_px=2.0, seed=seed), PLANE, (1280, 720))
        truth = np.array([[1.0, 14.0]])
        pixel = seen(camera(), truth)
        off = float(np.linalg.norm(plane.to_ground_m(pixel) - truth))
        within.append(off <= 2 * plane.uncertainty_m(tuple(pixel[0]), (0.01, 0.01)))
    assert np.mean(within) >= 0.85


@pytest.mark.parametrize(
    ("points", "says"),
    [
        (np.array([[0.0, 8.0], [0.0, 12.0], [0.0, 16.0], [4.0, 10.0]]), "on a line"),
        (np.array([[1.0, 8.0], [1.0, 8.0], [1.0, 8.0], [1.0, 8.0]]), "one place|on a line"),
    ],
)
def test_points_that_give_no_plane_are_refused(points: np.ndarray, says: str) -> None:
    with pytest.raises(GroundPlaneError, match=says):
        GroundPlane(calibrated(points), PLANE, (1280, 720))


def test_points_that_contradict_each_other_widen_the_uncertainty() -> None:
    six = np.vstack([FOUR, [[0.0, 10.0], [2.0, 16.0]]])
    good, bad = (GroundPlane(calibrated(six, noise_px=noise, seed=1), PLANE, (1280, 720)) for noise in (0.5, 15.0))
    assert bad.residual_m > 3 * good.residual_m
    assert bad.uncertainty_m((640, 500), (2, 2)) > good.uncertainty_m((640, 500), (2, 2))

"""The corner's site plan is one of the contract, in the same frame as its sounds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from parvis_contract import load_site
from pyproj import Geod

from parvis import corner
from parvis.material import BICYCLES, PEDESTRIANS, Recording


@pytest.mark.parametrize("clip", [PEDESTRIANS, BICYCLES, None])
def test_the_plan_is_read_whatever_could_be_had(tmp_path: Path, clip: Recording | None) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(corner.site_plan(clip))
    site = load_site(path)
    assert set(site.units) == set(corner.PLACES_M)
    assert ("camera" in site.units["u001"].senses) is (clip is not None)
    assert (site.units["u001"].ground_plane is not None) is (clip is PEDESTRIANS)
    assert all("microphone" in unit.senses for unit in site.units.values())


def test_units_stand_as_far_apart_on_the_globe_as_in_the_scene(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(corner.site_plan(PEDESTRIANS))
    units, globe = load_site(path).units, Geod(ellps="WGS84")
    for name, place_m in corner.PLACES_M.items():
        for other, other_m in corner.PLACES_M.items():
            a, b = units[name].position, units[other].position
            apart_m = globe.inv(a.lon, a.lat, b.lon, b.lat)[2]
            assert apart_m == pytest.approx(np.hypot(place_m[0] - other_m[0], place_m[1] - other_m[1]), abs=0.03)


def test_the_ground_points_lie_in_one_plane() -> None:
    """A plane seen by a camera is a homography; the lens bends it by a few pixels, no more."""
    ground = np.array([[x, y, 1.0] for (x, y), _ in corner.GROUND_POINTS])
    picture = np.array([px for _, px in corner.GROUND_POINTS])
    zero = np.zeros_like(ground)
    left = np.hstack([ground, zero, -picture[:, :1] * ground])
    right = np.hstack([zero, ground, -picture[:, 1:] * ground])
    homography = np.linalg.svd(np.vstack([left, right]))[2][-1].reshape(3, 3)
    seen = ground @ homography.T
    assert np.abs(seen[:, :2] / seen[:, 2:] - picture).max() < 4.0

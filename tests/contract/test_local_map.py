"""The local map agrees with the geodesic on the ellipsoid, and leads back to where it came from."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parvis_contract import LocalMap, Point
from pyproj import Geod

WGS84 = Geod(ellps="WGS84")


@given(st.floats(-3_000, 3_000), st.floats(-3_000, 3_000), st.floats(-65, 65), st.sampled_from([5.37, 179.99, -180.0]))
def test_a_place_in_metres_and_back_is_the_same(east_m: float, north_m: float, lat: float, lon: float) -> None:
    around = LocalMap.around(Point(lon=lon, lat=lat))
    assert around.to_m(*around.to_deg(east_m, north_m)) == pytest.approx((east_m, north_m), abs=1e-4)


@given(st.floats(-1_000, 1_000), st.floats(-1_000, 1_000), st.floats(-60, 60))
def test_a_distance_is_the_geodesic_to_a_thousandth(east_m: float, north_m: float, lat: float) -> None:
    around = LocalMap.around(Point(lon=5.37, lat=lat))
    *_, geodesic_m = WGS84.inv(5.37, lat, *around.to_deg(east_m, north_m))
    assert geodesic_m == pytest.approx(math.hypot(east_m, north_m), rel=1e-3, abs=1e-3)

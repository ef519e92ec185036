from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parvis_contract import CrowdSurge
from parvis_edge.analysers.crowd_surge import _area_m2, _divergence
from parvis_edge.bundle import load_bundle

from tests.bench.crowd_bench import starts, watch
from tests.edge.scenes import crowd

NUMBER = st.floats(-2.0, 2.0)


@given(st.tuples(NUMBER, NUMBER, NUMBER, NUMBER), st.tuples(NUMBER, NUMBER), st.integers(0, 1000))
def test_the_divergence_of_an_affine_field_is_its_gradients_trace_in_any_linear_coordinates(
    gradient: tuple[float, ...], drift: tuple[float, float], seed: int
) -> None:
    random = np.random.default_rng(seed)
    at = random.uniform(-8, 8, (60, 2))
    slope = np.array(gradient).reshape(2, 2)
    velocity = at @ slope.T + drift
    assert _divergence(at, velocity) == pytest.approx(np.trace(slope), abs=0.05 + 0.02 * np.abs(slope).sum())
    other = np.array([[1.3, 0.4], [-0.2, 1.7]])
    assert _divergence(at @ other.T, velocity @ other.T) == pytest.approx(np.trace(slope), abs=0.05 + 0.02 * np.abs(slope).sum())


def test_too_little_has_no_divergence_and_no_area() -> None:
    assert _divergence(np.zeros((3, 2)), np.ones((3, 2))) == 0.0
    assert _area_m2(np.zeros((0, 2)), np.zeros(0)) == 0.0
    assert _area_m2(np.array([[0.5, 0.5], [0.6, 0.6], [3.5, 0.5]]), np.array([0.06, 0.06, 0.01])) == 1.0


@pytest.mark.parametrize(("name", "seed"), [("apart", 0), ("streams", 1)])
def test_a_composed_crowd_that_scatters_is_a_surge_and_one_that_crosses_is_not(material: Path, name: str, seed: int) -> None:
    made = crowd.scene(material, name, seed, seconds=10.5)
    film = ((time_s, image) for time_s, image, _ in made.play())
    said = starts(watch(made.plan(), crowd.SIZE, film, load_bundle("nanodet-g-416", threads=1)))
    if name not in crowd.SURGES:
        assert said == []
        return
    (surge,) = said
    assert surge.time_s == pytest.approx(crowd.BEGAN_S + crowd.SURGE_S, abs=1.5)
    assert surge.position is not None
    assert surge.position.uncertainty_m < 5
    at = (np.array([surge.position.lon, surge.position.lat]) - crowd.ORIGIN) * crowd.M_PER_DEGREE
    assert np.linalg.norm(at - made.zone_m.mean(axis=0)) < 5
    assert isinstance(surge.measure, CrowdSurge)
    assert surge.measure.speed_m_s is not None
    assert 2.2 <= surge.measure.speed_m_s < 5
    assert surge.measure.divergence_per_s > 0.3
    assert surge.measure.area_m2 is not None
    assert surge.measure.area_m2 > 10

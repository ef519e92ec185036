from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import yaml
from parvis_contract import load_site
from parvis_edge.analysers.crowd_density import weighed
from parvis_edge.analysers.occupancy import SEEN, Crowding, Occupancy, layers_of
from parvis_edge.analysers.view import View
from parvis_edge.vision.bodies import BODY_M, BODY_WIDTH_M, FILL

from tests.edge.scenes.crowd import SIZE, Camera, Scene

CELLS = (SIZE[0] // 2, SIZE[1] // 2)
ZONE = np.array([[-4.0, 8.0], [4.0, 8.0], [4.0, 16.0], [-4.0, 16.0]])
CAMERA = Camera(8.0, 33.0, 500.0)


def crowd_of(count_in_zone: int, seed: int) -> tuple[np.ndarray, int]:
    """``(h, w)`` bool: the union of upright ellipses that stand about, in the zone and around it; and how many stand in the zone."""
    random = np.random.default_rng(seed)
    at = random.uniform((-8.0, 5.0), (8.0, 20.0), (round(count_in_zone * 16 * 15 / 64), 2))
    # Drawn large and made small, or every body would be a pixel too wide.
    mask = np.zeros((SIZE[1] * 2, SIZE[0] * 2), np.uint8)
    for east, north in at:
        foot, head, side = CAMERA.pixels(np.array([[east, north, 0], [east, north, BODY_M], [east + BODY_WIDTH_M / 2, north, 0]])) * 2
        axes = (round(side[0] - foot[0]), round((foot[1] - head[1]) / 2))
        cv2.ellipse(mask, (round(foot[0]), round((foot[1] + head[1]) / 2)), axes, 0, 0, 360, 255, -1)
    small = cv2.resize(mask, CELLS, interpolation=cv2.INTER_AREA)
    inside = ((at >= ZONE.min(axis=0)) & (at <= ZONE.max(axis=0))).all(axis=1)
    return small > 127, int(inside.sum())


@pytest.mark.parametrize(("count", "tolerance"), [(20, 0.4), (40, 0.35), (64, 0.3), (128, 0.45), (320, 0.4)])
def test_people_who_hide_each_other_are_counted_by_what_they_cover(count: int, tolerance: float, tmp_path: Path) -> None:
    made = Scene("none", 1, CAMERA, ZONE, None, 1.0, 1.0, lambda: iter(()))
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(made.plan()))
    view = View(load_site(path), "u1", SIZE, CELLS, "none")
    area = view.area(view_zone := load_site(path).zones["square"])  # type: ignore[arg-type]
    assert view_zone.kind == "crowd"
    occupancy = Occupancy(view)
    # As learned from such ellipses apart: one fills more of its box than a body does.
    occupancy._covers.extend([np.pi / 4 / FILL] * 200)
    errors = []
    for seed in range(5):
        changed, inside = crowd_of(count, seed)
        picture = np.zeros((*CELLS[::-1], 3), np.uint8)
        change = SimpleNamespace(changed=changed, sums=cv2.integral(changed.view(np.uint8)))
        scene = SimpleNamespace(change=change, of_kind=lambda *_: [], small=picture, cell_px=2)
        found = occupancy.crowding(area, scene)  # type: ignore[arg-type]
        assert found is not None
        errors.append(found.people / inside - 1)
    assert abs(np.median(errors)) < tolerance


@pytest.mark.parametrize("most", [0.5, 3.0, 12.0])
def test_layers_grow_with_what_is_covered_up_to_the_most_and_are_less_and_less_sure(most: float) -> None:
    mean, sigma = layers_of(most)
    assert mean[0] == 0.0
    assert (np.diff(mean) >= -1e-9).all()
    assert mean.max() <= most
    # Where much of the ground is seen, this is the plain inversion of the covered share.
    few = np.arange(5, min(30, int(80 * SEEN * (1 - np.exp(-most)))))
    assert mean[few] == pytest.approx(-np.log1p(-few / 100 / SEEN), rel=0.12)
    if most > 6:
        assert sigma[90] / mean[90] > 2 * sigma[30] / mean[30]


@pytest.mark.parametrize(
    ("count", "doubted", "crowding", "low", "high"),
    [
        (10.0, 0.0, None, 10.0, 10.0),
        (10.0, 0.0, Crowding(12.0, 0.35, 0.1), 10.0, 11.0),  # Apart from each other: the detector is believed.
        (40.0, 0.0, Crowding(120.0, 0.25, 2.0), 120.0, 120.0),  # Most are hidden: the foreground is.
        (2.0, 20.0, Crowding(12.0, 0.35, 0.1), 11.0, 12.0),  # Too small for the detector, which doubts them.
        (0.0, 0.0, Crowding(0.0, 0.35, 0.0), 0.0, 0.0),
        (30.0, 0.0, Crowding(5.0, 0.35, 0.1), 27.0, 30.0),  # The crowd is part of the background.
    ],
)
def test_two_witnesses_are_weighed_by_their_errors(
    count: float, doubted: float, crowding: Crowding | None, low: float, high: float
) -> None:
    people, variance = weighed(count, 0.1 * count, doubted, crowding)
    assert low <= people <= high
    assert variance >= 0
    if crowding is not None and crowding.layers > 1:
        assert variance > weighed(count, 0.1 * count, doubted, None)[1]

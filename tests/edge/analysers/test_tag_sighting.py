"""Tags through the whole of the camera's sense: who is told of, where, and how often."""

from __future__ import annotations

import math

import numpy as np
import pytest
from parvis_contract import Site
from parvis_edge.analysers.camera import CameraSense
from parvis_edge.bundle import load_bundle
from parvis_edge.perception import Frame, TagSeen
from parvis_edge.vision.ground_plane import LocalPlane

from tests.edge.analysers.watching import SIZE, plan
from tests.edge.vision.rendered import BEGAN_S, Image, Street
from tests.edge.vision.test_tags import rendered

HEIGHT_M, FOCAL_PX, DOWN_DEG = 5.0, 600.0, 20.0
BOTH = frozenset({"tag.sighting", "flow.count"})


def pixel(east_m: float, north_m: float, up_m: float = 0.0) -> tuple[float, float]:
    """Where a camera at the origin, looking north and down, shows a point."""
    down = math.radians(DOWN_DEG)
    forward = north_m * math.cos(down) + (HEIGHT_M - up_m) * math.sin(down)
    below = (HEIGHT_M - up_m) * math.cos(down) - north_m * math.sin(down)
    return SIZE[0] / 2 + FOCAL_PX * east_m / forward, SIZE[1] / 2 + FOCAL_PX * below / forward


def site(*, calibrated: bool = True) -> Site:
    plane = LocalPlane(plan().origin)
    marks = [(-3.0, 8.0), (3.0, 8.0), (-6.0, 20.0), (6.0, 20.0), (0.0, 12.0)]
    points = []
    for east_m, north_m in marks:
        lon, lat = plane.to_degrees(np.array([[east_m, north_m]]))[0]
        points.append({"px": list(pixel(east_m, north_m)), "at": {"lon": float(lon), "lat": float(lat)}})
    unit = {"ground_plane": {"image_size": list(SIZE), "points": points}} if calibrated else {}
    return plan(unit=unit).model_copy(update={"tags": _tags()})


def _tags() -> object:
    from parvis_contract.site import Tags

    return Tags(size_m=0.4, allow=(17,))


def picture(number: int, x: float, y: float) -> Image:
    """A street with a print whose middle is at a pixel."""
    image = Street(SIZE).picture()
    left, top = round(x) - 20, round(y) - 20
    image[top : top + 40, left : left + 40] = rendered(number, 24, size_px=40)
    return image


def seen(plan_: Site, allowed: frozenset[str], *pictures: tuple[float, Image]) -> list[TagSeen]:
    sense = CameraSense(plan_, "u1", allowed, load_bundle("nanodet-g-416"), lambda: frozenset({17}))
    said = [finding for s, image in pictures for finding in sense.process(Frame(BEGAN_S + s, image))]
    return [finding for finding in said if isinstance(finding, TagSeen)]


def test_an_allowed_tag_is_told_with_the_place_of_its_wearer() -> None:
    plan_ = site()
    (told,) = seen(plan_, BOTH, (0.0, picture(17, *pixel(1.0, 12.0, up_m=1.25))))
    assert told.tag == 17
    assert told.position is not None
    east_m, north_m = LocalPlane(plan_.origin).to_metres([(told.position.lon, told.position.lat)])[0]
    assert math.hypot(east_m - 1.0, north_m - 12.0) < 2 * told.position.uncertainty_m
    assert told.position.uncertainty_m < 3.0


def test_no_other_tag_is_told() -> None:
    assert seen(site(), BOTH, (0.0, picture(18, 320, 180))) == []


def test_nothing_is_read_that_the_profile_does_not_allow() -> None:
    assert seen(site(), frozenset({"flow.count"}), (0.0, picture(17, 320, 180))) == []


def test_without_a_ground_plane_the_place_is_the_units_own() -> None:
    (told,) = seen(site(calibrated=False), BOTH, (0.0, picture(17, 320, 180)))
    assert told.position is None


@pytest.mark.parametrize(("seconds", "times"), [([0.0, 0.3, 0.6], 1), ([0.0, 2.1, 4.2], 3)])
def test_a_tag_that_stays_is_told_once_in_a_while(seconds: list[float], times: int) -> None:
    assert len(seen(site(), BOTH, *((s, picture(17, 320, 180)) for s in seconds))) == times

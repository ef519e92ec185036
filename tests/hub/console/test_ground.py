"""Areas drawn in a picture come out on the map where they are, or not at all."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from parvis_contract import ConfigError, LocalMap, Point, Site, load_site
from parvis_hub.console.basemap import basemap
from parvis_hub.console.ground import Ground
from shapely.geometry import Point as Place
from shapely.geometry import Polygon

from tests.hub.console.hub import CAMERA_M, ORIGIN, before_camera, seen_at, write_plan

#: GeoJSON, but no lines.
POINTS = '{"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": {"type": "Point", "coordinates": [5, 43]}}]}'


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return write_plan(tmp_path_factory.mktemp("site"))


def metres(place: tuple[float, float]) -> tuple[float, float]:
    return LocalMap.around(Point(lon=ORIGIN[0], lat=ORIGIN[1])).to_m(*place)


def features(site: Site, layer: str) -> dict[str, dict]:
    return {each["properties"]["name"]: each for each in basemap(site)["features"] if each["properties"]["layer"] == layer}


@pytest.mark.parametrize(("ahead_m", "right_m"), [(9, 0), (14, -6), (25, 10), (40, -15), (55, 3)])
def test_a_thing_stands_where_its_lowest_point_is(site: Site, ahead_m: float, right_m: float) -> None:
    ground = Ground.of(site.units["u011"])
    assert ground is not None
    x, y = seen_at(*before_camera(ahead_m, right_m))
    foot = ground.foot([(x - 20, y - 80), (x, y), (x + 20, y - 80)], (1280, 720))
    assert foot is not None
    assert metres(foot) == pytest.approx(before_camera(ahead_m, right_m), abs=0.1)


def test_nothing_stands_in_the_sky_or_beyond_the_range(site: Site) -> None:
    ground = Ground.of(site.units["u011"])
    assert ground is not None
    assert ground.foot([(640, 10)], (1280, 720)) is None
    assert ground.foot([seen_at(*before_camera(70, 0))], (1280, 720)) is None


def test_a_zone_in_a_calibrated_picture_lies_on_the_map(site: Site) -> None:
    terrace = features(site, "zone")["terrace"]
    area = Polygon([metres(point) for point in terrace["geometry"]["coordinates"][0]])
    truth = Polygon([before_camera(*corner) for corner in ((10, -3), (10, 4), (26, 9), (26, -8))])
    assert area.symmetric_difference(truth).area < 0.01 * truth.area
    assert terrace["properties"] == {"layer": "zone", "name": "terrace", "kind": "watched", "unit": "u011"}


def test_a_zone_that_reaches_the_sky_ends_at_the_units_range(site: Site) -> None:
    ground = Ground.of(site.units["u011"])
    assert ground is not None
    ring = ground.polygon([(0, 0), (1280, 0), (1280, 720), (0, 720)], (1280, 720))
    assert ring is not None
    area = Polygon([metres(point) for point in ring])
    assert area.is_valid
    assert max(math.dist(metres(point), CAMERA_M) for point in ring) == pytest.approx(60.0, abs=0.2)
    assert area.contains(Place(before_camera(30, 0)))
    assert not area.contains(Place(before_camera(-10, 0)))


def test_a_zone_wholly_in_the_sky_is_not_drawn(site: Site) -> None:
    ground = Ground.of(site.units["u011"])
    assert ground is not None
    assert ground.polygon([(0, 0), (1280, 0), (640, 60)], (1280, 720)) is None


def test_a_unit_without_calibration_has_nothing_on_the_map(site: Site) -> None:
    assert Ground.of(site.units["u017"]) is None
    assert "hall" not in features(site, "zone")


def test_points_on_one_line_make_no_ground(tmp_path: Path) -> None:
    points = ", ".join(f"{{px: [{100 * i}, {50 * i}], at: {{lon: {5.37 + i * 1e-4}, lat: 43.2960}}}}" for i in range(1, 5))
    plan = write_plan(tmp_path).path
    text = plan.read_text(encoding="utf-8")
    start = text.index("points: [{px") + len("points: [")
    plan.write_text(text[:start] + points + text[text.index("]}}\n", start) :], encoding="utf-8")
    site = load_site(plan)
    assert Ground.of(site.units["u011"]) is None
    assert "terrace" not in features(site, "zone")


def test_a_lane_has_its_name_and_arrows_that_point_along_it(site: Site) -> None:
    arrows = [each for each in basemap(site)["features"] if each["properties"]["layer"] == "lane-arrow"]
    lane = Polygon(features(site, "lane")["bus-east"]["geometry"]["coordinates"][0])
    assert len(arrows) > 4
    assert all(lane.contains(Place(each["geometry"]["coordinates"])) for each in arrows)
    assert {each["properties"]["bearing_deg"] for each in arrows} == {90.0}
    assert "bus-east" in features(site, "lane-name")


def test_a_lane_in_a_picture_points_where_it_leads_on_the_ground(tmp_path: Path) -> None:
    plan = write_plan(tmp_path).path
    corners = [list(seen_at(*before_camera(*corner))) for corner in ((12, -3), (12, 3), (40, 3), (40, -3))]
    text = plan.read_text(encoding="utf-8").replace(
        "lanes:\n", f"lanes:\n  away: {{unit: u011, image_size: [1280, 720], polygon_px: {corners}, heading_px: [0, -1]}}\n"
    )
    plan.write_text(text, encoding="utf-8")
    properties = [each["properties"] for each in basemap(load_site(plan))["features"]]
    arrows = [each for each in properties if each["layer"] == "lane-arrow" and each["name"] == "away"]
    assert arrows
    assert all(each["bearing_deg"] == pytest.approx(300.0, abs=3.0) for each in arrows)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "No such file"),
        ("{", "JSON"),
        (
            POINTS,
            "LineString",
        ),
    ],
)
def test_walkways_that_are_not_ones_are_refused_with_their_file(tmp_path: Path, content: str | None, says: str) -> None:
    site = write_plan(tmp_path)
    path = tmp_path / "walkways.geojson"
    path.unlink()
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match="walkways") as refused:
        basemap(site)
    assert says in str(refused.value)
    assert str(path) in str(refused.value)

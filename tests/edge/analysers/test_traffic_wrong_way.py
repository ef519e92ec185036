from __future__ import annotations

from typing import Any

import pytest
from parvis_contract import TrafficWrongWay
from parvis_edge.analysers.traffic_wrong_way import WrongWayAnalyser

from tests.edge.analysers.watching import WHOLE, judged, phases, plan
from tests.edge.vision.rendered import CAR, PERSON, ColourDetector, Image, Street


def drives(s: float, dx: float, dy: float, colour: Any = CAR) -> list:
    """A car that crosses the picture's middle four seconds after it appeared at two."""
    x, y = 320 + dx * (s - 5), 180 + dy * (s - 5)
    return [(x - 40, y - 30, x + 40, y + 30, colour)] if 2 <= s < 8 else []


@pytest.mark.parametrize(
    ("heading", "way", "wrong"),
    [
        ([1, 0], (60, 0), False),
        ([1, 0], (-60, 0), True),
        ([0, -1], (0, 35), True),
        ([0, -1], (0, -35), False),
        ([0, 1], (60, 0), False),
        ([0, 1], (-60, 0), False),
        ([1, 1], (-60, -35), True),
    ],
)
def test_the_direction_of_each_vehicle(heading: list[int], way: tuple[float, float], wrong: bool) -> None:
    site = plan(lanes={"lane": {"polygon_px": WHOLE, "heading_px": heading}})
    said = judged(WrongWayAnalyser, site, lambda street, s: street.picture(drives(s, *way)), 12)
    assert [name for name, _ in phases(said)] == (["start", "end"] if wrong else [])
    if wrong:
        measure = said[0].measure
        assert isinstance(measure, TrafficWrongWay)
        assert measure.heading_error_deg > 150
        assert measure.speed_m_s is None


def test_people_and_parked_cars_do_not_drive() -> None:
    site = plan(lanes={"lane": {"polygon_px": WHOLE, "heading_px": [1, 0]}})
    things = [(300.0, 200.0, 380.0, 260.0, CAR)]
    assert judged(WrongWayAnalyser, site, lambda street, s: street.picture(things + drives(s, -60, 0, PERSON)), 10) == []


def test_a_broken_track_is_the_same_vehicle() -> None:
    site = plan(lanes={"lane": {"polygon_px": WHOLE, "heading_px": [1, 0]}})
    detector = ColourDetector()

    def paint(street: Street, s: float) -> Image:
        detector.blind = 4.4 <= s < 6.2
        return street.picture(drives(s, -45, 0))

    assert [name for name, _ in phases(judged(WrongWayAnalyser, site, paint, 12, detector))] == ["start", "end"]


def test_on_the_ground_the_speed_is_known() -> None:
    # Straight down from above: 20 pixels are a metre, north is up.
    points = [
        {"px": [x, y], "at": {"lon": 5.37 + (x - 320) / 20 / 81_150, "lat": 43.296 - (y - 180) / 20 / 111_090}}
        for x, y in ((0, 0), (640, 0), (640, 360), (0, 360))
    ]
    unit = {"ground_plane": {"image_size": [640, 360], "points": points}}
    corners = [[5.37 + x / 81_150, 43.296 + y / 111_090] for x, y in ((-15, -8), (15, -8), (15, 8), (-15, 8))]
    site = plan(unit=unit, lanes={"lane": {"polygon": corners, "heading_deg": 90}})
    said = judged(WrongWayAnalyser, site, lambda street, s: street.picture(drives(s, -60, 0)), 12)
    measure = said[0].measure
    assert isinstance(measure, TrafficWrongWay)
    assert measure.speed_m_s == pytest.approx(3.0, rel=0.15)
    assert measure.heading_error_deg > 165
    assert said[0].position is not None
    assert said[0].position.uncertainty_m < 2.0

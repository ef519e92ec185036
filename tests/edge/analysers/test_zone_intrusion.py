from __future__ import annotations

from typing import Any

import pytest
from parvis_contract import ZoneIntrusion
from parvis_edge.analysers.zone_intrusion import ZoneIntrusionAnalyser

from tests.edge.analysers.watching import judged, phases, plan
from tests.edge.vision.rendered import BOX, CAR, PERSON, ColourDetector, Image, Street

SITE = plan(zones={"track": {"kind": "closed", "polygon_px": [[300, 0], [640, 0], [640, 360], [300, 360]], "after_s": 0.5}})


def walks(s: float, enters_s: float, leaves_s: float, colour: Any = PERSON) -> list:
    """Stands left of the zone, is well inside between two moments, and goes back."""
    x = 420 if enters_s <= s < leaves_s else 100 + (s % 0.4)
    return [(x, 150, x + 40, 270, colour)]


def test_a_visit_is_told_once_from_its_beginning_to_its_end() -> None:
    said = judged(ZoneIntrusionAnalyser, SITE, lambda street, s: street.picture(walks(s, 4, 24) if 2 <= s < 26 else []), 32)
    ((_, start_s), (_, end_s)) = phases(said)
    assert start_s == pytest.approx(4.0, abs=0.5)
    assert end_s == pytest.approx(24.0, abs=0.7)
    measure = said[-1].measure
    assert isinstance(measure, ZoneIntrusion)
    assert (measure.zone, measure.object_class.value) == ("track", "person")
    assert measure.duration_s == pytest.approx(20.0, abs=1.0)
    assert len([judgement for judgement in said if judgement.phase.value == "update"]) <= 2


def test_missed_detections_do_not_split_a_visit() -> None:
    detector = ColourDetector()

    def paint(street: Street, s: float) -> Image:
        detector.blind = 8 <= s < 16
        return street.picture(walks(s, 4, 20) if 2 <= s < 24 else [])

    assert [name for name, _ in phases(judged(ZoneIntrusionAnalyser, SITE, paint, 28, detector))] == ["start", "end"]


def test_each_visit_is_told() -> None:
    def paint(street: Street, s: float) -> Image:
        return street.picture(walks(s, 4, 9) if s < 12 else walks(s, 16, 22) if s < 26 else [])

    assert [name for name, _ in phases(judged(ZoneIntrusionAnalyser, SITE, paint, 32))] == ["start", "end", "start", "end"]


@pytest.mark.parametrize(
    ("name", "things"),
    [
        ("outside", lambda s: [(50 + 20 * s, 150, 90 + 20 * s, 270, PERSON)] if 2 < s < 10 else []),
        ("parked all along", lambda _: [(400, 150, 520, 230, CAR)]),
        ("a box that nobody knows", lambda s: [(400, 150, 440, 230, BOX)] if s > 3 else []),
        ("too short", lambda s: [(400, 150, 440, 270, PERSON)] if 4 <= s < 4.3 else []),
    ],
)
def test_no_visit(name: str, things: Any) -> None:
    assert judged(ZoneIntrusionAnalyser, SITE, lambda street, s: street.picture(things(s)), 12) == [], name


def test_a_vehicle_is_a_vehicle_and_what_is_open_ends_with_the_stream() -> None:
    said = judged(ZoneIntrusionAnalyser, SITE, lambda street, s: street.picture(walks(s, 3, 99, CAR) if s > 1 else []), 8)
    assert [name for name, _ in phases(said)] == ["start", "end"]
    assert said[0].measure.object_class.value == "vehicle"  # type: ignore[attr-defined]

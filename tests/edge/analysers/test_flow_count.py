from __future__ import annotations

import pytest
from parvis_contract import ObjectClass
from parvis_edge.analysers.flow_count import FlowCounter
from parvis_edge.analysers.view import View
from parvis_edge.perception import Counted

from tests.edge.analysers.watching import SIZE, plan
from tests.edge.vision.rendered import BEGAN_S, CAR, PERSON, Street, Thing, scenes, sight_of

SITE = plan(zones={"square": {"kind": "closed", "polygon_px": [[300, 0], [640, 0], [640, 360], [300, 360]]}})


def crossing(s: float, begins_s: float, from_x: float, to_x: float, colour: tuple[int, int, int] = PERSON) -> list[Thing]:
    """Goes from one place to another within ten seconds."""
    share = (s - begins_s) / 10.0
    if not 0.0 <= share <= 1.0:
        return []
    x = from_x + share * (to_x - from_x)
    return [(x, 150, x + 40, 270, colour)]


def counted(paint: object, seconds: float) -> list[Counted]:
    street = Street(SIZE)
    sight = sight_of(street)
    view = View(SITE, "u1", SIZE, sight.cells, "colours")
    counter = FlowCounter({"square": view.area(SITE.zones["square"])})  # type: ignore[arg-type]
    told: list[Counted] = []
    for scene in scenes(sight, lambda s: street.picture(paint(s)), seconds):  # type: ignore[operator]
        told += counter.see(scene)
    return told + counter.finish(BEGAN_S + seconds)


def of(told: list[Counted], kind: ObjectClass) -> list[tuple[int, int]]:
    return [(each.entered, each.left) for each in told if each.object_class is kind]


def test_who_crosses_the_border_is_counted_in_and_out_minute_by_minute() -> None:
    def paint(s: float) -> list[Thing]:
        return crossing(s, 5, 100, 560) + crossing(s, 30, 560, 100) + crossing(s, 65, 100, 560, CAR)

    told = counted(paint, 80)
    assert of(told, ObjectClass.PERSON) == [(1, 1), (0, 0)]
    assert of(told, ObjectClass.VEHICLE) == [(0, 0), (1, 0)]
    assert [each.period_s for each in told if each.object_class is ObjectClass.PERSON] == [60.0, pytest.approx(20.0, abs=0.1)]


def test_who_stays_on_one_side_is_not_counted() -> None:
    told = counted(lambda s: [*crossing(s, 5, 60, 200), (420 + 8 * (s % 3), 100, 460 + 8 * (s % 3), 220, PERSON)], 20)
    assert of(told, ObjectClass.PERSON) == [(0, 0)]

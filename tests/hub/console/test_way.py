"""A route on the map: no line reaches beyond what is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from parvis_contract import (
    Clock,
    ClockSource,
    Envelope,
    LocalMap,
    Point,
    Position,
    RefusedSighting,
    Route,
    RouteSegment,
    SightingRefusal,
    TagSighting,
    hub_source,
    make_message,
    unit_source,
)
from parvis_hub.console.way import way
from shapely import LineString

PLANE = LocalMap.around(Point(lon=5.37, lat=43.296))
#: A street from west to east, two that leave it to the north, and one that meets none.
WALKWAYS = {
    "street": LineString([(0, 0), (100, 0)]),
    "west": LineString([(20, 0), (20, 80)]),
    "east": LineString([(90, 60), (90, 0)]),
    "apart": LineString([(0, 200), (50, 200)]),
}
BEGIN = datetime(2026, 6, 21, 18, 0, tzinfo=UTC)
Seen = Sequence[tuple[float, float, float]]


def sightings(places: Seen) -> list[Envelope[TagSighting]]:
    made = []
    for number, (after_s, x_m, y_m) in enumerate(places):
        lon, lat = PLANE.to_deg(x_m, y_m)
        place = Position(lon=lon, lat=lat, uncertainty_m=0.5)
        data = TagSighting(sequence=number, tag=17, position=place, clock=Clock(source=ClockSource.NTP, uncertainty_ms=3.0))
        made.append(make_message("tag.sighting", source=unit_source("here", "u001"), time=BEGIN + timedelta(seconds=after_s), data=data))
    return made


def route(*taken: tuple[str, float, float, bool], refused: Sequence[Envelope[TagSighting]] = ()) -> Envelope[Route]:
    segments = tuple(
        RouteSegment(walkway=name, entered=BEGIN + timedelta(seconds=entered_s), left=BEGIN + timedelta(seconds=left_s), observed=observed)
        for name, entered_s, left_s, observed in taken
    )
    reasons = tuple(RefusedSighting(id=each.id, reason=next(iter(SightingRefusal))) for each in refused)
    data = Route(tag=17, coverage=0.5, segments=segments, refused=reasons)
    return make_message("route", source=hub_source("here"), time=BEGIN, data=data)


def drawn(told: Envelope[Route] | None, seen: list[Envelope[TagSighting]]) -> list[tuple[str, bool, list[tuple[float, float]]]]:
    """What is drawn, in metres."""
    features = way(told, seen, WALKWAYS, PLANE)
    lines: list[tuple[str, bool, list[tuple[float, float]]]] = []
    for feature in features:
        properties: dict[str, Any] = feature["properties"]
        places = [tuple(round(each, 1) + 0.0 for each in PLANE.to_m(*place)) for place in feature["geometry"]["coordinates"]]
        lines.append((properties["walkway"], properties["observed"], places))  # type: ignore[arg-type]
    return lines


def test_a_walkway_is_drawn_between_the_first_and_the_last_place_that_are_known() -> None:
    seen = sightings([(0, 20, 50), (30, 20, 10), (90, 90, 10), (120, 90, 40)])
    told = route(("west", 0, 38, True), ("street", 38, 80, False), ("east", 80, 120, True))
    assert drawn(told, seen) == [
        ("west", True, [(20.0, 0.0), (20.0, 50.0)]),
        ("street", False, [(20.0, 0.0), (90.0, 0.0)]),
        ("east", True, [(90.0, 40.0), (90.0, 0.0)]),
    ]


@pytest.mark.parametrize(
    ("taken", "seen", "lines"),
    [
        ((), [], []),
        # Somebody who stood still went nowhere.
        ([("street", 0, 60, True)], [(0, 40, 1), (60, 40.2, 0)], []),
        ([("street", 0, 60, True)], [(0, 40, 1), (60, 60, 0)], [("street", True, [(40.0, 0.0), (60.0, 0.0)])]),
        # There and back: as far as it went, once for each time that it is told.
        (
            [("street", 0, 30, True), ("street", 30, 60, True)],
            [(0, 10, 0), (29, 50, 0), (31, 52, 0), (60, 30, 0)],
            [("street", True, [(10.0, 0.0), (50.0, 0.0)]), ("street", True, [(30.0, 0.0), (52.0, 0.0)])],
        ),
        # Between what does not meet there is a gap, and a gap it stays.
        (
            [("street", 0, 30, True), ("apart", 60, 90, True)],
            [(0, 10, 0), (30, 40, 0), (60, 5, 200)],
            [("street", True, [(10.0, 0.0), (40.0, 0.0)])],
        ),
        # A walkway that is not in the plan any more.
        ([("gone", 0, 30, True)], [(0, 10, 0), (30, 40, 0)], []),
        # What must have been taken is not drawn by what was seen at that time elsewhere.
        ([("street", 0, 60, False)], [(0, 10, 0), (60, 40, 0)], []),
    ],
)
def test_nothing_is_drawn_beyond_what_is_known(
    taken: Sequence[tuple[str, float, float, bool]], seen: Seen, lines: list[tuple[str, bool, list[tuple[float, float]]]]
) -> None:
    assert drawn(route(*taken), sightings(seen)) == lines


def test_what_was_refused_is_not_drawn_and_no_route_is_no_line() -> None:
    seen = sightings([(0, 10, 0), (30, 40, 0), (45, 95, 0), (60, 60, 0)])
    assert drawn(route(("street", 0, 60, True), refused=seen[2:3]), seen) == [("street", True, [(10.0, 0.0), (60.0, 0.0)])]
    assert drawn(None, seen) == []

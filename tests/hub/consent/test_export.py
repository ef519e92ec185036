"""What a participant is given of their route: all that is kept, gaps as gaps."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import numpy as np
from parvis_contract import Envelope, LocalMap, Route, hub_source, make_message, to_datetime, to_posix_s
from parvis_hub.consent.export import GPX, to_geojson, to_gpx
from parvis_hub.consent.matching import Sighting
from parvis_hub.consent.route import route
from parvis_hub.consent.walkways import Walkways

from tests.hub.consent.participants import PLANE, START_S, sighting

WALKWAYS = Walkways({f"w00{k}": np.array([(60.0 * k - 60.0, 0.0), (60.0 * k, 0.0)]) for k in (1, 2, 3)})
LINES = {"w001": [(5.37, 43.296), (5.3707, 43.296)]}


def told(messages: list[Envelope[object]]) -> Envelope[Route]:
    plane: LocalMap = PLANE
    seen = [
        Sighting(message.id, to_posix_s(message.time), *plane.to_m(message.data.position.lon, message.data.position.lat), 0.8, 0.003)  # type: ignore[attr-defined]
        for message in messages
    ]
    return make_message("route", source=hub_source("square"), time=to_datetime(START_S), data=route(17, seen, WALKWAYS))


def test_a_gap_is_no_line_in_a_track_and_is_marked_in_geojson() -> None:
    # Seen on the first and the third; the second must have been taken.
    messages = [sighting(17, k, 1.3 * k, 0.0) for k in range(160) if not 62 < 1.3 * k < 118 and 1.3 * k < 180]
    found = told(messages)
    assert [(segment.walkway, segment.observed) for segment in found.data.segments] == [("w001", True), ("w002", False), ("w003", True)]

    tracks = ET.fromstring(to_gpx(found, messages, "steward-07")).findall(f".//{{{GPX}}}trkseg")
    assert len(tracks) == 2
    points = [point for track in tracks for point in track]
    assert len(points) == len(messages)
    assert float(points[0].attrib["lon"]) == round(messages[0].data.position.lon, 7)

    features = json.loads(to_geojson(found, messages, LINES))["features"]
    lines = [each for each in features if "walkway" in each["properties"]]
    assert [each["properties"]["observed"] for each in lines] == [True, False, True]
    assert lines[0]["geometry"]["coordinates"] == [list(place) for place in LINES["w001"]]
    assert len(features) - len(lines) == len(messages)


def test_what_the_route_refuses_is_given_and_marked_and_is_not_in_the_track() -> None:
    walk = [sighting(17, k, 1.3 * k, 0.0) for k in range(40)]
    far = sighting(17, 20.5, 170.0, 0.0)
    found = told([*walk, far])
    assert [refused.id for refused in found.data.refused] == [far.id]
    features = json.loads(to_geojson(found, [*walk, far], {}))["features"]
    assert [each["properties"]["time"] for each in features if each["properties"].get("refused")] == ["2026-06-21T00:00:20.500000Z"]
    assert to_gpx(found, [*walk, far], "steward-07").count("<trkpt") == 40


def test_nobody_seen_is_an_empty_file_of_its_kind() -> None:
    assert json.loads(to_geojson(None, [], {})) == {"type": "FeatureCollection", "features": []}
    assert ET.fromstring(to_gpx(None, [], "steward-07")).findall(f".//{{{GPX}}}trkpt") == []

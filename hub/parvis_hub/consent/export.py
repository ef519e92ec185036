"""A participant's route for themselves: GeoJSON and GPX. Pure.

Both hold the route as it is told, and the sightings that it rests on, which are all that is kept of them. No line is drawn where nobody
saw them: GeoJSON says of each walkway whether it was observed, and a GPX track ends where one was not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any
from xml.etree import ElementTree as ET

from parvis_contract import Envelope, Route, TagSighting, format_time

GPX = "http://www.topografix.com/GPX/1/1"
#: Two sightings further apart are not joined by a line: a minute's walk is more than a street.
_JOINED = timedelta(seconds=60)

Line = list[tuple[float, float]]


def to_geojson(route: Envelope[Route] | None, sightings: Iterable[Envelope[TagSighting]], walkways: dict[str, Line]) -> str:
    """The route as GeoJSON (RFC 7946).

    Args:
        route: None if there is none to tell.
        sightings: What it rests on.
        walkways: Their lines, ``[(lon, lat), …]``, by name. A walkway is drawn whole, however far somebody went on it.
    """
    features = []
    for segment in route.data.segments if route else ():
        properties = {
            "walkway": segment.walkway,
            "entered": format_time(segment.entered),
            "left": format_time(segment.left),
            "observed": segment.observed,
        }
        line = walkways.get(segment.walkway)
        features.append(_feature({"type": "LineString", "coordinates": line} if line else None, properties))
    why = {refused.id: refused.reason.value for refused in route.data.refused} if route else {}
    for message in sorted(sightings, key=lambda message: message.time):
        place = message.data.position
        properties = {
            "time": format_time(message.time),
            "tag": message.data.tag,
            "unit": message.unit,
            "uncertainty_m": place.uncertainty_m,
            "refused": why.get(message.id),
        }
        features.append(_feature({"type": "Point", "coordinates": [place.lon, place.lat]}, properties))
    return json.dumps({"type": "FeatureCollection", "features": features}, allow_nan=False, indent=1)


def to_gpx(route: Envelope[Route] | None, sightings: Sequence[Envelope[TagSighting]], participant: str) -> str:
    """The route as a GPX 1.1 track of the sightings that it takes for true; a new segment after each gap."""
    ET.register_namespace("", GPX)
    root = ET.Element(f"{{{GPX}}}gpx", {"version": "1.1", "creator": "parvis-hub"})
    track = ET.SubElement(root, f"{{{GPX}}}trk")
    ET.SubElement(track, f"{{{GPX}}}name").text = participant
    for part in _parts(route, sightings):
        segment = ET.SubElement(track, f"{{{GPX}}}trkseg")
        for message in part:
            place = message.data.position
            point = ET.SubElement(segment, f"{{{GPX}}}trkpt", {"lat": f"{place.lat:.7f}", "lon": f"{place.lon:.7f}"})
            ET.SubElement(point, f"{{{GPX}}}time").text = format_time(message.time)
    return ET.tostring(root, encoding="unicode", xml_declaration=True)


def _parts(route: Envelope[Route] | None, sightings: Sequence[Envelope[TagSighting]]) -> Iterator[list[Envelope[TagSighting]]]:
    """The sightings between two gaps."""
    refused = {each.id for each in route.data.refused} if route else set()
    kept = sorted((message for message in sightings if message.id not in refused), key=lambda message: message.time)
    gaps = [segment.entered for segment in route.data.segments if not segment.observed] if route else []
    numbers = [0] * len(kept)
    for index in range(1, len(kept)):
        before, after = kept[index - 1].time, kept[index].time
        apart = after - before > _JOINED or any(before <= entered < after for entered in gaps)
        numbers[index] = numbers[index - 1] + apart
    for _, part in groupby(zip(numbers, kept, strict=True), key=lambda pair: pair[0]):
        yield [message for _, message in part]


def _feature(geometry: dict[str, Any] | None, properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}

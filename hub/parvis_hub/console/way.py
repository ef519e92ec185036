"""A route as lines on the map: what was seen, as far as it was; what must have been taken, as such; else nothing. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from parvis_contract import Envelope, LocalMap, Route, RouteSegment, TagSighting
from shapely import LineString, Point
from shapely.ops import nearest_points, substring

#: Walkways that join are nearer than this.
_JOINED_M = 1.0
#: A shorter line is a place, and no way.
_LEAST_M = 0.5


def way(
    route: Envelope[Route] | None, sightings: Sequence[Envelope[TagSighting]], walkways: Mapping[str, LineString], plane: LocalMap
) -> list[dict[str, Any]]:
    """The lines of a route.

    Args:
        route: None while there is none to tell.
        sightings: What it rests on.
        walkways: Their lines in the local plane, metres, by name.
        plane: The local plane.

    Returns:
        Features of GeoJSON in order of travel, each a LineString with ``walkway`` and ``observed``. A walkway is drawn between the first
        and the last place on it that are known: where its wearer was seen, and where it meets the walkway before and after.
    """
    if route is None:
        return []
    segments = [segment for segment in route.data.segments if segment.walkway in walkways]
    lines = [walkways[segment.walkway] for segment in segments]
    known: list[list[float]] = [[] for _ in segments]
    for index, (before, after) in enumerate(pairwise(lines)):
        if before is not after and before.distance(after) <= _JOINED_M:
            here, there = nearest_points(before, after)
            known[index].append(before.project(here))
            known[index + 1].append(after.project(there))
    refused = {each.id for each in route.data.refused}
    seen = [message for message in sightings if message.id not in refused]
    features = []
    for segment, line, places_m in zip(segments, lines, known, strict=True):
        places_m += [line.project(place) for place in _seen(segment, seen, plane)]
        if places_m and max(places_m) - min(places_m) >= _LEAST_M:
            features.append(_feature(segment, substring(line, min(places_m), max(places_m)), plane))
    return features


def _seen(segment: RouteSegment, sightings: Sequence[Envelope[TagSighting]], plane: LocalMap) -> Iterator[Point]:
    """Where somebody was seen while they were on a walkway."""
    if not segment.observed:
        return
    for message in sightings:
        if segment.entered <= message.time <= segment.left:
            place = message.data.position
            yield Point(*plane.to_m(place.lon, place.lat))


def _feature(segment: RouteSegment, line: LineString, plane: LocalMap) -> dict[str, Any]:
    places = [[round(degrees, 7) for degrees in plane.to_deg(*place)] for place in line.coords]
    properties = {"walkway": segment.walkway, "observed": segment.observed}
    return {"type": "Feature", "properties": properties, "geometry": {"type": "LineString", "coordinates": places}}

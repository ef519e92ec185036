"""The map's ground: the site plan as GeoJSON, so that the console needs no tiles from anybody."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal

from parvis_contract import ConfigError, ConfigProblem, Lane, LocalMap, Point, Site
from pydantic import BaseModel, ConfigDict, ValidationError
from shapely.geometry import Point as Place
from shapely.geometry import Polygon

from .ground import Ground, lon_lat

Feature = dict[str, Any]

#: From one arrow of a lane to the next: a lorry's length, so that a short lane has some too.
ARROWS_M = 14.0


class _Line(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    type: Literal["LineString"]
    coordinates: list[tuple[float, float]]


class _LineFeature(BaseModel):
    model_config = ConfigDict(extra="ignore")

    type: Literal["Feature"]
    geometry: _Line


class _Lines(BaseModel):
    model_config = ConfigDict(extra="ignore")

    type: Literal["FeatureCollection"]
    features: list[_LineFeature]


def basemap(site: Site) -> Feature:
    """The areas of a site plan on the map.

    What is drawn in a unit's picture appears where that unit is calibrated: zones and lanes as they lie on the ground, assets where
    they stand.

    Returns:
        A FeatureCollection. Properties: ``layer`` (``zone``, ``lane``, ``lane-name``, ``lane-arrow``, ``asset``, ``walkway``), ``name``,
        ``kind`` (of zones and assets), ``unit`` (where drawn in a picture), ``bearing_deg`` (of arrows).

    Raises:
        ConfigError: The file of the walkways is missing or not one.
    """
    grounds = {name: Ground.of(unit) for name, unit in site.units.items()}
    features: list[Feature] = []
    for name, zone in site.zones.items():
        if zone.kind != "noise" and (ring := _ring(zone, grounds)):
            features.append(_area("zone", name, ring, kind=zone.kind, unit=zone.unit))
    for name, lane in site.lanes.items():
        if ring := _ring(lane, grounds):
            features.append(_area("lane", name, ring, unit=lane.unit))
            features += _signs(name, ring, _bearing_deg(lane, grounds))
    for name, asset in site.assets.items():
        ground = grounds[asset.unit]
        if ground and (place := ground.foot(asset.polygon_px, asset.image_size)):
            features.append(_feature("asset", name, {"type": "Point", "coordinates": place}, kind=asset.kind, unit=asset.unit))
    features += _walkways(site)
    return {"type": "FeatureCollection", "features": features}


def _feature(layer: str, name: str, geometry: Feature, **properties: Any) -> Feature:
    known = {key: value for key, value in properties.items() if value is not None}
    return {"type": "Feature", "properties": {"layer": layer, "name": name, **known}, "geometry": geometry}


def _area(layer: str, name: str, ring: list[tuple[float, float]], **properties: Any) -> Feature:
    closed = ring if ring[0] == ring[-1] else [*ring, ring[0]]
    return _feature(layer, name, {"type": "Polygon", "coordinates": [closed]}, **properties)


def _ring(area: Any, grounds: dict[str, Ground | None]) -> list[tuple[float, float]] | None:
    if area.polygon is not None:
        return list(area.polygon)
    ground = grounds[area.unit]
    return ground.polygon(area.polygon_px, area.image_size) if ground else None


def _bearing_deg(lane: Lane, grounds: dict[str, Ground | None]) -> float | None:
    """Where a lane leads on the map; None if that cannot be told."""
    if lane.heading_deg is not None:
        return lane.heading_deg
    ground = grounds[lane.unit] if lane.unit else None
    if ground is None or lane.heading_px is None or lane.polygon_px is None or lane.image_size is None:
        return None
    # A short step along the lane in the picture, from the middle of the lane there, seen on the ground.
    centre = Polygon(lane.polygon_px).representative_point()
    step = 0.01 * lane.image_size[1] / math.hypot(*lane.heading_px)
    ahead = (centre.x + lane.heading_px[0] * step, centre.y + lane.heading_px[1] * step)
    here, there = ground.foot([(centre.x, centre.y)], lane.image_size), ground.foot([ahead], lane.image_size)
    if here is None or there is None:
        return None
    around = LocalMap.around(ground.unit.position)
    (east_m, north_m), (east_to_m, north_to_m) = around.to_m(*here), around.to_m(*there)
    return math.degrees(math.atan2(east_to_m - east_m, north_to_m - north_m)) % 360.0


def _signs(name: str, ring: list[tuple[float, float]], bearing_deg: float | None) -> Iterator[Feature]:
    """A lane's name in its middle, and its arrows every so often before and behind."""
    middle = Polygon(ring).representative_point()
    around = LocalMap.around(Point(lon=middle.x, lat=middle.y))
    yield _feature("lane-name", name, {"type": "Point", "coordinates": lon_lat(around, 0.0, 0.0)})
    if bearing_deg is None:
        return
    area = Polygon([around.to_m(lon, lat) for lon, lat in ring])
    east, north = math.sin(math.radians(bearing_deg)), math.cos(math.radians(bearing_deg))
    for along_m in (along_m for step in range(1, 11) for along_m in (-ARROWS_M * step, ARROWS_M * step)):
        if area.contains(Place(along_m * east, along_m * north)):
            place = {"type": "Point", "coordinates": lon_lat(around, along_m * east, along_m * north)}
            yield _feature("lane-arrow", name, place, bearing_deg=round(bearing_deg, 1))


def _walkways(site: Site) -> list[Feature]:
    if site.walkways is None:
        return []
    path = site.path.parent / site.walkways
    try:
        lines = _Lines.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError([ConfigProblem(path, 1, "", "", f"{error.strerror}; the site plan's `walkways` names this file")]) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        expected = f"{first['msg']}; walkways are a GeoJSON FeatureCollection of LineStrings"
        raise ConfigError([ConfigProblem(path, 1, key, "", expected)]) from None
    return [_feature("walkway", "", line.geometry.model_dump()) for line in lines.features]

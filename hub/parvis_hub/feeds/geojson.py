"""Incidents as GeoJSON (RFC 7946), for a map or a GIS."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from parvis_hub.store import IncidentRow


def collection(rows: Iterable[IncidentRow]) -> dict[str, Any]:
    """A FeatureCollection of points; what stands in ``properties`` is the contract's incident without its position and its course."""
    return {"type": "FeatureCollection", "features": [_feature(row) for row in rows]}


def _feature(row: IncidentRow) -> dict[str, Any]:
    incident = row.message.data
    properties = incident.model_dump(mode="json", exclude={"position", "events", "course"})
    properties |= {"uncertainty_m": incident.position.uncertainty_m, "revision": row.revision}
    if incident.position.ellipse is not None:
        properties["ellipse"] = incident.position.ellipse.model_dump(mode="json")
    place = {"type": "Point", "coordinates": [incident.position.lon, incident.position.lat]}
    return {"type": "Feature", "id": str(incident.incident), "geometry": place, "properties": properties}

"""Where other systems read: CAP 1.2 alerts with their Atom feed, and incidents as GeoJSON."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from parvis_contract import EVENT_TYPES, IncidentState, Site, Verdict, to_posix_us
from pydantic import AwareDatetime

from parvis_hub.feeds.cap import VALID_H, alert_xml, feed_xml
from parvis_hub.feeds.geojson import collection
from parvis_hub.governance import May
from parvis_hub.store import Desk, Where

from .access import may
from .answers import refusal

#: So many incidents make a map unreadable; whoever wants more asks for less time or less place.
MAX_FEATURES = 1_000


def outlets(desk: Desk, site: Site, now: Callable[[], datetime]) -> APIRouter:
    """Feeds for machines. Each answer is what the store has at that moment."""
    router = APIRouter(prefix="/feeds", tags=["feeds"], dependencies=[may(May.READ_FEEDS)])

    @router.get("/cap.atom")
    def read_alerts(request: Request) -> Response:
        """The last CAP alert of each incident that a person has confirmed in the last day, as an Atom feed."""
        at = now()
        alerts = desk.alerts.latest(to_posix_us(at - timedelta(hours=VALID_H)))
        base = str(request.url.replace(path="/feeds", query=""))
        return Response(feed_xml(alerts, site, base, at), media_type="application/atom+xml")

    @router.get("/cap/{name}.xml")
    def read_alert(name: str) -> Response:
        """One alert in CAP 1.2."""
        match = re.fullmatch(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([0-9]{1,6})", name)
        told = desk.alerts.told(uuid.UUID(match[1]), int(match[2])) if match else []
        if not told:
            return refusal(404, "no such alert is kept")
        return Response(alert_xml(told[-1], told[:-1], site), media_type="application/cap+xml")

    @router.get("/incidents.geojson")
    def read_incidents(  # noqa: PLR0917 - the parameters of a query
        state: IncidentState | None = None,
        verdict: Verdict | None = None,
        type: Annotated[list[str] | None, Query()] = None,
        unit: str | None = None,
        since: AwareDatetime | None = None,
        until: AwareDatetime | None = None,
        bbox: Annotated[str | None, Query(description="west,south,east,north in degrees", max_length=100)] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_FEATURES)] = MAX_FEATURES,
    ) -> Response:
        """Incidents as GeoJSON points, the one observed last first."""
        if unknown := [name for name in type or () if name not in EVENT_TYPES]:
            return refusal(422, f"type: {unknown[0][:40]} is none of {', '.join(EVENT_TYPES)}")
        box = None
        if bbox is not None:
            parts = bbox.split(",")
            try:
                west, south, east, north = (float(part) for part in parts)
            except ValueError:
                return refusal(422, "bbox: expected west,south,east,north in degrees, such as 5.36,43.29,5.38,43.30")
            box = (west, south, east, north)
        where = Where(tuple(type or ()), unit, since, until, box)
        rows = desk.incidents(state=state, verdict=verdict, where=where, limit=limit)
        return Response(json.dumps(collection(rows), separators=(",", ":")), media_type="application/geo+json")

    return router

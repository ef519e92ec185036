"""What the console answers to: the page, what it reads, the stream of changes, and the one thing that it may change."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import FileResponse
from parvis_contract import Closed, Name, Site, Verdict
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import ValidationError
from sse_starlette import EventSourceResponse

from parvis_hub.governance import CONSOLE, May
from parvis_hub.store import BadDecision, DecisionReason, Desk, UnknownIncident

from .access import Who, access_of, may
from .answers import answer, body_of, refusal, takes
from .basemap import Feature
from .cards import Cards
from .live import Live
from .metrics import registry
from .views import detail_view, incident_view, site_view, unit_view

STATIC = Path(__file__).parent / "static"
#: So many incidents fill a day's list; a page that held more would be slow, and nobody would read it.
MAX_INCIDENTS = 500
#: A verdict, a reason and a name of 32 letters.
MAX_VERDICT_BYTES = 512


class GivenVerdict(Closed):
    """What the page sends: what was decided, and why; and by whom, where nobody signs in."""

    verdict: Verdict
    reason: DecisionReason
    by: Name | None = None


def page() -> APIRouter:
    """The page itself; its files are mounted beside it."""
    router = APIRouter()

    @router.get("/")
    def read_page() -> FileResponse:
        return FileResponse(STATIC / "index.html", media_type="text/html; charset=utf-8")

    return router


def health(desk: Desk, now: Callable[[], datetime], repository: Path | None) -> APIRouter:
    """For machines that watch the hub.

    Args:
        desk: What is counted.
        now: The time.
        repository: Folder that units take models from, whose signatures end; None for none.
    """
    router = APIRouter()
    metrics = registry(desk, now, repository)

    @router.get("/healthz")
    def read_health() -> Response:
        desk.counters()
        if "store" in desk.changes.troubles:
            return refusal(503, "what arrives cannot be kept; the log says why")
        return answer({"status": "ok"})

    @router.get("/metrics")
    def read_metrics(_: Annotated[Who, may(May.READ_METRICS)]) -> Response:
        return Response(generate_latest(metrics), media_type=CONTENT_TYPE_LATEST)

    return router


def reading(desk: Desk, site: Site, *, ground: Feature, cards: Cards, live: Live, now: Callable[[], datetime]) -> APIRouter:
    """What the page reads. Each answer is what the store has at that moment."""
    router = APIRouter(prefix="/api")

    @router.get("/site")
    def read_site(_: Annotated[Who, may(May.SEE_INCIDENTS)]) -> Response:
        return answer(site_view(site, ground, now().date()))

    @router.get("/incidents")
    def read_incidents(_: Annotated[Who, may(May.SEE_INCIDENTS)]) -> Response:
        at = live.position()
        latest = desk.incidents(limit=MAX_INCIDENTS)
        # What waits for a decision is in the list however old it is.
        waiting = desk.incidents(verdict=Verdict.UNCONFIRMED, limit=MAX_INCIDENTS)
        views = {row.message.data.incident: incident_view(row) for row in (*latest, *waiting)}
        return answer({"at": at, "truncated": len(latest) == MAX_INCIDENTS, "incidents": list(views.values())})

    @router.get("/incidents/{id}")
    def read_incident(id: uuid.UUID, _: Annotated[Who, may(May.SEE_INCIDENTS)]) -> Response:
        detail = desk.incident(id)
        if detail is None:
            return refusal(404, "no such incident is kept")
        return answer(detail_view(detail, site, cards, desk.outcomes(detail.row.message.data.type)))

    @router.get("/units")
    def read_units(_: Annotated[Who, may(May.SEE_UNITS)]) -> Response:
        return answer({"units": [unit_view(unit, site) for unit in desk.units()]})

    @router.get("/events")
    def follow_events(
        request: Request,
        _: Annotated[Who, may(May.SEE_INCIDENTS)],
        last_event_id: Annotated[str | None, Query(max_length=64)] = None,
        resumed: Annotated[str | None, Header(alias="last-event-id", max_length=64)] = None,
    ) -> EventSourceResponse:
        # What a browser resumes with by itself is newer than what the page once asked for.
        changes = live.follow(resumed or last_event_id)
        admitted = access_of(request).while_admitted(request, May.SEE_INCIDENTS, changes, live.heartbeat_s)
        return EventSourceResponse(admitted, ping=3600, headers={"x-accel-buffering": "no"})

    return router


def accounting(desk: Desk) -> APIRouter:
    """What is read on the record, and where the record ends."""
    router = APIRouter(prefix="/api")

    @router.get("/incidents/{id}/plates/{plate}")
    def read_plate(
        id: uuid.UUID, plate: uuid.UUID, request: Request, who: Annotated[Who, may(May.SEE_PLATES)], by: Name = CONSOLE
    ) -> Response:
        # Another page could otherwise have it written that somebody looked.
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return refusal(403, "not from the console's own page")
        try:
            message = desk.plate(id, plate, who.name or by)
        except BadDecision as error:
            return refusal(422, str(error))
        if message is None:
            return refusal(404, "no such plate is kept")
        return Response(base64.b64decode(message.data.webp_base64), media_type="image/webp")

    @router.get("/audit/head")
    def read_audit_head(_: Annotated[Who, may(May.SEE_LOG)]) -> Response:
        head = desk.audit_head()
        return answer(head.model_dump(mode="json")) if head else refusal(404, "the log's head is gone: see parvis-hub audit verify")

    return router


def deciding(desk: Desk, now: Callable[[], datetime]) -> APIRouter:
    """The one thing that the page may change: a person's verdict."""
    router = APIRouter(prefix="/api")

    @router.post("/incidents/{id}/verdict", openapi_extra=takes(GivenVerdict))
    async def give_verdict(id: uuid.UUID, request: Request, who: Annotated[Who, may(May.DECIDE)]) -> Response:
        body = await body_of(request, MAX_VERDICT_BYTES)
        if body is None:
            return refusal(413, f"a verdict has at most {MAX_VERDICT_BYTES} bytes")
        try:
            given = GivenVerdict.model_validate_json(body)
            by = who.name or given.by
            if by is None:
                return refusal(422, "by: where nobody signs in, a decision needs a name")
            row = await to_thread.run_sync(lambda: desk.decide(id, given.verdict, given.reason, by, now()))
        except ValidationError as error:
            return refusal(422, _what_is_wrong(error))
        except BadDecision as error:
            return refusal(422, str(error))
        except UnknownIncident:
            return refusal(404, "no such incident is kept")
        return answer(incident_view(row))

    return router


def _what_is_wrong(error: ValidationError) -> str:
    """The first problem; of a field that nobody knows, not even its name is said back."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = ".".join(str(part) for part in first["loc"] if part in GivenVerdict.model_fields)
    return f"{field or 'verdict'}: {first['msg']}"

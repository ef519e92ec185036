"""Those who asked for a route: enrolled, renewed, withdrawn, their tags printed, their routes shown and written out; each on the record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from parvis_contract import Closed, ConfigError, LocalMap, Name, Site, format_time
from parvis_contract.base import UtcTime
from pydantic import BaseModel, ValidationError
from shapely import LineString

from parvis_hub.consent.consents import Consent
from parvis_hub.consent.sheet import TooLarge, tag_sheet
from parvis_hub.consent.walkways import load_walkways
from parvis_hub.governance import CONSOLE, ExportFormat, May, RenewalReason
from parvis_hub.publish import exported, route_of
from parvis_hub.store import ConsentStore, Enrolment, NotEnrolled, Receipt, UnknownParticipant

from .access import Who, may
from .answers import answer, body_of, refusal, takes
from .views import View
from .way import way

#: References, a number and two times.
_MOST_BYTES = 1_024
_KINDS = {ExportFormat.GEOJSON: "application/geo+json", ExportFormat.GPX: "application/gpx+xml"}
Given = TypeVar("Given", bound=BaseModel)


class Renewal(Closed):
    """Until when somebody has consented again, under which number their new paper is filed, and why they were asked."""

    until: UtcTime
    proof: Name
    reason: RenewalReason
    by: Name | None = None


class EnrolmentGiven(Enrolment):
    """What the page sends; and by whom, where nobody signs in."""

    by: Name | None = None


class Signed(Closed):
    """Who does it, where nobody signs in."""

    by: Name | None = None


def registering(consents: ConsentStore) -> APIRouter:
    """The register: read, and changed.

    Args:
        consents: The hub's.
    """
    router = APIRouter(prefix="/api", tags=["routes by consent"])

    @router.get("/consents")
    def read_register(_: Annotated[Who, may(May.MANAGE_CONSENT)]) -> Response:
        """Every consent that is kept."""
        return answer({"consents": [_consent_view(consent) for consent in consents.all()]})

    @router.post("/consents", openapi_extra=takes(EnrolmentGiven))
    async def enrol(request: Request, who: Annotated[Who, may(May.MANAGE_CONSENT)]) -> Response:
        """Registers a consent."""

        def work(given: EnrolmentGiven) -> Response:
            asked = Enrolment(**given.model_dump(exclude={"by"}))
            return answer(_consent_view(consents.enrol(asked, _name(who, given.by))))

        return await _changed(request, EnrolmentGiven, work)

    @router.post("/consents/{participant}/renew", openapi_extra=takes(Renewal))
    async def renew(participant: str, request: Request, who: Annotated[Who, may(May.MANAGE_CONSENT)]) -> Response:
        """Registers that somebody has consented again."""

        def work(given: Renewal) -> Response:
            return answer(_consent_view(consents.renew(participant, given.until, given.proof, _name(who, given.by), given.reason)))

        return await _changed(request, Renewal, work)

    @router.post("/consents/{participant}/withdraw", openapi_extra=takes(Signed))
    async def withdraw(participant: str, request: Request, who: Annotated[Who, may(May.MANAGE_CONSENT)]) -> Response:
        """Ends somebody's consent, and gives their receipt."""

        def work(given: Signed) -> Response:
            return answer(_receipt_view(consents.withdraw(participant, _name(who, given.by))))

        return await _changed(request, Signed, work)

    return router


def printing(consents: ConsentStore, site: Site) -> APIRouter:
    """Tags to print.

    Args:
        consents: The hub's.
        site: The site plan, which says how large they are.
    """
    router = APIRouter(prefix="/api", tags=["routes by consent"])

    @router.get("/consents/{participant}/sheet.pdf")
    def read_sheet(participant: str, _: Annotated[Who, may(May.MANAGE_CONSENT)]) -> Response:
        """The tag to print, and the wearer's notice."""
        if site.tags is None:
            return refusal(404, "the site plan has no tags")
        try:
            consent = consents.of(participant)
            kept_h, zone = site.law.retention.sightings_h, ZoneInfo(site.timezone)
            pdf = tag_sheet(consent, site=site.site, size_m=site.tags.size_m, kept_h=kept_h, zone=zone)
        except UnknownParticipant as error:
            return refusal(404, str(error.args[0]))
        except TooLarge as error:
            return refusal(422, str(error))
        name = {"content-disposition": f'attachment; filename="{consent.participant}.pdf"'}
        return Response(pdf, media_type="application/pdf", headers=name)

    return router


def routing(consents: ConsentStore, site: Site) -> APIRouter:
    """Routes: shown, and written out for whom they are of.

    Args:
        consents: The hub's.
        site: The site plan, which names the walkways.
    """
    router = APIRouter(prefix="/api", tags=["routes by consent"])
    plane = LocalMap.around(site.origin)
    # Read when a route is first asked for: a site without routes need not name its walkways.
    walkways = cache(lambda: _walkways(site, plane))

    @router.get("/routes/{participant}")
    def read_route(participant: str, request: Request, who: Annotated[Who, may(May.SEE_ROUTES)], by: Name = CONSOLE) -> Response:
        """Somebody's route as it is now, in words and as lines on the map."""
        if why := _from_elsewhere(request):
            return why
        try:
            told = route_of(site, consents, participant)
            lines = way(told.route, told.sightings, walkways(), plane)
            consents.viewed(told.consent.id, who.name or by)
        except UnknownParticipant as error:
            return refusal(404, str(error.args[0]))
        except ConfigError as error:
            return refusal(503, f"no route can be told: {error}")
        route = told.route.data.model_dump(mode="json") if told.route else None
        return answer({"participant": participant, "route": route, "sightings": len(told.sightings), "damaged": told.damaged, "way": lines})

    @router.get("/routes/{participant}/export.{format}")
    def export_route(
        participant: str, format: ExportFormat, request: Request, who: Annotated[Who, may(May.SEE_ROUTES)], by: Name = CONSOLE
    ) -> Response:
        """Somebody's route and all that is kept of them, as a file for them."""
        if why := _from_elsewhere(request):
            return why
        try:
            text = exported(site, consents, participant, format, who.name or by)
        except UnknownParticipant as error:
            return refusal(404, str(error.args[0]))
        name = {"content-disposition": f'attachment; filename="route.{format.value}"'}
        return Response(text, media_type=_KINDS[format], headers=name)

    return router


def _walkways(site: Site, plane: LocalMap) -> dict[str, LineString]:
    """Each walkway as one line, in metres."""
    if site.walkways is None:
        return {}
    pieces: dict[str, list[LineString]] = {}
    for stretch in load_walkways(site.path.parent / site.walkways, plane).stretches:
        pieces.setdefault(stretch.walkway, []).append(stretch.line)
    # In order along each walkway; one begins where the one before ends.
    return {name: LineString([place for line in lines for place in line.coords]) for name, lines in pieces.items()}


def _name(who: Who, given: str | None) -> str:
    return who.name or given or CONSOLE


def _from_elsewhere(request: Request) -> Response | None:
    # Another page could otherwise have it written that somebody looked.
    if request.headers.get("sec-fetch-site", "same-origin") in {"same-origin", "none"}:
        return None
    return refusal(403, "not from the console's own page")


async def _changed(request: Request, kind: type[Given], work: Callable[[Given], Response]) -> Response:
    """Reads what the page sends, and does it; what is wrong with it is said."""
    body = await body_of(request, _MOST_BYTES)
    if body is None:
        return refusal(413, f"at most {_MOST_BYTES} bytes")
    try:
        given = kind.model_validate_json(body)
        return await to_thread.run_sync(lambda: work(given))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = next((str(part) for part in first["loc"] if part in kind.model_fields), "what was sent")
        return refusal(422, f"{field}: {first['msg']}")
    except NotEnrolled as error:
        return refusal(422, str(error))
    except UnknownParticipant as error:
        return refusal(404, str(error.args[0]))


def _time(time: datetime | None) -> str | None:
    return None if time is None else format_time(time)


def _consent_view(consent: Consent) -> View:
    return {
        "participant": consent.participant,
        "tag": consent.tag,
        "purpose": consent.purpose.value,
        "proof": consent.proof,
        "since": _time(consent.since),
        "until": _time(consent.until),
        "status": consent.status.value,
        "ended": _time(consent.ended),
        "sightings": consent.sightings,
    }


def _receipt_view(receipt: Receipt) -> View:
    return {
        "consent": receipt.consent,
        "participant": receipt.participant,
        "tag": receipt.tag,
        "at": _time(receipt.at),
        "sightings": receipt.sightings,
        "entry": str(receipt.entry),
    }

"""What anybody may read without an account: the register, the sign, the state of the configuration, and the reports of past months."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Response
from parvis_contract import Site, to_posix_s, to_posix_us
from parvis_contract.card import Card

from parvis_hub.governance import LogBroken, digest_of_configuration
from parvis_hub.papers import register, report, sign
from parvis_hub.papers.controller import Controller, Language
from parvis_hub.papers.facts import Facts, gather
from parvis_hub.papers.page import STYLE
from parvis_hub.store import Desk
from parvis_hub.store.tallies import Month, month_of

from .answers import refusal

#: Beside every page.
_STYLESHEET = "paper.css"
#: A report reads the whole log, and a verdict may still change it: it is made anew after this long.
_REPORT_FOR = timedelta(minutes=10)
_Lang = Annotated[Language, Query(description="en or fr")]


def public(desk: Desk, site: Site, controller: Controller, cards: Iterable[Card], now: Callable[[], datetime]) -> APIRouter:
    """Papers for everybody; nothing here says anything of one alert.

    Args:
        desk: Where counts are read.
        site: The site plan.
        controller: What the controller says.
        cards: Of every model there is.
        now: The time of an answer.
    """
    papers = _Papers(desk, site, controller, tuple(cards), now)
    router = APIRouter(prefix="/public", tags=["public"])
    _configured(router, papers)
    _counted(router, papers)
    return router


class _Papers:
    """Makes them, and keeps what was made for a while, so that many readers cost what one does."""

    def __init__(self, desk: Desk, site: Site, controller: Controller, cards: tuple[Card, ...], now: Callable[[], datetime]) -> None:
        self.desk, self.site = desk, site
        self._controller, self._cards, self._now = controller, cards, now
        self._made: dict[tuple[str, ...], tuple[object, Any]] = {}

    def facts(self) -> Facts:
        """Of today: what a profile allows ends with a day."""
        day = self._now().astimezone(ZoneInfo(self.site.timezone)).date()
        found: Facts = self._kept(("facts",), day, lambda: gather(self.site, self._controller, self._cards, day))
        return found

    def page(self, name: str, lang: Language, make: Callable[[Facts], str]) -> Response:
        """A page that follows from the configuration."""
        found = self.facts()
        return Response(self._kept((name, lang), found.on, lambda: make(found)), media_type="text/html")

    def months(self) -> list[str]:
        """Those that are over and in which a hub counted."""
        running = month_of(to_posix_us(self._now()), self.site.timezone)
        return [name for name in self.desk.months() if name < running]

    def report(self, month: str, form: str, make: Callable[[Month], str], media_type: str) -> Response:
        """A month's report in one form."""
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}", month) or month not in self.months():
            return refusal(404, "there is a report of each month that is over and in which a hub counted; /public/reports.html lists them")
        turn = int(to_posix_s(self._now()) // _REPORT_FOR.total_seconds())
        try:
            return Response(self._kept((month, form), turn, lambda: make(self.desk.month(month))), media_type=media_type)
        except LogBroken:
            return refusal(503, "the accountability log cannot be read; the maintainer runs parvis-hub audit verify")

    def _kept(self, key: tuple[str, ...], good_for: object, make: Callable[[], Any]) -> Any:
        """What was made for this key while `good_for` was the same, or made now."""
        found = self._made.get(key)
        if found is None or found[0] != good_for:
            found = self._made[key] = (good_for, make())
        return found[1]


def _configured(router: APIRouter, papers: _Papers) -> None:
    @router.get("/paper.css")
    def stylesheet() -> Response:
        """The look of the pages."""
        return Response(STYLE, media_type="text/css")

    @router.get("/status.json")
    def status() -> Response:
        """What runs now: the digest that a sign bears, and those of the accountability log."""
        found, log = papers.facts(), digest_of_configuration(papers.site)
        law = {"name": found.law.name, "digest": log.profile, "valid_to": str(found.law.valid_to), "in_force": found.in_force}
        said = {"site": papers.site.site, "configuration": found.digest, "site_plan": log.site, "profile": law}
        return Response(json.dumps(said | {"software": version("parvis-hub")}, indent=2), media_type="application/json")

    @router.get("/register.html")
    def read_register(lang: _Lang = "en") -> Response:
        """The public register."""
        return papers.page("register", lang, lambda found: register.as_page(found, lang, stylesheet=_STYLESHEET))

    @router.get("/register.json")
    def read_registration(lang: _Lang = "en") -> Response:
        """The registration by the Algorithmic Transparency Standard 0.3.1; it lacks what the controller has not said."""
        return Response(register.as_json(papers.facts(), lang), media_type="application/json")

    @router.get("/sign.html")
    def read_sign(lang: _Lang = "en", unit: Annotated[str | None, Query(max_length=32)] = None) -> Response:
        """The sign for the street, of the whole site or of what one unit senses."""
        if unit is not None and unit not in papers.site.units:
            return refusal(404, "the site plan has no such unit")
        return papers.page(f"sign {unit or ''}", lang, lambda found: sign.as_sign(found, lang, unit=unit, stylesheet=_STYLESHEET))


def _counted(router: APIRouter, papers: _Papers) -> None:
    @router.get("/reports.html")
    def list_reports(lang: _Lang = "en") -> Response:
        """The months of which there are reports."""
        return Response(report.as_index(papers.months(), papers.site, lang, stylesheet=_STYLESHEET), media_type="text/html")

    @router.get("/report-{month}.html")
    def read_report(month: str, lang: _Lang = "en") -> Response:
        """The open report of a month that is over."""

        def page(found: Month) -> str:
            return report.as_page(found, papers.site, lang, over=True, stylesheet=_STYLESHEET)

        return papers.report(month, lang, page, "text/html")

    @router.get("/report-{month}.csv")
    def read_figures(month: str) -> Response:
        """The same as CSV."""
        return papers.report(month, "csv", lambda found: report.as_csv(found, papers.site), "text/csv")

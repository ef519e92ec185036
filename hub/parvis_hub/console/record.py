"""The record: what the accountability log says, and the proof that what has expired is gone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from parvis_contract import Site, format_time, to_datetime, to_posix_us

from parvis_hub import governance
from parvis_hub.governance import Entry, LogBroken, May
from parvis_hub.store import Database
from parvis_hub.store.proof import Kept, kept_in

from .access import Who, may
from .answers import answer, refusal
from .views import View

#: So many entries are a page of the log.
_PAGE = 50
_BROKEN = "the accountability log cannot be read; the maintainer runs parvis-hub audit verify"


def recording(database: Database, site: Site, now: Callable[[], datetime]) -> APIRouter:
    """The record, read only.

    Args:
        database: The hub's.
        site: The site plan, whose profile says how long what is kept.
        now: The time.
    """
    router = APIRouter(prefix="/api", tags=["record"])

    @router.get("/audit")
    def read_log(_: Annotated[Who, may(May.SEE_LOG)], before: Annotated[int | None, Query(ge=1, le=2**62)] = None) -> Response:
        """Entries of the accountability log, the newest first; and where the log ends."""
        try:
            with database.read() as connection:
                found = governance.latest(connection, _PAGE, before=before)
                head = governance.head(connection)
        except LogBroken:
            return refusal(503, _BROKEN)
        return answer({"entries": [_entry_view(entry) for entry in found], "head": str(head) if head else None})

    @router.get("/retention")
    def read_retention(_: Annotated[Who, may(May.SEE_LOG)]) -> Response:
        """What is kept, kind by kind: for how long, how much is overdue, what was deleted last, and which entry of the log says so."""
        try:
            with database.read() as connection:
                kinds = kept_in(connection, site.law.retention, to_posix_us(now()))
        except LogBroken:
            return refusal(503, _BROKEN)
        return answer({"kinds": [_kept_view(each) for each in kinds]})

    return router


def _entry_view(entry: Entry) -> View:
    about = entry.about.model_dump(mode="json")
    return {"number": entry.number, "time": _time(entry.at_us), "by": entry.by, "what": entry.what.value, "about": about}


def _kept_view(each: Kept) -> View:
    return {
        "kind": each.table,
        "kept_h": each.kept_h,
        "rows": each.rows,
        "expires_first": _time(each.expires_first_us),
        "overdue": each.overdue,
        "deleted": None if each.entry is None else {"at": _time(each.deleted_us), "rows": each.deleted, "entry": each.entry},
    }


def _time(at_us: int | None) -> str | None:
    return None if at_us is None else format_time(to_datetime(at_us / 1e6))

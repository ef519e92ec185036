"""A past hour, to be looked at again: no pictures, no routes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Response
from parvis_contract import Site, format_time, to_posix_us
from pydantic import AwareDatetime

from parvis_hub.governance import May
from parvis_hub.store import Desk, TooMuch

from .access import Who, may
from .answers import answer, refusal
from .past import past_changes
from .views import View

#: One at a time: each takes the processor for a second or two, which the hub has other things to do with. Whoever waits longer asks again.
_PATIENCE_S = 20.0
#: An hour takes a second or two; one that takes longer than this is given up.
_LONGEST_S = 10.0


def replaying(desk: Desk, site: Site, now: Callable[[], datetime]) -> APIRouter:
    """What was open at each moment of a past hour.

    Args:
        desk: The hub's.
        site: The site plan.
        now: The time.
    """
    router = APIRouter(prefix="/api")
    turn = threading.Lock()

    @router.get("/replay")
    def read_past(
        _: Annotated[Who, may(May.SEE_INCIDENTS)], since: AwareDatetime, minutes: Annotated[int, Query(ge=1, le=60)] = 60
    ) -> Response:
        """The changes from a time on, as the console showed them; messages that came more than a span late are not among them."""
        kept_h = site.law.retention.events_h
        if not now() - timedelta(hours=kept_h) <= since < now():
            return refusal(422, f"since: a time in the last {kept_h:g} h, for which messages are kept")
        until = min(since + timedelta(minutes=minutes), now())
        if not turn.acquire(timeout=_PATIENCE_S):
            return refusal(503, "others look at the past; ask again")
        try:
            return answer({"since": format_time(since), "until": format_time(until), "changes": _changes(desk, site, since, until)})
        except TooMuch as error:
            return refusal(422, str(error))
        finally:
            turn.release()

    return router


def _changes(desk: Desk, site: Site, since: datetime, until: datetime) -> list[View]:
    begun_s, changes = time.monotonic(), []
    for more in past_changes(site, desk.past(since, until), *(to_posix_us(at) for at in (since, until))):
        changes += more
        if time.monotonic() - begun_s > _LONGEST_S:
            raise TooMuch("so much stood so close together that this takes too long; ask for a shorter time")
    return changes

"""What had come by a time in the past: messages of events, with when each came, and what people decided; no picture, and no route."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from parvis_contract import Envelope, Verdict, parse_message, to_datetime
from sqlalchemy import Connection, Row, select

from parvis_hub.correlate.physics import PHYSICS
from parvis_hub.governance import DecisionReason

from .schema import decisions, events, members
from .views import Decision

#: An incident that is open at a time has a message from within this span before it.
SPAN_US = int(max(physics.stale_s + physics.quiet_s for physics in PHYSICS.values()) * 1e6)
#: So many messages are an hour of a busy town, and take a second or two to go through.
MOST = 5_000


class TooMuch(ValueError):
    """More has come than is gone through at once."""


@dataclass(frozen=True, slots=True)
class Past:
    """What had come.

    Attributes:
        said: When each message came, microseconds since 1970, and the message; in order of arrival.
        decided: Event and decision, in order of time.
    """

    said: tuple[tuple[int, Envelope[Any]], ...]
    decided: tuple[tuple[str, Decision], ...]


def read_past(connection: Connection, since_us: int, until_us: int) -> Past:
    """What is kept of what had come by `until_us`, as far as it can be of an incident that was open at `since_us` or later.

    Raises:
        TooMuch: Ask for less.
    """
    in_time = (events.c.time_us >= since_us - SPAN_US) & (events.c.time_us < until_us)
    touched = select(members.c.incident).join(events, events.c.event == members.c.event).where(in_time)
    theirs = events.c.event.in_(select(members.c.event).where(members.c.incident.in_(touched)))
    query = select(events.c.received_us, events.c.message).where(in_time | theirs, ~events.c.too_late)
    rows = connection.execute(query.where(events.c.received_us < until_us).order_by(events.c.row).limit(MOST + 1)).all()
    if len(rows) > MOST:
        raise TooMuch(f"more than {MOST} messages came; ask for a shorter time")
    given = select(decisions).where(decisions.c.at_us < until_us, decisions.c.event.in_(select(events.c.event).where(in_time | theirs)))
    decided = connection.execute(given.order_by(decisions.c.at_us, decisions.c.row)).all()
    return Past(
        tuple((row.received_us, parse_message(row.message)) for row in rows),
        tuple((row.event, _decision(row)) for row in decided),
    )


def _decision(row: Row[Any]) -> Decision:
    return Decision(Verdict(row.verdict), DecisionReason(row.reason), row.by, to_datetime(row.at_us / 1e6))

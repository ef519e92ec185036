"""What became part of what: incidents that were joined, and reports that went from one to another, each when the hub found it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from parvis_contract import to_datetime
from sqlalchemy import Connection, Row

from .bulk import among, insert_all
from .schema import incidents, moves

#: So many joinings one after another are followed back: more would be no help to anybody.
_DEEP = 10


class Moved(StrEnum):
    """What happened to an incident.

    `joined`: another is part of it since. `came`, `went`: some reports of another fit it better, or of it another.
    """

    JOINED = "joined"
    CAME = "came"
    WENT = "went"


@dataclass(frozen=True, slots=True)
class Move:
    """Reports went from one incident to another.

    Attributes:
        what: As the incident sees it that was asked for.
        other: The other incident.
        reports: How many.
        at: When the hub found it.
    """

    what: Moved
    other: str
    reports: int
    at: datetime


def note(
    connection: Connection,
    moved: Mapping[str, str],
    held: Mapping[str, str],
    *,
    gone: Iterable[str],
    fresh: Iterable[str],
    now_us: int,
    expires_us: int,
) -> None:
    """Keeps what of a batch went from one incident to another.

    An incident that is only called otherwise, because an earlier report of the same thing came, is no other: nothing is kept of that.

    Args:
        connection: To write.
        moved: Event, and the incident that it is part of now.
        held: Event, and the incident that it was part of.
        gone: Incidents that are no more.
        fresh: Incidents that were not there before.
        now_us: Microseconds since 1970.
        expires_us: When this is forgotten.
    """
    counted = Counter((held[event], target) for event, target in moved.items() if held.get(event, target) != target)
    if not counted:
        return
    ended, new = set(gone), set(fresh)
    ways_out = Counter(source for source, _ in counted)
    ways_in = Counter(target for _, target in counted)
    rows = [
        (source, target, source in ended and ways_out[source] == 1, reports, now_us, expires_us)
        for (source, target), reports in counted.items()
        if not (source in ended and target in new and ways_out[source] == 1 and ways_in[target] == 1)
    ]
    insert_all(connection, moves, ("source", "target", "whole", "reports", "at_us", "expires_us"), rows)


def read(connection: Connection, incident: str) -> list[Move]:
    """What of an incident, and of those that are part of it, came from others or went to others; the first first."""
    own, rows = {incident}, _of(connection, {incident})
    for _ in range(_DEEP):
        joined = {row.source for row in rows if row.whole and row.target in own} - own
        # What has become an incident of its own again is another.
        still = among(connection, incidents.c.id, sorted(joined), incidents.c.id, incidents.c.superseded_by)
        parts = joined - {row.id for row in still if row.superseded_by is None}
        if not parts:
            break
        own |= parts
        rows = _of(connection, own)
    return [
        Move(_what(row, own), row.target if _what(row, own) is Moved.WENT else row.source, row.reports, to_datetime(row.at_us / 1e6))
        for row in rows
        # What went to and fro among those that are one now is of no interest, but that they became one.
        if row.whole or not own.issuperset((row.source, row.target))
    ]


def _of(connection: Connection, names: set[str]) -> list[Row[Any]]:
    found = {row.row: row for end in (moves.c.target, moves.c.source) for row in among(connection, end, sorted(names), *moves.c)}
    return [found[number] for number in sorted(found)]


def _what(row: Row[Any], own: set[str]) -> Moved:
    if row.target not in own:
        return Moved.WENT
    return Moved.JOINED if row.whole else Moved.CAME

"""What is kept, for how long, and the proof that what has expired is gone."""

from __future__ import annotations

from dataclasses import dataclass

from parvis_contract.profile import Retention
from sqlalchemy import Connection, func, select

from parvis_hub import governance
from parvis_hub.governance import What

from .database import open_existing
from .retention import expired
from .schema import consents, decisions, events, flows, incidents, plates, sightings

#: The hub deletes once a minute; a row that is older than its time by this was forgotten.
_GRACE_US = 600_000_000
#: So many of the last deletions are looked at for the last of each kind: the rarest expire once in some weeks.
_LOOKED_AT = 1_000


@dataclass(frozen=True, slots=True)
class Kept:
    """One kind of row.

    Attributes:
        table: Its table.
        kept_h: How long the profile lets it be kept.
        rows: How many there are.
        expires_first_us: When the next of them expires; None if there is none.
        overdue: How many should be gone by now. What belongs to an open incident stays until that has closed.
        deleted_us: When rows of it were last deleted, as the accountability log says; None if never.
        deleted: How many, then.
        entry: Where the log says so.
    """

    table: str
    kept_h: float
    rows: int
    expires_first_us: int | None
    overdue: int
    deleted_us: int | None
    deleted: int | None
    entry: int | None


def kept(url: str, retention: Retention, now_us: int) -> list[Kept]:
    """What a store holds, kind by kind; the hub may be running.

    Raises:
        StoreError: There is no such store.
        sqlalchemy.exc.SQLAlchemyError: It cannot be read.
    """
    engine = open_existing(url)
    try:
        with engine.connect() as connection:
            return kept_in(connection, retention, now_us)
    finally:
        engine.dispose()


def kept_in(connection: Connection, retention: Retention, now_us: int) -> list[Kept]:
    """The same of a store that is open.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: It cannot be read.
        parvis_hub.governance.LogBroken: An entry of the log cannot be read.
    """
    kinds = (
        (events, retention.events_h),
        (incidents, retention.incidents_h),
        (decisions, retention.incidents_h),
        (plates, retention.evidence_h),
        (flows, retention.events_h),
        (sightings, retention.sightings_h),
        (consents, retention.audit_h),
    )
    last: dict[str, tuple[int, int, int]] = {}
    for entry in governance.latest(connection, _LOOKED_AT, what=What.ROWS_EXPIRED):
        counts = entry.about.model_dump()
        for name in counts.keys() - last.keys():
            if counts[name]:
                last[name] = entry.at_us, counts[name], entry.number
    found = []
    for table, hours in kinds:
        count, first = connection.execute(select(func.count(), func.min(table.c.expires_us)).select_from(table)).one()
        late = connection.execute(select(func.count()).select_from(table).where(expired(table, now_us - _GRACE_US))).scalar_one()
        at_us, deleted, number = last.get(table.name, (None, None, None))
        found.append(Kept(table.name, hours, count, first, late, at_us, deleted, number))
    return found

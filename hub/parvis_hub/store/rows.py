"""An incident's row, and how one is found."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Any, NamedTuple

from parvis_contract import Incident
from sqlalchemy import Connection, Row, bindparam, select, update

from parvis_hub.correlate import incident_text

from .bulk import execute_all
from .schema import incidents


class IncidentValues(NamedTuple):
    """The values of a row, in the table's order."""

    id: str
    type: str
    state: str
    verdict: str
    first_us: int
    last_us: int
    revision: int
    published: int
    superseded_by: str | None
    expires_us: int
    message: str
    lon: float
    lat: float


def incident_values(site: str, incident: Incident, expires_us: int, after: Row[Any] | None = None) -> IncidentValues:
    """A row of an incident as it stands.

    Args:
        site: Its site.
        incident: It.
        expires_us: When it is forgotten.
        after: The row of its last revision, if there is one.
    """
    return IncidentValues(
        str(incident.incident),
        incident.type,
        incident.state.value,
        incident.operator.verdict.value,
        round(incident.first_observed.timestamp() * 1e6),
        round(incident.last_observed.timestamp() * 1e6),
        1 if after is None else after.revision + 1,
        0 if after is None else after.published,
        None,
        expires_us,
        incident_text(site, incident),
        incident.position.lon,
        incident.position.lat,
    )


def living(connection: Connection, id: str) -> Row[Any] | None:
    """An incident's row; of one that has become part of another, that other's; None if there is none."""
    seen: set[str] = set()
    wanted = id
    while wanted not in seen:
        seen.add(wanted)
        row = connection.execute(select(incidents).where(incidents.c.id == wanted)).one_or_none()
        if row is None or row.superseded_by is None:
            return row
        wanted = row.superseded_by
    return None


#: What a revision may change. Its type it may not, and what the broker has confirmed is said by the broker alone.
_REVISED = tuple(name for name in IncidentValues._fields if name not in ("id", "type", "published"))
_UPDATE = update(incidents).where(incidents.c.id == bindparam("new_id")).values({name: bindparam(f"new_{name}") for name in _REVISED})
_PARAMETERS = (*(f"new_{name}" for name in _REVISED), "new_id")
_parameters = attrgetter(*_REVISED, "id")


def revise(connection: Connection, changed: Iterable[IncidentValues]) -> None:
    """Writes new revisions of incidents that are there."""
    execute_all(connection, _UPDATE, _PARAMETERS, [_parameters(values) for values in changed])

"""What the correlator says: incidents that are new, changed, or have become part of another."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from parvis_contract import (
    Envelope,
    Incident,
    derived_id,
    dump_unchecked,
    format_time,
    full_name,
    hub_source,
    make_message,
    to_posix_s,
)


@dataclass(frozen=True, slots=True)
class Change:
    """An incident that is not what it was.

    Attributes:
        id: Which.
        incident: What it is now, without verdict; None if it is no more, because its events belong to another.
        superseded_by: If it is no more, the incident that its first event is part of now.
    """

    id: uuid.UUID
    incident: Incident | None
    superseded_by: uuid.UUID | None = None


def incident_message(site: str, incident: Incident) -> Envelope[Incident]:
    """Puts an incident into its envelope.

    The message's id is derived from what it says: the same state of the same incident is the same message, whenever it is sent, so
    that a reader who has it already may pass over it. Its time is when the incident was last observed.
    """
    message_id = _id_of(site, incident, dump_unchecked(incident).decode())
    return make_message("incident", source=hub_source(site), time=incident.last_observed, data=incident, id=message_id)


def incident_text(site: str, incident: Incident) -> str:
    """The same as it is written, for whoever wants no more than that: it takes a third of the time."""
    content = dump_unchecked(incident).decode()
    return (
        f'{{"specversion":"1.0","id":"{_id_of(site, incident, content)}","source":"{hub_source(site)}","type":"{_TYPE}",'
        f'"time":"{format_time(incident.last_observed)}","datacontenttype":"application/json","data":{content}}}'
    )


_TYPE = full_name("incident")


def _id_of(site: str, incident: Incident, content: str) -> uuid.UUID:
    return derived_id(max(0.0, to_posix_s(incident.last_observed)), "incident", site, content)

"""A log instead of a broker: the same gate, lateness and correlator, and the incidents that come of it."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from parvis_contract import EVENT_TYPES, Envelope, Incident, Refused, Route, Site

from parvis_hub.consent.router import Router
from parvis_hub.correlate import Correlator, Lateness, incident_message, lateness_s

from .gate import Gate


@dataclass(slots=True)
class Replayed:
    """What came of a log.

    Attributes:
        incidents: In their final state, by when they were first observed.
        routes: Of the enrolled tags that were seen, in order of the tags.
        counts: ``read``, ``duplicates``, ``too_late``, and ``refused.`` with each reason.
    """

    incidents: list[Envelope[Incident]] = field(default_factory=list)
    routes: list[Envelope[Route]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def replay(site: Site, log: Iterable[tuple[str, bytes]], refused: Callable[[str, Refused], None], router: Router | None = None) -> Replayed:
    """Makes incidents of a log. The same log gives the same incidents, byte for byte; nothing is read but the log.

    The site's time is that of the log's newest event: what had not been quiet for its time by then is open.

    Args:
        site: Whose log it is.
        log: Where each line stands, such as ``street.jsonl:7``, and the line; in order of arrival. Empty lines are passed over.
        refused: Told of each line that the gate refuses.
        router: Of the enrolled tags; without one every sighting is dropped.
    """
    replayed = Replayed()
    counts = replayed.counts
    gate, correlator, lateness = Gate(site), Correlator(site), Lateness(lateness_s(site))
    seen: set[uuid.UUID] = set()
    for place, line in log:
        if not line.strip():
            continue
        counts["read"] += 1
        try:
            message = gate.admit_line(line.strip())
        except Refused as reason:
            counts[f"refused.{reason.reason}"] += 1
            refused(place, reason)
            continue
        if message.id in seen:
            counts["duplicates"] += 1
            continue
        seen.add(message.id)
        if message.name in EVENT_TYPES:
            _correlate(message, correlator, lateness, counts)
        elif router is not None:
            router.add(message)
    final = [change.incident for change in correlator.changes() if change.incident is not None]
    final.sort(key=lambda incident: (incident.first_observed, incident.incident))
    replayed.incidents = [incident_message(site.site, incident) for incident in final]
    if router is not None:
        replayed.routes = router.routes()
    return replayed


def _correlate(message: Envelope[Any], correlator: Correlator, lateness: Lateness, counts: Counter[str]) -> None:
    time_us = round(message.time.timestamp() * 1e6)
    if lateness.too_late(message.unit, time_us):
        counts["too_late"] += 1
        return
    correlator.add(message)
    correlator.advance(time_us)

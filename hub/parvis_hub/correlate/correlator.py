"""The correlator of one site: messages in, changed incidents out. Pure: no clock, no socket, no file, no chance."""

from __future__ import annotations

import heapq
import uuid
from typing import Any

from parvis_contract import EVENT_TYPES, Envelope, Incident, IncidentState, LocalMap, Site

from .cluster import Cluster
from .episodes import Clusters
from .impulses import Impulses
from .locating import Located, Locator
from .moving import Moving, Passing
from .neighbourhood import Spacing
from .outcome import Change
from .physics import physics_of, speed_of_sound_m_s
from .report import Report, rank_of
from .spans import Spans
from .standing import Standing
from .summary import closes_us, incident_id, incident_of, state_of

_GroupKey = tuple[str, str]
_ReportKey = tuple[uuid.UUID, str, str]


class Correlator:
    """Groups the events of one site into incidents.

    The incidents depend on the set of messages added and on the latest time that it was advanced to; not on the order in which
    messages were added, nor on how often. Its work for one message does not grow with the number of units or of open incidents.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._plane = LocalMap.around(site.origin)
        self._places_m = {name: self._plane.to_m(unit.position.lon, unit.position.lat) for name, unit in site.units.items()}
        self._spacing_m = Spacing(self._places_m)
        self._sound_m_s = speed_of_sound_m_s(site.temperature_c)
        self._locator = Locator(site, self._places_m)
        self._reports: dict[_ReportKey, Report] = {}
        self._groupings: dict[_GroupKey, Clusters] = {}
        self._touched: dict[_GroupKey, None] = {}
        self._clock_us: int | None = None
        #: What was last said of each incident, and its first event's report.
        self._said: dict[uuid.UUID, tuple[Incident, Report]] = {}
        #: Whose clock was found to be off by more than it says since that was last asked, and by how many seconds.
        self._wrong_clocks: dict[str, float] = {}
        #: When to look whether each open incident has closed.
        self._scheduled: dict[uuid.UUID, int] = {}
        self._closing: list[tuple[int, uuid.UUID]] = []

    def __len__(self) -> int:
        """How many events it holds."""
        return len(self._reports)

    @property
    def clock_us(self) -> int | None:
        """The event time that the site has reached, microseconds since 1970; None before the first."""
        return self._clock_us

    def add(self, message: Envelope[Any]) -> None:
        """Takes note of a message; one that is no event is of no interest.

        What follows from it is in :meth:`changes`.
        """
        name = message.name
        if name not in EVENT_TYPES:
            return
        key = (message.event_id, message.unit, name)
        rank = rank_of(message)
        report = self._reports.get(key)
        if report is None:
            report = self._reports[key] = Report(message)
            report.take(message, rank, self._plane)
            self._grouping(report).put(report)
            return
        grouping = self._grouping(report)
        if report.begins_earlier(rank):
            # It moves in the order of decisions, and perhaps to another grouping.
            grouping.remove(report)
            report.take(message, rank, self._plane)
            self._grouping(report).put(report)
            return
        before = report.until_us, report.last.time_us, len(report.track)
        report.take(message, rank, self._plane)
        if (report.until_us, report.last.time_us, len(report.track)) == before:
            grouping.refresh(report)
        else:
            grouping.prolong(report, min(before[1], rank[0]))

    def _grouping(self, report: Report) -> Clusters:
        key = (report.type, report.identity)
        if key not in self._groupings:
            self._groupings[key] = self._new(*key)
        self._touched[key] = None
        return self._groupings[key]

    def _new(self, type: str, identity: str) -> Clusters:
        if type == "sound.impulse":
            return Impulses(self._sound_m_s)
        physics = physics_of(type, identity)
        if physics.stays:
            return Standing(physics, self._places_m)
        return Passing(physics, self._spacing_m) if physics.heard else Moving(physics, self._places_m, self._spacing_m)

    def advance(self, clock_us: int) -> None:
        """Says that the site has reached this event time. Time does not go back: an earlier one is passed over."""
        if self._clock_us is None or clock_us > self._clock_us:
            self._clock_us = clock_us

    def changes(self) -> list[Change]:
        """The incidents that are not what they were when this was last called, in order of their ids."""
        clusters: dict[Cluster, None] = {}
        for key in self._touched:
            grouping = self._groupings[key]
            grouping.settle()
            clusters.update(grouping.changed)
            grouping.changed.clear()
            if isinstance(grouping, Impulses):
                self._wrong_clocks |= grouping.wrong_clocks()
        self._touched.clear()
        changes: dict[uuid.UUID, Change] = {}
        living = {self._say(cluster, changes) for cluster in clusters if cluster.reports}
        for cluster in clusters:
            name = incident_id(self._site.site, cluster)
            if not cluster.reports and name not in living and name in self._said:
                del self._said[name]
                changes[name] = Change(name, None, incident_id(self._site.site, cluster.founder.cluster))
        self._close(changes)
        return [changes[name] for name in sorted(changes)]

    def _say(self, cluster: Cluster, changes: dict[uuid.UUID, Change]) -> uuid.UUID:
        name = incident_id(self._site.site, cluster)
        before = self._said[name][0] if name in self._said else None
        located = self._located(cluster)
        incident = incident_of(cluster, self._site, self._plane, self._clock_us or 0, located=located, before=before)
        if incident is not before:
            self._said[name] = incident, cluster.founder
            changes[name] = Change(name, incident)
            if located is not None:
                self._wrong_clocks |= located.wrong_clocks
        if incident.state is IncidentState.OPEN:
            self._schedule(closes_us(cluster), name)
        return name

    def _located(self, cluster: Cluster) -> Located | None:
        grouping = self._groupings[cluster.founder.type, cluster.founder.identity]
        return self._locator.locate(cluster.reports, grouping.off_s) if isinstance(grouping, Impulses) else None

    def wrong_clocks(self) -> dict[str, float]:
        """Whose clock is off by more than it says, in seconds by unit: what was found since this was last asked."""
        found, self._wrong_clocks = self._wrong_clocks, {}
        return found

    def _schedule(self, at_us: int, name: uuid.UUID) -> None:
        """Sees to it that an incident is looked at by a time. One that closes later than was thought is looked at twice."""
        if at_us < self._scheduled.get(name, at_us + 1):
            self._scheduled[name] = at_us
            heapq.heappush(self._closing, (at_us, name))

    def _close(self, changes: dict[uuid.UUID, Change]) -> None:
        """Says of what has been quiet for its time that it is closed; all else of it has been said."""
        while self._closing and self._clock_us is not None and self._closing[0][0] <= self._clock_us:
            at_us, name = heapq.heappop(self._closing)
            if self._scheduled.get(name) != at_us:
                continue
            del self._scheduled[name]
            if name not in self._said or self._said[name][0].state is IncidentState.CLOSED:
                continue
            incident, founder = self._said[name]
            state = state_of(founder.cluster, self._clock_us)
            if state is IncidentState.OPEN:
                self._schedule(closes_us(founder.cluster), name)
                continue
            closed = incident.model_copy(update={"state": state})
            self._said[name] = closed, founder
            changes[name] = Change(name, closed)

    def forget(self, before_us: int, kept: Spans | None = None) -> int:
        """Lets go of incidents that are closed and that nothing can join any more.

        Args:
            before_us: Nothing that began before this time will be added again; if it is, it is grouped without them.
            kept: But something may be in these spans of time, by event type; microseconds since 1970.

        Returns:
            How many events were let go of.
        """
        held = len(self._reports)
        before_us = min(before_us, self._clock_us or 0)
        for name, (_, founder) in list(self._said.items()):
            cluster, key = founder.cluster, (founder.type, founder.identity)
            grouping = self._groupings[key]
            if cluster is None or closes_us(cluster) >= (grouping.keep_from(before_us) if isinstance(grouping, Impulses) else before_us):
                continue
            if kept and any(founder.order[0] <= until_us and closes_us(cluster) >= since_us for since_us, until_us in kept.get(key[0], ())):
                continue
            grouping.forget(cluster)
            if not len(grouping) and key not in self._touched:
                del self._groupings[key]
            for report in cluster.reports:
                del self._reports[report.id, report.unit, report.type]
            del self._said[name]
        return held - len(self._reports)

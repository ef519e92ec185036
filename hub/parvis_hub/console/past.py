"""A past hour as the console showed it: what was open at each moment, made again of what had come by then. Pure.

The correlator is given the messages as they came, so that an incident appears when the hub heard of it and not when it began, and has the
place, the units and the verdict that it had then. A shot is open for seconds; what has closed stays for some minutes, and says so.
"""

from __future__ import annotations

import heapq
import uuid
from collections.abc import Iterator
from typing import Any

from parvis_contract import Envelope, Incident, IncidentState, Operator, Site, Verdict, format_time, to_datetime

from parvis_hub.correlate import Correlator
from parvis_hub.intake.clock import EventClock
from parvis_hub.store import Decision, Past

from .views import View

#: So fine is what is told: a burst of messages is one change of an incident, as it is for whoever watches.
STEP_US = 2_000_000
#: What has closed is shown so much longer: time enough to see it where an hour goes by in a minute.
LINGER_US = 300_000_000
Step = tuple[int, int, "Envelope[Any] | tuple[str, Decision] | None"]


def past_changes(site: Site, past: Past, since_us: int, until_us: int) -> Iterator[list[View]]:
    """The changes from one moment to another, step by step.

    Args:
        site: The site plan as it is now.
        past: What had come; see :meth:`parvis_hub.store.Desk.past`.
        since_us: From when on, microseconds since 1970.
        until_us: Until when.

    Yields:
        Changes in order of time, often none: each with ``at`` and either an ``incident`` as it is from then on, or an ``id`` that is
        ``gone``. What was there at the beginning comes first.
    """
    then = _Then(site, since_us)
    return map(then.take, _steps(past, since_us, until_us))


def _steps(past: Past, since_us: int, until_us: int) -> Iterator[Step]:
    """What came, what was decided and the ticks of a clock, at which it is looked what became of it, in order of time."""
    said = ((received_us, 0, message) for received_us, message in past.said)
    decided = ((_us(decision), 1, (event, decision)) for event, decision in past.decided)
    ticks = ((at_us, 2, None) for at_us in range(since_us - LINGER_US, until_us, STEP_US))
    return heapq.merge(said, decided, ticks, key=lambda step: step[:2])


class _Then:
    """What the hub knew."""

    def __init__(self, site: Site, since_us: int) -> None:
        self._since_us = since_us
        self._correlator, self._clock = Correlator(site), EventClock()
        self._shown: dict[uuid.UUID, Incident] = {}
        #: When each closed, the first first.
        self._closed_us: dict[uuid.UUID, int] = {}
        self._decided: dict[str, tuple[int, Decision]] = {}
        #: What has changed and was not told yet: all of it at the beginning.
        self._untold: dict[uuid.UUID, None] = {}
        self._told_of: set[uuid.UUID] = set()
        self._revision = self._number = 0
        self._looked = False

    def take(self, step: Step) -> list[View]:
        at_us, _, what = step
        if isinstance(what, Envelope):
            self._correlator.add(what)
            self._clock.see(round(what.time.timestamp() * 1e6), at_us)
            return []
        if what is not None:
            event, decision = what
            self._number += 1
            self._decided[event] = self._number, decision
            self._untold |= {name: None for name, incident in self._shown.items() if any(str(each) == event for each in incident.events)}
            return []
        self._look(at_us)
        if at_us < self._since_us:
            return []
        untold, self._untold = self._untold, {}
        return [view for name in untold if (view := self._told(at_us, name)) is not None]

    def _look(self, at_us: int) -> None:
        """What has become of things since it was last looked."""
        if (reached_us := self._clock.at(at_us)) is not None:
            self._correlator.advance(reached_us)
        for change in self._correlator.changes():
            incident = change.incident
            if incident is None:
                self._drop(change.id)
                continue
            if incident.state is IncidentState.CLOSED:
                # What is closed when it is first looked closed before.
                if not self._looked:
                    continue
                self._closed_us.setdefault(change.id, at_us)
            else:
                self._closed_us.pop(change.id, None)
            self._shown[change.id] = incident
            self._untold[change.id] = None
        self._looked = True
        for name in [name for name, closed_us in self._closed_us.items() if closed_us + LINGER_US <= at_us]:
            self._drop(name)

    def _drop(self, name: uuid.UUID) -> None:
        self._closed_us.pop(name, None)
        if self._shown.pop(name, None) is not None:
            self._untold[name] = None

    def _told(self, at_us: int, name: uuid.UUID) -> View | None:
        incident = self._shown.get(name)
        if incident is None:
            if name not in self._told_of:
                return None
            self._told_of.discard(name)
            return {"at": _time(at_us), "id": str(name), "gone": True}
        self._told_of.add(name)
        self._revision += 1
        signed = incident.model_copy(update={"operator": self._operator(incident)})
        return {"at": _time(at_us), "incident": signed.model_dump(mode="json", exclude={"events", "course"}), "revision": self._revision}

    def _operator(self, incident: Incident) -> Operator:
        given = [self._decided[str(event)] for event in incident.events if str(event) in self._decided]
        if not given:
            return incident.operator
        _, last = max(given, key=lambda each: each[0])
        if last.verdict is Verdict.UNCONFIRMED:
            return Operator(verdict=last.verdict)
        return Operator(verdict=last.verdict, by=last.by, at=last.at)


def _us(decision: Decision) -> int:
    return round(decision.at.timestamp() * 1e6)


def _time(time_us: int) -> str:
    return format_time(to_datetime(time_us / 1e6))

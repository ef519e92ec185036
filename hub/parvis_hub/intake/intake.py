"""Turns deliveries into one batch: gate, duplicates, lateness, sequence numbers, correlator."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable
from collections.abc import Sequence as Several
from dataclasses import dataclass, field
from typing import Any

from parvis_contract import EVENT_TYPES, Envelope, Refused, Rejected, Site, UnitState

from parvis_hub.consent.keyring import Sealed
from parvis_hub.correlate import Change, Correlator, Lateness, lateness_s
from parvis_hub.correlate.physics import PHYSICS
from parvis_hub.correlate.spans import Spans, merged
from parvis_hub.store import Arrived, Batch, CommandStore, Seen, Store

from .broker import Delivery
from .clock import EventClock
from .gate import Gate
from .in_mind import InMind, around
from .sequence import Sequence

#: How many refusals are published in a second. All are counted; a flood of them is no reason to flood the maintainers.
ANNOUNCED_PER_S = 20.0
#: A clock that is off by so much more or less than was told is told of again.
CLOCK_NEWS_S = 0.01
#: So many events are in mind at most, where nobody says otherwise: 16 kB each.
MOST_EVENTS = 200_000
#: Where more would be, only what is so late still counts for incidents: a network that is well takes seconds.
CROWDED_S = 60.0
#: Later than any event.
_EVER_US = 2**62
#: A unit that has reported nothing for so long holds nothing in memory.
_ACTIVE_US = 600_000_000
#: Of these, the last of each unit is kept.
_LAST_ONE_COUNTS = frozenset({"unit.status", "unit.telemetry"})
#: Of the sightings to which somebody has consented: the id of the consent, and what is kept.
_SealedById = dict[str, tuple[str, Sealed]]


@dataclass(slots=True)
class Prepared:
    """A batch for the store, what is to be published besides, and what a maintainer is to be told.

    Attributes:
        batch, rejections: For the store, and for the broker.
        said_us: What time each unit said last that it is, microseconds since 1970.
        wrong_clocks: Units whose clocks are off by more than they say, newly found or by more than was found before; in seconds.
    """

    batch: Batch = field(default_factory=Batch)
    rejections: list[Envelope[Rejected]] = field(default_factory=list)
    wrong_clocks: dict[str, float] = field(default_factory=dict)
    said_us: dict[str, int] = field(default_factory=dict)


class Intake:
    """The hub's state of mind: one per site, in one thread.

    Its state follows from what is in the store, so that it can be made again from there at any time.
    """

    def __init__(self, site: Site, store: Store, most_events: int = MOST_EVENTS) -> None:
        """Goes on where the store ends.

        Args:
            site: Whose it is.
            store: Where what it takes is kept.
            most_events: So many are in mind, besides those of open incidents, and then it is :attr:`crowded`.
        """
        restart = store.restart()
        self._store = store
        #: Which tags units may read: those of the lists that were issued, and in the lab those of the site plan.
        self._commands = CommandStore(store.database)
        self._allowed = frozenset(site.tags.allow if site.tags is not None and site.law.name == "lab" else ())
        self._gate = Gate(site)
        self._correlator = Correlator(site)
        self._bound_s = lateness_s(site)
        self._lateness = Lateness(
            self._bound_s, {name: seen.newest_us for name, seen in restart.units.items() if seen.newest_us is not None}
        )
        self._sequences = {name: Sequence(seen.next_sequence, seen.gaps) for name, seen in restart.units.items()}
        self._clock = EventClock(restart.clock_us, restart.clock_received_us)
        #: When the last event of each unit came.
        self._reported_us: dict[str, int] = {}
        self._allowance, self._allowed_us = ANNOUNCED_PER_S, 0
        #: By how much each unit's clock was last told to be off.
        self._clocks_off_s: dict[str, float] = {}
        self._most_events = most_events
        #: Whether so much happens that only what is a minute late at most still counts for incidents.
        self.crowded, self._crowded_until_us = False, 0
        #: What may be joined by an event from before this may have been forgotten; it is in the store.
        since_us = (restart.clock_us or 0) - int(self._bound_s * 1e6)
        self._mind = InMind(since_us)
        #: What was made of messages from the store: mostly what the store has already.
        self._recalled: dict[uuid.UUID, Change] = {}
        spans = {name: [(around(name, since_us, since_us)[0], _EVER_US)] for name in PHYSICS}
        self._recall(store.history(spans, also_open=True), restart.clock_us or 0)

    def prepare(self, deliveries: Several[Delivery], now_us: int, latest_us: int = 0) -> Prepared:
        """Takes what came, and says what is to be kept.

        Args:
            deliveries: In order of arrival.
            now_us: Wall time, microseconds since 1970.
            latest_us: The latest that it may be, where the machine's clock is in doubt.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: The store could not be read; nothing has been taken note of, try again.
        """
        prepared = Prepared()
        admitted = [each for delivery in deliveries if (each := self._admit(delivery, prepared, latest_us)) is not None]
        sealed = self._sealed([arrived for _, arrived in admitted if arrived.name == "tag.sighting"])
        known = self._known([arrived for _, arrived in admitted], sealed)
        lost = self._remember([arrived for _, arrived in admitted if arrived.name in EVENT_TYPES and arrived.id not in known])
        # From here on nothing fails: what is noted in memory is in the batch.
        batch, counts = prepared.batch, prepared.batch.counts
        counts["received"] = len(deliveries)
        for delivery, arrived in admitted:
            seen = self._notice_unit(batch, delivery, arrived)
            if arrived.name in _LAST_ONE_COUNTS:
                continue
            # Of a duplicate, too: a unit that was killed says again what it judges again, under the same id and a new number.
            self._take_number(seen, arrived)
            kept = sealed.get(arrived.id)
            own = kept[1].id if kept else arrived.id
            if own in known:
                counts["duplicates"] += 1
                continue
            known.add(own)
            if arrived.name in EVENT_TYPES:
                batch.arrived.append(self._correlate(batch, seen, arrived, lost))
            elif arrived.name != "tag.sighting":
                batch.arrived.append(arrived)
            elif kept is not None:
                batch.arrived.append(arrived._replace(consent=kept[0], sealed=kept[1]))
            elif arrived.message.data.tag in self._allowed:
                batch.arrived.append(arrived)
            else:
                counts["not_enrolled"] += 1
        counts["stored"] = len(batch.arrived)
        self._advance(batch, now_us)
        prepared.wrong_clocks = self._news_of_clocks(batch, now_us)
        batch.counts = Counter({name: count for name, count in batch.counts.items() if count})
        return prepared

    # --- one message ----------------------------------------------------------------------------------------------------------

    def _admit(self, delivery: Delivery, prepared: Prepared, latest_us: int) -> tuple[Delivery, Arrived] | None:
        received_s = delivery.received_us / 1e6
        try:
            message = self._gate.admit(delivery.topic, delivery.payload, received_s, latest_us / 1e6)
        except Refused as refused:
            prepared.batch.counts[f"refused.{refused.reason}"] += 1
            if self._may_announce(delivery.received_us):
                prepared.rejections.append(self._gate.rejection(refused, delivery.topic, delivery.payload, received_s))
            else:
                prepared.batch.counts["not_announced"] += 1
            return None
        arrived = Arrived.of(message, delivery.payload.decode(), delivery.received_us)
        if not delivery.retained:
            prepared.said_us[arrived.unit] = arrived.time_us
        return delivery, arrived

    def _may_announce(self, now_us: int) -> bool:
        passed_s = max(0, now_us - self._allowed_us) / 1e6
        self._allowance = min(ANNOUNCED_PER_S, self._allowance + passed_s * ANNOUNCED_PER_S)
        self._allowed_us = now_us
        if self._allowance < 1.0:
            return False
        self._allowance -= 1.0
        return True

    @staticmethod
    def _notice_unit(batch: Batch, delivery: Delivery, arrived: Arrived) -> Seen:
        unit, name = arrived.unit, arrived.name
        seen = batch.units.get(unit)
        if seen is None:
            seen = batch.units[unit] = Seen()
        lost = name == "unit.status" and arrived.message.data.state is UnitState.LOST
        # A retained status was said some time ago, and a last will by the broker: neither is a sign of life.
        if not lost and not delivery.retained:
            seen.last_seen_us = max(seen.last_seen_us or 0, arrived.received_us)
        if name == "unit.status":
            seen.status = arrived.text
        elif name == "unit.telemetry":
            seen.telemetry = arrived.text
        return seen

    def _take_number(self, seen: Seen, arrived: Arrived) -> None:
        number: int | None = getattr(arrived.message.data, "sequence", None)
        if number is not None:
            sequence = self._sequences.get(arrived.unit)
            if sequence is None:
                sequence = self._sequences[arrived.unit] = Sequence()
            if sequence.take(number):
                seen.gaps = sequence.gaps
            seen.next_sequence = sequence.next

    def _sealed(self, sightings: Several[Arrived]) -> _SealedById:
        """What is kept of sightings to which somebody has consented and whose tags their units may read, by the ids of the messages."""
        if not sightings:
            return {}
        wearers, lists = self._store.consents.wearers(), self._commands.lists()
        found = {
            each.id: wearers.seal(each.message, each.text)
            for each in sightings
            if each.message.data.tag in self._allowed or lists.allow(each.unit, each.message.data.tag, each.time_us)
        }
        return {id_: kept for id_, kept in found.items() if kept is not None}

    def _correlate(self, batch: Batch, seen: Seen, arrived: Arrived, lost: set[str]) -> Arrived:
        unit, time_us = arrived.unit, arrived.time_us
        too_late = self._lateness.too_late(unit, time_us) or (arrived.name in lost and time_us < self._mind.since_us)
        seen.newest_us = self._lateness.newest_us[unit]
        if too_late:
            batch.counts["too_late"] += 1
            return arrived._replace(too_late=True)
        self._correlator.add(arrived.message)
        self._clock.see(time_us, arrived.received_us)
        self._reported_us[unit] = arrived.received_us
        return arrived

    def _known(self, arrived: Iterable[Arrived], sealed: _SealedById) -> set[str]:
        """Under which ids of these the store has something already; of a sealed message, the id that hides its own."""
        by_table: dict[str, list[str]] = {}
        for each in arrived:
            if each.name not in _LAST_ONE_COUNTS:
                ids = by_table.setdefault("event" if each.name in EVENT_TYPES else each.name, [])
                ids.append(sealed[each.id][1].id if each.id in sealed else each.id)
        return {each for name, ids in by_table.items() for each in self._store.known(name, ids)}

    def _news_of_clocks(self, batch: Batch, now_us: int) -> dict[str, float]:
        found = self._correlator.wrong_clocks()
        for unit, off_s in found.items():
            seen = batch.units.setdefault(unit, Seen())
            seen.clock_off_s, seen.clock_found_us = off_s, now_us
        news = {unit: off_s for unit, off_s in found.items() if abs(off_s - self._clocks_off_s.get(unit, 0.0)) > CLOCK_NEWS_S}
        self._clocks_off_s |= news
        return news

    # --- time and memory ------------------------------------------------------------------------------------------------------

    def _advance(self, batch: Batch, now_us: int) -> None:
        reached_us = self._clock.at(now_us)
        if reached_us is not None:
            self._correlator.advance(reached_us)
        changes = self._recalled | {change.id: change for change in self._correlator.changes()}
        self._recalled = {}
        batch.incidents = list(changes.values())

    def _remember(self, arrived: Iterable[Arrived]) -> set[str]:
        """Fetches back from the store what these may belong to, where it has been forgotten.

        Returns:
            The types of which that is more than can be held in mind.
        """
        old: dict[str, list[int]] = {}
        for each in arrived:
            if each.time_us < self._mind.since_us and not self._lateness.is_late(each.unit, each.time_us):
                old.setdefault(each.name, []).append(each.time_us)
        lost = set()
        for name, spans in self._mind.lacking(old).items():
            if self._store.count({name: spans}) > self._most_events - len(self._correlator):
                lost.add(name)
                continue
            self._recall(self._store.history({name: spans}), self._correlator.clock_us or 0)
            self._mind.fetched(name, spans)
        return lost

    def _recall(self, messages: Iterable[Envelope[Any]], clock_us: int) -> None:
        """Adds messages from the store, and makes the correlator say what comes of them alone, so that it knows what has been said."""
        for message in messages:
            self._correlator.add(message)
        self._correlator.advance(clock_us)
        self._recalled |= {change.id: change for change in self._correlator.changes()}

    def forget(self, now_us: int) -> int:
        """Lets go of what no message in due time can change any more; returns how many events.

        Of a unit that was cut off and now delivers what it has kept, what is near to that in time is held until it has caught up. Where
        too much happens for all that to be in mind, nothing older than a minute is, but for open incidents.
        """
        reached_us = self._clock.at(now_us)
        if reached_us is None:
            return 0
        bound_us = int(self._bound_s * 1e6)
        active = [self._lateness.newest_us[name] for name, reported_us in self._reported_us.items() if now_us - reported_us < _ACTIVE_US]
        behind = [newest_us for newest_us in active if newest_us < reached_us - bound_us]
        kept = {name: merged(around(name, newest_us - bound_us, newest_us) for newest_us in behind) for name in PHYSICS}
        in_time = (newest_us for newest_us in active if newest_us >= reached_us - bound_us)
        forgotten = self._let_go(min((reached_us, *in_time)) - bound_us, kept)
        if len(self._correlator) > self._most_events // (2 if self.crowded else 1):
            # In less time it cannot be seen that there would be room again.
            self._crowded_until_us = now_us + bound_us
        self.crowded = now_us < self._crowded_until_us
        if self.crowded:
            forgotten += self._let_go(reached_us - int(CROWDED_S * 1e6), {})
        self._lateness.tighten(CROWDED_S if self.crowded else self._bound_s)
        return forgotten

    def _let_go(self, since_us: int, kept: Spans) -> int:
        self._mind.let_go(since_us, kept)
        return self._correlator.forget(self._mind.since_us, kept)

    @property
    def full(self) -> bool:
        """Whether there is more in mind than there is room for."""
        return len(self._correlator) > self._most_events

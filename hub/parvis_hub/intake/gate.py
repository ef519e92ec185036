"""The gate: what is a message of this site, and what is refused, with the reason. Pure."""

from __future__ import annotations

import hashlib
from typing import Any

from parvis_contract import (
    EVENT_TYPES,
    FROM_HUB,
    MESSAGES,
    Envelope,
    RefusalReason,
    Refused,
    Rejected,
    Site,
    UnitTopic,
    hub_source,
    make_message,
    parse_message,
    to_datetime,
    to_posix_s,
    unit_source,
)

#: A message's time may be ahead of the hub's by this, for a hub whose own clock is slow, and by three times what the unit's clock
#: says that it may be wrong, up to a bound: a clock that may be a day wrong is no reason to believe in tomorrow.
AHEAD_S, AHEAD_SIGMAS, MOST_AHEAD_S = 60.0, 3.0, 1_200.0
#: A clock without battery starts in 1970 or at its last use. What a unit has kept for longer than this is no news any more.
BEHIND_S = 366 * 86_400.0
#: What is judged by its time. A unit whose clock is wrong may still say how it is.
_TIMED = frozenset((*EVENT_TYPES, "flow.count", "tag.sighting", "evidence.plate"))

#: The rest of the topic of each message of a unit.
_WITHIN = {name: str(UnitTopic.of("", "", name)).removeprefix(str(UnitTopic("", "", ""))) for name in MESSAGES if name not in FROM_HUB}


class Gate:
    """Lets in what is of the contract, from a unit of the site plan, from that unit's own topic, and of a time that can be."""

    def __init__(self, site: Site) -> None:
        self._site = site
        #: Where each unit publishes, by what it says of its source.
        self._branches = {unit_source(site.site, unit): str(UnitTopic(site.site, unit, "")) for unit in site.units}

    def admit(self, topic: str, payload: bytes, received_s: float, latest_s: float = 0.0) -> Envelope[Any]:
        """Reads a message that came by a topic.

        Args:
            topic: As the broker gave it.
            payload: Anything.
            received_s: When it came, POSIX seconds.
            latest_s: When it may have come, where the time is in doubt: what may be right is not refused.

        Raises:
            Refused: With the reason.
        """
        try:
            message = parse_message(payload)
        except Refused:
            # What is wrong with where it came is said before what is wrong with it.
            self._place(topic)
            raise
        branch = self._branches.get(message.source)
        if branch is None or topic != branch + _WITHIN[message.name]:
            self._place(topic).check(message)
        self._check_time(message, received_s, latest_s)
        return message

    def _place(self, topic: str) -> UnitTopic:
        """Whose branch of the site a topic is in; raises Refused if in nobody's."""
        place = UnitTopic.parse(topic)
        if place.site != self._site.site:
            raise Refused(RefusalReason.WRONG_TOPIC, f"this hub is of the site {self._site.site}")
        if place.unit not in self._site.units:
            raise Refused(RefusalReason.UNKNOWN_UNIT, "the site plan has no such unit")
        return place

    def admit_line(self, line: bytes) -> Envelope[Any]:
        """Reads a line of a log, of which neither the topic nor the time of receipt is known.

        Raises:
            Refused: With the reason.
        """
        message = parse_message(line)
        if message.site != self._site.site or message.unit not in self._site.units:
            raise Refused(RefusalReason.UNKNOWN_UNIT, "the site plan has no such unit", "source")
        return message

    def _check_time(self, message: Envelope[Any], received_s: float, latest_s: float) -> None:
        if message.name not in _TIMED:
            return
        at_s = to_posix_s(message.time)
        clock = getattr(message.data, "clock", None)
        sigma_s = clock.uncertainty_ms / 1e3 if clock else 0.0
        if at_s - max(received_s, latest_s) > min(AHEAD_S + AHEAD_SIGMAS * sigma_s, MOST_AHEAD_S):
            raise Refused(RefusalReason.IMPLAUSIBLE_TIME, "later than now", "time")
        if received_s - at_s > BEHIND_S:
            raise Refused(RefusalReason.IMPLAUSIBLE_TIME, "more than a year ago", "time")

    def rejection(self, refused: Refused, topic: str, payload: bytes, received_s: float) -> Envelope[Rejected]:
        """What is said of a refused message: the reason and its digest, nothing of its content."""
        parts = topic.split("/")
        unit = parts[3] if len(parts) > 3 and parts[3] in self._site.units else None
        data = Rejected(
            reason=refused.reason,
            unit=unit,
            field=refused.field,
            size_bytes=len(payload),
            sha256=hashlib.sha256(payload).hexdigest(),
        )
        return make_message("rejected", source=hub_source(self._site.site), time=to_datetime(received_s), data=data)

"""Which event times the correlator has in mind, by type: what is not is fetched from the store before something may join it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from parvis_hub.correlate import whole_hours_us
from parvis_hub.correlate.clocks import HOUR_US
from parvis_hub.correlate.physics import PHYSICS
from parvis_hub.correlate.spans import Span, Spans, common, merged, without


def around(name: str, since_us: int, until_us: int) -> Span:
    """Which events may have to do with one of a type that begins in a span of time.

    Before it, as long as a thing may have been silent and still be the same. After it twice as long: what it may be one with, and what
    that may. What is known of clocks rests on whole hours, and near an hour's beginning on the hour before.

    Args:
        name: Of the type, in short.
        since_us: When the span begins, microseconds since 1970.
        until_us: When it ends.
    """
    physics = PHYSICS[name]
    reach_us = int((physics.stale_s + physics.quiet_s) * 1e6)
    if name == "sound.impulse":
        return whole_hours_us(since_us - reach_us) - HOUR_US, whole_hours_us(until_us + reach_us) + 2 * HOUR_US
    return since_us - reach_us, until_us + 2 * reach_us


class InMind:
    """What is in mind: everything from a time on, and besides what was fetched of earlier times.

    Attributes:
        since_us: From here on all is in mind, with what that has to do with.
    """

    def __init__(self, since_us: int) -> None:
        self.since_us = since_us
        self._fetched: dict[str, list[Span]] = {}

    def lacking(self, times_us: Mapping[str, Sequence[int]]) -> dict[str, list[Span]]:
        """What has to be fetched before events may be added.

        Args:
            times_us: When they were, by type.
        """
        lacking = {}
        for name, several in times_us.items():
            until_us = around(name, self.since_us, self.since_us)[0] if name == "sound.impulse" else self.since_us
            wanted = merged(around(name, time_us, time_us) for time_us in several if time_us < self.since_us)
            spans = without([(since, min(until, until_us)) for since, until in wanted if since < until_us], self._fetched.get(name, ()))
            if spans:
                lacking[name] = spans
        return lacking

    def fetched(self, name: str, spans: Iterable[Span]) -> None:
        """Takes note of what has been fetched of a type."""
        self._fetched[name] = merged([*self._fetched.get(name, ()), *spans])

    def let_go(self, since_us: int, kept: Spans) -> None:
        """Takes note of what is in mind no more.

        Args:
            since_us: From here on all still is; not earlier than it was.
            kept: What of the earlier times is, by type.
        """
        self.since_us = max(self.since_us, since_us)
        self._fetched = {name: left for name, spans in self._fetched.items() if (left := common(spans, kept.get(name, ())))}

"""A watermark per unit: how late an event may come and still count for incidents."""

from __future__ import annotations

from collections.abc import Mapping

from parvis_contract import Site, WatchedZone

#: Network, retries and a unit's own clock stepping a little: ten minutes are far more than any of these, and a unit that was cut off
#: for longer delivers in order afterwards, so that nothing of it is late by its own watermark.
BASE_S = 600.0


def lateness_s(site: Site) -> float:
    """The bound of a site: an event may be so much older than the newest of its own unit.

    An object is reported when it has lain for its zone's time, and bears the time when it was put down: so much later it comes.
    """
    return BASE_S + max((zone.dwell_s for zone in site.zones.values() if isinstance(zone, WatchedZone)), default=0.0)


class Lateness:
    """Knows the newest event time of each unit. Units do not wait for one another: a silent one holds nobody back."""

    def __init__(self, bound_s: float, newest_us: Mapping[str, int] | None = None) -> None:
        """Args: the bound in seconds; and what is known of each unit already."""
        self._bound_us = int(bound_s * 1e6)
        self.newest_us = dict(newest_us or {})

    def tighten(self, bound_s: float) -> None:
        """Sets another bound, in seconds."""
        self._bound_us = int(bound_s * 1e6)

    def is_late(self, unit: str, time_us: int) -> bool:
        """Whether an event's time, microseconds since 1970, is older than the bound allows by what is known."""
        return time_us < self.newest_us.get(unit, time_us) - self._bound_us

    def too_late(self, unit: str, time_us: int) -> bool:
        """Takes note of an event's time, microseconds since 1970, and says whether it is older than the bound allows."""
        self.newest_us[unit] = max(self.newest_us.get(unit, time_us), time_us)
        return self.is_late(unit, time_us)

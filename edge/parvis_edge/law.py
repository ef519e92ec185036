"""The legal gate: what a sense may report here, today, asked before any source is opened. Fails closed. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from parvis_contract import EVENT_TYPES, Refusal, Site

from .capture.source import SenseName


@dataclass(frozen=True, slots=True)
class Permission:
    """What one sense may do.

    Attributes:
        allowed: Short names of the event types (and ``flow.count``, ``tag.sighting``) that it may report; empty: it may not start.
        refusals: Why each of the others may not, by type.
    """

    allowed: frozenset[str]
    refusals: dict[str, Refusal]

    @property
    def reasons(self) -> list[str]:
        """The different reasons: profile's file and line, and what is missing."""
        return list(dict.fromkeys(str(refusal) for refusal in self.refusals.values()))


def permission(site: Site, sense: SenseName, *, recorded: bool, on: date) -> Permission:
    """Asks the site's profile.

    Args:
        site: The site plan.
        sense: Which sense.
        recorded: True if its source is a recording, False if it is live or may be.
        on: Today, where the unit stands.
    """
    allowed = site.law.permitted(sense, on=on, recorded=recorded)
    refusals = {}
    for name, entry in EVENT_TYPES.items():
        refusal = site.law.refusal(sense, name, on=on, recorded=recorded) if sense in entry.senses else None
        if refusal is not None:
            refusals[name] = refusal
    return Permission(allowed, refusals)


def today(site: Site, now: datetime) -> date:
    """The date where the site is."""
    return now.astimezone(ZoneInfo(site.timezone)).date()

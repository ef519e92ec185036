"""Whether a source may be opened at all, asked before it is: the same law as for watching."""

from __future__ import annotations

from datetime import UTC, datetime

from parvis_contract import Site

from parvis_edge.capture.source import SenseName, Source
from parvis_edge.law import permission, today


def why_not(site: Site, unit: str, sense: SenseName, source: Source) -> list[str]:
    """Why a unit's sense may not be fed from a source: the lines of the plan or the profile that say so; empty if it may.

    Args:
        site: The site plan.
        unit: Whose sense; must be in the plan.
        sense: Which.
        source: What from. Nothing of it is opened here.
    """
    senses = site.units[unit].senses
    if sense not in senses:
        return [f"{site.path}: units.{unit}.senses is [{', '.join(senses)}]: this unit has no {sense}"]
    found = permission(site, sense, recorded=source.recorded, on=today(site, datetime.now(UTC)))
    return [] if found.allowed else found.reasons

"""Whether a source may be opened at all, asked before it is: the same law as for watching."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from parvis_contract import Refusal, Site

from parvis_edge.capture.source import SenseName, Source
from parvis_edge.law import permission, today


def why_not(site: Site, unit: str, sense: SenseName, source: Source) -> list[str]:
    """Why a unit's sense may not be fed from a source: what the plan or the profile says, a reason per line of it; empty if it may.

    The line that stands against most types comes first.

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
    if found.allowed:
        return []
    lines: dict[tuple[Path, int], list[Refusal]] = {}
    for refusal in found.refusals.values():
        lines.setdefault((refusal.file, refusal.line), []).append(refusal)
    return [str(same[0]) for same in sorted(lines.values(), key=len, reverse=True)]


def shortened(reasons: list[str]) -> str:
    """The first of several reasons, and how many more there are."""
    first, *others = reasons
    return f"{first} ({len(others)} other lines of it say the same of other types)" if others else first

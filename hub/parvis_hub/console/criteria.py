"""The measure of an incident against its threshold: which threshold applied, and where it is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from parvis_contract import CrowdZone, Incident, LocalMap, LocatedBy, NoiseZone, Site
from shapely.geometry import Point as Place
from shapely.geometry import Polygon

Source = Literal["site_plan", "message", "expected", "baseline"]


@dataclass(frozen=True, slots=True)
class Criterion:
    """One quantity and what it is judged against.

    Attributes:
        quantity: The field of the measure, which ends in its unit.
        observed: What was measured.
        limit: The threshold; for ``expected`` and ``baseline``, what is usual.
        source: Where the limit is written.
        zone: The zones that it is of, or None.
        step, steps: Of a zone with several steps, which one of how many; else None.
    """

    quantity: str
    observed: float
    limit: float
    source: Source
    zone: str | None = None
    step: int | None = None
    steps: int | None = None


#: By type: the quantity, the kind of zone, and the zone's field that is its threshold.
_OF_ZONES: dict[str, tuple[str, str, str]] = {
    "object.unattended": ("dwell_s", "watched", "dwell_s"),
    "zone.intrusion": ("duration_s", "closed", "after_s"),
    "person.on_ground": ("duration_s", "walked", "after_s"),
}


def criteria(incident: Incident, site: Site) -> tuple[Criterion, ...]:
    """What the incident's measures are judged against.

    Where several zones with different thresholds may have been the one, each threshold is given: which of them it was, a message
    does not say.

    Args:
        incident: As it stands.
        site: The site plan, which has most thresholds. A sound's class is decided by the unit's own rules, from more than one number;
            none of them is a threshold that could be shown.
    """
    measure: Any = incident.measure
    match incident.type:
        case "object.unattended" | "zone.intrusion" | "person.on_ground":
            quantity, kind, field = _OF_ZONES[incident.type]
            zones = _zones(incident, site, kind)
            return tuple(_by_limit(quantity, getattr(measure, quantity), {name: getattr(zone, field) for name, zone in zones.items()}))
        case "crowd.density":
            return tuple(_density(measure.density_p_m2, _zones(incident, site, "crowd")))
        case "sound.level":
            names = [name for name, zone in site.zones.items() if isinstance(zone, NoiseZone) and zone.unit in incident.units]
            return (Criterion("laeq_db", measure.laeq_db, measure.limit_db, "message", ", ".join(names) or None),)
        case "level.unusual":
            return (Criterion("observed", measure.observed, measure.expected, "expected"),)
        case "crowd.surge" if measure.speed_m_s is not None and measure.baseline_speed_m_s is not None:
            return (Criterion("speed_m_s", measure.speed_m_s, measure.baseline_speed_m_s, "baseline"),)
        case _:
            return ()


def _zones(incident: Incident, site: Site, kind: str) -> dict[str, Any]:
    """The zones of a kind that the incident may be in: named by it, in its units' pictures, or on the map where it may be."""
    of_kind = {name: zone for name, zone in site.zones.items() if zone.kind == kind}
    named = getattr(incident.measure, "zone", None)
    if named is not None:
        return {named: of_kind[named]} if named in of_kind else {}
    return {
        name: zone
        for name, zone in of_kind.items()
        if zone.unit in incident.units or ((polygon := getattr(zone, "polygon", None)) and _may_be_in(incident, site, polygon))
    }


def _may_be_in(incident: Incident, site: Site, polygon: Sequence[tuple[float, float]]) -> bool:
    plane = LocalMap.around(site.origin)
    area = Polygon([plane.to_m(lon, lat) for lon, lat in polygon])
    place = Place(plane.to_m(incident.position.lon, incident.position.lat))
    # Three sigma; of a unit that is not calibrated, all of its range.
    sigmas = 1.0 if incident.located_by is LocatedBy.UNIT else 3.0
    return bool(area.distance(place) <= sigmas * incident.position.uncertainty_m)


def _by_limit(quantity: str, observed: float, limits: dict[str, float]) -> Iterator[Criterion]:
    for limit in sorted(set(limits.values())):
        names = [name for name, each in limits.items() if each == limit]
        yield Criterion(quantity, observed, limit, "site_plan", ", ".join(names))


def _density(observed: float | None, zones: dict[str, CrowdZone]) -> Iterator[Criterion]:
    if observed is None:
        return
    steps_of: dict[tuple[float, ...], list[str]] = {}
    for name, zone in zones.items():
        steps_of.setdefault(zone.density_steps_p_m2, []).append(name)
    for steps, names in steps_of.items():
        reached = max(1, sum(step <= observed for step in steps))
        yield Criterion("density_p_m2", observed, steps[reached - 1], "site_plan", ", ".join(names), reached, len(steps))

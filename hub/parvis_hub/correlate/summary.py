"""What an incident says of its reports: where, when, how sure, how much."""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from parvis_contract import (
    Ellipse,
    EventData,
    ImpulseClass,
    Incident,
    IncidentPosition,
    IncidentState,
    LocalMap,
    LocatedBy,
    LocatedImpulse,
    Operator,
    Site,
    Verdict,
    derived_id,
)

from .cluster import Cluster
from .course import course
from .locating import Located
from .physics import PHYSICS
from .report import Place, Report

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOBODY = Operator(verdict=Verdict.UNCONFIRMED)
#: However many agree, no machine is certain.
_MOST_CONFIDENT = 0.9999


def incident_id(site: str, cluster: Cluster) -> uuid.UUID:
    """The id of the incident that a cluster is: derived from its first event, and so the same wherever it is computed."""
    if cluster.name is None:
        founder = cluster.founder
        made_s = (founder.id.int >> 80) / 1000.0
        cluster.name = derived_id(made_s, "incident", site, founder.type, str(founder.id), founder.unit)
    return cluster.name


def incident_of(
    cluster: Cluster, site: Site, plane: LocalMap, clock_us: int, *, located: Located | None, before: Incident | None = None
) -> Incident:
    """An incident as it stands.

    Its values come from messages that were checked, and are not checked again: that would be most of what this costs.

    Args:
        cluster: Its reports.
        site: Where it is.
        plane: The map that the reports' places are on.
        clock_us: The event time that the site has reached: what has been quiet for its time by then is closed.
        located: Where it was, of an impulse that can be located.
        before: What it was, if that is known: returned itself where nothing has changed.
    """
    reports = cluster.reports
    kind = cluster.founder.type
    used, place = _where(kind, reports)
    now: dict[str, Any] = {
        "incident": incident_id(site.site, cluster),
        "type": kind,
        "state": state_of(cluster, clock_us),
        "first_observed": _EPOCH + timedelta(microseconds=reports[0].anchor.time_us),
        "last_observed": _EPOCH + timedelta(microseconds=max([report.last.time_us for report in reports])),
        "position": _located(located, plane) if located else _position(place, plane),
        "located_by": LocatedBy.MULTILATERATION if located else _located_by(kind, used, site),
        "units": tuple(sorted({report.unit for report in reports})),
        "events": tuple(dict.fromkeys([report.id for report in reports])),
        "confidence": _pooled(reports),
        "course": course(reports, plane) if PHYSICS[kind].spreads else None,
        "measure": _impulse(reports) if kind == "sound.impulse" else _worst(reports).measure,
        "operator": _NOBODY,
    }
    return before if before is not None and before.__dict__ == now else Incident.model_construct(**now)


def state_of(cluster: Cluster, clock_us: int) -> IncidentState:
    """Whether an incident has been quiet for its time when the site has reached an event time."""
    return IncidentState.CLOSED if closes_us(cluster) <= clock_us else IncidentState.OPEN


def closes_us(cluster: Cluster) -> int:
    """The event time at which an incident is closed if nothing more is heard of it."""
    return max([report.joinable_us for report in cluster.reports])


# --- how sure, how much -------------------------------------------------------------------------------------------------------


def _best_by_unit(reports: Sequence[Report]) -> list[Report]:
    """The most confident report of each unit."""
    if len(reports) == 1:
        return list(reports)
    best: dict[str, Report] = {}
    for report in reports:
        if report.unit not in best or report.data.confidence > best[report.unit].data.confidence:
            best[report.unit] = report
    return [best[unit] for unit in sorted(best)]


def _pooled(reports: Sequence[Report]) -> float:
    """The probability that one at least of the units is right, if they err independently of one another."""
    wrong = math.prod([1.0 - report.data.confidence for report in _best_by_unit(reports)])
    return round(min(_MOST_CONFIDENT, 1.0 - wrong), 4)


def _worst(reports: Sequence[Report]) -> EventData[Any]:
    """What the message says whose measure is shown: the largest; where nothing tells which that is, of the most confident report."""
    if len(reports) == 1:
        return reports[0].worst

    def rank(report: Report) -> tuple[float, float]:
        return (report.worst_rank[0] if report.worst_rank else -math.inf), report.data.confidence

    return max(reversed(reports), key=rank).worst


def _impulse(reports: Sequence[Report]) -> LocatedImpulse:
    """The class by pooled evidence, the level at the loudest."""
    evidence: dict[ImpulseClass, float] = {}
    for report in _best_by_unit(reports):
        sound = report.data.measure.sound_class
        evidence[sound] = evidence.get(sound, 0.0) - math.log(max(1.0 - report.data.confidence, 1.0 - _MOST_CONFIDENT))
    sound_class = max(sorted(evidence), key=lambda sound: round(evidence[sound], 9))
    return LocatedImpulse(sound_class=sound_class, lcpeak_db=max(report.data.measure.lcpeak_db for report in reports))


# --- where --------------------------------------------------------------------------------------------------------------------


def _where(type: str, reports: Sequence[Report]) -> tuple[list[Report], Place]:
    """The reports that a place rests on, and the place."""
    physics = PHYSICS[type]
    if type == "sound.impulse":
        # Unless it can be located: sound reaches the nearest first, so it is somewhere in the range of the unit that heard it first.
        return [reports[0]], reports[0].anchor
    if physics.heard:
        loudest = max(reversed(reports), key=lambda report: float(report.worst.measure.laeq_db))
        return [loudest], loudest.last
    if physics.speed_m_s:
        latest = max(reversed(reports), key=lambda report: (report.last.time_us, -report.last.sigma_m))
        return [latest], latest.last
    if len(reports) == 1:
        return list(reports), reports[0].last
    # One unit's errors are of one calibration, and no smaller for being repeated: each unit counts once.
    best: dict[str, Report] = {}
    for report in reports:
        if report.unit not in best or report.last.sigma_m < best[report.unit].last.sigma_m:
            best[report.unit] = report
    used = [best[unit] for unit in sorted(best)]
    return used, fuse([report.last for report in used])


def fuse(places: Sequence[Place]) -> Place:
    """The mean of independent places, each weighted by the inverse of its variance.

    If they lie farther apart than they say they may, the uncertainty grows by Birge's ratio (Phys. Rev. 40, 207, 1932): by what
    they are wrong about themselves.
    """
    if len(places) == 1:
        return places[0]
    variances = [max(place.sigma_m, 0.1) ** 2 for place in places]
    total = sum(1.0 / variance for variance in variances)
    east_m = sum(place.east_m / variance for place, variance in zip(places, variances, strict=True)) / total
    north_m = sum(place.north_m / variance for place, variance in zip(places, variances, strict=True)) / total
    chi2 = sum(
        ((place.east_m - east_m) ** 2 + (place.north_m - north_m) ** 2) / variance
        for place, variance in zip(places, variances, strict=True)
    )
    birge2 = max(1.0, chi2 / (2 * (len(places) - 1)))
    return Place(max(place.time_us for place in places), east_m, north_m, math.sqrt(birge2 / total))


def _position(place: Place, plane: LocalMap) -> IncidentPosition:
    """Rounded to what means something: a centimetre."""
    lon_deg, lat_deg = plane.to_deg(place.east_m, place.north_m)
    # No zero is negative: equal places are written alike.
    lon, lat = round(lon_deg, 7) + 0.0, round(lat_deg, 7) + 0.0
    return IncidentPosition.model_construct(lon=lon, lat=lat, uncertainty_m=round(place.sigma_m, 2), ellipse=None)


def _located(located: Located, plane: LocalMap) -> IncidentPosition:
    lon_deg, lat_deg = plane.to_deg(located.east_m, located.north_m)
    major_m, minor_m = round(located.semi_major_m, 2), round(located.semi_minor_m, 2)
    bearing_deg = round(located.bearing_deg, 1) % 180.0
    ellipse = Ellipse(semi_major_m=major_m, semi_minor_m=minor_m, bearing_deg=bearing_deg)
    return IncidentPosition(lon=round(lon_deg, 7), lat=round(lat_deg, 7), uncertainty_m=major_m, ellipse=ellipse)


def _located_by(type: str, used: Sequence[Report], site: Site) -> LocatedBy:
    """Whether a calibrated camera, or only a unit's own range, says where."""

    def calibrated(report: Report) -> Any:
        unit = site.units.get(report.unit)
        return unit is not None and unit.ground_plane is not None and report.last.sigma_m < unit.range_m

    seen = not PHYSICS[type].heard
    return LocatedBy.GROUND_PLANE if seen and any(calibrated(report) for report in used) else LocatedBy.UNIT

"""Whether an impulse can be located from what several units heard, and where; remembered, since it is costly and often asked again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import hypot

from parvis_contract import Site

from .physics import speed_of_sound_m_s
from .report import Report

#: Fewer arrivals leave a curve, not a place.
_FEWEST = 3
#: More than these, the earliest, make no place better and every place slower.
_MOST = 12
#: A place that is twice as probable as all others together is told, with an ellipse that reaches to them.
_LIKELY = 2.0 / 3.0
#: An onset is never known better than a few samples.
_LEAST_SIGMA_S = 1e-4

#: A clock is wrong that is off by so many sigmas, of no less than this: a place may be off by a metre or two.
_SIGMAS, _CLEARLY_S = 5.0, 0.004
#: An echo comes no later than this.
_NO_ECHO_S = 0.25

_Heard = tuple[float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class Located:
    """A place with a 1-sigma ellipse: metres on the site's map, the long axis' bearing clockwise from north in [0, 180).

    Attributes:
        late_s: Of each arrival that was used, how much later it was heard than the place says.
        checked: Whether more agree on it than the three that would fit some place whatever they said.
        known_to_m: 1-sigma along the long axis, of this place alone where it is likely, else with the doubt between it and others.
    """

    east_m: float
    north_m: float
    semi_major_m: float
    semi_minor_m: float
    bearing_deg: float
    late_s: tuple[float, ...] = ()
    checked: bool = False
    known_to_m: float = 0.0


def locate(reports: Sequence[Report], site: Site) -> Located | None:
    """Locates an impulse.

    Args:
        reports: Its arrivals, one per unit, in order.
        site: With the units' heights and the air's temperature.

    Returns:
        None where it cannot be located: fewer than three heard it, or what they say leaves it as uncertain as the range of the unit
        that heard it first. That includes two places far apart which explain the arrivals about equally well. Where one of them is
        twice as probable as all others together it is told, and the ellipse holds the others' share of doubt.
    """
    if len(reports) < _FEWEST:
        return None
    heard = tuple(
        (
            report.anchor.east_m,
            report.anchor.north_m,
            site.units[report.unit].height_m if report.unit in site.units else 4.0,
            report.anchor.time_us / 1e6,
            max(report.sigma_us / 1e6, _LEAST_SIGMA_S),
        )
        for report in reports[:_MOST]
    )
    located = _locate(heard, site.temperature_c)
    return located if located is not None and located.known_to_m < reports[0].anchor.sigma_m else None


def wrong_clocks(reports: Sequence[Report], located: Located) -> dict[str, float]:
    """Whose clock is off by more than it says, as seconds by unit.

    Too early is never an echo, and so much too late is none either. Nothing is said where no more than three agree on the place.
    """
    if not located.checked:
        return {}
    wrong = {}
    for report, late_s in zip(reports, located.late_s, strict=False):
        sigma_s = max(report.sigma_us / 1e6, _CLEARLY_S)
        if late_s < -_SIGMAS * sigma_s or late_s > _NO_ECHO_S + _SIGMAS * sigma_s:
            wrong[report.unit] = late_s
    return wrong


@lru_cache(maxsize=4_096)
def _locate(heard: tuple[_Heard, ...], temperature_c: float) -> Located | None:
    # Its imports take a second, which a hub that hears nothing need not wait.
    from .multilateration import SOURCE_HEIGHT_M, Arrival, multilaterate

    places = multilaterate([Arrival(*each) for each in heard], temperature_c=temperature_c)
    if not places:
        return None
    best = places[0]
    # About the most probable place, how far off the sound may be: the other places' share of doubt included.
    xx = xy = yy = 0.0
    for place in places:
        (own_xx, own_xy), (_, own_yy) = place.covariance_m2
        dx, dy = place.x_m - best.x_m, place.y_m - best.y_m
        xx += place.share * (own_xx + dx * dx)
        xy += place.share * (own_xy + dx * dy)
        yy += place.share * (own_yy + dy * dy)
    major_m, minor_m, bearing_deg = replace(best, covariance_m2=((xx, xy), (xy, yy))).ellipse()
    known_to_m = best.ellipse()[0] if best.share >= _LIKELY else major_m
    speed_m_s = speed_of_sound_m_s(temperature_c)
    rise_m = [z_m - SOURCE_HEIGHT_M for _, _, z_m, _, _ in heard]
    late_s = tuple(
        time_s - best.time_s - hypot(x_m - best.x_m, y_m - best.y_m, up_m) / speed_m_s
        for (x_m, y_m, _, time_s, _), up_m in zip(heard, rise_m, strict=True)
    )
    return Located(best.x_m, best.y_m, major_m, minor_m, bearing_deg, late_s, best.checked, known_to_m)

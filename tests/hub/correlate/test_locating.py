"""Whether a place is told: by how likely it is against others, and how well it is known itself."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from parvis_contract import ClockSource, ImpulseClass, LocalMap, Phase, SoundImpulse
from parvis_hub.correlate.explaining import Heard
from parvis_hub.correlate.locating import Located, Locator, _locate
from parvis_hub.correlate.physics import speed_of_sound_m_s
from parvis_hub.correlate.report import Report, rank_of

from tests.hub.city import make_city
from tests.hub.correlate.test_multilateration import AIR_C, heard
from tests.hub.street import START_S

TRUTH_M = (10.0, 40.0)


def located(bend_m: float) -> Located:
    """A shot beside four units in a row, every other one so far off the line."""
    row = [(-60.0, 0.0), (-20.0, bend_m), (20.0, 0.0), (60.0, bend_m)]
    arrivals = heard(TRUTH_M, row)
    found = _locate(
        tuple(
            Heard(f"u{k}", each.x_m, each.y_m, each.time_s, each.sigma_s, free=False, level_db=math.nan) for k, each in enumerate(arrivals)
        ),
        tuple(each.z_m for each in arrivals),
        (),
        AIR_C,
    )
    assert found is not None
    return found


def test_a_place_that_is_twice_as_likely_as_another_is_told_with_the_doubt_between_them() -> None:
    place = located(bend_m=8.0)
    assert (place.east_m, place.north_m) == pytest.approx(TRUTH_M, abs=3.0)
    assert place.known_to_m < 3.0
    # The other place is 400 m away and has a third of the probability.
    assert place.semi_major_m > 100.0


def test_of_two_places_that_are_about_as_likely_none_is_known() -> None:
    place = located(bend_m=0.0)
    assert place.known_to_m == place.semi_major_m > 30.0


def test_clocks_whose_error_is_known_locate_what_they_could_not() -> None:
    city = make_city(3)
    source_m = (city.units[14].place_m[0] + 20.0, city.units[14].place_m[1] + 15.0)
    plane = LocalMap.around(city.site.origin)
    reports, off_s = [], {}
    for number, unit in enumerate(city.near(source_m, 200.0)[:4]):
        # Two of the four follow no other clock.
        source, sigma_ms, wrong_s = (ClockSource.NTP, 1.0, 0.0) if number < 2 else (ClockSource.FREE, 2_000.0, (0.7, -1.2)[number - 2])
        away_m = math.dist(unit.place_m, source_m)
        message = city.say(
            replace(unit, source=source, stated_ms=sigma_ms, sigma_ms=1.0, offset_s=wrong_s),
            "sound.impulse",
            Phase.INSTANT,
            START_S + math.hypot(away_m, 2.6) / speed_of_sound_m_s(city.site.temperature_c),
            SoundImpulse(sound_class=ImpulseClass.GUNSHOT, lcpeak_db=round(150.0 - 20.0 * math.log10(away_m), 1), onset_uncertainty_ms=0.5),
            unit.place_m,
            unit.hears_m,
            0,
        )
        report = Report(message)
        report.take(message, rank_of(message), plane)
        reports.append(report)
        if wrong_s:
            off_s[report] = wrong_s
    reports.sort(key=lambda report: report.order)
    locator = Locator(city.site, {name: plane.to_m(unit.position.lon, unit.position.lat) for name, unit in city.site.units.items()})
    unknown, known = locator.locate(reports, {}), locator.locate(reports, off_s)
    assert unknown is None or unknown.semi_major_m > 20.0
    assert known is not None
    assert (known.east_m, known.north_m) == pytest.approx(source_m, abs=8.0)
    assert known.semi_major_m < 8.0
    assert known.wrong_clocks == {}

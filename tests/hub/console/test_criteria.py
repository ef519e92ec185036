"""The threshold that is shown is the one that applied."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from parvis_contract import (
    EVENT_TYPES,
    AlarmClass,
    CrowdDensity,
    CrowdSurge,
    FurnitureChange,
    FurnitureChanged,
    ImpulseClass,
    Incident,
    IncidentPosition,
    IncidentState,
    LevelOfService,
    LevelQuantity,
    LevelUnusual,
    LocatedBy,
    LocatedImpulse,
    Measure,
    ObjectClass,
    ObjectUnattended,
    Operator,
    PersonOnGround,
    Site,
    SoundAlarm,
    SoundLevel,
    SurfaceMarked,
    TamperCause,
    TrafficWrongWay,
    UnitTampered,
    Verdict,
    ZoneIntrusion,
    load_site,
    new_id,
)
from parvis_hub.console.criteria import Criterion, criteria

from tests.hub.console.hub import at, before_camera, write_plan

NOW = datetime(2026, 6, 21, 18, 4, 5, tzinfo=UTC)

#: One of each type.
MEASURES: dict[str, Measure] = {
    "object.unattended": ObjectUnattended(dwell_s=61.0, area_m2=0.21, nearest_person_m=9.5),
    "furniture.changed": FurnitureChanged(asset="bench-12", changed_fraction=0.8, change=FurnitureChange.MOVED),
    "surface.marked": SurfaceMarked(asset="wall-3", changed_area_m2=0.6, changed_fraction=0.1),
    "crowd.density": CrowdDensity(density_p_m2=3.9, area_m2=320.0, count=1248, los=LevelOfService.F),
    "crowd.surge": CrowdSurge(speed_m_s=4.2, baseline_speed_m_s=1.1, divergence_per_s=0.4, area_m2=200.0),
    "person.on_ground": PersonOnGround(duration_s=12.0),
    "zone.intrusion": ZoneIntrusion(zone="quay-edge", object_class=ObjectClass.PERSON, duration_s=4.0),
    "traffic.wrong_way": TrafficWrongWay(lane="bus-east", object_class=ObjectClass.VEHICLE, heading_error_deg=171.0, speed_m_s=7.2),
    "level.unusual": LevelUnusual(quantity=LevelQuantity.PERSON_COUNT, observed=180.0, expected=40.0, z_score=6.1),
    "sound.impulse": LocatedImpulse(sound_class=ImpulseClass.GUNSHOT, lcpeak_db=131.0),
    "sound.alarm": SoundAlarm(sound_class=AlarmClass.SIREN, laeq_db=81.0, duration_s=9.0),
    "sound.level": SoundLevel(laeq_db=74.2, lafmax_db=88.0, lcpeak_db=101.0, period_s=60.0, limit_db=68.0),
    "unit.tampered": UnitTampered(cause=TamperCause.COVERED),
}


def incident(
    type: str,
    measure: Measure | None = None,
    *,
    unit: str = "u011",
    place_m: tuple[float, float] | None = None,
    uncertainty_m: float = 1.4,
    located_by: LocatedBy = LocatedBy.GROUND_PLANE,
    confidence: float = 0.87,
) -> Incident:
    lon, lat = at(*(place_m or before_camera(18, 1)))
    return Incident(
        incident=new_id(),
        type=type,  # type: ignore[arg-type]
        state=IncidentState.OPEN,
        first_observed=NOW,
        last_observed=NOW,
        position=IncidentPosition(lon=lon, lat=lat, uncertainty_m=uncertainty_m),
        located_by=located_by,
        units=(unit,),
        events=(new_id(),),
        confidence=confidence,
        measure=measure or MEASURES[type],  # type: ignore[arg-type]
        operator=Operator(verdict=Verdict.UNCONFIRMED),
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return write_plan(tmp_path_factory.mktemp("site"))


def judged(site: Site, subject: Incident) -> list[Criterion]:
    return list(criteria(subject, site))


@pytest.mark.parametrize(
    ("type", "more", "expected"),
    [
        ("object.unattended", {}, [Criterion("dwell_s", 61.0, 45.0, "site_plan", "terrace")]),
        ("object.unattended", {"unit": "u017"}, [Criterion("dwell_s", 61.0, 60.0, "site_plan", "hall")]),
        ("object.unattended", {"unit": "u003"}, []),
        ("zone.intrusion", {}, [Criterion("duration_s", 4.0, 0.5, "site_plan", "quay-edge")]),
        ("person.on_ground", {"place_m": (70, 30)}, [Criterion("duration_s", 12.0, 5.0, "site_plan", "esplanade")]),
        ("person.on_ground", {"place_m": (-60, -60)}, []),
        ("crowd.density", {"place_m": (-10, 10)}, [Criterion("density_p_m2", 3.9, 3.5, "site_plan", "square", 2, 3)]),
        ("crowd.surge", {}, [Criterion("speed_m_s", 4.2, 1.1, "baseline")]),
        ("level.unusual", {}, [Criterion("observed", 180.0, 40.0, "expected")]),
        ("sound.level", {"unit": "u003"}, [Criterion("laeq_db", 74.2, 68.0, "message", "kerb")]),
        ("sound.level", {"unit": "u020"}, [Criterion("laeq_db", 74.2, 68.0, "message", None)]),
        ("furniture.changed", {}, []),
        ("surface.marked", {}, []),
        ("traffic.wrong_way", {}, []),
        ("unit.tampered", {}, []),
        ("sound.impulse", {}, []),
    ],
)
def test_the_threshold_of_each_type(site: Site, type: str, more: dict[str, Any], expected: list[Criterion]) -> None:
    assert judged(site, incident(type, **more)) == expected


def test_every_type_is_judged_without_error(site: Site) -> None:
    assert MEASURES.keys() == EVENT_TYPES.keys()
    for name in EVENT_TYPES:
        judged(site, incident(name))


def test_a_place_that_may_lie_in_a_zone_has_its_threshold(site: Site) -> None:
    beside = incident("person.on_ground", place_m=(70, 8), uncertainty_m=1.0)
    assert judged(site, beside) == []
    vague = incident("person.on_ground", place_m=(70, 8), uncertainty_m=3.0)
    assert [each.zone for each in judged(site, vague)] == ["esplanade"]


@pytest.mark.parametrize(("density", "limit", "step"), [(2.1, 2.0, 1), (3.5, 3.5, 2), (9.0, 5.0, 3), (1.2, 2.0, 1)])
def test_of_a_zone_with_steps_the_highest_reached_counts(site: Site, density: float, limit: float, step: int) -> None:
    measure = CrowdDensity(density_p_m2=density, area_m2=320.0, count=500, los=LevelOfService.of(density))
    [criterion] = judged(site, incident("crowd.density", measure, place_m=(-10, 10)))
    assert (criterion.limit, criterion.step, criterion.steps) == (limit, step, 3)


def test_a_density_that_is_not_known_is_judged_against_nothing(site: Site) -> None:
    measure = CrowdDensity(density_p_m2=None, area_m2=None, count=80, los=None)
    assert judged(site, incident("crowd.density", measure, place_m=(-10, 10))) == []


def test_two_zones_with_two_thresholds_are_both_given(tmp_path: Path) -> None:
    plan = write_plan(tmp_path).path
    text = plan.read_text(encoding="utf-8")
    more = "  gate: {kind: watched, unit: u017, image_size: [720, 480], polygon_px: [[0, 0], [9, 0], [9, 9]], dwell_s: 120}\n"
    plan.write_text(text.replace("zones:\n", "zones:\n" + more), encoding="utf-8")
    given = judged(load_site(plan), incident("object.unattended", unit="u017"))
    assert [(each.zone, each.limit) for each in given] == [("hall", 60.0), ("gate", 120.0)]


@pytest.mark.parametrize("name", ["sound.impulse", "sound.alarm"])
def test_a_class_of_sound_has_no_single_threshold_to_be_shown(site: Site, name: str) -> None:
    assert judged(site, incident(name)) == []

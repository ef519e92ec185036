"""The correlator's laws: the order of arrival, repetition and interruption make no difference; and what it says of known streets."""

from __future__ import annotations

import math
import random
import tempfile
import uuid
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from parvis_contract import (
    CrowdSurge,
    Envelope,
    ImpulseClass,
    Incident,
    IncidentState,
    LocatedBy,
    LocatedImpulse,
    ObjectUnattended,
    Phase,
    Site,
    SoundImpulse,
    SoundLevel,
)
from parvis_hub.correlate import Change, Correlator

from tests.hub.street import (
    M_PER_DEG_EAST,
    M_PER_DEG_NORTH,
    START_S,
    Street,
    b_cubed,
    busy_street,
    to_deg,
    unit_name,
    unit_place,
    write_site,
)


@cache
def site() -> Site:
    with tempfile.TemporaryDirectory() as folder:
        return write_site(Path(folder) / "site.yaml")


def follow(said: dict[uuid.UUID, Incident], changes: Iterable[Change]) -> None:
    for change in changes:
        if change.incident is None:
            del said[change.id]
        else:
            assert said.get(change.id) != change.incident, "said again what was said before"
            said[change.id] = change.incident


def incidents(messages: list[Envelope[Any]], *, every: int = 50) -> dict[uuid.UUID, Incident]:
    """What is said in the end, asked after so many messages each time."""
    correlator = Correlator(site())
    said: dict[uuid.UUID, Incident] = {}
    for number, message in enumerate(messages):
        correlator.add(message)
        if number % every == 0:
            follow(said, correlator.changes())
    correlator.advance(round(max(message.time for message in messages).timestamp() * 1e6))
    follow(said, correlator.changes())
    return said


def of(street: Street) -> list[Incident]:
    return sorted(incidents(street.sorted()).values(), key=lambda incident: incident.first_observed)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10_000), shuffle=st.integers(0, 10_000), every=st.integers(25, 90))
def test_neither_order_nor_repetition_makes_a_difference(seed: int, shuffle: int, every: int) -> None:
    messages = busy_street(seed).sorted()
    rng = random.Random(shuffle)
    others = messages + rng.choices(messages, k=len(messages) // 3)
    rng.shuffle(others)
    assert incidents(others, every=every) == incidents(messages)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10_000), shuffle=st.integers(0, 10_000), sigma_s=st.sampled_from([0.1, 3.0, 60.0]))
def test_messages_that_are_a_little_late_make_no_difference(seed: int, shuffle: int, sigma_s: float) -> None:
    messages = busy_street(seed, happenings=20, over_s=120.0).sorted()
    rng = random.Random(shuffle)
    late = sorted(messages, key=lambda message: message.time.timestamp() + rng.expovariate(1 / sigma_s))
    assert incidents(late) == incidents(messages)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10_000), share=st.floats(0, 1))
def test_one_that_begins_again_from_what_was_kept_says_the_same(seed: int, share: float) -> None:
    messages = busy_street(seed).sorted()
    cut = int(share * len(messages))
    kept = messages[:cut]
    random.Random(seed).shuffle(kept)
    assert incidents(kept + messages[cut:], every=37) == incidents(messages)


@pytest.mark.parametrize("seed", range(6))
def test_what_happened_is_told_apart(seed: int) -> None:
    """Things far enough apart in space or time for anybody to tell apart."""
    rng = random.Random(seed)
    street = Street(rng)
    for number in range(12):
        place = (40.0 + 80.0 * (number % 3) + rng.uniform(-15, 15), 40.0 + 80.0 * (number // 3 % 3) + rng.uniform(-15, 15))
        street.thing(START_S + rng.uniform(0, 20) + 400 * (number // 9), place)
        street.shot(START_S + 7.0 * number, place)
    precision, recall = b_cubed(street.truth, [[str(event) for event in incident.events] for incident in of(street)])
    assert precision > 0.98
    assert recall > 0.98


def test_all_phases_of_an_event_are_one_event() -> None:
    street = Street()
    street.thing(START_S, (40.0, 40.0), lasts_s=300.0)
    (incident,) = of(street)
    assert len(incident.units) == 4
    assert set(map(str, incident.events)) == set(street.truth)
    assert incident.state is IncidentState.OPEN
    assert incident.located_by is LocatedBy.GROUND_PLANE
    # Four who each know the place to 1.4 m know it together to half of that.
    assert incident.position.uncertainty_m == pytest.approx(0.7, abs=0.3)
    assert incident.confidence == pytest.approx(1 - 0.2**4)
    assert incident.measure.dwell_s == 300.0  # type: ignore[union-attr]


def test_an_incident_closes_when_it_has_ended_and_been_quiet() -> None:
    street = Street()
    street.alarm(START_S, (40.0, 40.0), lasts_s=20.0)
    correlator = Correlator(site())
    said: dict[uuid.UUID, Incident] = {}
    for message in street.sorted():
        correlator.add(message)
    last_us = round(max(message.time for message in street.messages).timestamp() * 1e6)
    for after_s, state in ((0, IncidentState.OPEN), (29, IncidentState.OPEN), (31, IncidentState.CLOSED)):
        correlator.advance(last_us + after_s * 1_000_000)
        follow(said, correlator.changes())
        assert [incident.state for incident in said.values()] == [state]


def test_an_event_whose_end_never_comes_does_not_stay_open_for_ever() -> None:
    street = Street()
    street.thing(START_S, (40.0, 40.0), ends=False)
    correlator = Correlator(site())
    said: dict[uuid.UUID, Incident] = {}
    for message in street.messages:
        correlator.add(message)
    correlator.advance(round((START_S + 86_400) * 1e6))
    follow(said, correlator.changes())
    assert [incident.state for incident in said.values()] == [IncidentState.CLOSED]


def test_an_earlier_event_that_comes_late_gives_its_name_and_says_what_became_of_the_other() -> None:
    street = Street()
    street.shot(START_S, (40.0, 40.0))
    first, *rest = street.sorted()
    correlator = Correlator(site())
    for message in rest:
        correlator.add(message)
    (before,) = correlator.changes()
    correlator.add(first)
    after = {change.id: change for change in correlator.changes()}
    (new,) = [change for change in after.values() if change.incident is not None]
    assert after[before.id].incident is None
    assert after[before.id].superseded_by == new.id
    assert new.incident is not None
    assert new.incident.events[0] == first.id


def test_one_unit_that_sees_two_things_at_once_has_told_them_apart() -> None:
    street = Street()
    for place in ((40.0, 40.0), (41.5, 40.0)):
        street.thing(START_S, place)
    assert len(of(street)) >= 2


@pytest.mark.parametrize(("apart_s", "things"), [(1.0, 1), (45.0, 2)])
def test_units_that_know_no_more_than_their_range_join_what_began_with_their_own_alone(apart_s: float, things: int) -> None:
    street = Street()
    for index in (0, 1):
        place = (80.0 * index, 0.0)
        measure = ObjectUnattended(dwell_s=60.0, area_m2=None, nearest_person_m=None)
        street.say(f"u00{index}", "object.unattended", Phase.START, START_S + apart_s * index, measure, place, sigma_m=60.0)
    assert [incident.located_by for incident in of(street)] == [LocatedBy.UNIT] * things


@pytest.mark.parametrize(
    ("views", "things"),
    [
        # A unit without calibration, whose range holds both, is no bridge between two things 30 m apart.
        ([((25.0, 30.0), 1.0, 0.0, 300.0), ((55.0, 30.0), 1.0, 40.0, 500.0), ((80.0, 0.0), 60.0, 0.5, 301.0)], [{0, 2}, {1}]),
        # Side by side: what began and ended together is one thing, though the other is nearer.
        ([((40.0, 40.0), 2.0, 0.0, 200.0), ((43.0, 40.0), 2.0, 25.0, 400.0), ((40.5, 40.0), 2.0, 26.0, 401.0)], [{0}, {1, 2}]),
        # Lost from view for some seconds, and found again.
        ([((40.0, 40.0), 1.0, 0.0, 60.0), ((40.5, 40.0), 1.0, 72.0, 300.0)], [{0, 1}]),
        # Taken away, and another put there a few minutes later.
        ([((40.0, 40.0), 1.0, 0.0, 100.0), ((40.5, 40.0), 1.0, 400.0, 600.0)], [{0}, {1}]),
    ],
)
def test_ends_count_as_beginnings_do(views: list[tuple[tuple[float, float], float, float, float]], things: list[set[int]]) -> None:
    street, number = Street(), {}
    for index, (place, sigma_m, began_s, ended_s) in enumerate(views):
        unit = "u001" if sigma_m > 10.0 else "u000" if len(views) == 2 else f"u00{4 + index}"
        measure = ObjectUnattended(dwell_s=60.0, area_m2=0.2, nearest_person_m=None)
        start = street.say(unit, "object.unattended", Phase.START, START_S + began_s, measure, place, sigma_m=sigma_m)
        street.say(unit, "object.unattended", Phase.END, START_S + ended_s, measure, place, sigma_m=sigma_m, event=start)
        number[start.id] = index
    assert [{number[event] for event in incident.events} for incident in of(street)] == things


@pytest.mark.parametrize(("second_m", "things"), [((60.0, 100.0), 1), ((140.0, 40.0), 2)])
def test_a_surge_goes_on_where_its_course_leads(second_m: tuple[float, float], things: int) -> None:
    street = Street()
    for unit, (east_m, north_m), began_s in (("u000", (0.0, 100.0), 0.0), ("u002", second_m, 25.0)):
        measure = CrowdSurge(speed_m_s=2.5, baseline_speed_m_s=1.2, divergence_per_s=0.0, area_m2=80.0)
        start = None
        for step in range(5):
            phase, at_s = (Phase.START, Phase.UPDATE, Phase.UPDATE, Phase.UPDATE, Phase.END)[step], began_s + 2.0 * step
            place = (east_m + 5.0 * step, north_m)
            said = street.say(unit, "crowd.surge", phase, START_S + at_s, measure, place, sigma_m=2.0, event=start)
            start = start or said
    assert len(of(street)) == things


def test_classes_are_pooled_and_the_level_is_the_loudest() -> None:
    street = Street()
    for index, sound, confidence, level_db in ((0, "firework", 0.9, 120.0), (1, "gunshot", 0.8, 131.0), (4, "gunshot", 0.7, 118.0)):
        measure = SoundImpulse(sound_class=ImpulseClass(sound), lcpeak_db=level_db, onset_uncertainty_ms=1.0)
        place = unit_place(index)
        heard_s = START_S + math.dist(place, (30.0, 30.0)) / 340.0
        street.say(unit_name(index), "sound.impulse", Phase.INSTANT, heard_s, measure, place, sigma_m=60.0, confidence=confidence)
    (incident,) = of(street)
    assert incident.measure == LocatedImpulse(sound_class=ImpulseClass.GUNSHOT, lcpeak_db=131.0)
    assert incident.confidence == pytest.approx(1 - 0.1 * 0.2 * 0.3)


def test_a_shot_heard_by_four_is_located_and_one_heard_by_two_is_not() -> None:
    street = Street()
    truth_m = (30.0, 50.0)
    street.shot(START_S, truth_m, within_m=100.0)
    street.shot(START_S + 20, (0.0, -30.0), within_m=90.0)
    located, unlocated = of(street)
    assert located.located_by is LocatedBy.MULTILATERATION
    lon, lat = to_deg(*truth_m)
    error_m = math.hypot((located.position.lon - lon) * M_PER_DEG_EAST, (located.position.lat - lat) * M_PER_DEG_NORTH)
    assert located.position.ellipse is not None
    assert error_m < 3 * located.position.ellipse.semi_major_m < 10.0
    assert len(unlocated.units) == 2
    assert (unlocated.located_by, unlocated.position.ellipse, unlocated.position.uncertainty_m) == (LocatedBy.UNIT, None, 60.0)
    assert (unlocated.position.lon, unlocated.position.lat) == pytest.approx(to_deg(*unit_place(0)), abs=1e-6)


def test_a_clock_that_lies_is_left_out_and_told_of_once() -> None:
    street = Street()
    truth_m = (130.0, 110.0)
    for index in range(16):
        place = unit_place(index)
        heard_s = START_S + math.hypot(math.dist(place, truth_m), 2.6) / 340.27 - (0.3 if index == 5 else 0.0)
        measure = SoundImpulse(sound_class=ImpulseClass.GUNSHOT, lcpeak_db=120.0, onset_uncertainty_ms=1.0)
        street.say(unit_name(index), "sound.impulse", Phase.INSTANT, heard_s, measure, place, sigma_m=250.0)
    correlator = Correlator(site())
    for message in street.messages:
        correlator.add(message)
    (change,) = correlator.changes()
    assert change.incident is not None
    assert change.incident.position.uncertainty_m < 2.0
    assert correlator.wrong_clocks() == {"u005": pytest.approx(-0.3, abs=0.01)}
    assert correlator.wrong_clocks() == {}


def test_a_tampered_unit_is_an_incident_of_its_own() -> None:
    street = Street()
    street.tampered(START_S, 0)
    street.tampered(START_S, 1)
    assert [incident.units for incident in of(street)] == [("u000",), ("u001",)]


def test_what_is_forgotten_is_closed_and_makes_no_difference_to_what_comes() -> None:
    early, late = busy_street(3), busy_street(4, start_s=START_S + 20_000)
    whole = incidents(early.sorted() + late.sorted())
    correlator = Correlator(site())
    said: dict[uuid.UUID, Incident] = {}
    for message in early.sorted():
        correlator.add(message)
    correlator.advance(round((START_S + 15_000) * 1e6))
    follow(said, correlator.changes())
    assert correlator.forget(round((START_S + 15_000) * 1e6)) == len(early.truth)
    assert len(correlator) == 0
    for message in late.sorted():
        correlator.add(message)
        correlator.advance(round(message.time.timestamp() * 1e6))
    follow(said, correlator.changes())
    assert said == whole


def test_a_noise_that_is_over_is_told_by_its_loudest() -> None:
    street = Street()

    def level(laeq_db: float) -> SoundLevel:
        return SoundLevel(laeq_db=laeq_db, lafmax_db=laeq_db + 5, lcpeak_db=laeq_db + 15, period_s=10.0, limit_db=70.0)

    start = street.say("u000", "sound.level", Phase.START, START_S, level(72.0), (0.0, 0.0))
    street.say("u000", "sound.level", Phase.UPDATE, START_S + 10, level(87.8), (0.0, 0.0), event=start)
    street.say("u000", "sound.level", Phase.END, START_S + 20, level(67.6), (0.0, 0.0), event=start)
    (incident,) = of(street)
    assert incident.measure == level(87.8)

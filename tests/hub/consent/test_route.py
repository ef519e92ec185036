"""Routes: known walks on small networks, seen with noise, misreads and gaps."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parvis_contract import (
    ConfigError,
    LocalMap,
    Point,
    Route,
    SightingRefusal,
    derived_id,
    dump_message,
    hub_source,
    make_message,
    to_datetime,
    to_posix_s,
)
from parvis_hub.consent.matching import Sighting, match
from parvis_hub.consent.route import route, seen_stretches, told
from parvis_hub.consent.walkways import Spot, Walkways, load_walkways

from tests.hub.walks import judge

START_S = 1_782_000_000.0
#: A ladder: two long streets, three rungs; and a path of its own that joins nothing.
LADDER = Walkways(
    {
        "south-1": np.array([(0.0, 0.0), (80.0, 0.0)]),
        "south-2": np.array([(80.0, 0.0), (160.0, 0.0)]),
        "north-1": np.array([(0.0, 60.0), (80.0, 60.0)]),
        "north-2": np.array([(80.0, 60.0), (160.0, 60.0)]),
        "west": np.array([(0.0, 0.0), (0.0, 60.0)]),
        "middle": np.array([(80.0, 0.0), (80.0, 60.0)]),
        "east": np.array([(160.0, 0.0), (160.0, 60.0)]),
        "island": np.array([(300.0, 0.0), (400.0, 0.0)]),
    }
)


def walk(corners: list[tuple[float, float]], *, speed_m_s: float = 1.3, noise_m: float = 0.8, seed: int = 0) -> list[Sighting]:
    """Sightings once a second along a line of corners."""
    random = np.random.default_rng(seed)
    places = np.array(corners)
    legs = np.hypot(*np.diff(places, axis=0).T)
    at = np.arange(0.0, legs.sum(), speed_m_s)
    marks = np.concatenate([[0.0], np.cumsum(legs)])
    x = np.interp(at, marks, places[:, 0]) + random.normal(0, noise_m, len(at))
    y = np.interp(at, marks, places[:, 1]) + random.normal(0, noise_m, len(at))
    return [seen(START_S + k, float(x[k]), float(y[k]), sigma_m=max(noise_m, 0.3)) for k in range(len(at))]


def seen(time_s: float, x_m: float, y_m: float, *, sigma_m: float = 0.8, mark: str = "") -> Sighting:
    return Sighting(derived_id(time_s, f"{x_m:.3f}", f"{y_m:.3f}", mark), time_s, x_m, y_m, sigma_m, 0.005)


def taken(answer: Route) -> list[tuple[str, bool]]:
    return [(segment.walkway, segment.observed) for segment in answer.segments]


def test_a_walk_that_is_seen_all_along_is_told_as_it_was() -> None:
    answer = route(5, walk([(10, 0), (80, 0), (80, 60), (150, 60)]), LADDER)
    assert taken(answer) == [("south-1", True), ("middle", True), ("north-2", True)]
    assert answer.coverage > 0.95
    assert answer.refused == ()
    assert all(before.left <= after.entered for before, after in pairwise(answer.segments))


def test_turning_round_in_a_street_is_no_way_out_of_it() -> None:
    answer = route(5, walk([(10, 0), (60, 0), (10, 0)]), LADDER)
    assert taken(answer) == [("south-1", True)]


def test_a_gap_with_one_way_through_is_inferred_and_marked() -> None:
    everywhere = walk([(10, 0), (80, 0), (80, 60), (150, 60)])
    sightings = [each for each in everywhere if each.x_m < 77 or each.x_m > 84]
    assert ("middle", False) in taken(route(5, sightings, LADDER))


def test_a_gap_with_two_ways_through_stays_a_gap() -> None:
    sightings = [
        each for each in walk([(40, 0), (80, 0), (80, 60), (160, 60), (160, 30)]) if each.x_m < 70 or (each.x_m > 155 and each.y_m < 50)
    ]
    answer = taken(route(5, sightings, LADDER))
    assert answer == [("south-1", True), ("east", True)]


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        (seen(START_S + 20.4, 160.0, 30.0), SightingRefusal.DOUBLED_TAG),
        (seen(START_S + 20.0, 36.0, 200.0), SightingRefusal.OFF_NETWORK),
        (seen(START_S + 60.0, 350.0, 0.0), SightingRefusal.NOT_CONNECTED),
        (seen(START_S + 62.0, 160.0, 55.0), SightingRefusal.TOO_FAR),
    ],
)
def test_what_cannot_be_of_the_walk_is_refused_with_its_reason(extra: Sighting, reason: SightingRefusal) -> None:
    answer = route(5, [*walk([(10, 0), (80, 0)]), extra], LADDER)
    assert [(each.id, each.reason) for each in answer.refused] == [(extra.id, reason)]
    assert taken(answer) == [("south-1", True)]


def test_two_tags_of_one_number_do_not_become_one_walker() -> None:
    one = walk([(10, 0), (150, 0)], seed=1)
    other = [seen(each.time_s + 0.3, 5.0 + 0.02 * k, 60.0, mark="other") for k, each in enumerate(one[::3])]
    answer = route(5, one + other, LADDER)
    assert {each.id for each in answer.refused} == {each.id for each in other}
    assert {each.reason for each in answer.refused} == {SightingRefusal.DOUBLED_TAG}


def test_a_unit_without_calibration_says_that_the_tag_was_thereabouts_and_no_more() -> None:
    precise = walk([(10, 0), (80, 0), (80, 60), (150, 60)])
    vague = [seen(each.time_s + 0.5, 100.0, 30.0, sigma_m=60.0) for each in precise]
    assert route(5, [*precise, *vague], LADDER).segments == route(5, precise, LADDER).segments
    assert route(5, vague, LADDER).segments == ()


def test_a_unit_without_calibration_and_far_away_saw_another_tag_of_that_number() -> None:
    far = seen(START_S + 30.0, 600.0, 0.0, sigma_m=40.0)
    answer = route(5, [*walk([(10, 0), (80, 0)]), far], LADDER)
    assert [(each.id, each.reason) for each in answer.refused] == [(far.id, SightingRefusal.DOUBLED_TAG)]


def test_a_lost_tag_that_lies_in_view_does_not_cut_the_walk_in_two() -> None:
    before = walk([(10, 0), (80, 0)])
    lies = [seen(before[-1].time_s + 1 + k, 160.0, 55.0, mark="lies") for k in range(30)]
    after = [replace(each, time_s=each.time_s + 86.0) for each in walk([(80, 0), (80, 60), (10, 60)])]
    answer = route(5, [*before, *lies, *after], LADDER)
    assert {each.id for each in answer.refused} == {each.id for each in lies}
    assert [name for name, _ in taken(answer)] == ["south-1", "middle", "north-1"]


def test_of_a_route_of_days_the_newest_that_fits_in_a_message_is_told() -> None:
    # Round the block for a day, and another tag of that number in view all the while.
    round_ = [(10.0, 0.0), (80.0, 30.0), (40.0, 60.0), (0.0, 30.0)]
    own = [seen(START_S + 60.0 * k, *round_[k % 4]) for k in range(1_500)]
    lies = [seen(START_S + 60.0 * k + 2.0, 350.0, 0.0, mark="lies") for k in range(1_050)]
    answer = route(5, [*own, *lies], LADDER)
    message = make_message("route", source=hub_source("square"), time=answer.segments[-1].left, data=answer)
    assert len(dump_message(message)) > 120_000
    assert answer.segments[-1].left == to_datetime(own[-1].time_s)
    assert answer.refused[-1].id == lies[-1].id


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_arrival_makes_no_difference(random: object) -> None:
    sightings = walk([(10, 0), (80, 0), (80, 60)])
    shuffled = list(sightings)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert route(5, shuffled, LADDER) == route(5, sightings, LADDER)


def test_nobody_seen_has_no_route() -> None:
    answer = route(5, [], LADDER)
    assert (answer.segments, answer.coverage) == ((), 0.0)


def test_random_walks_through_a_city_are_told_right() -> None:
    random = np.random.default_rng(3)
    corners = {(i, j): np.array([i * 70.0 + random.normal(0, 5), j * 70.0 + random.normal(0, 5)]) for i in range(4) for j in range(4)}
    lines = {}
    for (i, j), place in corners.items():
        for other in ((i + 1, j), (i, j + 1)):
            if other in corners:
                lines[f"w{len(lines):03d}"] = np.array([place, corners[other]])
    city = Walkways(lines)
    right = told_count = truth_count = 0
    for seed in range(6):
        steps = [(int(random.integers(4)), int(random.integers(4)))]
        while len(steps) < 9:
            i, j = steps[-1]
            choices = [place for place in ((i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)) if place in corners and place not in steps[-2:]]
            steps.append(choices[int(random.integers(len(choices)))])
        sightings = walk([tuple(corners[step]) for step in steps], seed=seed)
        misreads = [seen(START_S + float(random.uniform(0, len(sightings))), *map(float, random.uniform(0, 210, 2))) for _ in range(3)]
        truth = [
            city.stretches[city.stretch_between(_junction(city, corners[a]), _junction(city, corners[b]))].walkway
            for a, b in pairwise(steps)
        ]
        answer = [segment.walkway for segment in route(1, sightings + misreads, city).segments]
        right += sum(name in truth for name in answer)
        told_count += len(answer)
        truth_count += len(truth)
        assert set(truth) <= set(answer)
    assert right / told_count >= 0.98
    assert right / truth_count >= 0.98


#: Through the square's far corner, seen at its two ends only; and one who is seen all along the near one, time and again.
ENDS_SEEN = [
    each for each in walk([(40, 0), (80, 0), (80, 60), (160, 60), (160, 30)]) if each.x_m < 70 or (each.x_m > 155 and each.y_m < 50)
]
PATROL = walk([(0, 30), (0, 0), (160, 0), (160, 30), (160, 0), (0, 0)] * 4, seed=2)


def test_a_way_where_units_would_have_seen_the_walker_is_none() -> None:
    way = match(ENDS_SEEN, LADDER)
    seen = seen_stretches([way, match(PATROL, LADDER)], LADDER)
    assert taken(told(5, way, LADDER, seen)) == [("south-1", True), ("middle", False), ("north-2", False), ("east", True)]


def test_not_having_been_seen_says_nothing_before_units_have_seen_enough() -> None:
    assert not seen_stretches([match(ENDS_SEEN, LADDER), match(walk([(10, 0), (160, 0), (160, 60)], seed=2), LADDER)], LADDER)


def test_not_having_been_seen_says_nothing_where_units_miss_many() -> None:
    ways = [match(ENDS_SEEN, LADDER), match(PATROL, LADDER)]
    assert seen_stretches(ways, LADDER)
    missed = match([each for each in walk([(10, 0), (160, 0), (160, 40)], seed=3) if each.x_m < 75 or each.y_m > 5], LADDER)
    assert not seen_stretches([*ways, missed, missed, missed], LADDER)


def test_who_was_seen_to_hurry_may_have_hurried_where_nobody_saw() -> None:
    hurrying = walk([(10, 0), (80, 0), (80, 60), (150, 60)], speed_m_s=2.5)
    answer = route(5, [each for each in hurrying if each.x_m < 60 or each.x_m > 100], LADDER)
    assert answer.refused == ()
    assert taken(answer) == [("south-1", True), ("middle", False), ("north-2", True)]


def test_one_reading_in_reach_of_who_is_read_time_and_again_tells_no_walkway() -> None:
    before = walk([(10, 0), (80, 0)])
    after = [
        replace(each, time_s=each.time_s + 140.0, id=derived_id(each.time_s, "after", str(each.id))) for each in walk([(90, 0), (150, 0)])
    ]
    stray = seen(before[-1].time_s + 45.0, 80.0, 40.0)
    answer = route(5, [*before, stray, *after], LADDER)
    assert [name for name, _ in taken(answer)] == ["south-1", "south-2"]
    assert answer.refused == ()


def test_a_lost_tag_that_is_read_without_end_outvotes_no_walker() -> None:
    own = walk([(10, 0), (80, 0)])
    lost = [seen(START_S + 0.4 + 0.75 * k, 160.0, 50.0, mark="lost") for k in range(70)]
    answer = route(5, [*own, *lost], LADDER)
    assert taken(answer) == [("south-1", True)]
    assert {each.id for each in answer.refused} == {each.id for each in lost}


def test_one_sighting_in_a_street_is_enough_to_have_walked_through_it() -> None:
    street, rung = walk([(10, 0), (80, 0), (80, 60), (150, 60)]), walk([(80, 0), (80, 60)])
    once = [street[0], street[30], rung[23], street[-10]]
    once[2] = seen(street[0].time_s + 70 / 1.3 + 23, rung[23].x_m, rung[23].y_m)
    assert taken(route(5, once, LADDER)) == [("south-1", True), ("middle", True), ("north-2", True)]


def test_who_is_seen_every_other_minute_may_have_gone_round_the_block() -> None:
    answer = route(5, [seen(START_S, 40.0, 0.0), seen(START_S + 110, 40.0, 60.0), seen(START_S + 220, 40.0, 0.0)], LADDER)
    assert answer.refused == ()
    assert ("north-1", True) in taken(answer)


def test_who_was_seen_to_walk_did_not_run_to_where_another_tag_of_that_number_is() -> None:
    sightings = walk([(10, 0), (80, 0)])
    far = [seen(sightings[-1].time_s + 60 + k, 160.0, 55.0) for k in range(9)]
    on = [seen(sightings[-1].time_s + 10 + 10 * k, 80.0, 10.0 * (k + 1)) for k in range(5)]
    answer = route(5, [*sightings, *on, *far], LADDER)
    assert {each.id for each in answer.refused} == {each.id for each in far}


def test_there_and_back_on_the_word_of_one_sighting_is_a_misread() -> None:
    sightings = walk([(10, 0), (150, 0)])
    (at,) = (k for k, each in enumerate(sightings) if each.x_m > 80 and sightings[k - 1].x_m <= 80)
    misread = seen(sightings[at].time_s + 0.5, 80.0, 9.0)
    assert taken(route(5, [*sightings, misread], LADDER)) == [("south-1", True), ("south-2", True)]


@pytest.mark.parametrize(("share", "least"), [(1.0, 0.98), (0.8, 0.95)])
def test_walks_through_simulated_cities_are_told_right(share: float, least: float) -> None:
    score = judge(range(2), seen=share)
    assert score.precision >= 0.98
    assert score.recall >= least


def _junction(city: Walkways, place: np.ndarray) -> int:
    return min(range(len(city._junctions)), key=lambda k: float(np.hypot(*(np.array(city._junctions[k]) - place))))


def test_lines_that_cross_without_a_common_vertex_do_not_join() -> None:
    bridge = Walkways({"bridge": np.array([(0.0, 50.0), (100.0, 50.0)]), "street": np.array([(50.0, 0.0), (50.0, 100.0)])})
    assert bridge.between(Spot(0, 10.0), Spot(1, 10.0)) is None
    joined = Walkways({"a": np.array([(0.0, 50.0), (100.0, 50.0)]), "b": np.array([(50.0, 0.0), (50.0, 50.2)])})
    way = joined.between(joined.near(0.0, 50.0, 1.0)[0][0], joined.near(50.0, 0.0, 1.0)[0][0])
    assert way is not None
    assert way.length_m == pytest.approx(100.0, abs=0.5)


PLANE = LocalMap.around(Point(lon=5.37, lat=43.296))


def test_walkways_are_read_from_geojson(tmp_path: Path) -> None:
    line = {"type": "LineString", "coordinates": [[5.37, 43.296], [5.371, 43.296]]}
    path = tmp_path / "walkways.geojson"
    path.write_text(
        json.dumps({"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"id": "w001"}, "geometry": line}]})
    )
    walkways = load_walkways(path, PLANE)
    assert walkways.stretches[0].walkway == "w001"
    assert walkways.stretches[0].length_m == pytest.approx(81.1, abs=0.3)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ("[]", "FeatureCollection"),
        ('{"features": [{"geometry": {"type": "Point", "coordinates": [5, 43]}, "properties": {"id": "a"}}]}', "a: expected a LineString"),
        ('{"features": [{"geometry": {"type": "LineString", "coordinates": [[5, 43], [5, 44]]}, "properties": {}}]}', "expected an `id`"),
        ('{"features": [{"geometry": null}]}', "features.0"),
    ],
)
def test_a_file_that_is_no_network_is_refused_with_the_place(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "walkways.geojson"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        load_walkways(path, PLANE)


def test_times_are_those_of_the_sightings() -> None:
    sightings = walk([(10, 0), (70, 0)])
    (segment,) = route(5, sightings, LADDER).segments
    assert to_posix_s(segment.entered) == pytest.approx(sightings[0].time_s, abs=1e-5)
    assert to_posix_s(segment.left) == pytest.approx(sightings[-1].time_s, abs=1e-5)

"""What runs follows from plan, profile and senses, as a unit decides it; and the digest from all three files."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from parvis_edge.law import permission
from parvis_hub.papers.facts import Facts

from tests.hub.papers.site import CONTROLLER, ON, facts_of

TAGS = ("walkways: walkways.geojson", "tags: {size_m: 0.2}")
BLIND = ("walkways: walkways.geojson", "tags: {size_m: 0.2, retro_reflective: true}")


def told(facts: Facts) -> set[tuple[str, str]]:
    return {(each.name, each.sense) for each in facts.running}


def places(facts: Facts, name: str) -> dict[str, tuple[str, ...]]:
    return {place.name: place.units for each in facts.running if each.name == name for place in each.places}


def test_each_type_runs_where_the_plan_draws_something_for_it(tmp_path: Path) -> None:
    facts = facts_of(tmp_path)
    assert places(facts, "object.unattended") == {"hall": ("u017",), "terrace": ("u011",)}
    # On the map, only the unit whose ground plane is known sees where things are.
    assert places(facts, "crowd.density") == {"square": ("u011",)}
    assert places(facts, "traffic.wrong_way") == {"bus-east": ("u011",)}
    assert places(facts, "furniture.changed") == {"bench-12": ("u011",)}
    assert places(facts, "sound.level") == {"kerb": ("u003",)}
    assert places(facts, "sound.impulse") == {"": ("u003", "u011", "u020")}
    assert places(facts, "surface.marked") == places(facts, "tag.sighting") == {}


@pytest.mark.parametrize(
    ("change", "gone"),
    [
        (("  kerb: {kind: noise, unit: u003, limit_db: 68}\n", ""), {("sound.level", "microphone"), ("level.unusual", "microphone")}),
        (("kind: closed", "kind: walked"), {("zone.intrusion", "camera")}),
        (("  bench-12: {kind: furniture", "  bench-12: {kind: surface"), {("furniture.changed", "camera")}),
        (("limit_db: 68", "limit_db: 68, unusual: null"), {("level.unusual", "microphone")}),
    ],
)
def test_a_change_of_the_plan_is_one_of_what_runs(tmp_path: Path, change: tuple[str, str], gone: set[tuple[str, str]]) -> None:
    before, after = facts_of(tmp_path), facts_of(tmp_path, change)
    assert told(before) - told(after) == gone
    assert before.digest != after.digest


def test_nothing_runs_that_a_unit_would_refuse(tmp_path: Path) -> None:
    for profile in ("lab", "closed-site", "fr-voie-publique"):
        facts = facts_of(tmp_path, profile=profile)
        for sense in ("camera", "microphone"):
            allowed = permission(facts.site, sense, recorded=facts.law.recorded_only, on=ON).allowed
            assert {name for name, with_ in told(facts) if with_ == sense} <= allowed


def test_on_a_public_road_in_france_levels_alone_are_told(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, profile="fr-voie-publique")
    assert told(facts) == {("sound.level", "microphone"), ("unit.tampered", "microphone")}
    assert (facts.senses, facts.cards) == (("microphone",), ())


def test_nothing_runs_once_the_profile_has_ended(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, profile="fr-voie-publique", on=date(2027, 11, 23))
    assert (facts.running, facts.in_force) == ((), False)


def test_a_blind_camera_reads_tags_and_nothing_else(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, BLIND)
    assert {name for name, sense in told(facts) if sense == "camera"} == {"tag.sighting"}
    assert [card.name for card in facts.cards] == ["yamnet"]
    assert ("tag.sighting", "camera") in told(facts_of(tmp_path, TAGS))


def test_the_cards_are_those_of_what_runs(tmp_path: Path) -> None:
    assert {card.name for card in facts_of(tmp_path).cards} == {"nanodet-g-416", "yamnet"}
    deaf = ("senses: [microphone], range_m: 110", "senses: [camera], range_m: 110")
    quiet = ("  kerb: {kind: noise, unit: u003, limit_db: 68}\n", "")
    one_sense = ("senses: [camera, microphone]", "senses: [camera]")
    assert {card.name for card in facts_of(tmp_path, deaf, quiet, one_sense).cards} == {"nanodet-g-416"}


def test_a_unit_has_its_own_share(tmp_path: Path) -> None:
    facts = facts_of(tmp_path)
    assert {each.name for each in facts.at("u020")} == {"sound.impulse", "sound.alarm", "unit.tampered"}
    assert facts.units("camera") == ("u011", "u017")


def test_the_digest_is_of_plan_profile_and_controller_and_not_of_their_spelling(tmp_path: Path) -> None:
    digest = facts_of(tmp_path).digest
    assert facts_of(tmp_path, ("profile: lab\n", "profile:   lab  # a remark\n")).digest == digest
    assert facts_of(tmp_path, on=date(2027, 1, 1)).digest == digest
    assert facts_of(tmp_path, ("limit_db: 68", "limit_db: 69")).digest != digest
    assert facts_of(tmp_path, profile="closed-site").digest != digest
    assert facts_of(tmp_path, controller=CONTROLLER.replace("country: France", "country: Belgique")).digest != digest

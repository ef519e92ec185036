from __future__ import annotations

from typing import Any

import pytest
from parvis_contract import ObjectUnattended
from parvis_edge.analysers.object_unattended import UnattendedObjectAnalyser

from tests.edge.analysers.watching import WHOLE, judged, phases, plan
from tests.edge.vision.rendered import PERSON, SUITCASE, UNKNOWN, Image, Street, UprightDetector

SITE = plan(zones={"hall": {"kind": "watched", "polygon_px": WHOLE, "dwell_s": 8}})


def owner(s: float, leaves_s: float = 6.0) -> list:
    """Walks in, stands beside the place until he leaves, and walks out to the right."""
    x = 60 + 70 * s if s < 3 else 270 if s < leaves_s else 270 + 70 * (s - leaves_s)
    return [(x, 140, x + 36, 260, PERSON)] if x < 640 else []


def thing(s: float, colour: Any, from_s: float = 4.0, until_s: float = 99.0) -> list:
    return [(320, 230, 355, 260, colour)] if from_s <= s < until_s else []


@pytest.mark.parametrize("colour", [SUITCASE, UNKNOWN])
def test_a_thing_left_behind_is_told_after_its_dwell(colour: Any) -> None:
    said = judged(UnattendedObjectAnalyser, SITE, lambda street, s: street.picture(thing(s, colour) + owner(s)), 26)
    ((_, start_s), (_, end_s)) = phases(said)
    # Told while it stands there, and begun when its owner went away from it.
    assert start_s == pytest.approx(6.5, abs=2.5)
    assert end_s == pytest.approx(26.0, abs=0.3)
    measure = said[0].measure
    assert isinstance(measure, ObjectUnattended)
    assert 8.0 <= measure.dwell_s < 9.0
    assert measure.area_m2 is None
    assert measure.nearest_person_m is None


def test_a_named_thing_is_told_with_more_confidence() -> None:
    confidence = {}
    for name, colour in (("named", SUITCASE), ("unknown", UNKNOWN)):
        said = judged(UnattendedObjectAnalyser, SITE, lambda street, s, c=colour: street.picture(thing(s, c) + owner(s)), 22)
        confidence[name] = said[0].confidence
    assert confidence["named"] > confidence["unknown"]


def test_it_ends_when_the_thing_is_taken_away() -> None:
    said = judged(UnattendedObjectAnalyser, SITE, lambda street, s: street.picture(thing(s, UNKNOWN, until_s=22) + owner(s)), 30)
    assert [name for name, _ in phases(said)] == ["start", "end"]
    assert phases(said)[1][1] == pytest.approx(22.0, abs=1.0)


def test_it_ends_when_somebody_comes_to_stand_by_it() -> None:
    def paint(street: Street, s: float) -> Image:
        back = [(min(60 + 60 * (s - 20), 270), 140, min(60 + 60 * (s - 20), 270) + 36, 260, PERSON)] if s >= 20 else []
        return street.picture(thing(s, UNKNOWN) + owner(s) + back)

    said = judged(UnattendedObjectAnalyser, SITE, paint, 36)
    assert [name for name, _ in phases(said)] == ["start", "end"]
    assert 23 <= phases(said)[1][1] <= 32


def test_who_walks_by_does_not_attend_it() -> None:
    def paint(street: Street, s: float) -> Image:
        x = 20 + 80 * (s - 9)
        passer = [(x, 150, x + 36, 275, PERSON)] if 9 <= s < 16 else []
        return street.picture(thing(s, UNKNOWN) + owner(s) + passer)

    (name, start_s), *_ = phases(judged(UnattendedObjectAnalyser, SITE, paint, 24))
    assert name == "start"
    assert start_s < 10


@pytest.mark.parametrize(
    ("name", "things"),
    [
        ("its owner stays", lambda s: thing(s, UNKNOWN) + owner(s, 99)),
        ("somebody stands still", lambda s: [(300, 140, 340, 260, PERSON)] if s > 2 else []),
        ("somebody sits still", lambda s: [(300, 200, 350, 260, PERSON)] if s > 2 else []),
        ("luggage that moves", lambda s: [(60 + 20 * s, 200, 110 + 20 * s, 240, SUITCASE)]),
        ("revealed when something leaves", lambda s: [(320, 230, 355, 260, UNKNOWN)] if s < 5 else []),
        ("as large as a stall", lambda s: [(100, 60, 500, 300, UNKNOWN)] if s > 3 else []),
    ],
)
def test_nothing_is_told(name: str, things: Any) -> None:
    assert judged(UnattendedObjectAnalyser, SITE, lambda street, s: street.picture(things(s)), 24) == [], name


@pytest.mark.parametrize(("length_px", "told"), [(70, True), (115, False)], ids=["a large suitcase", "somebody who lies there"])
def test_what_nobody_recognises_is_a_thing_only_if_it_is_no_longer_than_one(length_px: int, told: bool) -> None:
    def paint(street: Street, s: float) -> Image:
        # Somebody 120 pixels tall walks by, and something that no detector knows stays where he was.
        lies = [(330, 225, 330 + length_px, 258, UNKNOWN)] if s >= 6 else []
        return street.picture(lies + owner(s))

    assert bool(judged(UnattendedObjectAnalyser, SITE, paint, 26)) is told


def passer(s: float) -> list:
    """Somebody who walks by in the background: what tells how large people are."""
    return [(20 + 80 * s, 60, 50 + 80 * s, 160, PERSON)] if s < 7 else []


@pytest.mark.parametrize(
    ("name", "things", "told"),
    [
        ("nobody has seen it before", lambda _: [(330, 230, 390, 258, UNKNOWN)], True),
        ("somebody lies there", lambda _: [(330, 230, 390, 258, PERSON)], False),
        ("among what is theirs", lambda _: [(330, 230, 390, 258, PERSON), (400, 226, 425, 258, UNKNOWN)], False),
    ],
)
def test_who_lies_is_found_by_a_closer_look_and_what_is_beside_them_is_theirs(name: str, things: Any, told: bool) -> None:
    def paint(street: Street, s: float) -> Image:
        return street.picture((things(s) if s >= 3 else []) + passer(s))

    assert bool(judged(UnattendedObjectAnalyser, SITE, paint, 20, UprightDetector())) is told, name


@pytest.mark.parametrize("walks_off", [False, True])
def test_what_appears_where_somebody_was_lost_from_sight_is_that_person_until_seen_to_walk_off(walks_off: bool) -> None:
    def paint(street: Street, s: float) -> Image:
        # Walks in, stands, and crouches: nobody knows him so. He may get up again, and leave what he sat on.
        if s < 6:
            return street.picture(owner(s))
        back = owner(s, 12) if walks_off and s >= 11 else []
        return street.picture([(268, 222, 308, 260, UNKNOWN), *back])

    assert bool(judged(UnattendedObjectAnalyser, SITE, paint, 34)) is walks_off

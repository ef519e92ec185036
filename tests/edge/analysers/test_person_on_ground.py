from __future__ import annotations

from typing import Any

import pytest
from parvis_edge.analysers.person_on_ground import PersonOnGroundAnalyser

from tests.edge.analysers.watching import WHOLE, judged, phases, plan
from tests.edge.vision.rendered import PERSON

SITE = plan(zones={"path": {"kind": "walked", "polygon_px": WHOLE, "after_s": 2}})


def body(s: float, low: tuple[float, float], until_s: float = 99.0) -> list:
    """Walks in and stands until the fifth second, then has another width and height in the same place."""
    x = 60 + 60 * min(s, 4.0)
    width, height = (40, 140) if s < 5 or s >= until_s else low
    return [(x, 300 - height, x + width, 300, PERSON)]


def test_who_falls_and_lies_is_told_until_up_again() -> None:
    said = judged(PersonOnGroundAnalyser, SITE, lambda street, s: street.picture(body(s, (140, 40), 15)), 22)
    (_, start_s), (_, end_s) = phases(said)
    assert start_s == pytest.approx(5.0, abs=1.0)
    assert end_s == pytest.approx(15.0, abs=2.0)


@pytest.mark.parametrize(
    ("name", "low"),
    [("stands", (40, 140)), ("sits on a chair", (60, 105)), ("bends", (80, 95)), ("sits on the ground", (75, 78))],
)
def test_nobody_else_lies(name: str, low: Any) -> None:
    assert judged(PersonOnGroundAnalyser, SITE, lambda street, s: street.picture(body(s, low)), 14) == [], name


def test_who_gets_up_at_once_is_not_told() -> None:
    assert judged(PersonOnGroundAnalyser, SITE, lambda street, s: street.picture(body(s, (140, 40), 6.2)), 12) == []

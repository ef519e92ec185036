from __future__ import annotations

import pytest
from parvis_contract import CrowdDensity
from parvis_edge.analysers.crowd_density import CrowdDensityAnalyser

from tests.edge.analysers.watching import WHOLE, judged, phases, plan
from tests.edge.vision.rendered import PERSON, Image, Street

SITE = plan(zones={"square": {"kind": "crowd", "polygon_px": WHOLE, "area_m2": 4.0, "density_steps_p_m2": [1.0, 2.0]}})


def people(count: int) -> list:
    return [
        (20 + 60 * (index % 10), 40 + 150 * (index // 10), 50 + 60 * (index % 10), 140 + 150 * (index // 10), PERSON)
        for index in range(count)
    ]


@pytest.mark.parametrize(("count", "starts"), [(3, False), (4, True), (9, True)])
def test_a_still_picture_over_its_step_starts_and_ends(count: int, starts: bool) -> None:
    said = judged(CrowdDensityAnalyser, SITE, lambda street, s: street.picture(people(count)) if s == 0 else None, 0.2)
    assert [name for name, _ in phases(said)] == (["start", "end"] if starts else [])
    if starts:
        measure = said[0].measure
        assert isinstance(measure, CrowdDensity)
        assert (measure.count, measure.density_p_m2, measure.area_m2) == (count, count / 4, 4.0)
        assert measure.los is not None
        assert 0.5 <= said[0].confidence <= 1.0


def test_each_step_is_told_and_one_person_more_or_less_is_not() -> None:
    def paint(street: Street, s: float) -> Image:
        count = 2 if s < 12 else (4 if int(s) % 2 else 5) if s < 32 else 9 if s < 52 else 2
        return street.picture(people(count))

    said = judged(CrowdDensityAnalyser, SITE, paint, 80)
    assert [name for name, _ in phases(said)] == ["start", "end"]
    densities = [judgement.measure.density_p_m2 for judgement in said]  # type: ignore[attr-defined]
    assert max(densities) == 9 / 4
    assert densities[-1] == 2 / 4


def test_who_stands_outside_is_not_counted() -> None:
    site = plan(
        zones={
            "square": {
                "kind": "crowd",
                "polygon_px": [[320, 0], [640, 0], [640, 360], [320, 360]],
                "area_m2": 4.0,
                "density_steps_p_m2": [1.0],
            }
        }
    )
    assert judged(CrowdDensityAnalyser, site, lambda street, s: street.picture(people(5)) if s == 0 else None, 0.2) == []

"""What the hub makes of the second city, which was made apart from the first."""

from __future__ import annotations

from statistics import median

from tests.hub.second_city import judge


def test_what_happens_in_a_city_made_apart_is_told_right() -> None:
    score = judge(range(1))
    for kind in ("sound.impulse", "object.unattended", "crowd.surge"):
        ((precision, recall),) = score.grouping[kind]
        assert min(precision, recall) >= 0.98, score.lines()
    assert median(score.errors_m) <= 1.5, score.lines()
    assert sum(error_m <= 5.0 for error_m in score.errors_m) >= 0.9 * len(score.errors_m), score.lines()
    assert sum(score.held) >= 0.9 * len(score.held), score.lines()
    assert score.walkways["right"] >= 0.98 * score.walkways["told"], score.lines()
    assert score.walkways["found"] >= 0.98 * score.walkways["seen"], score.lines()

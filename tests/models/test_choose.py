from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parvis_contract.card import Threshold
from parvis_models.choose import at_threshold, average_precision, best_f1, platt


@pytest.mark.parametrize(
    ("scores", "true", "expected"),
    [
        ([0.9, 0.8, 0.2], [True, True, False], 100.0),
        ([0.9, 0.8, 0.2], [False, True, False], 50.0),
        ([0.9, 0.8, 0.7, 0.6], [True, False, True, False], 100 * (1 + 2 / 3) / 2),
        # A tie is broken against the class.
        ([0.5, 0.5], [True, False], 50.0),
        ([0.5, 0.4], [False, False], None),
    ],
)
def test_average_precision(scores: list[float], true: list[bool], expected: float | None) -> None:
    found = average_precision(np.array(scores), np.array(true))
    assert found == (None if expected is None else pytest.approx(expected))


def test_precision_and_recall_at_a_threshold() -> None:
    scores, true = np.array([0.9, 0.5, 0.4, 0.3]), np.array([True, False, True, True])
    at = at_threshold(scores, true, 4, 0.4)
    assert at.precision == pytest.approx(200 / 3)
    assert at.recall == pytest.approx(50)
    assert at_threshold(scores, true, 4, 0.95).precision is None
    assert at_threshold(scores, ~true & False, 0, 0.4).recall is None


def test_the_threshold_parts_what_can_be_parted() -> None:
    random = np.random.default_rng(0)
    scores = np.concatenate([random.uniform(0.7, 1, 50), random.uniform(0, 0.3, 200)])
    true = np.arange(250) < 50
    assert 0.3 <= best_f1(scores, true, 50) <= 0.7


def test_a_threshold_needs_an_example() -> None:
    with pytest.raises(ValueError, match="without a true example"):
        best_f1(np.array([0.5]), np.array([False]), 0)


def test_a_calibrated_confidence_is_the_share_that_is_true() -> None:
    random = np.random.default_rng(0)
    scores = random.uniform(0.01, 0.99, 20_000)
    true = random.uniform(size=scores.size) < scores**2
    threshold = Threshold(labels=("a",), score=0.5, calibration=platt(scores, true), chosen_on="made up", reason="none")
    for low in (0.3, 0.5, 0.7):
        inside = (scores >= low) & (scores < low + 0.1)
        confidence = np.mean([threshold.confidence(float(score)) for score in scores[inside]])
        assert confidence == pytest.approx(true[inside].mean(), abs=0.04)


@pytest.mark.parametrize("true", [[True, True], [False, False]])
def test_a_calibration_needs_both(true: list[bool]) -> None:
    with pytest.raises(ValueError, match="true and false"):
        platt(np.array([0.2, 0.8]), np.array(true))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=2, max_size=40))
def test_calibration_keeps_the_order_of_scores(pairs: list[tuple[float, bool]]) -> None:
    scores, true = np.array([score for score, _ in pairs]), np.array([one for _, one in pairs])
    if true.all() or not true.any():
        return
    threshold = Threshold(labels=("a",), score=0.5, calibration=platt(scores, true), chosen_on="made up", reason="none")
    confidences = [threshold.confidence(float(score)) for score in np.sort(scores)]
    assert confidences == sorted(confidences)
    assert all(0 <= confidence <= 1 for confidence in confidences)

"""Chooses thresholds, and calibrates scores, on examples that are true or false."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from parvis_contract.card import Calibration
from scipy.optimize import minimize

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: A threshold of its own, or a calibration, is chosen for a class only on so many true examples: fewer would fit their accidents.
LEAST_EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """How a threshold does.

    Attributes:
        precision: Share of what is above it that is true, in per cent; None where nothing is.
        recall: Share of the examples that are above it, in per cent; None where there are none.
    """

    precision: float | None
    recall: float | None


def at_threshold(scores: Floats, true: Bools, examples: int, threshold: float) -> AtThreshold:
    """Precision and recall.

    Args:
        scores: ``(N,)``.
        true: ``(N,)``.
        examples: How many there are to find, those without a score among them.
        threshold: A score equal to it counts.
    """
    above = scores >= threshold
    hits, all_above = int((above & true).sum()), int(above.sum())
    return AtThreshold(100 * hits / all_above if all_above else None, 100 * hits / examples if examples else None)


def best_f1(scores: Floats, true: Bools, examples: int) -> float:
    """The threshold with the largest harmonic mean of precision and recall, rounded down to two places.

    Between two scores, any threshold is as good; F1 is smoothed over neighbouring thresholds (±0.03) so that a single lucky score does not
    decide.

    Args:
        scores: ``(N,)`` in [0, 1].
        true: ``(N,)``.
        examples: How many there are to find.

    Raises:
        ValueError: There is no true example.
    """
    if not true.any():
        raise ValueError("a threshold cannot be chosen without a true example")
    grid = np.round(np.arange(0.05, 0.96, 0.01), 2)
    f1 = np.empty(len(grid))
    for place, threshold in enumerate(grid):
        above = scores >= threshold
        f1[place] = 2 * (above & true).sum() / (above.sum() + examples)
    smooth = np.array([f1[max(0, place - 3) : place + 4].mean() for place in range(len(f1))])
    return float(grid[int(np.argmax(smooth))])


def platt(scores: Floats, true: Bools) -> Calibration:
    """Fits a score's calibration (Platt 1999), with his softened targets, which keep a separable set from giving certainty.

    Args:
        scores: ``(N,)`` in [0, 1].
        true: ``(N,)``.

    Raises:
        ValueError: All are true or all are false.
    """
    positives, negatives = int(true.sum()), int((~true).sum())
    if not positives or not negatives:
        raise ValueError("a calibration needs true and false examples")
    bounded = np.clip(scores, 1e-6, 1 - 1e-6)
    logits = np.log(bounded / (1 - bounded))
    targets = np.where(true, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(parameters: Floats) -> float:
        z = parameters[0] * logits + parameters[1]
        return float(np.mean(np.logaddexp(0, z) - targets * z))

    fitted = minimize(loss, np.array([1.0, 0.0]), method="L-BFGS-B", bounds=[(0.05, 20.0), (-50.0, 50.0)]).x
    return Calibration(slope=round(float(fitted[0]), 3), intercept=round(float(fitted[1]), 3))


def average_precision(scores: Floats, true: Bools) -> float | None:
    """Mean of the precision at each true example, strongest first; ties count as if the false ones came first.

    Args:
        scores: ``(N,)``.
        true: ``(N,)``.

    Returns:
        In per cent; None without a true example.
    """
    if not true.any():
        return None
    order = np.lexsort((true, -scores))
    hits = np.cumsum(true[order])
    precision = hits / np.arange(1, len(order) + 1)
    return float(precision[true[order]].mean() * 100)

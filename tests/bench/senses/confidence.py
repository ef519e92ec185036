"""How often a detection is true that is told with a confidence: people in photographs, each judged by a calibration fitted on the others.

The diagram for what a microphone tells is made by `python -m tests.bench.hearing_variants --reliability`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
from parvis_contract.card import Threshold
from parvis_edge.bundle import load_bundle
from parvis_models.choose import platt
from parvis_models.evaluate import CALIBRATED_FROM
from parvis_models.photographs import Matches, match

from tests.bench.hearing_variants import diagram, reliability
from tests.bench.senses.page import ROOT, table
from tests.bench.senses.position import detected
from tests.bench.senses.score import share

#: The photographs are parted in so many; what one part holds is judged by what was fitted on the rest.
FOLDS = 8
DIAGRAM = ROOT / "docs" / "person-reliability.svg"
COLUMNS = ("confidence said, mean", "true")


def pairs_of(material: Path) -> tuple[list[tuple[float, bool]], list[tuple[float, bool]]]:
    """Confidence and truth of every box of a person: by the calibration in the card, and by those fitted without the photograph."""
    card = load_bundle("nanodet-g-416", threads=1).card
    index, threshold = card.labels.index("person"), card.thresholds["person"]
    photographs, found = detected(material, card.labels)
    each = [match([photograph], [boxes], index) for photograph, boxes in zip(photographs, found, strict=True)]
    by_card, by_others = [], []
    for fold in range(FOLDS):
        rest = Matches.joined([one for number, one in enumerate(each) if number % FOLDS != fold])
        usable = rest.scores >= CALIBRATED_FROM
        fitted = threshold.model_copy(update={"calibration": platt(rest.scores[usable], rest.true[usable])})
        mine = Matches.joined([one for number, one in enumerate(each) if number % FOLDS == fold])
        by_card += _told(threshold, mine)
        by_others += _told(fitted, mine)
    return by_card, by_others


def _told(threshold: Threshold, matches: Matches) -> list[tuple[float, bool]]:
    return [
        (threshold.confidence(float(score)), bool(true))
        for score, true in zip(matches.scores, matches.true, strict=True)
        if score >= threshold.score
    ]


def expected_error(pairs: list[tuple[float, bool]]) -> float:
    """Expected calibration error: the distance of what was said from what was true, over the bins of the diagram."""
    return sum(row["events"] * abs(row["said"] - row["true"]) for row in reliability(pairs)) / len(pairs)


def text(material: Path, *, quick: bool, write: bool, tell: Any) -> str:
    """Measures, and gives the table, and with ``write`` draws; arguments as of `seen.lines`. All photographs always: they are few."""
    del quick
    cv2.setNumThreads(1)
    tell("people in photographs")
    by_card, by_others = pairs_of(material)
    bins = reliability(by_others)
    if write:
        DIAGRAM.write_text(diagram(bins), encoding="utf-8")
    true = sum(true for _, true in by_others)
    told = (
        f"Boxes of people at the threshold or above: {len(by_others)}, of which {true} are true. Expected calibration error: "
        f"{expected_error(by_others):.3f} where each photograph is judged by a calibration fitted without it, "
        f"{expected_error(by_card):.3f} by the one in the card, which was fitted on all of them."
    )
    rows = [(f"{row['said']:.2f}", share(round(row["true"] * row["events"]), round(row["events"]))) for row in bins]
    return f"{told}\n\n{table(COLUMNS, rows)}"

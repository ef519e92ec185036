"""How often somebody who stays still beside their bags is told as a thing, over composed scenes.

Composed (`tests/edge/analysers/sitters.py`) from photographs with ground truth and an empty street, with other people, sizes, bags,
changes of light, noise and compression; a third lie down. The whole of a camera's sense judges them. And of some who walk off without
their bags, how often that is told in time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
from parvis_contract import Phase
from parvis_edge.bundle import load_bundle
from scipy.stats import beta

from tests.bench.report import Row
from tests.edge.analysers.sitters import BEGAN_S, cutouts, empty_street, sittings, told

DEVELOPMENT = Path(__file__).resolve().parents[3] / "shared" / "data" / "dev"
SCENES, PEOPLE = 48, 24
#: So many walk off, at this second; what they leave must be known to be alone so much later.
LEAVERS, LEAVE_S, LATE_S = 12, 16.0, 15.0


def rows() -> Iterator[Row]:
    """Composes and judges; nothing where the material is not there."""
    if not (DEVELOPMENT / "coco").is_dir():
        return
    cv2.setNumThreads(1)
    street, bundle = empty_street(DEVELOPMENT), load_bundle("nanodet-g-416")
    scenes = sittings(cutouts(DEVELOPMENT / "coco", PEOPLE), SCENES)
    for what, some in (
        ("who stay upright", [each for each in scenes if not each.lying]),
        ("who lie down", [each for each in scenes if each.lying]),
    ):
        wrong = sum(bool(told(scene, street, bundle)) for scene in some)
        low, high = (beta.ppf(0.025, wrong, len(some) - wrong + 1) if wrong else 0.0), beta.ppf(0.975, wrong + 1, len(some) - wrong)
        yield Row(f"people {what}: told as a thing, of {len(some)} scenes", float(wrong), "scenes", f"95 %: {low:.2f} to {high:.2f} of all")
    left = [replace(each, leaves_s=LEAVE_S) for each in scenes if each.bags and not each.lying][:LEAVERS]
    found = 0
    for scene in left:
        said_s = [judgement.time_s - BEGAN_S for judgement in told(scene, street, bundle) if judgement.phase is Phase.START]
        # A start has the time from which on the thing was alone.
        found += any(LEAVE_S - 3.0 <= time_s <= LEAVE_S + LATE_S for time_s in said_s)
    low, high = (beta.ppf(0.025, found, len(left) - found + 1) if found else 0.0), beta.ppf(0.975, found + 1, len(left) - found)
    yield Row(
        f"people who walk off without their bags: told in time, of {len(left)}",
        float(found),
        "scenes",
        f"95 %: {low:.2f} to {high:.2f} of all",
    )

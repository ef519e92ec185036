"""How often somebody who stays still beside their bags is told as a thing, and how often what is left behind is, over composed scenes.

Composed (`tests/edge/analysers/sitters.py`) from photographs with ground truth and an empty street, with other people, sizes, bags,
changes of light, noise and compression. The whole of a camera's sense judges them. Takes a quarter of an hour on a core of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
from parvis_edge.bundle import load_bundle

from tests.bench.hearing_variants import wilson
from tests.bench.report import Row
from tests.edge.analysers.sitters import BEGAN_S, LEAVES_S, cutouts, empty_street, leavings, sittings, things, told

DEVELOPMENT = Path(__file__).resolve().parents[3] / "shared" / "data" / "dev"
#: Of each kind.
SCENES = 45
#: What is left behind begins to be alone so long before its owner walks off, at most: where nobody ever found its owner, since it stands.
EARLY_S = 5.0


def rows() -> Iterator[Row]:
    """Composes and judges; nothing where the material is not there."""
    if not (DEVELOPMENT / "coco").is_dir():
        return
    cv2.setNumThreads(1)
    street, bundle = empty_street(DEVELOPMENT), load_bundle("nanodet-g-416", threads=1)
    who = cutouts(DEVELOPMENT / "coco", SCENES)
    for what, lying in (("who stay upright", False), ("who lie down", True)):
        wrong = sum(told(scene, street, bundle) is not None for scene in sittings(who, SCENES, lying=lying))
        yield _row(f"people {what} ({len(who)}): they, or what is beside them, told as a thing", wrong)
    left = things(DEVELOPMENT / "coco")
    first = [told(scene, street, bundle) for scene in leavings(who, left, SCENES)]
    # A scene ends when it would be too late; a start has the time from which on the thing was alone.
    found = sum(each is not None and each.time_s - BEGAN_S >= LEAVES_S - EARLY_S for each in first)
    yield _row(f"things ({len(left)}) whose owner walks off: told within 15 s of the dwell", found)


def _row(what: str, count: int) -> Row:
    low, high = wilson(count, SCENES)
    return Row(f"{what}, of {SCENES} scenes", float(count), "scenes", f"95 %: {low:.2f} to {high:.2f} of all")

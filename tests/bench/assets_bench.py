"""How many changes of listed assets are found, and how often one is made up: on composed scenes, and on clips where nothing changes.

The scenes are composed (`tests/edge/scenes/composed.py`): no real clip shows a bench taken away or a wall being marked. A third of them has
no change of the asset, but everything else: people before it, a bag on it, shadows, rain. Takes about ten minutes on a core of its own.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from parvis_contract import Site, load_site
from parvis_edge.analysers.camera import CameraSense
from parvis_edge.bundle import Bundle, load_bundle
from parvis_edge.perception import Frame, Judgement

from tests.bench.report import Row
from tests.bench.senses.score import rate, share
from tests.edge.scenes.composed import Image, Kind, Truth, composed

TYPES: dict[Kind, str] = {"furniture": "furniture.changed", "surface": "surface.marked"}
#: Scenes with a change and without, of each kind; how long each is, and frames per second: the analysers look once a second, and the
#: detector, which finds the people before an asset, could look more often.
CHANGED, UNCHANGED, SECONDS, RATE_HZ = 15, 10, 110.0, 1.0
#: A change is found if it is told to have begun while it stands, or so little before: it may happen behind somebody who stands there.
APART_S = 5.0
#: How long a change has to stand, in scenes so short.
AFTER_S = 15.0
#: Clips, and places in them where nothing changes: walls, doors, road signs, pillars; as shares of the picture.
CLIPS: dict[str, tuple[tuple[float, float, float, float], ...]] = {
    "abandoned/aboda_video4.avi": ((0.02, 0.05, 0.3, 0.4), (0.6, 0.05, 0.95, 0.35), (0.3, 0.5, 0.6, 0.8)),
    "abandoned/airport_suitcases_moving.mp4": ((0.05, 0.02, 0.4, 0.25), (0.55, 0.02, 0.95, 0.25)),
    "intrusion/one-by-one-person-detection.mp4": ((0.05, 0.05, 0.35, 0.5), (0.6, 0.1, 0.95, 0.6)),
    "traffic/car-detection.mp4": ((0.02, 0.05, 0.3, 0.35), (0.7, 0.05, 0.98, 0.4)),
    "fall/chair_room.mp4": ((0.05, 0.05, 0.4, 0.5), (0.6, 0.3, 0.95, 0.8)),
    "fall/home_cctv.mp4": ((0.05, 0.05, 0.45, 0.4), (0.55, 0.05, 0.95, 0.4)),
    "fall/urfd_fall.mp4": ((0.55, 0.05, 0.95, 0.5),),
}


@dataclass
class Score:
    """What was found on one kind of scene.

    Attributes:
        found, missed: Changes.
        false: Starts that no change explains.
        right: Of furniture found: what became of it was said right.
        watched_s: Time without a change.
        missed_by: What the missed ones were.
    """

    found: int = 0
    missed: int = 0
    false: int = 0
    right: int = 0
    watched_s: float = 0.0
    missed_by: Counter[str] = field(default_factory=Counter)


def site_of(entries: dict[str, Any]) -> Site:
    """A site plan of one camera with these assets."""
    plan = {
        "site": "bench",
        "profile": "lab",
        "origin": {"lon": 5.37, "lat": 43.296},
        "units": {"u1": {"position": {"lon": 5.37, "lat": 43.296}, "senses": ["camera"]}},
        "assets": entries,
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "site.yaml"
        path.write_text(yaml.safe_dump(plan))
        return load_site(path)


def judged(frames: Iterable[tuple[float, Image]], site: Site, bundle: Bundle) -> list[Judgement]:
    """The starts and ends that a camera's sense says of a film; times since its beginning."""
    sense = CameraSense(site, "u1", frozenset(TYPES.values()), bundle)
    said = [each for time_s, image in frames for each in sense.process(Frame(1.7e9 + time_s + 0.01, image))]
    return [each for each in said if isinstance(each, Judgement)]


def scored(kind: Kind, material: Path, bundle: Bundle) -> Score:
    """Over all scenes of a kind."""
    score = Score()
    quiet = ["nothing", "bag"] * (UNCHANGED // 2)
    for seed, change in enumerate([None] * CHANGED + quiet):
        frames, truth = composed(material, kind, seed, change=change, seconds=SECONDS, rate_hz=RATE_HZ)
        sys.stderr.write(f"\r{kind}: scene {seed + 1} of {CHANGED + UNCHANGED}")
        _count(score, truth, judged(frames, site_of({"asset": _entry(truth)}), bundle))
    return score


def _entry(truth: Truth) -> dict[str, Any]:
    return {"kind": truth.kind, "unit": "u1", "image_size": list(truth.size_px), "polygon_px": truth.polygon_px, "after_s": AFTER_S}


def _count(score: Score, truth: Truth, said: list[Judgement]) -> None:
    starts = [each for each in said if each.phase.value == "start"]
    changes = truth.change not in ("nothing", "bag")
    began_s = truth.changed_s or 0.0
    over_s = SECONDS if truth.undone_s is None else truth.undone_s
    hits = [each for each in starts if changes and began_s - APART_S <= each.time_s - 1.7e9 < over_s]
    score.false += len(starts) - len(hits[:1])
    score.watched_s += began_s if changes else SECONDS
    if not changes:
        return
    score.found += bool(hits)
    score.missed += not hits
    if not hits:
        score.missed_by[f"{truth.change} ({', '.join(f'{name} {value}' for name, value in truth.conditions.items())})"] += 1
    kinds = {"overturned": ("missing", "moved", "altered"), "bent": ("altered",)}.get(truth.change, (truth.change,))
    said_s = [each.measure for each in said if truth.undone_s is None or each.time_s - 1.7e9 < truth.undone_s]
    score.right += bool(hits) and (truth.kind == "surface" or getattr(said_s[-1], "change", None) in kinds)


def on_clips(material: Path, bundle: Bundle) -> tuple[int, float]:
    """False starts, and hours watched (assets times time), on real clips where no asset changes; judged after 5 s, for they are short."""
    false, hours = 0, 0.0
    for name, places in CLIPS.items():
        film = cv2.VideoCapture(str(material / name))
        size = int(film.get(cv2.CAP_PROP_FRAME_WIDTH)), int(film.get(cv2.CAP_PROP_FRAME_HEIGHT))
        entries: dict[str, Any] = {}
        for index, (x0, y0, x1, y1) in enumerate(places):
            corners = [
                [x0 * size[0], y0 * size[1]],
                [x1 * size[0], y0 * size[1]],
                [x1 * size[0], y1 * size[1]],
                [x0 * size[0], y1 * size[1]],
            ]
            for kind in TYPES:
                entries[f"{kind}-{index}"] = {
                    "kind": kind,
                    "unit": "u1",
                    "image_size": list(size),
                    "polygon_px": corners,
                    "after_s": 5.0,
                }
        frames = list(_frames(film))
        starts = [each for each in judged(frames, site_of(entries), bundle) if each.phase.value == "start"]
        false += len(starts)
        hours += len(entries) * frames[-1][0] / 3600
    return false, hours


def _frames(film: cv2.VideoCapture) -> Iterator[tuple[float, Image]]:
    rate_hz, index = film.get(cv2.CAP_PROP_FPS), 0
    while film.grab():
        if int(index / rate_hz * 5.0) != int((index - 1) / rate_hz * 5.0) or index == 0:
            yield index / rate_hz, np.asarray(film.retrieve()[1], np.uint8)
        index += 1


def rows() -> Iterator[Row]:
    """Measures, for `python -m tests.bench assets`."""
    cv2.setNumThreads(1)
    material = Path(__file__).resolve().parents[3] / "shared" / "data" / "dev"
    if not material.is_dir():
        raise SystemExit(f"no material at {material}")
    bundle = load_bundle("nanodet-g-416", threads=1)
    for kind, name in TYPES.items():
        score = scored(kind, material, bundle)
        told, changes = score.found + score.false, score.found + score.missed
        yield Row(f"{name}, composed: recall ({share(score.found, changes)})", score.found / changes, "")
        if kind == "furniture":
            yield Row(f"{name}, composed: of those found, change said right", score.right / max(score.found, 1), "")
        yield Row(f"{name}, composed: precision ({share(score.found, told)})", score.found / max(told, 1), "")
        hours = score.watched_s / 3600
        yield Row(f"{name}, composed: false alarms ({rate(score.false, hours)})", score.false / hours, "an hour")
        for what, count in score.missed_by.items():
            yield Row(f"  missed: {what}", count, "")
    false, hours = on_clips(material, bundle)
    yield Row(f"both, real clips, nothing changes: false alarms ({rate(false, hours)} of an asset)", false / hours, "an hour")

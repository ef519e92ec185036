"""Crowds: surges found and not invented, speed and density against the truth of composed scenes, silence on real clips, and the cost.

The scenes are composed (tests/edge/scenes/crowd.py): no real clip of a surge's onset exists. `python -m tests.bench crowd` takes an hour
on a free core; `python -m tests.bench.crowd_bench 5` takes five seeds of each kind instead of twenty, and prints each scene as it ends.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import yaml
from parvis_contract import CrowdSurge, load_site
from parvis_contract.card import ImageInput
from parvis_edge.analysers.crowd_density import CrowdDensityAnalyser, counted, weighed
from parvis_edge.analysers.crowd_surge import CrowdSurgeAnalyser
from parvis_edge.analysers.view import View
from parvis_edge.bundle import Bundle, load_bundle
from parvis_edge.perception import Frame, Judgement
from parvis_edge.vision.detector import Detector
from parvis_edge.vision.sight import Scene, Sight

from tests.bench.report import Row
from tests.edge.scenes import crowd

MATERIAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "dev"
SEEDS = 20
#: A surge is found if it is told to begin within so long of its beginning.
FOUND_S = 4.0
DENSITIES_P_M2 = (0.5, 1.0, 2.0, 3.5, 5.0)


@dataclass(frozen=True, slots=True)
class Watched:
    """What was said of a film, and what seeing a surge in it took of the processor, per analysed frame."""

    said: list[Judgement]
    cost_ms: float
    analysed: int


def watch(plan: dict[str, Any], size_px: tuple[int, int], film: Iterable[tuple[float, npt.NDArray[np.uint8]]], bundle: Bundle) -> Watched:
    """Puts the surge's analyser before a film."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "site.yaml"
        path.write_text(yaml.safe_dump(plan))
        site = load_site(path)
    sight = Sight(Detector(bundle), bundle.card.thresholds, size_px)
    sight.wants_flow = True
    view = View(site, "u1", size_px, sight.cells, bundle.ref.name)
    analyser = CrowdSurgeAnalyser({name: (zone, view.area(zone)) for name, zone in site.zones.items()}, view)
    said: list[Judgement] = []
    took_s, analysed, time_s = 0.0, 0, 0.0
    for time_s, image in film:
        scene = sight.look(Frame(time_s, image))
        if scene is None:
            continue
        begun = time.process_time()
        said += analyser.judge(scene)
        took_s += time.process_time() - begun
        analysed += 1
    return Watched(said + analyser.finish(time_s), took_s * 1e3 / max(analysed, 1), analysed)


def starts(watched: Watched) -> list[Judgement]:
    """The events that began."""
    return [judgement for judgement in watched.said if judgement.phase.value == "start"]


def density_of(density_p_m2: float, seed: int, bundle: Bundle) -> tuple[float, float, float, float]:
    """A crowd that stands, after a few have walked by: density by both, the truth, the detector's alone, and the stated error, all p/m²."""
    made = crowd.scene(MATERIAL, "standing", seed, density_p_m2=density_p_m2, seconds=12.5, before_s=9.0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "site.yaml"
        path.write_text(yaml.safe_dump(made.plan()))
        site = load_site(path)
    sight = Sight(Detector(bundle), bundle.card.thresholds, crowd.SIZE)
    view = View(site, "u1", crowd.SIZE, sight.cells, bundle.ref.name)
    area = view.area(site.zones["square"])  # type: ignore[arg-type]
    analyser = CrowdDensityAnalyser({"square": (site.zones["square"], area)}, view)  # type: ignore[dict-item]
    both, alone, truth, error = [], [], [], []
    for time_s, image, true in made.play():
        scene: Scene | None = sight.look(Frame(time_s, image))
        if scene is None:
            continue
        analyser.judge(scene)
        if time_s >= crowd.BEGAN_S + 10.6 and (0, 0, *crowd.SIZE) in scene.looked_px:
            count = counted(area, scene)
            people, variance = weighed(*count, analyser._occupancy.crowding(area, scene))
            both.append(people / made.area_m2)
            alone.append(count[0] / made.area_m2)
            error.append(float(np.sqrt(variance)) / made.area_m2)
            truth.append(true.inside / made.area_m2)
    return tuple(float(np.median(values)) if values else float("nan") for values in (both, truth, alone, error))  # type: ignore[return-value]


def clip(path: Path) -> Iterator[tuple[float, npt.NDArray[np.uint8]]]:
    """A real clip, frame by frame."""
    capture = cv2.VideoCapture(str(path))
    rate_hz, index = capture.get(cv2.CAP_PROP_FPS), 0
    while True:
        grabbed, image = capture.read()
        if not grabbed:
            return
        yield 1.7e9 + index / rate_hz, np.asarray(image, np.uint8)
        index += 1


def whole_picture(width: int, height: int) -> dict[str, Any]:
    """A site plan of an uncalibrated unit whose crowd zone is all that it sees."""
    corners = [[0, 0], [width, 0], [width, height], [0, height]]
    return {
        "site": "bench",
        "profile": "lab",
        "origin": {"lon": 5.37, "lat": 43.296},
        "units": {"u1": {"position": {"lon": 5.37, "lat": 43.296}, "senses": ["camera"]}},
        "zones": {"all": {"kind": "crowd", "unit": "u1", "image_size": [width, height], "polygon_px": corners}},
    }


def bare_ms(bundle: Bundle, runs: int = 30) -> float:
    """One run of the detector's model alone, median."""
    card = bundle.card.input
    assert isinstance(card, ImageInput)
    tensor = np.full([side if isinstance(side, int) else 1 for side in card.shape], 114.0, np.float32)
    outputs = [output.name for output in bundle.session.get_outputs()]
    took = []
    for _ in range(runs):
        begun = time.process_time()
        bundle.session.run(outputs, {card.name: tensor})
        took.append(time.process_time() - begun)
    return float(np.median(took)) * 1e3


def rows(seeds: int = SEEDS, log: bool = False) -> Iterator[Row]:
    """The lines."""
    cv2.setNumThreads(1)
    bundle = load_bundle("nanodet-g-416", threads=1)
    yield from _surges(seeds, bundle, log)
    yield from _calm(seeds, bundle, log)
    yield from _densities(max(1, seeds // 4), bundle, log)
    yield from _real(bundle, log)


def _surges(seeds: int, bundle: Bundle, log: bool) -> Iterator[Row]:
    errors: list[float] = []
    costs: list[float] = []
    for name in crowd.SURGES:
        found = 0
        for seed in range(seeds):
            made = crowd.scene(MATERIAL, name, seed)
            truths = []

            def film(made: crowd.Scene = made, truths: list[crowd.Truth] = truths) -> Iterator[tuple[float, npt.NDArray[np.uint8]]]:
                for time_s, image, truth in made.play():
                    truths.append(truth)
                    yield time_s, image

            watched = watch(made.plan(), crowd.SIZE, film(), bundle)
            began_s = crowd.BEGAN_S + (made.surge_s or 0.0)
            hits = [judgement for judgement in starts(watched) if began_s - 0.5 <= judgement.time_s <= began_s + FOUND_S]
            found += bool(hits)
            costs.append(watched.cost_ms)
            if hits and isinstance(hits[0].measure, CrowdSurge) and hits[0].measure.speed_m_s is not None:
                true = [truth.speed_m_s for truth in truths if hits[0].time_s <= truth.time_s <= hits[0].time_s + 0.7]
                errors.append(hits[0].measure.speed_m_s / float(np.median(true)) - 1)
            if log:
                say = [f"{judgement.time_s - crowd.BEGAN_S:.1f} s, {judgement.confidence:.2f}, {judgement.measure}" for judgement in hits]
                _say(name, seed, f"{made.density_p_m2:.2f} p/m2", say or "missed")
        yield Row(f"surge, {name}: found (composed)", found, f"of {seeds}")
    if errors:
        yield Row("surge: speed against the truth, median error", float(np.median(errors)) * 100, "%")
        yield Row("surge: speed against the truth, median size of error", float(np.median(np.abs(errors))) * 100, "%")
    bare = bare_ms(bundle)
    cost = float(np.mean(costs))
    yield Row("surge: cost per analysed frame", cost, "ms", "the bare detector", bare, "at most 1.5 ms", cost <= 1.5)


def _calm(seeds: int, bundle: Bundle, log: bool) -> Iterator[Row]:
    false, hours = 0, 0.0
    for name in crowd.CALM:
        here = 0
        for seed in range(seeds):
            made = crowd.scene(MATERIAL, name, seed)
            watched = watch(made.plan(), crowd.SIZE, ((time_s, image) for time_s, image, _ in made.play()), bundle)
            here += len(starts(watched))
            hours += made.seconds / 3600
            if log:
                _say(name, seed, f"{made.density_p_m2:.2f} p/m2", len(starts(watched)))
        false += here
        yield Row(f"surge, {name}: false (composed)", here, f"of {seeds}")
    yield Row(f"surge: false alarms in {hours:.2f} h of calm composed scenes", false, "")


def _densities(seeds: int, bundle: Bundle, log: bool) -> Iterator[Row]:
    for density in DENSITIES_P_M2:
        found = [density_of(density, seed, bundle) for seed in range(seeds)]
        if log:
            _say("density", density, [tuple(round(value, 2) for value in entry) for entry in found])
        both, truth, alone, error = np.array(found).T
        for what, value in (("by both", both), ("by the detector alone", alone)):
            yield Row(f"density {density}: {what}, median relative error (composed)", float(np.median(value / truth - 1)) * 100, "%")
        yield Row(f"density {density}: truths within twice the stated error", float(np.mean(np.abs(both - truth) <= 2 * error)) * 100, "%")


def _real(bundle: Bundle, log: bool) -> Iterator[Row]:
    false, hours = 0, 0.0
    for path in sorted([*MATERIAL.glob("*/*.mp4"), *MATERIAL.glob("*/*.avi")]):
        capture = cv2.VideoCapture(str(path))
        width, height = (int(capture.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        hours += capture.get(cv2.CAP_PROP_FRAME_COUNT) / capture.get(cv2.CAP_PROP_FPS) / 3600
        capture.release()
        watched = watch(whole_picture(width, height), (width, height), clip(path), bundle)
        false += len(starts(watched))
        if log:
            _say(path.name, starts(watched), f"{watched.cost_ms:.2f} ms")
    yield Row(f"surge: false alarms in {hours:.2f} h of real clips, all of the picture", false, "")


def _say(*what: object) -> None:
    sys.stdout.write(" ".join(map(str, what)) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    for row in rows(int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS, log=True):
        _say(row)

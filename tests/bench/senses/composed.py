"""What no real clip shows, put together of photographs, an empty street and drawn changes: things left, taken, marked; crowds."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import yaml
from parvis_contract import CrowdDensity, load_site
from parvis_edge.analysers.camera import CameraSense
from parvis_edge.bundle import Bundle, load_bundle
from parvis_edge.perception import Frame, Judgement

from tests.bench import assets_bench, crowd_bench, sitters_bench
from tests.bench.senses.score import Score
from tests.edge.analysers import sitters
from tests.edge.scenes import crowd
from tests.edge.scenes.composed import composed

#: A zone's density step, and densities well over and well under it, in people per square metre.
STEP_P_M2 = 2.0
OVER_P_M2, UNDER_P_M2 = (3.5, 5.0), (0.5, 1.0)


def lines(material: Path, *, quick: bool, tell: Any) -> Iterator[list[Score]]:
    """Measures: after each kind of scene, the lines up to there; arguments as of `seen.lines`."""
    cv2.setNumThreads(1)
    bundle = load_bundle("nanodet-g-416", threads=1)
    scores: list[Score] = []
    for what, measure, count in (
        ("people beside bags", lambda n: _sitters(material, bundle, n), 6 if quick else 30),
        ("furniture", lambda n: _assets(material, "furniture", bundle, n), 6 if quick else 24),
        ("surfaces", lambda n: _assets(material, "surface", bundle, n), 6 if quick else 24),
        ("assets of which none changes", lambda _: _unchanged(material, bundle), 1),
        ("surges", lambda n: _surges(material, bundle, n), 1 if quick else 5),
        ("densities", lambda n: _densities(material, bundle, n), 1 if quick else 5),
    ):
        tell(what)
        scores += measure(count)  # type: ignore[no-untyped-call]
        yield scores


def _sitters(material: Path, bundle: Bundle, count: int) -> list[Score]:
    """People who stay beside their bags, which must not be told, and some who walk off without them."""
    street, who = sitters.empty_street(material), sitters.cutouts(material / "coco", count)
    left = sitters.leavings(who, sitters.things(material / "coco"), count)
    # A scene ends when it would be too late.
    gone = (sitters.LEAVES_S - sitters_bench.EARLY_S, sitters.UNTIL_S)
    scores = []
    for what, scenes, truths in (
        ("people who stay upright by bags", sitters.sittings(who, count, lying=False), []),
        ("people who lie by bags", sitters.sittings(who, count, lying=True), []),
        ("things whose owner walks off", left, [gone]),
    ):
        score = Score("object.unattended", f"{what}, {count} scenes", "composed", "light, noise, JPEG varied")
        for scene in scenes:
            first = sitters.told(scene, street, bundle)
            score.add([] if first is None else [(first.time_s - sitters.BEGAN_S, first.confidence)], truths, sitters.UNTIL_S)
        scores.append(score)
    return scores


def _assets(material: Path, kind: Any, bundle: Bundle, count: int) -> list[Score]:
    """Changes of listed assets, and scenes of which a third has none, by the light of the scene, by rain and by coding."""
    name = assets_bench.TYPES[kind]
    by: dict[str, Score] = {}
    for seed in range(count):
        change = (None, None, "nothing" if seed % 2 else "bag")[seed % 3]
        frames, truth = composed(material, kind, seed, change=change, seconds=assets_bench.SECONDS, rate_hz=assets_bench.RATE_HZ)
        one = assets_bench.Score()
        assets_bench._count(one, truth, assets_bench.judged(frames, assets_bench.site_of({"asset": assets_bench._entry(truth)}), bundle))
        for conditions in (
            "all",
            f"light {truth.conditions['light']}",
            truth.conditions["rain"],
            f"coding {truth.conditions['compression']}",
        ):
            score = by.setdefault(conditions, Score(name, "scenes with and without a change", "composed", conditions))
            score.join(
                Score("", "", "composed", "", found=one.found, truths=one.found + one.missed, false=one.false, hours=one.watched_s / 3600)
            )
    return [by[conditions] for conditions in sorted(by)]


def _unchanged(material: Path, bundle: Bundle) -> list[Score]:
    """Walls, doors and signs of real clips, each as furniture and as a surface, that stay as they are."""
    false, hours = assets_bench.on_clips(material, bundle)
    what = f"and `surface.marked`: {len(assets_bench.CLIPS)} clips, no asset changes; hours of an asset"
    return [Score("furniture.changed", what, "real", false=false, hours=hours)]


def _surges(material: Path, bundle: Bundle, count: int) -> list[Score]:
    """Crowds that begin to run, by how, and crowds that do not."""
    surges = [Score("crowd.surge", f"crowds that run {name}", "composed", "light, rain, noise, JPEG varied") for name in crowd.SURGES]
    calm = Score("crowd.surge", "crowds that do not run, a runner, a bus, a shaken camera", "composed", "light, rain, noise, JPEG varied")
    for score, name in (*zip(surges, crowd.SURGES, strict=True), *((calm, name) for name in crowd.CALM)):
        for seed in range(count):
            made = crowd.scene(material, name, seed)
            played = ((time_s, image) for time_s, image, _ in made.play())
            said = crowd_bench.starts(crowd_bench.watch(made.plan(), crowd.SIZE, played, bundle))
            begins = [] if made.surge_s is None else [(made.surge_s - 0.5, made.surge_s + crowd_bench.FOUND_S)]
            score.add([(each.time_s - crowd.BEGAN_S, each.confidence) for each in said], begins, made.seconds)
    return [*surges, calm]


def _densities(material: Path, bundle: Bundle, count: int) -> list[Score]:
    """Crowds that stand, well over a zone's step or well under it."""
    score = Score(
        "crowd.density",
        f"{', '.join(map(str, OVER_P_M2))} people per m² over a step of {STEP_P_M2}; {', '.join(map(str, UNDER_P_M2))} under it",
        "composed",
        "light, rain, noise, JPEG varied",
    )
    for density in (*OVER_P_M2, *UNDER_P_M2):
        for seed in range(count):
            made = crowd.scene(material, "standing", seed, density_p_m2=density, seconds=20.0)
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "site.yaml"
                path.write_text(yaml.safe_dump(made.plan(density_steps_p_m2=[STEP_P_M2])))
                sense = CameraSense(load_site(path), "u1", frozenset({"crowd.density"}), bundle)
            said = [each for time_s, image, _ in made.play() for each in sense.process(Frame(time_s, image))]
            told = [each for each in said if isinstance(each, Judgement) and isinstance(each.measure, CrowdDensity)]
            starts = [(each.time_s - crowd.BEGAN_S, each.confidence) for each in told if each.phase.value == "start"]
            score.add(starts, [(0.0, made.seconds)] if density in OVER_P_M2 else [], made.seconds)
    return [score]

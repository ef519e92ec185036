"""What seeing costs against the bare detector, both in one run, in turns, on one core, in processor time.

Two ratios: the whole of a camera's sense (motion, regions, detector, tracks, background, every analyser) per analysed frame of a
street clip, and per captured frame of an empty scene, each over one run of the bare INT8 model. Decoding of the video is not in it: the
frames are in memory. Run it with ``python -m tests.bench.vision_bench``.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import yaml
from parvis_contract import EVENT_TYPES, Site, load_site
from parvis_contract.card import ImageInput
from parvis_edge.analysers.camera import CameraSense
from parvis_edge.bundle import Bundle, load_bundle
from parvis_edge.perception import Frame

from tests.bench.report import Row

Clip = list[tuple[float, npt.NDArray[np.uint8]]]

#: Material to measure on, if it is there: file, from and to in seconds. The first stretch of each pair is busy, the second empty.
STREET = ("abandoned/aboda_video4.avi", 9.0, 39.0)
EMPTY = ("abandoned/aboda_video4.avi", 3.5, 7.0)
#: A chunk of frames is followed by so many runs of the bare model, so that both see the same machine.
CHUNK_FRAMES, BARE_RUNS = 30, 4


@dataclass(frozen=True, slots=True)
class VisionCost:
    """What was measured; times in milliseconds.

    Attributes:
        bare_ms: One run of the model, median, over both clips.
        street_ms: All of the sense per analysed frame of the street clip, mean.
        empty_ms: All of the sense per captured frame of the empty clip, mean.
        street_ratio: ``street_ms`` over the bare model in the same stretch.
        empty_ratio: ``empty_ms`` over the bare model in the same stretch.
        analysed: Frames of the street clip for which the model was run.
        on: What it was measured on.
    """

    bare_ms: float
    street_ms: float
    empty_ms: float
    street_ratio: float
    empty_ratio: float
    analysed: int
    on: str


def measure(material: Path | None = None, *, bundle: Bundle | None = None) -> VisionCost:
    """Measures both ratios.

    Args:
        material: Folder of recorded material; None, or one without the clips, takes rendered ones.
        bundle: The detector; None loads the shipped one, with one thread.
    """
    cv2.setNumThreads(1)
    bundle = bundle or load_bundle("nanodet-g-416", threads=1)
    recorded = material is not None and (material / STREET[0]).is_file()
    street, empty = (
        (_recorded(material, STREET), _recorded(material, EMPTY)) if recorded and material else (_rendered(20.0, 3), _rendered(6.0, 0))
    )
    street_s, street_bare, sense = _run(street, bundle)
    empty_s, empty_bare, _ = _run(empty * 4 if recorded else empty, bundle, again=len(empty))
    frames = len(empty) * 4 if recorded else len(empty)
    street_ms, empty_ms = street_s * 1e3 / max(sense.analysed, 1), empty_s * 1e3 / frames
    bare = float(np.median(street_bare + empty_bare)) * 1e3
    return VisionCost(
        bare_ms=bare,
        street_ms=street_ms,
        empty_ms=empty_ms,
        street_ratio=street_ms / (float(np.median(street_bare)) * 1e3),
        empty_ratio=empty_ms / (float(np.median(empty_bare)) * 1e3),
        analysed=sense.analysed,
        on=f"{STREET[0]}, {STREET[1]:.0f}–{STREET[2]:.0f} s and {EMPTY[1]}–{EMPTY[2]} s" if recorded else "rendered clips",
    )


def _run(clip: Clip, bundle: Bundle, again: int | None = None) -> tuple[float, list[float], CameraSense]:
    """Seconds that the sense took, and each run of the bare model, in turns."""
    height, width = clip[0][1].shape[:2]
    sense = CameraSense(_site(width, height), "u1", frozenset(EVENT_TYPES), bundle)
    card = bundle.card.input
    assert isinstance(card, ImageInput)
    tensor = np.full([side if isinstance(side, int) else 1 for side in card.shape], 114.0, np.float32)
    outputs = [output.name for output in bundle.session.get_outputs()]
    # The first frame is looked at in full and starts everything: it is not what a stream costs.
    sense.process(Frame(clip[0][0], clip[0][1]))
    for _ in range(3):
        bundle.session.run(outputs, {card.name: tensor})
    sense.analysed = 0
    took_s, bare_s, shift_s = 0.0, [], 0.0
    for index, (time_s, image) in enumerate(clip[1:], start=1):
        if again and index % again == 0:
            shift_s += clip[again - 1][0] - clip[0][0] + 0.1
        begun = time.process_time()
        sense.process(Frame(time_s + shift_s, image))
        took_s += time.process_time() - begun
        if index % CHUNK_FRAMES == 0:
            for _ in range(BARE_RUNS):
                begun = time.process_time()
                bundle.session.run(outputs, {card.name: tensor})
                bare_s.append(time.process_time() - begun)
    return took_s, bare_s, sense


def _site(width: int, height: int) -> Site:
    """A site plan that keeps every analyser busy over the whole picture."""
    whole: dict[str, Any] = {"unit": "u1", "image_size": [width, height], "polygon_px": [[0, 0], [width, 0], [width, height], [0, height]]}
    plan = {
        "site": "bench",
        "profile": "lab",
        "origin": {"lon": 5.37, "lat": 43.296},
        "units": {"u1": {"position": {"lon": 5.37, "lat": 43.296}, "senses": ["camera"]}},
        "zones": {
            "watched": {"kind": "watched", **whole},
            "closed": {"kind": "closed", **whole},
            "walked": {"kind": "walked", **whole},
            "crowd": {"kind": "crowd", "area_m2": 100.0, **whole},
        },
        "lanes": {"lane": {"heading_px": [0, 1], **whole}},
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "site.yaml"
        path.write_text(yaml.safe_dump(plan))
        return load_site(path)


def _recorded(material: Path, stretch: tuple[str, float, float]) -> Clip:
    name, start_s, end_s = stretch
    capture = cv2.VideoCapture(str(material / name))
    rate_hz, clip, index = capture.get(cv2.CAP_PROP_FPS), [], 0
    while True:
        grabbed, image = capture.read()
        if not grabbed or index / rate_hz > end_s:
            return clip
        if index / rate_hz >= start_s:
            clip.append((1.7e9 + index / rate_hz, np.asarray(image, np.uint8)))
        index += 1


def _rendered(seconds: float, walkers: int, rate_hz: float = 25.0, size: Sequence[int] = (720, 480)) -> Clip:
    """A street of grey texture with noise, and upright blocks that walk across it."""
    random = np.random.default_rng(7)
    width, height = size
    ground = cv2.GaussianBlur(random.integers(40, 200, (height, width, 3)).astype(np.uint8), (9, 9), 0)
    clip = []
    for index in range(int(seconds * rate_hz)):
        image = ground.copy()
        for walker in range(walkers):
            x = int((index * (2 + walker) + walker * 200) % (width - 60))
            cv2.rectangle(image, (x, 150 + 60 * walker), (x + 45, 280 + 60 * walker), (30, 30 + 60 * walker, 160), -1)
        noise = random.integers(-3, 4, image.shape)
        clip.append((1.7e9 + index / rate_hz, np.clip(image + noise, 0, 255).astype(np.uint8)))
    return clip


def rows() -> Iterator[Row]:
    """Measures, for `make bench`."""
    folder = Path(__file__).resolve().parents[3] / "shared" / "data" / "dev"
    cost = measure(folder if folder.is_dir() else None)
    street, empty = f"street clip, per analysed frame ({cost.analysed} of them)", "empty scene, per captured frame"
    model = "the bare INT8 model"
    yield Row(street, cost.street_ms, "ms", model, cost.street_ms / cost.street_ratio, "at most 1.5", cost.street_ratio <= 1.5)
    yield Row(empty, cost.empty_ms, "ms", model, cost.empty_ms / cost.empty_ratio, "at most 0.1", cost.empty_ratio <= 0.1)


def main() -> None:
    """Prints both ratios."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    folder = Path(__file__).resolve().parents[3] / "shared" / "data" / "dev"
    cost = measure(folder if folder.is_dir() else None)
    print(f"vision, one core, on {cost.on}")  # noqa: T201
    print(f"  bare INT8 model                     {cost.bare_ms:6.2f} ms")  # noqa: T201
    print(f"  street, per analysed frame ({cost.analysed:4d})   {cost.street_ms:6.2f} ms  = {cost.street_ratio:.2f} of it (at most 1.5)")  # noqa: T201
    print(f"  empty scene, per captured frame     {cost.empty_ms:6.2f} ms  = {cost.empty_ratio:.3f} of it (at most 0.1)")  # noqa: T201


if __name__ == "__main__":
    main()

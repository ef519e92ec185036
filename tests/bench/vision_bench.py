"""What seeing costs against the bare detector, both in one run, in turns, on one core, in processor time.

Per clip: the whole of a camera's sense (motion, regions, detector, tracks, background, every analyser) per analysed frame, or per
captured frame where nothing happens, over one run of the bare INT8 model. After every analysed frame the bare model is run once, so
that both see the same machine; each stretch of frames is held against the model's runs in that stretch. Decoding of the video is not
in it. `python -m tests.bench.vision_bench` prints besides where the time goes. Clips that are not there are left out; without any, a
street is drawn.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from parvis_contract import EVENT_TYPES, Site, load_site
from parvis_contract.card import ImageInput
from parvis_edge.analysers.camera import CameraSense
from parvis_edge.bundle import Bundle, load_bundle
from parvis_edge.perception import Frame

from parvis.material import PEDESTRIANS, cache_folder
from tests.bench.report import Row

DEVELOPMENT = Path(__file__).resolve().parents[3] / "shared" / "data" / "dev"
#: Frames that are held together against the runs of the bare model among them: five seconds' worth.
STRETCH = 25
#: Captured frames of an empty scene to one run of the bare model.
EMPTY_FRAMES = 10
#: What a unit may cost, over one run of the bare model.
PER_ANALYSED, PER_CAPTURED = 1.5, 0.1
BEGAN_S = 1.7e9


@dataclass(frozen=True, slots=True)
class Clip:
    """Something to measure on.

    Attributes:
        what: Is to be seen.
        file: The recording; None draws a street.
        from_s, until_s: The part of it that is taken.
        walkers: In a drawn street.
        repeated: How often the part is played, one after another.
        empty: Nothing happens in it: its cost is counted per captured frame.
    """

    what: str
    file: Path | None
    from_s: float
    until_s: float
    walkers: int = 0
    repeated: int = 1
    empty: bool = False


#: The development clips, and the demonstration's film if it has been fetched.
RECORDED = (
    Clip("calm street", DEVELOPMENT / "abandoned" / "aboda_video4.avi", 9.0, 39.0),
    Clip("people one by one", DEVELOPMENT / "intrusion" / "one-by-one-person-detection.mp4", 0.0, 40.0),
    Clip("road with cars", DEVELOPMENT / "traffic" / "car-detection.mp4", 0.0, 30.0),
    Clip("busy crossing", cache_folder() / PEDESTRIANS.file, 0.0, 25.0),
    Clip("busy hall", DEVELOPMENT / "abandoned" / "airport_suitcases_moving.mp4", 0.0, 20.0),
    Clip("luggage belt, 1280 × 720", DEVELOPMENT / "abandoned" / "carousel_bags.mp4", 0.0, 20.0),
    Clip("empty street", DEVELOPMENT / "abandoned" / "aboda_video4.avi", 3.5, 7.0, repeated=4, empty=True),
)
DRAWN = (Clip("drawn street", None, 0.0, 20.0, walkers=3), Clip("empty drawn street", None, 0.0, 14.0, empty=True))


def clips() -> list[Clip]:
    """What there is to measure on."""
    return [clip for clip in RECORDED if clip.file is not None and clip.file.is_file()] or list(DRAWN)


@dataclass(slots=True)
class Cost:
    """What was measured of a clip.

    Attributes:
        frames: Over which it is spread: analysed ones, or captured ones of an empty scene.
        sense_ms: All of the sense, per frame.
        bare_ms: One run of the bare model, median.
        ratio: The one over the other, stretch by stretch, mean.
        tracks: Things followed at once, mean.
        parts_ms: Of each part, per frame.
    """

    frames: int = 0
    sense_ms: float = 0.0
    bare_ms: float = 0.0
    ratio: float = 0.0
    tracks: float = 0.0
    parts_ms: dict[str, float] = field(default_factory=dict)


class _Watch:
    """Processor time by part: what a part calls counts as its own unless it is a part itself."""

    def __init__(self) -> None:
        self.spent_s: dict[str, float] = defaultdict(float)
        self._inside_s = [0.0]

    def on(self, owner: Any, method: str, part: str) -> None:
        """Times a method of an object from now on."""
        do: Callable[..., Any] = getattr(owner, method)

        def timed(*arguments: Any, **named: Any) -> Any:
            self._inside_s.append(0.0)
            begun_s = time.process_time()
            try:
                return do(*arguments, **named)
            finally:
                took_s = time.process_time() - begun_s
                self.spent_s[part] += took_s - self._inside_s.pop()
                self._inside_s[-1] += took_s

        setattr(owner, method, timed)

    def all_of(self, sense: CameraSense) -> None:
        """Times every part of a sense that has been shown its first frame."""
        sight = sense._sight
        assert sight is not None
        self.on(sight, "look", "sight: the rest")
        self.on(sight._detector, "detect", "detector: fitting and decoding")
        self.on(sight._background, "compare", "background: comparing")
        self.on(sight._background, "learn", "background: learning")
        self.on(sight._standing, "update", "standing regions")
        self.on(sight._tracker, "update", "tracker")
        self.on(sight._gaze, "choose", "where to look")
        for analyser in sense._analysers:
            self.on(analyser, "judge", type(analyser).__name__)
        if sense._counter is not None:
            self.on(sense._counter, "see", type(sense._counter).__name__)
        if sense._tags is not None:
            self.on(sense._tags, "see", type(sense._tags).__name__)


def measure(clip: Clip, bundle: Bundle, *, tags: bool = False) -> Cost:
    """Measures one clip.

    Args:
        clip: To measure on.
        bundle: The detector, with one thread.
        tags: Whether tags are read too.
    """
    cv2.setNumThreads(1)
    card = bundle.card.input
    assert isinstance(card, ImageInput)
    tensor = np.full([side if isinstance(side, int) else 1 for side in card.shape], 114.0, np.float32)
    outputs = [output.name for output in bundle.session.get_outputs()]
    coming = frames(clip)
    first = next(coming)
    height, width = first.image.shape[:2]
    sense = CameraSense(
        site(width, height, tags=tags), "u1", frozenset({*EVENT_TYPES, "flow.count", *(["tag.sighting"] if tags else [])}), bundle
    )
    # The first frame is looked at in full and starts everything: it is not what a stream costs.
    sense.process(first)
    watch = _Watch()
    watch.all_of(sense)
    sight = sense._sight
    assert sight is not None
    stretches: list[tuple[int, float, list[float]]] = [(0, 0.0, [])]
    tracks: list[int] = []
    for count, frame in enumerate(coming, 1):
        before = sense.analysed
        begun_s = time.process_time()
        sense.process(frame)
        took_s = time.process_time() - begun_s
        looked = sense.analysed > before
        number, sense_s, bare_s = stretches[-1]
        stretches[-1] = (number + (1 if clip.empty else looked), sense_s + took_s, bare_s)
        if count % EMPTY_FRAMES == 0 if clip.empty else looked:
            tracks.append(len(sight._tracker.tracks))
            begun_s = time.process_time()
            bundle.session.run(outputs, {card.name: tensor})
            bare_s.append(time.process_time() - begun_s)
        if len(bare_s) == STRETCH:
            stretches.append((0, 0.0, []))
    whole = [stretch for stretch in stretches if len(stretch[2]) == STRETCH]
    analysed = sum(number for number, _, _ in stretches)
    return Cost(
        frames=analysed,
        sense_ms=1e3 * sum(sense_s for _, sense_s, _ in stretches) / analysed,
        bare_ms=1e3 * float(np.median([run for _, _, bare_s in whole for run in bare_s])),
        ratio=float(np.mean([sense_s / number / float(np.median(bare_s)) for number, sense_s, bare_s in whole])),
        tracks=float(np.mean(tracks)),
        parts_ms={part: 1e3 * spent_s / analysed for part, spent_s in watch.spent_s.items()},
    )


def plan(width: int, height: int, *, tags: bool = False) -> dict[str, Any]:
    """A site plan that keeps every analyser busy over the whole picture."""
    whole: dict[str, Any] = {"unit": "u1", "image_size": [width, height], "polygon_px": [[0, 0], [width, 0], [width, height], [0, height]]}
    entries: dict[str, Any] = {
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
    return entries | ({"tags": {"size_m": 0.2, "allow": [1, 2, 3]}} if tags else {})


def site(width: int, height: int, *, tags: bool = False) -> Site:
    """The same, loaded."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "site.yaml"
        path.write_text(yaml.safe_dump(plan(width, height, tags=tags)))
        return load_site(path)


def frames(clip: Clip) -> Iterator[Frame]:
    """Every captured frame, one at a time: a clip in memory is larger than what it is held against."""
    length_s = clip.until_s - clip.from_s
    for again in range(clip.repeated):
        for at_s, image in _recorded(clip) if clip.file else _drawn(length_s, clip.walkers):
            yield Frame(BEGAN_S + again * (length_s + 0.1) + at_s, np.asarray(image, np.uint8))


def _recorded(clip: Clip) -> Iterator[tuple[float, Any]]:
    capture = cv2.VideoCapture(str(clip.file))
    rate_hz, index = capture.get(cv2.CAP_PROP_FPS), 0
    while capture.grab() and index / rate_hz < clip.until_s:
        if index / rate_hz >= clip.from_s:
            yield index / rate_hz - clip.from_s, capture.retrieve()[1]
        index += 1


def _drawn(seconds: float, walkers: int, rate_hz: float = 25.0, size: Sequence[int] = (720, 480)) -> Iterator[tuple[float, Any]]:
    """A street of grey texture with noise, and upright blocks that walk across it."""
    random = np.random.default_rng(7)
    width, height = size
    ground = cv2.GaussianBlur(random.integers(40, 200, (height, width, 3)).astype(np.uint8), (9, 9), 0)
    for index in range(int(seconds * rate_hz)):
        image = ground.copy()
        for walker in range(walkers):
            x = int((index * (2 + walker) + walker * 200) % (width - 60))
            cv2.rectangle(image, (x, 150 + 60 * walker), (x + 45, 280 + 60 * walker), (30, 30 + 60 * walker, 160), -1)
        yield index / rate_hz, np.clip(image + random.integers(-3, 4, image.shape), 0, 255)


def _one_core() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def rows() -> Iterator[Row]:
    """Measures, for `make bench`."""
    bundle = load_bundle("nanodet-g-416", threads=1)
    for clip in clips():
        cost = measure(clip, bundle)
        per = "captured" if clip.empty else "analysed"
        limit = PER_CAPTURED if clip.empty else PER_ANALYSED
        yield Row(
            f"{clip.what}: {cost.frames} {per} frames, {cost.tracks:.0f} things followed",
            cost.ratio * cost.bare_ms,
            f"ms per {per} frame",
            "the bare INT8 model",
            cost.bare_ms,
            f"at most {limit}",
            cost.ratio <= limit,
        )


def main() -> int:
    """Prints the ratios, and where the time goes."""
    _one_core()
    bundle = load_bundle("nanodet-g-416", threads=1)
    wanted = sys.argv[1:]
    costs = {clip.what: measure(clip, bundle, tags=True) for clip in clips() if not wanted or any(word in clip.what for word in wanted)}
    parts = sorted({part for cost in costs.values() for part in cost.parts_ms})
    lines = [f"{'milliseconds per frame':34}" + "".join(f"{what[:16]:>18}" for what in costs)]
    lines += [f"{part:34}" + "".join(f"{cost.parts_ms.get(part, 0.0):18.3f}" for cost in costs.values()) for part in parts]
    for name, value in (
        ("all of the sense, tags read", "sense_ms"),
        ("bare model", "bare_ms"),
        ("ratio, tags read", "ratio"),
        ("frames", "frames"),
        ("things followed", "tracks"),
    ):
        lines.append(f"{name:34}" + "".join(f"{getattr(cost, value):18.3f}" for cost in costs.values()))
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

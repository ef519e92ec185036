"""A whole unit, the real program: peak memory, start, and processor time of a camera and of a microphone beside the bare models.

`parvis-edge watch` plays a film and a sound at their own speed, once with both, once with each alone. Peak memory is the kernel's own
figure (VmHWM). The start is counted from the program's start to the first frame that the detector has been shown: on a machine that
others use too, its processor time is what tells. Processor time of a second is counted once the program has settled; decoding is in it.
The bare models are timed here, before and after, one thread each.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import yaml
from parvis_edge.bundle import Bundle, load_bundle
from parvis_edge.perceive import FIRST_JUDGED
from parvis_edge.vision.sight import RATE_HZ

from tests.bench import vision_bench
from tests.bench.hearing_bench import quiet_street
from tests.bench.report import Row
from tests.edge.clips import write_film, write_sound

#: What a unit may take.
MOST_MB, MOST_START_S = 350.0, 3.0
#: After the first judged frame or block: until the program has settled, and how long it is then watched.
SETTLE_S, WATCH_S = 3.0, 12.0
#: The film's length: long enough for the above on a slow machine.
FILM_S = 40.0
_PROGRAM = (sys.executable, "-m", "parvis_edge.cli", "watch")


@dataclass(slots=True)
class Watched:
    """A run of the program.

    Attributes:
        start_s, start_cpu_s: To the first judged item of each sense: as a clock sees it, and in processor time.
        cpu_share: Processor seconds per second, once settled.
        peak_mb: Largest resident memory.
    """

    start_s: dict[str, float] = field(default_factory=dict)
    start_cpu_s: dict[str, float] = field(default_factory=dict)
    cpu_share: float = 0.0
    peak_mb: float = 0.0


def watch(arguments: Sequence[object], senses: int) -> Watched:
    """Runs the program until it has been watched for long enough, and stops it.

    Args:
        arguments: After ``watch``.
        senses: How many it is given.

    Raises:
        RuntimeError: It ended before.
    """
    watched = Watched()
    begun_s = time.monotonic()
    program = subprocess.Popen(
        [*_PROGRAM, *(str(each) for each in arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    process = psutil.Process(program.pid)
    all_judge = threading.Event()

    def listen() -> None:
        assert program.stderr is not None
        for line in program.stderr:
            said = json.loads(line)
            if said["event"] == FIRST_JUDGED:
                watched.start_s[said["sense"]] = time.monotonic() - begun_s
                watched.start_cpu_s[said["sense"]] = _cpu_s(process)
                if len(watched.start_s) == senses:
                    all_judge.set()

    threading.Thread(target=listen, daemon=True).start()
    try:
        if not all_judge.wait(60.0):
            raise RuntimeError(f"the unit judged nothing within a minute; it ended with {program.poll()}")
        time.sleep(SETTLE_S)
        cpu_s, at_s = _cpu_s(process), time.monotonic()
        time.sleep(WATCH_S)
        watched.cpu_share = (_cpu_s(process) - cpu_s) / (time.monotonic() - at_s)
        watched.peak_mb = _peak_mb(program.pid)
    finally:
        program.terminate()
        program.wait(30.0)
    return watched


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return float(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024.0


def bare_ms(bundle: Bundle, runs: int = 30) -> float:
    """Processor time of one run of a model, median."""
    shape = [side if isinstance(side, int) else 1 for side in bundle.session.get_inputs()[0].shape]
    tensor = {bundle.session.get_inputs()[0].name: np.zeros(shape, np.float32)}
    took_s = []
    for _ in range(runs):
        begun_s = time.process_time()
        bundle.session.run(None, tensor)
        took_s.append(time.process_time() - begun_s)
    return 1e3 * statistics.median(took_s)


def film(folder: Path) -> tuple[Path, int, int]:
    """A film to watch and its size: recorded if there is one, else drawn."""
    clip = next(clip for clip in (*vision_bench.RECORDED, vision_bench.DRAWN[0]) if clip.file is None or clip.file.is_file())
    frames = vision_bench.frames(clip)
    first = next(frames)
    height, width = first.image.shape[:2]
    if clip.file is not None:
        return clip.file, width, height
    images = [first.image, *(frame.image for frame in frames)]
    return write_film(folder / "street.mp4", images, range(0, 40 * len(images), 40)), width, height


def write_plan(folder: Path, width: int, height: int) -> Path:
    """The site plan of :mod:`tests.bench.vision_bench`, with a microphone."""
    plan: dict[str, Any] = vision_bench.plan(width, height)
    plan["units"]["u1"]["senses"] = ["camera", "microphone"]
    path = folder / "site.yaml"
    path.write_text(yaml.safe_dump(plan))
    return path


def rows() -> Iterator[Row]:
    """Measures."""
    detector, tagger = load_bundle("nanodet-g-416", threads=1), load_bundle("yamnet", threads=1)
    with tempfile.TemporaryDirectory(prefix="parvis-bench-") as name:
        folder = Path(name)
        picture, width, height = film(folder)
        sound = write_sound(folder / "street.wav", quiet_street(FILM_S))
        usual = ("--site", write_plan(folder, width, height), "--unit", "u1", "--stdout", "--pace", "real")
        before = bare_ms(detector), bare_ms(tagger)
        both = watch([*usual, "--video", picture, "--audio", sound], 2)
        camera = watch([*usual, "--video", picture], 1)
        microphone = watch([*usual, "--audio", sound], 1)
        after = bare_ms(detector), bare_ms(tagger)
    detector_ms, tagger_ms = ((one + other) / 2 for one, other in zip(before, after, strict=True))
    hop_s = tagger.card.input.patch_hop_s  # type: ignore[union-attr]
    yield Row("peak memory, camera and microphone", both.peak_mb, "MB", limit=f"below {MOST_MB:.0f}", holds=both.peak_mb < MOST_MB)
    yield Row("peak memory, camera alone", camera.peak_mb, "MB")
    yield Row("peak memory, microphone alone", microphone.peak_mb, "MB")
    busy = os.getloadavg()[0] / (os.cpu_count() or 1)
    for what, start_s in (
        (f"start to the first analysed frame, by the clock ({busy:.1f} programs want each core)", both.start_s["camera"]),
        ("the same in processor time", both.start_cpu_s["camera"]),
    ):
        yield Row(what, start_s, "s", limit=f"below {MOST_START_S:.0f}", holds=start_s < MOST_START_S)
    yield Row(
        f"camera, {RATE_HZ:.0f} analysed frames a second",
        1e3 * camera.cpu_share,
        "ms per second",
        "as many runs of the bare detector",
        RATE_HZ * detector_ms,
    )
    yield Row("microphone", 1e3 * microphone.cpu_share, "ms per second", "bare tagger at its published hop", tagger_ms / hop_s)

"""A camera's sense beside a peer on the same clips: supervision's usual pipeline around the same model, on every frame and at our rate.

The peer (`tests/bench/peer_pipeline.py`) runs in an environment of its own in `.cache/peer`, which is made on the first run and needs
the package index. Processor time is per second of film, decoding included on both sides, start-up left out; memory is each process's
peak. Both are asked who entered a closed zone, and which way each vehicle went.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from parvis_contract import EVENT_TYPES
from parvis_edge.analysers.camera import CameraSense
from parvis_edge.bundle import load_bundle, zoo_folder
from parvis_edge.perception import Frame, Judgement
from parvis_edge.vision.sight import RATE_HZ

from tests.bench.report import Row
from tests.bench.vision_bench import DEVELOPMENT
from tests.edge.analysers.watching import plan

ROOT = Path(__file__).resolve().parents[2]
#: The last version with a tracker of its own; what else it needs is as ours.
PACKAGES = ("supervision==0.27.0", "onnxruntime", "numpy", "opencv-python-headless")
SIZE = (768, 432)
BEGAN_S = 1.7e9
#: The peer's zone counts as left after so long, to its favour: by itself it says for each frame whether somebody is in it.
JOINED_S = 2.0
#: A visit is told right if it is told within this of when it began.
WITHIN_S = 1.5
VISITS = {
    "clip": "intrusion/one-by-one-person-detection.mp4",
    "until_s": 70.0,
    "zone": [[330, 60], [560, 60], [560, 400], [330, 400]],
    "line": None,
}
ROAD = {"clip": "traffic/car-detection.mp4", "until_s": 30.2, "zone": None, "line": [[0, 216], [768, 216]]}


def peer_python() -> Path:
    """The peer's Python; made, with its packages, where it is not there yet.

    Raises:
        subprocess.CalledProcessError: The packages cannot be had.
    """
    folder = ROOT / ".cache" / "peer"
    program = folder / "bin" / "python"
    there = program.exists() and not subprocess.run([program, "-c", "import supervision"], check=False, capture_output=True).returncode
    if not there:
        sys.stderr.write(f"Installing {', '.join(PACKAGES)} into {folder} (once)\n")
        venv.create(folder, with_pip=True)
        subprocess.run([program, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES], check=True)
    return program


def ours(task: dict[str, Any]) -> dict[str, Any]:
    """Runs our sense over a clip: every analyser that the plan asks for."""
    cv2.setNumThreads(1)
    width, height = SIZE
    zones = {"zone": {"kind": "closed", "polygon_px": task["zone"]}} if task["zone"] else {}
    # Each side is marked for the way that nobody there goes, so that each vehicle's way is told.
    lanes = {
        "left": {"polygon_px": [[0, 0], [290, 0], [290, height], [0, height]], "heading_px": [0, -1]},
        "right": {"polygon_px": [[290, 0], [width, 0], [width, height], [290, height]], "heading_px": [0, 1]},
    }
    site = plan(SIZE, zones=zones, lanes={} if task["zone"] else lanes)
    sense = CameraSense(site, "u1", frozenset(EVENT_TYPES) | {"flow.count"}, load_bundle("nanodet-g-416", threads=1))
    capture = cv2.VideoCapture(task["clip"])
    rate_hz, index, said = capture.get(cv2.CAP_PROP_FPS), 0, []
    begun_s = time.process_time()
    while capture.grab() and index / rate_hz < task["until_s"]:
        said += sense.process(Frame(BEGAN_S + index / rate_hz, np.asarray(capture.retrieve()[1], np.uint8)))
        index += 1
    spent_s = time.process_time() - begun_s
    starts = [each for each in said if isinstance(each, Judgement) and each.phase.value == "start"]
    ways = [each.measure.lane for each in starts if each.type == "traffic.wrong_way"]  # type: ignore[attr-defined]
    return {
        "cpu_s": spent_s,
        "analysed": sense.analysed,
        "seconds": index / rate_hz,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "visits": [each.time_s - BEGAN_S for each in starts if each.type == "zone.intrusion"],
        "directions": [ways.count("left"), ways.count("right")],
    }


def _run(program: Sequence[object], clip: dict[str, Any], **more: Any) -> dict[str, Any]:
    task = {**clip, "clip": str(DEVELOPMENT / clip["clip"]), **more}
    done = subprocess.run([*map(str, program), json.dumps(task)], check=True, capture_output=True, text=True, cwd=ROOT)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def right(told_s: Sequence[float], truth_s: Sequence[float]) -> tuple[int, int]:
    """How many of the visits were told, and how many were told that were none, or were told again."""
    found = sum(any(abs(told - truth) <= WITHIN_S for told in told_s) for truth in truth_s)
    return found, len(told_s) - found


def rows() -> Iterator[Row]:
    """Measures."""
    if not DEVELOPMENT.is_dir():
        sys.stderr.write(f"no development material at {DEVELOPMENT}: nothing to compare on\n")
        return
    python = peer_python()
    folder = max((zoo_folder() / "nanodet-g-416").glob("*.*.*"), key=lambda path: [int(part) for part in path.name.split(".")])
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    common = {"card": card, "model": str(folder / card["model_file"]), "joined_s": JOINED_S}
    truth = json.loads((DEVELOPMENT / "intrusion" / "ground_truth.json").read_text(encoding="utf-8"))
    occupied = truth["one-by-one-person-detection.mp4"]["zone_occupied_s"]
    visits_s = [began for began, _ in occupied if began < VISITS["until_s"]]
    peer = [python, ROOT / "tests" / "bench" / "peer_pipeline.py"]
    for name, clip in (("people one by one", VISITS), ("road with cars", ROAD)):
        own = _run([sys.executable, "-m", "tests.bench.peer_bench"], clip)
        every = _run(peer, clip, analysed_hz=None, **common)
        alike = _run(peer, clip, analysed_hz=RATE_HZ, **common)
        own_ms = 1e3 * own["cpu_s"] / own["seconds"]
        for what, other in (("on every frame", every), (f"on {RATE_HZ:.0f} frames a second", alike)):
            other_ms = 1e3 * other["cpu_s"] / other["seconds"]
            yield Row(
                f"{name}: {own['analysed']} frames analysed",
                own_ms,
                "ms per second",
                f"peer {what} ({other['analysed']})",
                other_ms,
                "below 1",
                own_ms < other_ms,
            )
        yield Row(f"{name}: peak memory", own["peak_mb"], "MB", "peer", every["peak_mb"], "below 1", own["peak_mb"] < every["peak_mb"])
        if clip is VISITS:
            found, false = right(own["visits"], visits_s)
            for what, other in (("on every frame", every), (f"on {RATE_HZ:.0f} frames a second", alike)):
                for how in ("visits", "occupied"):
                    peer_found, peer_false = right(other[how], visits_s)
                    reading = "new numbers in the zone" if how == "visits" else f"the zone in use, gaps of {JOINED_S:.0f} s joined"
                    yield Row(
                        f"visits told of {len(visits_s)}, and {false} that were none",
                        found,
                        "",
                        f"peer {what}, {reading}: {peer_false} that were none",
                        peer_found,
                    )
        else:
            for what, other in (("on every frame", every), (f"on {RATE_HZ:.0f} frames a second", alike)):
                down, up = own["directions"]
                yield Row(
                    f"vehicles whose way was told: {down} down, {up} up of 2 and 2",
                    down + up,
                    "",
                    f"peer {what}: {other['directions']}",
                    sum(other["directions"]),
                )


if __name__ == "__main__":
    sys.stdout.write(json.dumps(ours(json.loads(sys.argv[1]))) + "\n")

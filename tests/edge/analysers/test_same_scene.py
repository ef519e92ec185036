"""The same scene seen otherwise says the same: mirrored, in other light, compressed again, with every picture sent twice.

Two short real clips: somebody who enters a closed zone, and a car in a lane that is marked for the other way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from parvis_contract import EVENT_TYPES, Site
from parvis_edge.analysers.camera import CameraSense
from parvis_edge.bundle import load_bundle
from parvis_edge.perception import Frame, Judgement

from tests.edge.analysers.watching import plan

Image = npt.NDArray[np.uint8]
SIZE = (768, 432)
BEGAN_S = 1_700_000_000.0
#: The detector need not see somebody at the same of its five looks a second.
TOLERANCE_S = 1.0


@dataclass(frozen=True, slots=True)
class Clip:
    """A stretch of a recording, in which the left and the right of the picture mean different things."""

    file: str
    from_s: float
    until_s: float
    kind: str
    split_x: int
    heading: int = 0

    def site(self, *, mirrored: bool) -> Site:
        """A site plan whose left and right parts each have a zone or lane of their own name."""
        width, height = SIZE
        split = width - self.split_x if mirrored else self.split_x
        left, right = ("right", "left") if mirrored else ("left", "right")
        parts = {
            left: [[0, 0], [split, 0], [split, height], [0, height]],
            right: [[split, 0], [width, 0], [width, height], [split, height]],
        }
        if self.kind == "zones":
            return plan(SIZE, zones={name: {"kind": "closed", "polygon_px": polygon} for name, polygon in parts.items()})
        return plan(SIZE, lanes={name: {"polygon_px": polygon, "heading_px": [0, self.heading]} for name, polygon in parts.items()})


CLIPS = {
    "a visit": Clip("intrusion/one-by-one-person-detection.mp4", 3.0, 10.0, "zones", 330),
    "a wrong way": Clip("traffic/car-detection.mp4", 3.0, 10.0, "lanes", 290, heading=1),
}


def frames(path: Path, clip: Clip) -> Iterator[tuple[float, Image]]:
    capture = cv2.VideoCapture(str(path / clip.file))
    rate_hz = capture.get(cv2.CAP_PROP_FPS)
    for index in range(int(clip.until_s * rate_hz)):
        assert capture.grab()
        if index / rate_hz >= clip.from_s:
            yield BEGAN_S + index / rate_hz, np.asarray(capture.retrieve()[1], np.uint8)


Said = list[tuple[str, str, str, float]]


def judged(taken: Iterator[tuple[float, Image]], site: Site) -> Said:
    """Type, zone or lane, and phase of every start and end, with its time; in order."""
    sense = CameraSense(site, "u1", frozenset(EVENT_TYPES) - {"level.unusual"}, load_bundle("nanodet-g-416"))
    found = [finding for time_s, image in taken for finding in sense.process(Frame(time_s, image))] + sense.finish()
    return sorted(
        (each.type, str(getattr(each.measure, "zone", "")), each.phase.value, each.time_s - BEGAN_S)
        for each in found
        if isinstance(each, Judgement) and each.phase.value != "update"
    )


@cache
def plainly(path: Path, name: str) -> Said:
    said = judged(frames(path, CLIPS[name]), CLIPS[name].site(mirrored=False))
    assert any(phase == "start" for _, _, phase, _ in said), "nothing happens in the clip: it can show nothing"
    return said


def the_same(said: Said, expected: Said) -> None:
    assert [each[:3] for each in said] == [each[:3] for each in expected]
    assert [each[3] for each in said] == pytest.approx([each[3] for each in expected], abs=TOLERANCE_S)


def as_jpeg(image: Image) -> Image:
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 75])[1], cv2.IMREAD_COLOR), np.uint8)


OTHERWISE: dict[str, Callable[[Image], Image]] = {
    "darker": lambda image: np.asarray(cv2.convertScaleAbs(image, alpha=0.8), np.uint8),
    "brighter": lambda image: np.asarray(cv2.convertScaleAbs(image, alpha=1.2), np.uint8),
    "compressed again": as_jpeg,
}


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("change", OTHERWISE)
def test_other_light_and_compression_say_the_same(material: Path, name: str, change: str) -> None:
    clip = CLIPS[name]
    changed = ((time_s, OTHERWISE[change](image)) for time_s, image in frames(material, clip))
    the_same(judged(changed, clip.site(mirrored=False)), plainly(material, name))


@pytest.mark.parametrize("name", CLIPS)
def test_a_mirrored_view_says_the_mirrored_thing(material: Path, name: str) -> None:
    clip = CLIPS[name]
    mirrored = ((time_s, np.ascontiguousarray(image[:, ::-1])) for time_s, image in frames(material, clip))
    the_same(judged(mirrored, clip.site(mirrored=True)), plainly(material, name))


@pytest.mark.parametrize("name", CLIPS)
def test_every_picture_sent_twice_says_the_same(material: Path, name: str) -> None:
    clip = CLIPS[name]
    taken = list(frames(material, clip))
    half_s = (taken[1][0] - taken[0][0]) / 2
    twice = ((time_s + later_s, image) for time_s, image in taken for later_s in (0.0, half_s))
    the_same(judged(twice, clip.site(mirrored=False)), plainly(material, name))

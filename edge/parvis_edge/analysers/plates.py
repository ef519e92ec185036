"""Evidence plates: for events that concern things, the scene as it was known, without people, and where it changed.

A plate is made when an event starts. What it shows was settled before (:mod:`parvis_edge.vision.known_scene`); before it leaves, the
detector is shown both the scene that it would show and the frame of the moment, whole and in parts, each also mirrored: where it then
takes anything for a person, however weakly, the plate shows nothing. The changed thing itself is not shown, since it might be a person.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
import numpy.typing as npt
from parvis_contract import Phase

from parvis_edge.perception import Finding, Frame, Judgement, PlateMade
from parvis_edge.vision.background import Mask
from parvis_edge.vision.detector import Detector
from parvis_edge.vision.known_scene import STILL_S, WEAK_SCORE, KnownScene, around, is_scene_misread
from parvis_edge.vision.plate import drawn, encoded
from parvis_edge.vision.regions import Gaze
from parvis_edge.vision.sight import Scene

#: The types that a plate may be about.
ABOUT = ("object.unattended", "furniture.changed", "surface.marked")
#: A person's score from which on a place is left out. At 0.1 nothing at all was left of a photographed street without people.
PERSON_SCORE = WEAK_SCORE
#: And what is left out around it, a share of its height.
MARGIN = 0.15
PERSON = "person"


class PlateMaker:
    """Knows one camera's scene, and makes plates of it.

    Args:
        detector: Finds people.
        size_px: Width and height of the stream.
        cells: Width and height of the working picture.
        still_s: How long a pixel has to have been still to be shown.
    """

    def __init__(self, detector: Detector, size_px: tuple[int, int], cells: tuple[int, int], still_s: float = STILL_S) -> None:
        self._detector = detector
        self._size = size_px
        self._parts = Gaze(size_px, detector.input_px).full()
        self.scene = KnownScene(cells, still_s)

    def see(self, frame: Frame, scene: Scene, said: Iterable[Finding]) -> list[PlateMade]:
        """Takes the next scene and what was said of it; gives a plate for each start that may have one."""
        self.scene.see(scene)
        starts = [each for each in said if isinstance(each, Judgement) and each.phase is Phase.START and each.type in ABOUT]
        if not starts:
            return []
        shown = self.scene.known & ~self._people(frame.image, scene)
        made = []
        for start in starts:
            if start.box_px is None:
                continue
            webp = encoded(drawn(self.scene.picture, shown, start.box_px, self._size))
            made.append(PlateMade(scene.time_s, start.type, start.key, webp))  # type: ignore[arg-type]
        return made

    def _people(self, image: npt.NDArray[np.uint8], scene: Scene) -> Mask:
        """``(h, w)`` bool: where there may be somebody, in the frame or in what is known of the scene."""
        people: Mask = np.zeros(scene.small.shape[:2], np.bool_)
        known = np.where(self.scene.known[..., None], self.scene.picture, np.uint8(128))
        enlarged = cv2.resize(known, self._size, interpolation=cv2.INTER_LINEAR)
        for picture in (image, np.asarray(enlarged, np.uint8)):
            for x0, y0, x1, y1 in self._parts:
                part = picture[y0:y1, x0:x1]
                for mirrored in (False, True):
                    found = self._detector.detect(np.ascontiguousarray(part[:, ::-1]) if mirrored else part, PERSON_SCORE)
                    for box, index, score in zip(found.boxes_px, found.classes, found.scores.tolist(), strict=True):
                        if self._detector.labels[index] != PERSON or is_scene_misread(box, score, self._size):
                            continue
                        left, right = (x1 - x0 - box[2], x1 - x0 - box[0]) if mirrored else (box[0], box[2])
                        placed = np.array([x0 + left, y0 + box[1], x0 + right, y0 + box[3]])
                        people[around(placed, scene.cell_px, MARGIN)] = True
        return people

"""`tag.sighting`: a tag of the allowlist is in view. No event: it is told of nobody who did not ask for it.

Read are the parts of the picture where something moves or somebody is followed, several times a second, and the whole picture now
and then, for a wearer who stands still. The wearer's place is where the person carrying the tag stands; where no such person is
detected, the tag is taken to hang at a chest's height above the ground.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from parvis_contract import Position

from parvis_edge.perception import Frame, TagSeen
from parvis_edge.vision.regions import Box
from parvis_edge.vision.sight import Scene
from parvis_edge.vision.tags import ReadTag, TagReader

from .view import View

#: The same tag at about the same place is told once in this time: a walker has gone a step or two.
EVERY_S = 1.0
#: The whole picture is read this often.
WHOLE_EVERY_S = 2.0
#: How high a tag on a chest or a back hangs, and how much that varies, 1 sigma.
WORN_M, WORN_ERROR_M = 1.25, 0.25
#: What surrounds a person's box is read too, as a share of its size: detectors cut arms and rucksacks off.
MARGIN = 0.15


class TagSightings:
    """Reads the allowed tags of one view.

    Args:
        allowed: The numbers that may be read at this moment.
        view: The camera's.
    """

    def __init__(self, allowed: Callable[[], frozenset[int]], view: View) -> None:
        self._allowed = allowed
        self._reader = TagReader(())
        self._view = view
        self._whole_s: float | None = None
        self._said: list[tuple[float, ReadTag]] = []

    def see(self, frame: Frame, scene: Scene) -> list[TagSeen]:
        """Reads a frame that the scene was made of."""
        time_s = scene.time_s
        parts = [*scene.looked_px, *(self._around(track.box_px) for track in scene.of_kind("person"))]
        if self._whole_s is None or time_s - self._whole_s >= WHOLE_EVERY_S:
            self._whole_s = time_s
            parts = [(0, 0, *self._view.size_px)]
        return self.tell(time_s, frame.image, parts, lambda tag: self._position(tag, scene))

    def tell(
        self, time_s: float, image: npt.NDArray[np.uint8], parts: list[Box], place: Callable[[ReadTag], Position | None]
    ) -> list[TagSeen]:
        """Reads parts of a picture.

        Args:
            time_s: When it was taken.
            image: ``(H, W, 3)`` uint8.
            parts: Left, top, right, bottom of each.
            place: Where a tag's wearer stands.
        """
        allow = self._allowed()
        if not allow:
            return []
        self._reader.allow = allow
        self._said = [(said_s, tag) for said_s, tag in self._said if time_s - said_s < EVERY_S]
        seen = []
        for tag in self._reader.read(image, parts):
            if any(_same(tag, other) for _, other in self._said):
                continue
            self._said.append((time_s, tag))
            seen.append(TagSeen(time_s, tag.number, place(tag)))
        return seen

    def _around(self, box_px: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Box:
        x0, y0, x1, y1 = (float(side) for side in box_px)
        dx, dy = MARGIN * (x1 - x0), MARGIN * (y1 - y0)
        width, height = self._view.size_px
        return max(0, int(x0 - dx)), max(0, int(y0 - dy)), min(width, int(x1 + dx) + 1), min(height, int(y1 + dy) + 1)

    def _position(self, tag: ReadTag, scene: Scene) -> Position | None:
        x, y = tag.centre_px
        wearers = [track for track in scene.of_kind("person") if _holds(track.box_px, x, y) and track.height_px > tag.side_px]
        if wearers:
            # Of several in line, the one in whose middle the tag hangs.
            wearer = min(wearers, key=lambda track: abs((track.box_px[0] + track.box_px[2]) / 2 - x))
            return self._view.position(wearer.box_px)
        return self._view.position_below((x, y), WORN_M, WORN_ERROR_M)


def _holds(box_px: np.ndarray[tuple[int], np.dtype[np.float64]], x: float, y: float) -> bool:
    return bool(box_px[0] <= x <= box_px[2] and box_px[1] <= y <= box_px[3])


def _same(tag: ReadTag, other: ReadTag) -> bool:
    """Whether two readings are of one print: no further apart than a runner goes in a second, a tag being a third of a metre."""
    apart_px = float(np.hypot(*np.subtract(tag.centre_px, other.centre_px)))
    return tag.number == other.number and apart_px < 15.0 * max(tag.side_px, other.side_px)

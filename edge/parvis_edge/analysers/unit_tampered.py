"""`unit.tampered` of a camera: it can no longer see what it should.

Each cause is a physical statement about the picture against the scene that the camera has watched so far:

- *frozen*: the picture is the one before, bit for bit, for seconds, of a stream that had been changing. A sensor is never silent.
- *dark*: hardly any light, but what structure there is, is the scene's.
- *covered*: where the scene had structure, nearly nothing is left of it, fine or coarse.
- *defocused*: the fine structure has gone and the coarse one is still there.
- *moved*: there is structure, and it is not the scene's.

All but the first need the whole picture to be affected, for some seconds, so that a lorry before the lens and a passing cloud make none.
A cause ends when the picture fits the scene again. The scene is learned from pictures in which nothing is wrong; after a cause has
lasted very long, what is seen counts as the scene. A still picture has no history and no cause.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from parvis_contract import TamperCause, UnitTampered

from parvis_edge.perception import Judgement
from parvis_edge.vision.background import Picture
from parvis_edge.vision.sight import Scene

from .view import Lasting

#: The same picture for so long is frozen, and for so many times the longest such run of the live stream: some cameras repeat frames.
FROZEN_S, FROZEN_TIMES = 3.0, 3.0
#: Changes seen before a stream counts as live.
LIVE_CHANGES = 3
#: How long a picture must be wrong, and right again.
WRONG_S, RIGHT_S = 2.5, 2.0
#: How long the scene is watched before anything can be wrong with it.
LEARNED_S = 3.0
#: After so long under a cause, the picture is the scene: somebody turned the camera on purpose.
ACCEPTED_S = 600.0
#: Of 255: less light than this is darkness.
DARK = 22.0
#: Blocks of the working picture, across and down.
BLOCKS_X, BLOCKS_Y = 8, 6
#: A block has structure if its standard deviation is above this, of 255; a block without any in the scene says nothing.
STRUCTURE = 8.0
#: Blocks with structure that a scene must have, or the camera looks at a wall and nothing can be judged.
LEAST_BLOCKS = 8
#: Shares of the blocks that had structure.
MOST, FEW = 0.75, 0.25
#: How often the picture is examined. Every look costs a millisecond.
EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class _Structure:
    """What a picture is made of, block by block.

    Attributes:
        light: Mean grey, of 255.
        coarse: ``(blocks,)`` standard deviation of the smoothed picture.
        fine: ``(blocks,)`` mean absolute Laplacian.
        picture: The smoothed picture in blocks, each with mean 0: ``(blocks, pixels)``; every second pixel, being smooth.
    """

    light: float
    coarse: npt.NDArray[np.float64]
    fine: npt.NDArray[np.float64]
    picture: npt.NDArray[np.float32]


class CameraTamperingAnalyser:
    """Judges whether one camera still sees."""

    def __init__(self) -> None:
        self._lasting = Lasting("unit.tampered", None)
        self._episode = 0
        self._cause: TamperCause | None = None
        self._scene: _Structure | None = None
        self._before: _Structure | None = None
        self._began_s: float | None = None
        self._examined_s = -np.inf
        self._suspect: tuple[TamperCause, float] | None = None
        self._right_since_s: float | None = None
        self._wrong_since_s = 0.0
        self._changes = 0
        self._run_since_s: float | None = None
        self._longest_run_s = 0.0

    def judge(self, scene: Scene) -> list[Judgement]:
        """Takes the next scene."""
        if self._began_s is None or scene.time_s < self._began_s:
            self._began_s = scene.time_s
        frozen = self._is_frozen(scene)
        if frozen is not None:
            return self._say(TamperCause.FROZEN, frozen, scene.time_s) if self._cause is not TamperCause.FROZEN else []
        if self._cause is TamperCause.FROZEN:
            if scene.identical:
                return []
            return self._clear(scene.time_s)
        if scene.identical or 0 <= scene.time_s - self._examined_s < EVERY_S:
            return []
        self._examined_s = scene.time_s
        now, before = _structure(scene.small), self._before
        self._before = now
        if self._scene is None or scene.time_s - self._began_s < LEARNED_S:
            self._scene = now if self._scene is None else _mixed(self._scene, now, 0.3)
            return []
        cause = _cause(self._scene, now)
        if cause is TamperCause.MOVED and before is not None and not _is_still(before, now):
            # What passes before the lens is not the view of a camera that has been turned: that one keeps still again.
            cause = None
        return self._weigh(cause, now, scene.time_s)

    def finish(self, time_s: float) -> list[Judgement]:
        """Ends what is open."""
        return self._lasting.finish(time_s)

    def _is_frozen(self, scene: Scene) -> float | None:
        """Since when the picture has stood still, if it has for too long."""
        if not scene.identical:
            if self._run_since_s is not None:
                if self._cause is not TamperCause.FROZEN:
                    self._longest_run_s = max(self._longest_run_s, scene.time_s - self._run_since_s)
                self._run_since_s = None
            self._changes += scene.count > 1
            return None
        if self._run_since_s is None:
            self._run_since_s = scene.time_s
        lasted_s = scene.time_s - self._run_since_s
        live = self._changes >= LIVE_CHANGES
        return self._run_since_s if live and lasted_s >= max(FROZEN_S, FROZEN_TIMES * self._longest_run_s) else None

    def _weigh(self, cause: TamperCause | None, now: _Structure, time_s: float) -> list[Judgement]:
        scene = self._scene
        if scene is None:
            return []
        if cause is None:
            self._suspect = None
            self._right_since_s = time_s if self._right_since_s is None else self._right_since_s
            if self._cause is None:
                self._scene = _mixed(scene, now, 0.02)
            elif time_s - self._right_since_s >= RIGHT_S:
                return self._clear(self._right_since_s)
            return []
        self._right_since_s = None
        if self._cause is not None:
            if time_s - self._wrong_since_s >= ACCEPTED_S:
                self._scene = now
            return []
        if self._suspect is None:
            self._suspect = (cause, time_s)
        since_s = self._suspect[1]
        # A hand that comes near looks like this and that before it covers: the cause is what it is in the end.
        self._suspect = (cause, since_s)
        return self._say(cause, since_s, time_s) if time_s - since_s >= WRONG_S else []

    def _say(self, cause: TamperCause, since_s: float, now_s: float) -> list[Judgement]:
        said = self._clear(now_s) if self._cause is not None else []
        self._cause, self._wrong_since_s, self._suspect = cause, since_s, None
        confidence = 0.95 if cause is TamperCause.FROZEN else 0.85
        return [*said, self._lasting.start(self._episode, since_s, now_s, confidence, UnitTampered(cause=cause), None)]

    def _clear(self, time_s: float) -> list[Judgement]:
        self._cause, self._right_since_s, self._suspect = None, None, None
        ended = [self._lasting.end(self._episode, time_s)] if self._episode in self._lasting else []
        self._episode += 1
        return ended


def _structure(small: Picture) -> _Structure:
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    smooth = cv2.blur(grey, (7, 7))[::2, ::2].astype(np.float32)
    edges = cv2.convertScaleAbs(cv2.Laplacian(grey, cv2.CV_16S))
    blocks = _blocks(smooth)
    blocks -= blocks.mean(axis=1, keepdims=True)
    return _Structure(
        light=cv2.mean(grey)[0],
        coarse=np.sqrt((blocks * blocks).mean(axis=1)).astype(np.float64),
        fine=_blocks(edges).mean(axis=1),
        picture=blocks,
    )


def _blocks(picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
    height, width = picture.shape[0] // BLOCKS_Y, picture.shape[1] // BLOCKS_X
    cut = picture[: height * BLOCKS_Y, : width * BLOCKS_X]
    return cut.reshape(BLOCKS_Y, height, BLOCKS_X, width).swapaxes(1, 2).reshape(BLOCKS_Y * BLOCKS_X, -1)


def _mixed(old: _Structure, new: _Structure, share: float) -> _Structure:
    return _Structure(
        light=old.light + share * (new.light - old.light),
        coarse=old.coarse + share * (new.coarse - old.coarse),
        fine=old.fine + share * (new.fine - old.fine),
        picture=old.picture + np.float32(share) * (new.picture - old.picture),
    )


def _is_still(before: _Structure, now: _Structure) -> bool:
    """True if nearly all of the picture is what it was at the last look."""
    usable = np.maximum(before.coarse, now.coarse) >= STRUCTURE
    if not usable.any():
        return True
    return float((_likeness(before.picture[usable], now.picture[usable]) > 0.9).mean()) >= MOST


def _likeness(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """``(blocks,)`` correlation of the blocks of two pictures, in [-1, 1]."""
    return np.asarray((one * other).sum(axis=1) / np.maximum(np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1), 1e-6))


def _cause(scene: _Structure, now: _Structure) -> TamperCause | None:
    """What is wrong with a picture, given the scene."""
    usable = scene.coarse >= STRUCTURE
    if np.count_nonzero(usable) < LEAST_BLOCKS:
        # A bare scene has no structure to lose: only darkness shows.
        return TamperCause.DARK if now.light < DARK / 2 < DARK < scene.light else None
    likeness = _likeness(scene.picture[usable], now.picture[usable])
    kept = now.coarse[usable] / scene.coarse[usable]
    fine = now.fine[usable] / np.maximum(scene.fine[usable], 1e-6)
    alike = likeness > 0.5
    if now.light < DARK < 2 * DARK < scene.light and alike.mean() >= 0.3:
        return TamperCause.DARK
    flat = (kept < 0.3) & (now.coarse[usable] < STRUCTURE)
    if flat.mean() >= MOST and alike.mean() < 0.5:
        return TamperCause.COVERED
    # Under less light all structure is fainter: the fine is compared with the coarse, not with what it was.
    if alike.mean() >= 0.5 and np.median(fine / np.maximum(kept, 0.05)) < 0.45 and np.median(kept) > 0.3:
        return TamperCause.DEFOCUSED
    if alike.mean() < FEW and np.median(kept) > 0.3:
        return TamperCause.MOVED
    if (kept < 0.4).mean() >= MOST and alike.mean() < FEW:
        return TamperCause.COVERED
    return None

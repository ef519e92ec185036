"""`surface.marked`: a listed wall or shutter carries a mark that it did not carry.

A mark is a patch of other colour whose outline is an edge of the picture and was none of the reference. Light makes edges too. A shadow (or
a patch of sun) leaves all colours in proportion, between a third and three times as bright; it comes from beyond the surface and
so crosses its border; and it moves with the sun, 15 degrees an hour. So a patch that light could have made and that crosses the border
is none; one that does not has to stand, where it is, three times as long as one that light cannot have made, which is of another
colour, or darker than any shadow. What stands before the wall rather than on it reaches beyond its border, or is a person or a vehicle
to the detector, and hides the wall meanwhile. A mark that was there when the unit was started is part of the reference; one that is
removed is no mark.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from parvis_contract import Asset, SurfaceMarked

from parvis_edge.perception import Judgement
from parvis_edge.vision.area import Area
from parvis_edge.vision.background import Mask
from parvis_edge.vision.reference import Compared
from parvis_edge.vision.sight import Scene

from .asset import SETTLED, TOLD_EVERY_S, AssetWatch, components
from .view import Lasting, View

#: Share of the surface that is a mark, unless the site plan says another; and working pixels, below which an outline says nothing.
LEAST_FRACTION, LEAST_CELLS = 0.005, 8
#: Share of a patch's outline that has to be new structure.
OUTLINE = 0.6
#: Share of a patch that may lie beyond the surface: more stands before it.
MOST_BEYOND = 0.15
#: Between these factors, light alone can have made a patch brighter or darker: sky against sun and sky, after a camera's gamma.
DARKEST, BRIGHTEST = 0.33, 3.0
#: Largest spread of the colours' factors, as a share of their mean, that light leaves; sky light is bluer than the sun's.
TINT = 0.12
#: A patch that light may have made stands so many times as long; meanwhile a shadow moves by several centimetres.
LIGHT_TIMES = 3.0
#: And this share of it must have stood so long: of what moves, the front has not.
STOOD_SHARE = 0.7
#: Probability that what passes is a mark: 14 of 14 in composed scenes, half of them without one: Wilson's interval from 0.78.
#: Where light may have made it, none was measured.
SURE_CONFIDENCE, LIGHT_CONFIDENCE = 0.8, 0.5


class SurfaceMarkedAnalyser:
    """Judges the listed surfaces of one view.

    Args:
        assets: By name, with where they are in the picture.
        view: The camera's.
    """

    def __init__(self, assets: dict[str, tuple[Asset, Area]], view: View) -> None:
        self._view = view
        self._lasting = Lasting("surface.marked", None, every_s=TOLD_EVERY_S)
        self._watches = {name: AssetWatch(asset, area) for name, (asset, area) in assets.items()}

    def judge(self, scene: Scene) -> list[Judgement]:
        """Takes the next scene."""
        return [judgement for name, watch in self._watches.items() for judgement in self._judge_one(name, watch, scene)]

    def finish(self, time_s: float) -> list[Judgement]:
        """Ends what is open."""
        return self._lasting.finish(time_s)

    def _judge_one(self, name: str, watch: AssetWatch, scene: Scene) -> list[Judgement]:
        compared = watch.look(scene)
        if compared is None:
            return []
        sure, doubtful = _marks(watch, compared)
        stood = watch.stand(sure, doubtful, compared.judged, doubtful_after_s=LIGHT_TIMES * watch.asset.after_s)
        watch.follow(compared.new | sure | doubtful, compared.judged)
        size = np.count_nonzero(watch.inside)
        least = max(watch.asset.least_fraction or LEAST_FRACTION, LEAST_CELLS / size)
        since_s = watch.since_s(np.count_nonzero(watch.stirred) / size, least, scene.time_s)
        if name not in self._lasting:
            stood = _that_stay(sure | doubtful | (stood & ~compared.judged), stood)
        fraction = np.count_nonzero(stood) / size
        if name in self._lasting and (over_s := watch.is_over(fraction, least, scene.time_s)) is not None:
            return [self._lasting.end(name, over_s)]
        if fraction < least or (name not in self._lasting and np.count_nonzero(stood & sure) < SETTLED * np.count_nonzero(sure)):
            return []
        measure = SurfaceMarked(asset=name, changed_area_m2=self._area_m2(watch, fraction), changed_fraction=fraction)
        confidence = SURE_CONFIDENCE if (stood & sure).any() else LIGHT_CONFIDENCE
        position = self._view.position(watch.box_px)
        if name in self._lasting:
            return self._lasting.update(name, scene.time_s, confidence, measure, position, at_once=watch.has_grown(fraction))
        watch.has_grown(fraction)
        box = watch.box_of(stood, self._view)
        return [self._lasting.start(name, min(since_s, scene.time_s), scene.time_s, confidence, measure, position, box)]

    def _area_m2(self, watch: AssetWatch, fraction: float) -> float | None:
        """Size of a mark: by the surface's own area; else by the ground at its foot, as if it faced the camera; else unknown.

        A wall is not on the ground plane; only its foot is, where a metre across the view is as large as one up the wall. Of a wall
        seen at a slant this is less than the truth.
        """
        if watch.asset.area_m2 is not None:
            return fraction * watch.asset.area_m2
        if self._view.ground is None:
            return None
        x0, _, x1, foot = watch.box_px
        scale = self._view.ground.px_per_m(((x0 + x1) / 2, foot))
        return fraction * watch.area_px2(self._view) / scale**2 if np.isfinite(scale) else None


def _marks(watch: AssetWatch, compared: Compared) -> tuple[Mask, Mask]:
    """``(h, w)`` bool each: what is marked for sure, and what light may have made."""
    sure, doubtful = np.zeros_like(watch.inside), np.zeros_like(watch.inside)
    edges = cv2.dilate(compared.new.view(np.uint8), np.ones((3, 3), np.uint8)).view(np.bool_)
    factors = (watch.reference.now + 1.0) / (watch.reference.picture * compared.gain + 1.0)
    for patch in components(compared.differs, LEAST_CELLS):
        on_it = patch & watch.inside
        beyond = np.count_nonzero(patch) - np.count_nonzero(on_it)
        if np.count_nonzero(on_it) < LEAST_CELLS or beyond > MOST_BEYOND * np.count_nonzero(patch):
            continue
        outline = patch & ~cv2.erode(patch.view(np.uint8), np.ones((3, 3), np.uint8)).view(np.bool_)
        if float(edges[outline].mean()) < OUTLINE:
            continue
        if not _may_be_light(factors[on_it]):
            sure |= on_it
        elif beyond == 0 and not (patch & _border(watch.inside)).any():
            doubtful |= on_it
    return sure, doubtful


def _may_be_light(factors: npt.NDArray[np.float32]) -> bool:
    """True if light alone can have changed all colours of a patch by these ``(N, 3)`` factors."""
    brightness = factors.mean(axis=1)
    tinted = (factors.max(axis=1) - factors.min(axis=1)) > TINT * brightness
    # Of thin strokes, most pixels are part wall: the tenth that is most changed is what speaks.
    strongest = np.percentile(brightness, (10, 90))
    return bool(tinted.mean() < 0.3 and strongest[0] > DARKEST and strongest[1] < BRIGHTEST)


def _border(inside: Mask) -> Mask:
    """The outermost pixels of a surface."""
    return np.asarray(inside & ~cv2.erode(inside.view(np.uint8), np.ones((3, 3), np.uint8), borderValue=0).view(np.bool_))


def _that_stay(changed: Mask, stood: Mask) -> Mask:
    """Of what has stood long enough, the parts that have stood whole: of what moves, the front has not."""
    stay = np.zeros_like(stood)
    for part in components(changed, LEAST_CELLS):
        if float(stood[part].mean()) >= STOOD_SHARE:
            stay |= part & stood
    return stay

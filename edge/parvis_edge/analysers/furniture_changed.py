"""`furniture.changed`: a listed bench, bin or sign is gone, moved or altered.

What is judged is whether the structure that the reference has is still there: where its edges run, with the contrast that the light
leaves them. A shadow's edge adds structure and takes none away. The thing is *moved* if its structure is found whole beside its place,
*missing* if most of it is nowhere, and *altered* if a part of it is gone. A thing put on it or before it hides structure too: what lies
within it on all sides, or whose outline is more an edge of the picture than of the reference, is not a change of the furniture (a bag
on a bench is `object.unattended`, in a zone that is watched), nor is a person: whom the detector sees is left out first, and before
anything is told it is shown the asset closely, upright and turned to both sides, for somebody who sleeps there. If what surrounds the
asset has changed as much as the asset, it is the camera or the light that has changed. Nothing is judged while most of it is hidden.
"""

from __future__ import annotations

import cv2
import numpy as np
from parvis_contract import Asset, FurnitureChange, FurnitureChanged

from parvis_edge.perception import Judgement
from parvis_edge.vision.area import Area
from parvis_edge.vision.background import Mask
from parvis_edge.vision.boxes import areas_px2, intersections_px2
from parvis_edge.vision.reference import Compared, Floats
from parvis_edge.vision.sight import Scene

from .asset import SETTLED, TOLD_EVERY_S, AssetWatch
from .view import Lasting, View

#: Share of the asset's structure that has to be lost, unless the site plan says another.
LEAST_FRACTION = 0.25
#: Share of it that has to be visible.
VISIBLE = 0.6
#: Working pixels with structure below which an asset cannot be judged.
LEAST_STRUCTURE = 20
#: From this share on it is gone as a whole.
MISSING = 0.7
#: Of the outline of what differs, the share at which the reference alone has an edge: less, and something stands before the asset or on it.
BARED = 0.4
#: An asset loses a part at its border: within this share of its lesser side, and so many working pixels. What lies further inside is on it.
AT_BORDER, LEAST_AT_BORDER = 0.1, 2
#: Least slope of an edge, of 255 a working pixel.
EDGE = 4.0
#: Where the surroundings have lost this share of what the asset has lost, something else than the asset has changed.
AROUND_SHARE = 0.5
#: Correlation of the whole asset with a place beside its own at which it is there, and least shift, in working pixels.
FOUND, LEAST_SHIFT = 0.6, 2
#: Somebody seen closely, from this score on and over this share of the lesser of the two boxes, is on the asset; they are looked for again
#: this often.
CLOSE_SCORE, CLOSE_SHARE, CLOSE_EVERY_S = 0.35, 0.3, 10.0
#: Probability that what passes is a change of the furniture: of composed scenes, half of them without a change, 15 of 18 were.
CONFIDENCE = 0.8


class FurnitureChangedAnalyser:
    """Judges the listed furniture of one view.

    Args:
        assets: By name, with where they are in the picture.
        view: The camera's.
    """

    def __init__(self, assets: dict[str, tuple[Asset, Area]], view: View) -> None:
        self._view = view
        self._lasting = Lasting("furniture.changed", None, every_s=TOLD_EVERY_S)
        self._seen_s: dict[str, float] = {}
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
        structure = watch.reference.structured & watch.inside
        size, visible = np.count_nonzero(structure), np.count_nonzero(structure & compared.judged)
        lost = compared.lost & watch.inside
        stood = watch.stand(lost, np.zeros_like(lost), compared.judged, doubtful_after_s=watch.asset.after_s) & structure
        watch.follow(compared.lost | compared.new, compared.judged)
        if size < LEAST_STRUCTURE or visible < VISIBLE * size:
            return []
        least = watch.asset.least_fraction or LEAST_FRACTION
        since_s = watch.since_s(np.count_nonzero(watch.stirred & structure) / size, least, scene.time_s)
        fraction = np.count_nonzero(stood) / size
        if name in self._lasting and (over_s := watch.is_over(fraction, least, scene.time_s)) is not None:
            return [self._lasting.end(name, over_s)]
        if fraction < least:
            return []
        if name not in self._lasting and np.count_nonzero(stood) < SETTLED * np.count_nonzero(lost & structure):
            return []
        change = _change(watch, compared, stood, fraction)
        position = self._view.position(watch.box_px)
        if change is None or (name not in self._lasting and self._is_somebody_there(name, watch, stood, scene)):
            return []
        measure = FurnitureChanged(asset=name, changed_fraction=fraction, change=change)
        if name in self._lasting:
            return self._lasting.update(name, scene.time_s, CONFIDENCE, measure, position, at_once=watch.has_grown(fraction))
        watch.has_grown(fraction)
        return [self._lasting.start(name, min(since_s, scene.time_s), scene.time_s, CONFIDENCE, measure, position, watch.box_px)]

    def _is_somebody_there(self, name: str, watch: AssetWatch, stood: Mask, scene: Scene) -> bool:
        """Looks closely at what differs: True if somebody is, or was at the last look, a moment ago."""
        if scene.time_s - self._seen_s.get(name, -np.inf) < CLOSE_EVERY_S:
            return True
        box = np.array(watch.box_of(stood, self._view))
        found, kinds = scene.closely.at(box, float((box[2:] - box[:2]).max()), CLOSE_SCORE)
        people = np.asarray(found.boxes_px, np.float64)[np.array(kinds, np.str_) == "person"]
        lesser_px2 = np.minimum(areas_px2(people), areas_px2(box[None])[0])
        if (intersections_px2(people, box[None])[:, 0] >= CLOSE_SHARE * np.maximum(lesser_px2, 1.0)).any():
            self._seen_s[name] = scene.time_s
            return True
        return False


def _change(watch: AssetWatch, compared: Compared, stood: Mask, fraction: float) -> FurnitureChange | None:
    """What has become of an asset that has lost this fraction of its structure; None if something else explains it."""
    around = compared.structured & ~watch.inside
    patch = _closed(_touching(compared.differs, stood & watch.inside))
    if not _reaches_border(patch if patch.any() else stood, watch.inside):
        return None
    if patch.any() and _bared(patch, watch.reference.now, watch.reference.picture * compared.gain) < BARED:
        return None
    if fraction >= LEAST_FRACTION and _is_beside(watch, compared):
        return FurnitureChange.MOVED
    if np.count_nonzero(around) >= LEAST_STRUCTURE and float(compared.lost[around].mean()) > AROUND_SHARE * fraction:
        return None
    return FurnitureChange.MISSING if fraction >= MISSING else FurnitureChange.ALTERED


def _reaches_border(changed: Mask, inside: Mask) -> bool:
    """True if a change of an asset comes near the asset's border."""
    lesser = min(cv2.boundingRect(inside.view(np.uint8))[2:])
    by = max(LEAST_AT_BORDER, round(AT_BORDER * lesser))
    deep = cv2.erode(inside.view(np.uint8), np.ones((2 * by + 1, 2 * by + 1), np.uint8), borderValue=0).view(np.bool_)
    return bool((changed & inside & ~deep).any())


def _bared(patch: Mask, now: Floats, then: Floats) -> float:
    """Of a patch's outline, the share at which there was an edge and is none, among where either is.

    What has gone leaves its outline in the reference alone; what stands there, in the picture alone.
    """
    slopes = []
    smooth = cv2.GaussianBlur(patch.astype(np.float32), (5, 5), 0)
    across_x, across_y = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    steep = np.hypot(across_x, across_y)
    outline = steep > 0.5 * float(steep.max())
    for picture in (now, then):
        slope_x, slope_y = cv2.Sobel(picture, cv2.CV_32F, 1, 0), cv2.Sobel(picture, cv2.CV_32F, 0, 1)
        across = np.abs(slope_x * across_x[..., None] + slope_y * across_y[..., None]).max(axis=2)[outline]
        slopes.append(across / steep[outline] / 8.0)  # Sobel's kernel sums to 8 times the slope per pixel.
    ours, theirs = slopes
    gone = int(np.count_nonzero((theirs > EDGE) & (theirs > 2.0 * ours)))
    come = int(np.count_nonzero((ours > EDGE) & (ours > 2.0 * theirs)))
    return gone / max(gone + come, 1)


def _is_beside(watch: AssetWatch, compared: Compared) -> bool:
    """True if the asset's structure is whole at another place of what surrounds it."""
    x, y, width, height = cv2.boundingRect(watch.inside.view(np.uint8))
    then = cv2.GaussianBlur(watch.reference.picture, (3, 3), 0)[y : y + height, x : x + width]
    now = cv2.GaussianBlur(watch.reference.now, (3, 3), 0)
    mask = np.repeat(watch.inside[y : y + height, x : x + width, None], 3, axis=2).astype(np.float32)
    found = cv2.matchTemplate(now, then, cv2.TM_CCOEFF_NORMED, mask=mask)
    found[~np.isfinite(found)] = -1.0
    _, best, _, (left, top) = cv2.minMaxLoc(found)
    shift = max(abs(left - x), abs(top - y))
    return best >= FOUND and shift >= LEAST_SHIFT and best > found[y, x] + 0.2 and bool(compared.judged.mean() >= VISIBLE)


def _closed(mask: Mask) -> Mask:
    return cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)).view(np.bool_)


def _touching(mask: Mask, seed: Mask) -> Mask:
    """The connected parts of a mask that share a pixel with another."""
    _, labels = cv2.connectedComponents((mask | seed).view(np.uint8), connectivity=8)
    return np.asarray(np.isin(labels, np.unique(labels[seed])) & (labels > 0))

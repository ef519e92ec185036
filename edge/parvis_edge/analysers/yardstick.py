"""How large things are in a picture: by the ground plane, or by the people who have been seen standing in it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from parvis_edge.vision.sight import Scene

from .view import PERSON_M, View

#: People who have stood in the picture, at most; the newest.
KEPT = 200
#: Detections of a track, and their score, before it may serve as a measure.
LEAST_HITS, LEAST_SCORE = 3, 0.5
#: Where people would be smaller than this share of those seen, the ground is too far away to judge anything on it.
HORIZON_SHARE = 0.2
#: The line through those seen is drawn anew this often.
REFIT_S = 1.0
#: Rows between the nearest and the farthest seen, in their heights, before a line is drawn through them.
LEAST_SPREAD = 0.2
#: Growth of a standing person's height per row: stature over the camera's height above the ground, of a camera at a metre at least.
STEEPEST = 1.7
#: Nobody nearer is taken to be taller than the tallest seen by more than this factor.
BEYOND = 1.4
#: A box as upright as this is of somebody who stands, or walks: the width of shoulders and stride against height.
UPRIGHT = 2.0


class Yardstick:
    """Pixels per metre of height at a row of the picture.

    Of people seen upright and whole, the box's height grows linearly with the row of the feet on flat ground and a level camera. It
    measures what stands beside them to some tenths, which is enough to tell beside from away, and lying from standing.

    Args:
        view: The camera's.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._seen: list[tuple[float, float]] = []
        self._fit: tuple[float, float] | None = None
        self._middle_px = self._tallest_px = 0.0
        self._learned = False
        self._fitted_s = -np.inf

    def learn(self, scene: Scene) -> None:
        """Takes the measure of whoever stands in a scene."""
        width, height = scene.size_px
        if scene.time_s - self._fitted_s >= REFIT_S and self._learned:
            self._fit, self._learned, self._fitted_s = None, False, scene.time_s
        for track in scene.of_kind("person"):
            x0, y0, x1, y1 = track.box_px
            whole = x0 > 2 and y0 > 2 and x1 < width - 2 and y1 < height - 2
            if track.seen_s < scene.time_s or not whole or track.hits < LEAST_HITS or track.score < LEAST_SCORE:
                continue
            if y1 - y0 < UPRIGHT * (x1 - x0):
                continue
            self._seen = [*self._seen[-(KEPT - 1) :], (float(y1), float(y1 - y0))]
            self._learned = True

    def standing_px(self, foot_y_px: float) -> float | None:
        """Height that somebody who stands there would have; None where nobody has stood in the picture yet."""
        if not self._seen:
            return None
        if self._fit is None:
            feet, heights = np.array(self._seen).T
            self._middle_px, self._tallest_px = float(np.median(heights)), float(heights.max())
            self._fit = (0.0, self._middle_px)
            if len(feet) >= 8 and np.ptp(feet) > LEAST_SPREAD * self._middle_px:
                slope = float(np.polyfit(feet, heights, 1)[0])
                if slope > 0:
                    slope = min(slope, STEEPEST)
                    self._fit = (slope, float(heights.mean() - slope * feet.mean()))
        slope, start = self._fit
        # Beyond those seen, the line is not followed to the horizon, nor far towards the camera.
        return min(max(slope * foot_y_px + start, 0.3 * self._middle_px), BEYOND * self._tallest_px)

    def is_on_ground(self, box_px: npt.NDArray[np.floating]) -> bool:
        """False for what ends near the horizon or above it, as far as that is known: lamps, screens and signs are not on the ground."""
        middle, foot = float(box_px[0] + box_px[2]) / 2, float(box_px[3])
        if self._view.ground is not None:
            return bool(np.isfinite(self._view.ground.to_ground_m([(middle, foot)])).all())
        if self.standing_px(foot) is None or self._fit is None:
            return True
        slope, start = self._fit
        return slope == 0 or slope * foot + start > HORIZON_SHARE * self._middle_px

    def px_per_m(self, box_px: npt.NDArray[np.floating]) -> float | None:
        """Pixels per metre, upright or across the view, at the foot of a box; None where nothing tells."""
        if self._view.ground is not None:
            middle, foot = float(box_px[0] + box_px[2]) / 2, float(box_px[3])
            ground = self._view.ground.to_ground_m([(middle - 5, foot), (middle + 5, foot)])
            metres = float(np.linalg.norm(ground[1] - ground[0]))
            if np.isfinite(metres) and metres > 0:
                return 10.0 / metres
        standing = self.standing_px(float(box_px[3]))
        return None if standing is None else standing / PERSON_M

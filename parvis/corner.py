"""The street corner that the demonstration plays: its site plan, and what sounds there and when.

Everything stands in one frame: metres east and north of a point on the junction that the pedestrian clip shows. That is the
frame of the calibration published with the clip's benchmark; which way is really north there is not known, and the corner is
put down in a town of our choosing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from . import sounds
from .material import BICYCLES, PEDESTRIANS, Recording

SITE = "demo"
ORIGIN_LON, ORIGIN_LAT = 5.3700, 43.2960
TEMPERATURE_C = 24.0
#: The pedestrian clip's length: every unit's material is as long, so that all end together.
SCENE_S = 79.5

#: Places of the units, metres east and north. The first is the clip's camera.
PLACES_M = {"u001": (-28.9, -19.5), "u002": (30.0, -25.0), "u003": (25.0, 35.0), "u004": (-30.0, 40.0)}

CAMERA_UNIT = "u001"

#: Points of the ground and where the pedestrian clip shows them, in pixels of 768 × 576: from the camera calibration that was
#: published with PETS 2009 (Tsai's model, view 001). Checked on the clip: the people who walk there come out 1.7 to 1.9 m tall.
GROUND_POINTS = (
    ((-18, -12), (357.8, 523.3)), ((-18, -6), (32.8, 430.1)), ((-12, -12), (556.9, 369.4)), ((-12, -6), (267.8, 318.9)),
    ((-12, 0), (53.9, 280.9)), ((-6, -12), (676.2, 275.3)), ((-6, -6), (424.8, 244.4)), ((-6, 0), (224.8, 220.4)),
    ((-6, 6), (65.7, 201.6)), ((0, -12), (754.7, 212.7)), ((0, -6), (535.2, 192.1)), ((0, 0), (351.9, 175.8)),
    ((0, 6), (199.7, 162.8)), ((6, -6), (616.2, 153.6)), ((6, 0), (449.1, 141.9)), ((6, 6), (305.9, 132.6)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """A place of the corner on the globe.

    Attributes:
        lon, lat: WGS 84, degrees.
    """

    lon: float
    lat: float

    @classmethod
    def of(cls, east_m: float, north_m: float) -> Place:
        """From metres, by the ellipsoid's radii of curvature at the origin; rounded to a centimetre."""
        latitude = math.radians(ORIGIN_LAT)
        flat = 1.0 - 6.69437999014e-3 * math.sin(latitude) ** 2
        meridian_m, normal_m = 6_378_137.0 * (1.0 - 6.69437999014e-3) / flat**1.5, 6_378_137.0 / math.sqrt(flat)
        lon = ORIGIN_LON + math.degrees(east_m / (normal_m * math.cos(latitude)))
        return cls(round(lon, 7), round(ORIGIN_LAT + math.degrees(north_m / meridian_m), 7))

    def __str__(self) -> str:
        return f"{{lon: {self.lon:.7f}, lat: {self.lat:.7f}}}"


# --- what sounds --------------------------------------------------------------------------------------------------------------


def scene() -> list[sounds.Source]:
    """What sounds at the corner: a shot, a siren that passes, a horn. The numbers are peak levels at 1 m."""
    return [
        sounds.Source(sounds.gunshot(np.random.default_rng(1)), 9.0, 150.0, sounds.still(4.0, 6.0)),
        sounds.Source(sounds.horn(1.5), 24.0, 115.0, sounds.still(18.0, -22.0)),
        sounds.Source(sounds.siren(24.0), 34.0, 123.0, sounds.driving((-130.0, -32.0), (11.0, 0.0), 34.0)),
    ]


def microphone(unit: str) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """What one unit's microphone records of the scene."""
    seed = sorted(PLACES_M).index(unit)
    return sounds.heard(scene(), PLACES_M[unit], SCENE_S, TEMPERATURE_C, seed)


# --- the site plan ------------------------------------------------------------------------------------------------------------

_HEAD = """\
# The demonstration's corner. `parvis demo` wrote this; every key is explained in docs/ and checked when it is read.
site: {site}
timezone: Europe/Paris
profile: lab            # everything on the closed list, on recorded files only
origin: {origin}
temperature_c: {temperature_c:g}   # the speed of sound, for where a shot was
units:
"""

_CAMERA_UNIT = """\
  u001:                 # the mast that the pedestrian clip was recorded from
    position: {place}
    height_m: 7.1
    heading_deg: 60
    senses: [camera, microphone]
    range_m: 60
    ground_plane:       # published with the clip's benchmark: so the unit measures in metres
      image_size: [768, 576]
      points:
{points}
"""

#: The other clip's camera is not fixed and nothing is known of it: what is judged is judged in the picture alone.
_UNCALIBRATED_UNIT = """\
  u001:
    position: {place}
    senses: [camera, microphone]
    range_m: 60
"""

_MICROPHONE_UNIT = """\
  {unit}:
    position: {place}
    height_m: 4
    senses: [microphone]
    range_m: 100
"""

#: Drawn on the pedestrian clip: a lawn that is not to be walked on, and the mouth of a road that is kept free.
_CAMERA_ZONES = """\
  lawn: {kind: closed, unit: u001, image_size: [768, 576], after_s: 1.0,
         polygon_px: [[0, 275], [190, 298], [350, 365], [520, 440], [700, 545], [730, 576], [0, 576]]}
  fire-gate: {kind: closed, unit: u001, image_size: [768, 576], after_s: 1.0,
              polygon_px: [[600, 150], [690, 150], [690, 190], [560, 190]]}
  # Far below the density at which a crowd is dangerous (3.5 and up): few people walk here, and the rule is the same.
  junction: {kind: crowd, unit: u001, image_size: [768, 576], density_steps_p_m2: [0.03, 3.5, 5.0],
             polygon_px: [[270, 195], [440, 190], [600, 150], [700, 170], [768, 300], [768, 500], [520, 400], [350, 330]]}
"""

_BICYCLE_ZONES = """\
  pavement: {kind: closed, unit: u001, image_size: [640, 272], after_s: 1.0,
             polygon_px: [[0, 150], [640, 150], [640, 272], [0, 272]]}
"""

_NOISE_ZONE = """\
  quiet-street: {kind: noise, unit: u002, limit_db: 75, period_s: 10}
"""


def site_plan(clip: Recording | None) -> str:
    """The site plan as a file's text.

    Args:
        clip: What the first unit's camera shows; None: no unit has a camera.
    """
    text = _HEAD.format(site=SITE, origin=Place.of(0.0, 0.0), temperature_c=TEMPERATURE_C)
    for unit, (east_m, north_m) in PLACES_M.items():
        place = Place.of(east_m, north_m)
        if unit == CAMERA_UNIT and clip is PEDESTRIANS:
            text += _CAMERA_UNIT.format(place=place, points="\n".join(_points()))
        elif unit == CAMERA_UNIT and clip is BICYCLES:
            text += _UNCALIBRATED_UNIT.format(place=place)
        else:
            text += _MICROPHONE_UNIT.format(unit=unit, place=place)
    zones = _CAMERA_ZONES if clip is PEDESTRIANS else _BICYCLE_ZONES if clip is BICYCLES else ""
    return text + "zones:\n" + zones + _NOISE_ZONE


def _points() -> Iterable[str]:
    for (east_m, north_m), (x_px, y_px) in GROUND_POINTS:
        yield f"        - {{px: [{x_px}, {y_px}], at: {Place.of(east_m, north_m)}}}"

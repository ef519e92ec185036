"""A camera whose every property is known, and a square in front of it: what a calibration is measured against."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from parvis_contract import Point, Site, load_site
from parvis_contract.site import GroundPoint
from parvis_edge.vision.ground_plane import LocalPlane

ORIGIN = Point(lon=5.37, lat=43.296)
PLANE = LocalPlane(ORIGIN)
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """A pinhole camera above the origin of the site, looking along its heading and down by its tilt."""

    height_m: float = 4.5
    heading_deg: float = 20.0
    tilt_deg: float = 25.0
    focal_px: float = 900.0
    size_px: tuple[int, int] = (1280, 720)
    #: Radial distortion, as OpenCV has it.
    k1: float = 0.0

    @property
    def rotation(self) -> Floats:
        """Rows: the camera's right, down and ahead, in east, north, up."""
        turn, tilt = math.radians(self.heading_deg), math.radians(self.tilt_deg)
        right = np.array([math.cos(turn), -math.sin(turn), 0.0])
        level = np.array([math.sin(turn), math.cos(turn), 0.0])
        ahead = level * math.cos(tilt) - np.array([0.0, 0.0, math.sin(tilt)])
        return np.stack([right, np.cross(ahead, right), ahead])

    def see(self, ground_m: npt.ArrayLike) -> Floats:
        """Pixels of `(N, 2)` metres east and north."""
        places = np.asarray(ground_m, np.float64).reshape(-1, 2)
        x, y, z = self.rotation @ (np.column_stack([places, np.full(len(places), -self.height_m)])).T
        u, v = x / z, y / z
        bend = 1 + self.k1 * (u * u + v * v)
        return np.stack([self.focal_px * u * bend + self.size_px[0] / 2, self.focal_px * v * bend + self.size_px[1] / 2], axis=1)

    def at(self, pixels: npt.ArrayLike) -> Floats:
        """The ground at `(N, 2)` pixels; of a camera without distortion."""
        points = np.asarray(pixels, np.float64).reshape(-1, 2)
        rays = np.column_stack([(points - np.array(self.size_px) / 2) / self.focal_px, np.ones(len(points))]) @ self.rotation
        return np.asarray(rays[:, :2] * (-self.height_m / rays[:, 2])[:, None])

    def depth_m(self, ground_m: npt.ArrayLike) -> Floats:
        """Along the optical axis."""
        places = np.asarray(ground_m, np.float64).reshape(-1, 2)
        return np.asarray((self.rotation @ np.column_stack([places, np.full(len(places), -self.height_m)]).T)[2])


def known(camera: Camera, pixels: npt.ArrayLike, rng: np.random.Generator | None = None) -> tuple[GroundPoint, ...]:
    """Points where the camera has these pixels; with a generator, pointed at and measured as people do."""
    points = np.asarray(pixels, np.float64).reshape(-1, 2)
    places = camera.at(points)
    if rng is not None:
        points = points + rng.normal(0, 2.0, points.shape)
        places = places + rng.normal(0, 0.05, places.shape)
    degrees = PLANE.to_degrees(places)
    return tuple(
        GroundPoint(px=(float(x), float(y)), at=Point(lon=float(lon), lat=float(lat)))
        for (x, y), (lon, lat) in zip(points, degrees, strict=True)
    )


#: Near and far, left and right.
SIX = [(120.0, 640.0), (1180.0, 650.0), (640.0, 420.0), (980.0, 250.0), (300.0, 240.0), (620.0, 200.0)]
FOUR = [(102.0, 655.0), (1180.0, 640.0), (860.0, 260.0), (420.0, 250.0)]

PROFILE = """\
name: test
title: {{en: Test, fr: Essai}}
jurisdiction: none; a test's own pictures
basis: {{text: "Nobody is seen or heard: drawn pictures and computed sound."}}
valid_from: 2020-01-01
valid_to: 2100-01-01
camera: {{allow: [unit.tampered, crowd.density, zone.intrusion], source: {{text: "Drawn pictures."}}}}
microphone: {{allow: [sound.level], source: {{text: "Computed sound."}}}}
sound_with_image: {{allow: false, source: {{text: "Not needed."}}}}
retention: {{events_h: 1, incidents_h: 1, evidence_h: 1, sightings_h: 1, audit_h: 1, source: {{text: "A test."}}}}
{more}
"""
PLAN = """\
site: quay
profile: {profile}          # the law
origin: {{lon: 5.37, lat: 43.296}}
units:
  u001:                     # over the door
    position: {{lon: 5.37, lat: 43.296}}
    height_m: 4.5
    heading_deg: 20
    senses: [camera, microphone]
    range_m: 40
  u002: {{position: {{lon: 5.3702, lat: 43.2962}}, senses: [microphone]}}
{more}
"""


def write_plan(folder: Path, *, more: str = "", law: str | None = "") -> Path:
    """A site plan for a camera at the site's origin; `law` more keys of a profile that allows live sources, None for `lab`."""
    folder.mkdir(parents=True, exist_ok=True)
    if law is not None:
        (folder / "law.yaml").write_text(PROFILE.format(more=law))
    path = folder / "site.yaml"
    path.write_text(PLAN.format(profile="lab" if law is None else "law.yaml", more=more))
    return path


def make_site(folder: Path, *, more: str = "", law: str | None = "") -> Site:
    """The same, read."""
    return load_site(write_plan(folder, more=more, law=law))


def render(camera: Camera, texture: npt.NDArray[np.uint8], m_per_texel: float, south_west_m: tuple[float, float]) -> npt.NDArray[np.uint8]:
    """The camera's picture of a ground that shows a texture (north up), grey elsewhere; `(H, W, 3)`."""
    height, width = texture.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    places = np.stack([corners[:, 0] * m_per_texel, (height - corners[:, 1]) * m_per_texel], axis=1) + np.array(south_west_m)
    # Pixel middles lie half a pixel from where OpenCV counts them.
    warp = cv2.getPerspectiveTransform((corners - 0.5).astype(np.float32), (camera.see(places) - 0.5).astype(np.float32))
    # Drawn four times as large and averaged, so that edges are as soft as a lens makes them.
    scale = np.array([[4.0, 0, 1.5], [0, 4.0, 1.5], [0, 0, 1]])
    large = (camera.size_px[0] * 4, camera.size_px[1] * 4)
    picture = cv2.warpPerspective(texture, scale @ warp, large, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=128)
    small = cv2.resize(picture, camera.size_px, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_GRAY2BGR) if small.ndim == 2 else small, np.uint8)

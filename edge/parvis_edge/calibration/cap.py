"""Whether a calibrated camera sees people in more detail than the legal profile's optical cap allows. Fails closed."""

from __future__ import annotations

import math

from parvis_contract import Site

from parvis_edge.vision.ground_plane import GroundPlane, GroundPlaneError, LocalPlane

from .geometry import Nearest, nearest_standing


def over_the_cap(site: Site, unit: str, size_px: tuple[int, int] | None = None) -> str | None:
    """Why a camera may not be watched; None if it keeps the cap, if there is none, or if the camera is not calibrated.

    Args:
        site: The site plan.
        unit: Whose camera; must be in the plan.
        size_px: Of the pictures that come; None takes that of the calibration. A larger picture shows people in more detail.
    """
    camera = site.units[unit]
    if site.law.optical_cap is None or camera.ground_plane is None:
        return None
    size_px = size_px or camera.ground_plane.image_size
    try:
        ground = GroundPlane(camera.ground_plane, LocalPlane(site.origin), size_px)
    except GroundPlaneError as error:
        return f"{site.path}: units.{unit}.ground_plane: {error}: nobody knows whether it keeps the optical cap; calibrate again"
    return too_fine(site, nearest_standing(ground, size_px, camera.height_m), size_px)


def too_fine(site: Site, nearest: Nearest | None, size_px: tuple[int, int]) -> str | None:
    """The same for whoever stands nearest: what is wrong, and after a semicolon what to do.

    Args:
        site: The site plan.
        nearest: Where somebody would be seen in most detail; None if no ground is in view.
        size_px: Of the pictures.
    """
    cap = site.law.optical_cap
    refusal = None if nearest is None else site.law.detail_refusal(nearest.px_per_m)
    if cap is None or nearest is None or refusal is None:
        return None
    # Rounded down: pictures of the size that is named keep the cap.
    across = math.floor(size_px[0] * cap.px_per_m / nearest.px_per_m)
    return (
        f"{refusal} (at {nearest.px[0]:.0f}, {nearest.px[1]:.0f} in the picture); hang the camera higher, turn it up, take a wider lens, "
        f"or have it send pictures {across} pixels across instead of {size_px[0]}"
    )

"""What came of a calibration, for a person who reads it and for a page that draws it. Pure."""

from __future__ import annotations

import math
from typing import Any

from .assess import Assessment
from .geometry import Nearest


def as_lines(found: Assessment, unit: str) -> list[str]:
    """The report, line by line."""
    width, height = found.image_size
    lines = [f"{len(found.points)} points in a picture of {width} × {height} pixels"]
    for number, (point, check) in enumerate(zip(found.points, found.checks, strict=False), 1):
        alone = "" if check.left_out_m is None else f", {_metres(check.left_out_m)} from where the others put it"
        where = f"({point.px[0]:g}, {point.px[1]:g}) = {point.at.lon:.7f}, {point.at.lat:.7f}"
        lines.append(f"  point {number} {where}: {check.residual_m:.2f} m off{alone}")
    if found.error_m is not None:
        where = "in the zones" if any(zone.error_m is not None for zone in found.zones) else "between the points"
        lines.append(f"error of the ground plane {where}: {_metres(found.error_m)} (1 sigma), {found.error_at_m:.0f} m from the unit")
    for zone in found.zones:
        if zone.reason:
            lines.append(f"  {zone.name}: {zone.reason}")
        else:
            area = "" if zone.area_m2 is None else f" {zone.area_m2:,.1f} m²"
            error = "" if zone.error_m is None else f", error {_metres(zone.error_m)}"
            lines.append(f"  {zone.name}:{area or ' in view'}{error}")
    if found.camera is not None:
        lines.append(f"the points put the camera {found.camera.height_m:.1f} m above the ground")
    if found.nearest is not None:
        lines.append(nearest_line(found.nearest, found.cap_px_per_m))
    lines += [f"look at this: {warning}" for warning in found.warnings]
    lines += [f"refused: {refusal}" for refusal in found.refusals]
    if found.good:
        lines.append(f"good enough for units.{unit}")
    return lines


def nearest_line(nearest: Nearest, cap_px_per_m: float | None) -> str:
    """Pixels per metre at the nearest standing point, and what the profile says of it."""
    head = "" if nearest.head_px_per_m is None else f" ({nearest.head_px_per_m:.0f} at the head)"
    cap = "; the profile sets no optical cap" if cap_px_per_m is None else f"; the profile's optical cap is {cap_px_per_m:g}"
    return f"whoever stands nearest is seen with {nearest.px_per_m:.0f} pixels per metre{head}{cap}"


def as_data(found: Assessment) -> dict[str, Any]:
    """The same for JSON; what is infinite is null."""
    return {
        "good": found.good,
        "image_size": list(found.image_size),
        "points": [{"px": list(point.px), "lon": point.at.lon, "lat": point.at.lat} for point in found.points],
        "checks": [
            {"residual_m": _finite(check.residual_m), "left_out_m": _finite(check.left_out_m), "sigmas": _finite(check.sigmas)}
            for check in found.checks
        ],
        "error_m": _finite(found.error_m),
        "error_at_m": _finite(found.error_at_m),
        "zones": [
            {"name": zone.name, "area_m2": _finite(zone.area_m2), "error_m": _finite(zone.error_m), "reason": zone.reason}
            for zone in found.zones
        ],
        "nearest": None
        if found.nearest is None
        else {"px": list(found.nearest.px), "px_per_m": found.nearest.px_per_m, "head_px_per_m": found.nearest.head_px_per_m},
        "cap_px_per_m": found.cap_px_per_m,
        "camera_height_m": None if found.camera is None else found.camera.height_m,
        "horizon_px": found.horizon,
        "warnings": found.warnings,
        "refusals": found.refusals,
    }


def _metres(value: float) -> str:
    return f"{value:.2f} m" if math.isfinite(value) else "anywhere"


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 4)

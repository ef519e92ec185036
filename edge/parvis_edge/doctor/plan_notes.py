"""What of the site plan a unit cannot judge, by law, by its view or for want of a calibration; and what its calibration is worth."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from parvis_contract import NoiseZone, Site
from parvis_contract.site import GroundPoint

from parvis_edge.analysers.baseline import Baseline, NoBaseline
from parvis_edge.analysers.level_unusual import Shelf, progress, quantities_of, series_of, shelf_name
from parvis_edge.calibration.assess import assess
from parvis_edge.calibration.report import nearest_line
from parvis_edge.capture.source import SenseName
from parvis_edge.law import Permission, permission, today
from parvis_edge.perception import Frame

#: What each kind of zone is there for.
_REPORTS = {
    "watched": ("object.unattended",),
    "closed": ("zone.intrusion",),
    "walked": ("person.on_ground",),
    "crowd": ("crowd.density", "crowd.surge"),
    "noise": ("sound.level",),
}
#: Two shapes of picture differ by this share: more than rounding makes of one.
_OTHER_SHAPE = 0.02


def plan_notes(site: Site, unit: str, picture: npt.NDArray[np.uint8] | None, *, recorded: bool, shelf: Shelf | None = None) -> list[str]:
    """The notes, in words.

    Args:
        site: The site plan.
        unit: Which unit.
        picture: ``(H, W, 3)`` uint8 of its camera; None leaves to the plan what size it has.
        recorded: True if its sources are recordings: the law asks.
        shelf: Where the unit keeps what is usual; None leaves that out.
    """
    on = today(site, datetime.now(UTC))
    senses: tuple[SenseName, ...] = site.units[unit].senses
    found = {sense: permission(site, sense, recorded=recorded, on=on) for sense in senses}
    notes = _forbidden(site, unit, found)
    notes += [] if shelf is None else _learning(site, unit, found, shelf)
    if "camera" not in found:
        return notes
    plane = site.units[unit].ground_plane
    size_px = (1280, 720) if plane is None else plane.image_size
    if picture is None:
        picture = np.full((size_px[1], size_px[0], 3), 127, np.uint8)
    notes += _without_ground(site, unit) if plane is None else _with_ground(site, unit, (picture.shape[1], picture.shape[0]))
    return [*notes, *_unjudged(site, unit, picture, found["camera"].allowed)]


def _forbidden(site: Site, unit: str, found: dict[SenseName, Permission]) -> list[str]:
    """What is drawn for a type that the profile does not permit."""
    drawn: list[tuple[str, SenseName, str]] = []
    for name, zone in site.zones_of(unit).items():
        sense: SenseName = "microphone" if isinstance(zone, NoiseZone) else "camera"
        drawn += [(f"zones.{name}", sense, event) for event in _REPORTS[zone.kind]]
    drawn += [(f"lanes.{name}", "camera", "traffic.wrong_way") for name in site.lanes_of(unit)]
    notes = []
    for name, sense, event in drawn:
        refusal = found[sense].refusals.get(event) if sense in found else None
        if refusal is not None:
            notes.append(f"{name}: {event} is not judged: {refusal}")
    return notes


def _learning(site: Site, unit: str, found: dict[SenseName, Permission], shelf: Shelf) -> list[str]:
    """How far the unit has learned what is usual, where it is silent until it has."""
    notes = []
    for name, zone in site.zones_of(unit).items():
        sense: SenseName = "microphone" if isinstance(zone, NoiseZone) else "camera"
        if zone.unusual is None or sense not in found or "level.unusual" not in found[sense].allowed:
            continue
        for quantity in quantities_of(zone):
            baseline = Baseline(series_of(site, unit, name, quantity), zone.unusual.learn_weeks)
            kept = shelf.read(shelf_name(name, quantity))
            try:
                baseline.load(baseline.dump() if kept is None else kept)
            except NoBaseline as why:
                notes.append(f"zones.{name}: level.unusual: {quantity} will be learned anew: {why}")
                continue
            if (learned := progress(baseline)) is not None:
                notes.append(f"zones.{name}: level.unusual is silent while it learns what {quantity} is usual: {learned}")
    return notes


def _without_ground(site: Site, unit: str) -> list[str]:
    """What a calibration would add."""
    on_map = [f"zones.{name}" for name, zone in site.zones_of(unit).items() if not isinstance(zone, NoiseZone) and not zone.in_picture]
    on_map += [f"lanes.{name}" for name, lane in site.lanes_of(unit).items() if not lane.in_picture]
    lost = f", and {', '.join(on_map)} on the map cannot be judged" if on_map else ""
    own = f"a position is the unit's own to {site.units[unit].range_m:g} m"
    cap = site.law.optical_cap
    unknown = [] if cap is None else [f"{site.law.path}: optical_cap is {cap.px_per_m:g} px/m; whether the camera keeps it is not known"]
    return [
        *unknown,
        f"units.{unit} has no ground_plane: areas, distances and speeds are null, {own}{lost}; parvis-edge calibrate gives it one",
    ]


def _with_ground(site: Site, unit: str, size_px: tuple[int, int]) -> list[str]:
    """What the calibration is worth in pictures of the size that now come: a larger picture shows people in more detail."""
    plane = site.units[unit].ground_plane
    if plane is None:
        return []
    across, down = size_px[0] / plane.image_size[0], size_px[1] / plane.image_size[1]
    key = f"units.{unit}.ground_plane"
    if abs(across / down - 1) > _OTHER_SHAPE:
        taken, comes = (f"{width} × {height}" for width, height in (plane.image_size, size_px))
        return [f"{key} was taken in {taken}, and pictures of another shape come, {comes}: calibrate again with them"]
    points = tuple(GroundPoint(px=(point.px[0] * across, point.px[1] * down), at=point.at) for point in plane.points)
    found = assess(points, size_px, site, unit)
    notes = [f"{key}: {each}" for each in (*found.refusals, *found.warnings)]
    if found.error_m is not None and found.good:
        notes.append(f"{key} is right to {found.error_m:.2f} m (1 sigma), {found.error_at_m:.0f} m from the unit")
    if found.nearest is not None:
        notes.append(nearest_line(found.nearest, found.cap_px_per_m))
    return notes


def _unjudged(site: Site, unit: str, picture: npt.NDArray[np.uint8], allowed: frozenset[str]) -> list[str]:
    """As the unit itself finds out with its first picture."""
    if not allowed:
        return []
    # Half a second of imports and a model: what failed before should not wait for it.
    from parvis_edge.bundle import BundleError
    from parvis_edge.plan import default_makers

    try:
        sense: Any = default_makers()["camera"](site, unit, allowed)
    except BundleError as error:
        return [f"the model: {error}"]
    sense.process(Frame(time.time(), picture))
    return list(sense.unjudged)

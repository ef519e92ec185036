"""What a unit is asked to do, and whether it may: everything that can be refused before a source is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from parvis_contract import Site

from .baseline_folder import BaselineFolder
from .capture.source import SenseName, Source
from .commands.plan_files import PlanFiles
from .delivery.connection import Broker
from .hosting import Models
from .law import Permission, permission, today
from .perception import Sense

_log = structlog.get_logger()

#: Makes a sense from the site plan, the unit's name and what it may report.
SenseMaker = Callable[[Site, str, frozenset[str]], Sense[Any]]


class CannotStart(Exception):
    """Something that was asked for cannot be done; the message says what, and what to do. Nothing was opened."""


@dataclass(frozen=True, slots=True)
class Updates:
    """Where a unit takes models from.

    Attributes:
        repository: Address of the TUF repository.
        root: File with the root metadata that the unit was given.
        ca: Who signed the server's certificate; None takes those that the system trusts.
    """

    repository: str
    root: Path
    ca: Path | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """What a unit is to do.

    Attributes:
        site: The site plan.
        unit: Which of its units this is.
        sources: What each sense is fed from.
        start_s: POSIX seconds at which recordings begin; None: now.
        standard_output: True prints messages, False publishes them.
        real_pace: True plays recordings at their own speed.
        broker: Where to publish.
        data_dir: Where the outbox is.
        telemetry_s: How often telemetry is sent.
        fetch_plan: Gives the site plan with a digest, from the hub; None where there is none to ask.
        plans: The site plan that is good and the one on trial; None takes that of `site` as the good one.
        updates: Where models are taken from; None: nowhere, and those run that the program was shipped with.
        baselines: Where what is usual is kept; None takes the folder beside the outbox, or none where everything is recorded.
        metrics: Host and port at which Prometheus may ask how it is; None for nowhere.
        drain_s: How long, after a recording's end, to wait until everything has been delivered.
    """

    site: Site
    unit: str
    sources: Mapping[SenseName, Source]
    start_s: float | None = None
    standard_output: bool = False
    real_pace: bool = True
    broker: Broker = field(default_factory=Broker)
    data_dir: Path = Path("/var/lib/parvis")
    telemetry_s: float = 10.0
    drain_s: float = 30.0
    metrics: tuple[str, int] | None = None
    baselines: Path | None = None
    updates: Updates | None = None
    fetch_plan: Callable[[str], bytes] | None = None
    plans: PlanFiles | None = None

    @property
    def recorded(self) -> bool:
        """True if nothing that it watches is live."""
        return all(source.recorded for source in self.sources.values())

    @property
    def outbox(self) -> Path:
        """The outbox's file: one per unit."""
        return self.data_dir / self.site.site / f"{self.unit}.outbox.sqlite"

    @property
    def session(self) -> Path:
        """The file with the name of its connection at the broker."""
        return self.data_dir / self.site.site / f"{self.unit}.session"

    @property
    def commands(self) -> Path:
        """The folder of the hub's commands to this unit."""
        return self.data_dir / self.site.site / f"{self.unit}.commands"

    @property
    def shelf(self) -> BaselineFolder | None:
        """Where what is usual is kept. A recording teaches nothing unless asked to: judged again, it would say other things."""
        if self.baselines is not None:
            return BaselineFolder(self.baselines)
        return None if self.recorded else BaselineFolder(baselines_beside(self.data_dir, self.site.site, self.unit))


def baselines_beside(data_dir: Path, site: str, unit: str) -> Path:
    """The folder of what is usual, beside the outbox."""
    return data_dir / site / f"{unit}.baselines"


def default_makers(
    allowed_tags: Callable[[], frozenset[int]] = frozenset, shelf: BaselineFolder | None = None, models: Models | None = None
) -> dict[SenseName, SenseMaker]:
    """The senses that a unit has; their models are loaded once, when first needed.

    Args:
        allowed_tags: The numbers that may be read at this moment.
        shelf: Where what is usual is kept; None keeps it for this run alone.
        models: The models; None takes those that the program was shipped with.
    """
    bundle = (models or Models()).bundle

    def camera(site: Site, unit: str, allowed: frozenset[str]) -> Sense[Any]:
        import cv2

        from .analysers.blind_camera import BlindCameraSense
        from .analysers.camera import CameraSense

        # One thread a sense: a second core belongs to the other sense, or to nobody.
        cv2.setNumThreads(1)
        if site.blind:
            return BlindCameraSense(site, unit, allowed, allowed_tags)
        return CameraSense(site, unit, allowed, bundle("nanodet-g-416"), allowed_tags, shelf)

    def microphone(site: Site, unit: str, allowed: frozenset[str]) -> Sense[Any]:
        from .analysers.microphone import MicrophoneSense

        return MicrophoneSense(site, unit, allowed, bundle("yamnet"), shelf)

    return {"camera": camera, "microphone": microphone}


def check(watch: Watch) -> dict[SenseName, Permission]:
    """Everything that can be refused before a source is opened.

    Returns:
        What each sense may report.

    Raises:
        CannotStart: The unit is not in the plan, has not the sense, or the law allows it nothing, or not in such detail.
    """
    if watch.unit not in watch.site.units:
        raise CannotStart(f"{watch.site.path}: units: no unit {watch.unit}; there are {', '.join(sorted(watch.site.units))}")
    if not watch.sources:
        raise CannotStart("nothing to watch: give --video, --audio or both")
    senses = watch.site.units[watch.unit].senses
    permissions: dict[SenseName, Permission] = {}
    for sense, source in watch.sources.items():
        if sense not in senses:
            raise CannotStart(f"{watch.site.path}: units.{watch.unit}.senses is [{', '.join(senses)}]: this unit has no {sense}")
        if watch.start_s is not None and not source.recorded:
            raise CannotStart(f"{source}: --start is for recordings; what is live has the time at which it arrives")
        found = permission(watch.site, sense, recorded=source.recorded, on=today(watch.site, datetime.now(UTC)))
        if not found.allowed:
            raise CannotStart("\n".join([f"the law allows this {sense} nothing, so it is not opened:", *found.reasons]))
        if sense == "camera":
            _check_the_cap(watch.site, watch.unit)
        permissions[sense] = found
    for sense, found in permissions.items():
        for name, refusal in found.refusals.items():
            _log.warning("not started: the legal profile does not permit it", sense=sense, type=name, profile=str(refusal))
    return permissions


def _check_the_cap(site: Site, unit: str) -> None:
    """Refuses a camera that is known to see people in more detail than the law allows.

    Raises:
        CannotStart: It does.
    """
    cap = site.law.optical_cap
    if cap is None:
        return
    if site.units[unit].ground_plane is None:
        why = "whether it keeps the profile's optical cap is not known; parvis-edge calibrate says"
        _log.warning("not calibrated", sense="camera", profile=str(site.law.path), px_per_m=cap.px_per_m, why=why)
        return
    # Scipy takes a moment to import, and a microphone needs none.
    from .calibration.cap import over_the_cap

    excess = over_the_cap(site, unit)
    if excess is not None:
        raise CannotStart(f"the law allows this camera less detail, so it is not opened:\n{excess}")

"""Walks the steps in their order, and looks at what the site plan asks of the unit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from parvis_contract import Site, UnitTelemetry, UnitTopic

from parvis_edge.baseline_folder import BaselineFolder
from parvis_edge.calibration.cap import over_the_cap
from parvis_edge.delivery.clock import read_clock
from parvis_edge.delivery.connection import Broker
from parvis_edge.delivery.health import memory_bytes, temperature_c
from parvis_edge.delivery.report import body_of
from parvis_edge.plan import baselines_beside

from .body import Waiting, check_clock, check_disk, check_heat, waiting_messages
from .finding import Finding, Outcome, failed, skipped
from .network import Way
from .plan_notes import plan_notes
from .senses import check_camera, check_microphone, halves, open_or_not


class CannotExamine(Exception):
    """The unit is not in the plan; the message says which are."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What to examine.

    Attributes:
        site, unit: Which unit.
        video, audio: What its senses are to be fed from, as on the command line; None leaves one out.
        broker: Where it publishes.
        data_dir: Where undelivered events are kept.
    """

    site: Site
    unit: str
    video: str | None = None
    audio: str | None = None
    broker: Broker = field(default_factory=Broker)
    data_dir: Path = Path("/var/lib/parvis")

    @property
    def outbox(self) -> Path:
        """As the unit itself names it."""
        return self.data_dir / self.site.site / f"{self.unit}.outbox.sqlite"

    @property
    def shelf(self) -> BaselineFolder:
        """Where the unit keeps what is usual."""
        return BaselineFolder(baselines_beside(self.data_dir, self.site.site, self.unit))


@dataclass(slots=True)
class Walk:
    """One walk.

    Attributes:
        notes: What the site plan asks for that this unit cannot judge, and what a calibration would add; known after the walk.
    """

    asked: Examination
    notes: list[str] = field(default_factory=list)
    _picture: npt.NDArray[np.uint8] | None = None
    _fps: float | None = None

    def steps(self) -> Iterator[Finding]:
        """Each step as it is done.

        Raises:
            CannotExamine: The unit is not in the plan.
        """
        asked, site = self.asked, self.asked.site
        if asked.unit not in site.units:
            raise CannotExamine(f"{site.path}: units: no unit {asked.unit}; there are {', '.join(sorted(site.units))}")
        begun_s = time.monotonic()
        camera = open_or_not(site, asked.unit, "camera", asked.video)
        if isinstance(camera, Finding):
            yield camera
        else:
            seen = check_camera(camera)
            self._picture, self._fps = seen.picture, seen.fps
            yield self._within_the_cap(seen.finding)
        microphone = open_or_not(site, asked.unit, "microphone", asked.audio)
        if isinstance(microphone, Finding):
            yield microphone
        else:
            yield check_microphone(microphone, site.units[asked.unit].microphone.full_scale_db)
        sources = [each for each in (camera, microphone) if not isinstance(each, Finding)]
        yield check_clock(read_clock(), recorded=bool(sources) and all(source.recorded for source in sources))
        yield check_disk(asked.data_dir, asked.outbox)
        yield check_heat()
        way = Way(asked.broker, asked.unit)
        try:
            yield way.look_up()
            yield way.connect()
            yield way.shake_hands()
            yield way.greet()
            waiting = waiting_messages(asked.outbox)
            if waiting is None:
                yield skipped("publish", "the outbox cannot be read before the unit itself has mended it, so nothing true could be said")
            else:
                yield way.publish(str(UnitTopic.of(site.site, asked.unit, "unit.telemetry")), lambda: self._telemetry(begun_s, waiting))
        finally:
            way.close()
        recorded = all(source.recorded for source in sources) if sources else site.law.recorded_only
        self.notes = plan_notes(site, asked.unit, self._picture, recorded=recorded, shelf=asked.shelf)

    def _within_the_cap(self, finding: Finding) -> Finding:
        """The camera's row, unless the law allows less detail than its pictures have."""
        if self._picture is None or finding.outcome is Outcome.FAILED:
            return finding
        height, width = self._picture.shape[:2]
        excess = over_the_cap(self.asked.site, self.asked.unit, (width, height))
        return finding if excess is None else failed("camera", *halves(excess), **finding.measured)

    def _telemetry(self, begun_s: float, waiting: Waiting) -> bytes:
        """Telemetry changes no state of the unit, is retained by nobody, and what it says here is so."""
        data = UnitTelemetry(
            uptime_s=round(time.monotonic() - begun_s, 3),
            captured_fps=None if self._fps is None else round(min(self._fps, 1_000.0), 2),
            analysed_fps=None,
            vision_inference_ms=None,
            hearing_inference_ms=None,
            queue_frames=0,
            dropped_frames=0,
            outbox_messages=waiting.messages,
            outbox_oldest_s=round(waiting.oldest_s, 3),
            outbox_shed=waiting.shed,
            memory_bytes=memory_bytes(),
            temperature_c=temperature_c(),
            clock=read_clock(),
        )
        return body_of("unit.telemetry", self.asked.site.site, self.asked.unit, time.time(), data)


def examine(asked: Examination, show: Callable[[Finding], None]) -> tuple[list[Finding], list[str]]:
    """Walks, showing each step as it is done.

    Returns:
        All of them, in order, and the notes on the site plan.

    Raises:
        CannotExamine: The unit is not in the plan.
    """
    walk, findings = Walk(asked), []
    for finding in walk.steps():
        findings.append(finding)
        show(finding)
    return findings, walk.notes

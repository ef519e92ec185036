"""What a unit tells of itself: its status where it changes, its telemetry in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import structlog
from parvis_contract import (
    Clock,
    CommandStatus,
    ModelRef,
    SenseStatus,
    StatusReason,
    StreamState,
    UnitState,
    UnitStatus,
    UnitTelemetry,
    UnitTopic,
)

from .advice import ADVICE
from .delivery.deliverer import Announcer
from .delivery.health import memory_bytes, temperature_c
from .delivery.outbox import Fill, Outbox, OutboxError
from .delivery.report import body_of, unit_state
from .delivery.speech import Kept
from .perceive import Perceiver

_log = structlog.get_logger()


class Reporter:
    """Tells how one unit is: to the log, and to the broker if there is one.

    Args:
        site: The site that it stands on.
        unit: Its name.
        software: Version of the program.
        models: The models in use.
        commands: What it has taken of the hub's commands.
        show: Takes the same in one line for a person, with what to do.
    """

    def __init__(
        self,
        site: str,
        unit: str,
        software: str,
        models: Sequence[ModelRef],
        *,
        commands: Callable[[], CommandStatus | None] = lambda: None,
        show: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._site = site
        self._unit = unit
        self._software = software
        self._models = tuple(models)
        self._show = show
        self._commands = commands
        self._begun_s = time.monotonic()
        self._perceivers: Sequence[Perceiver] = ()
        self._announcer: Announcer | None = None
        self._last: UnitStatus | None = None
        self._analysed: dict[str, tuple[float, int]] = {}

    @property
    def status(self) -> UnitStatus | None:
        """What was last told; None before."""
        return self._last

    def about(self, perceivers: Sequence[Perceiver]) -> None:
        """Sets whose senses it tells about."""
        self._perceivers = perceivers

    def uses(self, model: ModelRef) -> None:
        """A model has been put in, in the place of another version of it."""
        self._models = tuple(model if each.name == model.name else each for each in self._models)

    def announcer(self, outbox: Outbox, kept: Kept, clock: Callable[[], Clock], every_s: float) -> Announcer:
        """Makes what the deliverer says beside the outbox, and speaks through it from now on."""
        self._announcer = Announcer(
            topic=str(UnitTopic.of(self._site, self._unit, "unit.status")),
            will=lambda: self._body(UnitStatus(state=UnitState.LOST, software=self._software)),
            telemetry_topic=str(UnitTopic.of(self._site, self._unit, "unit.telemetry")),
            telemetry=lambda: self._telemetry(outbox, kept, clock()),
            every_s=every_s,
        )
        return self._announcer

    def look(self, wrong: list[StatusReason]) -> None:
        """Tells the status if it has changed.

        Args:
            wrong: What is wrong beside the senses, the worst first.
        """
        senses = self._senses()
        started = all(perceiver.feed.liveness.started for perceiver in self._perceivers)
        state, reason = unit_state(senses, wrong, started=started)
        self._tell(state, reason, senses)

    def stopped(self, *, failed: bool) -> None:
        """Tells that the unit says no more."""
        senses = self._senses()
        reasons = [status.reason for status in senses.values() if status.state is StreamState.FAILED]
        self._tell(UnitState.FAILED if failed else UnitState.STOPPED, next(iter(reasons), None) if failed else None, senses)

    def _tell(self, state: UnitState, reason: StatusReason | None, senses: Mapping[str, SenseStatus]) -> None:
        status = UnitStatus(
            state=state,
            reason=reason,
            camera=senses.get("camera"),
            microphone=senses.get("microphone"),
            software=self._software,
            models=self._models,
            commands=self._commands(),
        )
        if status == self._last:
            return
        self._last = status
        told = {name: f"{each.state}{f' ({each.reason})' if each.reason else ''}" for name, each in senses.items()}
        advice = None if reason is None else ADVICE[reason]
        _log.info("state", state=state, reason=reason, advice=advice, **told)
        self._show(f"{state}{f': {reason}; {advice}' if reason else ''} [{', '.join(f'{name} {how}' for name, how in told.items())}]")
        if self._announcer:
            self._announcer.status(self._body(status))

    def _body(self, status: UnitStatus) -> bytes:
        return body_of("unit.status", self._site, self._unit, time.time(), status)

    def _senses(self) -> dict[str, SenseStatus]:
        now_s = time.monotonic()
        return {perceiver.sense_name: _status(perceiver, now_s) for perceiver in self._perceivers}

    def _telemetry(self, outbox: Outbox, kept: Kept, clock: Clock) -> bytes:
        by_name = {perceiver.sense_name: perceiver for perceiver in self._perceivers}
        camera, microphone = by_name.get("camera"), by_name.get("microphone")
        try:
            fill = outbox.fill()
        except OutboxError:
            # The disk has no room to open it: what is known is in memory.
            fill = Fill(0, 0, 0.0, 0)
        data = UnitTelemetry(
            uptime_s=round(time.monotonic() - self._begun_s, 3),
            captured_fps=round(min(camera.rate_hz(), 1_000.0), 2) if camera else None,
            analysed_fps=self._analysed_fps(camera) if camera else None,
            vision_inference_ms=_rounded(camera.inference_ms) if camera else None,
            hearing_inference_ms=_rounded(microphone.inference_ms) if microphone else None,
            queue_frames=len(camera.queue) if camera else 0,
            dropped_frames=camera.queue.dropped if camera else 0,
            outbox_messages=fill.messages + kept.waiting,
            outbox_oldest_s=round(fill.oldest_s, 3),
            outbox_shed=fill.shed + kept.shed,
            memory_bytes=memory_bytes(),
            temperature_c=temperature_c(),
            clock=clock,
        )
        return body_of("unit.telemetry", self._site, self._unit, time.time(), data)

    def _analysed_fps(self, perceiver: Perceiver) -> float:
        """Since the last telemetry."""
        now_s, analysed = time.monotonic(), perceiver.analysed
        then_s, before = self._analysed.get(perceiver.sense_name, (self._begun_s, 0))
        self._analysed[perceiver.sense_name] = (now_s, analysed)
        return round(min((analysed - before) / max(now_s - then_s, 1e-3), 1_000.0), 2)


def _status(perceiver: Perceiver, now_s: float) -> SenseStatus:
    """How a sense is: its stream comes first, then whether what comes shows anything."""
    status = perceiver.feed.status(now_s)
    if perceiver.tampered and status.state is StreamState.HEALTHY and status.reason is None:
        return SenseStatus(state=StreamState.DEGRADED, reason=StatusReason.TAMPERED)
    return status


def _rounded(value_ms: float | None) -> float | None:
    return None if value_ms is None else round(value_ms, 3)

"""The thread in which one sense perceives and judges: from its queue to findings, and on to whoever takes them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import structlog
from parvis_contract import ModelRef, Phase, StatusReason, StreamState

from .capture.feed import Feed
from .capture.queue import BoundedQueue, Closed
from .capture.timeline import TICK_S
from .durations import Durations
from .heartbeat import Heartbeat
from .perception import AudioBlock, Finding, Frame, Judgement, Sense

_log = structlog.get_logger()

#: Puts a model into a sense: False where the sense does not take it as it is and has to be made anew.
Exchange = Callable[[Sense[Any]], bool]

#: Written to the log, once a sense.
FIRST_JUDGED = "the first is judged"


class Listener(Protocol):
    """Who takes findings."""

    def judged(self, sense: str, time_s: float, findings: Sequence[Finding]) -> None:
        """A sense has come to ``time_s``, and said these."""

    def over(self, sense: str, *, failed: bool) -> None:
        """A sense will say no more."""


class _ForbiddenError(Exception):
    """The law does not allow what comes; the message says why."""


class Perceiver(threading.Thread):
    """Runs one sense.

    Args:
        name: ``camera`` or ``microphone``.
        feed, queue: Where its items come from.
        make: Makes the sense; called again when the picture's size or the sound's rate changes, and when the clock is set,
            since what the sense has learnt of the scene, and how long it has lasted, then no longer holds.
        sense: The first one, already made.
        listener: Who takes what it says.
        refuse: Asked at the first item and whenever the picture's size or the sound's rate changes, before it is judged: why the sense may
            not go on with it; None if it may.

    Attributes:
        failed: True if it broke down.
        tampered: True while it says that it can no longer sense what it should.
        heartbeat: Of its thread.
        judging: How long each item took that the model was run for.
        begun: Events that began, and those that took no time.
        model_fault: How the model failed that was put in last; None while it does not.
    """

    def __init__(
        self,
        name: str,
        *,
        feed: Feed[Any],
        queue: BoundedQueue[Any],
        make: Callable[[], Sense[Any]],
        sense: Sense[Any],
        listener: Listener,
        refuse: Callable[[tuple[int, ...]], str | None] = lambda _: None,
    ) -> None:
        super().__init__(name=f"perceive-{name}", daemon=True)
        self.sense_name = name
        self.feed = feed
        self.queue = queue
        self._make = make
        self._sense = sense
        self._listener = listener
        self._refuse = refuse
        self._analysed_before = 0
        self._last_s: float | None = None
        self._form: tuple[int, ...] | None = None
        self.failed = self.tampered = False
        self.heartbeat = Heartbeat()
        self.judging = Durations()
        self.begun = 0
        self.model_fault: str | None = None
        self._exchange: tuple[Exchange, Exchange | None] | None = None
        self._back: Exchange | None = None

    @property
    def analysed(self) -> int:
        """How many items the model has been run for."""
        return self._analysed_before + self._sense.analysed

    @property
    def inference_ms(self) -> float | None:
        """A smoothed time of one run of the model; None before the first."""
        return self._sense.inference_ms

    @property
    def model(self) -> ModelRef:
        """The model that the sense runs now."""
        return self._sense.model

    @property
    def ailment(self) -> StatusReason | None:
        """Why the sense cannot judge what it is given; None if it can."""
        return getattr(self._sense, "ailment", None)

    def exchange(self, put_in: Exchange, back: Exchange | None = None) -> None:
        """Has another model put into the sense between two items; does not wait for it. Any thread.

        Args:
            put_in: Puts it in.
            back: Puts the one before back: called where the other cannot be put in, or fails at an item, which is then judged again.
        """
        self.model_fault = None
        self._exchange = put_in, back

    def run(self) -> None:
        """Until the feed ends."""
        try:
            while True:
                item = self.queue.get()
                if item is not None:
                    self.heartbeat.beat()
                    self._judge(item)
                    self.heartbeat.rest()
        except Closed:
            self._finish()
        except _ForbiddenError as error:
            _log.error("the law allows no such detail; the sense is stopped", sense=self.sense_name, profile=str(error))
            self._give_up(StatusReason.PROFILE_FORBIDS)
        except Exception:  # noqa: BLE001 - whatever it is, the other senses go on
            self._break_down()
        finally:
            self.heartbeat.rest()

    def _judge(self, item: Frame | AudioBlock) -> None:
        form = item.image.shape if isinstance(item, Frame) else (item.rate_hz,)
        if form != self._form and (why := self._refuse(form)) is not None:
            raise _ForbiddenError(why)
        last_s, ahead_s = self._last_s, self.feed.set_s
        clock_set = last_s is not None and (item.time_s <= last_s or (ahead_s is not None and last_s < ahead_s <= item.time_s))
        if clock_set or (self._form is not None and form != self._form):
            self._begin_anew("the clock was set" if clock_set else "another format")
        self._form, self._last_s = form, item.time_s
        if self._exchange is not None:
            (put_in, self._back), self._exchange = self._exchange, None
            try:
                self._put_in(put_in)
            except Exception as error:  # noqa: BLE001 - whatever it is, the model before goes on
                self._go_back(error)
        begun_s, analysed = time.perf_counter(), self._sense.analysed
        try:
            findings = self._sense.process(item)
        except Exception as error:  # noqa: BLE001 - whatever it is, the model before goes on
            self._go_back(error)
            findings = self._sense.process(item)
        if self._sense.analysed > analysed:
            self.judging.add(time.perf_counter() - begun_s)
            if self._analysed_before + analysed == 0:
                _log.info(FIRST_JUDGED, sense=self.sense_name)
        self._say(item.time_s, findings)

    def _begin_anew(self, why: str) -> None:
        _log.warning("judging begins anew", sense=self.sense_name, why=why)
        self._say((self._last_s or 0.0) + TICK_S, self._sense.finish())
        self._analysed_before += self._sense.analysed
        self._sense = self._make()

    def _put_in(self, put_in: Exchange) -> None:
        """Puts a model in; a sense that it does not fit is made anew with it."""
        if not put_in(self._sense):
            self._begin_anew("another model")
        _log.info("another model is in", sense=self.sense_name, model=self._sense.model.name, version=self._sense.model.version)

    def _go_back(self, error: Exception) -> None:
        """Puts the model before back in; raises the error where there is none."""
        back, self._back = self._back, None
        if back is None:
            raise error
        self.model_fault = f"{type(error).__name__}: {error}".splitlines()[0]
        _log.error("the new model fails; the one before goes on", sense=self.sense_name, detail=self.model_fault)
        self._put_in(back)

    def _say(self, time_s: float, findings: Sequence[Finding]) -> None:
        for finding in findings:
            self.begun += isinstance(finding, Judgement) and finding.phase in {Phase.START, Phase.INSTANT}
            if isinstance(finding, Judgement) and finding.type == "unit.tampered":
                self.tampered = finding.phase is not Phase.END
        self._listener.judged(self.sense_name, time_s, findings)

    def _finish(self) -> None:
        try:
            if self._last_s is not None:
                self._say(self._last_s + TICK_S, self._sense.finish())
        except Exception:  # noqa: BLE001 - whatever it is, the other senses go on
            self._break_down()
        else:
            self._listener.over(self.sense_name, failed=False)

    def _break_down(self) -> None:
        _log.exception("a sense broke down; it is off until the unit is restarted", sense=self.sense_name)
        self._give_up(StatusReason.MODEL_FAILED)

    def _give_up(self, reason: StatusReason) -> None:
        """This sense is out; the others go on."""
        self.failed = True
        self.feed.liveness.ended(StreamState.FAILED, reason)
        self.feed.stop()
        self.queue.close(discard=True)
        self._listener.over(self.sense_name, failed=True)

    def rate_hz(self) -> float:
        """Items captured per second, lately."""
        return self.feed.liveness.rate_hz(time.monotonic())

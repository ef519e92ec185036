"""The site plan that the hub asks a unit to use: fetched, checked, tried with a restart, kept if the unit becomes as well as it was."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from random import random
from typing import Protocol

import structlog
from parvis_contract import (
    CommandRefusal,
    ConfigCommand,
    ConfigError,
    Envelope,
    Site,
    UnitState,
    UnitStatus,
    ailments,
    is_worse,
    load_site,
    to_posix_s,
)

from parvis_edge.backoff import Backoff
from parvis_edge.enrolment.asking import NotGiven
from parvis_edge.enrolment.identity import IdentityError
from parvis_edge.whole_file import replace_file

from .duty import Outcome
from .judge import Authority, NotObeyed
from .plan_files import Ordered, PlanFiles

_log = structlog.get_logger()

_LOOK_S = 1.0
#: A unit that has been as well as before for so long is: senses say within five seconds what is wrong with them.
PROVED_S = 30.0
#: A unit that has not become so by then is given its plan back: a camera that reconnects needs up to a minute.
PATIENCE_S = 300.0
#: A hub that does not give the plan is asked again after so long, at first and at most.
_FIRST_S, _MOST_S = 5.0, 600.0


class Unit(Protocol):
    """The running unit, as a trial needs it."""

    def status(self) -> UnitStatus | None:
        """How it is; None before it is known."""
        ...

    def check(self, site: Site) -> None:
        """Whether it could start on a plan.

        Raises:
            ValueError: It could not.
        """
        ...

    def restart(self) -> None:
        """Asks it to end in order and start again."""
        ...


class Configuration(threading.Thread):
    """The duty of ``command.config``, and the thread that does it.

    Args:
        files: The plans on disk.
        authority: Whom the unit obeys; its key has to be in a new plan too, or no command could take that back.
        fetch: Gives the plan with a digest, or raises NotGiven, IdentityError or OSError; None where there is no hub to ask.
        now_s: POSIX seconds.
        monotonic_s: Seconds that no setting of the clock moves.
    """

    def __init__(
        self,
        files: PlanFiles,
        authority: Authority,
        fetch: Callable[[str], bytes] | None,
        *,
        now_s: Callable[[], float] = time.time,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name="plan", daemon=True)
        self._files = files
        self._authority = authority
        self._fetch = fetch
        self._now_s = now_s
        self._monotonic_s = monotonic_s
        self._unit: Unit | None = None
        self._stopping = threading.Event()
        self._state = files.state
        self._message: Envelope[ConfigCommand] | None = None
        self._backoff = Backoff(_FIRST_S, _MOST_S, random)
        self._next_s = float("-inf")
        self._begun_s = monotonic_s()
        self._well_since_s: float | None = None

    # --- the duty -------------------------------------------------------------------------------------------------------------

    def permit(self, message: Envelope[ConfigCommand]) -> None:
        """Refuses every plan where there is nobody to fetch it from.

        Raises:
            NotObeyed: This unit takes none.
        """
        del message
        if self._fetch is None:
            raise NotObeyed(CommandRefusal.NOT_SUPPORTED, "this unit takes no site plan: it was started without --identity")

    def begin(self, message: Envelope[ConfigCommand]) -> None:
        """It is fetched from now on, until the command ends."""
        self._backoff.reset()
        self._next_s = float("-inf")
        self._message = message

    def resume(self, message: Envelope[ConfigCommand]) -> None:
        """Whether it was begun or ended, the state on disk says."""
        self._message = message

    def outcome(self) -> Outcome:
        """Acknowledged when the plan is in use for good."""
        ended = self._state.ended
        if self._message is None or ended is None or ended.plan.counter != self._message.data.counter:
            return Outcome(acknowledged=False)
        return Outcome(acknowledged=ended.refusal is None, refused=ended.refusal)

    # --- the thread -----------------------------------------------------------------------------------------------------------

    def serve(self, unit: Unit) -> None:
        """Starts doing it, for this unit."""
        self._unit = unit
        self.start()

    def stop(self) -> None:
        """Ends the thread; what is under way goes on at the next start."""
        self._stopping.set()

    def run(self) -> None:
        """Until it is stopped."""
        while not self._stopping.wait(_LOOK_S):
            if self._unit is None:
                continue
            try:
                self.look(self._unit)
            except OSError as error:
                # The trial, or the fetching, goes on; the state on disk is as it was.
                _log.error("the site plan's state cannot be kept; it is tried again", detail=str(error))

    def look(self, unit: Unit) -> None:
        """One round.

        Raises:
            OSError: The disk takes nothing; nothing has changed.
        """
        if self._state.trial is not None:
            self._watch(unit)
        elif self._message is not None:
            ordered = Ordered(counter=self._message.data.counter, sha256=self._message.data.site_plan_sha256)
            ended = self._state.ended
            if (ended is not None and ended.plan.counter == ordered.counter) or self._monotonic_s() < self._next_s:
                return
            self._take_up(unit, ordered, to_posix_s(self._message.data.expires))
        else:
            return
        # Nobody else changes it: while there is nothing to do, the disk is left alone.
        self._state = self._files.state

    def _watch(self, unit: Unit) -> None:
        now_s, status, before = self._monotonic_s(), unit.status(), self._state
        if status is None or is_worse(status.state, ailments(status), before.before or UnitState.HEALTHY, frozenset(before.ailed)):
            self._well_since_s = None
        elif self._well_since_s is None:
            self._well_since_s = now_s
        if self._well_since_s is not None and now_s - self._well_since_s >= PROVED_S:
            self._files.take()
        elif now_s - self._begun_s >= PATIENCE_S:
            self._files.give_back(f"not well within {PATIENCE_S:.0f} s: {_told(status)}")
            unit.restart()

    def _take_up(self, unit: Unit, ordered: Ordered, expires_s: float) -> None:
        if self._files.digest() == ordered.sha256:
            self._files.end(ordered, None, "it was in use already")
            return
        if self._now_s() >= expires_s:
            self._files.end(ordered, CommandRefusal.EXPIRED, "the command ended before the plan could be had")
            return
        status = unit.status()
        if (status is None or status.state is UnitState.STARTING) and self._monotonic_s() - self._begun_s < PATIENCE_S:
            # How it is without the plan is not known yet, and nothing would be worse than that.
            return
        try:
            raw = self._fetch(ordered.sha256) if self._fetch else b""
        except (NotGiven, IdentityError, OSError) as error:
            self._next_s = self._monotonic_s() + self._backoff.next_s()
            _log.warning("a site plan cannot be had; it is asked for again", sha256=ordered.sha256, detail=str(error))
            return
        try:
            replace_file(self._files.trial, raw)
        except OSError as error:
            self._files.end(ordered, CommandRefusal.DISK_FULL, str(error))
            return
        refusal = self._unfit(unit)
        if refusal is not None:
            self._files.end(ordered, *refusal)
            return
        self._files.try_out(ordered, status)
        _log.info("a site plan is tried; the unit starts again", sha256=ordered.sha256)
        unit.restart()

    def _unfit(self, unit: Unit) -> tuple[CommandRefusal, str] | None:
        """Why the unit cannot use the plan that was fetched."""
        try:
            site = load_site(self._files.trial)
        except ConfigError as error:
            return CommandRefusal.NOT_SUPPORTED, str(error)
        if site.site != self._authority.site:
            return CommandRefusal.NOT_FOR_THIS_UNIT, f"it is of the site {site.site}"
        signed_by = self._message.data.signature.key if self._message else ""
        if signed_by not in Authority.of(site.site, self._authority.unit, site.hub_keys).keys:
            why = "its `hub_keys` lacks the key that signed the command: nothing that the hub then says would be obeyed"
            return CommandRefusal.UNKNOWN_KEY, why
        try:
            unit.check(site)
        except ValueError as error:
            return CommandRefusal.NOT_PERMITTED, str(error)
        return None


def _told(status: UnitStatus | None) -> str:
    """How a unit is, for a person."""
    return "it has said nothing" if status is None else ", ".join([status.state, *sorted(ailments(status))])

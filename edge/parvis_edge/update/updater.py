"""The thread that keeps a unit's models up to date: takes what the hub releases, puts it in, watches it, and gives it back if it fails."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from random import random
from typing import Protocol

import structlog
from parvis_contract import CommandRefusal, ModelRef

from parvis_edge.backoff import Backoff
from parvis_edge.bundle import Bundle, BundleError

from .errors import UpdateError
from .golden import prove
from .health import Vitals, fault, is_over, is_slow
from .installer import install
from .repository import Repository
from .shelf import Shelf
from .state import Held

_log = structlog.get_logger()

#: What is on trial is looked at so often.
_LOOK_S = 1.0
#: What may succeed later is tried again after so long, at first and at most: a hub that was away is back within the hour.
_FIRST_S, _MOST_S = 30.0, 3_600.0
#: Vitals are kept so often, for so long: the hour before an exchange is what the time after it is compared with.
_SAMPLE_S, _SAMPLES = 60.0, 60


class Host(Protocol):
    """The running unit, as the updater needs it."""

    def names(self) -> Collection[str]:
        """The models that its senses run."""
        ...

    def exchange(self, bundle: Bundle, *, on_trial: bool) -> None:
        """Puts a model in, between two frames; does not wait for it. On trial: if it fails, the sense goes on with the one before."""
        ...

    def vitals(self, name: str) -> Vitals:
        """Of the sense that runs a model, since the unit started; ``failure`` only of what was put in last."""
        ...


@dataclass(slots=True)
class _Trial:
    """What is being watched; `fast_s` is when it was last fast enough, in the time of its vitals since the exchange."""

    model: str
    before: Vitals
    at: Vitals
    fast_s: float = 0.0


class ModelUpdater(threading.Thread):
    """Keeps the models of one unit. Any thread may call :meth:`take`.

    Args:
        shelf: The models on disk.
        repository: Where new ones are from; None: nothing is taken, what is on trial is watched.
        host: The running unit.
        prove: Runs golden samples.
        now_s: Monotonic seconds.
    """

    def __init__(
        self,
        shelf: Shelf,
        repository: Repository | None,
        host: Host,
        *,
        prove: Callable[[Path], None] = prove,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name="update", daemon=True)
        self._shelf = shelf
        self._repository = repository
        self._host = host
        self._prove = prove
        self._now_s = now_s
        self._changed = threading.Condition()
        self._stop = False
        self._refused: CommandRefusal | None = None
        self._backoff = Backoff(_FIRST_S, _MOST_S, random)
        self._next_s = float("-inf")
        #: Something may be asked for: at the start, when something was, and after a trial; while there is nothing, the disk is left alone.
        self._asked = True
        self._trial: _Trial | None = None
        self._history: dict[str, deque[tuple[float, Vitals]]] = {}

    @property
    def refused(self) -> CommandRefusal | None:
        """Why the last release was not taken, or cannot be for now; None while it is under way, and once it is taken."""
        return self._refused

    def take(self, model: ModelRef, sha256: str) -> None:
        """Takes a release: remembers it over restarts, and returns at once.

        Args:
            model: Which version of which model.
            sha256: Of its archive in the repository.
        """
        with self._changed:
            wanted = Held(version=model.version, sha256=sha256)
            if model.name not in self._host.names():
                self._refuse(model.name, wanted, CommandRefusal.NOT_PERMITTED, "no sense of this unit runs such a model")
                return
            self._refused = None
            try:
                self._shelf.change(model.name, lambda state: state.asked(wanted))
            except OSError as error:
                self._refused = CommandRefusal.DISK_FULL
                _log.warning("a release cannot be remembered; it is not taken", model=model.name, detail=str(error))
                return
            self._backoff.reset()
            self._next_s = float("-inf")
            self._asked = True
            self._changed.notify_all()

    def resume(self, model: ModelRef, sha256: str) -> None:
        """At the start: this was ordered last. Takes it if it is not known; what was refused is not tried again, and stays refused."""
        state, wanted = self._shelf.state(model.name), Held(version=model.version, sha256=sha256)
        if state.ended is not None and state.ended.model == wanted and state.wanted is None and state.trial is None:
            self._refused = state.ended.refusal
        elif wanted not in {state.wanted, state.held(state.trial)}:
            self.take(model, sha256)

    def stop(self) -> None:
        """Ends the thread; what is under way goes on at the next start."""
        with self._changed:
            self._stop = True
            self._changed.notify_all()

    def begin(self) -> None:
        """Goes on with what was on trial before a restart: its trial begins anew, with nothing to compare its event rate with."""
        for name in self._shelf.names():
            if self._shelf.state(name).trial is not None and name in self._host.names():
                self._trial = _Trial(name, Vitals(), self._host.vitals(name))

    def run(self) -> None:
        """Until it is stopped."""
        self.begin()
        while not self._stop:
            try:
                self.look()
            except Exception:  # noqa: BLE001 - see below
                # Updating is the least of a unit's tasks: whatever is wrong with it, the unit goes on.
                _log.exception("the updater failed; it tries again")
                self._wait_longer()
            with self._changed:
                if not self._stop:
                    self._changed.wait(_LOOK_S)

    def look(self) -> None:
        """One round: watches what is on trial, and takes what is wanted if it is time to."""
        now_s = self._now_s()
        self._sample(now_s)
        if self._trial is not None:
            self._watch(self._trial)
        if self._repository is None or not self._asked or now_s < self._next_s:
            return
        self._asked = False
        for name in self._shelf.names():
            wanted = self._shelf.state(name).wanted
            if wanted is not None and (self._trial is None or wanted != self._on_trial(name)):
                self._asked = True
                self._take(self._repository, name, wanted)
                return

    def _on_trial(self, name: str) -> Held | None:
        state = self._shelf.state(name)
        return state.held(state.trial)

    def _take(self, repository: Repository, name: str, wanted: Held) -> None:
        model = ModelRef(name=name, version=wanted.version)
        _log.info("an update begins", model=name, version=wanted.version)
        try:
            fresh = install(self._shelf, repository, model, wanted.sha256, self._prove)
            self._refused = None
            state = self._shelf.state(name)
            if not fresh:
                self._shelf.change(name, lambda now: now.kept(wanted, "it was in use already"))
                return
            bundle = self._shelf.load_slot(name, state.trial)
        except UpdateError as error:
            if self._shelf.state(name).wanted != wanted:
                return
            self._refused = error.refusal
            if error.again:
                _log.warning("an update is late", model=name, version=wanted.version, reason=error.refusal, detail=str(error))
                self._wait_longer()
                return
            self._refuse(name, wanted, error.refusal or CommandRefusal.NOT_SUPPORTED, str(error))
            return
        except BundleError as error:
            self._refuse(name, wanted, CommandRefusal.NOT_SUPPORTED, str(error))
            return
        at = self._host.vitals(name)
        first = next(iter(self._history.get(name, ())), None)
        self._trial = _Trial(name, at.since(first[1]) if first else Vitals(), at)
        self._host.exchange(bundle, on_trial=True)

    def _watch(self, trial: _Trial) -> None:
        state = self._shelf.state(trial.model)
        held = state.held(state.trial)
        if held is None:
            self._trial, self._asked = None, True
            return
        after = self._host.vitals(trial.model).since(trial.at)
        slow = is_slow(trial.before, after)
        if not slow:
            trial.fast_s = after.time_s
        why = fault(trial.before, after, after.time_s - trial.fast_s)
        if why is not None:
            # Out first, so that the unit is well again even where the disk takes nothing.
            self._host.exchange(self._shelf.load_before(trial.model), on_trial=False)
            self._trial, self._asked = None, True
            self._refuse(trial.model, held, CommandRefusal.NOT_SUPPORTED, f"given back: {why}")
        elif is_over(after) and not slow:
            detail = f"good after {after.time_s / 60:.0f} min and {after.runs} runs"
            self._shelf.change(trial.model, lambda now: now.taken(detail))
            self._trial, self._asked = None, True
            self._history.pop(trial.model, None)
            _log.info("an update is taken", model=trial.model, version=held.version)

    def _refuse(self, name: str, model: Held, refusal: CommandRefusal, detail: str) -> None:
        self._refused = refusal
        _log.warning("an update is not taken", model=name, version=model.version, reason=refusal, detail=detail)
        self._shelf.change(name, lambda state: state.refused(model, refusal, detail))

    def _wait_longer(self) -> None:
        self._next_s = self._now_s() + self._backoff.next_s()

    def _sample(self, now_s: float) -> None:
        for name in self._host.names():
            kept = self._history.setdefault(name, deque(maxlen=_SAMPLES))
            if not kept or now_s - kept[-1][0] >= _SAMPLE_S:
                kept.append((now_s, self._host.vitals(name)))

"""The models that a unit has: two slots for each, and those that it was shipped with; there is always one that can be loaded."""

from __future__ import annotations

import fcntl
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from parvis_contract import CommandRefusal, ModelRef

from parvis_edge.bundle import Bundle, BundleError, load_bundle, load_folder
from parvis_edge.whole_file import sync

from .archive import unpack
from .errors import UpdateError
from .state import Slot, State, read_state, write_state

_log = structlog.get_logger()

#: A model on trial may see the program start so often: once for a power cut, and once for another. A third start says that it crashes.
MOST_STARTS = 2


class Shelf:
    """The models below one folder. Of several programs, one alone may change it.

    Args:
        folder: `DATA_DIR/update`.
        shipped: Loads what the program was shipped with.
    """

    def __init__(self, folder: Path, shipped: Callable[[str], Bundle] = load_bundle) -> None:
        self.folder = folder
        self._shipped = shipped
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """Models of which something is known."""
        return sorted(path.parent.name for path in self.folder.glob("models/*/state.json"))

    def state(self, name: str) -> State:
        """What is known of one model's updates."""
        return read_state(self._home(name) / "state.json")

    def change(self, name: str, change: Callable[[State], State]) -> State:
        """Writes down what has changed, one thread after another.

        Returns:
            The state now.

        Raises:
            OSError: The disk takes nothing; nothing has changed.
        """
        with self._lock:
            state = change(self.state(name))
            write_state(self._home(name) / "state.json", state)
            return state

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Of several programs, one alone may change what is here.

        Raises:
            OSError: The folder cannot be made.
            UpdateError: Another one does.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                why = f"{self.folder}: another program keeps these models; a unit that runs takes releases itself"
                raise UpdateError(None, why, again=True) from None
            yield

    def slot_folder(self, name: str, slot: Slot) -> Path:
        """Where a slot's bundle is."""
        return self._home(name) / slot

    def load(self, name: str) -> Bundle:
        """Loads what is to run as the program starts: what is on trial, else what is good, else what was good before, else the shipped one.

        Raises:
            BundleError: Not even the shipped one can be loaded.
        """
        state = self._restarted(name)
        for slot in self._order(state):
            try:
                return self.load_slot(name, slot)
            except (BundleError, OSError) as error:
                _log.error("a slot's model cannot be used", model=name, slot=slot, detail=str(error))
                if slot == state.trial:
                    state = self._given_back(name, state, f"it cannot be loaded: {error}")
        return self._shipped(name)

    def load_before(self, name: str) -> Bundle:
        """Loads what is good, whatever is on trial; where that is damaged, the shipped one.

        Raises:
            BundleError: Not even that can be loaded.
        """
        try:
            return self.load_slot(name, self.state(name).current)
        except BundleError as error:
            _log.error("a slot's model cannot be used", model=name, detail=str(error))
            return self._shipped(name)

    def load_slot(self, name: str, slot: Slot | None) -> Bundle:
        """Loads what a slot holds; None: the shipped one.

        Raises:
            BundleError: It cannot be used.
        """
        return self._shipped(name) if slot is None else load_folder(self.slot_folder(name, slot))

    def fill(self, model: ModelRef, archive: Path) -> Path:
        """Unpacks a bundle into the spare slot; nobody uses it before :meth:`State.tried` has been written.

        Returns:
            The slot's folder.

        Raises:
            UpdateError: The archive is not that bundle.
            OSError: The disk takes it not.
        """
        state = self.change(model.name, State.emptied)
        slot = self.slot_folder(model.name, state.spare)
        fresh = slot.with_name(f"{slot.name}.new")
        for old in (fresh, slot):
            if old.exists():
                shutil.rmtree(old)
        try:
            unpack(archive, fresh, model)
            sync(fresh)
            fresh.rename(slot)
            sync(slot.parent)
        except Exception:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        return slot

    def _home(self, name: str) -> Path:
        return self.folder / "models" / name

    def _restarted(self, name: str) -> State:
        """Counts a start in the middle of a trial; one too many ends it."""
        state = self.state(name)
        if state.trial is None:
            return state
        if state.starts >= MOST_STARTS:
            return self._given_back(name, state, f"the program was started {state.starts + 1} times while it was on trial")
        try:
            return self.change(name, State.started)
        except OSError as error:
            # Without the count a model that crashes would be started for ever: what was good runs until the disk takes it again.
            _log.error("a trial cannot be counted; the model before runs", model=name, detail=str(error))
            return state.model_copy(update={"trial": None})

    def _given_back(self, name: str, state: State, why: str) -> State:
        held = state.held(state.trial)
        _log.error("a model is given back", model=name, version=held.version if held else None, why=why)
        given_back = state.refused(held, CommandRefusal.NOT_SUPPORTED, why) if held else state.emptied()
        try:
            self.change(name, lambda _: given_back)
        except OSError as error:
            _log.error("the state of updates cannot be written", model=name, detail=str(error))
        return given_back

    @staticmethod
    def _order(state: State) -> Iterator[Slot]:
        # What was good before is in the spare slot; while a trial is on, its slot is that.
        seen: set[Slot] = set()
        for slot in (state.trial, state.current, state.spare if state.current else None):
            if slot is not None and slot not in seen and state.held(slot) is not None:
                seen.add(slot)
                yield slot

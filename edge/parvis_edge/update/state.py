"""What a unit knows of one model's updates, on disk: which slot holds what, which runs, which is on trial, what is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import structlog
from parvis_contract import CommandRefusal
from pydantic import BaseModel, ConfigDict, ValidationError

from parvis_edge.whole_file import replace_file

_log = structlog.get_logger()

Slot = Literal["a", "b"]


class Held(BaseModel):
    """One version of a model.

    Attributes:
        version: Of the bundle.
        sha256: Of its archive in the repository.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    sha256: str


class Ended(BaseModel):
    """How the last update ended.

    Attributes:
        model: Which version it was about.
        refusal: None if it was taken.
        detail: For a person.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Held
    refusal: CommandRefusal | None
    detail: str


class State(BaseModel):
    """Of one model. Every change is one replaced file, so that a power cut leaves the state before it or the one after.

    Attributes:
        a, b: What the slots hold; None: nothing that may be used.
        current: The slot that is good; None: what the program was shipped with.
        trial: The slot that has been put in and is watched; None: none is.
        starts: How often the program has been started while it was on trial.
        wanted: What is asked for and not yet decided.
        ended: How the last one ended.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    a: Held | None = None
    b: Held | None = None
    current: Slot | None = None
    trial: Slot | None = None
    starts: int = 0
    wanted: Held | None = None
    ended: Ended | None = None

    def held(self, slot: Slot | None) -> Held | None:
        """What a slot holds."""
        return None if slot is None else (self.a if slot == "a" else self.b)

    @property
    def spare(self) -> Slot:
        """The slot that is not in use; while one is on trial, that one."""
        return "b" if self.current == "a" else "a"

    def asked(self, model: Held) -> State:
        """A release has been ordered."""
        return self.model_copy(update={"wanted": model})

    def emptied(self) -> State:
        """What the spare slot held may not be used any more."""
        return self.model_copy(update={self.spare: None, "trial": None, "starts": 0})

    def tried(self, model: Held) -> State:
        """The spare slot holds this, whole and proved; it is put in, and watched."""
        return self.model_copy(update={self.spare: model, "trial": self.spare, "starts": 0})

    def started(self) -> State:
        """The program has been started in the middle of a trial."""
        return self.model_copy(update={"starts": self.starts + 1})

    def taken(self, detail: str) -> State:
        """What is on trial is good."""
        held = self.held(self.trial)
        ended = Ended(model=held, refusal=None, detail=detail) if held else self.ended
        wanted = None if self.wanted == held else self.wanted
        return self.model_copy(update={"current": self.trial, "trial": None, "starts": 0, "wanted": wanted, "ended": ended})

    def kept(self, model: Held, detail: str) -> State:
        """What was asked for runs already."""
        return self.model_copy(update={"wanted": None, "ended": Ended(model=model, refusal=None, detail=detail)})

    def refused(self, model: Held, refusal: CommandRefusal, detail: str) -> State:
        """It is not taken; what was good before stays in."""
        wanted = None if self.wanted == model else self.wanted
        ended = Ended(model=model, refusal=refusal, detail=detail)
        emptied = {} if self.trial is None else {self.trial: None}
        return self.model_copy(update=emptied | {"trial": None, "starts": 0, "wanted": wanted, "ended": ended})


def read_state(path: Path) -> State:
    """From its file; one that is not there or cannot be read is that of a unit that has taken nothing: the shipped model runs."""
    try:
        return State.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return State()
    except (OSError, ValidationError) as error:
        _log.error("the state of updates cannot be read; the shipped model runs", file=str(path), detail=str(error).splitlines()[0])
        return State()


def write_state(path: Path, state: State) -> None:
    """Puts it on disk.

    Raises:
        OSError: The disk takes nothing; the state before is still there.
    """
    replace_file(path, state.model_dump_json(indent=1).encode())

"""The site plan that is good and the one on trial, on disk: at any instant a whole good one, and what a start has to do next."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import structlog
from parvis_contract import CommandRefusal, Site, UnitState, UnitStatus, ailments, load_site
from pydantic import BaseModel, ConfigDict, ValidationError

from parvis_edge.whole_file import replace_file

_log = structlog.get_logger()

#: A plan on trial with which the program has been started so often without becoming good is given back: it may be what ends the program.
MOST_STARTS = 3


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Ordered(_Kept):
    """A plan that a command names.

    Attributes:
        counter: Of the command.
        sha256: Of the plan.
    """

    counter: int
    sha256: str


class Ended(_Kept):
    """How the last command ended.

    Attributes:
        plan: What it named.
        refusal: None if that plan is in use.
        detail: For a person.
    """

    plan: Ordered
    refusal: CommandRefusal | None
    detail: str


class PlanState(_Kept):
    """Every change is one replaced file.

    Attributes:
        trial: What is tried; None: nothing is.
        starts: How often the program was started with it.
        before, ailed: How the unit was before, and what ailed its senses; it need not become better than that.
        ended: How the last command ended.
    """

    trial: Ordered | None = None
    starts: int = 0
    before: UnitState | None = None
    ailed: tuple[str, ...] = ()
    ended: Ended | None = None


class PlanFiles:
    """The two plans of one unit.

    The good one is the file that the unit was given, and is replaced only by one that has been proved. The one on trial lies beside it, so
    that what it names by relative paths is found.

    Args:
        good: The site plan.
        unit: Whose trial it is.
        folder: Where the state is kept.
    """

    def __init__(self, good: Path, unit: str, folder: Path) -> None:
        self.good = good
        self.trial = good.with_name(f"{good.stem}.{unit}.trial{good.suffix}")
        self._path = folder / "plan.json"

    @property
    def state(self) -> PlanState:
        """As it is on disk; one that cannot be read is that of a unit that tries nothing."""
        try:
            return PlanState.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return PlanState()
        except (OSError, ValidationError) as error:
            _log.error(
                "the state of the site plan cannot be read; the good plan runs", file=str(self._path), detail=str(error).split("\n")[0]
            )
            return PlanState()

    def digest(self) -> str:
        """SHA-256 of the good plan.

        Raises:
            OSError: It cannot be read.
        """
        return hashlib.sha256(self.good.read_bytes()).hexdigest()

    def start(self, check: Callable[[Site], object], unusable: tuple[type[Exception], ...]) -> Site:
        """The plan that this start uses: the one on trial, unless it cannot be used; else the good one.

        Args:
            check: Raises one of `unusable` if the unit cannot start on a plan.
            unusable: What says that a plan cannot be used.

        Raises:
            Exception: One of `unusable`, about the good plan.
        """
        state = self.state
        if state.trial is not None and not self.trial.exists() and self.digest() == state.trial.sha256:
            # The power went between the two steps of taking it.
            self._write(_taken(state))
        elif state.trial is not None and state.starts >= MOST_STARTS:
            self.give_back(f"started {state.starts} times without becoming good")
        elif state.trial is not None:
            self._write(state.model_copy(update={"starts": state.starts + 1}))
            try:
                site = load_site(self.trial)
                check(site)
                return site
            except unusable as error:
                self.give_back(str(error))
        return load_site(self.good)

    def try_out(self, plan: Ordered, before: UnitStatus | None) -> None:
        """The next start uses the plan that has been put into :attr:`trial`.

        Args:
            plan: It.
            before: How the unit is without it; None if it does not say.

        Raises:
            OSError: The disk takes nothing; the good one stays.
        """
        ailed = () if before is None else tuple(sorted(ailments(before)))
        self._write(PlanState(trial=plan, before=None if before is None else before.state, ailed=ailed, ended=self.state.ended))

    def take(self) -> None:
        """The plan on trial is good from now on.

        Raises:
            OSError: The disk takes nothing; the trial goes on.
        """
        if self.trial.exists():
            replace_file(self.good, self.trial.read_bytes())
            self.trial.unlink()
        self._write(_taken(self.state))

    def give_back(self, detail: str) -> None:
        """The plan on trial is not used any more.

        Raises:
            OSError: The disk takes nothing.
        """
        state = self.state
        if state.trial is not None:
            self.end(state.trial, CommandRefusal.NOT_SUPPORTED, detail)

    def end(self, plan: Ordered, refusal: CommandRefusal | None, detail: str) -> None:
        """How a command ended; nothing is on trial any more.

        Raises:
            OSError: The disk takes nothing.
        """
        if refusal is not None:
            _log.warning("a site plan is not taken; the one before stays", sha256=plan.sha256, reason=refusal, detail=detail)
        self._write(PlanState(ended=Ended(plan=plan, refusal=refusal, detail=detail)))
        self.trial.unlink(missing_ok=True)

    def _write(self, state: PlanState) -> None:
        replace_file(self._path, state.model_dump_json(indent=1).encode())


def _taken(state: PlanState) -> PlanState:
    if state.trial is None:
        return state
    _log.info("a site plan is in use", sha256=state.trial.sha256)
    return PlanState(ended=Ended(plan=state.trial, refusal=None, detail="good"))

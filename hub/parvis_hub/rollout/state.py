"""A rollout as it stands: what goes where, how far it has come, and why it was halted. Closed models, kept as JSON."""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import Annotated, Literal

from parvis_contract import Closed, CommandRefusal, ModelRef, Name, UnitState
from pydantic import Field, StringConstraints

from .rates import Jump

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class ReleaseTarget(Closed):
    """A version of a model, as the repository lists it."""

    kind: Literal["release"] = "release"
    model: ModelRef
    sha256: Sha256

    def __str__(self) -> str:
        """For a person."""
        return f"{self.model.name} {self.model.version}"


class PlanTarget(Closed):
    """A site plan."""

    kind: Literal["config"] = "config"
    sha256: Sha256

    def __str__(self) -> str:
        """For a person."""
        return f"site plan {self.sha256[:12]}"


Target = Annotated[ReleaseTarget | PlanTarget, Field(discriminator="kind")]


class Phase(StrEnum):
    """Where a rollout is."""

    RUNNING = "running"
    PAUSED = "paused"
    HALTED = "halted"
    GOING_BACK = "going_back"
    BACK = "back"
    DONE = "done"


#: While one is in these, no other of its kind begins.
UNDER_WAY = frozenset({Phase.RUNNING, Phase.PAUSED, Phase.HALTED, Phase.GOING_BACK})


class Problem(StrEnum):
    """What can be wrong at a unit that was asked to take something."""

    REFUSED = "refused"
    LOST = "lost"
    ILL = "ill"
    SLOW = "slow"
    NO_ANSWER = "no_answer"


class Member(Closed):
    """A unit in a rollout.

    Attributes:
        counter: Of the command that it was sent; None while it was not.
        sent_us, taken_us: When; microseconds since 1970 in UTC.
        before, ailed: How it was when it was asked, and what ailed its senses; None where that was not known.
        before_ms: What its slowest inference took then.
        ill_since_us, slow_since_us: Since when it has been worse than then.
        problem: What went wrong; None if nothing.
        refusal: With a refusal, why.
    """

    counter: int | None = None
    sent_us: int | None = None
    taken_us: int | None = None
    before: UnitState | None = None
    ailed: tuple[str, ...] | None = None
    before_ms: float | None = None
    ill_since_us: int | None = None
    slow_since_us: int | None = None
    problem: Problem | None = None
    refusal: CommandRefusal | None = None


class Ring(Closed):
    """Units that are asked together.

    Attributes:
        share: Of all units of the rollout, with the rings before: 0 to 1.
        units: Theirs.
    """

    share: Annotated[float, Field(gt=0.0, le=1.0)]
    units: tuple[Name, ...]


class Halt(Closed):
    """Why a rollout was halted.

    Attributes:
        at_us: When.
        problem: At a unit; None where events were the reason.
        units: Which.
        asked: How many units had been asked then.
        jump: Of which type the rate jumped, with its figures.
    """

    at_us: int
    problem: Problem | None = None
    units: tuple[Name, ...] = ()
    asked: int = 0
    jump: Jump | None = None


class Back(Closed):
    """Where the units are sent back to, and how far they are.

    Attributes:
        members: Those that had been asked to go forward.
    """

    members: dict[Name, Member]


class Rollout(Closed):
    """One rollout.

    Attributes:
        id: Its own.
        target: What the units are to take.
        back_to: What they go back to.
        rings: In order.
        soak_us: How long a ring is watched before the next.
        started_us: When.
        ring: Which of the rings is the last that was begun.
        soaking_since_us: Since when it has been watched; None while it is being asked.
        looks: How often its event rates have been looked at.
        phase: Where it is.
        members: Every unit of the rings.
        halt: Why, while it is halted, and afterwards.
        back: While and after it goes back.
    """

    id: uuid.UUID
    target: Target
    back_to: Target | None
    rings: Annotated[tuple[Ring, ...], Field(min_length=1)]
    soak_us: Annotated[int, Field(ge=0)]
    started_us: int
    ring: int = 0
    soaking_since_us: int | None = None
    looks: int = 0
    phase: Phase = Phase.RUNNING
    members: dict[Name, Member]
    halt: Halt | None = None
    back: Back | None = None

    @property
    def aim(self) -> ReleaseTarget | PlanTarget:
        """What units are asked to take now."""
        return self.back_to if self.back is not None and self.back_to is not None else self.target

    @property
    def asked_now(self) -> dict[Name, Member]:
        """The units that are asked now: of the rings that were begun; while it goes back, those that had been asked."""
        if self.back is not None:
            return self.back.members
        return {unit: self.members[unit] for ring in self.rings[: self.ring + 1] for unit in ring.units}

    def with_members(self, changed: dict[Name, Member]) -> Rollout:
        """The same with these members changed, in the direction in which it goes."""
        if self.back is not None:
            return self.model_copy(update={"back": Back(members=self.back.members | changed)})
        return self.model_copy(update={"members": self.members | changed})

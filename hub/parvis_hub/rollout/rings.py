"""From what a maintainer asks to rings of units. Pure."""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from .state import Member, PlanTarget, ReleaseTarget, Ring, Rollout

#: For so long a unit tries a model before it calls it good. It says that it runs the version from the first moment on.
TRIAL_S = 600.0
#: A canary ring, then a tenth, a half, all: each finds what only shows in ten times as many units.
DEFAULT_SHARES = (0.1, 0.5, 1.0)


class NotStarted(ValueError):
    """A rollout cannot begin; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for.

    Attributes:
        target: What the units are to take.
        back_to: What they go back to; None if that is not known, and they cannot.
        units: All that are to take it, in order: a ring is filled from the front.
        canary: The first ring; empty takes the first unit.
        shares: Of all units, with the rings before; rising, the last is 1.
        soak_s: How long each ring is watched; with 0, the next is asked as soon as it runs the version, and a fault of a moment later has
            reached all.
    """

    target: ReleaseTarget | PlanTarget
    back_to: ReleaseTarget | PlanTarget | None
    units: Sequence[str]
    canary: Sequence[str] = ()
    shares: Sequence[float] = DEFAULT_SHARES
    soak_s: float = 86_400.0


def new_rollout(order: Order, id: uuid.UUID, now_us: int) -> Rollout:
    """The rollout before its first step.

    Raises:
        NotStarted: What is asked for is no rollout.
    """
    if not order.units:
        raise NotStarted("there is no unit that would take it")
    if list(order.shares) != sorted(set(order.shares)) or not order.shares or order.shares[0] <= 0 or order.shares[-1] != 1:
        raise NotStarted("shares rise from above 0 to 100 %, such as 10,50,100")
    unknown = [unit for unit in order.canary if unit not in order.units]
    if unknown:
        raise NotStarted(f"{', '.join(unknown)} would not take it: the canaries are to be among {', '.join(order.units)}")
    if order.target == order.back_to:
        raise NotStarted("what the units go back to is what they are to take; name another version with --back-to")
    line = [*(order.canary or order.units[:1])]
    line += [unit for unit in order.units if unit not in line]
    count, rings = len(line), []
    ends = [len(order.canary) or 1, *(math.ceil(share * count) for share in order.shares)]
    begin = 0
    for end in ends:
        if end > begin:
            rings.append(Ring(share=end / count, units=tuple(line[begin:end])))
            begin = end
    return Rollout(
        id=id,
        target=order.target,
        back_to=order.back_to,
        rings=tuple(rings),
        soak_us=round(order.soak_s * 1e6),
        started_us=now_us,
        members={unit: Member() for unit in line},
    )

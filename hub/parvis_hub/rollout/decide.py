"""What a rollout does next: whom to ask, when the next ring begins, when to halt. Pure; time and what is known of units come in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from parvis_contract import CommandRefusal, UnitState, is_worse

from parvis_hub.governance import RolloutAct as Act

from .rates import LOOKS, Jump
from .state import Back, Halt, Member, Phase, Problem, ReleaseTarget, Rollout

#: A command to a unit lasts so long; one that was away for longer is asked anew.
LASTING_US = 7 * 86_400_000_000
#: A unit that is worse than before for so long is ill: what begins anew after an exchange is over by then.
ILL_US = 120_000_000
#: One that was there when it was asked and is not for so long is lost: a restart takes a tenth of it.
LOST_US = 600_000_000
#: Inference that takes so many times as long as before, and so much more, for so long, is slow. A frame of 10 a second has 100 ms.
SLOW_TIMES, SLOW_MS, SLOW_US = 1.5, 10.0, 300_000_000
#: A unit that is there and neither takes nor refuses what it was asked for so long has a problem: 4 MB over the slowest line take an hour.
NO_ANSWER_US = 7_200_000_000
#: Refusals that say something of the unit, rather than of what it was asked to take.
_OF_THE_UNIT = frozenset({CommandRefusal.DISK_FULL, CommandRefusal.CLOCK_BEHIND, CommandRefusal.EXPIRED})
#: So many of the units that were asked may have a problem that may be their own (a disk, a cable), outside the first ring.
TOLERATED = 0.05


class NotPossible(ValueError):
    """A rollout cannot do that in its phase; the message says why."""


@dataclass(frozen=True, slots=True)
class UnitNow:
    """The last that is known of a unit.

    Attributes:
        present: It was heard of a moment ago.
        state: As it said.
        ails: What ails its senses, of `parvis_contract.ailments`.
        versions: Of its models, by name.
        counter: Of the last command of the rollout's kind that it was sent.
        acknowledged, refused: What it says of that command.
        inference_ms: The slower of its senses.
    """

    present: bool = False
    state: UnitState | None = None
    ails: frozenset[str] = frozenset()
    versions: Mapping[str, str] = field(default_factory=dict)
    counter: int | None = None
    acknowledged: bool = False
    refused: CommandRefusal | None = None
    inference_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What follows.

    Attributes:
        rollout: As it is now.
        send: Units to ask, in order.
        acts: What has happened, for the log.
    """

    rollout: Rollout
    send: tuple[str, ...] = ()
    acts: tuple[Act, ...] = ()


def looks_due(rollout: Rollout, now_us: int) -> int:
    """How often the event rates should have been looked at by now, in this ring; 0 while it does not soak."""
    if rollout.phase is not Phase.RUNNING or rollout.soaking_since_us is None or not rollout.soak_us:
        return 0
    return min(LOOKS, (now_us - rollout.soaking_since_us) * LOOKS // rollout.soak_us)


def step(rollout: Rollout, units: Mapping[str, UnitNow], now_us: int, jump: Jump | None = None) -> Step:
    """One step.

    Args:
        rollout: As it was.
        units: What is known of its units.
        now_us: Microseconds since 1970 in UTC.
        jump: What looking at event rates has found, where :func:`looks_due` asked for it.
    """
    asked = {unit: member for unit, member in rollout.asked_now.items() if member.sent_us is not None}
    noted = {unit: _note(rollout, member, units.get(unit, UnitNow()), now_us) for unit, member in asked.items()}
    rollout = rollout.with_members(noted).model_copy(update={"looks": max(rollout.looks, looks_due(rollout, now_us))})
    if rollout.phase is Phase.RUNNING:
        halt = _halt(rollout, now_us, jump)
        if halt is not None:
            return Step(rollout.model_copy(update={"phase": Phase.HALTED, "halt": halt}), acts=(Act.HALTED,))
        return _advance(rollout, units, now_us)
    if rollout.phase is Phase.GOING_BACK:
        waiting = [unit for unit, member in rollout.asked_now.items() if not _settled(member) and units.get(unit, UnitNow()).present]
        if not waiting:
            return Step(rollout.model_copy(update={"phase": Phase.BACK}), _to_ask(rollout, units, now_us), (Act.BACK,))
    if rollout.phase in {Phase.GOING_BACK, Phase.BACK, Phase.DONE}:
        # Units that were away are caught up, however long after.
        return Step(rollout, _to_ask(rollout, units, now_us))
    return Step(rollout)


def sent(rollout: Rollout, unit: str, counter: int, now: UnitNow, now_us: int) -> Rollout:
    """The same after a unit was sent its command."""
    ailed = None if now.state in {None, UnitState.STARTING} else tuple(sorted(now.ails))
    member = Member(counter=counter, sent_us=now_us, before=now.state, ailed=ailed, before_ms=now.inference_ms)
    return rollout.with_members({unit: member})


def pause(rollout: Rollout) -> Step:
    """Asks no more units, and begins no ring; what was asked goes on.

    Raises:
        NotPossible: It does not run.
    """
    if rollout.phase is not Phase.RUNNING:
        raise NotPossible(f"it is {rollout.phase}: only what runs can be paused")
    return Step(rollout.model_copy(update={"phase": Phase.PAUSED}), acts=(Act.PAUSED,))


def resume(rollout: Rollout, now_us: int) -> Step:
    """Goes on, after a pause or in spite of a halt: the ring is watched anew, and units that had a problem are asked again.

    Raises:
        NotPossible: It is neither paused nor halted.
    """
    if rollout.phase not in {Phase.PAUSED, Phase.HALTED}:
        raise NotPossible(f"it is {rollout.phase}: only what is paused or halted can be resumed")
    again = {unit: Member() for unit, member in rollout.members.items() if member.problem is not None}
    soaking = None if rollout.soaking_since_us is None else now_us
    changed = {"phase": Phase.RUNNING, "soaking_since_us": soaking, "looks": 0, "halt": None}
    return Step(rollout.model_copy(update=changed).with_members(again), acts=(Act.RESUMED,))


def back(rollout: Rollout) -> Step:
    """Asks every unit that was asked to go forward to go back.

    Raises:
        NotPossible: Nothing is known to go back to, or it goes back already.
    """
    if rollout.back_to is None:
        raise NotPossible("what the units had before is not known: start a rollout of the version that they are to have")
    if rollout.back is not None:
        raise NotPossible(f"it is {rollout.phase} already")
    asked = Back(members={unit: Member() for unit, member in rollout.members.items() if member.sent_us is not None})
    return Step(rollout.model_copy(update={"phase": Phase.GOING_BACK, "back": asked}), acts=(Act.GOING_BACK,))


def at_rest(rollout: Rollout) -> bool:
    """Whether nothing can follow until somebody does something."""
    if rollout.phase in {Phase.DONE, Phase.BACK}:
        return all(_settled(member) for member in rollout.asked_now.values())
    return rollout.phase is Phase.HALTED


def _note(rollout: Rollout, member: Member, now: UnitNow, now_us: int) -> Member:
    """What a unit that was asked has done since."""
    if member.problem is not None and member.problem is not Problem.LOST:
        return member
    changed: dict[str, object] = {"problem": None, "refusal": None}
    mine = now.counter == member.counter
    if mine and now.refused is not None:
        return member.model_copy(update={"problem": Problem.REFUSED, "refusal": now.refused, "taken_us": None})
    if member.taken_us is None and mine and now.acknowledged and _has(rollout, now):
        changed["taken_us"] = now_us
    ailed = now.ails if member.ailed is None else frozenset(member.ailed)
    worse = not now.present or is_worse(now.state or UnitState.LOST, now.ails, member.before or UnitState.HEALTHY, ailed)
    changed["ill_since_us"] = (member.ill_since_us or now_us) if worse else None
    slow = member.before_ms is not None and now.inference_ms is not None and now.present
    slow = slow and (now.inference_ms or 0) > max(SLOW_TIMES * (member.before_ms or 0), (member.before_ms or 0) + SLOW_MS)
    changed["slow_since_us"] = (member.slow_since_us or now_us) if slow else None
    noted = member.model_copy(update=changed)
    return noted.model_copy(update={"problem": _problem(noted, now, now_us)})


def _has(rollout: Rollout, now: UnitNow) -> bool:
    aim = rollout.aim
    return not isinstance(aim, ReleaseTarget) or now.versions.get(aim.model.name) == aim.model.version


def _problem(member: Member, now: UnitNow, now_us: int) -> Problem | None:
    ill_us = 0 if member.ill_since_us is None else now_us - member.ill_since_us
    if ill_us >= LOST_US and not now.present:
        return Problem.LOST
    if ill_us >= ILL_US and now.present and member.taken_us is not None:
        return Problem.ILL
    if member.slow_since_us is not None and member.taken_us is not None and now_us - member.slow_since_us >= SLOW_US:
        return Problem.SLOW
    if member.taken_us is None and now.present and now_us - (member.sent_us or now_us) >= NO_ANSWER_US:
        return Problem.NO_ANSWER
    return None


def _settled(member: Member) -> bool:
    return member.taken_us is not None or member.problem is not None


def _halt(rollout: Rollout, now_us: int, jump: Jump | None) -> Halt | None:
    asked = {unit: member for unit, member in rollout.asked_now.items() if member.sent_us is not None}
    if jump is not None:
        return Halt(at_us=now_us, asked=len(asked), jump=jump)
    wrong = {unit: member for unit, member in asked.items() if member.problem is not None}
    own = {unit for unit, member in wrong.items() if member.problem in {Problem.LOST, Problem.NO_ANSWER} or member.refusal in _OF_THE_UNIT}
    first = set(rollout.rings[0].units)
    grave = sorted(unit for unit in wrong if unit not in own or unit in first)
    if not grave and len(own) <= math.ceil(TOLERATED * len(asked)):
        return None
    units = tuple(grave or sorted(own))
    return Halt(at_us=now_us, problem=wrong[units[0]].problem, units=units[:16], asked=len(asked))


def _advance(rollout: Rollout, units: Mapping[str, UnitNow], now_us: int) -> Step:
    send = _to_ask(rollout, units, now_us)
    ring = {unit: rollout.members[unit] for unit in rollout.rings[rollout.ring].units}
    # Who is away is waited for no longer than the others take; but on nobody's word nothing goes on.
    waiting = [unit for unit, member in ring.items() if not _settled(member) and units.get(unit, UnitNow()).present]
    if waiting or not any(member.taken_us is not None for member in ring.values()):
        return Step(rollout, send)
    if rollout.soaking_since_us is None:
        return Step(rollout.model_copy(update={"soaking_since_us": now_us, "looks": 0}), send)
    if now_us - rollout.soaking_since_us < rollout.soak_us:
        return Step(rollout, send)
    if rollout.ring + 1 == len(rollout.rings):
        return Step(rollout.model_copy(update={"phase": Phase.DONE}), send, (Act.DONE,))
    begun = rollout.model_copy(update={"ring": rollout.ring + 1, "soaking_since_us": None, "looks": 0})
    return Step(begun, (*send, *(unit for unit in _to_ask(begun, units, now_us) if unit not in send)), (Act.RING_BEGUN,))


def _to_ask(rollout: Rollout, units: Mapping[str, UnitNow], now_us: int) -> tuple[str, ...]:
    """Units that are there and have not been asked, or were asked so long ago that the command has ended."""
    return tuple(
        unit
        for unit, member in rollout.asked_now.items()
        if units.get(unit, UnitNow()).present and member.problem is None and member.taken_us is None
        if member.sent_us is None or now_us - member.sent_us >= LASTING_US
    )

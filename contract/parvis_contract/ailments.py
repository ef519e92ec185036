"""What ails a unit, told so that two times can be compared: whether what it was asked to take in between has made it worse. Pure."""

from __future__ import annotations

from .unit_messages import StatusReason, StreamState, UnitState, UnitStatus

#: A source that is away says one of these or another, in turn.
_OF_THE_SOURCE = frozenset(
    {
        StatusReason.CONNECTION_LOST,
        StatusReason.SOURCE_MISSING,
        StatusReason.SOURCE_ENDED,
        StatusReason.SOURCE_UNREADABLE,
        StatusReason.NO_DATA,
        StatusReason.LOW_RATE,
        StatusReason.RECONNECTING,
    }
)
#: Of the machine and its cable. They come and go by themselves, and a status names one reason alone, behind which they may have been.
_OF_THE_MACHINE = frozenset(
    {
        StatusReason.CONNECTION_LOST,
        StatusReason.BROKER_REFUSES,
        StatusReason.OUTBOX_FULL,
        StatusReason.DISK_FULL,
        StatusReason.CLOCK_UNSYNCHRONISED,
        StatusReason.CLOCK_JUMPED,
        StatusReason.OVERHEATED,
    }
)
_RANK = {UnitState.HEALTHY: 0, UnitState.DEGRADED: 1, UnitState.STARTING: 2}


def ailments(status: UnitStatus) -> frozenset[str]:
    """What ails a unit's senses, such as ``camera: profile_forbids``; all that a missing source can say is one ailment."""
    senses = {"camera": status.camera, "microphone": status.microphone}
    ill = {name: each.reason for name, each in senses.items() if each is not None and each.state is not StreamState.HEALTHY}
    found = {f"{name}: {'source' if reason in _OF_THE_SOURCE else reason}" for name, reason in ill.items()}
    # A unit says that of its senses first, so what else it says is one more thing only where none is ill.
    if not ill and status.reason is not None and status.reason not in _OF_THE_MACHINE:
        found.add(f"unit: {status.reason}")
    return frozenset(found)


def is_worse(state: UnitState, ails: frozenset[str], state_before: UnitState, ailed: frozenset[str]) -> bool:
    """Whether a unit is worse than it was: in a worse state, or ill in a way in which it was not.

    Args:
        state: How it is.
        ails: What ails it, of :func:`ailments`.
        state_before: How it was.
        ailed: What ailed it then.
    """
    return _RANK.get(state, 3) > _RANK.get(state_before, 3) or not ails <= ailed

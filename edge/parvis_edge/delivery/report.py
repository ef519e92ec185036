"""How a unit is, and why: from the states of its senses and its delivery to the one state that it reports. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from parvis_contract import (
    Closed,
    Envelope,
    SenseStatus,
    StatusReason,
    StreamState,
    UnitState,
    dump_message,
    make_message,
    to_datetime,
    unit_source,
)

#: The Raspberry Pi's processor slows down from 80 °C on and hard at 85 °C.
OVERHEATED_C = 82.0


def unit_state(senses: Mapping[str, SenseStatus], wrong: list[StatusReason], *, started: bool) -> tuple[UnitState, StatusReason | None]:
    """The state of a unit.

    Args:
        senses: Of each sense that was started.
        wrong: What is wrong beside the senses, the worst first.
        started: True once every sense has had its first item, or will have none.

    Returns:
        Failed if no sense works; degraded if one does not, or something else is wrong; the first reason found.
    """
    failed = [status for status in senses.values() if status.state is StreamState.FAILED]
    if senses and len(failed) == len(senses):
        return UnitState.FAILED, failed[0].reason
    if not started:
        return UnitState.STARTING, None
    ill = [status for status in senses.values() if status.state is not StreamState.HEALTHY]
    if ill:
        return UnitState.DEGRADED, ill[0].reason
    if wrong:
        return UnitState.DEGRADED, wrong[0]
    return UnitState.HEALTHY, None


def body_of(name: str, site: str, unit: str, time_s: float, data: Closed) -> bytes:
    """A message of the unit about itself, as it goes out.

    Args:
        name: Short name of its type.
        site: The site that it stands on.
        unit: Who speaks.
        time_s: POSIX seconds.
        data: What it says.
    """
    message: Envelope[Closed] = make_message(name, source=unit_source(site, unit), time=to_datetime(time_s), data=data)
    return dump_message(message)

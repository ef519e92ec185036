"""Whether a unit obeys a command: whose it is, for whom, how old, and whether it has come before. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from parvis_contract import MAX_BYTES, CommandRefusal, Envelope, RefusalReason, Refused, parse_message, to_posix_s
from parvis_contract.signing import is_signed, key_digest

#: A command may have been issued this long after now, by the unit's clock; a clock that is further behind would make an expired one live.
CLOCK_SLACK_S = 300.0


class NotObeyed(Exception):
    """A command is refused; nothing changes.

    Attributes:
        reason: The same for a status message.
    """

    def __init__(self, reason: CommandRefusal, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Authority:
    """Whom a unit obeys.

    Attributes:
        site, unit: Which unit.
        keys: Public keys of the hub, by their digest.
    """

    site: str
    unit: str
    keys: Mapping[str, str]

    @classmethod
    def of(cls, site: str, unit: str, public_keys: Iterable[str]) -> Authority:
        """From the site plan's `hub_keys`."""
        return cls(site, unit, {key_digest(key): key for key in public_keys})


def authentic(raw: bytes, authority: Authority) -> Envelope[Any]:
    """Reads a command that this unit's hub signed for this unit, whenever that was.

    Raises:
        NotObeyed: With the reason.
    """
    if len(raw) > MAX_BYTES:
        raise NotObeyed(CommandRefusal.TOO_LARGE, f"{len(raw)} bytes; a command has at most {MAX_BYTES}")
    try:
        message = parse_message(raw)
    except Refused as refused:
        large = refused.reason is RefusalReason.TOO_LARGE
        raise NotObeyed(CommandRefusal.TOO_LARGE if large else CommandRefusal.MALFORMED, str(refused)) from None
    if not message.name.startswith("command."):
        raise NotObeyed(CommandRefusal.MALFORMED, f"{message.name} is no command")
    if (message.site, message.data.unit) != (authority.site, authority.unit):
        raise NotObeyed(CommandRefusal.NOT_FOR_THIS_UNIT, "it is for another site or unit")
    if message.data.signature.key not in authority.keys:
        known = "none of the site plan's `hub_keys`" if authority.keys else "the site plan has no `hub_keys`"
        raise NotObeyed(CommandRefusal.UNKNOWN_KEY, f"its key is not known: {known}")
    if not is_signed(raw, message.data.signature, authority.keys):
        raise NotObeyed(CommandRefusal.BAD_SIGNATURE, "its signature is not that key's: it was altered or forged")
    return message


def check_time(message: Envelope[Any], now_s: float) -> None:
    """Whether a command is in force.

    Args:
        message: It.
        now_s: POSIX seconds.

    Raises:
        NotObeyed: It has expired, or this clock is behind the time at which it was issued.
    """
    if now_s < to_posix_s(message.time) - CLOCK_SLACK_S:
        raise NotObeyed(CommandRefusal.CLOCK_BEHIND, "it was issued later than this unit's clock has it; set the clock")
    if now_s >= to_posix_s(message.data.expires):
        raise NotObeyed(CommandRefusal.EXPIRED, "its time is over")


def judge(raw: bytes, authority: Authority, now_s: float, last: Mapping[str, int]) -> Envelope[Any]:
    """Reads a command that is to be obeyed.

    Args:
        raw: As it came; anything.
        authority: Whom this unit obeys.
        now_s: POSIX seconds.
        last: The counter of the last that was obeyed, by short name of its type.

    Raises:
        NotObeyed: With the reason.
    """
    message = authentic(raw, authority)
    check_time(message, now_s)
    if message.data.counter <= last.get(message.name, -1):
        raise NotObeyed(CommandRefusal.REPLAYED, f"its counter is not above {last[message.name]}, the last one's")
    return message

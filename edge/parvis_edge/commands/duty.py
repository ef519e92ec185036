"""What a type of command asks of a unit: the port between the orders, which keep commands, and whoever does what they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from parvis_contract import CommandRefusal, Envelope


@dataclass(frozen=True, slots=True)
class Outcome:
    """How far the last command of a type has come.

    Attributes:
        acknowledged: Its counter may be in the status.
        refused: Why it was taken up and then could not be done; None if it was, or still may be.
    """

    acknowledged: bool = True
    refused: CommandRefusal | None = None


class Duty(Protocol):
    """Does what commands of one type say. Called by any thread; never waits."""

    def permit(self, message: Envelope[Any]) -> None:
        """Whether this unit may and can do it.

        Raises:
            NotObeyed: It may not; nothing changes.
        """
        ...

    def begin(self, message: Envelope[Any]) -> None:
        """The command has been put on disk: it is in force."""
        ...

    def resume(self, message: Envelope[Any]) -> None:
        """At the start: this was the last on disk. It may have been begun, ended, or neither."""
        ...

    def outcome(self) -> Outcome:
        """Of the last that was begun or resumed."""
        ...

"""Why an update is not taken."""

from __future__ import annotations

from parvis_contract import CommandRefusal


class UpdateError(Exception):
    """An update is not taken; the unit goes on with what it has.

    Attributes:
        refusal: The same for a status message; None where it is only late: the network is away.
        again: True if it may succeed later by itself: the network is away, the clock is not set, the disk is full, or somebody in between
            gives what nobody signed, who must not be able to end a release.
    """

    def __init__(self, refusal: CommandRefusal | None, detail: str, *, again: bool = False) -> None:
        super().__init__(detail)
        self.refusal = refusal
        self.again = again

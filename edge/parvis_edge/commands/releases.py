"""Which version of a model to take: handed to whoever keeps the unit's models up to date."""

from __future__ import annotations

from typing import Protocol

from parvis_contract import CommandRefusal, Envelope, ModelRef, ReleaseCommand

from .duty import Outcome
from .judge import NotObeyed


class Releases(Protocol):
    """Takes models. The command only names what to take; whether it may be, who takes it decides."""

    def take(self, model: ModelRef, sha256: str) -> None:
        """Remembers over restarts that this is wanted, and returns at once."""
        ...

    def resume(self, model: ModelRef, sha256: str) -> None:
        """At the start: this was asked for last. Takes it if it is not known, and does not try again what was refused."""
        ...

    @property
    def refused(self) -> CommandRefusal | None:
        """Why the last was not taken, or cannot be for now; None while it is under way, and once it is taken."""
        ...


class Release:
    """The duty of ``command.release``."""

    def __init__(self) -> None:
        self._releases: Releases | None = None
        self._last: ReleaseCommand | None = None

    def serve(self, releases: Releases) -> None:
        """From now on these take what is released; they go on with what was released before the start."""
        if self._last is not None:
            releases.resume(self._last.model, self._last.sha256)
        self._releases = releases

    def permit(self, message: Envelope[ReleaseCommand]) -> None:
        """Refuses every release where there is nothing to take it from.

        Raises:
            NotObeyed: This unit takes no models.
        """
        del message
        if self._releases is None:
            raise NotObeyed(CommandRefusal.NOT_SUPPORTED, "this unit takes no models: it was started without --update-repository")

    def begin(self, message: Envelope[ReleaseCommand]) -> None:
        """Hands it over."""
        self._last = message.data
        if self._releases is not None:
            self._releases.take(message.data.model, message.data.sha256)

    def resume(self, message: Envelope[ReleaseCommand]) -> None:
        """It is handed over once there is somebody who takes it."""
        self._last = message.data

    def outcome(self) -> Outcome:
        """Acknowledged until it is refused; that it is taken, the status says by the model's version."""
        refused = CommandRefusal.NOT_SUPPORTED if self._releases is None else self._releases.refused
        return Outcome(acknowledged=refused is None, refused=refused)

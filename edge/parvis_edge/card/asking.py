"""The card's root as its unit has it: which one runs, asking the card's own service for another, and what became of that."""

from __future__ import annotations

from pathlib import Path

import structlog
from parvis_contract import CommandRefusal, ModelRef

from parvis_edge.commands.releases import Releases
from parvis_edge.whole_file import replace_file

from .record import OUTCOME, WISH, Wish, read_outcome

_log = structlog.get_logger()

#: What an image says of itself.
OURS = Path("/usr/lib/parvis")


def running_root(ours: Path = OURS) -> ModelRef | None:
    """The root that runs, by the name under which the hub releases others (``root-generic``); None where this is no card."""
    try:
        return ModelRef(name=f"root-{(ours / 'flavour').read_text().strip()}", version=(ours / "version").read_text().strip())
    except OSError:
        return None


class CardReleases:
    """Takes what is released to a unit on a card: of its root, by asking the service that may write the spare slot; of models, as ever.

    Args:
        root: What runs.
        models: Whoever keeps the models up to date.
        wish: Where that service looks for what is asked for.
        outcome: Where it says what became of it.
    """

    def __init__(self, root: ModelRef, models: Releases, wish: Path = WISH, outcome: Path = OUTCOME) -> None:
        self._root = root
        self._models = models
        self._wish = wish
        self._outcome = outcome
        self._asked: str | None = None
        self._full = False

    def take(self, model: ModelRef, sha256: str) -> None:
        """Remembers over restarts that this is wanted, and returns at once."""
        self._asked = sha256 if model.name == self._root.name else None
        if self._asked is None:
            self._models.take(model, sha256)
            return
        try:
            replace_file(self._wish, Wish(version=model.version, sha256=sha256).model_dump_json().encode())
            self._full = False
        except OSError as error:
            self._full = True
            _log.warning("a release cannot be remembered; it is not taken", model=model.name, detail=str(error))

    def resume(self, model: ModelRef, sha256: str) -> None:
        """At the start: this was asked for last. A root is asked for again only where the service has heard nothing of it."""
        if model.name != self._root.name:
            self._models.resume(model, sha256)
            return
        last = read_outcome(self._outcome)
        if last is None or last.sha256 != sha256:
            self.take(model, sha256)
        else:
            self._asked = sha256

    @property
    def refused(self) -> CommandRefusal | None:
        """Why the last was not taken, or cannot be for now; None while it is under way, and once it is taken."""
        if self._asked is None:
            return self._models.refused
        if self._full:
            return CommandRefusal.DISK_FULL
        last = read_outcome(self._outcome)
        return last.refusal if last is not None and last.sha256 == self._asked else None

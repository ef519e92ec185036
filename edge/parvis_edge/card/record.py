"""What is kept of a root update, and what is asked for."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from parvis_contract import CommandRefusal
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from parvis_edge.whole_file import replace_file

from .loader import Slot

#: Written by the unit, which asks for a root there; and the folder of root's own, which the unit may read.
WISH, STATE = Path("/var/lib/parvis/update/wanted-root.json"), Path("/var/lib/parvis-card")
OUTCOME = STATE / "outcome.json"

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9][0-9A-Za-z.+-]{0,31}$")]


class Wish(BaseModel):
    """A root that the unit was told to take."""

    model_config = ConfigDict(extra="forbid")

    version: Version
    sha256: Sha256


class RootState(StrEnum):
    """How far a root has come."""

    FETCHING = "fetching"
    WRITING = "writing"
    TRYING = "trying"
    GOOD = "good"
    REFUSED = "refused"


class Outcome(BaseModel):
    """How far the last root that was asked for has come.

    Attributes:
        version: Of the root.
        sha256: Of its archive.
        state: How far.
        refusal: Why it is refused, or late; None while nothing is in its way.
        detail: The same, in a sentence.
        slot: Where it is written.
        before: How the unit was before, in its own words to systemd.
        fallen: Archives that did not prove good on this card; none of them is tried again.
    """

    # A root that falls back was newer, and may have written what this one does not know.
    model_config = ConfigDict(extra="ignore")

    version: Version
    sha256: Sha256
    state: RootState
    refusal: CommandRefusal | None = None
    detail: str = ""
    slot: Slot | None = None
    before: str = ""
    fallen: list[Sha256] = Field(default_factory=list, max_length=64)


def read_wish(path: Path) -> Wish | None:
    """What is asked for; None if nothing is.

    Args:
        path: Written by the unit, whom root does not trust: no link is followed, and little is read.

    Raises:
        ValueError: It is no wish.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as file:
        return Wish.model_validate_json(file.read(4096))


def read_outcome(path: Path) -> Outcome | None:
    """What is kept; None before the first, or if it is damaged: then nothing is on trial."""
    try:
        return Outcome.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def write_outcome(path: Path, outcome: Outcome) -> None:
    """Keeps it, for the unit to read."""
    replace_file(path, outcome.model_dump_json().encode())
    path.chmod(0o644)

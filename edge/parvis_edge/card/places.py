"""Where a card has what more than one of its services reads, and the error of all of them."""

from __future__ import annotations

from pathlib import Path

BOOT = Path("/boot")
IDENTITY = Path("/var/lib/parvis/identity")


class CardError(Exception):
    """Something of this card is not as it should be; the message says what."""

"""Whether a root on trial is good. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

#: As long as a unit may take to start, see, and reach its broker.
PATIENCE_S = 600.0
#: Started again so often, it does not start.
MOST_RESTARTS = 5

Verdict = Literal["good", "bad", "wait"]


def verdict(unit: Mapping[str, str], before: str, waited_s: float) -> Verdict:
    """Judges a root by its unit.

    Args:
        unit: Properties of its service: ``ActiveState``, ``NRestarts``, ``StatusText``.
        before: ``StatusText`` under the root before.
        waited_s: Since the start, seconds.

    Returns:
        ``good`` where the unit is well, or has nothing that it did not have under the root before: a broker that is away, or a camera that
        is broken, is not the new root's doing.
    """
    if unit.get("ActiveState") == "failed" or int(unit.get("NRestarts") or 0) >= MOST_RESTARTS:
        return "bad"
    now = _of(unit.get("StatusText", ""))
    if unit.get("ActiveState") == "active" and (now == "healthy" or (now.startswith("degraded") and now == _of(before))):
        return "good"
    return "bad" if waited_s >= PATIENCE_S else "wait"


def _of(text: str) -> str:
    """State and reason, without the advice and the senses that follow."""
    return text.partition(" [")[0].partition(";")[0]

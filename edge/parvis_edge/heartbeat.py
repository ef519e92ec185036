"""Whether a thread makes progress: it says so itself, and another looks."""

from __future__ import annotations

import time


class Heartbeat:
    """The sign of life of one thread, which begins at rest.

    Args:
        allowed_s: How long a step of its work may take for a good reason, such as a connection that is slow to open.
    """

    def __init__(self, allowed_s: float = 0.0) -> None:
        self._allowed_s = allowed_s
        self._since_s: float | None = None

    def beat(self) -> None:
        """A step begins."""
        self._since_s = time.monotonic()

    def rest(self) -> None:
        """There is nothing to do, or it may wait as long as it likes."""
        self._since_s = None

    def hangs(self, now_s: float, patience_s: float) -> bool:
        """True if a step has taken longer than is allowed and patience lasts."""
        since_s = self._since_s
        return since_s is not None and now_s - since_s > self._allowed_s + patience_s

"""Which tags may be read: those of the hub's list, until it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog
from parvis_contract import AllowlistCommand, CommandRefusal, Envelope, format_time

from .duty import Outcome
from .judge import NotObeyed, check_time

_log = structlog.get_logger()


class Allowlist:
    """The duty of ``command.allowlist``. Any thread may use it.

    Args:
        reads_tags: True if the unit may report tags: its camera runs, and the site plan and the legal profile allow it.
        always: Tags that may be read whatever list has come: those of the site plan, under the profile `lab`.
        now_s: POSIX seconds.
    """

    def __init__(self, *, reads_tags: bool, always: frozenset[int] = frozenset(), now_s: Callable[[], float] = time.time) -> None:
        self._reads_tags = reads_tags
        self._always = always
        self._now_s = now_s
        self._lock = threading.Lock()
        self._list: Envelope[AllowlistCommand] | None = None
        self._numbers: frozenset[int] = frozenset()
        self._in_force = False

    def permit(self, message: Envelope[AllowlistCommand]) -> None:
        """Refuses any list where no tag is read.

        Raises:
            NotObeyed: This unit reads none.
        """
        del message
        if not self._reads_tags:
            raise NotObeyed(CommandRefusal.NOT_PERMITTED, "this unit reads no tags: no camera, no `tags` in the plan, or not its profile's")

    def begin(self, message: Envelope[AllowlistCommand]) -> None:
        """The list stands in place of the one before."""
        self.resume(message)
        until = format_time(message.data.expires)
        _log.info("the hub's allowlist is in force", counter=message.data.counter, tags=len(self._numbers), until=until)

    def resume(self, message: Envelope[AllowlistCommand]) -> None:
        """The list was in force when the unit stopped."""
        spans = (range(span.first, span.last + 1) for span in message.data.allow)
        with self._lock:
            self._list = message
            self._numbers = frozenset(number for span in spans for number in span)
            self._in_force = True

    def outcome(self) -> Outcome:
        """A list that is kept is obeyed."""
        return Outcome()

    def allowed_tags(self) -> frozenset[int]:
        """The numbers that may be read at this moment; none of an expired list."""
        with self._lock:
            if self._list is None or not self._reads_tags:
                return self._always
            try:
                check_time(self._list, self._now_s())
            except NotObeyed as ended:
                if self._in_force:
                    self._in_force = False
                    _log.warning("the allowlist is not in force; no tag of it is read", reason=ended.reason, detail=str(ended))
                return self._always
            self._in_force = True
            return self._always | self._numbers

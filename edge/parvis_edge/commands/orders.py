"""The commands that a unit has obeyed: taken from the broker, kept on disk, in force until they expire, acknowledged in its status."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog
from parvis_contract import AllowlistCommand, CommandRefusal, CommandStatus, Envelope, Refused, format_time, parse_message

from .files import CommandFiles
from .judge import Authority, NotObeyed, authentic, check_time, judge

_log = structlog.get_logger()

ALLOWLIST = "command.allowlist"


class Orders:
    """What the hub has asked of one unit. Any thread may use it.

    Args:
        authority: Whom the unit obeys.
        files: Where the last command of each type is kept.
        reads_tags: True if the unit may report tags: its camera runs, and the site plan and the legal profile allow it.
        always: Tags that may be read whatever list has come: those of the site plan, under the profile `lab`.
        now_s: POSIX seconds.
    """

    def __init__(
        self,
        authority: Authority,
        files: CommandFiles,
        *,
        reads_tags: bool,
        always: frozenset[int] = frozenset(),
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._authority = authority
        self._files = files
        self._reads_tags = reads_tags
        self._always = always
        self._now_s = now_s
        self._lock = threading.Lock()
        self._last: dict[str, int] = {}
        self._refused: CommandRefusal | None = None
        self._raw: bytes | None = None
        self._list: Envelope[AllowlistCommand] | None = None
        self._numbers: frozenset[int] = frozenset()
        self._in_force = False
        self._begin()

    def _begin(self) -> None:
        """Goes on with the list that is on disk, after checking it as if it had just come."""
        path = self._files.path(ALLOWLIST)
        try:
            raw = self._files.read(ALLOWLIST)
            if raw is None:
                return
            # Whatever else is wrong with it: what is not newer has been here.
            self._last[ALLOWLIST] = parse_message(raw).data.counter
            self._put(raw, authentic(raw, self._authority))
        except (OSError, Refused, AttributeError, NotObeyed) as error:
            _log.error("the allowlist on disk cannot be used; none is in force until the hub sends one", file=str(path), detail=str(error))

    def take(self, raw: bytes) -> None:
        """A command has come: obeys it, or says in the log and the status why not. Never raises."""
        with self._lock:
            if raw == self._raw:
                # The hub says it again until it hears that it has arrived.
                self._refused = None
                return
            try:
                self._obey(raw)
            except NotObeyed as refused:
                self._refused = refused.reason
                _log.warning("a command is refused; nothing changes", reason=refused.reason, detail=str(refused), bytes=len(raw))

    def _obey(self, raw: bytes) -> None:
        message = judge(raw, self._authority, self._now_s(), self._last)
        if message.name != ALLOWLIST:
            raise NotObeyed(CommandRefusal.NOT_SUPPORTED, f"{message.name}: this version of the program does not do that")
        if not self._reads_tags:
            raise NotObeyed(CommandRefusal.NOT_PERMITTED, "this unit reads no tags: no camera, no `tags` in the plan, or not its profile's")
        try:
            self._files.write(ALLOWLIST, raw)
        except OSError as error:
            raise NotObeyed(CommandRefusal.DISK_FULL, f"it cannot be kept, so it is not obeyed: {error}") from None
        self._last[message.name] = message.data.counter
        self._put(raw, message)
        self._refused = None
        until = format_time(message.data.expires)
        _log.info("the hub's allowlist is in force", counter=message.data.counter, tags=len(self._numbers), until=until)

    def _put(self, raw: bytes, message: Envelope[AllowlistCommand]) -> None:
        spans = (range(span.first, span.last + 1) for span in message.data.allow)
        self._raw, self._list = raw, message
        self._numbers = frozenset(number for span in spans for number in span)
        self._in_force = True

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

    def status(self) -> CommandStatus | None:
        """What has been obeyed, and why the last was refused; None before any has come."""
        with self._lock:
            if not self._last and self._refused is None:
                return None
            return CommandStatus(allowlist=self._last.get(ALLOWLIST), refused=self._refused)

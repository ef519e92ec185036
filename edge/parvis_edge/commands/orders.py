"""The commands that a unit has obeyed: taken from the broker, kept on disk, handed to whose duty they are, acknowledged in its status."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

import structlog
from parvis_contract import CommandRefusal, CommandStatus, Refused, parse_message

from .duty import Duty
from .files import CommandFiles
from .judge import Authority, NotObeyed, authentic, judge

_log = structlog.get_logger()

ALLOWLIST, CONFIG, RELEASE = "command.allowlist", "command.config", "command.release"


class Orders:
    """What the hub has asked of one unit. Any thread may use it.

    A command is judged, put on disk, and only then begun: whatever moment the power goes, what the status acknowledges is kept, and what is
    kept goes on at the next start.

    Args:
        authority: Whom the unit obeys.
        files: Where the last command of each type is kept.
        duties: Who does what each type says; a type that is not among them is refused.
        now_s: POSIX seconds.
    """

    def __init__(
        self, authority: Authority, files: CommandFiles, duties: Mapping[str, Duty], *, now_s: Callable[[], float] = time.time
    ) -> None:
        self._authority = authority
        self._files = files
        self._duties = duties
        self._now_s = now_s
        self._lock = threading.Lock()
        self._last: dict[str, int] = {}
        self._raw: dict[str, bytes] = {}
        self._refused: CommandRefusal | None = None
        for name, duty in duties.items():
            self._resume(name, duty)

    def _resume(self, name: str, duty: Duty) -> None:
        """Goes on with the command that is on disk, after checking it as if it had just come."""
        try:
            raw = self._files.read(name)
            if raw is None:
                return
            # Whatever else is wrong with it: what is not newer has been here.
            self._last[name] = parse_message(raw).data.counter
            message = authentic(raw, self._authority)
            if message.name != name:
                raise NotObeyed(CommandRefusal.MALFORMED, f"it is a {message.name}")
            self._raw[name] = raw
            duty.resume(message)
        except (OSError, Refused, AttributeError, NotObeyed) as error:
            path = str(self._files.path(name))
            _log.error("a command on disk cannot be used; it is not in force until the hub sends one", file=path, detail=str(error))

    def take(self, raw: bytes) -> None:
        """A command has come: obeys it, or says in the log and the status why not. Never raises."""
        with self._lock:
            if raw in self._raw.values():
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
        duty = self._duties.get(message.name)
        if duty is None:
            raise NotObeyed(CommandRefusal.NOT_SUPPORTED, f"{message.name}: this version of the program does not do that")
        duty.permit(message)
        try:
            self._files.write(message.name, raw)
        except OSError as error:
            raise NotObeyed(CommandRefusal.DISK_FULL, f"it cannot be kept, so it is not obeyed: {error}") from None
        self._last[message.name] = message.data.counter
        self._raw[message.name] = raw
        self._refused = None
        duty.begin(message)

    def status(self) -> CommandStatus | None:
        """What has been obeyed, and why the last was refused; None before any has come.

        A command that was kept and then could not be done is not acknowledged: its counter is left out, and the refusal says why.
        """
        with self._lock:
            if not self._last and self._refused is None:
                return None
            outcomes = {name: self._duties[name].outcome() for name in self._last if name in self._raw}
            taken = {name: counter for name, counter in self._last.items() if name not in outcomes or outcomes[name].acknowledged}
            refused = self._refused or next((outcome.refused for outcome in outcomes.values() if outcome.refused), None)
            return CommandStatus(config=taken.get(CONFIG), allowlist=taken.get(ALLOWLIST), release=taken.get(RELEASE), refused=refused)

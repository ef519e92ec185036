"""What is said to systemd, if it started the program: ready, alive, how it is, stopping (sd_notify(3)); nothing where it did not."""

from __future__ import annotations

import contextlib
import math
import os
import socket
from collections.abc import Mapping


class Supervisor:
    """The line to whoever started the program and restarts it when it hangs. One thread uses it.

    Args:
        environment: ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` are read.

    Attributes:
        patience_s: Silence for so long ends the program; None if nobody minds.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        # A name that begins with @ is not in the file system (unix(7)).
        self._address = environment.get("NOTIFY_SOCKET", "").replace("@", "\0", 1)
        ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        period = environment.get("WATCHDOG_USEC", "") if ours else ""
        self.patience_s = int(period) / 1e6 if self._address and period.isdigit() and int(period) else None
        self._alive_s = -math.inf
        self._status = ""

    def ready(self) -> None:
        """Everything is started."""
        self._say("READY=1")

    def stopping(self) -> None:
        """The program ends in order."""
        self._say("STOPPING=1")

    def status(self, text: str) -> None:
        """How it is, for a person, in one line."""
        if text != self._status:
            self._status = text
            self._say(f"STATUS={text}")

    def alive(self, now_s: float) -> None:
        """Everything makes progress; to be said again and again. Of four in the time of patience three may be lost."""
        if self.patience_s is not None and now_s - self._alive_s >= self.patience_s / 4:
            self._alive_s = now_s
            self._say("WATCHDOG=1")

    def _say(self, line: str) -> None:
        if not self._address:
            return
        # Whoever does not listen need not hear.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line_out:
            line_out.sendto(line.encode(), self._address)

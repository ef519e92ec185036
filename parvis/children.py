"""The processes of the demonstration: started, watched, ended by their own ids, and reported with their last words."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

#: Time that a process has to end by itself after it was asked to; the hub stores and says good-bye in it.
GRACE_S = 8.0


class ChildDied(Exception):
    """A process that should run has ended; the message has its last lines."""


def _leashed(command: Sequence[str]) -> list[str]:
    """Has the kernel end the process when the demonstration is killed, so that none is left behind (where util-linux is)."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--", *command] if setpriv else list(command)


class Child:
    """One process, with its output in a file.

    Args:
        name: What the reader knows it by.
        command: Program and arguments.
        log: File that its output is added to.

    Attributes:
        name: As given.
        log: As given.
    """

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name, self.log = name, log
        self._out: IO[bytes] = log.open("ab")
        # A session of its own: Ctrl-C in the terminal reaches the demonstration alone, which ends the rest in order.
        self._process = subprocess.Popen(
            _leashed(command),
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll()

    def ask_to_end(self) -> None:
        """Sends SIGTERM, if it still runs."""
        if self._process.poll() is None:
            self._process.terminate()

    def kill(self) -> None:
        """Sends SIGKILL and waits."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._out.close()

    def wait(self, timeout_s: float) -> int | None:
        """Waits for it to end; its exit status, or None if it still runs after that time."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def end(self, grace_s: float = GRACE_S) -> None:
        """Asks it to end, and kills it if it has not after ``grace_s``."""
        self.ask_to_end()
        self.wait(grace_s)
        self.kill()

    def last_lines(self, count: int = 8) -> str:
        """The end of what it said."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])

    def died(self) -> ChildDied:
        """The error for one that should still run, or should have ended well."""
        return ChildDied(f"{self.name} ended with status {self.returncode}; the end of {self.log}:\n{self.last_lines()}")


class Family:
    """Processes that end together: first those that use others, all at once; then the others, the last started first.

    Args:
        folder: Where their logs go.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.children: dict[str, Child] = {}
        self._used: list[str] = []

    def start(self, name: str, command: Sequence[str], *, used: bool = False) -> Child:
        """Starts a process; one of the same name must have ended before.

        Args:
            name: What the reader knows it by.
            command: Program and arguments.
            used: The processes started later use it.
        """
        self.children.pop(name, None)
        child = Child(name, command, self.folder / f"{name}.log")
        self.children[name] = child
        if used and name not in self._used:
            self._used.append(name)
        return child

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # The units first, so that the hub hears their last; the broker, which all speak through, at the end.
        users = [child for name, child in self.children.items() if name not in self._used]
        for child in users:
            child.ask_to_end()
        for child in (*users, *(self.children[name] for name in reversed(self._used))):
            child.end()


def wait_for_port(child: Child, host: str, port: int, timeout_s: float, check: Callable[[], None] = lambda: None) -> None:
    """Waits until a process listens.

    Args:
        child: The process.
        host: Where it is to listen.
        port: Where it is to listen.
        timeout_s: How long to wait at most.
        check: Called again and again meanwhile; what it raises ends the waiting.

    Raises:
        ChildDied: It ended, or does not listen in time.
    """
    until_s = time.monotonic() + timeout_s
    while time.monotonic() < until_s:
        check()
        if child.returncode is not None:
            raise child.died()
        try:
            socket.create_connection((host, port), 0.5).close()
            return
        except OSError:
            time.sleep(0.05)
    raise ChildDied(f"{child.name} does not listen on {host}:{port} after {timeout_s:.0f} s; the end of {child.log}:\n{child.last_lines()}")

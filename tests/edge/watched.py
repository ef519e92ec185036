"""The real `parvis-edge`, watched from inside: `python -m tests.edge.watched LOG watch …` writes down every file that Python opens
for writing, every socket, every process and every database, one JSON list a line.

What libraries written in C do is not seen from here; strace, where it is installed, and a comparison of folders see that.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import Any

_WATCHED = (
    "socket.connect",
    "socket.sendto",
    "socket.sendmsg",
    "sqlite3.connect",
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "os.rename",
    "os.link",
    "os.symlink",
    "os.mkdir",
    "os.truncate",
    "shutil.copyfile",
    "shutil.move",
    "urllib.Request",
    "http.client.connect",
)
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC


def install(log_path: str) -> None:
    """Begins to write down."""
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    bound: list[socket.socket] = []

    def own_ports() -> list[int]:
        ports = []
        for each in bound:
            try:
                ports.append(each.getsockname()[1])
            except OSError:
                continue
        return ports

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            writes = (isinstance(mode, str) and any(letter in mode for letter in "wax+")) or (isinstance(flags, int) and flags & _WRITES)
            # What is a number was opened by its name before, and written down then.
            if writes and not isinstance(path, int):
                os.write(log, (json.dumps(["open", os.fsdecode(path) if isinstance(path, str | bytes) else str(path)]) + "\n").encode())
        elif event == "socket.bind":
            bound.append(arguments[0])
        elif event in _WATCHED:
            shown = [list(each) if isinstance(each, tuple) else str(each) for each in arguments if not isinstance(each, socket.socket)]
            if event == "socket.connect" and isinstance(arguments[1], tuple) and arguments[1][1] in own_ports():
                # A library wakes its own thread through a pair of sockets on this machine.
                event = "own pair"
            os.write(log, (json.dumps([event, *shown]) + "\n").encode())

    sys.addaudithook(hook)


if __name__ == "__main__":
    install(sys.argv.pop(1))
    from parvis_edge.cli import app

    app()

"""A line between a program and the broker that can go dead: nothing passes, and neither end is told."""

from __future__ import annotations

import contextlib
import socket
import threading

from parvis.broker import HOST

_AT_ONCE = 65_536


class Line:
    """A proxy on a free port of this machine, which forwards to another port.

    Attributes:
        port: Where to connect to.
    """

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._dead = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def cut(self) -> None:
        """From now on nothing passes. A connection that is there hears nothing more for ever, and one that is made hears nothing either."""
        self._dead.set()

    def mend(self) -> None:
        """Connections that are made from now on pass; those from before stay dead, as after a router that was exchanged."""
        self._dead = threading.Event()

    def close(self) -> None:
        """Ends it."""
        self._dead.set()
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            dead = self._dead
            threading.Thread(target=self._carry, args=(near, dead), daemon=True).start()

    def _carry(self, near: socket.socket, dead: threading.Event) -> None:
        try:
            far = socket.create_connection((HOST, self._to_port), timeout=5.0)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        back = threading.Thread(target=_forward, args=(far, near, dead), daemon=True)
        back.start()
        _forward(near, far, dead)


def _forward(source: socket.socket, sink: socket.socket, dead: threading.Event) -> None:
    """Until an end closes; what comes after the line is dead is thrown away, and who closes is not heard by the other."""
    with contextlib.suppress(OSError):
        while some := source.recv(_AT_ONCE):
            if not dead.is_set():
                sink.sendall(some)
    if not dead.is_set():
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
    source.close()

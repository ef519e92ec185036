"""Serves the calibration page to this machine alone: the line drawing, the site plan, and the points that are being set."""

from __future__ import annotations

import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

from .desk import Answer, Desk

_STATIC = Path(__file__).parent / "static"
_FILES = {"": ("index.html", "text/html"), "page.js": ("page.js", "text/javascript"), "page.css": ("page.css", "text/css")}
#: A hundred points are a tenth of it.
_MOST_BYTES = 100_000
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Page:
    """The page, while it is open.

    The address has a secret in it, since other users of this machine reach the loopback too, and another page in the same browser must
    not be able to ask: a wrong ``Host`` or ``Origin`` is refused.

    Args:
        desk: What it works on.
        port: Where to listen on 127.0.0.1; 0 takes a free one.

    Attributes:
        url: Its address.

    Raises:
        OSError: The port is taken.
    """

    def __init__(self, desk: Desk, port: int = 0) -> None:
        token = secrets.token_urlsafe(12)
        self._server = _Server(desk, port, token)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/{token}/"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="page", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    """The server, with what its pages work on."""

    daemon_threads = True

    def __init__(self, desk: Desk, port: int, token: str) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.desk = desk
        self.token = token


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "parvis", ""
    #: A browser that opened a connection and says nothing holds a thread no longer.
    timeout = 30

    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        del format, args

    def do_GET(self) -> None:
        name = self._name()
        if name in _FILES:
            file, kind = _FILES[name]
            self._send(200, (_STATIC / file).read_bytes(), f"{kind}; charset=utf-8")
        elif name == "lines.png":
            self._send(200, self.server.desk.lines_png(), "image/png")
        elif name == "view.json":
            self._answer(Answer(200, self.server.desk.view()))
        else:
            self._answer(Answer(404, {"error": "not here"}))

    def do_POST(self) -> None:
        name = self._name()
        origin = self.headers.get("Origin")
        length = self.headers.get("Content-Length", "")
        size = int(length) if length.isascii() and length.isdigit() else _MOST_BYTES + 1
        if name is None or (origin is not None and origin != f"http://{self.headers.get('Host')}"):
            self._refuse(Answer(403, {"error": "another page may not ask"}))
        elif self.headers.get_content_type() != "application/json" or size > _MOST_BYTES:
            self._refuse(Answer(400, {"error": "send JSON, a hundred points at most"}))
        else:
            self._answer(self._asked(name, self.rfile.read(size)))
            if self.server.desk.result is not None:
                # Only now: the program ends with it, and the page's answer must be out before.
                self.server.desk.finished.set()

    def _asked(self, name: str, content: bytes) -> Answer:
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            return Answer(400, {"error": "this is no JSON"})
        if name == "assess":
            return self.server.desk.assess(body)
        if name == "look":
            return self.server.desk.look_again()
        if name == "done":
            return self.server.desk.done(body)
        return Answer(404, {"error": "not here"})

    def _name(self) -> str | None:
        """What is asked for; None where the secret or the host is wrong."""
        host = self.headers.get("Host", "").rpartition(":")[0]
        # Through an SSH tunnel the browser may have another port.
        beginning = f"/{self.server.token}/"
        if host not in ("127.0.0.1", "localhost") or not self.path.startswith(beginning):
            return None
        return self.path.removeprefix(beginning).partition("?")[0]

    def _refuse(self, answer: Answer) -> None:
        # What was sent has not been read, so the connection is of no more use.
        self.close_connection = True
        self._answer(answer)

    def _answer(self, answer: Answer) -> None:
        self._send(answer.status, json.dumps(answer.data, allow_nan=False).encode(), "application/json")

    def _send(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        for key, value in {"Content-Type": kind, "Content-Length": str(len(content)), **_HEADERS}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(content)

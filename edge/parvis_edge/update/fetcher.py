"""Reads over HTTP from somebody who may be hostile: bounded in time and pace, from any byte on, never redirected, never decompressed."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tuf.api.exceptions import DownloadError, DownloadHTTPError
from tuf.ngclient import FetcherInterface

#: Read at once: a chunk is written before the next is asked for.
CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server is waited for.

    Attributes:
        silence_s: Nothing at all for so long ends a transfer, and so does an answer whose head takes longer.
        window_s: The pace is looked at over so long.
        least_bytes_s: Slower than this over a window ends a transfer (slow retrieval attack). A mobile connection at its worst
            (GPRS, 9.6 kbit/s) brings 1.2 kB in a second.
    """

    silence_s: float = 20.0
    window_s: float = 30.0
    least_bytes_s: float = 1_000.0


class Pace:
    """Whether bytes come fast enough. Pure: times come in.

    Args:
        patience: What is enough.
        begun_s: When the transfer began, monotonic seconds.
    """

    def __init__(self, patience: Patience, begun_s: float) -> None:
        self._patience = patience
        self._window_s = begun_s
        self._bytes = 0

    def enough(self, count: int, now_s: float) -> bool:
        """Whether it goes on, now that ``count`` more bytes have come."""
        self._bytes += count
        length_s = now_s - self._window_s
        if length_s < self._patience.window_s:
            return True
        enough = self._bytes >= self._patience.least_bytes_s * length_s
        self._window_s, self._bytes = now_s, 0
        return enough


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of an answer.

    Attributes:
        first: Which byte of the file it begins with: 0 where the server ignored the range that was asked for.
        chunks: Its bytes.
    """

    first: int
    chunks: Iterator[bytes]


class Fetcher(FetcherInterface):
    """One server's reader; keeps its connection. One thread uses it.

    Args:
        ca: PEM file of whoever signed the server's certificate; None takes those that the system trusts.
        patience: How long it waits.
        now_s: Monotonic seconds.
    """

    def __init__(self, ca: Path | None = None, patience: Patience | None = None, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._ca = ca
        self._patience = patience or Patience()
        self._now_s = now_s
        self._kept: tuple[str, http.client.HTTPConnection] | None = None

    def _fetch(self, url: str) -> Iterator[bytes]:
        return self.open(url).chunks

    def open(self, url: str, first: int = 0) -> Answer:
        """Asks for a file from byte ``first`` on.

        Raises:
            DownloadHTTPError: The server says no.
            DownloadError: It cannot be reached, or is too slow; also while the chunks are taken.
        """
        try:
            response, watch = self._ask(url, first)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise DownloadError(f"{url}: {error or type(error).__name__}") from None
        begins = _first_of(response) if response.status == http.HTTPStatus.PARTIAL_CONTENT else 0
        if response.status not in {http.HTTPStatus.OK, http.HTTPStatus.PARTIAL_CONTENT} or begins not in {0, first}:
            self.close()
            watch.cancel()
            raise DownloadHTTPError(f"{url}: {response.status} {response.reason}", response.status)
        return Answer(begins, self._body(url, response))

    def close(self) -> None:
        """Ends the connection; the next request makes another."""
        if self._kept is not None:
            self._kept[1].close()
            self._kept = None

    def _ask(self, url: str, first: int) -> tuple[http.client.HTTPResponse, threading.Timer]:
        for attempt in (0, 1):
            fresh = self._kept is None
            connection, path = self._connection(url)
            watch = threading.Timer(self._patience.silence_s, _cut, [connection])
            watch.daemon = True
            watch.start()
            try:
                headers = {"Accept-Encoding": "identity", "User-Agent": "parvis-edge"} | ({"Range": f"bytes={first}-"} if first else {})
                connection.request("GET", path, headers=headers)
                return connection.getresponse(), watch
            except (OSError, http.client.HTTPException):
                self.close()
                # A connection that was kept may have been closed by the server in the meantime.
                if fresh or attempt:
                    raise
            finally:
                watch.cancel()
        raise AssertionError("the second attempt answers or raises")  # pragma: no cover

    def _connection(self, url: str) -> tuple[http.client.HTTPConnection, str]:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("not an http or https address")
        server = f"{parts.scheme}://{parts.netloc}"
        if self._kept is None or self._kept[0] != server:
            self.close()
            if parts.scheme == "https":
                context = ssl.create_default_context(cafile=None if self._ca is None else str(self._ca))
                made: http.client.HTTPConnection = http.client.HTTPSConnection(
                    parts.hostname, parts.port, timeout=self._patience.silence_s, context=context
                )
            else:
                made = http.client.HTTPConnection(parts.hostname, parts.port, timeout=self._patience.silence_s)
            self._kept = (server, made)
        return self._kept[1], parts.path + (f"?{parts.query}" if parts.query else "")

    def _body(self, url: str, response: http.client.HTTPResponse) -> Iterator[bytes]:
        pace, whole = Pace(self._patience, self._now_s()), False
        try:
            while chunk := response.read1(CHUNK_BYTES):
                if not pace.enough(len(chunk), self._now_s()):
                    raise DownloadError(f"{url}: slower than {self._patience.least_bytes_s:g} bytes a second")
                yield chunk
            # A body that ends before its announced length reads as an end; the length is what was promised.
            if response.length:
                raise DownloadError(f"{url}: the connection ended {response.length} bytes early")
            # Without this the connection would still wait for more of this answer, and the next request would need another.
            response.close()
            whole = True
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise DownloadError(f"{url}: {error or type(error).__name__}") from None
        finally:
            if not whole:
                self.close()


def _cut(connection: http.client.HTTPConnection) -> None:
    """Ends a connection from beside: a head that comes drop by drop never runs into a socket's timeout."""
    sock = connection.sock
    if sock is not None:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return


def _first_of(response: http.client.HTTPResponse) -> int:
    """The first byte of ``Content-Range: bytes 500-999/1000`` (RFC 9110, 14.4); -1 where it does not say."""
    words = (response.headers.get("Content-Range") or "").removeprefix("bytes ").split("-", 1)[0]
    return int(words) if words.isascii() and words.isdigit() else -1

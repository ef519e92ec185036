"""How the fleet listener is served: over TLS, to whoever comes, so that nobody who only holds a connection open is in a unit's way."""

from __future__ import annotations

import asyncio
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

#: Connections at the same moment; whoever comes then is told to come again.
MOST_AT_ONCE = 256
#: Of these one address has so many at most: units behind one router share an address, and half is left for the others.
MOST_OF_ONE = MOST_AT_ONCE // 2
#: Whoever has asked for nothing whole for so long is let go. A request's head is 200 bytes, which take half a second over GPRS.
PATIENCE_S = 20.0


class ImpatientProtocol(H11Protocol):
    """Ends connections on which nothing is asked, which the server by itself does only after a first request."""

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Counts whoever has come, and ends what is one too many."""
        super().connection_made(transport)
        if sum(isinstance(each, ImpatientProtocol) and each.address == self.address for each in self.connections) > MOST_OF_ONE:
            transport.close()
            return
        self._wait()

    @property
    def address(self) -> str | None:
        """From where it comes."""
        return self.client[0] if self.client else None

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits no longer."""
        if self._waiting is not None:
            self._waiting.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Waits for the next request."""
        super().on_response_complete()
        self._wait()

    def _wait(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
        self._waiting = self.loop.call_later(PATIENCE_S, self._let_go)

    def _let_go(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()


def configuration(app: ASGIApp, own: Path) -> uvicorn.Config:
    """Of its server.

    Args:
        app: The listener.
        own: Its certificate and key, PEM.
    """
    return uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=2,
        limit_concurrency=MOST_AT_ONCE,
        http=ImpatientProtocol,
        ssl_certfile=own,
        ssl_keyfile=own,
    )

"""What stands before the console: headers that keep foreign code out, and checks that a decision comes from the console's own page."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Names under which a hub on loopback is called. Under any other name a page of somebody else's could speak to it (DNS rebinding).
LOOPBACK = ("127.0.0.1", "localhost", "::1")

#: Nothing comes from elsewhere, nothing is run that is not a file of the console, no string becomes markup or code, nothing frames it.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; worker-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types default"
)

HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), display-capture=()",
}

#: The header that the console's page sends with a decision. A page of another origin may not, unless the hub gave it leave.
CONSOLE_HEADER = "x-parvis-console"


class Guard:
    """ASGI middleware: refuses requests to names that are not the hub's, and puts the headers on every answer."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = LOOPBACK) -> None:
        self._app = app
        self._hosts = frozenset(host.lower().strip("[]") for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store" if scope["path"].startswith("/api/") else "no-cache")
            await send(message)

        if host_name(Headers(scope=scope).get("host", "")) not in self._hosts and "*" not in self._hosts:
            refusal = PlainTextResponse("The hub does not answer to this name. Name it in the hub's list of hosts.\n", status_code=421)
            await refusal(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)


def host_name(host: str) -> str:
    """The host without its port, lower case; an address of IPv6 without its brackets."""
    host = host.lower()
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]


def foreign(headers: Headers) -> str | None:
    """Why a request that changes something is not from the console's own page; None if it is."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return "the content type is application/json"
    if headers.get(CONSOLE_HEADER) != "1":
        return f"the header {CONSOLE_HEADER} is missing"
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return "it is from another site"
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2].lower() != headers.get("host", "").lower():
        return "its origin is another"
    return None

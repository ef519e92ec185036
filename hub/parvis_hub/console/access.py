"""Who asks, and whether they may: one dependency that stands before every address which is not open to all."""

from __future__ import annotations

import hmac
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from anyio import to_thread
from fastapi import Depends, Request
from sqlalchemy.exc import SQLAlchemyError
from sse_starlette import ServerSentEvent
from starlette.responses import Response

from parvis_hub.accounts import Sessions, Tokens, Users
from parvis_hub.accounts.openid import SigningIn
from parvis_hub.governance import ROLES, May, Role

from .answers import refusal
from .cookies import SESSION
from .guard import foreign

#: What the page sends with each change, from GET /api/session.
CSRF_HEADER = "x-parvis-csrf"


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody who asks.

    Attributes:
        name: The user's or the token's; None where nobody need sign in.
        role: The user's.
        may: What they may do.
        csrf: What their page sends with each change.
        elsewhere: They signed in at the provider.
    """

    name: str | None
    role: Role | None
    may: frozenset[May]
    csrf: str | None = None
    elsewhere: bool = False


#: Where nobody need sign in, everybody may do everything, under the name that they give.
ANYBODY = Who(None, None, frozenset(May))


class NotAdmitted(Exception):
    """What is asked for is not given; `status` is 401 where signing in would help, and 403 where it would not."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


async def not_admitted(_: Request, error: Exception) -> Response:
    """How such a request is answered."""
    if not isinstance(error, NotAdmitted):
        raise error
    answer = refusal(error.status, error.why)
    if error.status == 401:
        answer.headers["www-authenticate"] = "Bearer"
    return answer


class Access:
    """Knows who asks by what the request carries.

    Attributes:
        sessions: Where people sign in.
        openid: Where they sign in by OpenID Connect; None if they do not.
        secure: Their browsers reach the console by TLS alone.
    """

    def __init__(
        self, users: Users, sessions: Sessions, tokens: Tokens, *, always: bool, openid: SigningIn | None = None, secure: bool = False
    ) -> None:
        """Stands before the console.

        Args:
            users: Of the hub's store.
            sessions: Of the same.
            tokens: Of the same.
            always: Sign-in is asked for even where there is no user: the hub can be reached from elsewhere.
            openid: Where people sign in besides; sign-in then is asked for in any case.
            secure: Browsers reach the console by TLS, which a proxy sees to: they must not send their cookies otherwise.
        """
        self._users, self.sessions, self._tokens, self.openid, self.secure = users, sessions, tokens, openid, secure
        self._always = always or openid is not None

    def required(self) -> bool:
        """True if whoever asks must be known."""
        return self._always or self._users.any()

    def who(self, request: Request) -> Who | None:
        """Who asks; None if that is not known and must be."""
        kind, _, shown = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            token = self._tokens.token(shown.strip())
            return Who(token.name, None, token.may) if token else None
        if (held := SESSION.held(request, secure=self.secure)) and (session := self.sessions.session(held)):
            return Who(session.name, session.role, ROLES[session.role], session.csrf, session.elsewhere)
        return None if self.required() else ANYBODY

    def admit(self, request: Request, what: May | None) -> Who:
        """Who asks, if they may.

        Args:
            request: As it came.
            what: What they must be allowed to do; None for whatever anybody may who is signed in.

        Raises:
            NotAdmitted: They may not, or the request is not from the console's own page and would change something.
        """
        changes = request.method not in {"GET", "HEAD"}
        if changes and (why := foreign(request.headers)):
            raise NotAdmitted(403, f"not from the console's own page: {why}")
        who = self.who(request)
        if who is None:
            raise NotAdmitted(401, "sign in first; a machine shows its token as Authorization: Bearer …")
        if what is not None and what not in who.may:
            raise NotAdmitted(403, f"{who.role or 'this token'} may not {what}")
        if changes and who.csrf is not None and not hmac.compare_digest(request.headers.get(CSRF_HEADER, "").encode(), who.csrf.encode()):
            raise NotAdmitted(403, f"not from this session's own page: the header {CSRF_HEADER} is missing or another's")
        return who

    async def while_admitted(
        self, request: Request, what: May, stream: AsyncIterator[ServerSentEvent], every_s: float
    ) -> AsyncIterator[ServerSentEvent]:
        """A stream for as long as whoever asked for it may have it; its last event then is ``signed_out``."""
        looked_s = time.monotonic()
        async for event in stream:
            if time.monotonic() - looked_s >= every_s:
                looked_s = time.monotonic()
                try:
                    who = await to_thread.run_sync(self.who, request)
                except SQLAlchemyError:
                    # Nothing can be read that could be told; the page stays, and hears why.
                    yield event
                    continue
                if who is None or what not in who.may:
                    yield ServerSentEvent("{}", event="signed_out")
                    return
            yield event


def access_of(request: Request) -> Access:
    """The app's own."""
    access: Access = request.app.state.access
    return access


class _Permission:
    """A dependency that knows what it asks for, so that a test can ask each address for it."""

    def __init__(self, what: May | None) -> None:
        self.what = what

    def __call__(self, request: Request) -> Who:
        return access_of(request).admit(request, self.what)


def may(what: May | None) -> Any:
    """What an address asks of whoever calls it.

    Use it as ``who: Annotated[Who, may(May.DECIDE)]``. Besides the permission, it sees to it that what would change something comes
    from the console's own page, and from that of the session.

    Args:
        what: The permission; None for whatever anybody may who is signed in.
    """
    return Depends(_Permission(what))

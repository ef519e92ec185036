"""Signing in, signing out, and who is signed in."""

from __future__ import annotations

import math
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from parvis_contract import Closed
from pydantic import Field, ValidationError

from parvis_hub.accounts import TooManyAttempts, WrongCredentials

from .access import COOKIE, Who, access_of, may
from .answers import answer, body_of, refusal
from .guard import foreign
from .views import View

#: A name and a password, each letter of it as JSON may write it.
MAX_BYTES = 4_096


class Credentials(Closed):
    """What somebody types."""

    name: Annotated[str, Field(max_length=64)]
    password: Annotated[str, Field(max_length=256)]


def signing(*, secure: bool) -> APIRouter:
    """The addresses under which a browser signs in and out.

    Args:
        secure: The browser's side is encrypted, by a proxy: it must never send the cookie otherwise.
    """
    router = APIRouter(prefix="/api/session", tags=["session"])

    @router.get("")
    def read_session(request: Request) -> Response:
        """Who is signed in, and what they may do; whether anybody need be."""
        access = access_of(request)
        return answer(_view(access.who(request), required=access.required()))

    @router.post("")
    async def sign_in(request: Request) -> Response:
        """Begins a session, by name and password."""
        if why := foreign(request.headers):
            return refusal(403, f"not from the console's own page: {why}")
        body = await body_of(request, MAX_BYTES)
        if body is None:
            return refusal(413, "this is no name and password")
        try:
            given = Credentials.model_validate_json(body)
        except ValidationError:
            # Nothing of it is said back: it may hold a password.
            return refusal(422, "expected a name and a password")
        address = request.client.host if request.client else ""
        sessions = access_of(request).sessions
        try:
            held = await to_thread.run_sync(sessions.sign_in, given.name, given.password, address)
        except WrongCredentials:
            return refusal(401, "the name or the password is wrong")
        except TooManyAttempts as error:
            refused = refusal(429, f"too many attempts; wait {math.ceil(error.wait_s)} s")
            refused.headers["retry-after"] = str(math.ceil(error.wait_s))
            return refused
        given_in = answer({"signed_in": True})
        given_in.set_cookie(COOKIE, held, httponly=True, samesite="strict", secure=secure, path="/")
        return given_in

    @router.delete("")
    def sign_out(request: Request, who: Annotated[Who, may(None)]) -> Response:
        """Ends the session."""
        if who.role is not None:
            access_of(request).sessions.sign_out(request.cookies[COOKIE])
        done = answer({"signed_in": False})
        done.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=secure, path="/")
        return done

    return router


def _view(who: Who | None, *, required: bool) -> View:
    return {
        "required": required,
        "name": who.name if who else None,
        "role": who.role.value if who and who.role else None,
        "may": sorted(who.may) if who else [],
        "csrf": who.csrf if who else None,
    }

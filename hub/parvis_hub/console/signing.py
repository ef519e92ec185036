"""Signing in, signing out, and who is signed in."""

from __future__ import annotations

import math
from typing import Annotated
from urllib.parse import parse_qs

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from parvis_contract import Closed
from pydantic import Field, ValidationError

from parvis_hub.accounts import TooManyAttempts, WrongCredentials
from parvis_hub.accounts.openid import NotAccepted, Refusal
from parvis_hub.accounts.openid.signing_in import LONGEST_S

from .access import Who, access_of, may
from .answers import answer, body_of, refusal, takes
from .cookies import PENDING, SESSION
from .guard import foreign
from .views import View

_OPENID_PATH = "/api/session/openid"
#: A name and a password, each letter of it as JSON may write it.
MAX_BYTES = 4_096
#: A logout token with a signature of 4,096 bits has two thousand letters; some providers put a few names of their own into it.
MAX_LOGOUT_BYTES = 16_384
_FORM = {"application/x-www-form-urlencoded": {"schema": {"type": "object", "properties": {"logout_token": {"type": "string"}}}}}


class Credentials(Closed):
    """What somebody types."""

    name: Annotated[str, Field(max_length=64)]
    password: Annotated[str, Field(max_length=256)]


def signing() -> APIRouter:
    """The addresses under which a browser signs in and out."""
    router = APIRouter(prefix="/api/session", tags=["session"])

    @router.get("")
    def read_session(request: Request) -> Response:
        """Who is signed in, and what they may do; whether anybody need be."""
        access = access_of(request)
        title = access.openid.provider.settings.title if access.openid else None
        return answer(_view(access.who(request), required=access.required()) | {"openid": title})

    @router.post("", openapi_extra=takes(Credentials))
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
        access = access_of(request)
        try:
            held = await to_thread.run_sync(access.sessions.sign_in, given.name, given.password, address)
        except WrongCredentials:
            return refusal(401, "the name or the password is wrong")
        except TooManyAttempts as error:
            refused = refusal(429, f"too many attempts; wait {math.ceil(error.wait_s)} s")
            refused.headers["retry-after"] = str(math.ceil(error.wait_s))
            return refused
        given_in = answer({"signed_in": True})
        SESSION.give(given_in, held, secure=access.secure)
        return given_in

    @router.delete("")
    def sign_out(request: Request, who: Annotated[Who, may(None)]) -> Response:
        """Ends the session; `leave` is where the browser ends that with the provider."""
        access = access_of(request)
        if who.role is not None and (held := SESSION.held(request, secure=access.secure)):
            access.sessions.sign_out(held)
        leave = access.openid.provider.leaving() if access.openid and who.elsewhere else None
        done = answer({"signed_in": False, "leave": leave})
        SESSION.take(done, secure=access.secure)
        return done

    return router


def elsewhere() -> APIRouter:
    """The addresses by which a browser goes to the provider of OpenID Connect, and comes back."""
    router = APIRouter(prefix=_OPENID_PATH, tags=["session"])

    @router.get("")
    def leave_for_provider(request: Request) -> Response:
        """Sends the browser to the provider."""
        access = access_of(request)
        openid = access.openid
        if openid is None:
            return refusal(404, "nobody signs in elsewhere")
        if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            return refusal(403, "not from the console's own page")
        try:
            begun = openid.begin()
        except NotAccepted as error:
            return _home(openid.provider.settings.home, error)
        gone = RedirectResponse(begun.url, status_code=303)
        PENDING.give(gone, begun.held, secure=access.secure, max_age_s=int(LONGEST_S))
        return gone

    @router.get("/return")
    def come_back(request: Request) -> Response:
        """Takes somebody back from the provider; what is wrong is told to the page by one word of a closed list."""
        access = access_of(request)
        openid = access.openid
        if openid is None:
            return refusal(404, "nobody signs in elsewhere")
        home, query = openid.provider.settings.home, request.query_params
        # Twice the same name means that somebody has tampered with it: neither counts.
        brought = {name: query[name] for name in query if len(query.getlist(name)) == 1}
        address = request.client.host if request.client else ""
        try:
            held = openid.finish(PENDING.held(request, secure=access.secure), brought, address)
        except NotAccepted as error:
            done = _home(home, error)
        else:
            done = RedirectResponse(home, status_code=303)
            SESSION.give(done, held, secure=access.secure)
        PENDING.take(done, secure=access.secure)
        return done

    return router


def told_elsewhere() -> APIRouter:
    """The address at which the provider itself says that somebody is out: no browser asks it."""
    router = APIRouter(prefix=_OPENID_PATH, tags=["session"])

    @router.post("/logout", openapi_extra={"requestBody": {"required": True, "content": _FORM}})
    async def sign_out_from_there(request: Request) -> Response:
        """Ends the sessions that the provider says have ended there; the signature of what it sends says that it is the provider."""
        openid = access_of(request).openid
        if openid is None:
            return refusal(404, "nobody signs in elsewhere")
        body = await body_of(request, MAX_LOGOUT_BYTES)
        try:
            tokens = parse_qs((body or b"").decode("ascii"), max_num_fields=16).get("logout_token", [])
        except ValueError:
            tokens = []
        if len(tokens) != 1:
            return refusal(400, "expected a form with one logout_token")
        try:
            await to_thread.run_sync(openid.out.take, tokens[0])
        except NotAccepted as error:
            # Why is for the log: whoever sent this is nobody yet.
            return refusal(503 if error.refusal is Refusal.UNREACHABLE else 400, "the logout token is not accepted; the hub's log says why")
        return Response(status_code=200)

    return router


def _home(home: str, error: NotAccepted) -> Response:
    return RedirectResponse(f"{home}?refused={error.refusal.value}", status_code=303)


def _view(who: Who | None, *, required: bool) -> View:
    return {
        "required": required,
        "name": who.name if who else None,
        "role": who.role.value if who and who.role else None,
        "may": sorted(who.may) if who else [],
        "csrf": who.csrf if who else None,
    }

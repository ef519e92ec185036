"""A small real provider of OpenID Connect: its own keys, its own page, codes that count once, PKCE; and ways in which one can go wrong."""

from __future__ import annotations

import base64
import hashlib
import html
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl, unquote_plus, urlencode

import httpx
import uvicorn
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT, SECRET = "parvis", "a secret / of + the client"
Claims = dict[str, Any]


@dataclass
class Provider:
    """One realm, on a free port of this machine, under another name than the console's, so that a browser takes it for another site.

    Attributes:
        people: By the name on the page, what the provider says of them.
        public: The client has no secret.
        twist: What becomes of the claims before they are signed.
        sign: How a token is made of claims; None for the usual way.
        says: What of the configuration is otherwise; None takes a key out.
        names_itself: With each code, as RFC 9207 has it; another name if it lies.
        asked: How often each address was asked for.
    """

    people: dict[str, Claims] = field(default_factory=dict)
    public: bool = False
    twist: Callable[[Claims], Claims] = lambda claims: claims
    sign: Callable[[Claims], str] | None = None
    says: dict[str, Any] = field(default_factory=dict)
    names_itself: str | None = ""
    asked: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.keys: list[RSAKey] = []
        self.new_key()
        self._codes: dict[str, tuple[Claims, dict[str, str]]] = {}
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.issuer = f"http://localhost:{self._socket.getsockname()[1]}/realms/city"
        self.redirects: set[str] = set()
        paths = {
            "/.well-known/openid-configuration": self._configuration,
            "/keys": self._keys,
            "/authorize": self._authorize,
            "/token": self._token,
            "/logout": self._logout,
        }
        routes = [Route(f"/realms/city{path}", self._counted(path, answer), methods=["GET", "POST"]) for path, answer in paths.items()]
        self._server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_level="error"))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=20)

    def new_key(self) -> RSAKey:
        """From now on this one signs, and it alone is listed."""
        key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256", "kid": secrets.token_hex(4)})
        self.keys = [key]
        return key

    def settings(self, console: str, **more: Any) -> dict[str, Any]:
        """What a hub's file says to use this provider; the return to that console is allowed from now on."""
        self.redirects.add(f"{console}api/session/openid/return")
        roles = {"parvis-supervisor": "supervisor", "parvis-operator": "operator", "parvis-dpo": "data-protection-officer"}
        claim = ["resource_access", "parvis", "roles"]
        asked = {"issuer": self.issuer, "client_id": CLIENT, "console": console, "title": "City account", "roles_claim": claim}
        return asked | {"roles": roles} | more

    # --- what it answers ------------------------------------------------------------------------------------------------------

    def _counted(self, path: str, answer: Callable[[Request, dict[str, str]], Response]) -> Callable[..., Any]:
        async def counted(request: Request) -> Response:
            self.asked[path] = self.asked.get(path, 0) + 1
            return answer(request, dict(parse_qsl((await request.body()).decode(), keep_blank_values=True)))

        return counted

    def _configuration(self, _: Request, __: dict[str, str]) -> Response:
        said = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize?theme=city",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "end_session_endpoint": f"{self.issuer}/logout",
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }
        return JSONResponse({key: value for key, value in (said | self.says).items() if value is not None})

    def _keys(self, _: Request, __: dict[str, str]) -> Response:
        return JSONResponse(KeySet(list(self.keys)).as_dict(private=False))

    def _authorize(self, request: Request, form: dict[str, str]) -> Response:
        asked = dict(request.query_params)
        known = asked.get("client_id") == CLIENT and asked.get("redirect_uri") in self.redirects and asked.get("response_type") == "code"
        if not known or not all(asked.get(key) for key in ("state", "nonce", "code_challenge")):
            return HTMLResponse("this client may not ask so", status_code=400)
        if request.method == "GET":
            buttons = "".join(
                f'<button name="who" value="{name}">{name or "Cancel"}</button>' for name in map(html.escape, (*self.people, ""))
            )
            return HTMLResponse(f'<!doctype html><title>City</title><form method="post">{buttons}</form>')
        back = {"state": asked["state"]} | ({"iss": self.names_itself or self.issuer} if self.names_itself is not None else {})
        if not form.get("who"):
            return self._back(asked, back | {"error": "access_denied"})
        code = secrets.token_urlsafe(16)
        self._codes[code] = self._claims(self.people[form["who"]], asked["nonce"]), asked
        return self._back(asked, back | {"code": code})

    def _claims(self, person: Claims, nonce: str) -> Claims:
        now_s = int(time.time())
        return {"iss": self.issuer, "aud": CLIENT, "iat": now_s, "exp": now_s + 300, "nonce": nonce} | person

    @staticmethod
    def _back(asked: dict[str, str], query: dict[str, str]) -> Response:
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(query)}", status_code=303)

    def _token(self, request: Request, form: dict[str, str]) -> Response:
        if not self._is_client(request, form):
            return JSONResponse({"error": "invalid_client"}, status_code=401)
        # A code counts once.
        claims, asked = self._codes.pop(form.get("code", ""), ({}, {}))
        hashed = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(hashed).decode().rstrip("=")
        if not asked or challenge != asked["code_challenge"] or form.get("redirect_uri") != asked["redirect_uri"]:
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        claims = self.twist(claims)
        made = self.sign(claims) if self.sign else self.signed(claims)
        return JSONResponse({"access_token": secrets.token_hex(8), "token_type": "Bearer", "id_token": made})

    def signed(self, claims: Claims) -> str:
        """A token as the provider makes it."""
        return jwt.encode({"alg": "RS256", "kid": self.keys[0].kid}, claims, self.keys[0])

    def logout_token(self, **claims: Any) -> str:
        """What the provider sends when somebody is out (Back-Channel Logout 1.0, 2.4); None takes a claim out."""
        now_s = int(time.time())
        events = {"http://schemas.openid.net/event/backchannel-logout": {}}
        said = {"iss": self.issuer, "aud": CLIENT, "iat": now_s, "exp": now_s + 120, "jti": secrets.token_hex(8), "events": events} | claims
        kept = {name: value for name, value in said.items() if value is not None}
        return jwt.encode({"alg": "RS256", "typ": "logout+jwt", "kid": self.keys[0].kid}, kept, self.keys[0])

    def _is_client(self, request: Request, form: dict[str, str]) -> bool:
        if self.public:
            return form.get("client_id") == CLIENT
        kind, _, shown = request.headers.get("authorization", "").partition(" ")
        if kind != "Basic":
            return False
        id_, _, secret = base64.b64decode(shown).decode().partition(":")
        return (unquote_plus(id_), unquote_plus(secret)) == (CLIENT, SECRET)

    def _logout(self, request: Request, _: dict[str, str]) -> Response:
        back = html.escape(request.query_params["post_logout_redirect_uri"])
        return HTMLResponse(f"<!doctype html><title>Signed out</title><a href='{back}'>Back</a>")

    # --- in place of a browser ------------------------------------------------------------------------------------------------

    def visit(self, url: str, who: str) -> str:
        """Goes where the console sends a browser, presses a button there, and says where that leads."""
        with httpx.Client(trust_env=False) as client:
            assert client.get(url).status_code == 200
            back = client.post(url, data={"who": who})
        assert back.status_code == 303, back.text
        return back.headers["location"]

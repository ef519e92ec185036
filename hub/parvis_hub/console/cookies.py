"""What a browser holds for the console: no script reads it, and over TLS no neighbour of the console can put another in its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fastapi import Request, Response


@dataclass(frozen=True, slots=True)
class Cookie:
    """One of them.

    Attributes:
        plain: Its name where the console is reached without TLS.
        samesite: Whether it comes with what another site's page asks for: ``strict``, never; ``lax``, where somebody goes there.
    """

    plain: str
    samesite: Literal["strict", "lax"]

    def name(self, *, secure: bool) -> str:
        """Its name. With ``__Host-`` a browser takes it from this very host alone, over TLS (RFC 6265bis, 4.1.3.2)."""
        return f"__Host-{self.plain}" if secure else self.plain

    def held(self, request: Request, *, secure: bool) -> str | None:
        """What the browser has shown; None if it holds none."""
        return request.cookies.get(self.name(secure=secure))

    def give(self, answer: Response, held: str, *, secure: bool, max_age_s: int | None = None) -> None:
        """Has the browser hold it, until it is closed or for so long."""
        name = self.name(secure=secure)
        answer.set_cookie(name, held, max_age=max_age_s, httponly=True, samesite=self.samesite, secure=secure, path="/")

    def take(self, answer: Response, *, secure: bool) -> None:
        """Has the browser let go of it."""
        answer.delete_cookie(self.name(secure=secure), httponly=True, samesite=self.samesite, secure=secure, path="/")


#: Of whoever is signed in: a random number.
SESSION = Cookie("parvis-session", "strict")
#: While somebody is at the provider. They come back from another site: it cannot be as strict as a session's.
PENDING = Cookie("parvis-openid", "lax")

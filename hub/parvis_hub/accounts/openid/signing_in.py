"""To the provider and back: what the browser is sent with, and what it must bring (RFC 6749, 7636 and 9207; OpenID Connect Core 1.0)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from parvis_hub.accounts.limits import Attempts
from parvis_hub.accounts.sessions import Sessions, digest
from parvis_hub.accounts.users import NameTaken

from .identity import Identity
from .provider import Provider, with_query
from .signing_out import SigningOut
from .tokens import NotAccepted, Refusal

#: From the button back to the console: long enough for a second factor that must be fetched.
LONGEST_S = 600.0
#: So many returns are remembered, so that none is taken twice.
_MOST_USED = 10_000
#: In place of a name, where failures are counted by address.
_COUNTED_AS = "openid"

log = structlog.get_logger("parvis.hub.openid")


@dataclass(frozen=True, slots=True)
class Begun:
    """Somebody is on their way.

    Attributes:
        url: Of the provider, where the browser goes now.
        held: What the browser holds until it is back: a time, and 256 random bits from which all else follows.
    """

    url: str
    held: str


class SigningIn:
    """Sends people to the provider, and takes them back. Nothing is kept of somebody who is on their way: their browser holds it.

    Attributes:
        provider: Where people sign in.
        out: Takes the provider's word for it that somebody is out.
    """

    def __init__(self, provider: Provider, sessions: Sessions, now_s: Callable[[], float]) -> None:
        """Args: where people sign in, where their sessions are, and seconds since 1970."""
        self.provider = provider
        self.out = SigningOut(provider, sessions, now_s)
        self._sessions = sessions
        self._now_s = now_s
        self._attempts = Attempts()
        self._lock = threading.Lock()
        self._used: OrderedDict[str, None] = OrderedDict()

    def begin(self) -> Begun:
        """The way to the provider.

        Raises:
            NotAccepted: It cannot be reached.
        """
        settings, metadata = self.provider.settings, self.provider.metadata()
        held = f"{int(self._now_s())}.{secrets.token_urlsafe(32)}"
        challenge = base64.urlsafe_b64encode(hashlib.sha256(_of(held, "verifier").encode()).digest()).decode().rstrip("=")
        asked = {
            "response_type": "code",
            "client_id": settings.client_id,
            "redirect_uri": settings.returning,
            "scope": " ".join(("openid", *settings.scopes)),
            "state": _of(held, "state"),
            "nonce": _of(held, "nonce"),
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return Begun(with_query(metadata.authorization_endpoint, asked), held)

    def finish(self, held: str | None, brought: dict[str, str], address: str) -> str:
        """Begins a session for somebody who is back.

        Args:
            held: What their browser held.
            brought: The query with which the provider sent them: ``code`` and ``state``, or ``error``; perhaps ``iss``.
            address: Where from, to slow down whoever guesses.

        Returns:
            What the browser holds from now on.

        Raises:
            NotAccepted: With the reason, which is in the log too.
        """
        try:
            return self._accepted(held, brought, address)
        except NotAccepted as error:
            log.warning("somebody was not let in", refusal=error.refusal.value, reason=str(error))
            raise

    def _accepted(self, held: str | None, brought: dict[str, str], address: str) -> str:
        now_s = self._now_s()
        if held is None or not self._recent(held, now_s):
            raise NotAccepted(Refusal.STALE, "the browser holds nothing of a sign-in that was begun here, or it was begun long ago")
        if not hmac.compare_digest(brought.get("state", "").encode(), _of(held, "state").encode()):
            raise NotAccepted(Refusal.STALE, "what the browser brings is of another sign-in")
        if self._attempts.wait_s(address, _COUNTED_AS, now_s) > 0.0:
            raise NotAccepted(Refusal.WAIT, "too many attempts from one address")
        self._take(held)
        identity = self._identified(held, brought, address, now_s)
        self._attempts.succeeded(address, _COUNTED_AS)
        try:
            return self._sessions.sign_in_as(identity.name, identity.role, identity.subject, self.provider.settings.session_h, identity.sid)
        except NameTaken as error:
            raise NotAccepted(Refusal.NAME_TAKEN, str(error)) from None

    def _take(self, held: str) -> None:
        """A return is taken once, whatever comes of it."""
        with self._lock:
            if held in self._used:
                raise NotAccepted(Refusal.STALE, "this return was taken before")
            self._used[held] = None
            while len(self._used) > _MOST_USED:
                self._used.popitem(last=False)

    def _identified(self, held: str, brought: dict[str, str], address: str, now_s: float) -> Identity:
        issuer = brought.get("iss")
        if issuer is None and self.provider.metadata().authorization_response_iss_parameter_supported:
            raise NotAccepted(Refusal.NOT_TRUSTED, "the answer does not say of which provider it is, though the provider always does")
        if issuer is not None and issuer != self.provider.settings.issuer:
            raise NotAccepted(Refusal.NOT_TRUSTED, "the answer is another provider's")
        if "error" in brought:
            declined = brought["error"] == "access_denied"
            raise NotAccepted(Refusal.DECLINED if declined else Refusal.UNREACHABLE, "the provider let nobody in")
        if not brought.get("code"):
            raise NotAccepted(Refusal.STALE, "the browser brings no code")
        try:
            return self.provider.identity(brought["code"], _of(held, "verifier"), _of(held, "nonce"), now_s)
        except NotAccepted as error:
            if error.refusal is Refusal.NOT_TRUSTED:
                self._attempts.failed(address, _COUNTED_AS, self._now_s())
            raise

    @staticmethod
    def _recent(held: str, now_s: float) -> bool:
        begun, _, random = held.partition(".")
        return len(random) == 43 and len(begun) <= 12 and begun.isascii() and begun.isdigit() and 0.0 <= now_s - int(begun) <= LONGEST_S


def _of(held: str, what: str) -> str:
    """One of the things that follow from what the browser holds; none follows from another."""
    return digest(f"{what} {held}")

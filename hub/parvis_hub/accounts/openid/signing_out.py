"""The provider says that somebody has signed out there, or was locked out: their sessions here end (Back-Channel Logout 1.0)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from joserfc.jwk import KeySet

from parvis_hub.accounts.sessions import Sessions, TakenBefore, digest

from .identity import sid_of, subject_of
from .provider import Provider
from .settings import OpenIdSettings
from .tokens import FRESH_S, SKEW_S, NotAccepted, Refusal, claims_of

#: What makes a token one that signs somebody out.
EVENT = "http://schemas.openid.net/event/backchannel-logout"

log = structlog.get_logger("parvis.hub.openid")


@dataclass(frozen=True, slots=True)
class Logout:
    """Whose sessions end.

    Attributes:
        jti: The token's own name, as a digest.
        until_us: After this it is too old to be taken; microseconds since 1970.
        subject: Of :func:`subject_of`; None if the session alone is named.
        sid: Of :func:`sid_of`; None if all of the subject's sessions end. One of the two is there.
    """

    jti: str
    until_us: int
    subject: str | None
    sid: str | None


def logout_of(token: str, keys: KeySet, settings: OpenIdSettings, now_s: float) -> Logout:
    """Checks a logout token (OpenID Connect Back-Channel Logout 1.0, 2.6), but for whether it was taken before.

    Args:
        token: As it came.
        keys: The provider's.
        settings: Of the provider.
        now_s: Seconds since 1970.

    Raises:
        NotAccepted: With the reason.
        joserfc.errors.InvalidKeyIdError: It names a key that is not there: perhaps the provider has a new one.
    """
    claims = claims_of(token, keys, settings, now_s, "logout token", "jti", "events")
    if why := _fault(claims):
        raise NotAccepted(Refusal.NOT_TRUSTED, f"the logout token: {why}")
    sub, sid = claims.get("sub"), claims.get("sid")
    return Logout(
        digest(claims["jti"]),
        round((claims["iat"] + FRESH_S + SKEW_S) * 1e6),
        sub and subject_of(settings, sub),
        sid and sid_of(settings, sid),
    )


def _fault(claims: Mapping[str, Any]) -> str | None:
    events = claims["events"]
    if not isinstance(events, Mapping) or not isinstance(events.get(EVENT), Mapping):
        return "its events do not have the one that signs out"
    if "nonce" in claims:
        return "it has a nonce: it is another kind of token"
    named = [claims[name] for name in ("sub", "sid") if claims.get(name) is not None]
    if not named or not all(isinstance(each, str) and each for each in named):
        return "it names neither somebody nor a session"
    return None


class SigningOut:
    """Takes the provider's word for it that somebody is out; from any thread."""

    def __init__(self, provider: Provider, sessions: Sessions, now_s: Callable[[], float]) -> None:
        """Args: who says so, where the sessions are, and seconds since 1970."""
        self._provider = provider
        self._sessions = sessions
        self._now_s = now_s

    def take(self, token: str) -> int:
        """Ends the sessions that a logout token names.

        Returns:
            How many there were.

        Raises:
            NotAccepted: With the reason, which is in the log too; nothing has ended.
            sqlalchemy.exc.SQLAlchemyError: The store cannot be used; the same token may come again.
        """
        try:
            asked = self._provider.checked(lambda keys: logout_of(token, keys, self._provider.settings, self._now_s()))
            ended = self._ended(asked)
        except NotAccepted as error:
            log.warning("nobody was signed out", refusal=error.refusal.value, reason=str(error))
            raise
        log.info("the provider has signed somebody out", sessions=ended)
        return ended

    def _ended(self, asked: Logout) -> int:
        try:
            return self._sessions.sign_out_as(asked.subject, asked.sid, asked.jti, asked.until_us)
        except TakenBefore:
            raise NotAccepted(Refusal.NOT_TRUSTED, "the logout token was taken before") from None

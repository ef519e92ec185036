"""Whether a token is the provider's, for this console and of now: pure, keys and time come in with the call."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from .settings import OpenIdSettings

#: Signatures with a public key alone: with `none` anybody, and with a shared secret whoever knows the public key, could sign.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
#: By so much may the provider's clock and the hub's differ.
SKEW_S = 60
#: A token is made when it is needed: one that is older was kept by somebody.
FRESH_S = 300


class Refusal(StrEnum):
    """Why somebody who comes back from the provider is not let in; the page has words for each."""

    DECLINED = "declined"
    STALE = "stale"
    UNREACHABLE = "unreachable"
    NOT_TRUSTED = "not_trusted"
    NO_ROLE = "no_role"
    NO_NAME = "no_name"
    NAME_TAKEN = "name_taken"
    WAIT = "wait"


class NotAccepted(Exception):
    """Somebody is not let in, or a token is not obeyed.

    Attributes:
        refusal: What they are told.
    """

    def __init__(self, refusal: Refusal, why: str) -> None:
        """Args: what they are told, and what the maintainer reads in the log: no name, and nothing of a token."""
        super().__init__(why)
        self.refusal = refusal


def claims_of(token: str, keys: KeySet, settings: OpenIdSettings, now_s: float, kind: str, *needed: str) -> Mapping[str, Any]:
    """The claims of a token whose signature, issuer, audience and times are as they must be.

    Args:
        token: As it came.
        keys: The provider's.
        settings: Of the provider.
        now_s: Seconds since 1970.
        kind: What it is called in a reason.
        needed: Claims that it must have besides.

    Raises:
        NotAccepted: With the reason.
        joserfc.errors.InvalidKeyIdError: It names a key that is not there: perhaps the provider has a new one.
    """
    # A key that is there for something else signs nothing here, and a shared secret in a public list is none.
    fit = [key for key in keys if key.key_type != "oct" and key.get("use") in {None, "sig"}]
    if not fit:
        raise NotAccepted(Refusal.NOT_TRUSTED, "the provider lists no key for signatures")
    expected = jwt.JWTClaimsRegistry(
        now=int(now_s),
        leeway=SKEW_S,
        iss={"essential": True, "value": settings.issuer},
        aud={"essential": True, "value": settings.client_id},
        **{name: jwt.ClaimsOption(essential=True) for name in ("exp", "iat", *needed)},
    )
    try:
        claims = jwt.decode(token, KeySet(fit), algorithms=ALGORITHMS).claims
        expected.validate(claims)
    except InvalidKeyIdError:
        raise
    except JoseError as error:
        raise NotAccepted(Refusal.NOT_TRUSTED, f"the {kind}: {error.error}: {error.description or ''}") from None
    except (ValueError, TypeError, UnicodeError) as error:
        raise NotAccepted(Refusal.NOT_TRUSTED, f"the {kind} cannot be read: {type(error).__name__}") from None
    if now_s - claims["iat"] > FRESH_S + SKEW_S:
        raise NotAccepted(Refusal.NOT_TRUSTED, f"the {kind} was made long ago")
    return claims

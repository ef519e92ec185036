"""Whether a token says who somebody is, and what they are here: pure, keys and time come in with the call."""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from parvis_hub.accounts.users import BadAccount, checked_name
from parvis_hub.governance import Role

from .settings import OpenIdSettings

#: Signatures with a public key alone: with `none` anybody, and with a shared secret whoever knows the public key, could sign.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
#: By so much may the provider's clock and the hub's differ.
SKEW_S = 60
#: A token is made when it is asked for: one that is older was kept by somebody.
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
    """Somebody is not let in.

    Attributes:
        refusal: What they are told.
    """

    def __init__(self, refusal: Refusal, why: str) -> None:
        """Args: what they are told, and what the maintainer reads in the log: no name, and nothing of a token."""
        super().__init__(why)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is.

    Attributes:
        name: Beside decisions and in the log.
        role: What they are here.
        subject: SHA-256 of provider and subject, which stays the same when the name changes, and is never another's.
    """

    name: str
    role: Role
    subject: str


def identity_of(token: str, keys: KeySet, settings: OpenIdSettings, nonce: str, now_s: float) -> Identity:
    """Checks an ID token (OpenID Connect Core 1.0, 3.1.3.7), and reads from it who somebody is and what they are here.

    Args:
        token: As the provider's token endpoint gave it.
        keys: The provider's, for signatures.
        settings: Of the provider.
        nonce: Which was asked for.
        now_s: Seconds since 1970.

    Raises:
        NotAccepted: With the reason.
        joserfc.errors.InvalidKeyIdError: It names a key that is not there: perhaps the provider has a new one.
    """
    claims = _checked(token, keys, settings, nonce, now_s)
    held = _at(claims, settings.roles_claim)
    names = {held} if isinstance(held, str) else {each for each in held if isinstance(each, str)} if isinstance(held, list) else set()
    role = next((role for name, role in settings.roles.items() if name in names), None)
    if role is None:
        raise NotAccepted(Refusal.NO_ROLE, f"none of {', '.join(settings.roles)} is in the claim {'.'.join(settings.roles_claim)}")
    name = _name(_at(claims, settings.name_claim))
    if name is None:
        raise NotAccepted(Refusal.NO_NAME, f"the claim {'.'.join(settings.name_claim)} gives no name: at most 32 letters, digits, hyphens")
    return Identity(name, role, hashlib.sha256(f"{settings.issuer}\n{claims['sub']}".encode()).hexdigest())


def _checked(token: str, keys: KeySet, settings: OpenIdSettings, nonce: str, now_s: float) -> Mapping[str, Any]:
    # A key that is there for something else signs nothing here, and a shared secret in a public list is none.
    fit = [key for key in keys if key.key_type != "oct" and key.get("use") in {None, "sig"}]
    if not fit:
        raise NotAccepted(Refusal.NOT_TRUSTED, "the provider lists no key for signatures")
    expected = jwt.JWTClaimsRegistry(
        now=int(now_s),
        leeway=SKEW_S,
        iss={"essential": True, "value": settings.issuer},
        sub={"essential": True},
        aud={"essential": True, "value": settings.client_id},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True},
    )
    try:
        read = jwt.decode(token, KeySet(fit), algorithms=ALGORITHMS)
        expected.validate(read.claims)
    except InvalidKeyIdError:
        raise
    except JoseError as error:
        raise NotAccepted(Refusal.NOT_TRUSTED, f"the ID token: {error.error}: {error.description or ''}") from None
    except (ValueError, TypeError, UnicodeError) as error:
        raise NotAccepted(Refusal.NOT_TRUSTED, f"the ID token cannot be read: {type(error).__name__}") from None
    if why := _fault(read.claims, settings.client_id, nonce, now_s):
        raise NotAccepted(Refusal.NOT_TRUSTED, f"the ID token: {why}")
    return read.claims


def _fault(claims: Mapping[str, Any], client_id: str, nonce: str, now_s: float) -> str | None:
    """What the library does not ask for."""
    audience, party = claims["aud"], claims.get("azp")
    if party is None and isinstance(audience, list) and len(audience) > 1:
        return "it is for several, and does not say for whom it was made"
    if party is not None and party != client_id:
        return "it was made for another"
    if not isinstance(claims["nonce"], str) or not hmac.compare_digest(claims["nonce"].encode(), nonce.encode()):
        return "its nonce is another's"
    if now_s - claims["iat"] > FRESH_S + SKEW_S:
        return "it was made long ago"
    return None if claims["sub"] else "it names nobody"


def _at(claims: Mapping[str, Any], path: Sequence[str]) -> Any:
    value: Any = claims
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _name(claimed: object) -> str | None:
    """A Name of the contract from what the provider calls somebody: ``A.Martin@city.example`` is ``a-martin``."""
    if not isinstance(claimed, str):
        return None
    plain = unicodedata.normalize("NFKD", claimed.partition("@")[0]).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    try:
        checked_name(name)
    except BadAccount:
        return None
    return name

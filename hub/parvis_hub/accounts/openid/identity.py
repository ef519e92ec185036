"""Who an ID token says that somebody is, and what they are here: pure, keys and time come in with the call."""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from joserfc.jwk import KeySet

from parvis_hub.accounts.users import BadAccount, checked_name
from parvis_hub.governance import Role

from .settings import OpenIdSettings
from .tokens import NotAccepted, Refusal, claims_of


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is.

    Attributes:
        name: Beside decisions and in the log.
        role: What they are here.
        subject: Of :func:`subject_of`: it stays the same when the name changes, and is never another's.
        sid: Of :func:`sid_of`; None where the provider gives its sessions no names.
    """

    name: str
    role: Role
    subject: str
    sid: str | None


def identity_of(token: str, keys: KeySet, settings: OpenIdSettings, nonce: str, now_s: float) -> Identity:
    """Checks an ID token (OpenID Connect Core 1.0, 3.1.3.7), and reads from it who somebody is and what they are here.

    Args:
        token: As the provider's token endpoint gave it.
        keys: The provider's.
        settings: Of the provider.
        nonce: Which was asked for.
        now_s: Seconds since 1970.

    Raises:
        NotAccepted: With the reason.
        joserfc.errors.InvalidKeyIdError: It names a key that is not there: perhaps the provider has a new one.
    """
    claims = claims_of(token, keys, settings, now_s, "ID token", "sub", "nonce")
    if why := _fault(claims, settings.client_id, nonce):
        raise NotAccepted(Refusal.NOT_TRUSTED, f"the ID token: {why}")
    held = _at(claims, settings.roles_claim)
    names = {held} if isinstance(held, str) else {each for each in held if isinstance(each, str)} if isinstance(held, list) else set()
    role = next((role for name, role in settings.roles.items() if name in names), None)
    if role is None:
        raise NotAccepted(Refusal.NO_ROLE, f"none of {', '.join(settings.roles)} is in the claim {'.'.join(settings.roles_claim)}")
    name = _name(_at(claims, settings.name_claim))
    if name is None:
        raise NotAccepted(Refusal.NO_NAME, f"the claim {'.'.join(settings.name_claim)} gives no name: at most 32 letters, digits, hyphens")
    sid = claims.get("sid")
    return Identity(name, role, subject_of(settings, claims["sub"]), sid_of(settings, sid) if isinstance(sid, str) and sid else None)


def subject_of(settings: OpenIdSettings, sub: str) -> str:
    """Who somebody is at the provider, as the store has it: SHA-256 of issuer and subject."""
    return hashlib.sha256(f"{settings.issuer}\n{sub}".encode()).hexdigest()


def sid_of(settings: OpenIdSettings, sid: str) -> str:
    """Which session with the provider, as the store has it: SHA-256 of issuer and name."""
    return hashlib.sha256(f"{settings.issuer}\nsid\n{sid}".encode()).hexdigest()


def _fault(claims: Mapping[str, Any], client_id: str, nonce: str) -> str | None:
    audience, party = claims["aud"], claims.get("azp")
    if party is None and isinstance(audience, list) and len(audience) > 1:
        return "it is for several, and does not say for whom it was made"
    if party is not None and party != client_id:
        return "it was made for another"
    if not isinstance(claims["nonce"], str) or not hmac.compare_digest(claims["nonce"].encode(), nonce.encode()):
        return "its nonce is another's"
    return None


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

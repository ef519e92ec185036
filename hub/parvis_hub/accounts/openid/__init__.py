"""Signing in and out at a provider of OpenID Connect: who comes back from there, whether it is they, and what they are here."""

from .identity import Identity
from .provider import Provider
from .settings import OpenIdSettings, load_openid
from .signing_in import Begun, SigningIn
from .signing_out import SigningOut
from .tokens import NotAccepted, Refusal

__all__ = ["Begun", "Identity", "NotAccepted", "OpenIdSettings", "Provider", "Refusal", "SigningIn", "SigningOut", "load_openid"]

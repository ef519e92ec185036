"""Signing in at a provider of OpenID Connect: who comes back from there, whether it is they, and what they are here."""

from .identity import Identity, NotAccepted, Refusal
from .provider import Provider
from .settings import OpenIdSettings, load_openid
from .signing_in import Begun, SigningIn

__all__ = ["Begun", "Identity", "NotAccepted", "OpenIdSettings", "Provider", "Refusal", "SigningIn", "load_openid"]

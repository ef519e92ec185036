"""Who belongs to a site's fleet: the hub's authority, one-time claims, certificates, and what the broker is told of them."""

from .authority import Authority, AuthorityError, Kind
from .folder import Addresses, FleetFolder
from .register import Claim, ClaimRefused, Fleet, Member

__all__ = [
    "Addresses",
    "Authority",
    "AuthorityError",
    "Claim",
    "ClaimRefused",
    "Fleet",
    "FleetFolder",
    "Kind",
    "Member",
]

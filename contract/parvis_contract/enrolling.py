"""How a unit gets its certificate: the claim that is taken to it, and what it and the hub say to each other (HTTPS)."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from .base import Closed, Name, Sha256, UtcTime

#: Where the fleet listener's addresses begin.
PREFIX = "/fleet/v1"
#: A request and a certificate fit in a quarter of it.
MOST_REQUEST_BYTES = 16_384

_Address = Annotated[str, StringConstraints(min_length=1, max_length=300)]
_Pem = Annotated[str, StringConstraints(max_length=8_192)]
_Code = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class ClaimFile(Closed):
    """A claim, as `parvis-hub fleet claim` writes it: JSON.

    Attributes:
        site, unit: Whose.
        hub: URL of the hub's fleet listener, such as ``https://hub.example:8884``.
        broker: ``HOST:PORT``.
        ca_sha256: SHA-256 of the authority's certificate (DER): whom the unit believes.
        code: 100 random bits, which count once.
        expires: When the claim ends.
    """

    site: Name
    unit: Name
    hub: Annotated[str, StringConstraints(pattern=r"^https://[^/\s]{1,280}$")]
    broker: _Address
    ca_sha256: Sha256
    code: _Code
    expires: UtcTime


class EnrolRequest(Closed):
    """What a unit asks with.

    Attributes:
        site, unit: Who it says that it is.
        code: Of its claim.
        request: Signing request (PKCS 10, PEM): the public key, and the proof that it has the private one.
    """

    site: Name
    unit: Name
    code: _Code
    request: _Pem


class Enrolled(Closed):
    """What a unit is given.

    Attributes:
        certificate: Its own (PEM).
        hub, broker: Where they are.
        site_plan: The site plan's text.
    """

    certificate: _Pem
    hub: _Address
    broker: _Address
    site_plan: str


class RenewRequest(Closed):
    """What somebody asks with who has a certificate.

    Attributes:
        certificate: The one that it has (PEM).
        request: Signing request with a new key.
        signature: Of the request's text, by the key of `certificate` (ECDSA, SHA-256), in hexadecimal.
    """

    certificate: _Pem
    request: _Pem
    signature: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{2}){1,160}$")]


class EnrolRefused(Closed):
    """Why not, for a program and for a person."""

    reason: str
    message: str

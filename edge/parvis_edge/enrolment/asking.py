"""What a unit asks of its hub's fleet listener: which authority it has, a certificate, a newer one."""

from __future__ import annotations

import errno
import hashlib
import json
import socket
import ssl
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from parvis_contract import Closed
from parvis_contract.enrolling import PREFIX, ClaimFile, Enrolled, EnrolRefused, EnrolRequest, RenewRequest
from pydantic import ValidationError

from .identity import Hub, Identity, signing_request

TIMEOUT_S = 20.0
#: A site plan is the largest answer.
_MOST_BYTES = 1_000_000
_NOT_YET, _EXPIRED, _OTHER_NAME = 9, 10, frozenset({62, 64})


class NotGiven(Exception):
    """The hub could not be asked, or gave nothing.

    Attributes:
        advice: What to do.
        again: True if it may be different in a while without anybody doing anything.
    """

    def __init__(self, message: str, advice: str, *, again: bool = False) -> None:
        super().__init__(message)
        self.advice, self.again = advice, again


def authority(hub: str, sha256: str) -> bytes:
    """The certificate of the hub's authority, recognised by its digest; who sends it does not matter.

    Args:
        hub: URL.
        sha256: Of its DER, from the claim.

    Returns:
        PEM.

    Raises:
        NotGiven: There is no such hub, or it has another authority.
    """
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    raw = _ask(f"{hub}{PREFIX}/ca", blind)
    try:
        found = x509.load_pem_x509_certificate(raw)
    except ValueError:
        raise NotGiven(
            f"{hub}: answers, but not as a Parvis hub does", "is the address the hub's --fleet-listen, and not its console?"
        ) from None
    shown = hashlib.sha256(found.public_bytes(Encoding.DER)).hexdigest()
    if shown != sha256:
        raise NotGiven(
            f"{hub}: its authority is {shown[:16]}…, and the claim says {sha256[:16]}…",
            "this is another hub than the one that made the claim, or somebody in between: make sure of the address, then of the claim",
        )
    return raw


def enrol(claim: ClaimFile, identity: Identity, ca: bytes) -> tuple[x509.Certificate, Hub, str]:
    """Asks for a certificate with a claim.

    Args:
        claim: It.
        identity: Whose next key it is for.
        ca: Whom to believe, PEM.

    Returns:
        The certificate, where hub and broker are, and the site plan.

    Raises:
        NotGiven: With the reason and what to do.
        OSError: The key cannot be kept.
    """
    request = signing_request(identity.next_key(), claim.unit)
    asked = EnrolRequest(site=claim.site, unit=claim.unit, code=claim.code, request=request)
    raw = _ask(f"{claim.hub}{PREFIX}/enrol", trusting(ca), asked)
    try:
        given = Enrolled.model_validate_json(raw)
        certificate = x509.load_pem_x509_certificate(given.certificate.encode("ascii"))
    except ValueError as error:
        raise NotGiven(f"{claim.hub}: its answer cannot be read: {str(error)[:120]}", "are hub and unit of the same version?") from None
    return certificate, Hub(site=claim.site, unit=claim.unit, hub=given.hub, broker=given.broker), given.site_plan


def renew(identity: Identity) -> x509.Certificate:
    """Asks for a newer certificate, for a new key.

    Raises:
        NotGiven: With the reason and what to do.
        IdentityError: There is no identity to renew.
        OSError: The key cannot be kept.
    """
    hub, current = identity.hub(), identity.certificate()
    request = signing_request(identity.next_key(), hub.unit)
    signature = identity.key().sign(request.encode("utf-8"), ec.ECDSA(hashes.SHA256()))
    asked = RenewRequest(certificate=current.public_bytes(Encoding.PEM).decode("ascii"), request=request, signature=signature.hex())
    raw = _ask(f"{hub.hub}{PREFIX}/renew", trusting(identity.ca.read_bytes()), asked)
    try:
        return x509.load_pem_x509_certificate(raw)
    except ValueError:
        raise NotGiven(f"{hub.hub}: its answer is no certificate", "are hub and unit of the same version?") from None


def site_plan(identity: Identity, sha256: str) -> bytes:
    """The site plan with this digest, from the hub.

    Raises:
        NotGiven: The hub does not have it, or what came is another.
        IdentityError: There is no identity.
    """
    hub = identity.hub().hub
    raw = _ask(f"{hub}{PREFIX}/site-plan/{sha256}", trusting(identity.ca.read_bytes()))
    if hashlib.sha256(raw).hexdigest() != sha256:
        raise NotGiven(f"{hub}: sent another site plan than the one that was asked for", "tell the maintainer", again=True)
    return raw


def trusting(ca: bytes) -> ssl.SSLContext:
    """TLS 1.2 or later, with those alone whom this authority (PEM) has signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=ca.decode("ascii"))
    return context


def _ask(url: str, context: ssl.SSLContext, asked: Closed | None = None) -> bytes:
    body = None if asked is None else asked.model_dump_json().encode()
    request = urllib.request.Request(url, data=body, headers={"content-type": "application/json"})  # noqa: S310 - a claim's address is https
    # No proxy: the hub is on the site's own network, whatever the environment says.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    address = urlsplit(url).netloc
    try:
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            raw: bytes = answer.read(_MOST_BYTES + 1)
    except urllib.error.HTTPError as error:
        raise _refused(address, error) from None
    except (urllib.error.URLError, OSError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise _unreachable(address, reason if isinstance(reason, BaseException) else OSError(str(reason))) from None
    if len(raw) > _MOST_BYTES:
        raise NotGiven(f"{address}: its answer is over {_MOST_BYTES} bytes", "is this the hub?")
    return raw


def _refused(address: str, error: urllib.error.HTTPError) -> NotGiven:
    try:
        said = EnrolRefused.model_validate(json.loads(error.read(_MOST_BYTES)))
    except (ValueError, ValidationError, OSError):
        return NotGiven(f"{address}: answers {error.code}", "is this the hub's fleet listener?", again=error.code >= 500)
    what, _, advice = said.message.partition("; ")
    return NotGiven(f"{address}: {what}", advice or "tell whoever runs the hub", again=error.code >= 500)


def _unreachable(address: str, reason: BaseException) -> NotGiven:
    if isinstance(reason, ssl.SSLCertVerificationError):
        if reason.verify_code in (_NOT_YET, _EXPIRED):
            return NotGiven(f"{address}: {reason.verify_message}", "set this unit's clock; if it is right, renew the hub's certificate")
        if reason.verify_code in _OTHER_NAME:
            return NotGiven(
                f"{address}: {reason.verify_message}",
                "give the hub one for this name: `parvis-hub fleet certificate --for hub`",
            )
        return NotGiven(f"{address}: {reason.verify_message}", "this is another hub than the one that made the claim")
    if isinstance(reason, ssl.SSLError):
        return NotGiven(f"{address}: no TLS ({reason.reason})", "is this the hub's fleet listener (https)?")
    if isinstance(reason, socket.gaierror):
        return NotGiven(f"{address}: {reason.strerror}", "is the name right, and does this network's name server know it?", again=True)
    if isinstance(reason, TimeoutError):
        return NotGiven(f"{address}: no answer within {TIMEOUT_S:.0f} s", "is a firewall between unit and hub?", again=True)
    refused = isinstance(reason, OSError) and reason.errno == errno.ECONNREFUSED
    advice = (
        "does the hub run, with --fleet-dir and --fleet-listen?"
        if refused
        else "is the cable in, or the network's name and password right?"
    )
    return NotGiven(f"{address}: {getattr(reason, 'strerror', None) or reason}", advice, again=True)

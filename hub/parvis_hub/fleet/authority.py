"""The hub's own certificate authority (X.509, ECDSA on P-256): what it signs, for whom, for how long."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

#: A unit renews by itself after two thirds of it, so it may be away for a month; a stolen key counts as long at most, should nobody
#: revoke it.
UNIT_LASTS = timedelta(days=90)
#: Hub and broker are renewed by a person, with `parvis-hub fleet certificate`, and no longer taken by some programs after 825 days.
SERVER_LASTS = timedelta(days=825)
AUTHORITY_LASTS = timedelta(days=3650)
#: A unit whose clock is behind by less takes a new certificate at once.
BACKDATED = timedelta(hours=1)


class AuthorityError(Exception):
    """The authority cannot be used or will not sign; the message says what to do."""


class Kind(StrEnum):
    """Whose certificate it is, which decides what the broker lets it do."""

    UNIT = "unit"
    HUB = "hub"
    BROKER = "broker"
    CONTROL_ROOM = "control-room"
    MAINTAINER = "maintainer"


_SERVES, _ASKS = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
#: What each may be in TLS: nobody but hub and broker is believed to be one.
_USES = {Kind.HUB: (_SERVES, _ASKS), Kind.BROKER: (_SERVES,)}


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate that signs others, and its key.

    Attributes:
        certificate: Its own.
        key: Private.
    """

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def make(cls, site: str, now: datetime) -> Authority:
        """A new one, for one site."""
        key = new_key()
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Parvis {site}")])
        builder = (
            _builder(name, name, key.public_key(), now, AUTHORITY_LASTS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        return cls(builder.sign(key, hashes.SHA256()), key)

    @classmethod
    def read(cls, certificate: bytes, key: bytes) -> Authority:
        """From PEM.

        Raises:
            AuthorityError: They are no certificate and key, or not of each other.
        """
        try:
            read, private = x509.load_pem_x509_certificate(certificate), load_pem_private_key(key, password=None)
        except (ValueError, TypeError) as error:
            raise AuthorityError(f"no authority: {error}; put ca.pem and ca.key back from a backup") from None
        if not isinstance(private, ec.EllipticCurvePrivateKey) or private.public_key() != read.public_key():
            raise AuthorityError("ca.key is not the key of ca.pem; put both back from a backup")
        return cls(read, private)

    @property
    def sha256(self) -> str:
        """Of its certificate (DER), in hexadecimal: how a claim names it."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    def issue(
        self, public_key: ec.EllipticCurvePublicKey, name: str, kind: Kind, now: datetime, *, hosts: Iterable[str] = ()
    ) -> x509.Certificate:
        """Signs a certificate.

        Args:
            public_key: Whose holder it is for.
            name: The common name, under which the broker knows it.
            kind: What it may be used for.
            now: When; it never outlives the authority.
            hosts: Names and addresses under which a server is reached.
        """
        lasts = SERVER_LASTS if kind in _USES else UNIT_LASTS
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        until = self.certificate.not_valid_after_utc
        builder = (
            _builder(subject, self.certificate.subject, public_key, now, min(lasts, until - now))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(_USES.get(kind, (_ASKS,))), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        names = [_general_name(host) for host in hosts]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def revocations(self, serials: Iterable[int], now: datetime) -> bytes:
        """The list of revoked certificates, in PEM.

        It lasts as long as the authority: the broker reads it from a file that the hub keeps, and one that ends would shut the whole fleet
        out.
        """
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now - BACKDATED)
            .next_update(self.certificate.not_valid_after_utc)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        for serial in serials:
            revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
            builder = builder.add_revoked_certificate(revoked)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)


def new_key() -> ec.EllipticCurvePrivateKey:
    """A private key on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A private key as PEM (PKCS 8), without a password."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def key_digest(public_key: ec.EllipticCurvePublicKey) -> str:
    """SHA-256 of a public key, in hexadecimal."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize().hex()


def requested_key(request: str) -> ec.EllipticCurvePublicKey:
    """The public key of a signing request (PKCS 10, PEM), which proves that its sender holds the private one.

    What else the request asks for (names, uses) does not count: the authority decides that.

    Raises:
        ValueError: It is none, is not signed by its own key, or the key is not on P-256.
    """
    read = x509.load_pem_x509_csr(request.encode("ascii", errors="replace"))
    key = read.public_key()
    if not read.is_signature_valid:
        raise ValueError("the request is not signed by its own key")
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("the key is not an elliptic one on P-256")
    return key


def signed_by(certificate: x509.Certificate, signature: bytes, message: bytes) -> bool:
    """Whether the holder of a certificate's key signed this (ECDSA, SHA-256)."""
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    try:
        key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, lasts: timedelta
) -> x509.CertificateBuilder:
    begins = now.astimezone(UTC).replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins - BACKDATED)
        .not_valid_after(begins + lasts)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)

"""What stands in a certificate, whether or not it would be trusted: by handshakes of the standard library, which parses no other."""

from __future__ import annotations

import contextlib
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

#: OpenSSL's X509_V_FLAG_NO_CHECK_TIME: the dates are read, and judged here.
_NO_CHECK_TIME = 0x200000
CONNECT_S = 5.0


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is of interest in a certificate.

    Attributes:
        common_name, issuer: Of whom, and by whom; empty where it has none.
        names: The host names and addresses that it is for.
        begins, ends: When it is valid, UTC.
    """

    common_name: str
    issuer: str
    names: tuple[str, ...]
    begins: datetime
    ends: datetime

    @classmethod
    def of(cls, parsed: dict[str, Any]) -> Certificate:
        """Of what :meth:`ssl.SSLSocket.getpeercert` gives."""
        return cls(
            _common_name(parsed.get("subject", ())),
            _common_name(parsed.get("issuer", ())),
            tuple(str(value) for _, value in parsed.get("subjectAltName", ())),
            _date(parsed["notBefore"]),
            _date(parsed["notAfter"]),
        )

    def days_left(self, now: datetime) -> float:
        """Until it ends; below 0 it has."""
        return (self.ends - now).total_seconds() / 86_400

    def text(self) -> str:
        """In words."""
        names = f" for {', '.join(self.names)}" if self.names else ""
        return (
            f"{self.common_name or 'without a name'}{names}, by {self.issuer or 'nobody'}, {self.begins:%Y-%m-%d} to {self.ends:%Y-%m-%d}"
        )

    def data(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "common_name": self.common_name,
            "issuer": self.issuer,
            "names": list(self.names),
            "begins": self.begins.isoformat(),
            "ends": self.ends.isoformat(),
        }


def _common_name(names: Any) -> str:
    found = [value for part in names for key, value in part if key == "commonName"]
    return str(found[-1]) if found else ""


def _date(text: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)


def own_certificate(certificate: Path, key: Path) -> Certificate:
    """The first certificate of a PEM file, with its key: by a handshake with ourselves, in memory.

    Raises:
        OSError: A file is not there, is no PEM, or the key is not the certificate's (:class:`ssl.SSLError`).
    """
    pem = certificate.read_text(encoding="ascii", errors="replace")
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    if begin not in pem or end not in pem:
        raise ssl.SSLError(f"{certificate} holds no certificate (PEM)")
    # It is the client's, so that one which is for clients alone is read too; the server that asks for it shows the same.
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    server.verify_mode = ssl.CERT_REQUIRED
    _trust_only(server, ssl.PEM_cert_to_DER_cert(pem[pem.index(begin) : pem.index(end) + len(end)]))
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.load_cert_chain(certificate, key)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(to_client, to_server, server_side=False)
    answering = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(10):
        for side in (asking, answering):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
        parsed = _peer(answering)
        if parsed:
            return Certificate.of(parsed)
    raise ssl.SSLError("the certificate cannot be read")


def _peer(side: ssl.SSLObject) -> dict[str, Any] | None:
    try:
        return side.getpeercert()
    except ValueError:
        return None


def peer_certificate(address: tuple[str, int], host: str, chain: tuple[Path, Path] | None) -> Certificate | None:
    """What a server shows, trusted or not; None where it shows nothing.

    Args:
        address: Where it listens.
        host: Its name.
        chain: Our own certificate and key, for a server that asks for one.
    """
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    try:
        der = _shown(blind, address, host, chain, der=True)
        parsed = _shown(_trusting(der), address, host, chain, der=False) if isinstance(der, bytes) else None
    except (OSError, ValueError):
        return None
    return Certificate.of(parsed) if isinstance(parsed, dict) and parsed else None


def _shown(context: ssl.SSLContext, address: tuple[str, int], host: str, chain: tuple[Path, Path] | None, *, der: bool) -> Any:
    if chain is not None:
        context.load_cert_chain(*chain)
    with socket.create_connection(address, timeout=CONNECT_S) as raw, context.wrap_socket(raw, server_hostname=host) as wrapped:
        return wrapped.getpeercert(binary_form=der)


def _trusting(der: Any) -> ssl.SSLContext:
    """A context that takes exactly this certificate, whoever signed it and whenever it is valid, so that its content can be read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    _trust_only(context, der)
    return context


def _trust_only(context: ssl.SSLContext, der: Any) -> None:
    context.verify_flags |= ssl.VerifyFlags(ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME)
    context.load_verify_locations(cadata=der)

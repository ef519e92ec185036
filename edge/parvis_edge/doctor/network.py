"""The way to the broker: name, connection, certificate, greeting, and one harmless message that is acknowledged."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from parvis_edge.delivery.connection import Broker, BrokerError, Connection

from .advice import NAME_ADVICE, greeting_advice, publish_advice, tcp_advice, tls_advice, verify_advice
from .certificates import CONNECT_S, Certificate, own_certificate, peer_certificate
from .finding import Finding, failed, ok, skipped

#: A name server that has not answered by then will not.
_LOOKUP_S = 8.0
#: A broker that will not have our certificate says so within a moment after the handshake (TLS 1.3).
_REFUSAL_S = 0.7
#: An acknowledgement comes within a round trip.
_PUBLISH_S = 5.0
#: Warned so long before a certificate ends.
SOON_DAYS = 30
#: MQTT 5, 2.4: taken, but nobody subscribes.
_NO_SUBSCRIBER = 0x10


@dataclass(slots=True)
class Way:
    """How far the way to the broker has been walked.

    Args:
        broker: Where it leads.
        unit: Whose certificate it needs.

    Attributes:
        address: Of the broker, once its name is known and it answers.
        connection: Open, once the broker has greeted us.
    """

    broker: Broker
    unit: str
    addresses: list[tuple[str, int]] = field(default_factory=list)
    address: tuple[str, int] | None = None
    trusted: bool = False
    connection: Connection | None = None

    def close(self) -> None:
        """Says good-bye."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    # --- name and address -------------------------------------------------------------------------------------------------------

    def look_up(self) -> Finding:
        """The broker's name."""
        host = self.broker.host
        try:
            found = _resolved(host, self.broker.port)
        except TimeoutError:
            return failed("dns", f"no name server answered for {host} within {_LOOKUP_S:.0f} s", NAME_ADVICE)
        except OSError as error:
            return failed("dns", f"{host}: {error.strerror or error}", NAME_ADVICE)
        self.addresses = found
        listed = [address for address, _ in found]
        with contextlib.suppress(ValueError):
            ipaddress.ip_address(host)
            return ok("dns", f"{host} is an address; no name to look up", addresses=listed)
        return ok("dns", f"{host} → {', '.join(listed)}", addresses=listed)

    def connect(self) -> Finding:
        """A TCP connection, to the first address that takes one."""
        if not self.addresses:
            return skipped("tcp", "no address")
        problem: OSError | None = None
        for address in self.addresses:
            begun = time.perf_counter()
            try:
                with socket.create_connection(address, timeout=CONNECT_S):
                    took_ms = (time.perf_counter() - begun) * 1e3
            except OSError as error:
                problem = error
                continue
            self.address = address
            return ok("tcp", f"{address[0]} port {address[1]} answers in {took_ms:.1f} ms", connect_ms=round(took_ms, 2))
        said = f"{self.broker}: {getattr(problem, 'strerror', None) or problem or 'no answer'}"
        return failed("tcp", said, tcp_advice(problem, self.broker))

    # --- certificate ------------------------------------------------------------------------------------------------------------

    def shake_hands(self) -> Finding:
        """TLS: our certificate, the broker's, and that each takes the other's."""
        broker = self.broker
        if broker.ca is None:
            if broker.certificate or broker.key:
                return failed(
                    "tls", "--tls-cert without --tls-ca", "give --tls-ca: a unit shows its certificate only to a broker that it knows"
                )
            self.trusted = self.address is not None
            return skipped("tls", "not asked for (--tls-ca); right for a trial on one machine alone")
        own: Certificate | None = None
        try:
            context = _context(broker.ca)
            own = self._own(context)
        except _Problem as problem:
            return problem.finding
        if self.address is None:
            return skipped("tls", "no connection")
        chain = (broker.certificate, broker.key) if broker.certificate and broker.key else None
        values: dict[str, Any] = {"own": None if own is None else own.data()}
        try:
            with socket.create_connection(self.address, timeout=CONNECT_S) as raw:
                return self._shaken(context, raw, own, values)
        except ssl.SSLCertVerificationError as error:
            shown = peer_certificate(self.address, broker.host, chain)
            values["broker"] = None if shown is None else shown.data()
            said = "" if shown is None else f"; it shows {shown.text()}"
            return failed("tls", f"{broker}: {error.verify_message}{said}", verify_advice(error, broker, shown), **values)
        except ssl.SSLError as error:
            return failed("tls", f"{broker}: {error.reason or error}", tls_advice(error, broker, begun="version" in values), **values)
        except OSError as error:
            return failed("tls", f"{broker}: {error.strerror or error}", tls_advice(error, broker, begun="version" in values), **values)

    def _shaken(self, context: ssl.SSLContext, raw: socket.socket, own: Certificate | None, values: dict[str, Any]) -> Finding:
        with context.wrap_socket(raw, server_hostname=self.broker.host) as wrapped:
            shown = Certificate.of(wrapped.getpeercert() or {})
            values |= {"broker": shown.data(), "version": wrapped.version()}
            wrapped.settimeout(_REFUSAL_S)
            # The broker speaks first only to refuse our certificate.
            with contextlib.suppress(TimeoutError):
                if wrapped.recv(1) == b"":
                    raise ConnectionResetError(errno.ECONNRESET, "the broker closed the connection after the handshake")
        self.trusted = True
        now = datetime.now(UTC)
        soon = [
            f"{whose} certificate ends in {each.days_left(now):.0f} days; renew it"
            for whose, each in (("the broker's", shown), ("this unit's", own))
            if each is not None and each.days_left(now) < SOON_DAYS
        ]
        mine = "" if own is None else f"; ours {own.common_name}, to {own.ends:%Y-%m-%d}"
        return ok("tls", f"{values['version']}; {shown.text()}{mine}", advice="; ".join(soon) or None, **values)

    def _own(self, context: ssl.SSLContext) -> Certificate | None:
        """Our own certificate, looked at before it is shown."""
        certificate, key = self.broker.certificate, self.broker.key
        if certificate is None and key is None:
            return None
        if certificate is None or key is None:
            raise _Problem("--tls-cert and --tls-key go together", "give both")
        for option, file in (("--tls-cert", certificate), ("--tls-key", key)):
            _readable(option, file)
        try:
            context.load_cert_chain(certificate, key)
            own = own_certificate(certificate, key)
        except (OSError, ValueError) as error:
            said = f"{certificate}, {key}: {getattr(error, 'reason', None) or error}"
            raise _Problem(
                said, "give the certificate and the key that were made together, as PEM files, the key without a password"
            ) from None
        now = datetime.now(UTC)
        if own.ends < now:
            raise _Problem(
                f"this unit's certificate ended on {own.ends:%Y-%m-%d}; today is {now:%Y-%m-%d}",
                "if the date is right, have the unit's certificate made anew (the installer's page says how); if not, set the clock",
            )
        if own.begins > now:
            raise _Problem(f"this unit's certificate begins on {own.begins:%Y-%m-%d}; today is {now:%Y-%m-%d}", "set the clock")
        if own.common_name != self.unit:
            raise _Problem(
                f"{certificate} is {own.common_name or 'nobody'}'s, and this is unit {self.unit}",
                f"give {self.unit}'s certificate: the broker lets a unit write under its certificate's common name alone",
            )
        return own

    # --- broker -----------------------------------------------------------------------------------------------------------------

    def greet(self) -> Finding:
        """MQTT's CONNECT, under a name of the doctor's own, so that a running unit keeps its connection."""
        if not self.trusted:
            return skipped("mqtt", "no connection")
        connection = Connection(self.broker, f"{self.unit}-doctor")
        begun = time.perf_counter()
        try:
            connection.open()
        except BrokerError as error:
            what, _, advice = str(error).partition("; ")
            return failed("mqtt", what, greeting_advice(error, advice, self.broker))
        took_ms = (time.perf_counter() - begun) * 1e3
        self.connection = connection
        most = "" if connection.max_bytes is None else f", messages up to {connection.max_bytes} bytes"
        said = f"CONNACK: success, in {took_ms:.0f} ms; {connection.window} messages under way at once{most}"
        return ok("mqtt", said, connack="Success", connect_ms=round(took_ms, 1), window=connection.window, max_bytes=connection.max_bytes)

    def publish(self, topic: str, body: Callable[[], bytes]) -> Finding:
        """One message that changes nothing, and the broker's word for it.

        Args:
            topic: Where to.
            body: Makes it; called if there is a connection.
        """
        connection = self.connection
        if connection is None:
            return skipped("publish", "no broker")
        begun = time.perf_counter()
        packet = connection.publish(topic, body(), qos=1)
        while packet is not None and time.perf_counter() - begun < _PUBLISH_S and connection.alive:
            for answer in connection.turn(0.05):
                if answer.packet != packet:
                    continue
                took_ms = (time.perf_counter() - begun) * 1e3
                values = {"topic": topic, "reason": answer.reason, "code": answer.code, "acknowledged_ms": round(took_ms, 2)}
                if answer.code >= 0x80:
                    return failed("publish", f"{topic}: PUBACK: {answer.reason}", publish_advice(answer.code, topic, self.unit), **values)
                nobody = "nobody subscribes yet: does the hub run, and for this site?" if answer.code == _NO_SUBSCRIBER else None
                return ok("publish", f"{topic}: PUBACK: {answer.reason}, in {took_ms:.1f} ms", advice=nobody, **values)
        return failed(
            "publish",
            f"{topic}: no acknowledgement within {_PUBLISH_S:.0f} s",
            "does the broker's log say why (journalctl -u mosquitto)? Is the access list's site the plan's?",
        )


class _Problem(Exception):
    """TLS cannot even begin."""

    def __init__(self, said: str, advice: str) -> None:
        super().__init__(said)
        self.finding = failed("tls", said, advice)


def _readable(option: str, file: Path) -> None:
    try:
        with file.open("rb") as opened:
            opened.read(1)
    except OSError as error:
        advice = (
            "let the unit's user read it (a key: chmod 640, chgrp)"
            if error.errno == errno.EACCES
            else "give the right path, or copy the file here"
        )
        raise _Problem(f"{option} {file}: {error.strerror}", advice) from None


def _context(ca: Path) -> ssl.SSLContext:
    _readable("--tls-ca", ca)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(ca)
    except (OSError, ValueError) as error:
        raise _Problem(
            f"--tls-ca {ca}: no certificate ({getattr(error, 'reason', None) or error})", "give the authority's PEM file"
        ) from None
    return context


def _resolved(host: str, port: int) -> list[tuple[str, int]]:
    """Addresses of a name, IPv4 and IPv6, without waiting for ever.

    Raises:
        OSError: It has none; :class:`TimeoutError` where nobody answered.
    """
    answer: list[Any] = []

    def ask() -> None:
        try:
            answer.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answer.append(error)

    thread = threading.Thread(target=ask, name="dns", daemon=True)
    thread.start()
    thread.join(_LOOKUP_S)
    if not answer:
        raise TimeoutError
    if isinstance(answer[0], UnicodeError):
        raise OSError(errno.EINVAL, "is no host name")
    if isinstance(answer[0], OSError):
        raise answer[0]
    return list(dict.fromkeys((str(each[4][0]), port) for each in answer[0]))

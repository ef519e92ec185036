"""What to do, by what went wrong on the way to the broker. Pure but for today's date."""

from __future__ import annotations

import errno
import ssl
from datetime import UTC, datetime

from parvis_edge.delivery.connection import Broker, BrokerError

from .certificates import Certificate

#: OpenSSL's reasons why a certificate is not trusted.
_EXPIRED, _NOT_YET = 10, 9
_UNKNOWN_ISSUER = frozenset({2, 18, 19, 20, 21})
_OTHER_NAME = frozenset({62, 64})
#: MQTT 5, 2.4.
_NOT_AUTHORISED = 0x87

NAME_ADVICE = (
    "is --broker spelt right, and does this unit have a name server (resolvectl status)? An address will do as well, if the "
    "certificate has it"
)


def tcp_advice(error: OSError | None, broker: Broker) -> str:
    """Why nothing answers, by what the network said."""
    if isinstance(error, ConnectionRefusedError):
        usual = "8883" if broker.ca else "1883"
        return (
            f"the computer is there, and nothing listens on port {broker.port}: does the broker run (systemctl status mosquitto), and "
            f"on that port? {usual} is usual"
        )
    if isinstance(error, TimeoutError) or getattr(error, "errno", None) == errno.ETIMEDOUT:
        return f"nothing answers: is the broker's computer on, and does a firewall let TCP port {broker.port} through?"
    if getattr(error, "errno", None) in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN):
        return "this unit has no way there: cable, radio link, address and gateway (ip address, ip route)"
    return f"is the broker's computer on, and does the network reach port {broker.port}?"


def verify_advice(error: ssl.SSLCertVerificationError, broker: Broker, shown: Certificate | None) -> str:
    """Why the broker's certificate is not trusted, by OpenSSL's reason and by what it shows."""
    code = error.verify_code
    if code == _EXPIRED:
        now = datetime.now(UTC)
        if shown is not None and shown.ends > now:
            return f"the certificate of its authority ({broker.ca}) has ended; have it and the certificates under it made anew"
        return f"have the broker's certificate made anew; if today is not {now:%Y-%m-%d}, set the clock"
    if code == _NOT_YET:
        return (
            f"set the clock first: today is not {datetime.now(UTC):%Y-%m-%d}, or the certificate was made on a computer whose clock "
            "is wrong"
        )
    if code in _UNKNOWN_ISSUER:
        issuer = f" ({shown.issuer})" if shown is not None and shown.issuer else ""
        return (
            f"{broker.ca} is not the authority that signed the broker's certificate{issuer}: copy that one's certificate here, for --tls-ca"
        )
    if code in _OTHER_NAME:
        names = f": {', '.join(shown.names) or shown.common_name}" if shown is not None else ""
        return f"reach the broker by a name that its certificate has{names}; or have one made with {broker.host} in it (subjectAltName)"
    return "have the broker's certificate made as the installer's page says"


def tls_advice(error: OSError, broker: Broker, *, begun: bool) -> str:
    """Why the handshake failed otherwise: a port without TLS, or a broker that will not have our certificate.

    Args:
        error: What went wrong.
        broker: Whose.
        begun: True if the broker's certificate had been taken already.
    """
    reason = str(getattr(error, "reason", "") or "").upper()
    cut_off = isinstance(error, ConnectionError) and not begun
    if cut_off or "WRONG_VERSION" in reason or "HTTP_REQUEST" in reason or "RECORD_LAYER" in reason or "UNEXPECTED_EOF" in reason:
        return f"port {broker.port} does not speak TLS: is it the plain one? 8883 is usual for TLS; or leave --tls-ca out, for a trial"
    if "CERTIFICATE_REQUIRED" in reason or ("HANDSHAKE_FAILURE" in reason and broker.certificate is None):
        return "the broker asks for a certificate: give --tls-cert and --tls-key"
    if "UNKNOWN_CA" in reason or "BAD_CERTIFICATE" in reason:
        return "the broker does not know the authority that signed this unit's certificate: its `cafile` has to be that one's"
    if "EXPIRED" in reason or "REVOKED" in reason:
        return "the broker takes this unit's certificate for ended or revoked: have it made anew, and look at the broker's clock"
    if isinstance(error, TimeoutError):
        return f"something takes connections on port {broker.port} and says nothing: is it the broker, and is it overloaded?"
    if broker.certificate is None:
        return "does the broker ask for a certificate? Then give --tls-cert and --tls-key; its log says (journalctl -u mosquitto)"
    return "the broker's log says why (journalctl -u mosquitto)"


def greeting_advice(error: BrokerError, advice: str, broker: Broker) -> str:
    """Why the broker takes no connection; ``advice`` is what the connection itself says."""
    if "Unspecified error" in str(error):
        # Closed without a word, which is what a TLS port does to a plain greeting.
        what = "does the port speak TLS? Then give --tls-ca" if broker.ca is None else "does it know this unit's certificate?"
        return f"the broker closed the connection; {what} Its log says (journalctl -u mosquitto)"
    if error.refused:
        return (
            "the broker knows who asks and will not have them: look at its `allow_anonymous`, `require_certificate` and "
            "`use_identity_as_username`, and at its log"
        )
    if broker.ca is None:
        return f"{advice} A port for TLS needs --tls-ca" if advice else "does the port speak TLS? Then give --tls-ca"
    return advice or "the broker's log says why (journalctl -u mosquitto)"


def publish_advice(code: int, topic: str, unit: str) -> str:
    """Why the broker did not take a message, by its reason code."""
    if code == _NOT_AUTHORISED:
        return (
            "the broker's access list does not let this unit write there: it needs "
            f"`pattern write {topic.replace(f'/{unit}/', '/%u/')}`, and the certificate's common name has to be {unit} "
            "(`use_identity_as_username true`); then reload the broker"
        )
    return "the broker's log says why (journalctl -u mosquitto): a quota, a limit on the size of messages, or a plugin"

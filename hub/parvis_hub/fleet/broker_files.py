"""What mosquitto is told of a site: its configuration, who may write and read what, and whose certificates count no more. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from parvis_contract.topics import ROOT

from .authority import Kind
from .register import Member

#: The largest message of the contract, an evidence plate, is 128 kB; an envelope's topic and properties come besides.
MOST_BYTES = 135_000
_UNIT_WRITES = ("event/+", "flow", "tag", "evidence", "status", "telemetry")
_READS = {
    Kind.CONTROL_ROOM: ("incident/+", "route/+", "+/status"),
    Kind.MAINTAINER: ("rejected", "+/status", "+/telemetry"),
}


def configuration(folder: str, port: int, data: str) -> str:
    """`mosquitto.conf`: TLS with certificates of both sides and nothing else.

    Args:
        folder: Where the other files are, as mosquitto sees it.
        port: Of its listener.
        data: Where it keeps sessions and what waits for them.
    """
    return f"""\
# Written by `parvis-hub fleet broker`. Nobody is let in without a certificate of the site's own authority; its common name is the user.
per_listener_settings false
listener {port}
cafile {folder}/ca.pem
certfile {folder}/broker.pem
keyfile {folder}/broker.key
crlfile {folder}/crl.pem
tls_version tlsv1.2
require_certificate true
use_identity_as_username true
allow_anonymous false
acl_file {folder}/acl

# No message of the contract is larger. A unit has one connection, the hub one; the rest is for control rooms and for units that come back
# before the broker has noticed that they were away.
max_packet_size {MOST_BYTES}
max_connections 5000
max_inflight_messages 1000
max_keepalive 120

# While the hub is away, all that units send is kept, on disk too: a limit here would lose events that the broker has acknowledged.
# Not 0, which means the same: mosquitto 2.0.11 then ends the connection of whoever publishes what is refused, instead of saying so.
# The sessions of control rooms that never come back are not kept for ever.
max_queued_messages 100000000
persistent_client_expiration 14d
persistence true
persistence_location {data}/
autosave_interval 30
"""


def access_list(site: str, units: Iterable[str], members: Iterable[Member]) -> str:
    """`acl`: who may write and read what. Who is not in it may do nothing.

    A unit is in it by its name, rather than by a pattern for all, so that one that is revoked can do nothing from the moment that mosquitto
    reads the list again, on a connection that it has already.

    Args:
        site: Its name.
        units: Those of the site plan.
        members: All certificates that have not ended by themselves.
    """
    branch = f"{ROOT}/{site}"
    valid: dict[str, Kind] = {member.name: member.kind for member in members if member.revoked is None}
    revoked = {member.name for member in members} - valid.keys()
    lines = ["# Written by `parvis-hub fleet`; what is changed here by hand is lost.", "user hub", f"topic readwrite {branch}/#"]
    for unit in sorted(set(units) - revoked):
        lines += [
            "",
            f"user {unit}",
            *(f"topic write {branch}/{unit}/{part}" for part in _UNIT_WRITES),
            f"topic read {branch}/{unit}/command",
        ]
    for name, kind in sorted(valid.items()):
        if kind in _READS:
            lines += ["", f"user {name}", *(f"topic read {branch}/{part}" for part in _READS[kind])]
    return "\n".join(lines) + "\n"

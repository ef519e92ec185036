"""Whom the card may reach: hub, broker and cameras, as the firewall's sets. Pure, but for the looking up of names that it is given."""

from __future__ import annotations

import ipaddress
import json
import shlex
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from .places import CardError

Lookup = Callable[[str], Iterable[str]]


class PeerError(CardError):
    """An address that cannot be understood, or a name that cannot be looked up."""


def addresses_of(hub: str) -> list[tuple[str, int]]:
    """Host and port of hub and broker.

    Args:
        hub: A claim, or the ``hub.json`` of an identity: JSON with ``hub`` (an ``https://`` address) and ``broker`` (``HOST:PORT``).

    Raises:
        PeerError: It is neither.
    """
    try:
        data = json.loads(hub)
        address = urlsplit(data["hub"])
        broker = urlsplit(f"//{data['broker']}")
        hosts = [(address.hostname, address.port or 443), (broker.hostname, broker.port or 8883)]
    except (ValueError, KeyError, TypeError) as error:
        raise PeerError(f"not a claim, nor the hub of an identity: {error}") from None
    found = [(host, port) for host, port in hosts if host]
    if len(found) < len(hosts):
        raise PeerError("a hub or a broker without a name")
    return found


def cameras_of(options: str) -> list[str]:
    """Hosts of the network cameras and microphones among a unit's options."""
    return sorted({host for word in shlex.split(options) if "://" in word and (host := urlsplit(word).hostname)})


def commands(peers: Iterable[tuple[str, int]], cameras: Iterable[str], lookup: Lookup) -> str:
    """What ``nft -f`` is given: the sets emptied and filled, in one step.

    Raises:
        PeerError: Of all names, none could be looked up.
    """
    sets: dict[str, set[str]] = {"peers4": set(), "peers6": set(), "cameras4": set(), "cameras6": set()}
    asked = 0
    for host, port in peers:
        asked += 1
        for address in lookup(host):
            sets[f"peers{_family(address)}"].add(f"{address} . {port}")
    for host in cameras:
        asked += 1
        for address in lookup(host):
            sets[f"cameras{_family(address)}"].add(address)
    if asked and not any(sets.values()):
        raise PeerError("no name could be looked up: is there a network, and does it name a resolver?")
    lines = []
    for name, elements in sets.items():
        lines.append(f"flush set inet parvis {name}")
        if elements:
            lines.append(f"add element inet parvis {name} {{ {', '.join(sorted(elements))} }}")
    return "\n".join(lines) + "\n"


def _family(address: str) -> int:
    return ipaddress.ip_address(address).version

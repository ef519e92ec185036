"""What the options of the commands mean: which unit this is, where its broker is, times and addresses."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import typer

from .delivery.connection import Broker


@dataclass(frozen=True, slots=True)
class Who:
    """Which unit this is.

    Attributes:
        site: The site plan's file.
        unit: Its name.
        broker: Where to publish.
        repository: URL of the hub's signed releases; None for a unit that has not enrolled.
    """

    site: Path
    unit: str
    broker: Broker
    repository: str | None = None


def plans_from(identity: Path) -> Callable[[str], bytes]:
    """Gives the site plan with a digest, from the hub that the identity is of."""
    from .enrolment.asking import site_plan
    from .enrolment.identity import Identity

    return lambda sha256: site_plan(Identity(identity), sha256)


def who_is_asked(  # noqa: PLR0917 - the options, in their order
    identity: Path | None,
    site: Path | None,
    unit: str | None,
    broker: str | None,
    ca: Path | None,
    certificate: Path | None,
    key: Path | None,
    *,
    readable: bool = True,
) -> Who:
    """From the options, and from the identity what they do not say; where not ``readable``, the files of TLS may be missing.

    Raises:
        typer.BadParameter: Neither says which unit this is.
        IdentityError: The identity cannot be used.
    """
    if identity is None:
        if site is None or unit is None:
            raise typer.BadParameter("give --site and --unit, or --identity (the folder of `parvis-edge enrol`)")
        return Who(site, unit, parse_broker(broker or "127.0.0.1", ca, certificate, key, readable=readable))
    from .enrolment.identity import Identity

    known = Identity(identity)
    hub = known.hub()
    own = known.pem if certificate is None and key is None else None
    address = parse_broker(broker or hub.broker, ca or known.ca, certificate or own, key or own, readable=readable)
    return Who(site or known.site_plan, unit or hub.unit, address, hub.repository)


def parse_start(text: str) -> float:
    """Reads ``--start``: POSIX seconds.

    Raises:
        typer.BadParameter: It is no time, or has no zone.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"--start {text}: not a time; write it as 2026-06-21T18:04:05Z") from None
    if time.tzinfo is None:
        raise typer.BadParameter(f"--start {text}: has no zone; add Z for UTC, or +02:00")
    if not 1970 < time.year < 2200:
        raise typer.BadParameter(f"--start {text}: between 1971 and 2199")
    return time.timestamp()


def parse_broker(text: str, ca: Path | None, certificate: Path | None, key: Path | None, *, readable: bool = True) -> Broker:
    """Reads ``--broker`` and the TLS options; where not ``readable``, the files of TLS may be missing or half of a pair.

    Raises:
        typer.BadParameter: It is no address, a file is not there, or half of a pair is missing.
    """
    host, colon, port = text.rpartition(":")
    if not colon:
        host, port = text, "8883" if ca else "1883"
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
        raise typer.BadParameter(f"--broker {text}: write HOST:PORT, such as 127.0.0.1:1883")
    if not readable:
        return Broker(host.strip("[]"), int(port), ca, certificate, key)
    if (certificate is None) is not (key is None):
        raise typer.BadParameter("--tls-cert and --tls-key go together: give both")
    if certificate is not None and ca is None:
        raise typer.BadParameter("--tls-cert needs --tls-ca: a unit shows its certificate only to a broker that it knows")
    for option, file in (("--tls-ca", ca), ("--tls-cert", certificate), ("--tls-key", key)):
        if file is not None and not os.access(file, os.R_OK):
            raise typer.BadParameter(f"{option} {file}: cannot be read; give an existing PEM file that this user may read")
    return Broker(host.strip("[]"), int(port), ca, certificate, key)


def parse_metrics(text: str) -> tuple[str, int]:
    """Reads ``--metrics``; without a host it is the loopback.

    Raises:
        typer.BadParameter: It is no address.
    """
    host, colon, port = text.rpartition(":")
    if (colon and not host) or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
        raise typer.BadParameter(f"--metrics {text}: write PORT or HOST:PORT, such as 127.0.0.1:9108")
    return host.strip("[]") or "127.0.0.1", int(port)


def default_data_dir() -> Path:
    """Where undelivered events are kept unless told."""
    return Path("/var/lib/parvis") if os.geteuid() == 0 else Path.home() / ".local" / "share" / "parvis"

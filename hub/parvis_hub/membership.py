"""The command `parvis-hub fleet`: the site's authority, and who belongs to the fleet."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from parvis_contract import Site, format_time

from .command_line import DATA_DIR, By, DataDir, SitePlan, StoreUrl, fail, load_plan, open_store

if TYPE_CHECKING:
    from .fleet import Authority, Fleet, FleetFolder

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

FleetDir = Annotated[Path, typer.Option(help="The folder of the authority and of the broker's files.", metavar="DIR")]
BrokerData = Annotated[str, typer.Option(help="Where mosquitto keeps what waits for the hub.", metavar="DIR")]
BROKER_DATA = "/var/lib/mosquitto"
FLEET_DIR = Path(".parvis/fleet")


@app.callback()
def _fleet() -> None:
    """Let units in, and shut them out.

    The hub has a certificate authority of its own. A unit makes its own key, and gets a certificate for it with a claim: a code that
    counts once. With the certificate the broker lets it write its own branch and read its own commands, and nothing else.

      parvis-hub fleet init --site site.yaml --hub https://hub.example:8884 --broker hub.example:8883
      parvis-hub fleet claim --site site.yaml --unit u017 --write u017-claim.json
      parvis-edge enrol --claim u017-claim.json                          on the unit
      parvis-hub fleet units --site site.yaml
      parvis-hub fleet revoke --site site.yaml u017

    All may be used while the hub runs. The hub answers units with `parvis-hub run … --fleet-dir DIR --fleet-listen 0.0.0.0:8884`, and
    mosquitto runs with the files in DIR/broker (`deploy/mosquitto`).
    """


@app.command()
def init(
    *,
    site: SitePlan,
    hub: Annotated[str, typer.Option(help="Where units reach the hub's fleet listener.", metavar="https://HOST:PORT")],
    broker: Annotated[str, typer.Option(help="Where units reach the broker.", metavar="HOST:PORT")],
    broker_data: BrokerData = BROKER_DATA,
    also: Annotated[list[str] | None, typer.Option(help="A further name or address of both; may be repeated.", metavar="HOST")] = None,
    fleet_dir: FleetDir = FLEET_DIR,
    by: By = "hub",
    data_dir: DataDir = DATA_DIR,
    store: StoreUrl = None,
) -> None:
    """Make the authority, the certificates of hub and broker, and mosquitto's files. Once: another authority shuts out who has enrolled.

    Whoever has DIR/ca.key can make itself any unit: DIR is for the hub's user alone, and for a backup that is kept locked away.
    """
    from .fleet import Addresses, AuthorityError, FleetFolder, Kind

    hub_host, _ = _host_and_port("--hub", hub.removeprefix("https://").rstrip("/"), hub.startswith("https://"))
    broker_host, port = _host_and_port("--broker", broker)
    plan, folder = load_plan(site), FleetFolder(fleet_dir)
    try:
        folder.make(plan, Addresses(hub=hub.rstrip("/"), broker=broker), datetime.now(UTC))
    except (AuthorityError, OSError) as error:
        fail(str(error))
    with _opened(site, fleet_dir, data_dir, store) as room:
        own = fleet_dir / "hub.pem"
        local = ["localhost", "127.0.0.1"]
        room.folder.equip(room.fleet, Kind.HUB, "hub", by, hosts=dict.fromkeys([hub_host, *(also or ()), *local]))
        room.folder.equip(room.fleet, Kind.BROKER, "broker", by, hosts=dict.fromkeys([broker_host, *(also or ()), *local]))
        configured = room.folder.configure_broker(port, broker_data)
        room.tell_broker()
        sys.stdout.write(
            f"authority {fleet_dir / 'ca.pem'}: SHA-256 {room.authority.sha256}\n"
            f"broker    {configured}\n"
            f"hub       --broker {broker} --tls-ca {fleet_dir / 'ca.pem'} --tls-cert {own} --tls-key {own}"
            f" --fleet-dir {fleet_dir} --fleet-listen 0.0.0.0:{hub.rpartition(':')[2].rstrip('/')}\n"
            "next      `parvis-hub fleet claim` for each unit\n"
        )


@app.command()
def claim(
    *,
    site: SitePlan,
    unit: Annotated[str, typer.Option(help="Which unit of the site plan.")],
    lasting: Annotated[str, typer.Option("--for", help="How long it may be used.", metavar="14d|12h")] = "14d",
    write: Annotated[Path | None, typer.Option(help="A file for `parvis-edge enrol` or `parvis-deploy flash`.", metavar="FILE")] = None,
    fleet_dir: FleetDir = FLEET_DIR,
    by: By = "hub",
    data_dir: DataDir = DATA_DIR,
    store: StoreUrl = None,
) -> None:
    """Let a unit claim its certificate, once. An earlier claim of the same unit is void.

    Without --write the claim is printed. Whoever has it before the unit can become the unit: hand it over as you would a key. When it has
    been used, `fleet units` says so; if not by the unit, revoke it.
    """
    from parvis_contract.enrolling import ClaimFile

    from .consent.until import parse_until
    from .whole_file import replace

    with _opened(site, fleet_dir, data_dir, store) as room:
        if unit not in room.plan.units:
            fail(f"{site}: has no unit {unit}; it has {', '.join(sorted(room.plan.units))}")
        expires = parse_until("--for", lasting, datetime.now(UTC))
        addresses = room.folder.addresses()
        made = ClaimFile(
            site=room.plan.site,
            unit=unit,
            hub=addresses.hub,
            broker=addresses.broker,
            ca_sha256=room.authority.sha256,
            code=room.fleet.make_claim(unit, expires, by),
            expires=expires,
        )
        text = made.model_dump_json(indent=2) + "\n"
        # An unused claim lifts a revocation no more than a used one: the broker's files change when a certificate has been given.
        if write is None:
            sys.stdout.write(text)
        else:
            replace(write, text.encode(), 0o600)
            sys.stdout.write(f"{write}: {unit} may enrol once, until {format_time(expires)}; its code is {made.code}\n")


@app.command()
def units(*, site: SitePlan, fleet_dir: FleetDir = FLEET_DIR, data_dir: DataDir = DATA_DIR, store: StoreUrl = None) -> None:
    """Show who has which certificate until when, and how each unit's claim stands."""
    with _opened(site, fleet_dir, data_dir, store) as room:
        members, claims = room.fleet.members(), {claim.unit: claim for claim in room.fleet.claims()}
        now = datetime.now(UTC)
        for member in members:
            left = f"{(member.until - now).days} days left" if member.revoked is None else f"revoked {format_time(member.revoked)}"
            sys.stdout.write(f"{member.name} ({member.kind}): certificate until {format_time(member.until)}, {left}\n")
        with_one = {member.name for member in members if member.revoked is None}
        for name in room.plan.units:
            claim = claims.get(name)
            if claim is not None and claim.used is not None:
                continue
            if claim is None:
                how = "no claim; `parvis-hub fleet claim` makes one" if name not in with_one else ""
            else:
                how = f"a claim until {format_time(claim.expires)}" if claim.expires > now else "a claim that has ended"
                how += f", {claim.attempts} wrong codes" if claim.attempts else ""
            if how:
                sys.stdout.write(f"{name} (unit): {how}\n")


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(help="The unit, or whose certificate it is.", metavar="NAME")],
    *,
    site: SitePlan,
    fleet_dir: FleetDir = FLEET_DIR,
    by: By = "hub",
    data_dir: DataDir = DATA_DIR,
    store: StoreUrl = None,
) -> None:
    """Shut somebody out, now: no certificate of theirs counts any more, and what they write on an open connection is refused.

    Mosquitto's keeper (`deploy/mosquitto/keep.sh`) has it read the files again within half a second and ends every connection; units and
    hub come back by themselves. To let the unit in again, make a new claim.
    """
    with _opened(site, fleet_dir, data_dir, store) as room:
        if name in ("hub", "broker"):
            fail(f"{name} is this site's own; `parvis-hub fleet certificate --for {name}` makes another, and the old one is then revoked")
        if name not in room.plan.units and all(member.name != name for member in room.fleet.members()):
            fail(f"nobody here is called {name}; `parvis-hub fleet units` lists who is")
        count = room.fleet.revoke(name, by)
        room.tell_broker()
        sys.stdout.write(f"{name}: {count} certificates revoked; the broker has been told\n")


@app.command()
def certificate(
    *,
    site: SitePlan,
    kind: Annotated[str, typer.Option("--for", help="hub, broker, control-room or maintainer.", metavar="WHOM")],
    name: Annotated[str | None, typer.Option(help="Of a control room or a maintainer: the user that the broker knows.")] = None,
    host: Annotated[list[str] | None, typer.Option(help="Of hub or broker: a name or address; may be repeated.", metavar="HOST")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the file of a control room or a maintainer.", metavar="DIR")] = Path(),
    fleet_dir: FleetDir = FLEET_DIR,
    by: By = "hub",
    data_dir: DataDir = DATA_DIR,
    store: StoreUrl = None,
) -> None:
    """Make a key and a certificate for somebody who is no unit: a control room reads incidents, routes and states, and writes nothing.

    One PEM file, key and certificate: for MQTT programs it is --cert and --key at once. For hub and broker it takes the place of the one
    that there is; start them again then.
    """
    from .fleet import Kind

    try:
        whose = Kind(kind)
    except ValueError:
        fail(f"--for {kind}: expected hub, broker, control-room or maintainer")
    with _opened(site, fleet_dir, data_dir, store) as room:
        if whose is Kind.UNIT:
            fail("a unit makes its own key and enrols with a claim: `parvis-hub fleet claim`")
        if whose in (Kind.HUB, Kind.BROKER):
            if not host:
                fail(f"--for {kind} needs --host, the name under which units reach it; may be repeated")
            room.fleet.revoke(str(whose), by)
            written = room.folder.equip(room.fleet, whose, str(whose), by, hosts=dict.fromkeys([*host, "localhost", "127.0.0.1"]))
        else:
            if name is None or name in room.plan.units or name in ("hub", "broker"):
                fail(f"--for {kind} needs --name, other than a unit's, `hub` and `broker`")
            written = room.folder.equip(room.fleet, whose, name, by, into=out)
        room.tell_broker()
        sys.stdout.write(f"{written}\n")


@app.command("broker")
def configure(
    *,
    site: SitePlan,
    as_seen: Annotated[
        str | None, typer.Option(help="Where mosquitto sees DIR/broker, if elsewhere: in a container, say.", metavar="PATH")
    ] = None,
    broker_data: BrokerData = BROKER_DATA,
    fleet_dir: FleetDir = FLEET_DIR,
    data_dir: DataDir = DATA_DIR,
    store: StoreUrl = None,
) -> None:
    """Write mosquitto's configuration, access list and list of revocations again: after the site plan has been changed, for instance."""
    with _opened(site, fleet_dir, data_dir, store) as room:
        _, port = _host_and_port("broker", room.folder.addresses().broker)
        sys.stdout.write(f"{room.folder.configure_broker(port, broker_data, as_seen)}\n")
        room.tell_broker()


@dataclass(frozen=True, slots=True)
class _Room:
    """All that the commands use."""

    plan: Site
    folder: FleetFolder
    authority: Authority
    fleet: Fleet

    def tell_broker(self) -> None:
        self.folder.tell_broker(self.fleet, self.authority, self.plan)


@contextmanager
def _opened(site: Path, fleet_dir: Path, data_dir: Path, store: str | None) -> Iterator[_Room]:
    from .fleet import AuthorityError, FleetFolder

    folder = FleetFolder(fleet_dir)
    with open_store(site, data_dir, store, AuthorityError) as (plan, database):
        authority = folder.authority()
        yield _Room(plan, folder, authority, folder.fleet(database, authority, lambda: time.time_ns() // 1000))


def _host_and_port(option: str, text: str, well_formed: bool = True) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not well_formed or not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
        expected = "https://HOST:PORT, such as https://hub.example:8884" if option == "--hub" else "HOST:PORT, such as hub.example:8883"
        fail(f"{option} {text}: expected {expected}")
    return host.strip("[]"), int(port)

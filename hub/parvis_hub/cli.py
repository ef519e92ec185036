"""The command `parvis-hub`: run a hub, or make incidents of a log."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from parvis_contract import ConfigError, Refused, dump_message

from . import allowlist, audit, keys, membership, participants, publishing, rolling, tokens, upkeep, users
from .command_line import AGAIN, CHANGE, SitePlan, fail, load_plan

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)

app.add_typer(allowlist.app, name="allowlist")
app.add_typer(audit.app, name="audit")
app.add_typer(participants.app, name="consent")
app.add_typer(membership.app, name="fleet")
app.add_typer(keys.app, name="keys")
app.add_typer(publishing.app, name="papers")
app.add_typer(upkeep.app, name="store")
app.add_typer(rolling.configs, name="config")
app.add_typer(rolling.rollouts, name="rollout")
app.add_typer(tokens.app, name="tokens")
app.add_typer(users.app, name="users")


@app.callback()
def _hub() -> None:
    """Join the messages of many units into incidents that a person confirms."""


@app.command()
def run(
    *,
    site: SitePlan,
    broker: Annotated[str, typer.Option(help="Where the MQTT broker is.", metavar="HOST:PORT")] = "127.0.0.1:1883",
    tls_ca: Annotated[Path | None, typer.Option(help="Who signed the broker's certificate (PEM); turns TLS on.")] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="The hub's own certificate (PEM).")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key (PEM).")] = None,
    username: Annotated[str | None, typer.Option(help="For a broker that asks for one.")] = None,
    password_file: Annotated[Path | None, typer.Option(help="A file whose first line is the password.")] = None,
    listen: Annotated[str, typer.Option(help="Where the console listens.", metavar="HOST:PORT")] = "127.0.0.1:8080",
    console_name: Annotated[
        list[str] | None, typer.Option(help="A name under which browsers reach the console, besides this machine's own; may be repeated.")
    ] = None,
    console_proxy: Annotated[
        list[str] | None,
        typer.Option(
            help="Address of a proxy with TLS before the console; may be repeated. Its X-Forwarded-For is believed.", metavar="IP"
        ),
    ] = None,
    openid: Annotated[
        Path | None,
        typer.Option(
            help="Let people sign in at a provider of OpenID Connect too; the file says which, and what its roles are here.",
            metavar="FILE.yaml",
        ),
    ] = None,
    console: Annotated[bool, typer.Option(help="Serve the console.")] = True,
    data_dir: Annotated[Path, typer.Option(help="Where the store is, if --store does not say otherwise.")] = Path(".parvis/hub"),
    store: Annotated[str | None, typer.Option(help="URL of the store, such as sqlite:////var/lib/parvis/hub.sqlite.")] = None,
    signing_key: Annotated[
        Path | None,
        typer.Option(
            help="Keep the units' lists of tags to the register of consents, signed with this key (`parvis-hub keys new`).",
            metavar="KEYFILE",
        ),
    ] = None,
    fleet_dir: Annotated[
        Path | None, typer.Option(help="Folder of the site's authority (`parvis-hub fleet init`): units may enrol.", metavar="DIR")
    ] = None,
    fleet_listen: Annotated[
        str, typer.Option(help="Where units enrol and renew, if there is a --fleet-dir.", metavar="HOST:PORT")
    ] = "0.0.0.0:8884",
    repository: Annotated[
        Path | None,
        typer.Option(help="Folder of signed releases (`parvis-models publish`), which units fetch from there too.", metavar="DIR"),
    ] = None,
    home_assistant: Annotated[
        str | None,
        typer.Option(
            help="Tell Home Assistant of the units, under this topic; the broker must let the hub write there.", metavar="homeassistant"
        ),
    ] = None,
) -> None:
    """Receive from the broker, make incidents, publish and show them; until SIGTERM."""
    # The web server and the broker's client are of no use to a replay.
    from parvis_contract.signing import KeyFileError, SigningKey
    from sqlalchemy.exc import SQLAlchemyError

    from .consent.keyring import keys_folder
    from .fleet import AuthorityError
    from .intake import BrokerAddress, TlsFiles, session_name
    from .log import log_to_stderr
    from .service import FleetOptions, Hub, NobodyMaySignIn, Options
    from .store import StoreError, default_url
    from .store.database import may_pass

    log_to_stderr()
    plan = load_plan(site)
    host, port = _address("--broker", broker)
    if tls_ca is None and (tls_cert or tls_key):
        fail("--tls-cert and --tls-key need --tls-ca: without it the broker cannot be told from another")
    tls = TlsFiles(tls_ca, tls_cert, tls_key) if tls_ca else None
    try:
        password = password_file.read_text(encoding="utf-8").splitlines()[0] if password_file else None
        if store is None:
            data_dir.mkdir(parents=True, exist_ok=True)
        options = Options(
            broker=BrokerAddress(host, port, tls, username, password, session_name(data_dir)),
            store=store or default_url(data_dir.absolute()),
            listen=_address("--listen", listen) if console else None,
            names=tuple(console_name or ()),
            proxies=tuple(console_proxy or ()),
            home_assistant=home_assistant,
            keys=keys_folder(data_dir),
            signing_key=SigningKey.load(signing_key) if signing_key else None,
            openid=openid,
            fleet=None if fleet_dir is None else FleetOptions(fleet_dir, _address("--fleet-listen", fleet_listen), repository),
        )
        hub = Hub(plan, options)
    except (OSError, IndexError, AuthorityError, NobodyMaySignIn, StoreError, SQLAlchemyError, ConfigError, KeyFileError) as error:
        # A supervisor tries again what may pass, and leaves alone what a person has to change.
        fail(f"{error or 'the password file is empty'}", AGAIN if may_pass(error) else CHANGE)
    hub.run()


@app.command()
def replay(
    site: SitePlan,
    files: Annotated[list[Path], typer.Argument(help="CloudEvents, one per line, in order of arrival.", metavar="FILE.jsonl …")],
    enrol: Annotated[
        str | None, typer.Option(help="Tags whose wearers asked for a route; of any other tag nothing is kept.", metavar="1-30,42")
    ] = None,
) -> None:
    """Make incidents of a log, and routes of enrolled tags: one CloudEvent a line, final state each, same bytes for the same input."""
    from .consent.allowlist import parse_tags
    from .consent.router import Router
    from .intake.replay import replay as make_incidents

    plan = load_plan(site)
    try:
        router = Router(plan, parse_tags(enrol)) if enrol is not None else None
    except ConfigError as error:
        fail(str(error))
    except ValueError as error:
        fail(f"--enrol {error}")
    replayed = make_incidents(plan, _lines(files), _say_refused, router)
    for incident in replayed.incidents:
        sys.stdout.buffer.write(dump_message(incident) + b"\n")
    for route in replayed.routes:
        sys.stdout.buffer.write(dump_message(route) + b"\n")
    sys.stdout.buffer.flush()
    said = ", ".join(f"{name} {count}" for name, count in sorted(replayed.counts.items()))
    sys.stderr.write(f"{len(replayed.incidents)} incidents, {len(replayed.routes)} routes; {said or 'nothing read'}\n")


def _lines(files: list[Path]) -> Iterator[tuple[str, bytes]]:
    for file in files:
        try:
            with file.open("rb") as stream:
                for number, line in enumerate(stream, 1):
                    yield f"{file}:{number}", line
        except OSError as error:
            fail(f"{file} cannot be read: {error.strerror}")


def _say_refused(place: str, refused: Refused) -> None:
    sys.stderr.write(f"{place}: {refused}\n")


def _address(option: str, value: str) -> tuple[str, int]:
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        fail(f"{option} {value}: expected HOST:PORT, such as 127.0.0.1:1883")
    return host.strip("[]"), int(port)

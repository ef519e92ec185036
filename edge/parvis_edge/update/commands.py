"""The commands `parvis-edge update …`."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import structlog
import typer
from parvis_contract import ModelRef

from .errors import UpdateError
from .state import Held, State, read_state

if TYPE_CHECKING:
    # The model runtime and the client come with it: other commands should not wait for them.
    from .repository import Repository

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="""Look at this unit's models, and take others from the signed repository.

A unit that runs takes releases by itself, when the hub sends one; these commands are for a look, and for a unit that does not run. Every
model is checked three times: its name is in signed metadata, its bytes are those that are named, and it answers its golden samples on this
unit. Whatever fails, what the unit has stays.

\b
What runs, what is in the slots, how the last update ended:
  parvis-edge update status
Whether the repository can be reached and trusted, and what it lists:
  parvis-edge update check --identity /var/lib/parvis/identity
Take a version; the unit puts it on trial when it starts next:
  parvis-edge update apply yamnet 1.1.0 --identity /var/lib/parvis/identity

Exits with 0 if it could be done, with 1 if not now, with 2 if not at all.
""",
)

IDENTITY = Annotated[
    Path | None, typer.Option(help="Folder of the enrolment: hub.json says where the hub is, ca.pem whom to believe.", metavar="DIR")
]
REPOSITORY = Annotated[str | None, typer.Option("--repository", help="Its address, if not the identity's hub.", metavar="URL")]
ROOT = Annotated[Path, typer.Option(help="Root metadata that this unit was given.", metavar="FILE")]
TLS_CA = Annotated[Path | None, typer.Option(help="Who signed the server's certificate.", metavar="PEM")]
DATA_DIR = Annotated[Path, typer.Option(help="The unit's data; models are in update/ below it.")]
DEFAULT_ROOT, DEFAULT_DATA_DIR = Path("/etc/parvis/root.json"), Path("/var/lib/parvis")


@app.command()
def status(
    *,
    data_dir: DATA_DIR = DEFAULT_DATA_DIR,
    as_json: Annotated[bool, typer.Option("--json", help="For a program: one JSON object.")] = False,
) -> None:
    """Say for each model what is good, what is on trial, and how the last update ended."""
    folder = data_dir / "update" / "models"
    states = {path.parent.name: read_state(path) for path in sorted(folder.glob("*/state.json"))}
    if as_json:
        typer.echo(json.dumps({name: state.model_dump(mode="json") for name, state in states.items()}, indent=2))
    elif not states:
        typer.echo(f"{folder}: nothing was ever taken; the models run that the program was shipped with")
    for name, state in {} if as_json else states.items():
        typer.echo(f"{name}: {_told(state)}")


def _told(state: State) -> str:
    current, trial = state.held(state.current), state.held(state.trial)
    parts = [f"{current.version} (slot {state.current})" if current else "the shipped version"]
    if trial:
        parts.append(f"{trial.version} on trial (slot {state.trial})")
    if state.wanted and state.wanted != trial:
        parts.append(f"{state.wanted.version} asked for")
    if state.ended:
        how = "taken" if state.ended.refusal is None else f"not taken ({state.ended.refusal})"
        parts.append(f"last: {state.ended.model.version} {how}: {state.ended.detail}")
    return "; ".join(parts)


@app.command()
def check(
    *,
    identity: IDENTITY = None,
    url: REPOSITORY = None,
    root: ROOT = DEFAULT_ROOT,
    tls_ca: TLS_CA = None,
    data_dir: DATA_DIR = DEFAULT_DATA_DIR,
) -> None:
    """Take the newest metadata, and say what is listed."""
    with _explained():
        repository = _repository(identity, url, root, tls_ca, data_dir)
        repository.refresh()
        for name in repository.names():
            listed = repository.find(name)
            typer.echo(f"{listed.name}  {listed.length} bytes  {listed.sha256}")


@app.command()
def apply(
    name: Annotated[str, typer.Argument(help="Of the model: yamnet.")],
    version: Annotated[str, typer.Argument(help="Such as 1.1.0.")],
    *,
    identity: IDENTITY = None,
    url: REPOSITORY = None,
    root: ROOT = DEFAULT_ROOT,
    tls_ca: TLS_CA = None,
    data_dir: DATA_DIR = DEFAULT_DATA_DIR,
) -> None:
    """Fetch a version, prove it, and put it on trial: the unit uses it from its next start on. Not while the unit runs."""
    from .archive import target_name
    from .installer import install
    from .shelf import Shelf

    with _explained():
        repository, shelf = _repository(identity, url, root, tls_ca, data_dir), Shelf(data_dir / "update")
        model = ModelRef(name=name, version=version)
        with shelf.locked():
            listed = repository.find(target_name(model))
            shelf.change(name, lambda state: state.asked(Held(version=version, sha256=listed.sha256)))
            fresh = install(shelf, repository, model, listed.sha256)
        typer.echo(f"{name} {version}: {'on trial from the next start on' if fresh else 'in use already'}")


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="Of the target: roots/generic/0.2.0.img.zst.")],
    destination: Annotated[Path, typer.Argument(help="Where to put it.")],
    *,
    identity: IDENTITY = None,
    url: REPOSITORY = None,
    root: ROOT = DEFAULT_ROOT,
    tls_ca: TLS_CA = None,
    data_dir: DATA_DIR = DEFAULT_DATA_DIR,
) -> None:
    """Fetch one file of the repository, verified; goes on where an earlier call ended."""
    with _explained():
        listed = _repository(identity, url, root, tls_ca, data_dir).fetch_target(name, destination)
        typer.echo(f"{destination}: {listed.length} bytes, SHA-256 {listed.sha256}")


def _repository(identity: Path | None, url: str | None, root: Path, ca: Path | None, data_dir: Path) -> Repository:
    if identity is not None:
        from parvis_edge.enrolment.identity import Identity

        known = Identity(identity)
        ca = ca or known.ca
        url = url or known.hub().repository
    if url is None:
        raise typer.BadParameter("give --identity DIR, or --repository URL: where are models taken from?")
    from .repository import repository_of

    return repository_of(data_dir / "update", url, root, ca)


@contextmanager
def _explained() -> Iterator[None]:
    """One line on standard error, and the exit code, for whatever can go wrong."""
    from parvis_edge.enrolment.identity import IdentityError

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    try:
        yield
    except IdentityError as error:
        typer.echo(f"parvis-edge: {error}", err=True)
        raise typer.Exit(2) from None
    except UpdateError as error:
        typer.echo(f"parvis-edge: {error}", err=True)
        raise typer.Exit(1 if error.again else 2) from None
    except (OSError, ValueError, KeyError) as error:
        typer.echo(f"parvis-edge: {error}", err=True)
        raise typer.Exit(2) from None

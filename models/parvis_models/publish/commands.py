"""The commands `parvis-models publish …`."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from parvis_edge.bundle import BundleError
from rich.console import Console
from rich.table import Table
from securesystemslib.signer import Signer

from parvis_models.zoo import CardError

from . import offer
from .keys import PublishError, new_key, read_public, read_signer
from .repository import ROLES, RepositoryFolder, Role

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help=(
        "Offer models to units that run already, through a TUF repository (theupdateframework.io).\n\n"
        "Four roles sign. **root** says who the others are; **targets** lists what may be taken. Their keys are people's, lie offline, "
        "and several have to sign. **snapshot** and **timestamp** say what is newest; their keys lie on the hub, and a timer uses them: "
        "whoever steals those can hide what is new for some days, and can make no unit take anything.\n\n"
        "Once: `parvis-models publish init /srv/parvis/repository --keys KEYS`, then give the offline keys to their holders, "
        "`KEYS/online` to the hub, and `1.root.json` to every unit.\n\n"
        "A release: `parvis-models publish add REPOSITORY models/zoo/yamnet/1.1.0 --key targets-1.pem`; a second holder runs "
        "`parvis-models publish sign REPOSITORY --key targets-2.pem`; the hub's timer, or you, runs "
        "`parvis-models publish refresh REPOSITORY --online KEYS/online`. Units take it when the hub releases it to them, ring by ring.\n\n"
        "Twice a day, by a timer: `publish refresh`. From time to time: `publish status`."
    ),
)

REPOSITORY = Annotated[Path, typer.Argument(help="Folder that is served to units.", metavar="REPOSITORY", show_default=False)]
KEYS = Annotated[list[Path], typer.Option("--key", help="A key that signs now; repeated.", metavar="PEM", show_default=False)]
PASSWORD = Annotated[
    Path | None, typer.Option(help="File with the password of the offline keys; without it you are asked.", show_default=False)
]
ONLINE = Annotated[
    list[Path] | None, typer.Option(help="Folder with snapshot.pem and timestamp.pem: tells units at once.", show_default=False)
]


@app.command()
def init(
    *,
    repository: REPOSITORY,
    keys: Annotated[Path, typer.Option(help="New folder for the keys.", show_default=False)],
    root_keys: Annotated[int, typer.Option(help="Holders of root.", min=1, max=20)] = 3,
    root_threshold: Annotated[int, typer.Option(help="Of them have to sign.", min=1, max=20)] = 2,
    targets_keys: Annotated[int, typer.Option(help="Holders of targets.", min=1, max=20)] = 3,
    targets_threshold: Annotated[int, typer.Option(help="Of them have to sign.", min=1, max=20)] = 2,
    password_file: PASSWORD = None,
    no_password: Annotated[bool, typer.Option("--no-password", help="Leave the offline keys readable for whoever has the file.")] = False,
) -> None:
    """Make all keys and begin a repository, on a machine that is offline.

    2 of 3 by default: one key may be lost and nothing stops; one may be stolen and nothing is signed. Hand each key file to one person, on
    a medium that stays offline, and delete it here. Nothing is ever overwritten.
    """
    with _explained() as console:
        if root_threshold > root_keys or targets_threshold > targets_keys:
            raise PublishError("more signatures asked for than there would be keys")
        password = None if no_password else _password(password_file, keys)
        many: dict[Role, int] = {"root": root_keys, "targets": targets_keys}
        thresholds: dict[Role, int] = {"root": root_threshold, "targets": targets_threshold}
        tell = partial(console.print, soft_wrap=True)
        folder = RepositoryFolder(repository)
        offer.init(folder, keys=keys, many=many, thresholds=thresholds, password=password, tell=tell)


@app.command()
def key(
    *,
    path: Annotated[Path, typer.Argument(help="New file for the private key; the public one goes beside it, as .pub.", metavar="PEM")],
    password_file: PASSWORD = None,
    no_password: Annotated[bool, typer.Option("--no-password", help="For a key that a timer uses.")] = False,
) -> None:
    """Make one more key, for `rotate`. Only the .pub file leaves the machine of its holder."""
    with _explained() as console:
        new_key(path, None if no_password else _password(password_file, path))
        console.print(f"made {path} and {path.with_suffix('.pub')}")


@app.command()
def add(
    *,
    repository: REPOSITORY,
    bundles: Annotated[list[Path] | None, typer.Argument(help="Folders, as models/zoo/NAME/VERSION.", metavar="BUNDLE…")] = None,
    key: KEYS = [],  # noqa: B006 - typer reads it
    file: Annotated[
        list[str] | None,
        typer.Option(
            help="Another file, such as an image's root file system: roots/generic/0.2.0.img.zst=root.img.zst.", metavar="NAME=FILE"
        ),
    ] = None,
    online: ONLINE = None,
    password_file: PASSWORD = None,
) -> None:
    """List bundles, so that units may take them; each has to be measured and to pass its golden samples here.

    Without any bundle the list is signed anew and is valid for longer. Where the keys given are not enough, it waits for `sign`. What is
    listed under a version stays what it is: something that has changed gets a new version.
    """
    with _explained() as console:
        folder, signers = RepositoryFolder(repository), _signers(key, password_file)
        done = offer.add(folder, bundles or [], [_named(each) for each in file or ()], signers, partial(console.print, soft_wrap=True))
        _after(console, folder, online, done=done)


@app.command()
def withdraw(
    *,
    repository: REPOSITORY,
    names: Annotated[list[str], typer.Argument(help="As `status` gives them: models/yamnet/1.1.0.tar.", metavar="NAME…")],
    key: KEYS,
    online: ONLINE = None,
    password_file: PASSWORD = None,
) -> None:
    """List something no more: no unit takes it from now on. Units that run it keep it; release them another version."""
    with _explained() as console:
        folder = RepositoryFolder(repository)
        _after(console, folder, online, done=offer.withdraw(folder, names, _signers(key, password_file)))


@app.command()
def sign(*, repository: REPOSITORY, key: KEYS, online: ONLINE = None, password_file: PASSWORD = None) -> None:
    """Add a signature to what waits for more: the second holder of a key looks at `status`, and signs."""
    with _explained() as console:
        folder = RepositoryFolder(repository)
        offer.sign(folder, _signers(key, password_file), partial(console.print, soft_wrap=True))
        _after(console, folder, online, done=not offer.waiting(folder))


@app.command()
def refresh(
    *,
    repository: REPOSITORY,
    online: Annotated[list[Path], typer.Option(help="Folder with snapshot.pem and timestamp.pem; old and new.", show_default=False)],
) -> None:
    """Tell units what is newest, with the online keys. For a timer, twice a day: a timestamp is valid for four days."""
    with _explained() as console:
        folder = RepositoryFolder(repository)
        _after(console, folder, online, done=True)


@app.command()
def rotate(
    *,
    repository: REPOSITORY,
    role: Annotated[str, typer.Argument(help=", ".join(ROLES), metavar="ROLE")],
    key: KEYS,
    out: Annotated[list[Path] | None, typer.Option("--out", help="Public key that may sign no more; repeated.", metavar="PUB")] = None,
    into: Annotated[list[Path] | None, typer.Option("--in", help="Public key that may sign from now on; repeated.", metavar="PUB")] = None,
    online: ONLINE = None,
    password_file: PASSWORD = None,
) -> None:
    """Exchange keys, or (without --in and --out) make root valid for another year. Root's holders sign.

    Lost or stolen: a root key, `rotate REPO root --out root-2.pub --in root-4.pub --key root-1.pem --key root-3.pem --key root-4.pem`.
    A targets key: the same with `targets`; the list is signed anew in the same step, so give targets keys too, enough of the old and of the
    new (those that stay are both). An online key: the same with `snapshot` or `timestamp`; then `refresh --online OLD --online NEW`, or NEW
    alone where the old one is lost. A new root is published by the refresh that makes everything fit it. Units follow by themselves,
    however long they were away, as long as every N.root.json stays where it is.
    """
    with _explained() as console:
        if role not in ROLES:
            raise PublishError(f"{role}: no such role; there are {', '.join(ROLES)}")
        folder = RepositoryFolder(repository)
        publics = [[read_public(path) for path in each or ()] for each in (out, into)]
        done = offer.rotate(folder, role, publics[0], publics[1], _signers(key, password_file))
        _after(console, folder, online, done=done)


@app.command()
def status(
    *, repository: REPOSITORY, as_json: Annotated[bool, typer.Option("--json", help="For a program: one JSON object.")] = False
) -> None:
    """Say what is signed by whom, until when, what waits, and what is listed.

    Exits with 1 if somebody has to act: something has expired or soon will, or lacks signatures.
    """
    with _explained() as console:
        folder = RepositoryFolder(repository)
        standings, waiting = offer.status(folder), offer.waiting(folder)
        listed = {name: target.hashes["sha256"] for name, target in sorted(folder.targets().signed.targets.items())}
        if as_json:
            roles = {
                each.role: {
                    "version": each.version,
                    "expires": each.expires.isoformat(),
                    "days_left": round(each.left.total_seconds() / 86_400, 2),
                    "threshold": each.threshold,
                    "keys": each.keys,
                    "signed": each.signed,
                    "soon": each.soon,
                }
                for each in standings
            }
            pending = [{"role": role, "version": version, "missing": lacks} for role, version, lacks in waiting]
            typer.echo(json.dumps({"roles": roles, "pending": pending, "targets": listed}, indent=2))
        else:
            _show(console, standings, waiting, listed)
        raise typer.Exit(1 if waiting or any(each.soon for each in standings) else 0)


def _show(console: Console, standings: list[offer.Standing], waiting: list[tuple[str, int, int]], listed: dict[str, str]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("role", "version", "expires", "days left", "have to sign", "keys (* has signed)"):
        table.add_column(column)
    for each in standings:
        keys = " ".join(keyid[:8] + ("*" if keyid in each.signed else "") for keyid in each.keys)
        days = f"{each.left.total_seconds() / 86_400:.1f}{' !' if each.soon else ''}"
        table.add_row(each.role, str(each.version), f"{each.expires:%Y-%m-%d %H:%M}", days, f"{each.threshold} of {len(each.keys)}", keys)
    console.print(table)
    for role, version, lacks in waiting:
        console.print(f"{role} version {version} waits for {f'{lacks} more: parvis-models publish sign' if lacks else 'a refresh'}")
    for name, digest in listed.items():
        console.print(f"{name}  {digest}", soft_wrap=True)


def _after(console: Console, folder: RepositoryFolder, online: list[Path] | None, *, done: bool) -> None:
    """Tells units, where that can be done; says what is left to do."""
    waiting = [each for each in offer.waiting(folder) if each[2]]
    if not done and waiting:
        for role, version, lacks in waiting:
            console.print(
                f"{role} version {version} lacks {lacks} more: parvis-models publish sign {folder.folder} --key …", soft_wrap=True
            )
    elif not online:
        console.print(f"signed; units see it after: parvis-models publish refresh {folder.folder} --online …", soft_wrap=True)
    else:
        offer.refresh(folder, online)
        stamp = folder.timestamp()
        if stamp is not None:
            console.print(f"published: timestamp {stamp.signed.version}, valid until {stamp.signed.expires:%Y-%m-%d %H:%M} UTC")


def _signers(keys: list[Path], password_file: Path | None) -> list[Signer]:
    return [read_signer(path, lambda path: _password(password_file, path)) for path in keys]


def _password(file: Path | None, about: Path) -> bytes:
    if file is None:
        return getpass.getpass(f"password of {about}: ").encode()
    try:
        return file.read_bytes().strip()
    except OSError as error:
        raise PublishError(f"{file}: {error.strerror}; give a file with the password in one line") from None


def _named(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not equals or not name or name.startswith("/") or ".." in name.split("/"):
        raise PublishError(f"--file {text}: write NAME=FILE, such as roots/generic/0.2.0.img.zst=root.img.zst")
    return name, Path(path)


@contextmanager
def _explained() -> Iterator[Console]:
    """Turns errors that the reader can do something about into one line on standard error, and exit code 2."""
    try:
        yield Console()
    except (PublishError, CardError, BundleError, OSError) as error:
        Console(stderr=True).print(f"[bold red]error:[/bold red] {error}", soft_wrap=True)
        raise typer.Exit(2) from None

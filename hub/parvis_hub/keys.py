"""The command `parvis-hub keys`: the key with which a hub signs what it asks of units."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from parvis_contract.signing import KeyFileError, SigningKey

from .command_line import fail

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

KeyFile = Annotated[Path, typer.Argument(help="The file of the private key.", metavar="KEYFILE")]


@app.callback()
def _keys() -> None:
    """Make or show the key with which commands to units are signed (Ed25519).

    Units obey nobody but the keys in the site plan's `hub_keys`. To change a key: make a new one, add it to `hub_keys` beside the old one
    on hub and units, sign with the new one, and take the old one out.
    """


@app.command("new")
def new(file: KeyFile) -> None:
    """Make a key in a new file that its owner alone may read, and say what belongs into the site plan.

    Whoever has the file can let units read any tag: keep it on the hub's machine or on a stick in a drawer, and in no backup that others
    can read. It is never overwritten.

      parvis-hub keys new /var/lib/parvis/hub-signing.key
    """
    try:
        key = SigningKey.make()
        key.save(file)
    except KeyFileError as error:
        fail(str(error))
    sys.stdout.write(_line(key))


@app.command("show")
def show(file: KeyFile) -> None:
    """Say what belongs into the site plan for a key that is there already."""
    try:
        key = SigningKey.load(file)
    except KeyFileError as error:
        fail(str(error))
    sys.stdout.write(_line(key))


def _line(key: SigningKey) -> str:
    return f"hub_keys: [{key.public_key}]\n"

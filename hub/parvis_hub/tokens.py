"""The command `parvis-hub tokens`: which machines may read from the console, and what."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .command_line import DATA_DIR, By, DataDir, SitePlan, StoreUrl, open_store
from .governance.roles import May

if TYPE_CHECKING:
    from .accounts import Tokens

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

TokenName = Annotated[str, typer.Argument(help="Of the machine: small letters, digits and hyphens.", metavar="NAME")]


@app.callback()
def _tokens() -> None:
    """Give machines tokens with which they may read from the console, and take them back.

    A machine shows its token with each request: `Authorization: Bearer TOKEN`. It can read, and change nothing; routes and plates are not
    for machines.
    """


@app.command()
def add(
    *,
    name: TokenName,
    may: Annotated[list[May], typer.Option(help="What it may do: see-incidents, see-units, read-feeds or read-metrics; may be repeated.")],
    site: SitePlan,
    by: By = "hub",
    data_dir: DataDir = DATA_DIR,
    store: StoreUrl = None,
) -> None:
    """Make a token, and write it to standard output: it is kept nowhere else, and cannot be shown again.

    parvis-hub tokens add --site site.yaml --may read-metrics prometheus > prometheus.token
    """
    with _tokens_of(site, data_dir, store) as tokens:
        sys.stdout.write(tokens.add(name, may, by) + "\n")


@app.command("list")
def show(*, site: SitePlan, data_dir: DataDir = DATA_DIR, store: StoreUrl = None) -> None:
    """List the tokens' names with what each may do."""
    with _tokens_of(site, data_dir, store) as tokens:
        for token in tokens.all():
            sys.stdout.write(f"{token.name} {', '.join(sorted(token.may))}\n")


@app.command()
def remove(*, name: TokenName, site: SitePlan, by: By = "hub", data_dir: DataDir = DATA_DIR, store: StoreUrl = None) -> None:
    """Take a token back: from now on it opens nothing."""
    with _tokens_of(site, data_dir, store) as tokens:
        tokens.remove(name, by)


@contextmanager
def _tokens_of(site: Path, data_dir: Path, store: str | None) -> Iterator[Tokens]:
    from .accounts import BadAccount, Tokens

    with open_store(site, data_dir, store, BadAccount) as (_, database):
        yield Tokens(database, lambda: time.time_ns() // 1000)

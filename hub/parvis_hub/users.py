"""The command `parvis-hub users`: who may sign in at the console, and as what."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .command_line import DATA_DIR, By, DataDir, SitePlan, StoreUrl, open_store
from .governance.roles import ROLES, Role

if TYPE_CHECKING:
    from .accounts import Users

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

UserName = Annotated[str, typer.Argument(help="Small letters, digits and hyphens; it stands beside decisions.", metavar="NAME")]


@app.callback()
def _users() -> None:
    """Say who may sign in at the console, and as what. As soon as there is one user, everybody must sign in.

    Users are managed here alone: nobody can do it from the console. A change takes effect at once, in a hub that runs too, and is in the
    accountability log. A password is asked for, or read from standard input; it is never part of the command.
    """


@app.command()
def add(
    *,
    name: UserName,
    role: Annotated[Role, typer.Option(help="What the user may do; `parvis-hub users roles` shows the table.")],
    site: SitePlan,
    by: By = "hub",
    data_dir: DataDir = DATA_DIR,
    store: StoreUrl = None,
) -> None:
    """Add a user.

    A password has 12 characters or more, whichever they are.

      parvis-hub users add --site site.yaml --role operator a-martin
    """
    with _users_of(site, data_dir, store) as users:
        users.add(name, role, _password(), by)


@app.command("list")
def show(*, site: SitePlan, data_dir: DataDir = DATA_DIR, store: StoreUrl = None) -> None:
    """List the users with their roles."""
    with _users_of(site, data_dir, store) as users:
        for user in users.all():
            sys.stdout.write(f"{user.name} {user.role}{' at the provider' if user.elsewhere else ''}\n")


@app.command()
def role(
    *,
    name: UserName,
    role: Annotated[Role, typer.Option(help="What the user may do from now on.")],
    site: SitePlan,
    by: By = "hub",
    data_dir: DataDir = DATA_DIR,
    store: StoreUrl = None,
) -> None:
    """Give a user another role."""
    with _users_of(site, data_dir, store) as users:
        users.set_role(name, role, by)


@app.command()
def password(*, name: UserName, site: SitePlan, by: By = "hub", data_dir: DataDir = DATA_DIR, store: StoreUrl = None) -> None:
    """Give a user another password, and sign them out wherever they are signed in."""
    with _users_of(site, data_dir, store) as users:
        users.set_password(name, _password(), by)


@app.command()
def remove(*, name: UserName, site: SitePlan, by: By = "hub", data_dir: DataDir = DATA_DIR, store: StoreUrl = None) -> None:
    """Remove a user, and sign them out. What they decided stays under their name.

    Without any user, a console that can be reached from this machine alone is open again.
    """
    with _users_of(site, data_dir, store) as users:
        users.remove(name, by)


@app.command()
def roles() -> None:
    """Show what each role may do."""
    for role, may in ROLES.items():
        sys.stdout.write(f"{role}: {', '.join(sorted(may))}\n")


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


@contextmanager
def _users_of(site: Path, data_dir: Path, store: str | None) -> Iterator[Users]:
    from .accounts import BadAccount, Users

    with open_store(site, data_dir, store, BadAccount) as (_, database):
        yield Users(database, lambda: time.time_ns() // 1000)

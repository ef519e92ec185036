"""What the hub's commands share: options that mean the same everywhere, the site plan that they read, and how they give up."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from parvis_contract import ConfigError, Site, load_site

if TYPE_CHECKING:
    from .store import Database

SitePlan = Annotated[Path, typer.Option("--site", help="The site plan, a YAML file.", metavar="SITE.yaml")]
DataDir = Annotated[Path, typer.Option(help="Where the store is, if --store does not say otherwise.")]
StoreUrl = Annotated[str | None, typer.Option(help="URL of the store, such as sqlite:////var/lib/parvis/hub.sqlite.")]
By = Annotated[str, typer.Option(help="Who does it, as the accountability log will have it.", metavar="NAME")]
DATA_DIR = Path(".parvis/hub")


def load_plan(path: Path) -> Site:
    """Reads a site plan; what is wrong with it is said, and ends the program with 2."""
    try:
        return load_site(path)
    except ConfigError as error:
        fail(str(error))


@contextmanager
def open_store(site: Path, data_dir: Path, store: str | None, *told: type[Exception]) -> Iterator[tuple[Site, Database]]:
    """The site plan and the hub's store, made where there is none.

    What goes wrong with them, or in the block, is said, and ends the program with 2.

    Args:
        site: The site plan's file.
        data_dir: Where the store is, if `store` does not say otherwise.
        store: URL of the store.
        told: Further errors whose messages say what to do.
    """
    from pydantic import ValidationError
    from sqlalchemy.exc import SQLAlchemyError

    from .store import Database, StoreError, default_url

    plan = load_plan(site)
    known: tuple[type[Exception], ...] = (ConfigError, OSError, StoreError, ValueError, *told)
    try:
        if store is None:
            data_dir.mkdir(parents=True, exist_ok=True)
        database = Database(store or default_url(data_dir.absolute()), plan.site)
        try:
            yield plan, database
        finally:
            database.close()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        fail(f"--{first['loc'][0] if first['loc'] else 'by'}: {first['msg']}; a name has small letters, digits and hyphens")
    except SQLAlchemyError as error:
        fail(f"the store cannot be used: {getattr(error, 'orig', None) or error}")
    except known as error:
        fail(str(error.args[0]) if isinstance(error, KeyError) else str(error))


#: How a program ends that may be tried again as it is, and one for which a person has to change something.
AGAIN, CHANGE = 1, 2


def fail(message: str, status: int = CHANGE) -> NoReturn:
    """Says what is wrong and what to do, and ends the program."""
    sys.stderr.write(f"{message}\n")
    raise typer.Exit(status)

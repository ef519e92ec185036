"""What the hub's commands share: options that mean the same everywhere, the site plan that they read, and how they give up."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from parvis_contract import ConfigError, Site, load_site

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


def fail(message: str) -> NoReturn:
    """Says what is wrong and what to do, and ends the program with 2."""
    sys.stderr.write(f"{message}\n")
    raise typer.Exit(2)

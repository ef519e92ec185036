"""The command `parvis-hub allowlist`: which tags units may read, and until when."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from parvis_contract import format_time

from .command_line import DATA_DIR, DataDir, SitePlan, StoreUrl, open_store

if TYPE_CHECKING:
    from .store import Command

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def _allowlist() -> None:
    """Say which printed tags units may read: those of people who asked for a route.

    A list is signed for each unit, and stands in place of the one before. Units drop every other tag in memory. The hub that runs on the
    same store sends it, again until the unit acknowledges; a unit keeps it over restarts and obeys it until it ends.
    """


@app.command()
def issue(
    *,
    site: SitePlan,
    key: Annotated[Path, typer.Option(help="The hub's signing key; `parvis-hub keys new` makes one.", metavar="KEYFILE")],
    tags: Annotated[str | None, typer.Option(help="The tags that may be read; `none` withdraws every one.", metavar="1-30,42|none")] = None,
    tags_file: Annotated[Path | None, typer.Option(help="The same from a file, a line or more; # begins a remark.", metavar="FILE")] = None,
    until: Annotated[str, typer.Option(help="When the list ends: a time with its zone, or a span from now.", metavar="TIME|12h|7d")],
    unit: Annotated[
        list[str] | None, typer.Option(help="For this unit alone; may be repeated. Without it: every unit with a camera.")
    ] = None,
    data_dir: DataDir = DATA_DIR,
    store: StoreUrl = None,
) -> None:
    r"""Sign a list and hand it to the hub, which sends it.

    A unit that is cut off cannot be told of a withdrawal and obeys its list until that ends: make lists short (a day, the length of an
    event), and issue them anew. At most 31 days. Tags whose numbers follow each other need less room: 16 ranges fit.

    For the three days of an event, tags 1 to 30:
      parvis-hub allowlist issue --site site.yaml --key hub-signing.key \
          --tags 1-30 --until 3d
    Somebody has withdrawn: the same without their tag
      parvis-hub allowlist issue --site site.yaml --key hub-signing.key \
          --tags 1-16,18-30 --until 2026-06-24T02:00:00+02:00
    Nobody is read any more:
      parvis-hub allowlist issue --site site.yaml --key hub-signing.key \
          --tags none --until 31d
    """
    from parvis_contract.signing import KeyFileError, SigningKey

    from .consent.until import parse_until
    from .store import NotIssued, issue_allowlist

    now = datetime.now(UTC)
    with open_store(site, data_dir, store, KeyFileError, NotIssued) as (plan, database):
        signing, numbers = SigningKey.load(key), _tags(tags, tags_file)
        units = unit or [name for name, about in plan.units.items() if "camera" in about.senses]
        issued = issue_allowlist(database, plan, signing, units=units, tags=numbers, until=parse_until("--until", until, now), now=now)
    for command in issued:
        sys.stdout.write(_said(command, now))


@app.command()
def show(*, site: SitePlan, data_dir: DataDir = DATA_DIR, store: StoreUrl = None) -> None:
    """Say for each unit which tags it may read, until when, and whether it has acknowledged that."""
    from .store import CommandStore

    with open_store(site, data_dir, store) as (_, database):
        issued = [command for command in CommandStore(database).all() if command.kind == "command.allowlist"]
    for command in issued:
        sys.stdout.write(_said(command, datetime.now(UTC)))
    if not issued:
        sys.stdout.write("no list has been issued; see `parvis-hub allowlist issue --help`\n")


def _said(command: Command, now: datetime) -> str:
    from .consent.allowlist import ranges

    tags = ",".join(f"{span.first}-{span.last}" if span.last > span.first else str(span.first) for span in ranges(command.tags)) or "none"
    if command.expires <= now:
        how = "ended"
    elif command.acknowledged:
        how = f"acknowledged {format_time(command.acknowledged)}"
    else:
        how = f"refused: {command.refused}" if command.refused else "not acknowledged yet"
    return f"{command.unit}: tags {tags} until {format_time(command.expires)}, counter {command.counter}: {how}\n"


def _tags(text: str | None, file: Path | None) -> frozenset[int]:
    from .consent.allowlist import parse_tags

    if (text is None) is (file is None):
        raise ValueError("give --tags or --tags-file, one of the two")
    if file is not None:
        lines = (line.partition("#")[0].strip(" ,\t") for line in file.read_text(encoding="utf-8").splitlines())
        text = ",".join(line for line in lines if line) or "none"
    return frozenset() if text == "none" or text is None else parse_tags(text)

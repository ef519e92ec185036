"""The commands that look after a store: back it up, make one of a backup, and show that what has expired is gone."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from .command_line import DATA_DIR, DataDir, SitePlan, StoreUrl, fail, load_plan

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

BackupFile = Annotated[Path, typer.Argument(help="The backup.", metavar="FILE.jsonl.gz")]


@app.callback()
def _store() -> None:
    """Look after the store: back it up, restore a backup, show what is kept and for how long.

    A backup is one file of JSON lines, the same for SQLite and PostgreSQL: it is also the way from one to the other. It holds all but the
    sightings of tags, which nobody may find in a copy after their wearer has withdrawn.
    """


@app.command()
def backup(
    *,
    site: SitePlan,
    file: BackupFile,
    by: Annotated[str, typer.Option(help="Who asks for it, as the accountability log will have it.", metavar="NAME")] = "hub",
    data_dir: DataDir = DATA_DIR,
    store: StoreUrl = None,
) -> None:
    """Write what the store holds at this moment to a new file. The hub may go on running.

    Whoever has the file has all that the hub has: keep it as long as the profile's retention allows, and no longer.

      parvis-hub store backup --site site.yaml /mnt/backup/parvis-$(date +%F).jsonl.gz
    """
    from pydantic import ValidationError
    from sqlalchemy.exc import SQLAlchemyError

    from .store import Database, StoreError, default_url, open_existing
    from .store.backup import backup as write

    plan = load_plan(site)
    url = store or default_url(data_dir.absolute())
    try:
        open_existing(url).dispose()
        count = write(Database(url, plan.site), plan.site, time.time_ns() // 1000, by, file)
    except FileExistsError:
        fail(f"{file} is there already, and is not overwritten")
    except ValidationError:
        fail(f"--by {by}: a name has small letters, digits and hyphens")
    except (OSError, StoreError, SQLAlchemyError) as error:
        fail(str(error))
    sys.stdout.write(f"{count} rows in {file}, {file.stat().st_size} bytes\n")


@app.command()
def restore(*, site: SitePlan, file: BackupFile, data_dir: DataDir = DATA_DIR, store: StoreUrl = None) -> None:
    """Make a new store of a backup, in either database. A hub that runs on another store is not disturbed.

    What expired meanwhile is deleted as soon as a hub runs on the new store.

      parvis-hub store restore --site site.yaml --store postgresql://hub@/parvis /mnt/backup/parvis-2026-06-21.jsonl.gz
    """
    from .store import StoreError, default_url
    from .store.backup import BackupError
    from .store.backup import restore as read

    plan = load_plan(site)
    try:
        if store is None:
            data_dir.mkdir(parents=True, exist_ok=True)
        count = read(store or default_url(data_dir.absolute()), plan.site, time.time_ns() // 1000, file)
    except (BackupError, OSError, StoreError) as error:
        fail(str(error))
    sys.stdout.write(f"{count} rows restored; run the hub with this store now\n")


@app.command()
def retention(*, site: SitePlan, data_dir: DataDir = DATA_DIR, store: StoreUrl = None) -> None:
    """Show for each kind of row how long it is kept, how many there are, and that none is overdue; and what was deleted last.

    The hub deletes what has expired once a minute, and writes to the accountability log how many rows of each kind it were. Ends with 1 if
    a row is still there ten minutes after its time.
    """
    from rich.console import Console
    from rich.table import Table
    from sqlalchemy.exc import SQLAlchemyError

    from .store import StoreError, default_url
    from .store.proof import kept

    plan = load_plan(site)
    now_us = time.time_ns() // 1000
    try:
        rows = kept(store or default_url(data_dir.absolute()), plan.law.retention, now_us)
    except (StoreError, SQLAlchemyError) as error:
        fail(str(error))
    table = Table("kept", "for", "rows", "oldest expires", "overdue", "deleted last", "of them", header_style="bold")
    for row in rows:
        table.add_row(
            row.table,
            f"{row.kept_h:g} h",
            str(row.rows),
            _time(row.expires_first_us),
            str(row.overdue),
            _time(row.deleted_us),
            "" if row.deleted is None else str(row.deleted),
        )
    Console().print(table)
    if any(row.overdue for row in rows):
        sys.stdout.write("Rows are overdue: does the hub run? It deletes them within a minute of its start.\n")
        raise typer.Exit(1)


def _time(at_us: int | None) -> str:
    return "" if at_us is None else datetime.fromtimestamp(at_us // 1_000_000, UTC).strftime("%Y-%m-%d %H:%MZ")

"""A store in a file and back, while the hub runs: gzip of JSON lines, the same for both databases.

The first line says what the file is, then each table's rows follow a line with its name and columns, and the last line has the number of
rows and the SHA-256 of all lines before it, so that a file that was cut off or damaged is not taken for a backup. Sightings of tags are
left out: whoever withdraws must be able to rely on it that no copy of them lies elsewhere.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import IO, Annotated, Any, Literal

from parvis_contract import HUB, Closed, Name
from pydantic import Field, ValidationError
from sqlalchemy import Connection, MetaData, Table, func, insert, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from parvis_hub import governance
from parvis_hub.governance import BackupMade, StoreRestored

from . import migrations
from .database import Database, StoreError, cannot_be_opened, connect, writing
from .schema import logouts, metadata, sessions, sightings

#: Rows of one line of the file, and of one statement.
_ROWS = 500


class _Header(Closed):
    parvis_backup: Literal[1]
    schema_version: str
    site: Name
    made_us: int


class _Footer(Closed):
    rows: Annotated[int, Field(ge=0)]
    sha256: str


class BackupError(ValueError):
    """A file is no backup, or cannot be restored here; the message says why. Nothing was changed."""


def backup(database: Database, site: str, now_us: int, by: str, file: Path) -> int:
    """Writes what the store holds at one moment to a new file, which its owner alone may read, and records that it was done.

    Args:
        database: The hub may go on writing to it.
        site: Whose it is.
        now_us: Now, microseconds since 1970.
        by: Who asked for it.
        file: Must not be there yet.

    Returns:
        The number of rows in it.

    Raises:
        OSError: The file is there, or cannot be written.
        sqlalchemy.exc.SQLAlchemyError: The store cannot be used.
    """
    file.touch(mode=0o600, exist_ok=False)
    with database.write() as connection:
        governance.append(connection, now_us, by, BackupMade())
    digest, count = hashlib.sha256(), 0
    with gzip.open(file, "wt", encoding="utf-8", newline="\n") as out, database.read() as connection:
        header = _Header(parvis_backup=1, schema_version=migrations.version(connection) or "", site=site, made_us=now_us)
        for line in chain((header.model_dump_json(),), _tables(connection)):
            out.write(line + "\n")
            digest.update(line.encode() + b"\n")
            count += _rows_of(line)
        out.write(_Footer(rows=count, sha256=digest.hexdigest()).model_dump_json() + "\n")
    return count


def _tables(connection: Connection) -> Iterator[str]:
    for table in (*metadata.sorted_tables, *governance.log.metadata.sorted_tables):
        if table in (sightings, sessions, logouts):
            continue
        yield _plain({"table": table.name, "columns": [column.name for column in table.columns]})
        found = connection.execute(select(table).execution_options(yield_per=_ROWS))
        for rows in found.partitions():
            yield _plain([list(row) for row in rows])


def _plain(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _rows_of(line: str) -> int:
    return len(json.loads(line)) if line.startswith("[") else 0


def restore(url: str, site: str, now_us: int, file: Path) -> int:
    """Makes a new store of a backup, of this or of an earlier version, in either database; all of it or nothing.

    Args:
        url: Of a store that does not exist yet; a hub that runs on another is not disturbed.
        site: Whose the backup must be.
        now_us: Now, microseconds since 1970.
        file: The backup.

    Returns:
        The number of rows that are in the new store.

    Raises:
        BackupError: The file is no whole backup of this site, or there is a store already.
        OSError: The file cannot be read.
        StoreError: The new store cannot be made.
    """
    if file.exists() and not file.is_file():
        raise BackupError(f"{file} is no file, and a backup is read twice; put what comes from a pipe into a file first")
    # Read to its end before anything is made: only the last line says that it is whole.
    _, footer = _check(file, site)
    try:
        engine = connect(url)
        with writing(engine) as connection:
            if set(inspect(connection).get_table_names()) & {table.name for table in metadata.sorted_tables}:
                raise BackupError("there is a store already. Restore into a new one, and run the hub with that.")
            header = _fill(connection, file)
            migrations.upgrade(connection)
            governance.append(connection, now_us, HUB, StoreRestored(made_us=header.made_us, rows=footer.rows))
            if isinstance(found := governance.verify(connection), governance.Broken):
                raise BackupError(f"the backup's accountability log is broken: entry {found.number} is {found.fault}: {found.why}")
        engine.dispose()
    except migrations.NewerStore as error:
        raise BackupError(f"{error}. Restore it with the version that made it.") from None
    except (SQLAlchemyError, ImportError) as error:
        raise StoreError(cannot_be_opened(url, error)) from None
    return footer.rows


def _check(file: Path, site: str) -> tuple[_Header, _Footer]:
    digest, count = hashlib.sha256(), 0
    try:
        with gzip.open(file, "rt", encoding="utf-8", newline="\n") as lines:
            last = next(lines, "")
            header = _Header.model_validate_json(last)
            for line in lines:
                digest.update(last.encode())
                count += _rows_of(last)
                last = line
        footer = _Footer.model_validate_json(last)
    except (ValidationError, ValueError, EOFError, zlib.error, gzip.BadGzipFile):
        raise BackupError(f"{file} is no backup of parvis-hub, or not all of one") from None
    if (count, digest.hexdigest()) != (footer.rows, footer.sha256):
        raise BackupError(f"{file} is damaged: its content does not have the digest that it ends with")
    if header.site != site:
        raise BackupError(f"{file} is of the site {header.site}, and this hub of {site}")
    return header, footer


def _fill(connection: Connection, file: Path) -> _Header:
    with gzip.open(file, "rt", encoding="utf-8", newline="\n") as lines:
        header = _Header.model_validate_json(next(lines))
        migrations.upgrade(connection, header.schema_version)
        _insert(connection, lines)
    return header


def _insert(connection: Connection, lines: IO[str]) -> None:
    there = MetaData()
    there.reflect(connection)
    table: Table | None = None
    columns: list[str] = []
    for line in lines:
        value = json.loads(line)
        if isinstance(value, list) and table is not None:
            connection.execute(insert(table), [dict(zip(columns, row, strict=True)) for row in value])
        elif "table" in value:
            table, columns = there.tables[value["table"]], value["columns"]
    for table in there.tables.values():
        if connection.dialect.name == "postgresql" and "row" in table.columns:
            # The rows came with their numbers; the next one that is made here goes on from there.
            sequence = func.pg_get_serial_sequence(table.name, "row")
            connection.execute(select(func.setval(sequence, select(func.coalesce(func.max(table.c.row), 1)).scalar_subquery())))

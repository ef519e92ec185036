"""Opens the database: SQLite in a file by default, whatever SQLAlchemy can reach by URL."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, func, insert, inspect, select
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from parvis_hub import governance

from . import migrations
from .schema import facts


class StoreError(RuntimeError):
    """The store cannot be used; the message says what to do.

    Attributes:
        passing: It may be usable later, though nobody changes anything: its disk is full, or its database away.
    """

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


def default_url(folder: Path) -> str:
    """The URL of the SQLite file in a data folder."""
    return f"sqlite:///{folder / 'hub.sqlite'}"


class Database:
    """An engine whose writers take turns.

    Attributes:
        engine: For reading, from any thread.
    """

    def __init__(self, url: str, site: str) -> None:
        """Opens it, and makes the tables where there are none.

        Args:
            url: Of SQLAlchemy, such as ``sqlite:////var/lib/parvis/hub.sqlite``.
            site: The site whose store this is.

        Raises:
            StoreError: It cannot be opened, is of another site, or of another version.
        """
        self._writing = threading.RLock()
        try:
            self._writer = connect(url)
            self.engine = _reader(self._writer)
            with self.write() as connection:
                migrations.upgrade(connection)
                self._check_site(connection, site)
                governance.prepare(connection)
        except (governance.LogBroken, migrations.NewerStore) as error:
            raise StoreError(f"{error}. {_OWN}") from None
        except (SQLAlchemyError, ImportError) as error:
            raise StoreError(cannot_be_opened(url, error), passing=may_pass(error)) from None

    @staticmethod
    def _check_site(connection: Connection, site: str) -> None:
        known = connection.execute(select(facts.c.value).where(facts.c.name == "site")).scalar_one_or_none()
        if known is None:
            connection.execute(insert(facts).values(name="site", value=site))
        elif known != site:
            raise StoreError(f"the store is of the site {known}, and this hub of {site}. {_OWN}")

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that changes something: on disk when the block ends, undone if it raises."""
        with self._writing, writing(self._writer) as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view, whatever is being written meanwhile."""
        with self.engine.connect() as connection:
            yield connection

    def close(self) -> None:
        """Lets go of the files."""
        self.engine.dispose()


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that waits for the writer before it, whatever process that is of, and then sees what it wrote.

    Args:
        engine: Of :func:`connect`.
    """
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(_WRITERS)))
        yield connection


def open_existing(url: str) -> Engine:
    """A store that is there already, for reading; nothing is made.

    Raises:
        StoreError: There is none, or it cannot be opened.
    """
    try:
        engine = _reader(connect(url))
        path = engine.url.database
        if engine.dialect.name == "sqlite" and not (path and Path(path).is_file()):
            raise StoreError(f"there is no store {path or url}. Say where it is with --data-dir or --store, as the hub is run with.")
        with engine.connect() as connection:
            missing = [table.name for table in governance.log.metadata.sorted_tables if not inspect(connection).has_table(table.name)]
    except (SQLAlchemyError, ImportError) as error:
        raise StoreError(cannot_be_opened(url, error)) from None
    if missing:
        raise StoreError(f"the store {_shown(url)} has no table {missing[0]}: no hub with a log has used it, or the table was deleted")
    return engine


_OWN = "Give this hub a store of its own, with --data-dir or --store."


def cannot_be_opened(url: str, error: Exception) -> str:
    """What to say of a store that cannot be opened, and what to do."""
    reason = str(getattr(error, "orig", None) or error).strip()
    advice = "Is its folder there, and may the hub write to it?"
    if url.startswith("postgresql"):
        advice = "PostgreSQL needs the extension PostGIS, the hub a database of its own there, and Python the extra parvis-hub[postgresql]."
    return f"the store {_shown(url)} cannot be opened: {reason}. {advice}"


def may_pass(error: BaseException) -> bool:
    """Whether what went wrong with a store or a disk may be well later, though nobody changes anything.

    Of a PostgreSQL that cannot be reached it cannot be told whether it is away or was never there.
    """
    if isinstance(error, StoreError):
        return error.passing
    if isinstance(error, OSError):
        return error.errno in _NO_ROOM
    if not isinstance(error, OperationalError):
        return False
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code is None or code & 0xFF in _MAY_PASS


_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})
_MAY_PASS = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})

#: The advisory lock of PostgreSQL that a hub's writers take: "parvis", so that it is nobody else's in the same database.
_WRITERS = int.from_bytes(b"parvis", "big")


def connect(url: str) -> Engine:
    """An engine for a store, there or not.

    Raises:
        StoreError: It would be neither of the two databases.
        sqlalchemy.exc.SQLAlchemyError: The URL is not one.
        ImportError: The driver is not installed.
    """
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "do_connect", _make_for_owner)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    elif engine.dialect.name != "postgresql":
        raise StoreError(f"a store is SQLite or PostgreSQL, not {engine.dialect.name}")
    return engine


def _reader(engine: Engine) -> Engine:
    """The same for reading: from the first question to the last, one state of the store."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(reading=True)
    return engine.execution_options(isolation_level="REPEATABLE READ")


def _begin_sqlite(connection: Connection) -> None:
    # A writer waits at its beginning, rather than find at its end that what it has read is no more.
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get("reading") else "BEGIN IMMEDIATE")


def _make_for_owner(_dialect: object, _record: object, arguments: list[Any], _options: object) -> None:
    # SQLite would make the file for all to read; what it makes beside it, it makes as the file is. Where it cannot be made, SQLite says so.
    # A file that is there is not opened: to close it would end this process's locks on it, which are what keeps another process that
    # ends its own use of the store from deleting the log of writes (sqlite.org/howtocorrupt.html, 2.2).
    with suppress(OSError):
        os.close(os.open(arguments[0], os.O_CREAT | os.O_EXCL, 0o600))


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver's own way of beginning leaves out reading, and every change of a table.
    connection.isolation_level = None
    cursor = connection.cursor()
    # What is committed survives the loss of power, and what is deleted is overwritten.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _shown(url: str) -> str:
    """A URL without its password."""
    try:
        return create_engine(url).url.render_as_string(hide_password=True)
    except (SQLAlchemyError, ImportError):
        return "(its URL is not one of SQLAlchemy's)"

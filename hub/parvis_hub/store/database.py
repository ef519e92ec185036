"""Opens the database: SQLite in a file by default, whatever SQLAlchemy can reach by URL."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from parvis_hub import governance

from .schema import SCHEMA_VERSION, facts, metadata


class StoreError(RuntimeError):
    """The store cannot be used; the message says what to do."""


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
            self.engine = _engine(url)
            metadata.create_all(self.engine)
            governance.log.metadata.create_all(self.engine)
            self._check({"schema": str(SCHEMA_VERSION), "site": site})
            with self.write() as connection:
                governance.prepare(connection)
        except governance.LogBroken as error:
            raise StoreError(str(error)) from None
        except SQLAlchemyError as error:
            reason = getattr(error, "orig", None) or error
            raise StoreError(
                f"the store {_shown(url)} cannot be opened: {reason}. Is its folder there, and may the hub write to it?"
            ) from None

    def _check(self, expected: dict[str, str]) -> None:
        with self.write() as connection:
            known: dict[str, str] = {row.name: row.value for row in connection.execute(select(facts))}
            for name, value in expected.items():
                if known.setdefault(name, value) != value:
                    advice = "Give this hub a store of its own, with --data-dir or --store."
                    raise StoreError(f"the store's {name} is {known[name]}, and this hub's is {value}. {advice}")
            if new := [{"name": name, "value": value} for name, value in known.items()]:
                connection.execute(facts.delete())
                connection.execute(insert(facts), new)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that changes something: on disk when the block ends, undone if it raises."""
        with self._writing, self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view, whatever is being written meanwhile."""
        with self.engine.connect() as connection:
            yield connection

    def close(self) -> None:
        """Lets go of the files."""
        self.engine.dispose()


def open_existing(url: str) -> Engine:
    """A store that is there already, for reading; nothing is made.

    Raises:
        StoreError: There is none, or it cannot be opened.
    """
    try:
        engine = _engine(url)
        path = engine.url.database
        if engine.dialect.name == "sqlite" and not (path and Path(path).is_file()):
            raise StoreError(f"there is no store {path or url}. Say where it is with --data-dir or --store, as the hub is run with.")
        with engine.connect() as connection:
            missing = [table.name for table in governance.log.metadata.sorted_tables if not inspect(connection).has_table(table.name)]
    except (SQLAlchemyError, ImportError) as error:
        raise StoreError(f"the store {_shown(url)} cannot be opened: {getattr(error, 'orig', None) or error}") from None
    if missing:
        raise StoreError(f"the store {_shown(url)} has no table {missing[0]}: no hub with a log has used it, or the table was deleted")
    return engine


def _engine(url: str) -> Engine:
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
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

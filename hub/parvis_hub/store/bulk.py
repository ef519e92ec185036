"""The same statement for many rows, and rows by many values, without what SQLAlchemy otherwise does each time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import Column, Connection, Delete, Dialect, Insert, Row, Select, Table, Update, bindparam, insert, select

#: SQLite takes at least 999 parameters in one statement.
_CHUNK = 500
_Statement = Insert | Update | Delete


def insert_all(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts rows; none is as good as some.

    Args:
        connection: In a transaction.
        table: Into which.
        rows: All with the same keys.
    """
    execute_all(connection, _insert(table), rows)


def execute_all(connection: Connection, statement: _Statement, rows: Sequence[Mapping[str, Any]]) -> None:
    """Executes a statement for each row.

    SQLAlchemy looks at every value of every row, which takes longer than the database does. What the store keeps is numbers, text and
    truth values: both drivers take them as they are.

    Args:
        connection: In a transaction.
        statement: One that is made once: what it is in the database's language is remembered.
        rows: The values of its parameters, all with the same keys.
    """
    if rows:
        text, order = _compiled(statement, connection.dialect, tuple(rows[0]))
        connection.exec_driver_sql(text, [tuple(map(row.__getitem__, order)) for row in rows] if order else list(rows))


def among(connection: Connection, column: Column[Any], values: Sequence[str], *columns: Column[Any]) -> list[Row[Any]]:
    """The rows whose column has one of these values.

    Args:
        connection: To read.
        column: Which must have one.
        values: However many.
        columns: What to read of each row.
    """
    query = _among(column, columns)
    return [row for at in range(0, len(values), _CHUNK) for row in connection.execute(query, {"among": values[at : at + _CHUNK]})]


_insert = cache(insert)


@cache
def _among(column: Column[Any], columns: tuple[Column[Any], ...]) -> Select[Any]:
    return select(*columns).where(column.in_(bindparam("among", expanding=True)))


@lru_cache(maxsize=256)
def _compiled(statement: _Statement, dialect: Dialect, keys: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """A statement's text, and the order of its parameters; empty for a driver that takes them by name."""
    compiled: Any = statement.compile(dialect=dialect, column_keys=list(keys))
    return str(compiled), tuple(compiled.positiontup or ())

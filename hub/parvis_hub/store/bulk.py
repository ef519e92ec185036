"""The same statement for many rows, and rows by many values, without what SQLAlchemy otherwise does each time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import Column, Connection, Delete, Dialect, Insert, Row, Select, Table, Update, bindparam, insert, select

#: One statement is made for so many values at most; SQLite takes at least 999.
_SIZES = (8, 32, 128, 500)
_NAMES = tuple(f"v{number}" for number in range(_SIZES[-1]))
_Statement = Insert | Update | Delete | Select[Any]


def insert_all(connection: Connection, table: Table, keys: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> None:
    """Inserts rows; none is as good as some.

    Args:
        connection: In a transaction.
        table: Into which.
        keys: The columns, best in the table's order.
        rows: Their values, in the order of `keys`.
    """
    execute_all(connection, _insert(table), keys, rows)


def execute_all(connection: Connection, statement: _Statement, keys: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> int:
    """Executes a statement for each row; returns how many rows of the table that changed in all.

    SQLAlchemy looks at every value of every row, which takes longer than the database does. What the store keeps is numbers, text and
    truth values: both drivers take them as they are.

    Args:
        connection: In a transaction.
        statement: One that is made once: what it is in the database's language is remembered.
        keys: The names of its parameters.
        rows: Their values, in the order of `keys`.
    """
    if not rows:
        return 0
    text, arrange = _compiled(statement, connection.dialect, keys)
    return connection.exec_driver_sql(text, arrange(rows)).rowcount


def among(connection: Connection, column: Column[Any], values: Sequence[str], *columns: Column[Any]) -> list[Row[Any]]:
    """The rows whose column has one of these values, as the driver gives them: in SQLite, what is true is 1.

    Args:
        connection: To read.
        column: Which must have one.
        values: However many.
        columns: What to read of each row.
    """
    rows: list[Row[Any]] = []
    for at in range(0, len(values), _SIZES[-1]):
        some = values[at : at + _SIZES[-1]]
        size = next(size for size in _SIZES if size >= len(some))
        text, arrange = _compiled(_among(column, columns, size), connection.dialect, _NAMES[:size])
        # Filled up with one that is among them already.
        (parameters,) = arrange([(*some, *(some[-1],) * (size - len(some)))])
        rows += connection.exec_driver_sql(text, parameters)
    return rows


_insert = cache(insert)


@cache
def _among(column: Column[Any], columns: tuple[Column[Any], ...], size: int) -> Select[Any]:
    return select(*columns).where(column.in_([bindparam(name, type_=column.type) for name in _NAMES[:size]]))


@lru_cache(maxsize=256)
def _compiled(statement: _Statement, dialect: Dialect, keys: tuple[str, ...]) -> tuple[str, Callable[[Any], Any]]:
    """A statement's text, and what makes of rows the parameters that the driver takes: by position, or by name."""
    compiled: Any = statement.compile(dialect=dialect, column_keys=list(keys))
    if compiled.positiontup is None:
        return str(compiled), lambda rows: [dict(zip(keys, row, strict=True)) for row in rows]
    order = [keys.index(name) for name in compiled.positiontup]
    if order == list(range(len(keys))):
        return str(compiled), list
    return str(compiled), lambda rows: [tuple([row[at] for at in order]) for row in rows]

"""Adds entries at the end of the log and, once their time is over, takes them from its beginning: in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from parvis_contract import HUB
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from .about import KINDS, About, LogPruned, What
from .entry import NOTHING, Entry, Head, about_text, sealed
from .schema import log, log_head


class LogBroken(RuntimeError):
    """The log has been tampered with so that nothing can be added to it; the message says what to do."""


def prepare(connection: Connection) -> None:
    """Makes a new log's head.

    Raises:
        LogBroken: There are entries, and no head.
    """
    if connection.execute(select(log_head)).one_or_none() is None:
        if connection.execute(select(func.count()).select_from(log)).scalar_one():
            raise LogBroken(
                "the accountability log has entries and no head: it has been tampered with. Set this store aside for examination, "
                "and give the hub a new one with --data-dir or --store."
            )
        connection.execute(insert(log_head).values(one=1, number=0, digest=NOTHING))


def head(connection: Connection) -> Head | None:
    """Where the log ends; None if that is not recorded."""
    row = connection.execute(select(log_head)).one_or_none()
    return None if row is None else Head(number=row.number, digest=row.digest)


def append(connection: Connection, at_us: int, by: str, about: About) -> Entry:
    """Adds an entry; it is kept if the transaction is, with all that the transaction does.

    Args:
        connection: In the transaction that does what is recorded.
        at_us: Now, microseconds since 1970 in UTC.
        by: The operator's name, or a program's.
        about: What happened.

    Raises:
        LogBroken: The log's head is gone.
        pydantic.ValidationError: `by` is not a Name.
    """
    # Changed before it is read: so whoever else would add an entry, from another process even, waits until this transaction has ended.
    if not connection.execute(update(log_head).values(one=1)).rowcount:
        raise LogBroken("the accountability log's head is gone: it has been tampered with. See parvis-hub audit verify.")
    row = connection.execute(select(log_head)).one()
    entry = sealed(Head(number=row.number, digest=row.digest), at_us, by, about)
    connection.execute(
        insert(log).values(
            number=entry.number,
            at_us=at_us,
            by=by,
            what=entry.what.value,
            about=about_text(about),
            previous=entry.previous,
            digest=entry.digest,
        )
    )
    connection.execute(update(log_head).values(number=entry.number, digest=entry.digest))
    return entry


def prune(connection: Connection, at_us: int, before_us: int) -> Entry | None:
    """Deletes the beginning of the log that is older, and closes it with an entry from which the chain is known to go on.

    Args:
        connection: In a transaction.
        at_us: Now.
        before_us: What was written earlier has expired.

    Returns:
        The closing entry; None if nothing was deleted.
    """
    # Only what nothing younger stands before: a clock that was set back for a while leaves no hole.
    kept = connection.execute(select(func.min(log.c.number)).where(log.c.at_us >= before_us)).scalar_one()
    old = log.c.at_us < before_us if kept is None else log.c.number < kept
    # A closing entry alone is not worth another: a log at rest would otherwise never be at rest.
    worth = connection.execute(select(func.count()).select_from(log).where(old, log.c.what != What.LOG_PRUNED.value)).scalar_one()
    if not worth:
        return None
    last = connection.execute(select(log.c.number, log.c.digest).where(old).order_by(log.c.number.desc()).limit(1)).one()
    connection.execute(delete(log).where(log.c.number <= last.number))
    return append(connection, at_us, HUB, LogPruned(upto=last.number, digest=last.digest))


def entries(connection: Connection) -> Iterator[Entry]:
    """The log, oldest entry first.

    Raises:
        LogBroken: A row is not an entry.
    """
    yield from map(_entry, connection.execute(select(log).order_by(log.c.number).execution_options(yield_per=1_000)))


def latest(connection: Connection, count: int, *, before: int | None = None, what: What | None = None) -> list[Entry]:
    """So many entries, the newest first.

    Args:
        connection: To read.
        count: At most so many.
        before: Only those with a smaller number.
        what: Only those of this kind.

    Raises:
        LogBroken: A row is not an entry.
    """
    query = select(log).order_by(log.c.number.desc()).limit(count)
    if before is not None:
        query = query.where(log.c.number < before)
    if what is not None:
        query = query.where(log.c.what == what.value)
    return [_entry(row) for row in connection.execute(query)]


def _entry(row: Row[Any]) -> Entry:
    try:
        what = What(row.what)
        return Entry(
            number=row.number,
            at_us=row.at_us,
            by=row.by,
            what=what,
            about=KINDS[what].model_validate_json(row.about),
            previous=row.previous,
            digest=row.digest,
        )
    except ValueError as error:
        raise LogBroken(f"entry {row.number} is not one of the log's; see parvis-hub audit verify") from error

"""Checks the whole chain, and names the first entry with which something is wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, select

from .about import KINDS, LogPruned, What
from .chain import head
from .entry import NOTHING, Head, content_of, digest_of
from .schema import log


class Fault(StrEnum):
    """What is wrong with an entry."""

    ALTERED = "altered"
    MISSING = "missing"
    REORDERED = "reordered"
    TRUNCATED = "truncated"


@dataclass(frozen=True, slots=True)
class Broken:
    """The chain is broken.

    Attributes:
        number: Of the entry; of several that are missing, the first.
        fault: What is wrong with it.
        why: How that is known, one sentence.
    """

    number: int
    fault: Fault
    why: str


@dataclass(frozen=True, slots=True)
class Sound:
    """The chain is whole.

    Attributes:
        count: How many entries it has.
        first: The number of the oldest; older ones were deleted when their time was over. 1 if there is none.
        head: Where it ends.
    """

    count: int
    first: int
    head: Head


def verify(connection: Connection, noted: Head | None = None) -> Sound | Broken:
    """Checks every entry, its place, its link to the one before, the beginning and the end.

    Args:
        connection: To a database that has the log's tables; the rows are read one after another, whatever their number.
        noted: A head that was noted earlier, elsewhere: it must still be an entry of the chain, or older than what is kept.
    """
    last: Head | None = None
    first, first_previous, count = 1, NOTHING, 0
    closing: LogPruned | None = None
    for row in connection.execute(select(log).order_by(log.c.number).execution_options(yield_per=1_000)):
        if last is None:
            first, first_previous = row.number, row.previous
        elif row.number != last.number + 1:
            return Broken(last.number + 1, Fault.MISSING, f"after entry {last.number} comes entry {row.number}")
        if broken := _own_fault(connection, row):
            return broken
        if last is not None and row.previous != last.digest:
            why = f"entry {row.number} was written after another entry {last.number} than the one that is there"
            return Broken(last.number, Fault.ALTERED, why)
        if noted is not None and row.number == noted.number and row.digest != noted.digest:
            return Broken(row.number, Fault.ALTERED, "its digest is not the one that was noted")
        if row.what == What.LOG_PRUNED.value:
            closing = LogPruned.model_validate_json(row.about)
        last, count = Head(number=row.number, digest=row.digest), count + 1
    return _begins(first, first_previous, closing) or _ends(last, head(connection), noted) or Sound(count, first, last or _EMPTY)


_EMPTY = Head(number=0, digest=NOTHING)


def _begins(first: int, previous: str, closing: LogPruned | None) -> Broken | None:
    if first == 1:
        return None if previous == NOTHING else Broken(1, Fault.ALTERED, "the first entry names another before it")
    if closing is None:
        return Broken(1, Fault.MISSING, f"the log begins with entry {first}, and no closing entry says that older ones were deleted")
    if closing.upto != first - 1:
        return Broken(closing.upto + 1, Fault.MISSING, f"entries up to {closing.upto} had had their time, and the log begins with {first}")
    if closing.digest != previous:
        return Broken(first, Fault.ALTERED, "it does not follow the last entry that was deleted when its time was over")
    return None


def _ends(last: Head | None, kept: Head | None, noted: Head | None) -> Broken | None:
    end = last or _EMPTY
    if kept is None:
        return Broken(end.number + 1, Fault.TRUNCATED, f"the log ends with entry {end.number}, and its head is gone")
    if kept.number > end.number:
        return Broken(end.number + 1, Fault.TRUNCATED, f"the log ends with entry {end.number}, and its head is {kept.number}")
    if noted is not None and noted.number > end.number:
        return Broken(end.number + 1, Fault.TRUNCATED, f"the log ends with entry {end.number}, and entry {noted.number} was noted")
    if kept != end:
        return Broken(end.number, Fault.ALTERED, "the log's head is another entry")
    return None


def _own_fault(connection: Connection, row: Row[Any]) -> Broken | None:
    try:
        about = json.loads(row.about)
        KINDS[What(row.what)].model_validate_json(row.about)
        if row.digest == _digest(row, row.number, about):
            return None
        # Its content is untouched if it has its digest at another place.
        for other in connection.execute(select(log.c.number).order_by(log.c.number)).scalars():
            if row.digest == _digest(row, other, about):
                return Broken(row.number, Fault.REORDERED, f"what stands there was written as entry {other}")
    except (ValueError, TypeError, OverflowError):
        return Broken(row.number, Fault.ALTERED, "it is not an entry that the hub writes")
    return Broken(row.number, Fault.ALTERED, "its content does not have its digest")


def _digest(row: Row[Any], number: int, about: Any) -> str:
    return digest_of(content_of(number=number, at_us=row.at_us, by=row.by, what=row.what, about=about, previous=row.previous))

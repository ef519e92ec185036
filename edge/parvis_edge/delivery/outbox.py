"""The outbox: every message is on disk, numbered, before it is announced, and stays until the broker has it.

One SQLite file (write-ahead log, ``synchronous=FULL``): what :meth:`Outbox.put` has returned from survives a power cut. The number in
the unit's sequence is given in the same transaction, so it has no gap and no repetition, whenever the program is killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import structlog
from parvis_contract import Envelope, Phase, Refused, dump_message, parse_message, topic_of

from .messages import numbered
from .shedding import Worth

R = TypeVar("R")
_log = structlog.get_logger()

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    sequence INTEGER PRIMARY KEY,
    worth INTEGER NOT NULL,
    topic TEXT NOT NULL,
    body BLOB NOT NULL,
    queued_s REAL NOT NULL,
    acknowledged_s REAL,
    refused TEXT
);
CREATE INDEX IF NOT EXISTS by_worth ON messages (acknowledged_s IS NULL, worth, sequence);
CREATE INDEX IF NOT EXISTS unacknowledged ON messages (queued_s, refused) WHERE acknowledged_s IS NULL;
CREATE TABLE IF NOT EXISTS numbers (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS open_events (event TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
"""
_VERSION = 1
#: What SQLite says of a disk that has no room: for the file, or for the index beside it.
_NO_ROOM = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})


class OutboxError(Exception):
    """A message could not be put on disk: there is no room there. It is worth trying again."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that is to be sent.

    Attributes:
        sequence: Its number.
        topic: Where to.
        body: JSON, as it goes out.
    """

    sequence: int
    topic: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Fill:
    """How full the outbox is.

    Attributes:
        messages: That the broker has not acknowledged, refused ones among them.
        refused: That the broker has refused.
        oldest_s: Age of the oldest, in seconds.
        shed: How many were given up for want of room, ever.
    """

    messages: int
    refused: int
    oldest_s: float
    shed: int


class Outbox:
    """The outbox of one unit. Any thread may use it.

    Args:
        path: Its file; made, with its folder, where it is not there.
        max_bytes: How much the bodies of its messages may take. 128 MiB are a week of an event every three seconds.

    Attributes:
        last_shed_s: When, by the monotonic clock, a message was last given up for want of room.
    """

    def __init__(self, path: Path, max_bytes: int = 128 * 1024 * 1024) -> None:
        """Opens it. A file that is damaged is set aside under another name, and a new one begun.

        A disk without room for it is no reason not to start: every call then raises until there is.

        Raises:
            OutboxError: The folder cannot be made or written in, or another program has this outbox open.
        """
        self.path = path
        self.last_shed_s = -math.inf
        self._max_bytes = max_bytes
        self._lock = threading.RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._mine = path.with_name(path.name + ".lock").open("w")
            fcntl.flock(self._mine, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutboxError(f"{path}: another program speaks for this unit already; end it, or give another --data-dir") from None
        except OSError as error:
            raise OutboxError(f"{path.parent}: {error.strerror}; give a folder that can be written in with --data-dir") from None
        self._is_open = False
        self._aside: Path | None = None
        try:
            self._open()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _NO_ROOM:
                raise OutboxError(f"{path}: {error}; give a folder that can be written in with --data-dir") from None
            _log.error("the disk has no room for the outbox; it is tried again", file=str(path), detail=str(error))
        except sqlite3.DatabaseError as error:
            self._set_aside(error)
            with contextlib.suppress(sqlite3.OperationalError):
                self._open()

    # --- writing --------------------------------------------------------------------------------------------------------------

    def put(self, messages: Sequence[Envelope[Any]]) -> list[Envelope[Any]]:
        """Numbers messages and puts them on disk, all or none.

        Args:
            messages: In order; their sequence is of no account.

        Returns:
            The messages as they will be sent.

        Raises:
            OutboxError: No room on the disk. Nothing was kept, no number used.
            parvis_contract.Refused: One is not of the contract. Nothing was kept, no number used.
        """
        return self._guarded(lambda: self._put(messages))

    def _put(self, messages: Sequence[Envelope[Any]]) -> list[Envelope[Any]]:
        database = self._database
        kept: list[Envelope[Any]] = []
        with database:
            database.execute("BEGIN IMMEDIATE")
            sequence = self._number("next_sequence")
            for message in messages:
                final = numbered(message, sequence)
                body = dump_message(final)
                row = (sequence, Worth.of(final), topic_of(final), body, time.time())
                database.execute("INSERT INTO messages (sequence, worth, topic, body, queued_s) VALUES (?, ?, ?, ?, ?)", row)
                self._add("bytes", len(body))
                _remember(database, final, body)
                kept.append(final)
                sequence += 1
            _set(database, "next_sequence", sequence)
            self._shed()
        return kept

    def _shed(self) -> None:
        """Makes room by the policy of :mod:`.shedding`."""
        over = self._number("bytes") - self._max_bytes
        first = (
            "SELECT sequence, length(body), acknowledged_s IS NULL FROM messages ORDER BY acknowledged_s IS NULL, worth, sequence LIMIT 1"
        )
        while over > 0 and (row := self._database.execute(first).fetchone()):
            sequence, size, waiting = row
            self._database.execute("DELETE FROM messages WHERE sequence = ?", (sequence,))
            self._add("bytes", -size)
            if waiting:
                self._add("shed", 1)
                self.last_shed_s = time.monotonic()
            over -= size

    # --- sending --------------------------------------------------------------------------------------------------------------

    def waiting(self, after: int, limit: int, held: Iterable[str] = ()) -> list[Waiting]:
        """The next messages to send, in order.

        Args:
            after: Only later numbers.
            limit: At most so many.
            held: Topics that have to wait.
        """
        query = (
            "SELECT sequence, topic, body FROM messages WHERE sequence > ? AND acknowledged_s IS NULL AND refused IS NULL "
            "AND topic NOT IN (SELECT value FROM json_each(?)) ORDER BY sequence LIMIT ?"
        )
        topics = json.dumps(sorted(held))
        rows = self._guarded(lambda: self._database.execute(query, (after, topics, limit)).fetchall())
        return [Waiting(*row) for row in rows]

    def acknowledged(self, sequences: Sequence[int]) -> None:
        """The broker has these. They are kept until :meth:`forget`, in case it loses them before they are on its own disk."""
        rows = [(time.time(), sequence) for sequence in sequences]
        self._write("UPDATE messages SET acknowledged_s = ? WHERE sequence = ?", rows)

    def refused(self, sequence: int, reason: str) -> None:
        """The broker will not take this one: it is set apart with the reason, and holds up no other."""
        self._write("UPDATE messages SET refused = ? WHERE sequence = ?", [(reason, sequence)])

    def retry(self) -> None:
        """Sends again what was refused, and what was acknowledged and is still kept: a new connection, another chance."""
        self.retry_refused()
        self._write("UPDATE messages SET acknowledged_s = NULL WHERE acknowledged_s IS NOT NULL", [()])

    def retry_refused(self) -> None:
        """Sends again what was refused."""
        self._write("UPDATE messages SET refused = NULL WHERE refused IS NOT NULL", [()])

    def forget(self, kept_s: float) -> None:
        """Removes what was acknowledged longer than ``kept_s`` ago."""

        def forget() -> None:
            with self._database as database:
                database.execute("BEGIN IMMEDIATE")
                before = time.time() - kept_s
                freed = database.execute("SELECT total(length(body)) FROM messages WHERE acknowledged_s <= ?", (before,)).fetchone()[0]
                if freed:
                    database.execute("DELETE FROM messages WHERE acknowledged_s <= ?", (before,))
                    self._add("bytes", -int(freed))

        self._guarded(forget)

    def _write(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        def write() -> None:
            with self._database as database:
                database.execute("BEGIN IMMEDIATE")
                database.executemany(statement, rows)

        if rows:
            self._guarded(write)

    # --- looking --------------------------------------------------------------------------------------------------------------

    def fill(self) -> Fill:
        """How full it is."""

        def count() -> tuple[int, int, float | None, int]:
            row = self._database.execute(
                "SELECT count(*), count(refused), min(queued_s) FROM messages WHERE acknowledged_s IS NULL"
            ).fetchone()
            return (*row, self._number("shed"))

        messages, refused, oldest_s, shed = self._guarded(count)
        return Fill(messages, refused, 0.0 if oldest_s is None else max(0.0, time.time() - oldest_s), shed)

    def orphans(self) -> list[Envelope[Any]]:
        """Of every event that was begun and not ended: the last that was said."""
        rows = self._guarded(lambda: self._database.execute("SELECT body FROM open_events ORDER BY event").fetchall())
        return [parse_message(body) for (body,) in rows]

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            if self._is_open:
                self._database.close()
            self._is_open = False
            self._mine.close()

    # --- the file -------------------------------------------------------------------------------------------------------------

    def _opened(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=5.0)
        try:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=FULL")
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, _VERSION):
                raise sqlite3.DatabaseError(f"its version is {version}, and this program knows {_VERSION}")
            check = database.execute("PRAGMA quick_check(1)").fetchone()[0]
            if check != "ok":
                raise sqlite3.DatabaseError(check)
            database.executescript(_SCHEMA)
            database.execute(f"PRAGMA user_version={_VERSION}")
            database.execute("SELECT sequence, worth, topic, body, queued_s, acknowledged_s, refused FROM messages LIMIT 1")
        except sqlite3.Error:
            database.close()
            raise
        return database

    def _open(self) -> None:
        """Opens the file, and takes over what can be read of one that was set aside."""
        database = self._opened()
        try:
            if self._aside is not None:
                self._take_over(database, self._aside)
        except sqlite3.Error:
            database.close()
            raise
        self._database, self._is_open, self._aside = database, True, None

    def _set_aside(self, error: Exception) -> None:
        """Puts a damaged file out of the way, for a person to look at."""
        if self._is_open:
            self._database.close()
        self._is_open = False
        aside = self.path.with_name(f"{self.path.name}.damaged-{uuid.uuid4().hex[:8]}")
        for suffix in ("", "-wal", "-shm"):
            file = self.path.with_name(self.path.name + suffix)
            if file.exists():
                file.rename(aside.with_name(aside.name + suffix))
        _log.error("the outbox was damaged and is set aside", file=str(self.path), aside=str(aside), detail=str(error))
        # One that was set aside before and never taken over comes first: it has what was said.
        self._aside = self._aside or aside

    def _take_over(self, database: sqlite3.Connection, aside: Path) -> None:
        """Begins a new file with what can be read of the old.

        What the sequence had come to cannot be trusted any more. It goes on at the present time in milliseconds, above
        anything that was ever counted one by one: the hub then sees a gap, which is the truth, and no number twice.
        """
        saved = list(_readable(aside))
        with database:
            database.execute("BEGIN IMMEDIATE")
            for row, message in saved:
                database.execute("INSERT OR IGNORE INTO messages (sequence, worth, topic, body, queued_s) VALUES (?, ?, ?, ?, ?)", row)
                _remember(database, message, row[3])
            _set(database, "bytes", sum(len(row[3]) for row, _ in saved))
            _set(database, "next_sequence", int(time.time() * 1_000))
        _log.warning("what could be read of the damaged outbox was taken over", aside=str(aside), saved=len(saved))

    def _guarded(self, action: Callable[[], R]) -> R:
        """Does something with the database, whatever becomes of the disk."""
        with self._lock:
            try:
                try:
                    return self._done(action)
                except (sqlite3.OperationalError, sqlite3.ProgrammingError):
                    raise
                except sqlite3.DatabaseError as error:
                    self._set_aside(error)
                    return self._done(action)
            except sqlite3.OperationalError as error:
                raise OutboxError(f"{self.path}: {error}") from None

    def _done(self, action: Callable[[], R]) -> R:
        if not self._is_open:
            self._open()
        return action()

    def _number(self, name: str) -> int:
        row = self._database.execute("SELECT value FROM numbers WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else 0

    def _add(self, name: str, value: int) -> None:
        _set(self._database, name, self._number(name) + value)


def _set(database: sqlite3.Connection, name: str, value: int) -> None:
    database.execute("INSERT OR REPLACE INTO numbers VALUES (?, ?)", (name, value))


def _remember(database: sqlite3.Connection, message: Envelope[Any], body: bytes) -> None:
    """Keeps the last that was said of each open event, so that it can be ended after a crash."""
    phase = getattr(message.data, "phase", None)
    if phase in (Phase.START, Phase.UPDATE):
        database.execute("INSERT OR REPLACE INTO open_events VALUES (?, ?)", (str(message.event_id), body))
    elif phase is Phase.END:
        database.execute("DELETE FROM open_events WHERE event = ?", (str(message.event_id),))


def _readable(damaged: Path) -> Iterator[tuple[tuple[Any, ...], Envelope[Any]]]:
    """The rows of a damaged outbox that can still be read and are messages, up to the first place that cannot."""
    try:
        database = sqlite3.connect(damaged)
        rows = database.execute("SELECT sequence, topic, body, queued_s FROM messages WHERE acknowledged_s IS NULL ORDER BY sequence")
        for sequence, _, body, queued_s in rows:
            try:
                message = parse_message(body)
            except (Refused, TypeError, AttributeError):
                continue
            if message.data.sequence == sequence and isinstance(queued_s, float):
                yield (sequence, Worth.of(message), topic_of(message), body, queued_s), message
    except sqlite3.Error:
        return

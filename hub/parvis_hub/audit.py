"""The command `parvis-hub audit`: check the accountability log, and write it out."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .command_line import DATA_DIR, DataDir, StoreUrl, fail

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from .governance import Head

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def _audit() -> None:
    """Check the accountability log, or write it out: who decided what and when, who looked, what was configured and what was deleted.

    Each entry carries the digest (SHA-256) of the one before, so that an entry cannot be changed, taken out or moved without breaking the
    chain. Both commands only read, and may be used while the hub runs.
    """


@app.command()
def verify(
    *,
    head: Annotated[
        str | None, typer.Option(help="A head that was noted earlier; the log must still hold that entry.", metavar="NUMBER:DIGEST")
    ] = None,
    data_dir: DataDir = DATA_DIR,
    store: StoreUrl = None,
) -> None:
    """Check the whole chain, and name the first entry that is altered, missing, moved or cut off.

    The hub says the log's head, NUMBER:DIGEST, in its own log whenever it starts and stops, and at /api/audit/head of the console. Note it
    now and then where whoever may write to the store cannot write: in a journal on another machine, in a letter, on paper. Later:

      parvis-hub audit verify --data-dir /var/lib/parvis --head 1042:9f2c…

    What this shows: with a noted head, that nothing up to that entry has changed since it was noted. Without one, that the chain fits
    together: somebody who may write to the store and knows how the chain is made can make a whole new one that fits too. And a log
    says only what the hub was told: a name is one that somebody typed.

    Ends with 0 if the chain is whole, 1 if it is broken, 2 if it could not be checked.
    """
    from .governance import Broken
    from .governance import verify as check

    noted = _head(head) if head is not None else None
    with _reading(store, data_dir) as connection:
        found = check(connection, noted)
    if isinstance(found, Broken):
        sys.stdout.write(f"BROKEN: entry {found.number} is {found.fault}: {found.why}\n")
        raise typer.Exit(1)
    older = f"; those before {found.first} were deleted when their time was over" if found.first > 1 else ""
    sys.stdout.write(f"whole: {found.count} entries{older}\nhead: {found.head}\n")
    if noted is None:
        sys.stdout.write("No noted head was given: that the end was not cut off, and all not written anew, is not shown. See --help.\n")
    elif noted.number < found.first:
        sys.stdout.write(f"The noted entry {noted.number} is older than what is kept: it shows nothing any more. Note the head above.\n")


@app.command()
def export(*, data_dir: DataDir = DATA_DIR, store: StoreUrl = None) -> None:
    """Write the log to standard output, one entry a line as JSON, the oldest first.

    A line's `digest` is the SHA-256 of that line without `,"digest":"…"`, so that anybody can check a file without this program.
    """
    from .governance import LogBroken, entries

    with _reading(store, data_dir) as connection:
        try:
            for entry in entries(connection):
                sys.stdout.write(entry.line() + "\n")
        except LogBroken as error:
            sys.stdout.flush()
            fail(str(error))


@contextmanager
def _reading(store: str | None, data_dir: Path) -> Iterator[Connection]:
    from sqlalchemy.exc import SQLAlchemyError

    from .store import StoreError, default_url, open_existing

    try:
        engine = open_existing(store or default_url(data_dir.absolute()))
        with engine.connect() as connection:
            yield connection
    except (StoreError, SQLAlchemyError) as error:
        fail(str(error))


def _head(text: str) -> Head:
    from .governance import Head

    if not re.fullmatch(r"[0-9]{1,18}:[0-9a-f]{64}", text):
        fail(f"--head {text}: expected NUMBER:DIGEST, the digest in 64 hexadecimal digits, as the hub's log has it")
    number, _, digest = text.partition(":")
    return Head(number=int(number), digest=digest)

"""Brings a store from any earlier version to this one: Alembic, one file a step."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

#: The table in which Alembic notes how far a store has come.
VERSION_TABLE = "alembic_version"


class NewerStore(RuntimeError):
    """The store was made by a later version of the hub."""


def version(connection: Connection) -> str | None:
    """The last step that a store has taken; None if none."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(connection: Connection, to: str = "head") -> None:
    """Takes every step that the store has not taken yet, in the caller's transaction.

    Args:
        connection: To the store.
        to: The last step to take.

    Raises:
        NewerStore: It has taken one that this version does not know, or is to; nothing was done.
    """
    known = ScriptDirectory.from_config(_config(connection))
    newest = known.get_current_head()
    at = version(connection)
    steps = {step.revision for step in known.walk_revisions()}
    for asked in (at, to):
        if asked not in {None, "head", *steps}:
            raise NewerStore(f"the store is of version {asked}; this hub knows versions up to {newest}")
    if at != newest:
        command.upgrade(_config(connection), to)


def _config(connection: Connection) -> Config:
    config = Config()
    # A percent sign in a path would be read as a reference to another option.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config

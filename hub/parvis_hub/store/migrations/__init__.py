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


def upgrade(connection: Connection) -> None:
    """Takes every step that the store has not taken yet, in the caller's transaction.

    Raises:
        NewerStore: It has taken one that this version does not know; nothing was done.
    """
    known = ScriptDirectory.from_config(_config(connection))
    at = MigrationContext.configure(connection).get_current_revision()
    if at == known.get_current_head():
        return
    if at is not None and at not in {step.revision for step in known.walk_revisions()}:
        raise NewerStore(f"the store is of version {at}; this hub knows versions up to {known.get_current_head()}")
    command.upgrade(_config(connection), "head")


def _config(connection: Connection) -> Config:
    config = Config()
    # A percent sign in a path would be read as a reference to another option.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config

"""What Alembic runs for each upgrade: in the transaction that it is given."""

from __future__ import annotations

from alembic import context

# SQLite cannot change a column: the table is copied.
context.configure(connection=context.config.attributes["connection"], render_as_batch=True)
context.run_migrations()

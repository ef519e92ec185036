"""Who signs in at a provider, when each session ends, and whose clock is off by more than it says.

Revision: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Adds columns. Whoever is signed in signs in again: a session is no more than that."""
    op.add_column("units", sa.Column("clock_off_s", sa.Float()))
    op.add_column("units", sa.Column("clock_found_us", sa.BigInteger()))
    op.add_column("users", sa.Column("subject", sa.String(64)))
    op.create_index("users_by_subject", "users", ["subject"], unique=True)
    op.drop_index("ix_sessions_user", "sessions")
    op.drop_table("sessions")
    op.create_table(
        "sessions",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("user", sa.String(32), nullable=False),
        sa.Column("seen_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_sessions_user", "sessions", ["user"])

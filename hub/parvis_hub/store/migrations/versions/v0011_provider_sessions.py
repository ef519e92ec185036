"""Which session with the provider each session here is of.

Revision: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Adds the column; of sessions that there are, it is not known."""
    op.add_column("sessions", sa.Column("sid", sa.String(64)))
